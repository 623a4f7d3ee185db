"""Everything that is remembered between two starts, in one versioned JSON file."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QCoreApplication, QObject, QTimer, Signal, Slot

from magi_desktop import background
from magi_engine import atomic
from magi_engine.errors import DISK_FULL
from magi_engine.json_text import read_json

logger = logging.getLogger(__name__)

VERSION = 1
MIGRATIONS: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""From version N to N + 1. Every one of them has a test."""

_SAVE_DELAY_MS = 400

translate = QCoreApplication.translate


class SettingsFile(QObject):
    """The settings as sections of JSON values. Sections and keys it does not know are kept.

    A damaged file is moved aside and replaced; a file of an older program is backed up before it
    is brought up to date; that of a newer program is left alone, and nothing is saved then.
    """

    noticed = Signal(str)
    """A sentence about a save that failed."""

    def __init__(
        self,
        path: Path,
        version: int = VERSION,
        migrations: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = MIGRATIONS,
    ) -> None:
        super().__init__()
        self.path = path
        self.notice: str | None = None
        """What the user should be told about the file, in a sentence."""
        self._version, self._migrations = version, migrations
        self._read_only = False
        self._save_failed_before = False
        self._data = self._load()
        self._written = self._text()
        # One thread, so that saves keep their order.
        self._pool = background.Pool(self)
        self._timer = QTimer(self, singleShot=True, interval=_SAVE_DELAY_MS)
        self._timer.timeout.connect(self._save_later)

    def section(self, name: str) -> dict[str, Any]:
        """A copy of a section; empty if there is none."""
        value = self._data.get(name)
        return copy.deepcopy(value) if isinstance(value, dict) else {}

    def set_section(self, name: str, values: Mapping[str, Any]) -> None:
        """Change keys of a section and save soon; its other keys stay."""
        merged = {**self.section(name), **values}
        if merged != self._data.get(name):
            self._data[name] = merged
            self._timer.start()

    def replace_section(self, name: str, values: Mapping[str, Any]) -> None:
        """Set a whole section and save soon."""
        if values != self._data.get(name):
            self._data[name] = dict(values)
            self._timer.start()

    def flush(self) -> None:
        """Save what is not saved yet, now: before the program ends."""
        self._pool.waitForDone()
        self._timer.stop()
        text = self._text()
        if text != self._written:  # perhaps for want of room that there is now
            try:
                self._write(text)
            except OSError:
                logger.exception("the settings could not be saved")

    @Slot()
    def _save_later(self) -> None:
        self._pool.run(self._write, self._text(), then=self._saved, failed=self._save_failed)

    def _saved(self, _: None) -> None:
        self._save_failed_before = False

    def _save_failed(self, error: Exception) -> None:
        logger.error("the settings could not be saved: %s", error)
        if self._save_failed_before:  # once is enough: the next one will fail likewise
            return
        self._save_failed_before = True
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            why = translate(
                "SettingsFile", "The disk is full: the settings cannot be saved. Free some space."
            )
        else:
            why = translate(
                "SettingsFile",
                "The settings cannot be saved in {}. Check that you may write there.",
            ).format(self.path.parent)
        self.noticed.emit(why)

    def _text(self) -> str:
        # In ASCII: names of files may hold what UTF-8 cannot.
        return json.dumps({**self._data, "version": self._version}, indent=2)

    def _write(self, text: str) -> None:
        if not self._read_only:
            atomic.write_text(self.path, text)
            self._written = text

    def _load(self) -> dict[str, Any]:
        if not os.path.lexists(self.path):
            return {}
        try:
            data = read_json(self.path)
            version = data["version"]
            if type(version) is not int:
                raise ValueError("the version is not a number")
            if version > self._version:
                return self._leave_alone(
                    translate(
                        "SettingsFile",
                        "The settings belong to a newer version of this program and are left "
                        "alone.",
                    )
                )
            return self._migrated(data, version)
        except OSError as error:
            logger.error("the settings cannot be read or backed up: %s", error)
            return self._leave_alone(
                translate("SettingsFile", "The settings cannot be read; the usual ones are used.")
            )
        except Exception as error:  # a migration may stumble over anything
            logger.error("the settings are damaged", exc_info=error)
            return self._start_afresh()

    def _migrated(self, data: dict[str, Any], version: int) -> dict[str, Any]:
        if version < self._version:
            shutil.copy2(self.path, self.path.with_suffix(f".version-{version}.json"))
        for old in range(version, self._version):
            data = self._migrations[old](data)
        return data

    def _leave_alone(self, why: str) -> dict[str, Any]:
        self._read_only = True
        self.notice = why
        return {}

    def _start_afresh(self) -> dict[str, Any]:
        kept = self.path.with_suffix(f".corrupt-{time.strftime('%Y%m%d-%H%M%S')}.json")
        try:
            self.path.replace(kept)
        except OSError as error:
            logger.error("damaged settings cannot be moved: %s", error)
            return self._leave_alone(
                translate("SettingsFile", "The settings cannot be read; the usual ones are used.")
            )
        self.notice = translate(
            "SettingsFile", "The settings were damaged and start afresh. Kept as: {}"
        ).format(kept.name)
        return {}


