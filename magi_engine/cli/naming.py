"""How to call this program from here."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

_CALL = re.compile(
    r"\bmagi (?=(?:audition|bench|demo|doctor|extend|farm|generate|models|recover|redo|replay"
    r"|resume|serve|settings-of|takes)\b)"
)


def as_typed(text: str) -> str:
    """``text`` with the commands it names, such as ``magi models list``, as they work here.

    In a checkout the program is in an environment that is not on the path.
    """
    found = shutil.which("magi", path=Path(sys.executable).parent)
    if shutil.which("magi") is not None or found is None:
        return text
    own = Path(found).with_suffix("")  # Windows' .exe need not be typed
    try:
        place = os.path.relpath(own) if own.is_relative_to(Path.cwd()) else str(own)
    except OSError:  # the current folder is gone
        place = str(own)
    place = f'"{place}"' if " " in place else place
    return _CALL.sub(lambda _: f"{place} ", text)
