"""Turning a transformer into the release's fp8 form (spec section 2, "FP8"; paper A.1).

A linear layer computes ``x8 @ w8ᵀ * input_scale * weight_scale``, where ``x8`` and ``w8`` are e4m3.
To make that ``x @ Wᵀ``, with ``a`` and ``b`` chosen so that the largest input and weight meet the
end of the e4m3 range:

- plain: ``x8 = x / a``, ``w8 = W / b``; the file holds ``input_scale = a``, ``weight_scale = b``.
- smoothed: inputs have a few loud channels and weights none, so each channel of the input is first
  divided by a factor ``s`` and that of the weight multiplied by it: ``x8 = x / (s a)``,
  ``w8 = W s / b``; the file holds ``smooth_scale = s a``, and the other two as before.

How the weights are rounded goes beyond the paper where the layer is not too wide, see ``rounding``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from magi_engine.config.official import ModelConfig
from magi_engine.errors import WeightsError
from magi_engine.model.dit import VideoDiT
from magi_engine.ops.fp8 import E4M3_MAX, Fp8SmoothLinear, Fp8TensorLinear
from magi_engine.weights.checkpoint import Checkpoint, fit_checkpoint
from magi_engine.weights.growing import GrowingFile
from magi_engine.weights.provenance import FILE_NAME, WIDEST_COMPENSATED, Provenance
from magi_engine.weights.rounding import compensated_e4m3, nearest_e4m3
from magi_engine.weights.shards import Shard, TensorInfo, ZstdShard

SMOOTHING = 0.45
"""How much of the inputs' unevenness moves into the weights (paper A.1)."""

_SCALES = ("weight_scale", "input_scale", "smooth_scale")

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


@dataclass(frozen=True)
class Inputs:
    """What was measured of the inputs of a linear layer.

    Attributes:
        peaks: (in,) float32, the largest magnitude of each channel.
        products: (in, in) float32, the sum of ``x xᵀ`` over all of them; None for very wide layers.
    """

    peaks: Tensor
    products: Tensor | None


@functools.lru_cache(maxsize=16)
def inputs_bytes(config: ModelConfig) -> int:
    """Size of what is measured of all its layers."""
    # Those between the first and the last one are alike, and they alone are quantised.
    few = dataclasses.replace(config, num_layers=min(3, config.num_layers))
    with torch.device("meta"):
        weights = VideoDiT(few).state_dict()
    widths = {input_name(name): weights[f"{name}.weight"].shape[1] for name in fp8_linears(few)}
    numbers = sum(n + (n * n if n <= WIDEST_COMPENSATED else 0) for n in widths.values())
    return 4 * numbers * max(1, config.num_layers - 2)


class InputRecorder:
    """Measures the inputs of some linear layers.

    A context manager: inside it the model measures whenever ``recording`` is true.

    Args:
        model: the unquantised transformer.
        names: of the linear layers.
        inputs: what was measured before; it is added to, and nobody else holds on to its tensors.

    Attributes:
        inputs: by :func:`input_name`, on the model's device; those of a layer that has not run
            while recording are absent.
    """

    def __init__(
        self, model: nn.Module, names: Iterable[str], inputs: dict[str, Inputs] | None = None
    ) -> None:
        self.inputs: dict[str, Inputs] = {} if inputs is None else inputs
        self.recording = False
        # Layers of one input are measured at one of them.
        self._layers = {input_name(name): _layer(model, name) for name in names}
        self._hooks = contextlib.ExitStack()

    def __enter__(self) -> InputRecorder:
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
            rows = inputs[0].detach().flatten(0, -2).float()
            peaks = rows.abs().amax(dim=0)
            products = rows.mT @ rows if rows.shape[1] <= WIDEST_COMPENSATED else None
            before = self.inputs.get(name)
            if before is not None:
                peaks = torch.maximum(peaks, before.peaks.to(peaks.device))
                if products is not None and before.products is not None:
                    products += before.products.to(products.device)
            self.inputs[name] = Inputs(peaks, products)

        return measure


