"""A whole job against its memory plan: every way to place it, and every tensor accounted.

On a CPU both ends of every copy are in the same memory, so what is compared is the sum of both. On
a GPU (``python -m pytest tests/engine/runtime/models/test_memory_peak.py -s``) it is the card's
own count.
"""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from magi_engine.config.official import MagiConfig, ModelConfig
from magi_engine.config.vae import VaeConfig
from magi_engine.runtime import engine as engine_module
from magi_engine.runtime.engine import Engine
from magi_engine.runtime.models.loaded import LoadedModel
from magi_engine.runtime.models.preview import PreviewMap
from magi_engine.runtime.planning import placement as plans
from magi_engine.runtime.planning.placement import Placement, Sizes, placements
from magi_engine.runtime.request.request import (
    GenerationRequest,
    Mode,
    PromptChange,
    SamplingOverrides,
)
from magi_engine.runtime.request.validation import configured
from magi_engine.weights.layout import find_model
from tests.engine.conftest import write_random_model
from tests.engine.runtime.outcomes import checked, finished, frames_of
from tests.engine.sampling.test_cache import LiveBytes

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU here")
CHUNKS = 4


@pytest.fixture(scope="module")
def vae() -> VaeConfig:
    # Without the norms within attention, whose fused form takes less than the plain one.
    return VaeConfig(embed_dim=256, depth=1, num_heads=4, ln_in_attn=False)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, vae: VaeConfig) -> Path:
    """Layers in the proportions of the 4.5B model's."""
    dit = ModelConfig(
        num_layers=4,
        hidden_size=256,
        ffn_hidden_size=1024,
        num_attention_heads=8,
        num_query_groups=4,
        kv_channels=32,
        params_dtype="torch.float32",
        caption_channels=16,
        caption_max_length=32,
    )
    return write_random_model(tmp_path_factory.mktemp("small"), dit, vae)


