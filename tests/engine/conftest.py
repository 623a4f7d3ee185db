"""Small real models for the engine's tests, and the measure of error the goldens use."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from magi_engine.config.official import ModelConfig
from magi_engine.model.dit import VideoDiT

MakeDit = Callable[..., VideoDiT]
RelativeError = Callable[[Tensor, Tensor], float]


@pytest.fixture(scope="session")
def relative_error() -> RelativeError:
    """Relative L2 distance of two tensors of one shape; a wrong shape is an error of its own."""

    def measure(actual: Tensor, expected: Tensor) -> float:
        assert actual.shape == expected.shape
        difference = actual.double() - expected.double()
        return (difference.norm() / expected.double().norm()).item()

    return measure


@pytest.fixture(scope="session")
def make_dit() -> MakeDit:
    """Builds a tiny transformer with every parameter random; keywords go to its ModelConfig."""

    def make(seed: int = 0, fp8: bool = False, **overrides: object) -> VideoDiT:
        shape: dict[str, object] = {
            "num_layers": 2,
            "hidden_size": 64,
            "ffn_hidden_size": 96,
            "num_attention_heads": 8,
            "num_query_groups": 4,
            "kv_channels": 8,
            "params_dtype": "torch.float32",
            "caption_channels": 16,
            "caption_max_length": 60,
        }
        model = VideoDiT(ModelConfig(**(shape | overrides)), fp8=fp8)  # type: ignore[arg-type]
        return fill_with_noise(model, seed)

    return make


def fill_with_noise(model: VideoDiT, seed: int) -> VideoDiT:
    """Nothing stays zero or one, so that no part of the model can be left out unnoticed."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name == "rope.bands":
                continue
            noise = torch.randn(parameter.shape, generator=generator)
            fan_in = parameter[0].numel() if parameter.dim() > 1 else 10
            parameter.copy_(noise * fan_in**-0.5)
    return nn.Module.eval(model)  # type: ignore[return-value]
