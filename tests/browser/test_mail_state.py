"""The page of an ended job follows its mail without being loaded again."""

import judging
import pytest

from host.jobs.store import Store

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


def test_the_page_follows_the_mail(page, address, tmp_path):
    job_id, _ = judging.colours(tmp_path / "data")
    store = Store(tmp_path / "data")
    store.update(job_id, mail="reader@school.example", mail_state="waiting")
    page.goto(f"{address}/jobs/{job_id}")
    assert "is being sent" in page.locator("#mail").inner_text()
    page.evaluate("window.same = true")
    for state, said in (("sending", "is being sent"), ("sent", "A mail was sent")):
        store.update(job_id, mail_state=state)
        page.locator("#mail", has_text=said).wait_for()
    assert page.evaluate("window.same")
    store.close()
