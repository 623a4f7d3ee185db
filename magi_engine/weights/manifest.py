"""Which files were found to be right, and whether they have been touched since."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from magi_engine import atomic
from magi_engine.config.places import VERIFIED_NAME
from magi_engine.disk import writing
from magi_engine.json_text import read_json

FOUND = "found here"
"""The source of a file of which nothing was published, or nobody could be asked."""


@dataclass(frozen=True)
class Stamp:
    """By what a file counts as untouched. Times are compared for equality only: clocks may lie."""

    size_bytes: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> Stamp | None:
        """Of a file as it is now; None if there is none, or it cannot be looked at."""
        try:
            stat = path.stat()
        except (OSError, ValueError):  # a name that no system has
            return None
        return cls(stat.st_size, stat.st_mtime_ns)


@dataclass(frozen=True)
class Verified:
    """A file as it was when its hash was right."""

    size_bytes: int
    mtime_ns: int
    sha256: str
    source: str
    """Where it came from; :data:`FOUND` if nobody could be asked what it ought to be."""
    damaged: bool = False
    """Whether it was found to be another file than that of the hash."""
    written: bool = False
    """Whether the program itself wrote it; what the user put there is never removed."""

    @property
    def stamp(self) -> Stamp:
        """What it looked like."""
        return Stamp(self.size_bytes, self.mtime_ns)


@dataclass
class Manifest:
    """The verified files of a folder of models.

    Files have the names that ``key`` gives them: their path below the folder of models, or the
    whole path of one that is used where it lies.
    """

    models_dir: Path
    files: dict[str, Verified] = field(default_factory=dict)

    @classmethod
    def load(cls, models_dir: Path) -> Manifest:
        """Read it; a damaged one counts as empty: then the files are hashed again."""
        try:
            data = read_json(models_dir / VERIFIED_NAME)
            return cls(models_dir, {path: Verified(**entry) for path, entry in data.items()})
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return cls(models_dir)

    def key(self, path: Path) -> str:
        """What a file is called here."""
        if path.is_relative_to(self.models_dir):
            path = path.relative_to(self.models_dir)
        return path.as_posix()

    def holds(self, path: str, sha256: str | None = None) -> bool:
        """Whether the file is there as it was verified (and, if given, is that content)."""
        known = self.files.get(path)
        return (
            known is not None
            and not known.damaged
            and sha256 in (None, known.sha256)
            and Stamp.of(self.models_dir / path) == known.stamp
        )

    def wrote(self, path: Path) -> bool:
        """Whether the program itself wrote a file, and nobody has touched it since."""
        known = self.files.get(self.key(path))
        return known is not None and known.written and Stamp.of(path) == known.stamp

    def find(self, sha256: str) -> str | None:
        """A file that is there with this content."""
        same = [path for path, known in self.files.items() if known.sha256 == sha256]
        return next(filter(self.holds, same), None)

    def note(self, path: str, sha256: str, source: str, stamp: Stamp | None = None) -> None:
        """A file is right: keep that, atomically.

        Args:
            stamp: what it looked like before it was hashed; None: the program has just written it.

        Raises:
            DiskFullError, OutputError: it cannot be kept.
        """
        known = self.files.get(path)
        written = stamp is None or bool(known and known.written and known.stamp == stamp)
        stamp = stamp or Stamp.of(self.models_dir / path)
        if stamp is not None:
            self.files[path] = Verified(
                stamp.size_bytes, stamp.mtime_ns, sha256, source, written=written
            )
            self._save()

    def note_damage(self, path: str, sha256: str, source: str, stamp: Stamp | None) -> None:
        """A file is not right: keep that until another one takes its place.

        Args:
            sha256: what it ought to be; empty: not known.
            stamp: as of :meth:`note`, and so are the errors.
        """
        stamp = stamp or Stamp(0, 0)
        known = self.files.get(path)
        written = known is not None and known.written  # to be mended by writing it again
        self.files[path] = Verified(
            stamp.size_bytes, stamp.mtime_ns, sha256, source, damaged=True, written=written
        )
        self._save()

    def damaged(self) -> list[str]:
        """The files that are there, but not right, and have not been touched since."""
        return [
            path
            for path, known in self.files.items()
            if known.damaged and Stamp.of(self.models_dir / path) == known.stamp
        ]

    def _save(self) -> None:
        text = json.dumps({path: asdict(entry) for path, entry in self.files.items()}, indent=1)
        with writing(self.models_dir):
            atomic.write_text(self.models_dir / VERIFIED_NAME, text)
