"""How fast models compute on this machine: measured by earlier jobs, or guessed by the device.

Speeds are operations per second as :mod:`.planning.costs` counts them, so that one job tells of
others with another length, window or size. Needs no PyTorch.
"""

from __future__ import annotations

import functools
import logging
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from magi_engine.json_text import read_cache, write_cache
from magi_engine.runtime.machine.facts import MachineFacts

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
_CORES = {"float32": 40e9, "bfloat16": 60e9}
"""Of one core of a processor; bfloat16 is only used where it has units for it."""
_LOAD_BYTES_PER_S = 2e9
_TEXT_IMPORT_S = 1.5
_ENCODE_S = 0.5
_CUDA_WARM_UP_S = 2.0
"""As measured on an H100 and an H200: kernels are compiled and attentions tried."""


@dataclass(frozen=True)
class Speed:
    """How fast a model computes here, and what comes before that.

    Attributes:
        dit_flops_per_s, vae_flops_per_s: of the transformer and the autoencoder, once they run.
        load_s: loading both.
        text_load_s: loading the text encoder.
        encode_s: encoding one prompt.
        warm_up_s: what the first steps after loading take longer than later ones.

    What is None is not known.
    """

    dit_flops_per_s: float
    vae_flops_per_s: float
    load_s: float | None = None
    text_load_s: float | None = None
    encode_s: float | None = None
    warm_up_s: float | None = None

    def or_else(self, other: Speed) -> Speed:
        """This one, with what it does not know from ``other``."""
        return Speed(
            **{
                name: getattr(other, name) if value is None else value
                for name, value in asdict(self).items()
            }
        )

    def mixed_with(self, newer: Speed) -> Speed:
        """What is known after ``newer`` was measured, too."""
        old, new = asdict(self), asdict(newer)
        return Speed(
            **{
                name: (1 - _NEW_SHARE) * old[name] + _NEW_SHARE * new[name]
                for name in old
                if old[name] is not None and new[name] is not None
            }
            | {name: old[name] for name in old if new[name] is None}
            | {name: new[name] for name in old if old[name] is None}
        )


def several(count: int, name: str) -> str:
    """What several devices of one name are called: they have a speed of their own together."""
    return name if count == 1 else f"{count} x {name}"


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
        data = read_cache(cache_dir / _FILE) or {}
        try:
            return cls(
                {
                    key: {_tokens(n): _checked(Speed(**speed)) for n, speed in sizes.items()}
                    for key, sizes in data.items()
                }
            )
        except (ValueError, TypeError, AttributeError) as error:
            logger.info("the measured speeds cannot be used: %s", error)
            return cls({})

    def measured(self, model: str, device_name: str, dtype: str, tokens: int) -> Speed | None:
        """Of earlier jobs, at the most similar number of tokens in a chunk; None: no such job.

        What was not measured there is taken from the next one.
        """
        sizes = self._known.get(_key(model, device_name, dtype))
        if not sizes:
            return None
        near = sorted(sizes, key=lambda n: abs(math.log(int(n) / tokens)))
        return functools.reduce(Speed.or_else, (sizes[n] for n in near))

    def expected(
        self, model: str, facts: MachineFacts, device: str, dtype: str, tokens: int, guess: Speed
    ) -> tuple[Speed, bool]:
        """What was measured, else what is guessed; and whether anything was measured."""
        name = facts.device_name if device.startswith("cuda") else facts.processor
        known = self.measured(model, name, dtype, tokens)
        return (guess, False) if known is None else (known.or_else(guess), True)

    def note(self, model: str, device_name: str, dtype: str, tokens: int, speed: Speed) -> None:
        """Take in what a job has measured."""
        sizes = self._known.setdefault(_key(model, device_name, dtype), {})
        before = sizes.get(str(tokens))
        sizes[str(tokens)] = speed if before is None else before.mixed_with(speed)

    def save(self, cache_dir: Path) -> None:
        """Write so that there is never half a file; without a word if that fails."""
        data = {
            key: {tokens: asdict(speed) for tokens, speed in sizes.items()}
            for key, sizes in self._known.items()
        }
        write_cache(cache_dir / _FILE, data)


def guessed(
    facts: MachineFacts,
    device: str,
    dtype: str,
    *,
    fp8: bool,
    weight_bytes: int,
    text_bytes: int,
) -> Speed:
    """By the kind of device, for a first estimate.

    Args:
        dtype: the number format of the job.
        fp8: whether the device multiplies 8-bit numbers for this model.
        weight_bytes, text_bytes: what has to be loaded of the model, and of its text encoder.
    """
    warm_up_s = 0.0
    if device.startswith("cuda"):
        rates = next((card[1:] for card in _CARDS if card[0] in facts.device_name), _OTHER_CARD)
        rate, plain = rates[int(fp8)] * _EFFICIENCY, rates[0] * _EFFICIENCY
        warm_up_s = _CUDA_WARM_UP_S
    else:
        rate = plain = _MPS if device.startswith("mps") else _CORES[dtype] * facts.cores
    return Speed(
        rate,
        plain,
        load_s=weight_bytes / _LOAD_BYTES_PER_S,
        text_load_s=_TEXT_IMPORT_S + text_bytes / _LOAD_BYTES_PER_S,
        encode_s=_ENCODE_S,
        warm_up_s=warm_up_s,
    )


_FILE = "speeds.json"


def _key(model: str, device_name: str, dtype: str) -> str:
    return f"{model} | {device_name} | {dtype}"


def _tokens(said: str) -> str:
    if (tokens := int(said)) <= 0:
        raise ValueError("a chunk without tokens")
    return str(tokens)


def _checked(speed: Speed) -> Speed:
    known = [value for value in vars(speed).values() if value is not None]
    if not all(math.isfinite(value) and value >= 0 for value in known):
        raise ValueError("a speed is no number")
    if min(speed.dit_flops_per_s, speed.vae_flops_per_s) <= 0:
        raise ValueError("a speed is zero")
    return speed
