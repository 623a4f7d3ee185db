"""Turning a transformer into the release's fp8 form (spec section 2, "FP8"; paper A.1).

A linear layer computes ``x8 @ w8ᵀ * input_scale * weight_scale``, where ``x8`` and ``w8`` are e4m3.
To make that ``x @ Wᵀ``, with ``a`` and ``b`` chosen so that the largest input and weight meet the
end of the e4m3 range:

- plain: ``x8 = x / a``, ``w8 = W / b``; the file holds ``input_scale = a``, ``weight_scale = b``.
- smoothed: inputs have a few loud channels and weights none, so each channel of the input is first
  divided by a factor ``s`` and that of the weight multiplied by it: ``x8 = x / (s a)``,
  ``w8 = W s / b``; the file holds ``smooth_scale = s a``, and the other two as before.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from magi_engine.config.official import ModelConfig
from magi_engine.errors import DiskFullError, OutputError, WeightsError
from magi_engine.model.dit import VideoDiT
from magi_engine.ops.fp8 import E4M3, E4M3_MAX, Fp8SmoothLinear, Fp8TensorLinear
from magi_engine.weights.provenance import FILE_NAME, Provenance

SMOOTHING = 0.45
"""How much of the inputs' unevenness moves into the weights (paper A.1)."""

_QUIETEST = 1e-3
"""A channel counts as at least this loud, relative to the loudest: calibration is a sample, and
what stayed silent in it (or what no weight reads) must not be divided by zero later."""

_NOTHING = 1e-20
"""Whole layers below this count as zero: scales made from them would leave float32's range."""


def fp8_linears(config: ModelConfig) -> dict[str, type[nn.Module]]:
    """Names of the linear layers that are quantised, and what each becomes."""
    with torch.device("meta"):
        twin = VideoDiT(config, fp8=True)
    return {
        name: type(module)
        for name, module in twin.named_modules()
        if isinstance(module, Fp8TensorLinear | Fp8SmoothLinear)
    }


class InputPeaks:
    """Measures the largest magnitude of every input channel of some linear layers.

    A context manager: inside it the model measures whenever ``recording`` is true.

    Args:
        model: the unquantised transformer.
        names: of the linear layers.

    Attributes:
        peaks: name -> (in,) float32 on the model's device; a layer that has not run while
            recording is absent.
    """

    def __init__(self, model: nn.Module, names: Iterable[str]) -> None:
        self.peaks: dict[str, Tensor] = {}
        self.recording = False
        self._layers = {name: model.get_submodule(name) for name in names}
        self._hooks = contextlib.ExitStack()

    def __enter__(self) -> InputPeaks:
        for name, layer in self._layers.items():
            handle = layer.register_forward_pre_hook(self._hook(name))
            self._hooks.callback(handle.remove)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._hooks.close()

    def _hook(self, name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def measure(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            del module  # the signature is PyTorch's
            if not self.recording:
                return
            peak = inputs[0].detach().abs().flatten(0, -2).amax(dim=0).float()
            before = self.peaks.get(name)
            self.peaks[name] = peak if before is None else torch.maximum(before, peak)

        return measure


def quantise(
    state: Mapping[str, Tensor], config: ModelConfig, peaks: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """The fp8 form of a transformer's weights; what is not quantised stays as it is.

    Args:
        state: official names, bf16 or wider.
        peaks: largest magnitude of every input channel of each of :func:`fp8_linears`.

    Raises:
        WeightsError: a layer's weights or inputs are not finite.
    """
    quantised = dict(state)
    for name, kind in fp8_linears(config).items():
        weight, peak = quantised.pop(f"{name}.weight"), peaks[name].cpu()
        if not (torch.isfinite(weight).all() and torch.isfinite(peak).all()):
            raise WeightsError(
                f"The layer {name} computes with numbers that are not finite.",
                "Use other weights, or calibrate in float32.",
            )
        make = quantise_smoothed if kind is Fp8SmoothLinear else quantise_plain
        quantised |= {f"{name}.{part}": tensor for part, tensor in make(weight, peak).items()}
    return quantised


def quantise_plain(weight: Tensor, peaks: Tensor) -> dict[str, Tensor]:
    """The tensors of an :class:`Fp8TensorLinear` from ``weight`` (out, in) and ``peaks`` (in,)."""
    input_scale, weight_scale = _scale(peaks), _scale(weight)
    return {
        "weight": _e4m3(weight, weight_scale),
        "weight_scale": weight_scale,
        "input_scale": input_scale.repeat(weight.shape[1]),
    }


def quantise_smoothed(weight: Tensor, peaks: Tensor) -> dict[str, Tensor]:
    """The tensors of an :class:`Fp8SmoothLinear` from ``weight`` (out, in) and ``peaks`` (in,)."""
    weight = weight.double()
    inputs, columns = _audible(peaks.double()), _audible(weight.abs().amax(dim=0))
    factors = inputs**SMOOTHING / columns ** (1 - SMOOTHING)  # s, (in,)
    input_scale = _scale(peaks / factors)
    smoothed = weight * factors
    weight_scale = _scale(smoothed)
    return {
        "weight": _e4m3(smoothed, weight_scale),
        "weight_scale": weight_scale,
        "input_scale": input_scale,
        "smooth_scale": (factors * input_scale).float()[None],
    }


def _audible(magnitudes: Tensor) -> Tensor:
    loudest = magnitudes.max()
    if loudest < _NOTHING:
        return torch.ones_like(magnitudes)
    return magnitudes.clamp(min=loudest * _QUIETEST)


def _scale(x: Tensor) -> Tensor:
    """What brings the largest magnitude to the end of the e4m3 range: float32 (1,), never zero."""
    scale = (x.double().abs().amax() / E4M3_MAX).float().reshape(1)
    return torch.where(scale < _NOTHING, 1.0, scale)


def _e4m3(weight: Tensor, scale: Tensor) -> Tensor:
    """(out, in) -> (1, out, in) e4m3."""
    return (weight.float() / scale).clamp(-E4M3_MAX, E4M3_MAX).to(E4M3)[None].contiguous()


# ---- the file


def save_quantised(state: Mapping[str, Tensor], folder: Path, provenance: Provenance) -> Path:
    """Write weights so that the folder never holds half a file; returns its path.

    Raises:
        DiskFullError, OutputError: what was there before is kept.
    """
    path = folder / FILE_NAME
    part = folder / f".{FILE_NAME}.part-{secrets.token_hex(4)}"
    metadata = {
        "format": "pt",
        "recipe": provenance.recipe,
        "source_sha256": provenance.source_sha256,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_file({name: t.contiguous() for name, t in state.items()}, part, metadata=metadata)
        os.replace(part, path)
    except (OSError, SafetensorError) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError("The disk is full.", "Free some space, then try again.") from error
        raise OutputError(
            f"The weights cannot be written to {folder}.",
            "Check that the folder may be written to and that its disk has room.",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    return path
