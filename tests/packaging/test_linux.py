"""What the installers for Linux say of the program."""

from __future__ import annotations

import configparser
import tomllib

import dev
from PySide6.QtCore import QMimeDatabase

from magi_desktop.drops import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from magi_setup.build import PYTHONS


def test_the_menu_offers_the_program_for_all_it_opens() -> None:
    entry = configparser.RawConfigParser()
    entry.read(dev.ROOT / "packaging" / "linux" / "magi-desktop.desktop", encoding="utf-8")
    listed = set(entry["Desktop Entry"]["MimeType"].split(";"))
    kinds = QMimeDatabase()
    for suffix in (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES):
        names = {kind.name() for kind in kinds.mimeTypesForFileName(f"a.{suffix}")}
        assert names & listed, suffix


def test_the_set_up_looks_for_the_pythons_of_the_project() -> None:
    project = tomllib.loads((dev.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    oldest, too_new = (".".join(map(str, version)) for version in PYTHONS)
    assert project["requires-python"] == f">={oldest},<{too_new}"
