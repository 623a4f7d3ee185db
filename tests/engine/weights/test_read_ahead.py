from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from magi_engine.weights import read_ahead as module
from magi_engine.weights.read_ahead import read_ahead

pytestmark = pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="asks Linux")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    (tmp_path / "model.safetensors").write_bytes(bytes(1000))
    return tmp_path


def test_every_byte_is_asked_for(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int, int]] = []
    monkeypatch.setattr(module, "_PIECE_BYTES", 300)
    monkeypatch.setattr(os, "posix_fadvise", lambda _file, *what: asked.append(what))
    thread = read_ahead([checkpoint])
    assert thread is not None
    thread.join()
    assert asked == [(at, 300, os.POSIX_FADV_WILLNEED) for at in (0, 300, 600, 900)]


def test_the_system_takes_the_request(checkpoint: Path) -> None:
    thread = read_ahead([checkpoint])
    assert thread is not None
    thread.join()


def test_what_is_missing_is_left_for_loading_to_say(tmp_path: Path) -> None:
    assert read_ahead([tmp_path / "nowhere"]) is None


def test_memory_that_is_short_is_left_alone(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = SimpleNamespace(available=1500)
    monkeypatch.setattr(module.psutil, "virtual_memory", lambda: memory)
    assert read_ahead([checkpoint]) is None
