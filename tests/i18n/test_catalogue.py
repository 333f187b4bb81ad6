"""Every text that people see is in Chinese, too, with the same values in it."""

import gettext
import logging
import re
from string import Formatter
from typing import get_args

import pytest

from host.errors import Finding, UserError, describe
from host.i18n import LANGUAGES, LOCALE_DIR, catalogue, refresh, translator
from host.jobs.store import State
from host.terminal import Terminal

PARTS = ("what", "found", "needed", "fix")
CHINESE = re.compile("[\u4e00-\u9fff]")
PERCENT = re.compile(r"%\(\w+\)s")
BRACES = re.compile(r"\{\w+\}")
LATIN = re.compile("[A-Za-z]")
CODE = {"CMYK", "{found} MB", "train/cat/1.jpg, valid/cat/2.jpg"}
"""Texts without a word that could be in Chinese."""


@pytest.fixture(scope="module")
def template():
    """What the code marks."""
    return {message.id: message for message in refresh.extract() if message.id}


@pytest.fixture(scope="module")
def chinese():
    return {message.id: message for message in refresh.read("zh") if message.id}


def forms(text):
    return (text,) if isinstance(text, str) else text


def templates():
    """Every template of the message catalogue once."""
    return sorted(
        {getattr(one, part) for one in catalogue().values() for part in PARTS} - {""},
    )


def fields(text):
    return sorted(name for _, name, _, _ in Formatter().parse(text) if name is not None)


# --- the files ---------------------------------------------------------------------------------


def test_nothing_lacks_a_translation_and_nothing_is_left_over(template, chinese):
    assert len(template) > 500
    assert set(chinese) - set(template) == set(), "run `make translations`"
    assert set(template) - set(chinese) == set(), "run `make translations` and translate"
    assert [one.id for one in refresh.unfinished(refresh.read("zh"))] == []


def test_the_files_are_what_the_refresh_writes(template):
    found = refresh.read("zh")
    path = refresh.po_path("zh")
    assert path.read_bytes() == refresh.as_po(found)
    assert path.with_suffix(".mo").read_bytes() == refresh.as_mo(found)


def test_the_header_is_fixed():
    head = refresh.po_path("zh").read_text("utf-8").partition("\n\n")[0]
    assert "charset=utf-8" in head
    assert "nplurals=1" in head
    for word in ("Date", "Translator", "Team", "Generated", "Version: 2", "@"):
        assert word not in head


def test_values_are_the_same_in_both_languages(chinese):
    for message in chinese.values():
        english = forms(message.id)[-1]
        for text in forms(message.string):
            for pattern in (PERCENT, BRACES):
                assert sorted(pattern.findall(text)) == sorted(pattern.findall(english)), english


def test_translations_are_chinese(chinese):
    for message in chinese.values():
        english, text = forms(message.id)[0], forms(message.string)[0]
        words = LATIN.search(BRACES.sub("", english)) and english not in CODE
        assert not words or CHINESE.search(text), english


def test_chinese_sentences_end_and_pause_in_chinese(chinese):
    for message in chinese.values():
        english, text = forms(message.id)[0], forms(message.string)[0]
        assert english.endswith(".") <= text.endswith(("。", "……", "名称）")), text
        # Latin punctuation stands next to Latin text only, e.g. in a command.
        assert not re.search(r"[\u4e00-\u9fff][,;?!:.(]|[,;?!)][\u4e00-\u9fff]", bare(text)), text
        assert text == text.strip()


def bare(text):
    return text.replace("压缩(zipped)文件夹", "").replace("、: *", "")


