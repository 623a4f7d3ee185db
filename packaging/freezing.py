"""What goes into the frozen program, computed for ``magi.spec`` from the project itself."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path, PurePath

import dev

Entry = tuple[str, str, str]
"""As PyInstaller lists a file: where it goes, where it is, what kind it is."""

_PACKAGES = ("magi_desktop", "magi_engine")
_TRAINING = "magi_engine.training"
# Needed by no part of their packages that is used: a faster download, and building extensions.
_OPTIONAL = ("hf_xet", "setuptools", "tkinter")
# What kernels for graphics cards need: the torch that is frozen is the CPU's.
_FOR_CARDS = ("cuda", "nvidia")
# Imports what the first video and the first large model import, and notes whose source is read.
_AT_WORK = """
import inspect, json, sys
find, read = inspect.findsource, set()
def find_and_note(thing):
    read.add(inspect.getmodule(thing).__name__)
    return find(thing)
inspect.findsource = find_and_note
import magi_engine.runtime.engine, magi_engine.runtime.doctor, magi_engine.sampling.sampler
import transformers
transformers.T5EncoderModel, transformers.T5Config
print(json.dumps({"loaded": sorted(sys.modules), "read": sorted(read)}))
"""
_QT_PLUGINS = {
    "iconengines": None,
    "imageformats": ("gif", "ico", "jpeg", "svg", "tiff", "webp"),
    "platforminputcontexts": ("compose", "ibus"),
    "platforms": ("xcb", "wayland", "offscreen", "windows"),
    "platformthemes": ("xdgdesktopportal",),
    "styles": None,
    "wayland-decoration-client": None,
    "wayland-graphics-integration-client": ("egl",),
    "wayland-shell-integration": ("xdg-shell",),
    "xcbglintegrations": None,
}
"""Kinds of plugins, and which of a kind; None: all."""
# Found on a machine with CUDA, where torch's code names it; no use to torch's CPU build.
_STRAY = re.compile(r"libcudart\.so")


def hidden_modules() -> list[str]:
    """Every module of the program, some being named only as text; what its libraries import so."""
    found = []
    for package in _PACKAGES:
        for path in sorted((dev.ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(dev.ROOT).with_suffix("").parts)
            if not name.startswith(_TRAINING) and path.name != "__main__.py":
                found.append(name.removesuffix(".__init__"))
    for name in _at_work()["loaded"]:
        if name.partition(".")[0] in ("torch", "transformers"):
            found.append(name)
    return found


def source_modes() -> dict[str, str]:
    """Which modules have to be there as source as well, in PyInstaller's words."""
    return dict.fromkeys(_at_work()["read"], "pyz+py")


def shipped_files() -> list[tuple[str, str]]:
    """Every resource, at the place where ``magi_engine.resources`` looks for it."""
    shipped = dev.ROOT / "resources"
    place = Path("magi_engine", "_resources")
    return [
        (str(file), str(place / file.parent.relative_to(shipped)))
        for file in sorted(shipped.rglob("*"))
        if file.is_file()
    ]


def unused_modules() -> list[str]:
    """What is somewhere imported by something, but not needed here.

    That is the training, every package that the project does not require (an environment of
    developers has many), and the models of transformers apart from those that come with T5's.
    """
    wanted = _required_distributions()
    foreign = [
        name
        for name, distributions in importlib.metadata.packages_distributions().items()
        if name.isidentifier() and not wanted & {_normal(d) for d in distributions}
    ]
    package = importlib.util.find_spec("transformers")
    assert package is not None
    assert package.origin is not None
    models = Path(package.origin).parent / "models"
    families = {f"transformers.models.{p.name}" for p in models.iterdir() if p.is_dir()}
    return sorted(
        [_TRAINING, *_OPTIONAL, *_FOR_CARDS, *foreign, *families.difference(_at_work()["loaded"])]
    )


def without_unused(entries: Iterable[Entry]) -> list[Entry]:
    """Files of an analysis without Qt's unused plugins, the libraries only those need, and the
    translations of languages the program does not have."""
    kept, dropped = [], []
    for entry in entries:
        (kept if is_wanted(PurePath(entry[0])) else dropped).append(entry)
    unneeded = _linked(dropped) - _linked(kept)
    return [entry for entry in kept if PurePath(entry[0]).name not in unneeded]


