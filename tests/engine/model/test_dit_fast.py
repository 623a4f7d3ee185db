"""The transformer made fast, against the same one as it was loaded."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from magi_engine.model.captions import CaptionKeys, KnownCaptions
from magi_engine.model.dit import VideoDiT
from magi_engine.ops.attention import attention
from magi_engine.ops.kernels import Kernels
from magi_engine.training.caption_batches import CaptionBatch


def everything(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return attention(q, k, v)


def forward(model: VideoDiT, captions: CaptionBatch | KnownCaptions, **changes: object) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    latents = torch.randn(1, 16, 6, 4, 6, generator=generator)
    arguments: dict = {
        "timesteps": torch.tensor([[0.1, 0.4, 0.9]]),
        "chunk_positions": [3, 4, 5],
        "attend": everything,
    }
    with torch.inference_mode():
        return model(latents, captions=captions, **(arguments | changes))


def embeddings(*lengths: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(2)
    return [torch.randn(length, 16, generator=generator) for length in lengths]


def batch(captions: list[Tensor]) -> CaptionBatch:
    padded = torch.nn.utils.rnn.pad_sequence(captions, batch_first=True)
    return CaptionBatch(padded, tuple(len(c) for c in captions))


def quantised(make_dit, same_inputs: bool) -> VideoDiT:
    """Layer 1 of 3 in fp8, with scales that differ from linear to linear."""
    model = make_dit(num_layers=3, fp8=True)
    generator = torch.Generator().manual_seed(3)
    state = model.state_dict()
    divisor = torch.rand(64, generator=generator) * 0.02 + 0.01
    for name, tensor in state.items():
        if tensor.dtype is torch.float8_e4m3fn:
            tensor.copy_((torch.randn(tensor.shape, generator=generator) * 50).to(tensor.dtype))
        elif name.endswith("weight_scale"):
            tensor.fill_(float(torch.rand((), generator=generator)) * 0.002 + 0.001)
        elif name.endswith("input_scale") and tensor.shape == divisor.shape:
            tensor.copy_(divisor if same_inputs or ".k." not in name else divisor * 2)
    return model


@pytest.mark.parametrize("kind", ["plain", "same inputs", "other inputs"])
def test_fusing_changes_neither_results_nor_names(make_dit, kind: str, relative_error) -> None:
    model = make_dit() if kind == "plain" else quantised(make_dit, kind == "same inputs")
    fast = copy.deepcopy(model)
    fast.speed_up(Kernels())
    linears = fast.layers[1].self_attention.linear_qkv
    assert (linears.fused is None) == (kind == "other inputs")
    captions = batch(embeddings(3, 5, 4))
    error = relative_error(forward(fast, captions), forward(model, captions))
    assert error <= (1e-5 if kind == "plain" else 0.01)
    state, official = fast.state_dict(), model.state_dict()
    assert state.keys() == official.keys()
    for name, tensor in official.items():
        assert state[name].shape == tensor.shape, name
        assert torch.equal(state[name].float(), tensor.float()), name
    fast.speed_up(Kernels())  # once more does nothing
    assert fast.state_dict().keys() == official.keys()


def test_known_captions_are_the_batch_without_computing_twice(make_dit, monkeypatch) -> None:
    model = make_dit()
    first, second = embeddings(3, 7)
    one, other = CaptionKeys(model, first), CaptionKeys(model, second)
    expected = forward(model, batch([first, first, second]))
    known = KnownCaptions([one, one, other])
    assert known.lengths == (3, 3, 7)
    torch.testing.assert_close(forward(model, known), expected, rtol=1e-4, atol=1e-5)
    for layer in model.layers:
        monkeypatch.setattr(layer.self_attention, "caption_keys", None)  # not needed again
    torch.testing.assert_close(forward(model, known), expected, rtol=1e-4, atol=1e-5)
