"""Builds what people download, and its checksums: the program, thin, for one system.

    python3 packaging/release.py linux        a .deb and a self-extracting installer
    python3 packaging/release.py windows      setup.exe; can be built on Linux, too
    options: --out FOLDER (default: dist), --lock-torch (asks torch's index for its hashes),
             --offline (also the whole program, frozen, for computers without a network; on its
             own system only), --python FOLDER (Windows: the interpreter to put in, instead of
             the one that uv fetches)

What is inside and why: packaging/README.md.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import build_tools
import dev

if TYPE_CHECKING:
    from thin_bundle import ThinBundle


def main(argv: Sequence[str]) -> int:
    """Build everything for one system; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_AS_WRITTEN)
    parser.add_argument("system", choices=("linux", "windows"))
    parser.add_argument("--out", type=Path, default=dev.ROOT / "dist")
    parser.add_argument("--lock-torch", action="store_true")
    parser.add_argument("--offline", action="store_true")
    parser.add_argument("--python", type=Path, help="folder of a 64-bit Python for Windows")
    wishes = parser.parse_args(argv)
    windows = wishes.system == "windows"
    if Path(sys.prefix).resolve() != dev.VENV.resolve():
        dev.get_ready("run", [])
        build_tools.install("setup", "release", "bundle", *(["windows"] if windows else []))
        command = [str(dev.VENV_PYTHON), __file__, *argv]
        return subprocess.run(command, check=False).returncode

    # Only now: these use packages of the environment.
    import frozen_bundle
    import thin_bundle

    out: Path = wishes.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        if not windows:
            bundle = thin_bundle.collect(Path(work), wishes.lock_torch, thin_bundle.add_linux)
            made = _linux_installers(bundle, Path(work), out)
        else:
            import windows_bundle
            import windows_installer

            add = partial(windows_bundle.add, python=wishes.python)
            bundle = thin_bundle.collect(Path(work), wishes.lock_torch, add)
            made = [windows_installer.build(bundle, Path(work), out)]
        if wishes.offline:
            made.append(frozen_bundle.build(bundle, Path(work), out))
        sbom = out / f"magi-desktop-{bundle.version}-{wishes.system}.cdx.json"
        shutil.copyfile(bundle.folder / thin_bundle.SBOM_NAME, sbom)
    write_sums([*made, sbom], out / f"SHA256SUMS-{wishes.system}")
    for path in made:
        print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")
    return 0


def _linux_installers(bundle: ThinBundle, work: Path, out: Path) -> list[Path]:
    import debian_package
    import self_extracting

    return [debian_package.build(bundle, work, out), *self_extracting.build(bundle, work, out)]


def write_sums(paths: Sequence[Path], target: Path) -> None:
    """As ``sha256sum --check`` reads them."""
    lines = []
    for path in paths:
        with path.open("rb") as file:
            lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path.name}\n")
    target.write_text("".join(lines), encoding="utf-8")


_AS_WRITTEN = argparse.RawDescriptionHelpFormatter

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
