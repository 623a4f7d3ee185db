"""What an installer puts on the disk, described by its ``manifest.json``."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

UV_NAME = "uv.exe" if sys.platform == "win32" else "uv"


@dataclass(frozen=True)
class Bundle:
    """One installed version of the program, before any environment."""

    folder: Path
    version: str
    wheel_sha256: str
    torch: str
    """Requirement, such as ``torch==2.13.0``; empty: none is installed."""
    flavors: tuple[str, ...]
    """Builds of torch this release offers, as uv names its backends."""
    start_test: tuple[str, ...]
    """Modules an environment has to be able to import."""

    @classmethod
    def read(cls, folder: Path) -> Bundle:
        """Read ``manifest.json`` in ``folder``."""
        said = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        return cls(
            folder,
            said["version"],
            said["wheel_sha256"],
            said["torch"],
            tuple(said["flavors"]),
            tuple(said["start_test"]),
        )

    @property
    def uv(self) -> Path:
        """The program that resolves and installs packages."""
        return self.folder / UV_NAME

    @property
    def wheels(self) -> Path:
        """Holds the project's own wheel."""
        return self.folder / "wheels"

    @property
    def requirements(self) -> list[str]:
        """Name, version and marker of everything but torch and what belongs to it."""
        lines = (self.folder / "requirements.txt").read_text(encoding="utf-8").splitlines()
        return [x.removesuffix("\\").strip() for x in lines if re.match(r"[A-Za-z0-9]", x)]

    def locked_hashes(self, flavor: str) -> dict[str, set[str]]:
        """The SHA-256 sums this release allows, by ``name==version``.

        torch's own are in ``torch-FLAVOR.txt``; a release made without access to its index has no
        such file, and ``has_torch_hashes`` says so.
        """
        files = [self.folder / "requirements.txt", self._torch_lock(flavor)]
        allowed: dict[str, set[str]] = {}
        pin = ""
        for line in "\n".join(f.read_text("utf-8") for f in files if f.exists()).splitlines():
            if named := re.match(r"([A-Za-z0-9][\w.-]*==[^\s;\\]+)", line):
                pin = named[1].lower()
            if hashed := re.search(r"--hash=sha256:([0-9a-f]{64})", line):
                allowed.setdefault(pin, set()).add(hashed[1])
        return allowed

    def has_torch_hashes(self, flavor: str) -> bool:
        """Whether this release knows the hashes of torch's build ``flavor``."""
        return self._torch_lock(flavor).exists()

    def _torch_lock(self, flavor: str) -> Path:
        return self.folder / f"torch-{flavor}.txt"
