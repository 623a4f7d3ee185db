"""Decoding beside denoising. On a CPU one comes after the other; what must hold is the same.

Run on a GPU as well: ``python -m pytest tests/engine/runtime/job/test_decoding.py`` (without
pytest-qt: ``-c /dev/null --rootdir=.``).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from magi_engine.config.official import ModelConfig
from magi_engine.config.vae import VaeConfig
from magi_engine.errors import NotFiniteError
from magi_engine.runtime.engine import Engine
from magi_engine.runtime.job.events import (
    Cancelled,
    ChunkReady,
    ChunkState,
    DecodingStarted,
    Event,
    Failed,
    Paused,
    PreviewReady,
    Progress,
)
from magi_engine.runtime.machine.streams import Streams
from magi_engine.runtime.models import preview
from magi_engine.runtime.planning import placement as plans
from magi_engine.runtime.planning.placement import Placement
from magi_engine.runtime.process.control import Cancel, Pause, Resume
from magi_engine.runtime.request.request import (
    GenerationRequest,
    Mode,
    PromptChange,
    SamplingOverrides,
)
from tests.engine.conftest import write_random_model
from tests.engine.runtime.outcomes import checked, finished, frame_count, frames_of, of_kind

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU here")


@pytest.fixture(scope="module", params=["cpu", pytest.param("cuda", marks=needs_cuda)])
def device(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def model_config(device: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model; on a GPU large enough for its steps to take milliseconds there."""
    large = device == "cuda"
    dit = ModelConfig(
        num_layers=12 if large else 2,
        hidden_size=1024 if large else 64,
        ffn_hidden_size=4096 if large else 96,
        num_attention_heads=8,
        num_query_groups=4,
        kv_channels=128 if large else 8,
        params_dtype="torch.float32",
        caption_channels=16,
    )
    vae = VaeConfig(embed_dim=512 if large else 256, depth=8 if large else 1, num_heads=8)
    return write_random_model(tmp_path_factory.mktemp("model"), dit, vae)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return Engine(cache_dir=tmp_path_factory.mktemp("cache"))


@pytest.fixture
def request_for(model_config: Path, device: str):
    """Makes requests for four chunks."""
    side = 48 if device == "cpu" else 256

    def make(window: int = 2, output: Path | None = None) -> GenerationRequest:
        return GenerationRequest(
            mode=Mode.T2V,
            model="tiny_config",
            width=side,
            height=side,
            num_frames=90,
            prompts=(PromptChange(0, "a red circle"),),
            config_path=str(model_config),
            sampling=SamplingOverrides(num_steps=4, window_size=window),
            output=None if output is None else str(output),
            device=device,
        )

    return make


def placed(monkeypatch: pytest.MonkeyPatch, beside: bool) -> None:
    """The only way to run a job, for as long as ``monkeypatch`` lasts."""
    way = Placement(1, 1, decodes_beside=beside)
    monkeypatch.setattr(plans, "place", lambda sizes, *free: (way,))


