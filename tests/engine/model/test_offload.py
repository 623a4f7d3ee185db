"""Layers that come from the host one after the other, against the same that are just there."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from magi_engine.model.block import parts_of
from magi_engine.model.captions import CaptionKeys, KnownCaptions
from magi_engine.model.dit import VideoDiT
from magi_engine.ops.attention import attention
from magi_engine.ops.kernels import Kernels


def forward(model: VideoDiT, videos: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    latents = torch.randn(videos, 16, 6, 4, 6, generator=generator)
    times = torch.tensor([[0.1, 0.4, 0.9]]).expand(videos, -1)
    with torch.inference_mode():
        keys = CaptionKeys(model, torch.randn(5, 16, generator=generator))
        return model(
            latents,
            times,
            KnownCaptions([keys] * 3 * videos),
            chunk_positions=[3, 4, 5],
            attend=lambda layer, q, k, v: attention(q, k, v),
        )


@pytest.mark.parametrize("fp8", [False, True])
@pytest.mark.parametrize("offloaded", [(0, 1, 2, 3, 4), (0, 1, 2, 3), (0, 2, 4), (3,)])
def test_streaming_changes_nothing(make_dit, offloaded: tuple[int, ...], fp8: bool) -> None:
    model = make_dit(num_layers=5, fp8=fp8).requires_grad_(False)
    model.speed_up(Kernels())
    expected = forward(model)
    model.offload(offloaded)
    assert model.offloaded == offloaded
    for _ in range(3):  # the first, and those that find layers there from the one before
        assert torch.equal(forward(model), expected)
    with torch.inference_mode():  # as when memory runs out in the middle of a video
        model.offload((1, 2))
    assert torch.equal(forward(model), expected)
    assert not any(p.is_inference() for p in model.parameters())
    model.offload(())
    assert model.offloaded == ()
    assert torch.equal(forward(model), expected)


def test_streamed_layers_share_two_places(make_dit) -> None:
    model = make_dit(num_layers=6).requires_grad_(False)
    model.offload(range(6))
    forward(model)
    storages = {
        p.untyped_storage().data_ptr() for layer in model.layers for p in layer.parameters()
    }
    assert len(storages) == 2


def test_a_forward_that_broke_off_is_no_harm(make_dit) -> None:
    model = make_dit(num_layers=5).requires_grad_(False)
    expected = forward(model)
    model.offload(range(5))
    broken = model.layers[2].mlp.forward

    def fail(normed: Tensor) -> Tensor:
        raise torch.OutOfMemoryError

    model.layers[2].mlp.forward = fail
    with pytest.raises(torch.OutOfMemoryError):
        forward(model)
    model.layers[2].mlp.forward = broken
    assert torch.equal(forward(model), expected)


def test_without_room_on_the_host_the_layers_stay_whole(
    make_dit, monkeypatch: pytest.MonkeyPatch
) -> None:
    from magi_engine.model import offload

    model = make_dit(num_layers=4).requires_grad_(False)
    expected = forward(model)
    given = iter([True, True, False])
    really = offload.host_buffer

    def limited(*arguments: object) -> Tensor:
        if not next(given):
            raise MemoryError
        return really(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(offload, "host_buffer", limited)
    with pytest.raises(MemoryError):
        model.offload(range(4))
    assert model.offloaded == ()
    assert torch.equal(forward(model), expected)


@pytest.mark.parametrize("videos", [1, 2])
@pytest.mark.parametrize("most", [36, 24, 12, 7, 5, 1])
def test_parts_change_nothing(make_dit, videos: int, most: int) -> None:
    model = make_dit().requires_grad_(False)
    expected = forward(model, videos)
    model.part_tokens = most
    torch.testing.assert_close(forward(model, videos), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("most", [1, 5, 12, 24, 30, 36, 100])
@pytest.mark.parametrize(("videos", "chunks"), [(1, 1), (1, 5), (3, 1), (2, 3)])
def test_parts_cover_every_token_once(videos: int, chunks: int, most: int) -> None:
    covered = torch.zeros(videos, chunks * 12, dtype=torch.int64)
    chunk = torch.arange(chunks).repeat_interleave(12).expand(videos, -1)
    for part in parts_of(videos, chunks, 12, most):
        covered[part.rows] += 1
        assert covered[part.rows].numel() <= most
        assert set(chunk[part.rows].flatten().tolist()) == set(range(chunks)[part.chunks])
        count = (part.videos.stop - part.videos.start) * (part.chunks.stop - part.chunks.start)
        assert part.captions.stop - part.captions.start == count
    assert bool((covered == 1).all())
