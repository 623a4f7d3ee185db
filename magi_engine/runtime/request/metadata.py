"""The request behind a video that this program made."""

from __future__ import annotations

import json
from pathlib import Path

from magi_engine.errors import InvalidRequestError, MediaReadError
from magi_engine.json_text import read_json
from magi_engine.media.metadata import read_metadata
from magi_engine.runtime.request.request import GenerationRequest


def read_request(path: str | Path) -> GenerationRequest:
    """The request in a video's metadata, or in a ``.json`` file.

    Raises:
        MediaReadError: the file is missing or unreadable.
        InvalidRequestError: it holds no request, or one of a newer program.
    """
    path = Path(path)
    text = _read_json_file(path) if path.suffix.lower() == ".json" else read_metadata(path)
    if text is None:
        raise InvalidRequestError(
            "{name} carries no settings of this program.",
            "Choose a video that was generated with it.",
            name=path.name,
        )
    return GenerationRequest.from_json(text)


def names_another_computer(request: GenerationRequest) -> InvalidRequestError | None:
    """What to say of a request that came with a file and names files of another computer."""
    shared = None if request.start is None else request.start.video
    return refusal_of(request.config_path, request.reference, shared)


def refusal_of(*paths: str | None) -> InvalidRequestError | None:
    """What to say where a file that came from somewhere names files of another computer.

    Windows would greet that computer with the user's name and a hash of their password.
    """
    for path in paths:
        if path is not None and len(path) > 1 and set(path[:2]) <= set("/\\"):
            return InvalidRequestError(
                "The settings name a file on another computer, which is not opened: {path}",
                "Choose it yourself if you trust it.",
                path=path,
            )
    return None


def _read_json_file(path: Path) -> str:
    try:
        return json.dumps(read_json(path))
    except (OSError, ValueError) as error:
        raise MediaReadError(
            "{path} cannot be read.", "Check the name and the folder.", path=path
        ) from error
