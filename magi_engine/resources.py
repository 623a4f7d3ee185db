"""Where the files that ship with the program are, however it was installed."""

from __future__ import annotations

from pathlib import Path

from magi_engine.errors import ModelNotFoundError

_PACKAGE = Path(__file__).resolve().parent


def resource_path(*parts: str) -> Path:
    """Path of a shipped file or folder, such as ``resource_path("pocket", "README.md")``.

    A wheel and a frozen program carry the files inside the package; a source tree has them
    in ``resources/`` beside it.

    Raises:
        ModelNotFoundError: the installation lacks that file.
    """
    for root in (_PACKAGE / "_resources", _PACKAGE.parent / "resources"):
        path = root.joinpath(*parts)
        if path.exists():
            return path
    raise ModelNotFoundError(
        "The file {path} that ships with the program is missing.",
        "Install the program again.",
        path="/".join(parts),
    )
