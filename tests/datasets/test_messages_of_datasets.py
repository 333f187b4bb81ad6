"""Every code that this room gives has a message, and every message a use."""

import re

from host.i18n.messages import boxes, datasets

MESSAGES = datasets.MESSAGES | boxes.MESSAGES


def test_codes_and_messages_match(root):
    folder = root / "host" / "datasets"
    source = "\n".join(path.read_text("utf-8") for path in sorted(folder.rglob("*.py")))
    given = set(
        re.findall(
            r'(?:UserError|Finding|Unreadable|_problem|_many|_pairs|note)\(\s*"([a-z_0-9]+)"',
            source,
        )
    )
    assert given - set(MESSAGES) == set()
    assert [code for code in MESSAGES if f'"{code}"' not in source] == []