def input_name(layer: str) -> str:
    """What the input of a linear layer is called: q, qx, k and v have one in common."""
    parent, _, _ = layer.rpartition(".")
    return parent if parent.endswith("linear_qkv") else layer


def _layer(model: nn.Module, name: str) -> nn.Module:
    """The linear layer, or the one that it and its neighbours have been fused into."""
    parent = model.get_submodule(name.rpartition(".")[0])
    return getattr(parent, "fused", None) or model.get_submodule(name)


def quantise(
    state: Mapping[str, Tensor], config: ModelConfig, inputs: Mapping[str, Inputs]
) -> dict[str, Tensor]:
    """The fp8 form of a transformer's weights; what is not quantised stays as it is.

    Args:
        state: official names, bf16 or wider.
        inputs: of each of :func:`fp8_linears`, by :func:`input_name`.

    Raises:
        WeightsError: a layer's weights or inputs are not finite.
    """
    quantised = dict(state)
    for name, kind in fp8_linears(config).items():
        weight = quantised.pop(f"{name}.weight")
        quantised |= _parts(name, kind, weight, inputs[input_name(name)])
    return quantised


def _parts(name: str, kind: type[nn.Module], weight: Tensor, inputs: Inputs) -> dict[str, Tensor]:
    if not (torch.isfinite(weight).all() and torch.isfinite(inputs.peaks).all()):
        raise WeightsError(
            "The layer {name} computes with numbers that are not finite.",
            "Use other weights, or calibrate in float32.",
            name=name,
        )
    make = quantise_smoothed if kind is Fp8SmoothLinear else quantise_plain
    return {f"{name}.{part}": tensor for part, tensor in make(weight, inputs).items()}


def quantise_plain(weight: Tensor, inputs: Inputs) -> dict[str, Tensor]:
    """The tensors of an :class:`Fp8TensorLinear` from ``weight`` (out, in)."""
    input_scale, weight_scale = _scale(inputs.peaks.to(weight.device)), _scale(weight)
    return {
        "weight": _rounded(weight / weight_scale, inputs.products),
        "weight_scale": weight_scale,
        "input_scale": input_scale.repeat(weight.shape[1]),
    }


