"""Triton comes with PyTorch where there is an NVIDIA GPU; a checker reads its kernels wrongly."""

from typing import Any

def __getattr__(name: str) -> Any: ...
