"""The plan of a generation: against a real one, and that it behaves."""

from __future__ import annotations

import dataclasses
import pickle
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from magi_engine.config.official import MagiConfig
from magi_engine.config.registry import Registry
from magi_engine.config.vae import VaeConfig
from magi_engine.errors import InvalidRequestError, MediaReadError, ModelNotFoundError
from magi_engine.media.output import open_writer
from magi_engine.messages import duration_words
from magi_engine.resources import resource_path
from magi_engine.runtime.doctor import model_findings
from magi_engine.runtime.engine import Engine
from magi_engine.runtime.job.events import ChunkReady
from magi_engine.runtime.job.pace import PaceMeter, Preparation
from magi_engine.runtime.machine.facts import MachineFacts
from magi_engine.runtime.machine.speeds import Speed, Speeds
from magi_engine.runtime.planning.advice import Shortage
from magi_engine.runtime.planning.costs import DitCosts
from magi_engine.runtime.planning.plan import JobPlan, Pace, plan, timing_of
from magi_engine.runtime.planning.prospects import plan_model
from magi_engine.runtime.request.request import (
    Along,
    GenerationRequest,
    Mode,
    PromptChange,
    SamplingOverrides,
    TakeStart,
)
from magi_engine.sampling.schedule import SamplerSettings, forwards
from magi_engine.takes.store import About, TakeStore
from magi_engine.weights.layout import find_model

GB = 1_000_000_000
CARD = MachineFacts(
    device="cuda:0",
    device_name="NVIDIA GeForce RTX 4090",
    processor="a processor",
    cores=8,
    vram_total_bytes=24 * GB,
    vram_free_bytes=23 * GB,
    ram_total_bytes=64 * GB,
    ram_free_bytes=50 * GB,
    disk_free_bytes=500 * GB,
    fp8_in_hardware=True,
)
LAPTOP = dataclasses.replace(
    CARD,
    device="cpu",
    device_name="a processor",
    vram_total_bytes=None,
    vram_free_bytes=None,
    ram_total_bytes=16 * GB,
    ram_free_bytes=12 * GB,
    fp8_in_hardware=False,
)


def request(**changes: object) -> GenerationRequest:
    usual = GenerationRequest(
        mode=Mode.T2V, model="4.5B-distill-fp8", width=720, height=720, num_frames=96
    )
    return dataclasses.replace(usual, **changes)  # type: ignore[arg-type]


def with_window(window: int, steps: int = 16) -> SamplingOverrides:
    return SamplingOverrides(num_steps=steps, window_size=window)


def estimated(tmp_path: Path, facts: MachineFacts = CARD, **changes: object) -> JobPlan:
    return plan(request(**changes), facts, cache_dir=tmp_path)


def with_vram(gigabytes: int) -> MachineFacts:
    return dataclasses.replace(
        CARD, vram_total_bytes=gigabytes * GB, vram_free_bytes=gigabytes * GB
    )


def test_more_takes_more(tmp_path: Path) -> None:
    card = with_vram(200)  # everything stays on it
    usual = estimated(tmp_path, card)
    assert usual.vram_bytes
    assert usual.seconds
    for more in (
        {"width": 960},
        {"height": 960},
        {"model": "4.5B-distill"},
        {"model": "24B-distill-fp8"},
    ):
        larger = estimated(tmp_path, card, **more)
        assert larger.vram_bytes
        assert larger.seconds
        assert larger.vram_bytes > usual.vram_bytes
        assert larger.seconds > usual.seconds
        assert larger.ready_s[0] > usual.ready_s[0]
    narrow = estimated(tmp_path, card, sampling=with_window(1))
    assert narrow.ready_s[0] < usual.ready_s[0]
    more_steps = estimated(tmp_path, card, sampling=with_window(4, 32))
    assert more_steps.vram_bytes == usual.vram_bytes
    assert more_steps.seconds
    assert more_steps.seconds > 1.5 * usual.seconds


