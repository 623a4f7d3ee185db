from __future__ import annotations

from typing import TypeVar

import numpy as np
import pytest
import torch
from torch import Tensor

from magi_engine.ops.fp8 import (
    E4M3,
    E4M3_MAX,
    Fp8SmoothLinear,
    Fp8TensorLinear,
    _scaled_matmul,
    fp8_matmul,
    has_fp8_matmul,
    to_e4m3,
)


def rounded(x: np.ndarray, mantissa_bits: int, smallest_exponent: int) -> np.ndarray:
    """Round to a floating-point grid, ties to even, in float64 and without any bit tricks."""
    exponent = np.floor(np.log2(np.maximum(np.abs(x), np.finfo(np.float64).tiny)))
    step = 2.0 ** (np.maximum(exponent, smallest_exponent) - mantissa_bits)
    return np.round(x / step) * step


def quantised(x: Tensor, scale: Tensor) -> np.ndarray:
    """The spec's "clamp(x / scale) -> bf16 -> e4m3"; the division and the clamp are float32."""
    divided = x.numpy().astype(np.float32) / scale.numpy().astype(np.float32)
    clamped = np.clip(divided.astype(np.float64), -448.0, 448.0)
    return rounded(rounded(clamped, 7, -126), 3, -6)


def wide_random(*shape: int, seed: int) -> Tensor:
    """Numbers over many magnitudes, from below e4m3's smallest to far above its largest."""
    generator = torch.Generator().manual_seed(seed)
    exponents = torch.rand(shape, generator=generator) * 24 - 12
    return torch.randn(shape, generator=generator) * 2**exponents


def test_every_e4m3_number_is_hit_exactly() -> None:
    numbers = torch.arange(256, dtype=torch.uint8).view(E4M3).float()
    numbers = numbers[numbers.isfinite()]
    assert numbers.max() == E4M3_MAX
    assert torch.equal(to_e4m3(numbers, torch.tensor(1.0)).float(), numbers)
    np.testing.assert_array_equal(rounded(numbers.double().numpy(), 3, -6), numbers.numpy())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (17.0, 16.0),  # ties go to the even neighbour ...
        (19.0, 20.0),
        (17.01, 16.0),  # ... and bf16 comes first: 17.01 is 17 there
        (17.13, 18.0),
        (2**-10, 0.0),  # half of the smallest number
        (3 * 2**-10, 2**-8),
        (448.5, 448.0),  # clamped, never NaN
        (1e30, 448.0),
        (-1e30, -448.0),
        (float("inf"), 448.0),
    ],
)
def test_rounding_and_clamping(value: float, expected: float) -> None:
    assert to_e4m3(torch.tensor([value]), torch.tensor(1.0)).float().item() == expected


@pytest.mark.parametrize("seed", range(4))
def test_quantising_is_exact_against_float64(seed: int) -> None:
    x = wide_random(500, 40, seed=seed)
    scale = torch.rand(40, generator=torch.Generator().manual_seed(seed)) + 0.05
    actual = to_e4m3(x, scale).double().numpy()
    np.testing.assert_array_equal(actual, quantised(x, scale))
    assert (np.abs(actual) == 448).any(), "some of these must have been clamped"


