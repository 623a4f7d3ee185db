"""How fast models compute on this machine: measured by earlier jobs, or guessed by the device.

Speeds are operations per second as :mod:`magi_engine.runtime.workload` counts them, so that one
job tells of others with another length, window or size. Needs no PyTorch.
"""

from __future__ import annotations

import logging
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from magi_engine.runtime.kept import keep, read_kept

logger = logging.getLogger(__name__)

_NEW_SHARE = 0.5
"""What the latest job counts beside all before it."""
_EFFICIENCY = 0.4
"""Share of its data sheet a graphics card was seen to reach."""

# Dense products per second with bfloat16 and with 8-bit numbers, from the makers' data sheets.
_CARDS = (
    ("H200", 989e12, 1979e12),
    ("H100", 989e12, 1979e12),
    ("A100", 312e12, 312e12),
    ("L40S", 362e12, 733e12),
    ("RTX 5090", 209e12, 419e12),
    ("RTX 4090", 165e12, 330e12),
    ("RTX 4080", 97e12, 195e12),
    ("RTX 3090", 71e12, 71e12),
)
_OTHER_CARD = (40e12, 40e12)
_MPS = 3e12
_CORE = 40e9
"""Of one core of a processor, float32."""
_START_S = 2.0
_LOAD_BYTES_PER_S = 1e9


@dataclass(frozen=True)
class Speed:
    """Operations per second of the transformer and the autoencoder; seconds of loading both."""

    dit_flops_per_s: float
    vae_flops_per_s: float
    load_s: float


def attention_weight(device: str, fp8: bool) -> float:
    """How much longer an operation of attention takes than one of the linear layers.

    On GPUs by the rates the layers and the attention were measured at on an H100.
    """
    if not device.startswith("cuda"):
        return 1.0
    return 2.3 if fp8 else 1.35


class Speeds:
    """What is known of the speed here, kept in ``<cache_dir>/speeds.json``."""

    def __init__(self, known: dict[str, dict[str, Speed]]) -> None:
        self._known = known

    @classmethod
    def load(cls, cache_dir: Path) -> Speeds:
        """What was kept; nothing if the file is missing or damaged."""
        data = read_kept(cache_dir / _FILE) or {}
        try:
            return cls(
                {
                    key: {str(int(n)): _checked(Speed(**speed)) for n, speed in sizes.items()}
                    for key, sizes in data.items()
                }
            )
        except (ValueError, TypeError, AttributeError) as error:
            logger.info("the measured speeds cannot be used: %s", error)
            return cls({})

    def measured(self, model: str, device_name: str, dtype: str, tokens: int) -> Speed | None:
        """Of earlier jobs, at the most similar number of tokens in a chunk; None: no such job."""
        sizes = self._known.get(_key(model, device_name, dtype))
        if not sizes:
            return None
        return sizes[min(sizes, key=lambda n: abs(math.log(int(n) / tokens)))]

    def note(self, model: str, device_name: str, dtype: str, tokens: int, speed: Speed) -> None:
        """Take in what a job has measured."""
        sizes = self._known.setdefault(_key(model, device_name, dtype), {})
        before = sizes.get(str(tokens))
        if before is not None:
            old, new = asdict(before), asdict(speed)
            mixed = {n: (1 - _NEW_SHARE) * old[n] + _NEW_SHARE * new[n] for n in old}
            if speed.load_s == 0:  # everything was in memory already
                mixed["load_s"] = before.load_s
            speed = Speed(**mixed)
        sizes[str(tokens)] = speed

    def save(self, cache_dir: Path) -> None:
        """Write so that there is never half a file; without a word if that fails."""
        data = {
            key: {tokens: asdict(speed) for tokens, speed in sizes.items()}
            for key, sizes in self._known.items()
        }
        keep(cache_dir / _FILE, data)


def guessed(device: str, device_name: str, cores: int, fp8: bool, weight_bytes: int) -> Speed:
    """By the kind of device, for a first estimate.

    Args:
        fp8: whether it multiplies 8-bit numbers for this model.
        weight_bytes: what has to be loaded.
    """
    load_s = _START_S + weight_bytes / _LOAD_BYTES_PER_S
    if device.startswith("cuda"):
        rates = next((card[1:] for card in _CARDS if card[0] in device_name), _OTHER_CARD)
        rate, plain = rates[int(fp8)] * _EFFICIENCY, rates[0] * _EFFICIENCY
        return Speed(rate, plain, load_s)
    rate = _MPS if device.startswith("mps") else _CORE * cores
    return Speed(rate, rate, load_s)


_FILE = "speeds.json"


def _key(model: str, device_name: str, dtype: str) -> str:
    return f"{model} | {device_name} | {dtype}"


def _checked(speed: Speed) -> Speed:
    if not all(math.isfinite(v) and v >= 0 for v in asdict(speed).values()):
        raise ValueError("a speed is no number")
    if min(speed.dit_flops_per_s, speed.vae_flops_per_s) <= 0:
        raise ValueError("a speed is zero")
    return speed
