"""Preparing for a size: seen as a stage, once, and without a trace in the video."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from magi_engine.config.vae import VaeConfig
from magi_engine.model.dit import VideoDiT
from magi_engine.model.random_weights import random_vae
from magi_engine.runtime.engine import Engine
from magi_engine.runtime.job.events import Event, Progress, Stage, StageStarted
from magi_engine.runtime.job.warm_up import first_blocks, first_layers
from magi_engine.runtime.machine.kernels import DeviceKernels
from magi_engine.sampling.sampler import Sampler
from tests.engine.conftest import MakeDit
from tests.engine.runtime.outcomes import MakeRequest, finished, frames_of, run, stages_of

FLOAT = torch.float32


@pytest.fixture
def compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if kernels were compiled here."""
    monkeypatch.setattr(DeviceKernels, "compiles", True)


def test_the_video_is_the_same(
    engine: Engine, make_request: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = make_request(output=None)
    cold = run(engine, request)
    assert Stage.PREPARING_SIZE not in stages_of(cold), "a processor has nothing to prepare"
    monkeypatch.setattr(DeviceKernels, "compiles", True)
    warmed = run(engine, request)
    assert stages_of(warmed)[-2:] == [Stage.PREPARING_SIZE, Stage.SAMPLING]
    np.testing.assert_array_equal(frames_of(warmed), frames_of(cold))
    first_step = next(i for i, e in enumerate(warmed) if isinstance(e, Progress))
    assert warmed.index(StageStarted(Stage.PREPARING_SIZE)) < first_step


def test_a_size_is_prepared_once(make_request: MakeRequest, compiles: None) -> None:
    engine = Engine()
    for changes, expected in (
        ({}, True),
        ({"seed": 9}, False),
        ({"width": 64}, True),
        ({"attention": "exact"}, True),
        ({}, False),
    ):
        events = run(engine, make_request(output=None, **changes))
        finished(events)
        assert (Stage.PREPARING_SIZE in stages_of(events)) is expected, changes
    engine.unload()
    assert Stage.PREPARING_SIZE in stages_of(run(engine, make_request(output=None)))


@pytest.mark.parametrize("window", [1, 2, 4])
def test_every_width_of_a_forward_is_seen(
    make_request: MakeRequest, compiles: None, window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from magi_engine.runtime.request.request import SamplingOverrides

    widths: dict[int, set[tuple[int, int]]] = {}
    really = Sampler.sample

    def noted(self: Sampler, **arguments: object) -> object:
        layers = self.model.config.num_layers
        own_tokens = VideoDiT.own_tokens

        def counted(model: VideoDiT, latents: Tensor, chunks: int) -> Tensor:
            widths.setdefault(layers, set()).add((len(latents), latents.shape[2]))
            return own_tokens(model, latents, chunks)

        monkeypatch.setattr(VideoDiT, "own_tokens", counted)
        return really(self, **arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Sampler, "sample", noted)
    monkeypatch.setattr("magi_engine.runtime.job.warm_up._LAYERS", 1)
    sampling = SamplingOverrides(num_steps=8, window_size=window)  # it is prepared with fewer
    events = run(Engine(), make_request(output=None, num_frames=144, sampling=sampling))
    finished(events)
    assert max(widths[1]) == max(widths[2]), "the widest forward is among them"


def test_the_first_layers_share_everything(make_dit: MakeDit) -> None:
    dit = make_dit(num_layers=4)
    short = first_layers(dit, 2)
    assert len(short.layers) == short.config.num_layers == 2
    assert len(dit.layers) == dit.config.num_layers == 4
    assert short.layers[1].mlp is dit.layers[1].mlp
    assert short.x_embedder is dit.x_embedder
    assert {id(p) for p in short.parameters()} < {id(p) for p in dit.parameters()}


def test_the_first_blocks_share_everything_and_decode() -> None:
    vae = random_vae(VaeConfig(embed_dim=256, depth=3, num_heads=4), torch.device("cpu"), FLOAT)
    short = first_blocks(vae, 1)
    assert (len(short.decoder.blocks), len(vae.decoder.blocks)) == (1, 3)
    assert {id(p) for p in short.parameters()} < {id(p) for p in vae.parameters()}
    latents = torch.randn(1, 16, 3, 4, 4)
    with torch.inference_mode():
        assert short.decode(latents).shape == vae.decode(latents).shape
        assert not torch.equal(short.decode(latents), vae.decode(latents))


def test_cancelling_does_not_wait_for_it(make_request: MakeRequest, compiles: None) -> None:
    from magi_engine.runtime.job.events import Cancelled
    from magi_engine.runtime.process.control import Cancel

    engine = Engine()
    events: list[Event] = []
    for event in engine.generate(make_request()):
        if event == StageStarted(Stage.PREPARING_SIZE):
            engine.control(Cancel())
        events.append(event)
    assert isinstance(events[-1], Cancelled)
    assert not any(isinstance(e, Progress) for e in events)
    model = engine._models._model
    assert model is not None
    assert model.kernels.warm == set(), "half of it does not count"
    assert torch.is_inference_mode_enabled() is False
