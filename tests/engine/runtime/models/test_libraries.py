"""Libraries load beside the weights, once, and are no one's trouble."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest
import torch

from magi_engine.config.official import ModelConfig
from magi_engine.runtime.engine import Engine
from magi_engine.runtime.machine.kernels import DeviceKernels
from magi_engine.runtime.models import libraries
from magi_engine.runtime.models.libraries import Libraries
from magi_engine.runtime.models.loaded import LoadedModel
from magi_engine.weights.layout import find_model
from tests.engine.runtime.outcomes import MakeRequest, finished, run


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[ModelConfig]:
    """The small models that were made, as if the processor had libraries to load."""
    monkeypatch.setattr(DeviceKernels, "compiles", True)
    really, made = libraries.random_dit, list[ModelConfig]()

    def noted(config: ModelConfig, device: torch.device, fp8: bool) -> object:
        assert threading.current_thread().name == "libraries"
        made.append(config)
        return really(config, device, fp8)

    monkeypatch.setattr(libraries, "random_dit", noted)
    return made


def test_a_small_video_is_made_beside_the_weights_and_once(
    begun: list[ModelConfig], make_request: MakeRequest, caplog: pytest.LogCaptureFixture
) -> None:
    engine = Engine()
    with caplog.at_level(logging.INFO, logger=libraries.__name__):
        finished(run(engine, make_request(output=None)))
        finished(run(engine, make_request(output=None, width=64)))
    engine.unload()
    assert len(begun) == 1
    assert not caplog.records, "it did not get to its end"


@pytest.mark.parametrize("part", ["dit", "vae"])
def test_nothing_computes_beside_them(
    begun: list[ModelConfig], monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """Loading goes on beside them; whoever takes a part to compute with waits."""
    waited_for = threading.Event()
    really_made, really_wait = libraries.random_vae, Libraries.wait

    def random_vae(*args: Any) -> object:
        waited_for.wait()
        return really_made(*args)

    def wait(self: Libraries) -> None:
        waited_for.set()
        really_wait(self)

    monkeypatch.setattr(libraries, "random_vae", random_vae)
    monkeypatch.setattr(Libraries, "wait", wait)
    model = LoadedModel(find_model("pocket"), torch.device("cpu"), torch.float32)
    model.load_dit()
    model.load_vae()
    waited = waited_for.is_set()
    getattr(model, part)
    taken = waited_for.is_set()
    model.unload()
    assert (waited, taken) == (False, True)


def test_what_fails_there_fails_no_job(
    begun: list[ModelConfig],
    make_request: MakeRequest,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fails(*_: object) -> None:
        raise torch.OutOfMemoryError("too little")

    monkeypatch.setattr(libraries, "random_vae", fails)
    engine = Engine()
    with caplog.at_level(logging.INFO, logger=libraries.__name__):
        finished(run(engine, make_request(output=None)))
        engine.unload()
    assert "too little" in caplog.text


def test_a_processor_loads_nothing(make_request: MakeRequest) -> None:
    engine = Engine()
    finished(run(engine, make_request(output=None)))
    model = engine._models._model
    assert model is not None
    assert isinstance(model.libraries, Libraries)
    assert model.libraries._thread is None
