"""Where the program keeps things, as each system wants it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from magi_engine.config.places import FOLDER

APP_NAME = "Magi Desktop"


@dataclass(frozen=True)
class Places:
    """Folders and files of one user. Nothing is made until something is written."""

    config: Path
    data: Path
    cache: Path
    logs: Path
    videos: Path
    """Where videos go unless the user chooses another folder."""

    @classmethod
    def of_user(cls) -> Places:
        """The usual places; ``MAGI_DESKTOP_HOME`` puts all of them below one folder."""
        home = os.environ.get("MAGI_DESKTOP_HOME")
        if home:
            root = Path(home)
            names = ("config", "data", "cache", "logs", "videos")
            return cls(*(root / name for name in names))
        dirs = platformdirs.PlatformDirs(FOLDER, appauthor=False)
        return cls(
            dirs.user_config_path,
            dirs.user_data_path,
            dirs.user_cache_path,
            dirs.user_log_path,
            dirs.user_videos_path / APP_NAME,
        )

    @property
    def settings_file(self) -> Path:
        """Preferences, window, drafts, presets, prompt history."""
        return self.config / "settings.json"

    @property
    def engine_key(self) -> Path:
        """The key of an engine on another computer."""
        return self.config / "engine.key"

    @property
    def remote(self) -> Path:
        """Which videos another computer makes for this one."""
        return self.data / "remote"

    @property
    def database(self) -> Path:
        """Queue and library."""
        return self.data / "magi.sqlite3"

    @property
    def pasted(self) -> Path:
        """Pictures that came from a browser or the clipboard."""
        return self.data / "pasted"

    @property
    def environments(self) -> Path:
        """What an installed program runs from; made by its set-up."""
        return self.data / "environments"

    @property
    def thumbnails(self) -> Path:
        """Small pictures of videos; may be deleted at any time."""
        return self.cache / "thumbnails"

    @property
    def installers(self) -> Path:
        """Newer versions of the program on their way; may be deleted at any time."""
        return self.cache / "updates"

    @property
    def log_file(self) -> Path:
        """The log; older ones beside it end in .1, .2 ..."""
        return self.logs / "magi-desktop.log"

    @property
    def engine_log(self) -> Path:
        """What the engine's process logs, and what its libraries say when they crash."""
        return self.logs / "engine.log"

    @property
    def install_log(self) -> Path:
        """The same of the process that downloads and converts models."""
        return self.logs / "install.log"