@dataclass(frozen=True)
class PreferenceValues:
    """What can be preferred, with its defaults."""

    appearance: str = "system"
    """system, light or dark."""
    language: str = "system"
    """system, or a code of ``translation.LANGUAGES``."""
    output_folder: str = ""
    """Where videos go; empty: the user's folder of videos."""
    models_folder: str = ""
    """Where downloaded models are kept, from the next start on; empty: the usual folder."""
    engine_address: str = ""
    """Of the computer that makes the videos, from the next start on; empty: this one."""
    live_preview: bool = True
    notify: bool = True
    loop: bool = True
    attention: str = "auto"
    """One of ``magi_engine.runtime.machine.devices.ATTENTIONS``."""
    cards: int = 1
    """How many graphics cards make a video together, where that is faster; 0: all there are."""
    card: str = ""
    """The device of the one that makes videos, such as ``cuda:1``; empty: the best one."""
    frame_memory_mb: int = 1024
    """Frames of the video on show that are kept in memory."""
    look_for_updates: bool = False
    """Whether to ask once a day for the newest version's number."""
    asked_about_updates: bool = False
    """Whether the user was asked for that."""
    welcomed: bool = False
    """Whether the welcome was seen."""
    advanced_open: bool = False


class Preferences(QObject):
    """Typed preferences over the settings file; a value of a wrong type counts as missing.

    Attributes:
        at_start: as the program found them: some count from its next start on.
    """

    changed = Signal(str)

    def __init__(self, file: SettingsFile) -> None:
        super().__init__()
        self._file = file
        saved = file.section("preferences")
        usual = dataclasses.asdict(PreferenceValues())
        fitting = {k: v for k, v in saved.items() if type(v) is type(usual.get(k))}
        self._values = self.at_start = PreferenceValues(**fitting)

    @property
    def values(self) -> PreferenceValues:
        """All of them."""
        return self._values

    def get(self, name: str) -> Any:
        """The value of a field of ``PreferenceValues``."""
        return getattr(self._values, name)

    def set(self, name: str, value: Any) -> None:
        """Change one and save it."""
        if self.get(name) != value:
            self._values = dataclasses.replace(self._values, **{name: value})
            self._file.set_section("preferences", {name: value})
            self.changed.emit(name)

    def computing(self, cards: Collection[str] | None = None) -> dict[str, Any]:
        """How videos are computed here, as fields of a request. A chosen card that is not there now
        is not asked for; it is when it is there again.

        Args:
            cards: devices of the graphics cards that can be chosen; None: not known.
        """
        values = self._values
        there = cards is None or values.card in cards
        found: dict[str, Any] = {"attention": values.attention, "cards": values.cards}
        return found | ({"device": values.card} if values.card and there else {})
