"""What the documents promise exists: commands, options, targets, settings, links, pictures."""

import re
import shlex
from dataclasses import fields
from pathlib import Path

import click
import pytest

from host.cli import main
from host.config import CONFIG, PREFIX, TOKEN, TOKEN_FILE, Settings

ROOT = Path(__file__).resolve().parents[2]
READMES = (ROOT / "README.md", ROOT / "README.zh-CN.md")
DOCUMENTS = (
    *READMES,
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "samples" / "README.md",
    ROOT / "benchmarks" / "README.md",
)
each_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix()
)

FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
OTHER_VARIABLES = {CONFIG, TOKEN, TOKEN_FILE}
"""Variables that are no settings: the settings file, and the token of a client."""


def code_lines(document: Path) -> list[str]:
    """Every line of every code block and every code span, without comments."""
    text = document.read_text(encoding="utf-8")
    blocks = [line for _, block in FENCE.findall(text) for line in block.splitlines()]
    spans = SPAN.findall(FENCE.sub("", text))
    return [re.sub(r"\s#.*", "", line).strip() for line in blocks + spans]


def commands(document: Path, program: str) -> list[list[str]]:
    """The words after `program` on every line that runs it."""
    found = []
    for line in code_lines(document):
        match = re.search(rf"(?:^|\s|/){program}\s+(\S.*)", line)
        if match:
            found.append(shlex.split(match[1]))
    return found


def unknown_word(group: click.Command, words: list[str]) -> str:
    """The first word that is no command or option below `group`, "" when all are."""
    command = group
    for word in words:
        if word.startswith("-"):
            options = {name for param in command.params for name in (*param.opts, "--help")}
            if word.split("=")[0] not in options:
                return word
        elif isinstance(command, click.Group):
            if word not in command.commands:
                return word
            command = command.commands[word]
    return ""


@each_document
def test_every_command_line_is_one_that_the_program_takes(document):
    for words in commands(document, "maixforge"):
        assert unknown_word(main, words) == "", " ".join(words)


def test_the_check_of_commands_can_fail():
    assert unknown_word(main, ["no-such-command"]) == "no-such-command"
    assert unknown_word(main, ["train", "data.zip", "--no-such-option"]) == "--no-such-option"
    assert unknown_word(main, ["train", "data.zip", "--seed", "1"]) == ""
    assert commands(READMES[0], "maixforge"), "the README shows no command line"


def test_every_command_is_documented():
    shown = {words[0] for document in DOCUMENTS for words in commands(document, "maixforge")}
    assert set(main.commands) <= shown


@each_document
def test_every_make_target_exists(document):
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for words in commands(document, "make"):
        assert words[0] in targets, " ".join(words)


@each_document
def test_every_variable_is_a_setting(document):
    known = {f"{PREFIX}{one.name.upper()}" for one in fields(Settings)} | OTHER_VARIABLES
    named = set(re.findall(rf"{PREFIX}[A-Z_]+[A-Z]", document.read_text(encoding="utf-8")))
    assert named <= known


@each_document
def test_every_link_leads_somewhere(document):
    for target in LINK.findall(FENCE.sub("", document.read_text(encoding="utf-8"))):
        if target.startswith(("http://", "https://", "#")):
            continue
        place = document.parent / target.split("#")[0]
        assert place.exists(), f"{document.name} -> {target}"


def test_every_page_is_in_the_index():
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert pages <= set(LINK.findall(index))


def shape(document: Path) -> dict[str, object]:
    """What must be the same in every language of a document."""
    text = document.read_text(encoding="utf-8")
    blocks = [re.sub(r"\s+#.*", "", block) for _, block in FENCE.findall(text)]
    prose = FENCE.sub("", text)
    return {
        "code": blocks,
        "headings": re.findall(r"^(#+) ", prose, re.MULTILINE),
        "table rows": len(re.findall(r"^\|", prose, re.MULTILINE)),
        "list items": len(re.findall(r"^(?:-|\d\.) ", prose, re.MULTILINE)),
        "links": sorted(
            t.replace("-zh.png", "-en.png")
            for t in LINK.findall(prose)
            if not t.startswith("README")
        ),
    }


def test_both_readmes_say_the_same():
    english, chinese = (shape(readme) for readme in READMES)
    assert english == chinese
