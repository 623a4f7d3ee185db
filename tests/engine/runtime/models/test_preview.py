"""Rough pictures of chunks in work: the fitted map, and what the engine shows of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from magi_engine.media.clips import ClipPart
from magi_engine.runtime.engine import Engine
from magi_engine.runtime.job.events import ChunkReady, PreviewReady
from magi_engine.runtime.models import preview
from magi_engine.runtime.models.preview import Previewer, PreviewMap
from magi_engine.runtime.request.request import Mode
from tests.engine.runtime.outcomes import MakeRequest, frames_of, of_kind, run

CHANNELS = 16
_MIX = torch.randn(CHANNELS, 3, generator=torch.Generator().manual_seed(0))


def encode(frames: NDArray[np.uint8]) -> Tensor:
    """A linear autoencoder of (N, T, H, W, 3): each latent is a mix of its box's mean colour."""
    boxes = torch.from_numpy(frames).float().unfold(1, 4, 4).unfold(2, 8, 8).unfold(3, 8, 8)
    colours = boxes.mean(dim=(5, 6, 7)) / 127.5 - 1  # (N, T, h, w, 3)
    return torch.einsum("nthwr,cr->ncthw", colours, _MIX)


def video(seed: int) -> NDArray[np.uint8]:
    """8 frames of 24x40 pixels of one colour per box of 4 x 8 x 8."""
    boxes = np.random.RandomState(seed).randint(0, 256, (2, 3, 5, 3), dtype=np.uint8)
    return boxes.repeat(4, 0).repeat(8, 1).repeat(8, 2)


def test_plain_colours_are_enough_for_a_linear_autoencoder() -> None:
    picture = PreviewMap.calibrated(encode).picture(encode(video(1)[None]))
    assert picture.dtype == np.uint8
    np.testing.assert_allclose(picture, video(1)[::4, ::8, ::8].astype(int), atol=2)


