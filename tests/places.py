"""Where a user's things are, moved below a folder of a test's own, on every system."""

from __future__ import annotations

from pathlib import Path

import pytest


def user_places(folder: Path) -> dict[str, str]:
    """Variables of the environment with which this program keeps everything below ``folder``.

    On Linux each kind of things has a folder in it (data, cache, ...); Windows has one for all but
    the videos. Both systems' variables are set: each leaves the other's alone.
    """
    kinds = ("config", "data", "cache", "state")
    linux = {f"XDG_{kind.upper()}_HOME": str(folder / kind) for kind in kinds}
    local = ("LOCAL_APPDATA", "APPDATA", "COMMON_APPDATA")
    windows = {f"WIN_PD_OVERRIDE_{name}": str(folder / "local") for name in local}
    videos = str(folder / "videos")
    return {**linux, **windows, "XDG_VIDEOS_DIR": videos, "WIN_PD_OVERRIDE_MYVIDEO": videos}


def move_places(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Have this process and what it starts keep everything below ``folder``."""
    for name, value in user_places(folder).items():
        patch.setenv(name, value)