def test_first_seconds_go_together_where_that_makes_them_no_slower(tmp_path: Path) -> None:
    along = tuple(Along(seed, "") for seed in range(1, 12))
    first: dict[str, Any] = {"width": 384, "height": 384, "only_chunks": 1}
    alone = estimated(tmp_path, **first)
    together = estimated(tmp_path, along=along, **first)
    assert together.along == along[:8]
    assert alone.vram_bytes
    assert together.vram_bytes
    assert together.vram_bytes > alone.vram_bytes
    assert together.times.denoise_s == pytest.approx(9 * alone.times.denoise_s)
    # With less room there are fewer, none is offloaded; with none, one is as it is alone.
    one_less = dataclasses.replace(CARD, vram_free_bytes=together.vram_bytes - 1)
    fewer = estimated(tmp_path, one_less, along=along, **first)
    assert len(fewer.along) == 7
    assert not fewer.ways[0].offloaded_layers
    small = dataclasses.replace(CARD, vram_free_bytes=alone.ways[-1].device_bytes)
    crowded = estimated(tmp_path, small, **first)
    assert estimated(tmp_path, small, along=along, **first) == dataclasses.replace(
        crowded, request=dataclasses.replace(crowded.request, along=along)
    )
    # Whole videos are made one by one, and on a processor first seconds as well.
    assert not estimated(tmp_path, along=along, width=384, height=384).along
    assert not estimated(tmp_path, LAPTOP, along=along, **first).along


def test_only_prompts_that_are_made_from_are_counted(tmp_path: Path) -> None:
    prompts = tuple(PromptChange(chunk, f"prompt {chunk}") for chunk in range(3))
    one = estimated(tmp_path, prompts=prompts[:1]).times.text_s
    assert one > 0
    first: dict[str, Any] = {"only_chunks": 1, "prompts": prompts[:1]}
    alone = estimated(tmp_path, LAPTOP, **first)
    along = (Along(1, "another"),)
    assert estimated(tmp_path, LAPTOP, along=along, **first).times == alone.times, "nor made along"
    store = TakeStore(tmp_path / "takes")
    earlier = request(prompts=prompts)
    take = store.begin(About(earlier.to_json(), 24.0, 6, False, 24, 24, 96))
    for _ in range(3):
        take.append(np.zeros((1, 16, 6, 90, 90), np.float32))
    encoded_s = []
    for chunk in range(3):
        redone = dataclasses.replace(earlier, start=TakeStart(take.name, chunk))
        outcome = plan(redone, CARD, cache_dir=tmp_path, takes_dir=store.folder)
        encoded_s.append(outcome.times.text_s)
    every = estimated(tmp_path, prompts=prompts).times.text_s
    two = estimated(tmp_path, prompts=prompts[:2]).times.text_s
    assert encoded_s == [every, two, one]


def test_the_file_holds_what_is_made_now_and_the_clip_in_front(tmp_path: Path, clip: Path) -> None:
    output = str(tmp_path / "a.mp4")
    four = estimated(tmp_path, output=output).disk_bytes
    assert estimated(tmp_path, output=output, only_chunks=1).disk_bytes == four // 4
    assert (
        estimated(tmp_path, output=output, num_frames=None, only_chunks=1).disk_bytes == four // 4
    )
    behind: dict[str, Any] = {"mode": Mode.V2V, "reference": str(clip), "output": output}
    assert estimated(tmp_path, **behind).disk_bytes == four
    assert estimated(tmp_path, prepend_source=True, **behind).disk_bytes == four * 144 // 96


def test_length_costs_time_and_disk_but_no_memory(tmp_path: Path) -> None:
    four, eight = (
        estimated(tmp_path, num_frames=frames, output=str(tmp_path / "a.mp4"))
        for frames in (240, 480)
    )
    assert eight.vram_bytes == four.vram_bytes
    assert eight.ready_s[0] == four.ready_s[0]
    assert eight.seconds
    assert four.seconds
    assert eight.seconds > 1.5 * four.seconds
    assert eight.disk_bytes == 2 * four.disk_bytes > 0
    endless = estimated(tmp_path, num_frames=None)
    assert endless.seconds is None
    assert endless.num_chunks is None
    assert endless.ready_s[0] == four.ready_s[0]


@pytest.mark.parametrize("entry", Registry.load().entries, ids=lambda entry: entry.name)
@pytest.mark.parametrize("facts", [CARD, LAPTOP], ids=["card", "laptop"])
def test_advice_is_worth_following(entry, facts: MachineFacts, tmp_path: Path) -> None:
    whole = plan_model(entry, facts, cache_dir=tmp_path)
    assert whole.fits == (not whole.problem)
    asked = request(model=entry.name, width=1280, height=720)
    if entry.name.startswith("pocket"):
        asked = dataclasses.replace(asked, width=128, height=128)
    found = plan(asked, facts, cache_dir=tmp_path)
    for advice in found.advice:
        assert advice.sentence
        assert plan(advice.applied(asked), facts, cache_dir=tmp_path).fits


