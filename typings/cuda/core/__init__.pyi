"""NVIDIA's package comes with this one where there may be an NVIDIA GPU, and is missing elsewhere."""

from typing import Any

def __getattr__(name: str) -> Any: ...