def quantise_smoothed(weight: Tensor, inputs: Inputs) -> dict[str, Tensor]:
    """The tensors of an :class:`Fp8SmoothLinear` from ``weight`` (out, in)."""
    weight, peaks = weight.double(), inputs.peaks.to(weight.device).double()
    channels, columns = _audible(peaks), _audible(weight.abs().amax(dim=0))
    factors = channels**SMOOTHING / columns ** (1 - SMOOTHING)  # s, (in,)
    input_scale = _scale(peaks / factors)
    smoothed = weight * factors
    weight_scale = _scale(smoothed)
    products = inputs.products
    if products is not None:
        products = (products.to(weight.device) / factors / factors[:, None]).float()
    return {
        "weight": _rounded(smoothed / weight_scale, products),
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


def _rounded(weight: Tensor, products: Tensor | None) -> Tensor:
    """(out, in) in units of its scale -> (1, out, in) e4m3."""
    if products is None:
        return nearest_e4m3(weight)[None].contiguous()
    return compensated_e4m3(weight, products.to(weight.device))[None]


# ---- the file


def quantise_file(
    source: Path,
    config: ModelConfig,
    inputs: Mapping[str, Inputs],
    folder: Path,
    provenance: Provenance,
    device: torch.device | str = "cpu",
) -> Generator[float, None, None]:
    """Write the fp8 form of the checkpoint ``source`` into ``folder``, tensor by tensor.

    Memory never holds more than one tensor and what is made of it. Stopped at any point, it goes
    on where it was; the weights have their name only once they are complete.

    Args:
        inputs: as for :func:`quantise`.
        device: where it is computed.

    Yields:
        The fraction done.

    Raises:
        ModelNotFoundError, WeightsError: the source is damaged, or no such model.
        DiskFullError, OutputError: it cannot be written.
    """
    with torch.device("meta"):
        twin = VideoDiT(config)
        wanted = VideoDiT(config, fp8=True).state_dict()
    checkpoint = Checkpoint.open(source)
    fit_checkpoint(twin, checkpoint)
    linears = fp8_linears(config)
    infos: dict[str, TensorInfo] = {}
    origin: dict[str, str] = {}
    located = checkpoint.locate()
    for stored, (_, info) in located.items():
        layer = stored.removesuffix(".weight")
        names = [stored]
        if layer in linears:
            names += [f"{layer}.{part}" for part in _SCALES if f"{layer}.{part}" in wanted]
        for name in names:
            meta = wanted[name]
            infos[name] = TensorInfo(
                tuple(meta.shape), meta.dtype if layer in linears else info.dtype
            )
            origin[name] = stored
    with GrowingFile(folder / FILE_NAME, infos, provenance.metadata) as file:
        missing: dict[str, list[str]] = {}
        for name in file.missing:
            missing.setdefault(origin[name], []).append(name)
        for stored, tensor in _one_by_one(located, list(missing)):
            made, layer = {stored: tensor}, stored.removesuffix(".weight")
            if layer in linears:
                measured = inputs[input_name(layer)]
                made = _parts(layer, linears[layer], tensor.to(device), measured)
            for name in missing[stored]:
                file.write(name, [made[name].cpu()])
                yield 1 - len(file.missing) / len(infos)
        file.finish()


def _one_by_one(
    located: Mapping[str, tuple[Shard, TensorInfo]], names: Sequence[str]
) -> Iterator[tuple[str, Tensor]]:
    """Some tensors, in the order in which they were located."""
    cpu = torch.device("cpu")
    for shard, here in itertools.groupby(names, lambda name: located[name][0]):
        if isinstance(shard, ZstdShard):
            yield from shard.tensors(set(here), cpu)  # as a stream, which has no middle to open
        else:
            # Opened for each tensor, so that pages of the mapped file do not pile up.
            for name in here:
                yield from shard.tensors({name}, cpu)


@dataclass(frozen=True)
class KeptInputs:
    """What calibration had measured when it was interrupted, or when it was done.

    Attributes:
        inputs: by :func:`input_name`.
        captions: how many captions they come from.
    """

    inputs: dict[str, Inputs]
    captions: int


def save_inputs(path: Path, inputs: Mapping[str, Inputs], captions: int, key: str) -> None:
    """Keep what calibration has measured; errors as of :func:`quantise_file`."""
    tensors = {
        f"{name}.{part}": tensor
        for name, measured in inputs.items()
        for part, tensor in vars(measured).items()
        if tensor is not None
    }
    infos = {name: TensorInfo(tuple(t.shape), t.dtype) for name, t in tensors.items()}
    with GrowingFile(path, infos, {"key": key, "captions": str(captions)}) as file:
        for name in file.missing:
            file.write(name, [tensors[name].cpu()])
        file.finish()


def read_inputs(path: Path, key: str, mapped: bool) -> KeptInputs:
    """What was kept under this key; of no caption if nothing was, or it cannot be read.

    Args:
        mapped: leave the tensors in the file, which on Windows can then be neither replaced nor
            removed; False: copy them.
    """
    try:
        with safe_open(path, framework="pt") as file:
            noted = file.metadata() or {}
            if noted.get("key") != key:
                return KeptInputs({}, 0)
            found: dict[str, Tensor] = {}
            for name in file.keys():  # noqa: SIM118 (not a mapping)
                tensor = file.get_tensor(name)
                found[name] = tensor if mapped else tensor.clone()
            captions = int(noted["captions"])
    except (OSError, SafetensorError, KeyError, ValueError):
        return KeptInputs({}, 0)
    names = [name.removesuffix(".peaks") for name in found if name.endswith(".peaks")]
    inputs = {n: Inputs(found[f"{n}.peaks"], found.get(f"{n}.products")) for n in names}
    return KeptInputs(inputs, captions)
