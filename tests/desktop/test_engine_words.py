"""What the engine really says comes out in the language of the window."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QTranslator
from pytestqt.qtbot import QtBot

from magi_desktop.engine_words import translated, translated_error
from magi_desktop.state.draft import Draft
from magi_engine import errors
from magi_engine.config import added
from magi_engine.config.registry import Registry
from magi_engine.errors import MagiError
from magi_engine.install import tasks
from magi_engine.media import open_writer, probe
from magi_engine.resources import resource_path
from magi_engine.runtime.failures import named_error
from magi_engine.runtime.length import frames_for
from magi_engine.runtime.request import Mode
from magi_engine.runtime.validation import validate, warnings_for
from magi_engine.weights import manifest


@pytest.fixture
def chinese(qtbot: QtBot) -> Iterator[None]:
    """Chinese sentences for as long as the test runs."""
    translator = QTranslator()
    assert translator.load("magi_zh_CN", str(resource_path("translations")))
    QCoreApplication.installTranslator(translator)
    yield
    QCoreApplication.removeTranslator(translator)


def _empty(folder: Path) -> None:
    (folder / "empty.png").touch()
    probe(folder / "empty.png")


def _rubbish(folder: Path) -> None:
    (folder / "x.mp4").write_bytes(b"no video" * 99)
    probe(folder / "x.mp4")


def _no_image(_folder: Path) -> None:
    draft = Draft()
    draft.set_mode(Mode.I2V)
    draft.request()


def _full_disk(_folder: Path) -> None:
    raise named_error(OSError(28, "No space left on device"))


RAISERS: list[Callable[[Path], object]] = [
    lambda folder: probe(folder / "gone.png"),
    lambda folder: probe(folder),
    _empty,
    _rubbish,
    _no_image,
    _full_disk,
    lambda folder: open_writer(folder / "gone" / "x.mp4", 64, 64, 24),
    lambda _folder: frames_for(-1, 24),
    lambda _folder: Registry.load().find("nobody"),
    lambda _folder: (_ for _ in ()).throw(named_error(KeyError("x"))),
]


@pytest.mark.parametrize("raiser", RAISERS)
def test_an_error_of_the_engine_is_said_in_chinese(
    raiser: Callable[[Path], object], tmp_path: Path, chinese: None
) -> None:
    with pytest.raises(MagiError) as raised:
        next(iter([raiser(tmp_path)]))
    said = translated_error(raised.value)
    assert type(said) is type(raised.value)
    for text in (said.message, said.hint):
        assert re.search("[\u4e00-\u9fff]", text), text
    assert str(translated_error(said)) == str(said), "translating twice changes nothing"


def test_warnings_are_said_in_chinese_with_their_numbers(chinese: None) -> None:
    draft = Draft()
    draft.set(model="4.5B-base", num_steps=16)
    (warning,) = warnings_for(validate(draft.request(), draft.config), draft.config)
    said = translated(warning)
    assert said != warning
    assert "16" in said


def test_an_unknown_sentence_stays_as_it_is(chinese: None) -> None:
    assert translated("Nobody has ever said this.") == "Nobody has ever said this."
    assert translated("") == ""


def test_what_every_model_is_for_and_wants_is_said_in_chinese(chinese: None) -> None:
    for entry in Registry.load().entries:
        assert translated(entry.purpose) != entry.purpose, entry.name
        assert translated(entry.hardware) != entry.hardware, entry.name


def _sentences(path: Path) -> Iterator[str]:
    """What the errors and the last events of a module say, with a word for what is filled in."""
    module = ast.parse(path.read_text(encoding="utf-8"))
    assigned = [node for node in module.body if isinstance(node, ast.Assign)]
    constants = {ast.unparse(node.targets[0]): node.value for node in assigned}
    for node in ast.walk(module):
        if isinstance(node, ast.Return) and node.value is not None:
            text = _text(node.value) or ""
            yield from [text] if text.endswith(".") else []
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        if node.func.id == "TaskDone" or node.func.id in _ERRORS:
            said = (constants.get(ast.unparse(argument), argument) for argument in node.args)
            yield from filter(None, map(_text, said))


def _text(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        filled = (part.value if isinstance(part, ast.Constant) else "X" for part in node.values)
        return "".join(map(str, filled))
    return None


_ERRORS = {name for name in vars(errors) if name.endswith("Error")}
_OF_MODELS = [
    *sorted(Path(inspect.getfile(tasks)).parent.glob("*.py")),
    Path(inspect.getfile(added)),
    Path(inspect.getfile(errors)),
    *sorted(Path(inspect.getfile(manifest)).parent.glob("*.py")),
]


@pytest.mark.parametrize("path", _OF_MODELS, ids=lambda path: path.stem)
def test_all_that_is_said_of_models_is_said_in_chinese(path: Path, chinese: None) -> None:
    for sentence in _sentences(path):
        assert re.search("[\u4e00-\u9fff]", translated(sentence)), sentence
