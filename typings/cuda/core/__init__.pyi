"""NVIDIA's package is there where an NVIDIA GPU may be, and is missing elsewhere."""

from typing import Any

def __getattr__(name: str) -> Any: ...
