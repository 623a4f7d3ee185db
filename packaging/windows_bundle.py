"""What a thin bundle has on Windows only: an interpreter, Qt's part, uv.exe, two launchers.

All of it can be made on Linux too: wheels for Windows come from the package index, the interpreter
through uv or from a folder, and the launchers from a C compiler that is a wheel itself.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from string import Template

import icons
from thin_bundle import QT_MODULES, copy, pinned, run, with_libraries

from magi_desktop.paths import APP_NAME
from magi_engine import __version__
from magi_setup.windows_python import make_private

PUBLISHER = "Magi Desktop developers"
PYTHON_VERSION = "3.13"
WHEELS = ("uv", "PySide6-Essentials", "shiboken6")
FILES = Path(__file__).parent / "windows"
_QT_PLUGINS = (
    "platforms/qwindows.dll",
    "imageformats/qsvg.dll",
    "iconengines/qsvgicon.dll",
)
# Nothing of the set-up or the program uses these parts of a whole Python.
_NOT_NEEDED = (
    *("include", "libs", "tcl", "Doc", "Scripts", "share", "Lib/site-packages", "Lib/test"),
    *("Lib/idlelib", "Lib/tkinter", "Lib/turtledemo", "Lib/ensurepip", "Lib/lib2to3"),
    *("Lib/pydoc_data", "Lib/EXTERNALLY-MANAGED", "DLLs/tcl*", "DLLs/tk*", "DLLs/_tkinter.pyd"),
    *("DLLs/_test*", "DLLs/_ctypes_test.pyd", "Lib/**/__pycache__", "**/*.pdb"),
)
# The second one is for the console: there "magi" finds .com before .exe.
_LAUNCHERS = {
    "Magi.exe": ("-Wl,--subsystem,windows",),
    "magi.com": ("-Wl,--subsystem,console", "-DCONSOLE"),
}


_ZIG = (sys.executable, "-m", "ziglang")


def add(folder: Path, python: Path | None) -> None:
    """Put it into a bundle's folder.

    Args:
        python: a folder with a 64-bit Python for Windows; None: uv fetches one.
    """
    if "msvc-runtime==" not in (folder / "requirements.txt").read_text(encoding="utf-8"):
        raise ValueError("no package brings Microsoft's C++ runtime, which a clean Windows lacks")
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        wheels = work / "wheels"
        _unpack_wheels(wheels)
        copy(next(wheels.glob("uv-*.data/scripts/uv.exe")), folder / "uv.exe")
        _copy_qt(wheels, folder / "app")
        copy_python(python or _fetched_python(work), folder / "python")
        build_launchers(folder, work)


def _unpack_wheels(target: Path) -> None:
    with tempfile.TemporaryDirectory() as fetched:
        run(
            *(sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", fetched),
            *("--only-binary", ":all:", "--platform", "win_amd64"),
            *("--python-version", PYTHON_VERSION, *map(pinned, WHEELS)),
        )
        for wheel in Path(fetched).glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(target)


def _copy_qt(wheels: Path, app: Path) -> None:
    qt, shiboken = wheels / "PySide6", wheels / "shiboken6"
    roots = [qt / f"{name}.pyd" for name in QT_MODULES]
    roots += [shiboken / "Shiboken.pyd", *(qt / "plugins" / name for name in _QT_PLUGINS)]
    taken = with_libraries(roots, (qt, shiboken), imported_libraries)
    taken |= {*qt.glob("*.py"), *shiboken.glob("*.py"), qt / "translations" / "qtbase_zh_CN.qm"}
    for path in taken:
        copy(path, app / path.relative_to(wheels))


def imported_libraries(path: Path) -> list[str]:
    """Names of the libraries a Windows library or program is linked to.

    Those with capitals come in small letters as well: Windows does not tell them apart, but the
    file system this runs on may.
    """
    import pefile  # pyright: ignore[reportMissingImports]  # only there where this is built

    with pefile.PE(str(path), fast_load=True) as image:
        kinds = ("IMPORT", "DELAY_IMPORT")
        numbers = [pefile.DIRECTORY_ENTRY[f"IMAGE_DIRECTORY_ENTRY_{kind}"] for kind in kinds]
        image.parse_data_directories(directories=numbers)
        found = []
        for kind in kinds:
            found += [entry.dll.decode() for entry in getattr(image, f"DIRECTORY_ENTRY_{kind}", ())]
    return [*found, *(name.lower() for name in found if name != name.lower())]


def _fetched_python(work: Path) -> Path:
    place = work / "python"
    wanted = f"cpython-{PYTHON_VERSION}-windows-x86_64-none"
    uv = (sys.executable, "-m", "uv", "python", "install", wanted)
    run(*uv, "--install-dir", str(place), "--no-bin")
    return next(path.parent for path in place.glob("*/python.exe"))


def copy_python(source: Path, target: Path) -> None:
    """Copy an interpreter without what nobody needs, so that it keeps to itself."""
    shutil.copytree(source, target)
    for pattern in _NOT_NEEDED:
        for path in list(target.glob(pattern)):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
    make_private(target)


def build_launchers(folder: Path, work: Path) -> None:
    """Compile Magi.exe and magi.com, with the program's icon, name and version."""
    icons.write_ico(work / "magi.ico")
    shutil.copyfile(FILES / "launcher.manifest", work / "launcher.manifest")
    resources = Template((FILES / "launcher.rc.in").read_text(encoding="utf-8"))
    for name, options in _LAUNCHERS.items():
        target = folder / name
        script, compiled = work / "launcher.rc", work / "launcher.res"
        script.write_text(resources.substitute(facts(), file=target.name), encoding="utf-8")
        run(*_ZIG, "rc", "/fo", str(compiled), "--", str(script))
        compile_c(FILES / "launcher.c", target, (*options, str(compiled)))


def compile_c(source: Path, target: Path, options: Sequence[str]) -> None:
    """Compile a C file for Windows, without the C library; it begins at its ``start``."""
    import ziglang  # pyright: ignore[reportMissingImports]  # only there where this is built

    headers = Path(ziglang.__path__[0]) / "lib" / "libc" / "include" / "any-windows-any"
    run(
        *(*_ZIG, "cc", "-target", "x86_64-windows-gnu", "-Os", "-s", "-ffreestanding"),
        *("-nostdlib", "-mno-stack-arg-probe", "-Wl,--entry=start", "-isystem", str(headers)),
        *(str(source), *options, "-lkernel32", "-luser32", "-o", str(target)),
    )


def facts() -> dict[str, str]:
    """What executables say of themselves."""
    return {
        "name": APP_NAME,
        "version": __version__,
        "numbers": ",".join(four_numbers(__version__)),
        "publisher": PUBLISHER,
        "description": APP_NAME,
        "license": "Apache-2.0",
    }


def four_numbers(version: str) -> list[str]:
    """A version as Windows counts: what is not a number counts as 0."""
    parts = [part if part.isdigit() else "0" for part in version.split(".")]
    return [*parts, "0", "0", "0", "0"][:4]
