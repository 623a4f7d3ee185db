"""What errors and other messages say comes out in the language of the window."""

from __future__ import annotations

import ast
import errno
import json
import re
import string
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
import translations

from magi_desktop.panels.official_files import read_config
from magi_desktop.state.draft import Draft
from magi_desktop.translation import translated
from magi_engine.config.official import MagiConfig
from magi_engine.config.registry import Registry
from magi_engine.disk import write_error
from magi_engine.errors import MagiError
from magi_engine.media.info import probe
from magi_engine.media.output import open_writer
from magi_engine.resources import resource_path
from magi_engine.runtime.job.events import Stage
from magi_engine.runtime.planning.plan import plan
from magi_engine.runtime.process.errors import named_error
from magi_engine.runtime.request.length import frames_for
from magi_engine.runtime.request.request import GenerationRequest, Mode
from magi_engine.runtime.request.validation import validate
from tests.desktop.machines import FACTS
from tests.engine.runtime.request.test_validation import REFUSED

MAKERS = ("messages.py", "errors.py", "registry.py", "queue.py")
"""Where messages are made of texts that come from elsewhere: from a call or a file."""


def _calls() -> Iterator[tuple[str, ast.Call]]:
    for path in translations.modules():
        if path.name not in MAKERS:
            module = ast.parse(path.read_text(encoding="utf-8"))
            for call in translations.message_calls(module):
                yield f"{path.name}:{call.lineno}", call


def test_every_sentence_is_a_text_that_the_catalogues_hold() -> None:
    """None is put together where it is raised: that could not be translated."""
    for place, call in _calls():
        for text in translations.texts_of(call):
            if translations.literal(text) is None:
                assert isinstance(text, ast.Name | ast.Attribute | ast.Call), place
                assert not ast.unparse(text).endswith((".format", ".join")), place


def test_every_sentence_gets_the_values_it_wants_and_no_others() -> None:
    for place, call in _calls():
        texts = [translations.literal(text) or "" for text in translations.texts_of(call)]
        wanted = {name for text in texts for _, name, _, _ in string.Formatter().parse(text)}
        given = {keyword.arg for keyword in call.keywords}
        assert given <= wanted, place
        assert wanted - given - {None} <= _filled_later(place.split(":")[0]), place


@cache
def _filled_later(name: str) -> set[str | None]:
    """The values that modules give to the sentences of their tables: by name, or by a pattern."""
    values: set[str | None] = set()
    for path in translations.modules():
        if path.name == name:
            text = path.read_text(encoding="utf-8")
            for call in ast.walk(ast.parse(text)):
                if isinstance(call, ast.Call) and ast.unparse(call.func).endswith(".filled"):
                    values |= {keyword.arg for keyword in call.keywords}
            if None in values:
                values |= set(re.findall(r"\(\?P<(\w+)>", text))
    return values


def is_chinese(text: str) -> bool:
    """Whether a sentence is; names and numbers stand in it as they are."""
    return bool(re.search("[\u4e00-\u9fff]", text)) and not re.search("[a-z]{2,} [a-z]{2,}", text)


def test_the_window_shows_no_error_in_english() -> None:
    for path in translations.modules():
        if path.is_relative_to(translations.ROOT / "magi_desktop") and path.name != "logs.py":
            shown = re.findall(r"\bstr\([\w.]*error\)", path.read_text("utf-8"))
            assert not shown, path


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


def _raise(error: Exception) -> None:
    raise error


def _config(folder: Path, text: str) -> None:
    (folder / "my.json").write_text(text, encoding="utf-8")
    read_config(folder / "my.json")


RAISERS: list[Callable[[Path], object]] = [
    lambda folder: probe(folder / "gone.png"),
    lambda folder: probe(folder),
    _empty,
    _rubbish,
    _no_image,
    lambda _: _raise(named_error(OSError(errno.ENOSPC, "No space left on device"))),
    lambda folder: _raise(write_error(OSError(errno.ENOSPC, "No space left"), folder / "x")),
    lambda _: _raise(named_error(MemoryError())),
    lambda _: _raise(named_error(KeyError("x"))),
    lambda folder: open_writer(folder / "gone" / "x.mp4", 64, 64, 24),
    lambda _: frames_for(-1, 24),
    lambda _: Registry.load().find("nobody"),
    lambda folder: read_config(folder / "gone.json"),
    lambda folder: read_config(folder),
    lambda folder: _config(folder, "{,"),
    lambda folder: _config(folder, "[]"),
    lambda folder: _config(folder, "{}"),
    lambda folder: _config(folder, '{"model_config": 5}'),
    lambda folder: _config(folder, '{"model_config": {}, "engine_confg": {}}'),
]


@pytest.mark.parametrize("raiser", RAISERS)
def test_an_error_is_said_in_chinese(
    raiser: Callable[[Path], object], tmp_path: Path, chinese: None
) -> None:
    with pytest.raises(MagiError) as raised:
        raiser(tmp_path)
    for part in (raised.value.message, raised.value.hint):
        assert is_chinese(translated(part)) or not part, part


@pytest.mark.parametrize("refused", [request for request, _, _ in REFUSED])
def test_what_validation_refuses_is_said_in_chinese(
    refused: GenerationRequest, chinese: None
) -> None:
    config = MagiConfig.from_json(resource_path("configs", "4.5B_distill_config.json"))
    with pytest.raises(MagiError) as raised:
        validate(refused, config)
    assert is_chinese(translated(raised.value)), raised.value


def test_whatever_is_wrong_in_a_configuration_is_said_in_chinese(chinese: None) -> None:
    whole = json.loads(resource_path("configs", "4.5B_base_config.json").read_text())
    said = set()
    for section, fields in whole.items():
        for name in [*fields, "unknown"]:
            for value in (None, "x", -1, 7, True, [], [0], {}):
                changed = {**whole, section: {**fields, name: value}}
                said |= _refusal(changed)
    assert all(is_chinese(translated(error)) for error in said), said
    problems = [error.message.values["problem"] for error in said]  # after the file's name
    kinds = {problem.values.get("problem", problem).text for problem in problems}
    assert len(kinds) >= 10, "each kind of mistake was made"


def _refusal(config: dict[str, object]) -> set[MagiError]:
    try:
        MagiConfig.from_dict(config, source="my.json")
    except MagiError as error:
        return {error}
    return set()


def test_warnings_are_said_in_chinese_with_their_numbers(chinese: None) -> None:
    draft = Draft()
    draft.set(model="4.5B-base", num_steps=16)
    (warning,) = plan(draft.request(), FACTS).notices
    assert is_chinese(translated(warning))
    assert "16" in translated(warning)


def test_stages_and_what_a_model_is_for_are_said_in_chinese(chinese: None) -> None:
    for stage in Stage:
        assert is_chinese(translated(stage.sentence)), stage
    for entry in Registry.load().entries:
        assert is_chinese(translated(entry.purpose)), entry.name
        assert is_chinese(translated(entry.hardware)), entry.name


@pytest.mark.skipif(sys.platform == "win32", reason="Windows replaces no file in use")
def test_a_window_that_runs_keeps_its_catalogue_when_it_is_compiled_again(tmp_path: Path) -> None:
    qm = tmp_path / "magi.qm"
    translations.compile_to(resource_path("translations", "magi_zh_CN.ts"), qm)
    whole = qm.read_bytes()
    with qm.open("rb") as in_use:
        translations.compile_to(resource_path("translations", "magi_en.ts"), qm)
        assert in_use.read() == whole
    assert 0 < len(qm.read_bytes()) < len(whole)
