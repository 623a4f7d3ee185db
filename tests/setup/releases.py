"""Small releases of a program made of real wheels, and computers to install them on."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sysconfig
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from magi_setup.build import Builder, SetupProgress
from magi_setup.bundle import UV_NAME, Bundle
from magi_setup.environments import Environments

LAUNCHER = ("magi-desktop",)
GOOD = "import helper\nVALUE = helper.VALUE\n"
BROKEN = "raise ImportError('a library is missing')\n"
_MAIN = """\
import sys
from magi_desktop import VERSION
print(VERSION, *sys.argv[1:])
"""


def make_wheel(folder: Path, name: str, version: str, files: dict[str, str]) -> Path:
    """A wheel that any installer takes."""
    info = f"{name}-{version}.dist-info"
    every = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = [f"{path},{_digest(text)},{len(text)}" for path, text in every.items()]
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(target, "w") as archive:
        for path, text in every.items():
            archive.writestr(path, text)
        archive.writestr(f"{info}/RECORD", "\n".join([*lines, f"{info}/RECORD,,", ""]))
    return target


@dataclass(frozen=True)
class Release:
    """What an installer of one version puts on the disk, and the packages it needs."""

    bundle: Bundle
    wheels: Path

    def builder(self, environments: Environments) -> Builder:
        """As the set-up makes it."""
        return Builder(self.bundle, environments, LAUNCHER, self.wheels)


def make_release(folder: Path, version: str, helper: str, content: str = GOOD) -> Release:
    """A release whose program needs ``helper`` of a version, and ``steady`` of always the same.

    Args:
        content: of the module the set-up imports to find out whether the program starts.
    """
    program = {
        "magi_desktop/__init__.py": f"VERSION = {version!r}\n{content}",
        "magi_desktop/__main__.py": _MAIN,
    }
    wheels = folder / "packages"
    needs = [
        make_wheel(wheels, "helper", helper, {"helper.py": f"VALUE = {helper!r}\n"}),
        make_wheel(wheels, "steady", "1.0", {"steady.py": "VALUE = 1\n" * 2000}),
    ]
    own = make_wheel(folder / "wheels", "magi_desktop", version, program)
    (folder / UV_NAME).symlink_to(Path(sysconfig.get_path("scripts"), UV_NAME))
    locked = [f"{p.name.split('-')[0]}=={p.name.split('-')[1]} \\\n    {_hash(p)}" for p in needs]
    (folder / "requirements.txt").write_text("\n".join([*locked, ""]), encoding="utf-8")
    manifest = {
        "version": version,
        "wheel_sha256": hashlib.sha256(own.read_bytes()).hexdigest(),
        "torch": "",
        "flavors": ["cpu", "cu126", "cu130"],
        "start_test": ["magi_desktop", "steady"],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return Release(Bundle.read(folder), wheels)


def _end(steps: Iterator[SetupProgress]) -> Any:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def install(release: Release, environments: Environments, flavor: str = "cpu") -> list[str]:
    """Do what the set-up does, after a check of what is there; returns what was fetched."""
    builder = release.builder(environments)
    plan = builder.plan(flavor, _end(builder.verify()))
    _end(builder.build(plan))
    environments.tidy()
    return sorted(file.name for file in plan.files)


def started(environments: Environments, *files: str) -> str:
    """What the program says when it is started as the set-up starts it."""
    current = environments.current
    assert current is not None
    done = subprocess.run(
        current.command(list(files)), capture_output=True, text=True, env=clean_environment()
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def clean_environment() -> dict[str, str]:
    """Without what tests put into the way of other Pythons."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COV_"))}


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256={base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def _hash(path: Path) -> str:
    return f"--hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
