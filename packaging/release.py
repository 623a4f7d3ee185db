"""Builds what people download, and its checksums: the program, thin, for one system.

    python3 packaging/release.py linux        a .deb and a self-extracting installer
    options: --out FOLDER (default: dist), --lock-torch (asks torch's index for its hashes),
             --offline (also the whole program, frozen, for computers without a network)

What is inside and why: packaging/README.md.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

import dev


def main(argv: Sequence[str]) -> int:
    """Build everything for one system; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_AS_WRITTEN)
    parser.add_argument("system", choices=("linux",))
    parser.add_argument("--out", type=Path, default=dev.ROOT / "dist")
    parser.add_argument("--lock-torch", action="store_true")
    parser.add_argument("--offline", action="store_true")
    wishes = parser.parse_args(argv)
    if Path(sys.prefix).resolve() != dev.VENV.resolve():
        dev.set_up("run")
        _install_tools()
        command = [str(dev.VENV_PYTHON), __file__, *argv]
        return subprocess.run(command, check=False).returncode

    # Only now: these use packages of the environment.
    import debian_package
    import frozen_bundle
    import self_extracting
    import thin_bundle

    out: Path = wishes.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        bundle = thin_bundle.collect(Path(work), wishes.lock_torch)
        made = [debian_package.build(bundle, Path(work), out)]
        made += self_extracting.build(bundle, Path(work), out)
        if wishes.offline:
            made.append(frozen_bundle.build(bundle, Path(work), out))
        sbom = out / f"magi-desktop-{bundle.version}-{wishes.system}.cdx.json"
        shutil.copyfile(bundle.folder / thin_bundle.SBOM_NAME, sbom)
    write_sums([*made, sbom], out / f"SHA256SUMS-{wishes.system}")
    for path in made:
        print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")
    return 0


def write_sums(paths: Sequence[Path], target: Path) -> None:
    """As ``sha256sum --check`` reads them."""
    lines = []
    for path in paths:
        with path.open("rb") as file:
            lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path.name}\n")
    target.write_text("".join(lines), encoding="utf-8")


def _install_tools() -> None:
    project = tomllib.loads((dev.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    command = [str(dev.VENV_PYTHON), "-m", "pip", "install", "-q", "-c", str(dev.CONSTRAINTS)]
    tools = [*project["dependency-groups"]["setup"], *project["dependency-groups"]["release"]]
    tools += project["dependency-groups"]["bundle"]
    subprocess.run([*command, *tools], check=True)


_AS_WRITTEN = argparse.RawDescriptionHelpFormatter

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