def test_what_a_4_gb_card_is_told(tmp_path: Path) -> None:
    found = estimated(tmp_path, with_vram(4), width=1280)
    assert found.shortage is Shortage.VRAM
    assert "GB" in str(found.problem)
    smaller = next(a.changes for a in found.advice if "width" in a.changes)
    assert smaller["width"] / smaller["height"] == pytest.approx(1280 / 720, rel=0.1)


def test_a_model_larger_than_the_card_is_streamed(tmp_path: Path) -> None:
    found = estimated(tmp_path, with_vram(23), model="24B-distill-fp8")
    assert found.fits
    assert found.ways[0].offloaded_layers
    assert found.vram_bytes == found.ways[0].device_bytes <= 23 * GB
    assert found.ram_bytes > estimated(tmp_path, with_vram(200), model="24B-distill-fp8").ram_bytes


def test_a_full_disk_asks_for_a_shorter_video(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from magi_engine.runtime.planning import plan as module

    monkeypatch.setattr(module, "free_bytes", lambda _folder: 1_000_000)
    found = estimated(tmp_path, output=str(tmp_path / "a.mp4"), width=128, height=128)
    assert found.shortage is None, "four seconds of a small picture fit into a megabyte"
    found = estimated(tmp_path, output=str(tmp_path / "a.mp4"), width=480, height=480)
    assert found.shortage is Shortage.DISK
    (shorter,) = found.advice
    assert 0 < shorter.changes["num_frames"] < 96
    monkeypatch.setattr(module, "free_bytes", lambda _folder: 0)
    full = estimated(tmp_path, output=str(tmp_path / "a.mp4"), width=480, height=480)
    assert str(full.way_out) == "Free some space or use another disk."


MACHINES = [
    LAPTOP,
    dataclasses.replace(LAPTOP, ram_free_bytes=3 * GB),
    dataclasses.replace(LAPTOP, bfloat16_on_processor=True, ram_free_bytes=60 * GB),
    *(with_vram(gigabytes) for gigabytes in (4, 8, 12, 23, 47, 140)),
    dataclasses.replace(with_vram(47), ram_free_bytes=30 * GB),
]


@pytest.mark.parametrize("facts", MACHINES, ids=lambda facts: f"{facts.vram_free_bytes}")
def test_the_doctor_says_what_the_plan_says(facts: MachineFacts, tmp_path: Path) -> None:
    found = {finding.name: finding for finding in model_findings(facts, tmp_path, tmp_path)}
    entries = Registry.load().entries
    assert list(found) == [entry.name for entry in entries]
    for entry in entries:
        whole = plan_model(entry, facts, tmp_path, tmp_path)
        finding = found[entry.name]
        if not whole.fits:
            assert finding.detail.endswith(str(whole.problem))
        else:
            needed = whole.ram_bytes if whole.vram_bytes is None else whole.vram_bytes
            assert f"{needed / 1e9:.1f} GB on {facts.device}, roughly " in finding.detail
            assert f"roughly {duration_words(whole.times.all_s)} for " in finding.detail
        fair = whole.fits and whole.pace is Pace.FAIR
        assert finding.works == (fair and "not " not in finding.detail)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Two seconds of 24 frames."""
    path = tmp_path / "clip.mp4"
    with open_writer(path, 128, 128, 24) as writer:
        writer.write(np.zeros((48, 128, 128, 3), np.uint8))
    return path


def test_a_video_goes_on_from_the_frames_its_clip_has(tmp_path: Path, clip: Path) -> None:
    """96 frames behind 8 latent ones: the first chunk has the rest of a chunk of the clip."""
    found = estimated(tmp_path, mode=Mode.V2V, reference=str(clip), width=128, height=128)
    assert found.length.prefix_latents == 8
    chunks = [found.chunk(index) for index in range(found.num_chunks or 0)]
    assert [len(chunk.frames) for chunk in chunks] == [16, 24, 24, 24, 8]
    assert [chunk.starts_s for chunk in chunks[:2]] == [0, 16 / 24]
    assert [chunk.ready_s for chunk in chunks] == sorted(found.ready_s)
    last = PromptChange(4, "the last chunk")
    estimated(tmp_path, mode=Mode.V2V, reference=str(clip), prompts=(PromptChange(0, ""), last))
    slow = request(mode=Mode.V2V, reference=str(clip), sampling=SamplingOverrides(fps=12))
    planned = plan(slow, CARD, cache_dir=tmp_path)
    assert planned.length.prefix_latents == 6, "fewer frames of the clip"
    assert timing_of(slow) == (planned.length, 12), "a storyboard has the times of its chunks"
    beyond = (PromptChange(0, ""), PromptChange(5, "too late"))
    with pytest.raises(InvalidRequestError, match="but the video ends after 4 s"):
        estimated(tmp_path, mode=Mode.V2V, reference=str(clip), prompts=beyond)
    with pytest.raises(MediaReadError):
        estimated(tmp_path, mode=Mode.V2V, reference=str(tmp_path / "gone.mp4"))


def test_a_plan_crosses_between_processes(tmp_path: Path) -> None:
    found = estimated(tmp_path)
    assert pickle.loads(pickle.dumps(found)) == found
    assert list(found.forwards()) == list(forwards(found.settings, 4))


def test_what_cannot_work_is_refused_as_the_job_would(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError):
        estimated(tmp_path, width=721)
    with pytest.raises(ModelNotFoundError):
        estimated(tmp_path, model="none")


@pytest.fixture
def pocket_request() -> GenerationRequest:
    try:
        find_model("pocket")
    except ModelNotFoundError:
        pytest.skip("the pocket model is not here")
    return GenerationRequest(
        mode=Mode.T2V,
        model="pocket",
        width=128,
        height=128,
        num_frames=48,
        prompts=(PromptChange(0, "a red circle"),),
        sampling=with_window(1, 4),
        device="cpu",
        dtype="float32",
    )


def timed(engine: Engine, asked: GenerationRequest) -> tuple[float, float]:
    """Seconds until the first chunk, and until the last."""
    begun = time.monotonic()
    marks = [time.monotonic() for e in engine.generate(asked) if isinstance(e, ChunkReady)]
    return marks[0] - begun, marks[-1] - begun


def test_the_next_generation_is_predicted(
    tmp_path: Path, pocket_request, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After one video of another length and window, the next one is known within 30 %."""
    # On a busy machine seconds pass that nobody could predict: this process's own are counted.
    monkeypatch.setattr(time, "monotonic", time.process_time)
    engine = Engine(cache_dir=tmp_path)
    cold = plan(pocket_request, engine.machine(), cache_dir=tmp_path)
    assert not cold.measured
    assert cold.times.load_s > 0
    timed(engine, pocket_request)
    second = dataclasses.replace(pocket_request, num_frames=72, sampling=with_window(2, 8))
    found = plan(second, engine.machine(), cache_dir=tmp_path)
    assert found.measured
    assert found.times.before_s == 0, "the model is in memory, the prompt is known"
    assert found.seconds
    first_s, all_s = timed(engine, second)
    assert found.seconds == pytest.approx(all_s, rel=0.3)
    assert found.ready_s[0] == pytest.approx(first_s, rel=0.35)


def test_only_what_is_not_there_takes_time(tmp_path: Path, pocket_request) -> None:
    engine = Engine(cache_dir=tmp_path)
    timed(engine, dataclasses.replace(pocket_request, num_frames=24))
    here = engine.machine()
    warm = plan(pocket_request, here, cache_dir=tmp_path).times
    # Another prompt is encoded by the encoder that is still there.
    other = dataclasses.replace(pocket_request, prompts=(PromptChange(0, "a blue star"),))
    speed = Speeds.load(tmp_path).measured("pocket", here.processor, "float32", 384)
    assert speed is not None
    assert plan(other, here, cache_dir=tmp_path).times.text_s == speed.encode_s
    engine.unload()
    gone = engine.machine()
    cold = plan(other, gone, cache_dir=tmp_path).times
    assert speed.text_load_s
    assert speed.encode_s
    assert cold.text_s == speed.text_load_s + speed.encode_s
    assert (cold.load_s, cold.warm_up_s) == (speed.load_s, speed.warm_up_s)
    assert (cold.denoise_s, cold.decode_s) == (warm.denoise_s, warm.decode_s)
    assert plan(pocket_request, gone, cache_dir=tmp_path).times.text_s == 0
    # What is in memory of one model or number format does not help another.
    bfloat16 = dataclasses.replace(pocket_request, dtype="bfloat16")
    assert plan(bfloat16, here, cache_dir=tmp_path).times.load_s > 0
    base = dataclasses.replace(pocket_request, model="4.5B-distill-fp8")
    assert plan(base, here, cache_dir=tmp_path).times.load_s > 0


CONFIG = MagiConfig.from_json(resource_path(Registry.load().find("pocket").config))
FORWARD = next(forwards(SamplerSettings.from_config(CONFIG), 2))


def meter() -> PaceMeter:
    return PaceMeter(CONFIG, VaeConfig(), DitCosts.of_model(CONFIG.model_config, 384))


def test_the_warm_up_is_told_apart_from_the_pace() -> None:
    pace, before = meter(), Preparation()
    with before.loading:
        pass
    for seconds in (9.0, 1.0, 1.0, 3.5, 1.0, 1.0, 1.0):  # of steps that compute the same
        pace.step_done(FORWARD, seconds)
    pace.chunk_done(6, 2.5)
    pace.chunk_done(6, 0.5)
    speed = pace.speed(before)
    assert speed is not None
    assert speed.warm_up_s == pytest.approx(8.0 + 2.5 + 2.0)
    steady = meter()
    for _ in range(2):
        steady.step_done(FORWARD, 1.0)
    steady.chunk_done(6, 0.5)
    same = steady.speed(Preparation())
    assert same is not None
    assert same.warm_up_s is None, "nothing was loaded"
    assert same.dit_flops_per_s == pytest.approx(speed.dit_flops_per_s)
    assert same.vae_flops_per_s == pytest.approx(speed.vae_flops_per_s)
    assert meter().speed(before) is None


def test_a_batch_that_became_one_video_computed_only_that_one() -> None:
    costs = DitCosts.of_model(CONFIG.model_config, 384)
    batch = PaceMeter(CONFIG, VaeConfig(), costs.times(3))
    batch.step_done(FORWARD, 9.0)  # the one that did not fit
    batch.alone_after_all(3)
    alone = PaceMeter(CONFIG, VaeConfig(), costs)
    for pace in (batch, alone):
        pace.step_done(FORWARD, 1.0)
        pace.step_done(FORWARD, 1.0)
        pace.chunk_done(6, 1.0)
    speeds = [pace.speed(Preparation()) for pace in (batch, alone)]
    assert speeds[0] is not None
    assert speeds[1] is not None
    assert speeds[0].dit_flops_per_s == pytest.approx(speeds[1].dit_flops_per_s)


def test_speeds_survive_damage_and_mix(tmp_path: Path) -> None:
    assert Speeds.load(tmp_path).measured("m", "d", "float32", 10) is None
    whole = '"dit_flops_per_s": 1, "vae_flops_per_s": 1'
    for sizes in (
        '{"10": {"dit_flops_per_s": 0}}',
        f'{{"0": {{{whole}}}}}',
        f'{{"10": {{{whole}, "load_s": {"[" * 500 + "]" * 500}}}}}',
    ):
        (tmp_path / "speeds.json").write_text(f'{{"m | d | float32": {sizes}}}')
        assert Speeds.load(tmp_path).measured("m", "d", "float32", 10) is None
    speeds = Speeds.load(tmp_path)
    speeds.note("m", "d", "float32", 10, Speed(100.0, 10.0, load_s=4.0))
    speeds.note("m", "d", "float32", 10, Speed(200.0, 20.0, warm_up_s=3.0))
    speeds.note("m", "d", "float32", 1000, Speed(900.0, 90.0, encode_s=9.0))
    speeds.save(tmp_path)
    again = Speeds.load(tmp_path)
    near = Speed(150.0, 15.0, load_s=4.0, warm_up_s=3.0, encode_s=9.0)
    assert again.measured("m", "d", "float32", 12) == near
    far = Speed(900.0, 90.0, load_s=4.0, warm_up_s=3.0, encode_s=9.0)
    assert again.measured("m", "d", "float32", 500) == far
    assert again.measured("m", "other", "float32", 500) is None


def test_a_model_of_one_size_says_so_of_others(tmp_path: Path) -> None:
    """And one that draws at any size does not."""
    own = estimated(tmp_path, model="pocket", width=128, height=128)
    assert own.notices == ()
    (notice,) = estimated(tmp_path, model="pocket", width=256, height=128).notices
    assert "128 x 128" in str(notice)
    assert estimated(tmp_path, width=256, height=128).notices == ()


def test_an_attention_of_cards_says_so_elsewhere(tmp_path: Path) -> None:
    wish = {"model": "pocket", "width": 128, "height": 128}
    (notice,) = estimated(tmp_path, attention="cuDNN", device="cpu", **wish).notices
    assert "cuDNN" in str(notice)
    assert not estimated(tmp_path, attention="cuDNN", **wish).notices
    assert not estimated(tmp_path, attention="exact", device="cpu", **wish).notices