def test_decoded_chunks_correct_the_map() -> None:
    """A decoder that shows everything darker: what counts is what it shows."""
    previews = PreviewMap.calibrated(encode)
    for seed in range(2, 30):
        previews.learn(encode(video(seed)[None]), video(seed) // 2)
    picture = previews.picture(encode(video(1)[None]))
    np.testing.assert_allclose(picture, video(1)[::4, ::8, ::8] // 2, atol=6)


def test_a_kept_map_is_the_same_map(tmp_path: Path) -> None:
    previews = PreviewMap.calibrated(encode)
    previews.learn(encode(video(2)[None]), 255 - video(2))
    previews.save(tmp_path / "maps" / "a.json")
    again = PreviewMap.load(tmp_path / "maps" / "a.json", CHANNELS)
    assert again is not None
    latents = encode(video(1)[None])
    np.testing.assert_array_equal(again.picture(latents), previews.picture(latents))
    assert [file.name for file in (tmp_path / "maps").iterdir()] == ["a.json"]


@pytest.mark.parametrize("damage", ["missing", "empty", "text", "shape", "nan"])
def test_a_map_that_cannot_be_used_is_none(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.json"
    PreviewMap.calibrated(encode).save(path)
    data = json.loads(path.read_text(encoding="utf-8"))
    if damage == "missing":
        path.unlink()
    elif damage in ("empty", "text"):
        path.write_text("" if damage == "empty" else '{"plain": "x"}')
    elif damage == "nan":
        data["seen"][0][0] = float("nan")
        path.write_text(json.dumps(data))
    channels = CHANNELS + 1 if damage == "shape" else CHANNELS
    assert PreviewMap.load(path, channels) is None


class _Workshop:
    """Makes previewers for an autoencoder whose files can be changed."""

    def __init__(self, folder: Path) -> None:
        self.now = 0.0
        self.encoded = 0
        self.vae, self.cache = folder / "vae", folder / "cache"
        self.vae.mkdir()
        (self.vae / "config.json").write_text("{}")
        (self.vae / "model.safetensors").write_bytes(b"1")

    def previewer(self) -> Previewer:
        return Previewer(self.vae, 0.18, CHANNELS, self._encode, self.cache, clock=lambda: self.now)

    def _encode(self, frames: NDArray[np.uint8]) -> Tensor:
        self.encoded += 1
        return encode(frames)


def test_a_map_is_kept_until_the_autoencoder_changes(tmp_path: Path) -> None:
    workshop = _Workshop(tmp_path)
    workshop.previewer().learn(encode(video(1)[None]), video(1))
    first = workshop.encoded
    assert first == 1, "all colours in one batch"
    assert first > 0
    workshop.previewer()
    assert workshop.encoded == first
    (workshop.vae / "model.safetensors").write_bytes(b"22")
    workshop.previewer().learn(encode(video(1)[None]), video(1))
    assert workshop.encoded == 2 * first
    assert len(list((workshop.cache / "previews").iterdir())) == 2


def test_a_damaged_map_is_replaced(tmp_path: Path) -> None:
    workshop = _Workshop(tmp_path)
    workshop.previewer().learn(encode(video(1)[None]), video(1))
    (kept,) = (workshop.cache / "previews").iterdir()
    good = kept.read_text(encoding="utf-8")
    kept.write_text(good[:100])
    workshop.previewer().learn(encode(video(1)[None]), video(1))
    assert kept.read_text(encoding="utf-8") == good


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    workshop = _Workshop(tmp_path)
    workshop.cache.write_text("a file where the folder should be")
    workshop.previewer().learn(encode(video(1)[None]), video(1))


def test_at_most_eight_pictures_a_second(tmp_path: Path) -> None:
    workshop = _Workshop(tmp_path)
    previewer = workshop.previewer()
    shown = 0
    for _ in range(300):
        workshop.now += 0.01
        shown += previewer.due()
    assert 20 <= shown <= 24


@pytest.fixture
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "MAX_PER_SECOND", 1e9)


@pytest.fixture
def shown_by(tmp_path: Path, every_step: None):
    """Runs a request with previews and gives the lengths of the previews of each chunk."""
    engine = Engine(cache_dir=tmp_path / "cache")

    def show(request) -> dict[int, set[int]]:
        lengths: dict[int, set[int]] = {}
        ready: set[int] = set()
        for event in engine.generate(request, preview=True):
            if isinstance(event, PreviewReady):
                assert event.index not in ready, "a preview after the chunk itself"
                assert event.frames.shape[1:] == (request.height // 8, request.width // 8, 3)
                lengths.setdefault(event.index, set()).add(len(event.frames))
            elif isinstance(event, ChunkReady):
                ready.add(event.index)
        assert ready == lengths.keys()
        return lengths

    return show


def test_every_chunk_is_shown_as_long_as_it_will_be(
    make_request: MakeRequest, shown_by, image: Path, clip: Path
) -> None:
    assert shown_by(make_request(output=None, num_frames=31)) == {0: {6}, 1: {2}}
    image_request = make_request(output=None, mode=Mode.I2V, reference=str(image))
    assert shown_by(image_request) == {0: {6}, 1: {6}}
    for part, sizes in (
        (ClipPart.end(), {0: {4}, 1: {6}, 2: {2}}),
        (ClipPart.start(4 / 24), {0: {5}, 1: {6}, 2: {1}}),
    ):
        request = make_request(output=None, mode=Mode.V2V, reference=str(clip), clip=part)
        assert shown_by(request) == sizes


def test_previews_are_off_unless_asked_for_and_change_nothing(
    make_request: MakeRequest, tmp_path: Path, every_step: None
) -> None:
    engine = Engine(cache_dir=tmp_path / "cache")
    without = run(engine, make_request(output=None))
    assert of_kind(without, PreviewReady) == []
    assert not (tmp_path / "cache" / "previews").exists()
    with_previews = list(engine.generate(make_request(output=None), preview=True))
    assert len(of_kind(with_previews, PreviewReady)) == 6  # as many as there are steps
    np.testing.assert_array_equal(frames_of(with_previews), frames_of(without))
    assert len(list((tmp_path / "cache" / "previews").iterdir())) == 1
