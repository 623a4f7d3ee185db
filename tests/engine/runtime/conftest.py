"""A tiny model's engine, requests for it, and something to start from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from magi_engine.media.output import open_writer
from magi_engine.runtime.engine import Engine
from magi_engine.runtime.models import libraries
from magi_engine.runtime.request.request import GenerationRequest, Mode, PromptChange
from magi_engine.takes.store import TakeStore

WIDTH, HEIGHT = 48, 32

MakeRequest = Callable[..., GenerationRequest]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> TakeStore:
    """Where the engine keeps latents."""
    return TakeStore(tmp_path_factory.mktemp("data") / "takes")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, store: TakeStore) -> Engine:
    """One engine for most tests: its models stay loaded, which saves their time."""
    return Engine(cache_dir=tmp_path_factory.mktemp("cache"), takes_dir=store.folder)


@pytest.fixture
def make_request(tiny_model_config: Path, tmp_path: Path) -> MakeRequest:
    def make(**changes: Any) -> GenerationRequest:
        request = GenerationRequest(
            mode=Mode.T2V,
            model="tiny_config",
            width=WIDTH,
            height=HEIGHT,
            num_frames=48,
            prompts=(PromptChange(0, "a red circle moves left"),),
            seed=1,
            config_path=str(tiny_model_config),
            output=str(tmp_path / "out.mp4"),
            device="cpu",
        )
        return dataclasses.replace(request, **changes)

    return make


@pytest.fixture
def image(tmp_path: Path) -> Path:
    random = np.random.RandomState(0)
    path = tmp_path / "image.png"
    Image.fromarray(random.randint(0, 255, (40, 60, 3), dtype=np.uint8)).save(path)
    return path


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Two seconds, brighter from frame to frame."""
    frames = np.empty((48, HEIGHT, WIDTH, 3), np.uint8)
    frames[:] = np.linspace(0, 255, 48).astype(np.uint8)[:, None, None, None]
    with open_writer(tmp_path / "clip.mp4", WIDTH, HEIGHT, 24) as writer:
        writer.write(frames)
    return tmp_path / "clip.mp4"


@pytest.fixture(autouse=True)
def _small_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor that plays a card makes the smallest of videos to load its libraries."""
    monkeypatch.setattr(libraries, "_SIDE", 2)