@pytest.fixture(params=[True, False], ids=["beside", "in turn"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    placed(monkeypatch, request.param)
    return request.param


@pytest.fixture(params=[1, 2, 4])
def window(request: pytest.FixtureRequest) -> int:
    return request.param


def test_events_come_in_their_order(
    engine: Engine, request_for, way: bool, window: int, device: str
) -> None:
    events = checked(list(engine.generate(request_for(window), preview=True)))
    assert finished(events).frames == 90
    chunks = of_kind(events, ChunkReady)
    assert [(c.index, c.first_frame, len(c.frames)) for c in chunks] == [
        (0, 0, 24),
        (1, 24, 24),
        (2, 48, 24),
        (3, 72, 18),
    ]
    assert [e.index for e in of_kind(events, DecodingStarted)] == [0, 1, 2, 3]
    steps = of_kind(events, Progress)
    assert len(steps) == {1: 16, 2: 10, 4: 7}[window]
    assert [s.fraction for s in steps] == sorted(s.fraction for s in steps)
    for index in range(4):
        begun, ready = events.index(DecodingStarted(index)), events.index(chunks[index])
        # The chunk's last step was told before, and it is being decoded until it is there.
        last_step = [e for e in events[:begun] if isinstance(e, Progress)][-1]
        assert (last_step.active[0].index, last_step.active[0].step) == (index, 4)
        for event in events[begun:ready]:
            if isinstance(event, Progress):
                assert event.active[0].index == index
                assert event.active[0].state is ChunkState.DECODING
                assert len(event.chunks) == 4
    # The first one is waited for: nothing else happens meanwhile.
    first = events.index(DecodingStarted(0))
    assert isinstance(events[first + 1], ChunkReady)
    if device == "cpu":
        assert not hidden(steps)


def test_the_same_frames_come_out(
    engine: Engine, request_for, window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos: list[np.ndarray] = []
    for beside in (True, False, True):
        placed(monkeypatch, beside)
        events = checked(list(engine.generate(request_for(window))))
        videos.append(frames_of(events))
        for event in of_kind(events, ChunkReady):
            assert event.latents.device.type == "cpu"
            assert torch.isfinite(event.latents).all()
    assert videos[0].std() > 1
    for video in videos[1:]:
        np.testing.assert_array_equal(video, videos[0])


def hidden(steps: list[Progress]) -> list[Progress]:
    """Those that were reported while a chunk was being decoded."""
    return [s for s in steps if any(c.state is ChunkState.DECODING for c in s.active)]


def pulled(engine: Engine, request: GenerationRequest, at: type[Event], then) -> list[Event]:
    """All events; ``then`` is called at the event of this kind for chunk 1."""
    events: list[Event] = []
    for event in engine.generate(request):
        events.append(event)
        if isinstance(event, at) and getattr(event, "index", 1) == 1:
            then(event)
    return checked(events)


def test_a_chunk_that_is_being_decoded_is_not_lost(
    engine: Engine, request_for, way: bool, tmp_path: Path
) -> None:
    request = request_for(1, tmp_path / "out.mp4")
    events = pulled(engine, request, DecodingStarted, lambda _event: engine.control(Cancel()))
    assert isinstance(events[-1], Cancelled)
    assert isinstance(events[-2], ChunkReady)
    assert events[-1].frames == 48 == len(frames_of(events))
    # Nor when nobody pulls any more.
    (tmp_path / "out.mp4").unlink()
    pulling: Iterator[Event] = engine.generate(request)
    for event in pulling:
        if event == DecodingStarted(2):
            break
    made = next(pulling)  # the chunk is asked for; it may be there or not
    pulling.close()  # type: ignore[attr-defined]
    assert isinstance(made, ChunkReady | Progress)
    assert frame_count(tmp_path / "out.mp4") == 72


def test_a_pause_shows_everything_first(engine: Engine, request_for, way: bool) -> None:
    events: list[Event] = []
    for event in engine.generate(request_for(2)):
        events.append(event)
        if event == DecodingStarted(1):
            engine.control(Pause())
        elif isinstance(event, Paused):
            engine.control(Resume())
    finished(checked(events))
    paused = next(i for i, event in enumerate(events) if isinstance(event, Paused))
    assert [c.index for c in of_kind(events[:paused], ChunkReady)] == [0, 1]
    decoding = {e.index for e in of_kind(events[:paused], DecodingStarted)}
    assert decoding == {0, 1}


def test_previews_are_of_the_step_they_follow(
    engine: Engine, request_for, way: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "MAX_PER_SECOND", 1e9)
    events = list(engine.generate(request_for(2), preview=True))
    shown = of_kind(events, PreviewReady)
    assert len(shown) == len(of_kind(events, Progress))
    assert {p.index: len(p.frames) for p in shown} == {0: 6, 1: 6, 2: 6, 3: 5}
    for event in shown:
        before = [e for e in events[: events.index(event)] if isinstance(e, Progress)][-1]
        denoised = [c.index for c in before.active if c.state is ChunkState.DENOISING]
        assert event.index == denoised[0]


@pytest.mark.parametrize("part", ["dit", "vae"])
def test_what_is_no_number_is_never_saved_as_a_picture(
    model_config: Path, device: str, request_for, tmp_path: Path, part: str
) -> None:
    """From the second chunk on the latents, or the frames, are not finite."""
    engine = Engine(cache_dir=tmp_path / "cache")
    events: list[Event] = []
    for event in engine.generate(request_for(1, tmp_path / "out.mp4")):
        events.append(event)
        if isinstance(event, ChunkReady) and event.index == 0:
            model = engine._models._model
            assert model is not None
            with torch.no_grad():
                for weights in getattr(model, part).parameters():
                    weights.fill_(float("nan" if part == "dit" else "inf"))
    failed = checked(events)[-1]
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, NotFiniteError)
    assert failed.frames == 24
    assert failed.path == tmp_path / "out.mp4"
    assert frame_count(failed.path) == 24


# ---- what only a GPU can show


@needs_cuda
def test_the_urgent_queue_does_not_wait_for_the_main_one() -> None:
    device = torch.device("cuda")
    streams = Streams(device)
    assert streams.steps_ahead == 1
    x = torch.randn(8192, 8192, device=device, dtype=torch.bfloat16)
    small = torch.arange(1_000_000, device=device)

    def work() -> torch.Tensor:
        return streams.to_host((small * 3).to(torch.int32))

    work()
    torch.cuda.synchronize()
    begun = streams.record()
    with streams.side():
        pass
    for _ in range(300):
        torch.mm(x, x)
    with torch.cuda.stream(streams._side):  # as if it had been asked for before
        host = work()
        urgent = streams.record()
    main = streams.record()
    urgent.wait()
    assert not main.is_done, "the main queue was done before: nothing ran beside it"
    assert torch.equal(host, torch.arange(1_000_000, dtype=torch.int32) * 3)
    assert host.is_pinned()
    main.wait()
    print(f"main queue {main.seconds_since(begun):.3f} s")


@needs_cuda
def test_what_is_beside_comes_after_what_it_needs() -> None:
    device = torch.device("cuda")
    streams = Streams(device)
    x = torch.randn(8192, 8192, device=device, dtype=torch.bfloat16)
    for number in range(20):
        for _ in range(20):
            torch.mm(x, x)
        value = torch.full((1000,), number, device=device)
        with streams.side():
            host = streams.to_host(value + 1)
            done = streams.record()
        done.wait()
        assert (host == number + 1).all()


@needs_cuda
@pytest.mark.parametrize("device", ["cuda"], indirect=True)
def test_cancel_acts_within_about_a_step(engine: Engine, request_for) -> None:
    list(engine.generate(request_for(1)))  # warm
    told = 0.0
    step_s = 0.0
    for event in engine.generate(request_for(1)):
        if isinstance(event, Progress) and event.chunks_done == 1 and not told:
            step_s = event.seconds_per_step
            told = time.perf_counter()
            engine.control(Cancel())
    taken = time.perf_counter() - told
    print(f"cancelled after {taken * 1e3:.1f} ms; a step takes {step_s * 1e3:.1f} ms")
    assert taken < 2.5 * step_s + 0.1
