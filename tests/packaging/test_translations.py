"""Every sentence of the window is there in every language, and compiled."""

from __future__ import annotations

import re
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import translations
from PySide6.QtCore import QTranslator
from PySide6.QtWidgets import QApplication


@pytest.mark.parametrize("language", translations.LANGUAGES)
def test_the_translation_is_complete_and_compiled(language: str, tmp_path: Path) -> None:
    shipped = translations.FOLDER / f"magi_{language}.ts"
    fresh = tmp_path / shipped.name
    shutil.copy(shipped, fresh)
    translations.update(fresh)
    assert sentences(fresh) == sentences(shipped), "run packaging/translations.py"
    missing = [source for (_, source), text in sentences(shipped).items() if not text]
    assert missing == []
    translations.compile_to(shipped, tmp_path / "compiled.qm")
    qm = shipped.with_suffix(".qm")
    assert qm.read_bytes() == (tmp_path / "compiled.qm").read_bytes()


@pytest.mark.parametrize("language", translations.LANGUAGES)
def test_a_translation_fills_in_the_same_values(language: str) -> None:
    root = ElementTree.parse(translations.FOLDER / f"magi_{language}.ts").getroot()
    for message in root.iter("message"):
        source, translation = message.findtext("source") or "", message.find("translation")
        assert translation is not None
        for form in translation.findall("numerusform") or [translation]:
            assert fields(form.text or "") == fields(source), source


def test_chinese_sentences_have_their_own_punctuation_marks() -> None:
    root = ElementTree.parse(translations.FOLDER / "magi_zh_CN.ts").getroot()
    said = ["".join(translation.itertext()) for translation in root.iter("translation")]
    # A colon may belong to the word before it, such as sha256:.
    mark = re.compile(r"[\u4e00-\u9fff”][,;:!?]|[,;!?] ?[\u4e00-\u9fff“]")
    assert [text for text in said if mark.search(text)] == []


def test_english_plurals_read_naturally(qapp: QApplication) -> None:
    translator = QTranslator(qapp)
    assert translator.load(str(translations.FOLDER / "magi_en.qm"))
    qapp.installTranslator(translator)
    try:
        said = [qapp.translate("LibraryPanel", "%n video(s)", None, n) for n in (1, 3)]
    finally:
        qapp.removeTranslator(translator)
    assert said == ["1 video", "3 videos"]


def fields(text: str) -> list[str]:
    """What is filled in: {names}, without the words that English counts with, and %n. A percent
    sign after a field is no field."""
    return sorted(re.findall(r"\{[^{}]*\}|%n", re.sub(r":[^{}|]*\|[^{}]*", "", text)))


def sentences(ts: Path) -> dict[tuple[str, str], str]:
    """Translation of each (context, source); empty while unfinished."""
    found: dict[tuple[str, str], str] = {}
    for context in ElementTree.parse(ts).getroot().iter("context"):
        name = context.findtext("name") or ""
        for message in context.iter("message"):
            translation = message.find("translation")
            done = translation is not None and translation.get("type") is None
            text = (
                "".join(translation.itertext()).strip() if done and translation is not None else ""
            )
            found[name, message.findtext("source") or ""] = text
    return found
