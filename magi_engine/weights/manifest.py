"""Which files were found to be right, and whether they have been touched since."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

_NAME = "verified.json"
_DAMAGED = ""
"""In place of the hash of a file that was found to be another one."""


@dataclass(frozen=True)
class Verified:
    """A file as it was when its hash was right."""

    size_bytes: int
    mtime_ns: int
    sha256: str
    source: str


@dataclass
class Manifest:
    """The verified files of a folder of models, by their path below it."""

    models_dir: Path
    files: dict[str, Verified] = field(default_factory=dict)

    @classmethod
    def load(cls, models_dir: Path) -> Manifest:
        """Read it; a damaged one counts as empty: then the files are hashed again."""
        try:
            data = json.loads((models_dir / _NAME).read_text(encoding="utf-8"))
            return cls(models_dir, {path: Verified(**entry) for path, entry in data.items()})
        except (OSError, ValueError, TypeError, AttributeError):
            return cls(models_dir)

    def holds(self, path: str, sha256: str | None = None) -> bool:
        """Whether the file is there as it was verified (and, if given, is that content)."""
        known = self.files.get(path)
        try:
            stat = (self.models_dir / path).stat()
        except OSError:
            return False
        return (
            known is not None
            and (stat.st_size, stat.st_mtime_ns) == (known.size_bytes, known.mtime_ns)
            and known.sha256 != _DAMAGED
            and sha256 in (None, known.sha256)
        )

    def note(self, path: str, sha256: str, source: str) -> None:
        """A file is right: keep that, atomically."""
        stat = (self.models_dir / path).stat()
        self.files[path] = Verified(stat.st_size, stat.st_mtime_ns, sha256, source)
        self._save()

    def note_damage(self, path: str) -> None:
        """A file is not right any more: keep that until another one takes its place."""
        known = self.files[path]
        self.files[path] = replace(known, sha256=_DAMAGED)
        self._save()

    def damaged(self) -> list[str]:
        """The files that are there, but not right."""
        return [
            path
            for path, known in self.files.items()
            if known.sha256 == _DAMAGED and (self.models_dir / path).exists()
        ]

    def _save(self) -> None:
        text = json.dumps({path: asdict(entry) for path, entry in self.files.items()}, indent=1)
        temporary = self.models_dir / f"{_NAME}.{os.getpid()}.tmp"
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(self.models_dir / _NAME)
