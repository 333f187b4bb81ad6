"""axe-core: what is wrong with a page for those who do not see it or use no mouse.

The npm package of that version lies in build/, where .ci/run puts it. It is handed over as the
developer tools do it, so that the page's own rules about scripts stay in force.
"""

from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "build/axe-core-4.14.1/package/axe.min.js"
RUN = """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations
  .filter((one) => ["serious", "critical"].includes(one.impact))
  .map((one) => ({ rule: one.id, help: one.help, where: one.nodes.map((n) => n.html) }))"""


def require():
    """Skip what is left of the test where axe-core is missing."""
    if not SCRIPT.is_file():
        pytest.skip("no npm package axe-core@4.14.1 in build/ (.ci/run puts it there)")


def violations(page):
    """Return what is serious or critical; nothing where axe-core is missing."""
    if not SCRIPT.is_file():
        return []
    if not page.evaluate("'axe' in window"):
        page.evaluate(SCRIPT.read_text("utf-8"))
    return page.evaluate(RUN)
