"""What building and checking installers needs beside the program: groups of pyproject.toml."""

from __future__ import annotations

import tomllib

import dev


def install(*groups: str) -> None:
    """Bring dependency groups, pinned as everything else, into ``.venv``.

    Raises:
        SetupError: pip could not.
    """
    project = tomllib.loads((dev.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = project["dependency-groups"]
    dev.pip_install("-q", *(tool for group in groups for tool in listed[group]))
