"""The request behind a video that this program made."""

from __future__ import annotations

from pathlib import Path

from magi_engine.errors import InvalidRequestError, MediaReadError
from magi_engine.media.metadata import read_metadata
from magi_engine.runtime.request import GenerationRequest


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


def _read_json_file(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MediaReadError(
            "{path} cannot be read.", "Check the name and the folder.", path=path
        ) from error
