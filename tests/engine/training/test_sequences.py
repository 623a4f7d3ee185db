"""What the transformer is trained on is what the sampler will ask of it."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from magi_engine.model.dit import NULL_CAPTION_TOKENS, VideoDiT
from magi_engine.model.special_tokens import SpecialToken, SpecialTokens
from magi_engine.sampling.events import ChunkDone
from magi_engine.sampling.noise import SeededNoise
from magi_engine.sampling.prompts import CaptionTrack
from magi_engine.sampling.sampler import Sampler
from magi_engine.sampling.schedule import SamplerSettings, schedule_times
from magi_engine.training import lessons, pocket, sequences
from magi_engine.training.data import Clips
from magi_engine.training.layouts import Layout, pipeline, streaming
from magi_engine.training.sequences import (
    Batch,
    Sequence,
    draw_batch,
    draw_fractions,
    time_of,
)
from magi_engine.training.tokenizer import make_tiny_t5, tiny_t5_config

CHUNKS, WIDTH, SIDE, CHANNELS = 5, pocket.CHUNK_WIDTH, 4, 16
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model(make_dit) -> VideoDiT:
    return make_dit(seed=8).requires_grad_(False)


@pytest.fixture(scope="module")
def special_tokens() -> SpecialTokens:
    """All durations are equal, since training draws them at random."""
    dice = torch.Generator().manual_seed(4)
    names = [name for name in SpecialToken if name is not SpecialToken.DURATION]
    table = torch.randn(len(names) + 1, CHANNELS, generator=dice)
    vectors = dict(zip(names, table, strict=False))
    return SpecialTokens(vectors, table[-1].expand(8, CHANNELS).clone())


def make_batch(clips: int = 2, seed: int = 0, event_chunk: int = 3) -> Batch:
    dice = torch.Generator().manual_seed(seed)
    shape = (clips, CHUNKS, 16, WIDTH, SIDE, SIDE)
    clean = torch.randn(shape, generator=dice)
    return Batch(
        clean=clean,
        noise=torch.randn(shape, generator=dice),
        pasted=torch.zeros(clips, CHUNKS, WIDTH, dtype=torch.bool),
        captions=torch.randn(clips, 2, 7, CHANNELS, generator=dice),
        lengths=torch.tensor([[5, 7]] * clips),
        event_chunk=torch.full((clips,), event_chunk),
        objects=torch.zeros(clips, 2, 3, dtype=torch.long),
    )


@dataclass(frozen=True)
class Step:
    """What the sampler did in one step: chunks, their times, latents before and after."""

    chunks: tuple[int, ...]
    before: Tensor  # (R, 16, T, h, w)
    velocity: Tensor
    times: Tensor  # (R,)
    finished: dict[int, Tensor]  # clean chunks so far


def sampler_steps(
    model: VideoDiT,
    special_tokens: SpecialTokens,
    caption: Tensor,
    window: int,
    prefix: Tensor | None,
    num_chunks: int,
    kv_range: int,
) -> Iterator[Step]:
    settings = SamplerSettings(
        num_steps=8,
        window_size=window,
        cfg_number=1,
        cfg_t_range=(0.0,),
        prev_chunk_scales=(1.0,),
        text_scales=(1.0,),
        noise2clean_kvrange=(kv_range,),
        clean_chunk_kvrange=1,
        clean_t=sequences.CLEAN_T,
        chunk_width=WIDTH,
        shortcut_mode="8,16,16",
        distill=True,
        distill_nearly_clean_chunk_threshold=1.0,  # never mixed: the plain forward
    )
    times = torch.tensor(schedule_times(8, "8,16,16"))
    noise = SeededNoise(3)
    now: dict[int, Tensor] = {}
    finished: dict[int, Tensor] = {}
    if prefix is not None:
        finished = dict(enumerate(prefix.split(WIDTH, dim=2)))
    events = Sampler(model, settings).sample(
        height=SIDE,
        width=SIDE,
        captions=CaptionTrack(caption, special_tokens),
        noise=SeededNoise(3),
        num_chunks=num_chunks,
        prefix=prefix,
    )
    for event in events:
        if isinstance(event, ChunkDone):
            finished[event.index] = event.latents
            continue
        after = event.latents()
        before = []
        chunks, steps = event.forward.chunks, list(event.forward.steps)
        for chunk in chunks:
            if chunk not in now:
                now[chunk] = noise.next_chunk((1, 16, WIDTH, SIDE, SIDE))[0]
            before.append(now[chunk])
        lasting = torch.tensor(event.forward.durations)[:, None, None, None, None]
        start = torch.stack(before)
        yield Step(
            tuple(chunks),
            start,
            (after - start) / lasting,
            times[steps],
            dict(finished),
        )
        now |= dict(zip(chunks, after, strict=True))


def trained_velocity(
    model: VideoDiT, special_tokens: SpecialTokens, batch: Batch, layout: Layout, step: Step
) -> Tensor:
    """What training computes for the chunks of a step of the sampler, in the first clip."""
    clean = torch.randn_like(batch.clean)
    for chunk, latents in step.finished.items():
        clean[:, chunk] = latents
    sequence = Sequence(
        model, dataclasses.replace(batch, clean=clean), layout, True, special_tokens
    )
    positions = sequence.noisy_positions.tolist()
    noisy = torch.randn(len(clean), len(positions), 16, WIDTH, SIDE, SIDE)
    times = torch.rand(len(clean), len(positions))
    rows = [positions.index(chunk) for chunk in step.chunks]
    noisy[0, rows], times[0, rows] = step.before, step.times
    code = lessons._code(torch.full((len(clean), 1), 8.0))
    return sequence.velocity(model, noisy, times, code)[0, rows]


@pytest.fixture
def no_noise_on_clean_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequences, "_CLEAN_NOISE", 0.0)


@pytest.mark.parametrize("kv_range", [1, 2, 5])
@pytest.mark.parametrize("prefix_chunks", [0, 2])
@pytest.mark.usefixtures("no_noise_on_clean_chunks")
def test_streaming_is_what_the_sampler_does_with_one_chunk_at_a_time(
    model: VideoDiT,
    special_tokens: SpecialTokens,
    relative_error,
    prefix_chunks: int,
    kv_range: int,
) -> None:
    batch = make_batch(event_chunk=CHUNKS)
    caption = batch.captions[0, 0, :5]
    clean = batch.clean[:1, :prefix_chunks].transpose(1, 2).flatten(2, 3)
    prefix = clean if prefix_chunks else None
    steps = list(
        sampler_steps(model, special_tokens, caption, 1, prefix, prefix_chunks + 3, kv_range)
    )
    assert len(steps) == 3 * 8
    layout = streaming(CHUNKS, kv_range)
    for step in steps:
        actual = trained_velocity(model, special_tokens, batch, layout, step)
        assert relative_error(actual, step.velocity) < 1e-4


@pytest.mark.usefixtures("no_noise_on_clean_chunks")
def test_a_pipeline_is_what_the_sampler_does_with_a_window(
    model: VideoDiT, special_tokens: SpecialTokens, relative_error
) -> None:
    batch = make_batch(event_chunk=CHUNKS)
    caption = batch.captions[0, 0, :5]
    compared = 0
    for step in sampler_steps(model, special_tokens, caption, 4, None, 5, 5):
        first, last = step.chunks[0], step.chunks[-1] + 1
        if first > 1:
            continue  # chunk 0 would be seen, though no longer re-read in this forward
        layout = pipeline(last, first, 5)
        actual = trained_velocity(model, special_tokens, batch, layout, step)
        assert relative_error(actual, step.velocity) < 1e-4
        compared += 1
    assert compared == 5 * 2  # five stages of two steps


def test_the_schedule_is_the_samplers() -> None:
    for steps in (8, 16, 64):
        fractions = torch.arange(steps + 1) / steps
        torch.testing.assert_close(
            time_of(fractions), torch.tensor(schedule_times(steps, "8,16,16")), atol=1e-6, rtol=0
        )


def test_given_frames_stay_clean_and_count_for_nothing(
    model: VideoDiT, special_tokens: SpecialTokens
) -> None:
    batch = make_batch()
    batch.pasted[0, 0, :1] = True  # an image
    batch.pasted[1, 3, :4] = True  # the end of a clip
    sequence = Sequence(model, batch, streaming(CHUNKS, 3), True, special_tokens)
    times = torch.full((2, CHUNKS), 0.25)
    noisy = sequence.noisy_latents(times)
    assert noisy.shape == batch.clean.shape
    mixed = 0.25 * batch.clean + 0.75 * batch.noise
    for clip in range(2):
        for chunk in range(CHUNKS):
            for frame in range(WIDTH):
                given = bool(batch.pasted[clip, chunk, frame])
                source = batch.clean if given else mixed
                place = (clip, chunk, slice(None), frame)
                torch.testing.assert_close(noisy[place], source[place])
    target = batch.clean - batch.noise
    velocity = target.clone()
    velocity[0, 0, :, :1] += 100
    velocity[1, 3, :, :4] -= 100
    assert sequence.loss(velocity, target) == 0
    velocity[1, 3, :, 4] += 1
    free = 2 * CHUNKS * WIDTH - 5
    assert float(sequence.loss(velocity, target)) == pytest.approx(1 / free, rel=1e-5)
    velocity[1, 3, :, 4] -= 1
    velocity[1, 2, :, 0] += 1  # where it has to go on from chunk 1: four times besides
    assert float(sequence.loss(velocity, target)) == pytest.approx(7 / 3 / free, rel=1e-5)


def test_a_pipeline_learns_only_its_noisy_chunks(
    model: VideoDiT, special_tokens: SpecialTokens
) -> None:
    batch = make_batch()
    sequence = Sequence(model, batch, pipeline(CHUNKS, 2, 4), True, special_tokens)
    assert sequence.noisy_positions.tolist() == [2, 3, 4]
    times = torch.tensor([[0.6, 0.4, 0.2]] * 2)
    noisy = sequence.noisy_latents(times)
    velocity = sequence.velocity(model, noisy, times, None)
    assert velocity.shape == noisy.shape == (2, 3, 16, WIDTH, SIDE, SIDE)
    assert bool(velocity.isfinite().all())


@pytest.mark.parametrize("layout", [streaming(CHUNKS, 3), pipeline(CHUNKS, 1, 5)], ids=str)
def test_each_chunk_reads_the_caption_of_its_side_of_the_event(
    model: VideoDiT, special_tokens: SpecialTokens, layout: Layout
) -> None:
    batch = make_batch(event_chunk=2)
    batch.event_chunk[1] = CHUNKS  # nothing happens in the second clip
    sequence = Sequence(model, batch, layout, True, special_tokens)
    count = len(layout.positions)
    rows = sequence.captions.embeddings.unflatten(0, (2, count))
    lengths = sequence.captions.mask().sum(1).unflatten(0, (2, count))
    front = torch.stack([special_tokens.duration(0), special_tokens.vector(SpecialToken.HQ)])
    null = model.null_caption()
    for clip in range(2):
        for index, position in enumerate(layout.positions):
            length = int(lengths[clip, index])
            row = rows[clip, index, :length]
            if layout.clean[index]:
                assert length == NULL_CAPTION_TOKENS
                torch.testing.assert_close(row, null)
                continue
            side = int(position >= int(batch.event_chunk[clip]))
            assert length == 2 + int(batch.lengths[clip, side])
            torch.testing.assert_close(row[:2], front)
            torch.testing.assert_close(row[2:], batch.captions[clip, side, : length - 2])


def test_without_a_caption_all_chunks_read_the_null_caption(
    model: VideoDiT, special_tokens: SpecialTokens
) -> None:
    sequence = Sequence(model, make_batch(), streaming(CHUNKS, 3), False, special_tokens)
    assert set(sequence.captions.mask().sum(1).tolist()) == {NULL_CAPTION_TOKENS}
    rows = sequence.captions.embeddings[:, :NULL_CAPTION_TOKENS]
    torch.testing.assert_close(rows, model.null_caption().expand_as(rows))


def test_half_of_the_clean_chunks_get_a_little_noise(
    model: VideoDiT, special_tokens: SpecialTokens
) -> None:
    torch.manual_seed(0)
    batch = make_batch(clips=64)
    sequence = Sequence(model, batch, streaming(CHUNKS, 3), False, special_tokens)
    off = sequence._clean[:, :4] - batch.clean[:, :4]
    spread = off.flatten(1).std(1)
    assert 16 < int((spread == 0).sum()) < 48
    assert 0.02 < float(spread.max()) < 0.08  # 5 % of a difference of two unit normals
    other = Sequence(model, batch, streaming(CHUNKS, 3), False, special_tokens)
    assert not torch.equal(other._clean, sequence._clean)
    other.share_clean(sequence)
    assert torch.equal(other._clean, sequence._clean)


def test_noise_levels_fall_along_a_pipeline_and_are_free_in_a_stream() -> None:
    torch.manual_seed(1)
    fractions = draw_fractions(pipeline(CHUNKS, 1, 3), 200, CPU)
    assert fractions.shape == (200, 4)
    assert bool((fractions[:, :-1] >= fractions[:, 1:]).all())
    assert 0 <= float(fractions.min()) <= float(fractions.max()) < 1
    free = draw_fractions(streaming(CHUNKS, 3), 200, CPU)
    assert free.shape == (200, 5)
    rising = (free[:, :-1] < free[:, 1:]).float().mean()
    assert 0.4 < float(rising) < 0.6


def test_every_kind_of_lesson_is_drawn_about_beginnings_and_whole_clips() -> None:
    dice = random.Random(2)
    early = [lessons.draw_lesson(0.0, dice) for _ in range(800)]
    late = [lessons.draw_lesson(1.0, dice) for _ in range(800)]
    for kind in lessons.Kind:
        lengths = {len(le.layout.noisy_indices) for le in early + late if le.kind is kind}
        assert {1, CHUNKS} <= lengths
    shortcuts = [
        sum(le.kind in (lessons.Kind.GUIDED, lessons.Kind.HALVES) for le in drawn)
        for drawn in (early, late)
    ]
    assert shortcuts[0] < 200 < 400 < shortcuts[1]
    # Each is recorded as a CUDA graph of its own.
    assert len(set(early + late)) <= 40


def test_a_batch_is_drawn_from_the_clips() -> None:
    torch.manual_seed(3)
    numbers = torch.arange(4).view(4, 1, 1, 1, 1, 1)
    clips = Clips(
        latents=numbers.expand(4, 2, 16, WIDTH, SIDE, SIDE).half(),
        held=torch.tensor([True, False, True, False]),
        event_chunk=torch.tensor([1, 2, 1, 2]),
        # Two wordings, the second one token longer.
        tokens=torch.tensor([[1, 2, 0], [1, 2, 3]], dtype=torch.int16)
        .view(1, 2, 1, 3)
        .expand(4, 2, 2, 3),
        objects=torch.arange(4).view(4, 1, 1).expand(4, 2, 3),
        given=torch.tensor([0, 0, 0, 1]),
    )
    t5 = make_tiny_t5(tiny_t5_config(8, d_model=8, layers=1, heads=2, d_ff=8)).eval()
    batch = draw_batch(clips, t5, 40)
    rows = batch.clean[:, 0, 0, 0, 0, 0].long()
    assert set(rows.tolist()) == set(range(4))
    assert torch.equal(batch.event_chunk, clips.event_chunk[rows])
    assert torch.equal(batch.objects[:, 0, 0], rows)
    assert {tuple(pair) for pair in batch.lengths.tolist()} == {(2, 2), (3, 3)}
    assert batch.pasted.shape == (40, 2, WIDTH)
    # Of what is not to be made the whole first chunk is given, and nothing else is.
    assert torch.equal(batch.pasted[:, 0].all(1), rows == 3)
    assert not batch.pasted[:, 1].all(1).any()
    # Padding is not looked at: a short caption is embedded as if it stood alone.
    short = batch.lengths[:, 0] == 2
    with torch.no_grad():
        alone = t5(input_ids=torch.tensor([[1, 2]])).last_hidden_state[0]
    expected = alone.expand(int(short.sum()), 2, -1)
    torch.testing.assert_close(batch.captions[short, 0, :2], expected, atol=1e-5, rtol=1e-5)
