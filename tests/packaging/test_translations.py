"""Every sentence of the window is there in every language, and compiled."""

from __future__ import annotations

import re
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import translations


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
    for (_, source), text in sentences(translations.FOLDER / f"magi_{language}.ts").items():
        fields = sorted(re.findall(r"\{[^{}]*\}|%\w", source))
        assert sorted(re.findall(r"\{[^{}]*\}|%\w", text)) == fields, source


def sentences(ts: Path) -> dict[tuple[str, str], str]:
    """Translation of each (context, source); empty while unfinished."""
    found: dict[tuple[str, str], str] = {}
    for context in ElementTree.parse(ts).getroot().iter("context"):
        name = context.findtext("name") or ""
        for message in context.iter("message"):
            translation = message.find("translation")
            done = translation is not None and translation.get("type") is None
            text = (translation.text or "") if done and translation is not None else ""
            found[name, message.findtext("source") or ""] = text
    return found
