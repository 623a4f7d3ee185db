# Ray is only there for a farm.
from typing import Any

def __getattr__(name: str) -> Any: ...