def test_an_untranslated_text_fails_the_refresh(tmp_path, monkeypatch, capsys):
    path = tmp_path / "zh" / "LC_MESSAGES" / "messages.po"
    path.parent.mkdir(parents=True)
    text = refresh.po_path("zh").read_text("utf-8")
    cut = text.replace('msgid "Delete"\nmsgstr "删除"\n', 'msgid "Delette"\nmsgstr "删除"\n')
    assert cut != text
    path.write_text(cut, "utf-8")
    monkeypatch.setattr(refresh, "po_path", lambda _: path)
    assert refresh.main() == 1
    assert "'Delete' is fuzzy" in capsys.readouterr().out
    assert '#, fuzzy\nmsgid "Delete"' in path.read_text("utf-8")
    assert "Delette" not in path.read_text("utf-8")

    path.write_text(text, "utf-8")
    assert refresh.main() == 0
    assert path.read_text("utf-8") == text


# --- messages ----------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_renders(language):
    tr = translator(language)
    for text in templates():
        values = {name: f"<{name}>" for name in fields(text)}
        shown = tr(text).format(**values)
        for value in values.values():
            assert value in shown
        assert "{" not in shown


def test_every_message_with_words_is_marked(template):
    """What is not marked in the code is never translated."""
    unmarked = {text for text in templates() if text not in template}
    words = {text for text in unmarked if LATIN.search(BRACES.sub("", text))}
    assert words == set()


def test_a_finding_is_in_chinese():
    finding = Finding("class_too_small", "cat", params={"found": 12, "needed": 40})
    assert finding.as_dict("zh") == {
        "code": "class_too_small",
        "severity": "error",
        "path": "cat",
        "what": "这个类别的可用图片太少。",
        "found": "12",
        "needed": "至少 40",
        "fix": "多拍一些照片：换角度、距离、光线和背景。",
    }
    lines = describe(finding, "zh").splitlines()
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["发现", "要求", "怎么办"]


def test_words_of_ours_inside_a_message_are_translated():
    error = UserError("job_state_wrong", "7", state="running", needed="checked")
    assert error.findings[0].text("found", "zh") == "任务当前状态：训练中"
    assert error.findings[0].text("needed", "zh") == "可以训练"
    assert error.findings[0].text("found") == "the job is: running"
    kind = Finding("pictures_converted", params={"kind": "palette", "count": 1, "names": "a.png"})
    assert "（调色板）" in kind.text("what", "zh")


@pytest.mark.parametrize("state", get_args(State))
def test_every_state_has_a_name(state):
    assert CHINESE.search(translator("zh")(state))


# --- the translator ----------------------------------------------------------------------------


def test_the_translator_translates():
    assert translator("zh")("Delete") == "删除"
    assert translator("en")("Delete") == "Delete"
    assert translator("xx")("Delete") == "Delete"


def test_an_empty_text_is_not_the_catalogues_header(capsys):
    assert translator("zh")("") == ""
    Terminal(as_json=False, language="zh").table(["", ""], [("a", "b")])
    assert "charset" not in capsys.readouterr().err


@pytest.mark.parametrize("damage", [None, b"no catalogue"])
def test_without_its_catalogue_a_language_is_english_and_the_log_says_so(
    tmp_path, monkeypatch, caplog, damage
):
    if damage is not None:
        path = tmp_path / "zh" / "LC_MESSAGES" / "messages.mo"
        path.parent.mkdir(parents=True)
        path.write_bytes(damage)
    monkeypatch.setattr("host.i18n.LOCALE_DIR", tmp_path)
    translator.cache_clear()
    try:
        with caplog.at_level(logging.WARNING):
            assert translator("zh")("Delete") == "Delete"
            assert translator("zh")("Cancel") == "Cancel"
    finally:
        translator.cache_clear()
    assert len(caplog.records) == 1
    assert "zh" in caplog.text


def test_the_compiled_catalogue_is_plain_gettext():
    plain = gettext.translation("messages", LOCALE_DIR, languages=["zh"])
    assert plain.ngettext("%(num)s class", "%(num)s classes", 1) % {"num": 1} == "1 个类别"
    assert plain.ngettext("%(num)s class", "%(num)s classes", 5) % {"num": 5} == "5 个类别"
