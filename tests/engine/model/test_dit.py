from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from magi_engine.config.official import ModelConfig
from magi_engine.model.dit import VideoDiT
from magi_engine.ops.attention import attention
from magi_engine.training.caption_batches import CaptionBatch
from magi_engine.weights.checkpoint import load_weights

SMALL_45B = ModelConfig(
    num_layers=34,
    hidden_size=3072,
    ffn_hidden_size=12288,
    num_attention_heads=24,
    num_query_groups=8,
    kv_channels=128,
)
LARGE_24B = ModelConfig(
    num_layers=48,
    hidden_size=6144,
    ffn_hidden_size=16384,
    num_attention_heads=48,
    num_query_groups=8,
    kv_channels=128,
    gated_linear_unit=True,
    half_channel_vae=True,
    x_rescale_factor=0.1,
    in_channels=32,
    out_channels=32,
)
GOLDEN = ModelConfig(
    num_layers=4,
    hidden_size=128,
    ffn_hidden_size=256,
    num_attention_heads=8,
    num_query_groups=4,
    kv_channels=16,
    params_dtype="torch.float32",
    caption_channels=64,
)


def on_meta(config: ModelConfig, fp8: bool = False) -> VideoDiT:
    with torch.device("meta"):
        return VideoDiT(config, fp8=fp8)


def shapes_of(path: Path) -> dict[str, tuple[tuple[int, ...], str]]:
    with safe_open(path, "pt") as file:
        slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
        return {name: (tuple(s.get_shape()), s.get_dtype()) for name, s in slices.items()}


@pytest.mark.parametrize("variant", ["gelu", "gated", "fp8"])
def test_names_shapes_and_types_are_the_checkpoints(variant: str, goldens: Path) -> None:
    path = goldens / f"weights_{variant}.safetensors"
    if variant != "gelu" and not path.exists():
        pytest.skip("these weights lie only beside the checkout, with all the reference numbers")
    gated = variant == "gated"
    config = replace(GOLDEN, gated_linear_unit=gated, ffn_hidden_size=ffn_size_of(path))
    model = on_meta(config, fp8=variant == "fp8")
    names = {torch.float32: "F32", torch.float8_e4m3fn: "F8_E4M3"}
    ours = {n: (tuple(t.shape), names[t.dtype]) for n, t in model.state_dict().items()}
    assert ours == shapes_of(path)
    load_weights(model, path)  # strict
    assert not any(tensor.is_meta for tensor in model.state_dict().values())


def ffn_size_of(path: Path) -> int:
    shape, _ = shapes_of(path)["videodit_blocks.layers.0.mlp.linear_fc2.weight"]
    return shape[-1]


def test_the_45b_model_has_as_many_parameters_as_the_released_one() -> None:
    model = on_meta(SMALL_45B)
    assert sum(p.numel() for p in model.parameters()) == 4_459_898_128


def test_the_24b_model_can_be_built() -> None:
    model = on_meta(LARGE_24B)
    shapes = {name: tuple(p.shape) for name, p in model.named_parameters()}
    assert shapes["videodit_blocks.layers.47.mlp.linear_fc1.weight"] == (32768, 6144)
    assert shapes["videodit_blocks.layers.47.mlp.linear_fc2.weight"] == (6144, 16384)
    assert shapes["x_embedder.weight"] == (6144, 32, 1, 2, 2)
    assert shapes["final_linear.linear.weight"] == (128, 6144)
    assert 23e9 < sum(p.numel() for p in model.parameters()) < 25e9


def test_an_fp8_model_keeps_its_first_and_last_layer() -> None:
    plain, quantised = on_meta(GOLDEN).state_dict(), on_meta(GOLDEN, fp8=True).state_dict()
    eight_bit = {n for n, t in quantised.items() if t.dtype is torch.float8_e4m3fn}
    linears = "linear_qkv.(q|qx|k|v)|linear_proj|linear_fc1|linear_fc2"
    expected = {
        n
        for n in plain
        if re.fullmatch(rf"videodit_blocks\.layers\.[12]\..*({linears})\.weight", n)
    }
    assert eight_bit == expected
    assert {n for n in plain if n not in quantised} == set()
    added = {n for n in quantised if n not in plain}
    smooth = {n.replace("weight", "smooth_scale") for n in expected if re.search("proj|fc2", n)}
    scales = {n.replace("weight", s) for n in expected for s in ("weight_scale", "input_scale")}
    assert added == scales | smooth
    assert all(quantised[n].shape == (1, *plain[n].shape) for n in expected)


def test_what_the_release_keeps_in_float32_stays_there() -> None:
    model = on_meta(replace(GOLDEN, params_dtype="torch.bfloat16"))
    wide = {n for n, t in model.state_dict().items() if t.dtype is torch.float32}
    parts = (
        r"[xty]_embedder\..*|rope\.bands|final_linear\..*|videodit_blocks\.final_layernorm\..*"
        r"|videodit_blocks\.layers\.\d\.(self_attn_post_norm|mlp_post_norm"
        r"|self_attention\.[qk]_layernorm)\..*"
    )
    assert wide == {n for n in model.state_dict() if re.fullmatch(parts, n)}
    assert {t.dtype for n, t in model.state_dict().items() if n not in wide} == {torch.bfloat16}


def test_default_bands_are_powers_of_ten_thousand(make_dit) -> None:
    model = make_dit(hidden_size=256, kv_channels=32)
    expected = torch.tensor([1, 1e-1, 1e-2, 1e-3])
    torch.testing.assert_close(model.rope.bands.detach(), expected, rtol=1e-5, atol=0)


# --- one forward -----------------------------------------------------------------------------


