"""What a new video is called and where it goes."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from magi_engine.errors import OutputError
from magi_engine.media import free_name
from magi_engine.runtime.request.request import GenerationRequest

_MOST_LETTERS = 48
_SUFFIXES = {"mp4": ".mp4", "webm": ".webm", "gif": ".gif", "webp": ".webp", "png": ""}


def wished_name(prompt: str, mode: str, seed: int, file_format: str) -> Path:
    """A readable name from the prompt: ``red circle moves left 42.mp4``."""
    words = re.findall(r"[^\W_]+", prompt)
    name = ""
    for word in words:
        if len(name) + len(word) > _MOST_LETTERS:
            break
        name = f"{name} {word}".strip()
    return Path(f"{name or mode} {seed}{_SUFFIXES[file_format]}")


def with_output(request: GenerationRequest, folder: Path) -> GenerationRequest:
    """The request with its wish of a name turned into a free path in ``folder``.

    Raises:
        OutputError: the folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            "The folder for videos cannot be made: {folder}",
            "Choose another in the preferences.",
            folder=folder,
        ) from error
    wish = Path(request.output or "video.mp4").name
    return dataclasses.replace(request, output=str(free_name(folder / wish)))
