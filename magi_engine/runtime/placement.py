"""Where the parts of a model live while it generates."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class WeightsPlace(enum.Enum):
    """Where the transformer's layers are."""

    DEVICE = "device"
    """All in the device's memory, all the time."""
    STREAMED = "streamed"
    """In pinned host memory; each is copied to the device just before it is its turn."""


class CachePlace(enum.Enum):
    """Where keys and values of earlier chunks are."""

    DEVICE = "device"
    HOST = "host"


@dataclass(frozen=True)
class Placement:
    """One way to run a request. Sizes are in bytes.

    Attributes:
        weights, cache: see there.
        vae_tiles: tiles the autoencoder decodes at once.
        device_bytes: predicted peak in the device's memory, what PyTorch itself takes included.
        host_bytes: the same of the host's memory. If the device is the CPU, all of it is here.
    """

    weights: WeightsPlace
    cache: CachePlace
    vae_tiles: int
    device_bytes: int
    host_bytes: int