def everything(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return attention(q, k, v)


def inputs(videos: int, chunks: int, seed: int = 0) -> tuple[Tensor, Tensor, CaptionBatch]:
    generator = torch.Generator().manual_seed(seed)
    lengths = tuple((3, 7, 5, 1, 6, 2)[: videos * chunks])
    captions = torch.randn(videos * chunks, max(lengths), 16, generator=generator)
    latents = torch.randn(videos, 16, 2 * chunks, 4, 6, generator=generator)
    return (
        latents,
        torch.rand(videos, chunks, generator=generator),
        CaptionBatch(captions, lengths),
    )


@torch.inference_mode()
def test_videos_of_one_batch_do_not_mix(make_dit) -> None:
    model = make_dit()
    latents, times, captions = inputs(videos=2, chunks=3)
    codes = torch.tensor([8.0, 32.0])
    together = model(
        latents, times, captions, chunk_positions=[4, 5, 6], attend=everything, step_code=codes
    )
    for i in range(2):
        rows = slice(3 * i, 3 * i + 3)
        alone = model(
            latents[i : i + 1],
            times[i : i + 1],
            CaptionBatch(captions.embeddings[rows], captions.lengths[rows]),
            chunk_positions=[4, 5, 6],
            attend=everything,
            step_code=codes[i : i + 1],
        )
        torch.testing.assert_close(together[i : i + 1], alone, rtol=1e-4, atol=1e-5)


@torch.inference_mode()
def test_everything_that_goes_in_changes_what_comes_out(make_dit) -> None:
    model = make_dit()
    latents, times, captions = inputs(videos=1, chunks=2)

    def run(**changes: object) -> Tensor:
        arguments: dict = {
            "latents": latents,
            "timesteps": times,
            "captions": captions,
            "chunk_positions": [0, 1],
            "attend": everything,
        }
        return model(**(arguments | changes))

    usual = run()
    assert usual.shape == latents.shape
    assert usual.dtype is torch.float32
    assert torch.equal(run(), usual)
    other_caption = CaptionBatch(captions.embeddings + 0.5, captions.lengths)
    for change in (
        {"latents": latents + 0.1},
        {"timesteps": times + 0.01},
        {"captions": other_caption},
        {"captions": CaptionBatch(captions.embeddings, (3, 6))},
        {"chunk_positions": [0, 2]},
        {"unconditional": True},
        {"step_code": torch.tensor(8.0)},
        {"attend": lambda layer, q, k, v: v.repeat_interleave(2, dim=2)},
    ):
        assert (run(**change) - usual).norm() > 1e-3 * usual.norm(), next(iter(change))
    shifted = run(chunk_positions=[5, 6])  # only distances in time matter
    torch.testing.assert_close(shifted, usual, rtol=1e-3, atol=1e-4)


@torch.inference_mode()
def test_each_chunk_has_its_own_time_and_caption(make_dit) -> None:
    model = make_dit()
    latents, times, captions = inputs(videos=1, chunks=2)

    def alone(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        halves = (x.chunk(2, dim=1) for x in (q, k, v))
        return torch.cat([attention(*parts) for parts in zip(*halves, strict=True)], dim=1)

    def run(times: Tensor, captions: CaptionBatch) -> tuple[Tensor, ...]:
        out = model(latents, times, captions, chunk_positions=[0, 1], attend=alone)
        return out.chunk(2, dim=2)

    first, second = run(times, captions)
    other_time = times.clone()
    other_time[0, 1] += 0.2
    other_words = captions.embeddings.clone()
    other_words[1] += 1
    for changed in (
        run(other_time, captions),
        run(times, CaptionBatch(other_words, captions.lengths)),
    ):
        assert torch.equal(changed[0], first)
        assert (changed[1] - second).norm() > 1e-3 * second.norm()


@torch.inference_mode()
def test_patches_are_the_convolution_of_the_checkpoint(make_dit) -> None:
    model = make_dit()
    latents, _, _ = inputs(videos=2, chunks=1)
    expected = model.x_embedder(latents).flatten(2).transpose(1, 2)
    torch.testing.assert_close(
        model._embed(model.own_tokens(latents, 1)), expected, rtol=1e-5, atol=1e-5
    )


def test_gradients_reach_every_parameter(make_dit) -> None:
    model = make_dit()
    latents, times, captions = inputs(videos=1, chunks=2)
    for unconditional in (False, True):
        model(
            latents,
            times,
            captions,
            chunk_positions=[0, 1],
            attend=everything,
            unconditional=unconditional,
        ).square().sum().backward()
    missing = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert missing == []


def test_the_null_caption_has_fifty_tokens(make_dit) -> None:
    model = make_dit()
    table = model.y_embedder.null_caption_embedding
    assert torch.equal(model.null_caption(), table[:50])


@torch.inference_mode()
def test_latents_that_go_in_twice_and_scaled_come_out_once_and_scaled_back(make_dit) -> None:
    """The 24B models' ``half_channel_vae`` and ``x_rescale_factor``, spelled out."""
    wide = make_dit(half_channel_vae=True, x_rescale_factor=0.1, in_channels=32, out_channels=32)
    plain = make_dit(in_channels=32, out_channels=32)
    plain.load_state_dict(wide.state_dict())
    latents, times, captions = inputs(videos=2, chunks=2)
    rest: dict = {"chunk_positions": [0, 1], "attend": everything}
    found = wide(latents, times, captions, **rest)
    doubled = torch.cat([latents, latents], dim=1) * 0.1
    expected = plain(doubled, times, captions, **rest)[:, :16] / 0.1
    assert found.shape == latents.shape
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