def cpp_runtime() -> list[tuple[str, str]]:
    """Microsoft's C++ runtime, which Windows may lack, and where it goes: beside the program.

    Raises:
        FileNotFoundError: the package msvc-runtime did not bring it.
    """
    if sys.platform != "win32":
        return []
    found = sorted(Path(sys.prefix).glob("msvcp140*.dll"))
    if not found:
        raise FileNotFoundError(f"msvcp140*.dll, which torch needs, is not in {sys.prefix}")
    return [(str(path), ".") for path in found]


def icon(work: Path) -> str | None:
    """The program's icon for Windows, drawn from the one there is; elsewhere files have none."""
    if sys.platform != "win32":
        return None
    from icons import write_ico

    write_ico(work / "magi.ico")
    return str(work / "magi.ico")


def windows_version() -> object:
    """What Windows shows of a file; None elsewhere."""
    if sys.platform != "win32":
        return None
    from PyInstaller.utils.win32 import versioninfo as win

    from magi_desktop.paths import APP_NAME
    from magi_engine import __version__

    numbers = tuple(int(n) for n in re.findall(r"\d+", __version__)[:4])
    numbers += (0,) * (4 - len(numbers))
    texts = {
        "CompanyName": f"{APP_NAME} developers",
        "FileDescription": APP_NAME,
        "FileVersion": __version__,
        "ProductName": APP_NAME,
        "ProductVersion": __version__,
    }
    table = win.StringTable("040904B0", [win.StringStruct(k, v) for k, v in texts.items()])
    return win.VSVersionInfo(
        ffi=win.FixedFileInfo(filevers=numbers, prodvers=numbers),
        kids=[
            win.StringFileInfo([table]),
            win.VarFileInfo([win.VarStruct("Translation", [0x0409, 1200])]),
        ],
    )


def strip_symbols(folder: Path) -> None:
    """Take the symbol tables out of libraries, which wheels often carry; does so on Linux only.

    Libraries that were changed after they had been linked (in ``*.libs``) are left alone: taking
    something out of them may damage them.
    """
    if not sys.platform.startswith("linux"):
        return
    for path in folder.rglob("*.so*"):
        if path.is_file() and not path.is_symlink() and not path.parent.name.endswith(".libs"):
            subprocess.run(["strip", "--strip-unneeded", str(path)], check=True)


def is_wanted(target: PurePath) -> bool:
    """Whether a file, by its place in the program, is of any use to it."""
    parts = target.parts
    if _STRAY.match(target.name):
        return False
    if "translations" in parts and "PySide6" in parts:
        from magi_desktop.translation import LANGUAGES

        return target.stem.removeprefix("qtbase_") in LANGUAGES
    if "plugins" in parts and "PySide6" in parts:
        names = _QT_PLUGINS.get(parts[-2], ())
        return names is None or any(name in target.name for name in names)
    return True


def _linked(entries: Iterable[Entry]) -> set[str]:
    """Names of the libraries that some files are linked to, and these again."""
    from PyInstaller.depend.bindepend import (  # pyright: ignore[reportMissingImports]
        get_imports,
    )

    found: set[str] = set()
    waiting = [source for _, source, kind in entries if kind in ("BINARY", "EXTENSION")]
    while waiting:
        for name, path in get_imports(waiting.pop()):
            if name not in found:
                found.add(name)
                waiting += [path] if path else []
    return found


@functools.cache
def _at_work() -> dict[str, list[str]]:
    """Names of modules: all that are loaded, and those that read their own source."""
    command = [sys.executable, "-c", _AT_WORK]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=dev.ROOT).stdout
    return json.loads(said)


def _required_distributions() -> set[str]:
    """The project's own and, on and on, what they require on this system."""
    waiting, found = ["magi-desktop"], set()
    while waiting:
        name = _normal(waiting.pop())
        if name in found:
            continue
        found.add(name)
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # of another system
        waiting += [re.split(r"[^\w.-]", need)[0] for need in needs if "extra ==" not in need]
    return found


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
