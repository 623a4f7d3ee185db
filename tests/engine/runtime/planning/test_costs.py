"""What is counted ahead against what the modules then really do."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from magi_engine.config.official import EngineConfig, MagiConfig, ModelConfig, RuntimeConfig
from magi_engine.config.registry import Registry
from magi_engine.config.sizes import PART_TOKENS, TILES_AT_ONCE
from magi_engine.config.vae import Tile, VaeConfig
from magi_engine.model.dit import VideoDiT
from magi_engine.model.special_tokens import SpecialTokens
from magi_engine.model.vae import ViTVAE
from magi_engine.resources import resource_path
from magi_engine.runtime.planning.costs import DitCosts, counted, decode_flops
from magi_engine.runtime.planning.footprint import (
    DitWeights,
    kept_bytes,
    vae_weight_bytes,
    work_bytes,
)
from magi_engine.runtime.planning.placement import Sizes
from magi_engine.sampling.cache import RollingCache
from magi_engine.sampling.events import ChunkDone
from magi_engine.sampling.noise import SeededNoise
from magi_engine.sampling.prompts import CaptionTrack
from magi_engine.sampling.sampler import Sampler
from magi_engine.sampling.schedule import SamplerSettings, forwards, legal_steps
from tests.engine.sampling.test_cache import LiveBytes


def _plain_track(model: VideoDiT) -> CaptionTrack:
    width = model.config.caption_channels
    tokens = SpecialTokens({}, torch.zeros(8, width))
    return CaptionTrack(torch.zeros(5, width), tokens, ())


CONFIGS = ("4.5B_distill_quant", "4.5B_base", "24B_distill_quant", "24B_base")


@pytest.mark.parametrize("name", CONFIGS)
def test_weights_are_counted_to_the_byte(name: str) -> None:
    config = MagiConfig.from_json(resource_path("configs", f"{name}_config.json"))
    fp8 = config.engine_config.fp8_quant
    with torch.device("meta"):
        model = VideoDiT(config.model_config, fp8=fp8)
    weights = DitWeights.of(config.model_config, fp8, 2)
    assert weights.total == sum(t.nbytes for t in model.state_dict().values())
    layers = [sum(t.nbytes for t in layer.state_dict().values()) for layer in model.layers]
    assert list(weights.layers) == layers


@pytest.mark.parametrize("changes", [{}, {"use_final_proj": True, "ln_in_attn": False}])
def test_the_autoencoder_is_counted_to_the_byte(changes: dict[str, Any]) -> None:
    vae = dataclasses.replace(VaeConfig(), **changes)
    with torch.device("meta"):
        model = ViTVAE(vae)
    assert vae_weight_bytes(vae, 4) == sum(t.nbytes for t in model.state_dict().values())


def test_the_cache_is_counted_to_the_byte() -> None:
    config = ModelConfig(2, 64, 96, 8, 4, 8)
    cache = RollingCache(config, 4, 6, 24, torch.device("cpu"), torch.bfloat16)
    assert kept_bytes(config, 4, 24, 2) + work_bytes(config, 6, 24, 2) == cache.nbytes


def test_operations_are_those_of_the_baselines() -> None:
    """The numbers that were worked out by hand for 720x720 and the 4.5B model."""
    config = MagiConfig.from_json(resource_path("configs", "4.5B_distill_quant_config.json"))
    costs = DitCosts.of_model(config.model_config, 12_150)
    assert costs.linear == pytest.approx(98.7e12, rel=0.02)
    assert costs.attention == pytest.approx(61.7e12, rel=0.01)
    schedule = list(forwards(SamplerSettings.from_config(config), 4))
    assert sum(len(seen) for f in schedule for seen in f.seen) == 83
    assert sum(sum(seen) for f in schedule for seen in f.seen) == 163
    one = dataclasses.replace(costs, linear=1.0, attention=100.0)
    whole = counted(SamplerSettings.from_config(config), 4, 0)
    assert sum(map(one.of, whole)) == 83 + 100 * 163
    assert sum(forward.finishes for forward in whole) == 4
    heavy = DitCosts.of_model(config.model_config, 12_150, attention_weight=2.0)
    assert (heavy.linear, heavy.attention) == (costs.linear, 2 * costs.attention)


def test_operations_of_decoding_are_those_pytorch_counts() -> None:
    vae = VaeConfig(embed_dim=256, depth=2, num_heads=4)
    with torch.device("meta"):
        model = ViTVAE(vae)
        latents = torch.zeros(1, 16, 6, 40, 40)
    tile = Tile.released(24)
    # PyTorch's counter does not know every kernel of attention.
    kinds = ("_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_attention_math")
    known = {getattr(torch.ops.aten, kind): _attention_flops for kind in kinds}
    with FlopCounterMode(display=False, custom_mapping=known) as counter:
        model.decode(latents, tile)
    counted = decode_flops(vae, tile, 6, 320, 320)
    assert counted == pytest.approx(counter.get_total_flops(), rel=0.05)


def _attention_flops(q: Any, k: Any, v: Any, *_args: Any, **_kwargs: Any) -> int:
    n, heads, queries, size = q
    return 2 * n * heads * queries * k[2] * (size + v[3])


@pytest.mark.parametrize(
    ("dtype", "fp8", "window", "part_tokens", "videos"),
    [
        ("float32", False, 4, PART_TOKENS, 1),
        ("float32", False, 4, 100, 1),
        ("bfloat16", True, 1, PART_TOKENS, 1),
        ("bfloat16", True, 1, 192, 1),
        ("float32", False, 4, PART_TOKENS, 5),
        ("bfloat16", True, 4, 192, 9),
    ],
)
def test_predicted_memory_is_what_tensors_take(
    dtype: str, fp8: bool, window: int, part_tokens: int, videos: int
) -> None:
    """Every tensor of a whole video, or of the first chunks of a batch of several, is accounted, as
    on a CPU: the peak is predicted within 5 %.

    The layers' shapes are those of the 4.5B model, seven times smaller on each side.
    """
    model_config = ModelConfig(
        3, 128, 512, 8, 4, 16, params_dtype=f"torch.{dtype}", caption_channels=16
    )
    # The first chunks of a batch take their most in the second step of a stage.
    steps = 4 if videos == 1 else 8
    runtime = RuntimeConfig(num_steps=steps, window_size=window, video_size_h=128, video_size_w=128)
    config = MagiConfig(model_config, runtime, EngineConfig(distill=True, fp8_quant=fp8))
    model = VideoDiT(model_config, fp8=fp8).eval().requires_grad_(False)
    model.part_tokens = part_tokens
    vae = VaeConfig()
    itemsize = 4 if dtype == "float32" else 2
    chunks = 6 if videos == 1 else 1
    sizes = Sizes.of(config, vae, chunks, 0, itemsize, on_card=False)
    sizes = dataclasses.replace(sizes, videos=videos)
    sampler = Sampler(model, SamplerSettings.from_config(config))
    with LiveBytes() as memory:
        for event in sampler.sample(
            height=16,
            width=16,
            captions=_plain_track(model),
            noise=SeededNoise(1),
            num_chunks=chunks,
            along=[(_plain_track(model), SeededNoise(seed)) for seed in range(2, videos + 1)],
        ):
            del event
    predicted = sizes.kept_bytes() + sizes.work_bytes() + sizes.denoising_bytes(part_tokens)
    # Of a batch, the keys and values are freed before what is widened takes their place.
    assert predicted == pytest.approx(memory.peak, rel=0.05 if videos == 1 else 0.08)


def _result_alone(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """An attention that holds nothing but its result, as every kernel of a card does."""
    del k, v
    return torch.empty_like(q)


def _shapes() -> Iterator[str]:
    """Configurations of every model; those in fp8 have the shapes of the others."""
    for entry in Registry.load().entries:
        if not MagiConfig.from_json(resource_path(entry.config)).engine_config.fp8_quant:
            yield entry.config


@pytest.mark.parametrize("name", list(_shapes()))
def test_every_model_takes_what_its_modules_hold(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At full size, on PyTorch's meta device: the sampler until its window was full, and decoding a
    chunk. Videos to their end are above.

    Of its layers, which are alike, there is one, and of the autoencoder's there are two.
    """
    config = MagiConfig.from_json(resource_path(name))
    model_config = dataclasses.replace(config.model_config, num_layers=1)
    window = config.runtime_config.window_size
    steps = next(legal_steps(window, len(config.runtime_config.noise2clean_kvrange)))
    config = dataclasses.replace(
        config,
        model_config=model_config,
        runtime_config=dataclasses.replace(config.runtime_config, num_steps=steps),
    )
    vae = VaeConfig(depth=2)
    with torch.device("meta"):
        model = VideoDiT(model_config).eval().requires_grad_(False)
        decoder = ViTVAE(vae).to(model.dtype).eval().requires_grad_(False)
    sizes = Sizes.of(config, vae, window, 0, model.dtype.itemsize, on_card=False)
    model.attention = _result_alone
    model.rope.bands = nn.Parameter(torch.ones(model_config.kv_channels // 8), False)
    null = torch.zeros(50, model_config.caption_channels)
    monkeypatch.setattr(model, "null_caption", lambda: null)
    runtime = config.runtime_config
    height, width = (
        side // vae.patch_size for side in (runtime.video_size_h, runtime.video_size_w)
    )
    with LiveBytes() as memory:
        for event in Sampler(model, SamplerSettings.from_config(config)).sample(
            height=height,
            width=width,
            captions=_plain_track(model),
            noise=SeededNoise(1),
            num_chunks=window,
        ):
            if isinstance(event, ChunkDone):
                break
    predicted = sizes.kept_bytes() + sizes.work_bytes() + sizes.denoising_bytes(PART_TOKENS)
    assert predicted == pytest.approx(memory.peak, rel=0.05)
    latents = torch.empty(1, 16, runtime.chunk_width, height, width, device="meta")
    with torch.inference_mode(), LiveBytes() as memory:
        decoder.decode(latents.to(model.dtype), Tile.released(runtime.fps))
    assert sizes.decoding_bytes(TILES_AT_ONCE) == pytest.approx(memory.peak, rel=0.05)


@pytest.mark.parametrize(
    ("changes", "side", "tiles", "dtype"),
    [
        ({}, 384, 8, "float32"),
        ({}, 384, 1, "bfloat16"),
        ({}, 64, 8, "float32"),
        ({"use_final_proj": True, "ln_in_attn": False}, 256, 2, "float32"),
    ],
)
def test_predicted_memory_of_decoding_is_what_tensors_take(
    changes: dict[str, Any], side: int, tiles: int, dtype: str
) -> None:
    vae = VaeConfig(embed_dim=256, depth=2, num_heads=4, **changes)
    runtime = RuntimeConfig(video_size_h=side, video_size_w=side)
    config = MagiConfig(ModelConfig(2, 64, 96, 8, 4, 8), runtime, EngineConfig(distill=True))
    sizes = Sizes.of(config, vae, 6, 0, getattr(torch, dtype).itemsize, False)
    model = ViTVAE(vae).to(getattr(torch, dtype)).eval().requires_grad_(False)
    model.tiles_at_once = tiles
    latents = torch.randn(1, 16, 6, side // 8, side // 8, dtype=getattr(torch, dtype))
    with torch.inference_mode(), LiveBytes() as memory:
        model.decode(latents, Tile.released(24))
    assert sizes.decoding_bytes(tiles) == pytest.approx(memory.peak, rel=0.05)