@pytest.fixture
def no_garbage() -> Iterator[None]:
    """Nothing waits for the garbage collector, and it does not come in between."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def request_of(config: Path, window: int, side: int, device: str) -> GenerationRequest:
    return GenerationRequest(
        mode=Mode.T2V,
        model="tiny_config",
        width=side,
        height=side,
        num_frames=24 * CHUNKS,
        prompts=(PromptChange(0, "a red circle"),),
        config_path=str(config),
        sampling=SamplingOverrides(num_steps=4, window_size=window),
        device=device,
        dtype="float32" if device == "cpu" else "bfloat16",
    )


def sizes_of(request: GenerationRequest, vae: VaeConfig, on_card: bool) -> Sizes:
    config = configured(MagiConfig.from_json(Path(request.config_path or "")), request)
    itemsize = 4 if request.dtype == "float32" else 2
    return Sizes.of(config, vae, CHUNKS, 0, itemsize, on_card)


def only(monkeypatch: pytest.MonkeyPatch, way: Placement) -> None:
    monkeypatch.setattr(plans, "place", lambda sizes, *free: (way,))


WAYS = [
    Placement(0, 0, part_tokens=200, tiles_at_once=2),
    Placement(0, 0, offloaded_layers=(0, 2), cache_on_host=True),
    Placement(0, 0, offloaded_layers=(0, 1, 2, 3), cache_on_host=True),
]


def test_the_peak_of_every_way_is_predicted(
    small: Path,
    vae: VaeConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    no_garbage: None,
) -> None:
    request = request_of(small, 1, 128, "cpu")
    sizes = sizes_of(request, vae, on_card=True)
    monkeypatch.setattr(type(sizes), "rounded_bytes", lambda _: 0)  # no processor rounds
    expected: np.ndarray | None = None
    for way in (plans._counted(sizes, way) for way in WAYS):
        only(monkeypatch, way)
        with LiveBytes() as memory:
            frames = frames_of(checked(list(Engine(cache_dir=tmp_path).generate(request))))
        everything = way.device_bytes - plans._CUDA_LIBRARY_BYTES
        everything += way.host_bytes - plans._CUDA_PROCESS_BYTES
        made = frames.nbytes  # which this test holds on to
        assert everything == pytest.approx(memory.peak - made, rel=0.05), way
        if expected is not None:
            assert np.abs(frames.astype(int) - expected).max() <= 1
        expected = frames


def test_the_plan_of_a_processor_is_the_one_in_use(
    small: Path, vae: VaeConfig, tmp_path: Path, no_garbage: None
) -> None:
    request = request_of(small, 2, 128, "cpu")
    (way,) = placements(sizes_of(request, vae, on_card=False))
    engine = Engine(cache_dir=tmp_path)
    with LiveBytes() as memory:
        for event in engine.generate(request):
            del event
    model = engine._models._model
    assert model is not None
    assert model.placement == way
    assert way.device_bytes == pytest.approx(memory.peak, rel=0.05)


@needs_cuda
@pytest.mark.parametrize("window", [1, 4])
def test_the_peak_on_a_card_is_predicted(
    tmp_path: Path, window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large enough for what PyTorch and its libraries hold beside tensors to be little."""
    vae = VaeConfig(embed_dim=1024, depth=4, num_heads=16)
    dit = ModelConfig(12, 3072, 12288, 24, 8, 128, caption_channels=16)
    config = write_random_model(tmp_path, dit, vae)
    request = request_of(config, window, 512, "cuda")
    frames: list[np.ndarray] = []
    for way in placements(sizes_of(request, vae, on_card=True)):
        only(monkeypatch, way)
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        events = checked(list(Engine(cache_dir=tmp_path / "cache").generate(request)))
        assert finished(events).frames == 24 * CHUNKS
        frames.append(frames_of(events))
        measured = torch.cuda.max_memory_allocated()
        predicted = way.device_bytes - plans._CUDA_LIBRARY_BYTES
        print(
            f"window {window}: predicted {predicted / 2**30:.2f} GiB, "
            f"measured {measured / 2**30:.2f} ({measured / predicted:.3f}), "
            f"beside {way.decodes_beside}, {len(way.offloaded_layers)} layers offloaded, "
            f"history on host {way.cache_on_host}, parts of {way.part_tokens}"
        )
        assert measured < 1.05 * predicted


@needs_cuda
def test_a_small_card_gets_a_smaller_plan(
    small: Path, vae: VaeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is free decides in the job itself, and the video stays the same but for rounding."""
    request = request_of(small, 1, 128, "cuda")
    ways = list(placements(sizes_of(request, vae, on_card=True)))
    look = engine_module.look_around
    videos = []
    for way in (ways[0], ways[-1]):

        def facts(*arguments: object, way: Placement = way) -> object:
            return dataclasses.replace(look(*arguments), vram_free_bytes=way.device_bytes)  # type: ignore[arg-type]

        monkeypatch.setattr(engine_module, "look_around", facts)
        engine = Engine(cache_dir=tmp_path)
        videos.append(frames_of(checked(list(engine.generate(request)))).astype(int))
        model = engine._models._model
        assert model is not None
        assert model.placement == way
        assert model.dit.offloaded == way.offloaded_layers
    assert np.abs(videos[0] - videos[1]).mean() < 2


def test_the_first_preview_takes_less_than_decoding_a_tile(small: Path, vae: VaeConfig) -> None:
    """All its colours are encoded in one batch, which the plan has room for."""
    model = LoadedModel(find_model(small), torch.device("cpu"), torch.float32)
    model.load_vae()
    request = request_of(small, 1, 256, "cpu")
    with LiveBytes() as memory:
        previews = PreviewMap.calibrated(model.encode)
    assert previews.picture(torch.zeros(1, 16, 1, 2, 2)).shape == (1, 2, 2, 3)
    assert 0 < memory.peak < sizes_of(request, vae, on_card=True).decoding_bytes(tiles=1)