def grid_numbers(*shape: int, seed: int) -> Tensor:
    """E4M3 numbers whose sums of products are exact in float32."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.randint(-15, 16, shape, generator=generator) / 8).to(E4M3)


def test_products_are_exact() -> None:
    x, weight = grid_numbers(6, 32, seed=1), grid_numbers(10, 32, seed=2)
    scales = torch.tensor(0.25), torch.tensor(8.0)
    expected = x.double() @ weight.double().T * 2
    assert torch.equal(fp8_matmul(x, weight, *scales).double(), expected)


Layer = TypeVar("Layer", bound=Fp8TensorLinear | Fp8SmoothLinear)


def filled(layer: Layer, seed: int) -> Layer:
    generator = torch.Generator().manual_seed(seed)
    for name, buffer in layer.named_buffers():
        if name == "weight":
            buffer.copy_(torch.randn(buffer.shape, generator=generator).to(E4M3))
        else:
            buffer.copy_(torch.rand(buffer.shape, generator=generator) + 0.05)
    return layer


def test_tensor_linear_divides_elementwise_and_multiplies_back_the_first_scale() -> None:
    layer = filled(Fp8TensorLinear(48, 20, torch.float32), seed=3)
    x = wide_random(2, 7, 48, seed=4)
    scale = layer.input_scale
    assert len(scale.unique()) > 1, "a uniform scale would hide the difference"
    x8, weight = quantised(x, scale), layer.weight[0].double().numpy()
    expected = x8 @ weight.T * scale[0].item() * layer.weight_scale.item()
    assert_equal_but_for_summation(layer(x), expected, x8, weight, scale[0], layer.weight_scale)


def test_smooth_linear_divides_by_one_scale_and_multiplies_back_another() -> None:
    layer = filled(Fp8SmoothLinear(48, 20, torch.float32), seed=5)
    x = wide_random(2, 7, 48, seed=6)
    x8, weight = quantised(x, layer.smooth_scale[0]), layer.weight[0].double().numpy()
    expected = x8 @ weight.T * layer.input_scale.item() * layer.weight_scale.item()
    assert_equal_but_for_summation(
        layer(x), expected, x8, weight, layer.input_scale, layer.weight_scale
    )


def assert_equal_but_for_summation(
    actual: Tensor,
    expected: np.ndarray,
    x8: np.ndarray,
    weight: np.ndarray,
    x_scale: Tensor,
    weight_scale: Tensor,
) -> None:
    """The float32 sum of exact products may be off by some last bits of its largest terms."""
    terms = np.abs(x8) @ np.abs(weight).T * x_scale.item() * weight_scale.item()
    assert (np.abs(actual.double().numpy() - expected) <= 1e-6 * terms).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_results_have_the_dtype_of_the_layer(dtype: torch.dtype) -> None:
    for kind in (Fp8TensorLinear, Fp8SmoothLinear):
        layer = filled(kind(16, 32, dtype), seed=7)
        out = layer(torch.ones(3, 2, 16, dtype=torch.bfloat16))
        assert out.shape == (3, 2, 32)
        assert out.dtype is dtype


def test_released_weights_fit_the_buffers() -> None:
    tensor = {
        n: (tuple(b.shape), b.dtype)
        for n, b in Fp8TensorLinear(6, 4, torch.float32).named_buffers()
    }
    smooth = {
        n: (tuple(b.shape), b.dtype)
        for n, b in Fp8SmoothLinear(6, 4, torch.float32).named_buffers()
    }
    shared = {"weight": ((1, 4, 6), E4M3), "weight_scale": ((1,), torch.float32)}
    assert tensor == shared | {"input_scale": ((6,), torch.float32)}
    assert smooth == shared | {
        "input_scale": ((1,), torch.float32),
        "smooth_scale": ((1, 6), torch.float32),
    }


def test_the_cpu_multiplies_in_float32() -> None:
    assert not has_fp8_matmul(torch.device("cpu"))


@pytest.mark.skipif(
    not torch.cuda.is_available() or not has_fp8_matmul(torch.device("cuda")),
    reason="needs a GPU with e4m3 matrix units",
)
@pytest.mark.parametrize("rows", [1, 7, 64, 300])
def test_the_gpu_gives_what_the_emulation_gives(rows: int) -> None:
    for kind in (Fp8TensorLinear, Fp8SmoothLinear):
        layer = filled(kind(128, 96, torch.float32), seed=8)
        x = wide_random(2, rows, 128, seed=9).clamp(-40, 40)
        on_cpu = layer(x)
        on_gpu = layer.to("cuda")(x.to("cuda")).cpu()
        torch.testing.assert_close(on_gpu, on_cpu, rtol=2e-3, atol=2e-3 * on_cpu.abs().max().item())


@pytest.mark.parametrize("wide", [torch.bfloat16, torch.float16])
def test_wider_products_are_scaled_in_their_own_format(wide: torch.dtype) -> None:
    x, weight = grid_numbers(7, 48, seed=1).to(wide), grid_numbers(5, 48, seed=2).to(wide)
    expected = x.double() @ weight.double().t() * 0.371
    actual = _scaled_matmul(x, weight, 0.371)
    assert actual.dtype is wide
    # Not every processor rounds but once.
    step = torch.finfo(wide).eps * expected.abs()
    assert ((actual.double() - expected).abs() <= 1.01 * step).all()


def test_the_factor_of_a_layer_is_that_of_its_input_and_its_weight() -> None:
    for layer in (Fp8TensorLinear(8, 4, torch.float32), Fp8SmoothLinear(8, 4, torch.float32)):
        layer.input_scale.fill_(0.25)
        layer.weight_scale.fill_(0.5)
        assert layer.factor == 0.125
