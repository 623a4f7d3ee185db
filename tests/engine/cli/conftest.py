"""``magi generate`` with the tiny model, and something to start from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from magi_engine.cli.main import main
from magi_engine.media.output import open_writer
from tests.engine.cli.outcomes import Generate


@pytest.fixture
def generate(tiny_model_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generate:
    """``magi generate`` with the tiny model, in an empty folder; returns the exit code."""
    monkeypatch.chdir(tmp_path)

    def run(*options: str, config: Path = tiny_model_config) -> int:
        return main(["generate", "--config", str(config), "--device", "cpu", *options])

    return run


@pytest.fixture
def image(tmp_path: Path) -> Path:
    Image.new("RGB", (60, 40), "red").save(tmp_path / "image.png")
    return tmp_path / "image.png"


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    with open_writer(tmp_path / "clip.mp4", 48, 32, 24) as writer:
        writer.write(np.full((48, 32, 48, 3), 90, np.uint8))
    return tmp_path / "clip.mp4"
