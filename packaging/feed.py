"""Writes ``latest.json``, from which the program learns that there is a newer version.

    python3 packaging/feed.py FOLDER        of the installers of all systems; writes it there

Standard library and the project's own sources only. The form is in packaging/README.md.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import dev

sys.path.insert(0, str(dev.ROOT))

from magi_desktop.publication import (
    FEED_NAME,
    INSTALLERS,
    SCHEMA,
    download_of,
    page_of,
)
from magi_engine import __version__

NOTES = Path(__file__).parent / "release-notes.json"
"""What is new in this version, by language."""


def main(argv: Sequence[str]) -> int:
    """Write the list; returns 1, and says which, if an installer is missing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args(argv).folder
    missing = [name for name in map(_filename, INSTALLERS) if not (folder / name).is_file()]
    if missing:
        print(f"not in {folder}: {', '.join(missing)}", file=sys.stderr)
        return 1
    text = json.dumps(feed(folder), indent=2, ensure_ascii=False) + "\n"
    (folder / FEED_NAME).write_text(text, encoding="utf-8")
    return 0


def feed(folder: Path) -> dict[str, object]:
    """The list for the installers in a folder."""
    installers = {}
    for kind in INSTALLERS:
        name = _filename(kind)
        with (folder / name).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        installers[kind] = {
            "url": download_of(__version__, name),
            "sha256": digest,
            "size_bytes": (folder / name).stat().st_size,
        }
    return {
        "schema": SCHEMA,
        "version": __version__,
        "page": page_of(__version__),
        "notes": json.loads(NOTES.read_text(encoding="utf-8")),
        "installers": installers,
    }


def _filename(kind: str) -> str:
    return INSTALLERS[kind].format(__version__)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
