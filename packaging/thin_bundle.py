"""Collects what a thin installer puts on the disk; ``magi_setup`` makes the rest at first start.

manifest.json             what it is (read by magi_setup.bundle)
requirements.txt          every package but torch's, with hashes
torch-FLAVOR.txt          torch's, where its index could be asked
uv / uv.exe               resolves and installs them
wheels/                   the project's own wheel, with the pocket model
app/                      the set-up: its modules, its resources, a small part of Qt
python/, Magi.exe, magi.com  Windows only: an interpreter, what starts it (windows_bundle.py)
sbom.cdx.json, third-party-licenses.txt
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from modulefinder import ModuleFinder
from pathlib import Path

import dev
import PySide6
import shiboken6
from description import LICENSES_NAME as LICENSES_NAME
from description import SBOM_NAME as SBOM_NAME
from description import describe

from magi_engine import __version__
from magi_setup.packages import belongs_to_torch, sha256_of

FLAVORS = ("cpu", "cu126", "cu130")
"""Builds of the pinned torch that its publisher offers."""
_NOT_OF_TORCH_ON_WINDOWS = ("cuda-bindings", "nvidia-cuda-nvrtc")
"""What the kernels need and torch brings on Linux, in the versions that fit its build."""
START_TEST = (
    *("torch", "transformers.models.t5", "sentencepiece", "av", "PIL.Image", "safetensors.torch"),
    *("PySide6.QtWidgets", "magi_engine.cli.main", "magi_desktop.app"),
)
QT_MODULES = ("QtCore", "QtGui", "QtWidgets", "QtNetwork", "QtSvg")
_QT_PLUGINS = (
    "platforms/libqxcb.so",
    "platforms/libqwayland.so",
    "platforms/libqoffscreen.so",
    "platforminputcontexts/libcomposeplatforminputcontextplugin.so",
    "platforminputcontexts/libibusplatforminputcontextplugin.so",
    "wayland-shell-integration/libxdg-shell.so",
    "imageformats/libqsvg.so",
    "iconengines/libqsvgicon.so",
)
_MAIN = '''"""Starts the program: python FOLDER [ARGUMENTS]."""

import sys
from pathlib import Path

from magi_setup.__main__ import main

_HERE = Path(__file__).resolve().parent
_WINDOWS = _HERE.parent / "Magi.exe"
_AGAIN = (str(_WINDOWS),) if _WINDOWS.exists() else (sys.executable, "-IB", str(_HERE))

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], _HERE.parent, _AGAIN))
'''


@dataclass(frozen=True)
class ThinBundle:
    """A collected folder."""

    folder: Path
    version: str


def collect(work: Path, lock_torch: bool, add_system: Callable[[Path], None]) -> ThinBundle:
    """Put everything together below ``work``.

    Args:
        lock_torch: write down the hashes of torch's builds, from its publisher's index.
        add_system: puts uv, Qt and whatever else only one system needs into the bundle's folder.
    """
    folder = work / "bundle"
    app, wheels = folder / "app", folder / "wheels"
    wheels.mkdir(parents=True)
    wheel = build_wheel(dev.ROOT, wheels)
    lock(folder, lock_torch)
    copy_set_up(app)
    add_system(folder)
    manifest = {
        "version": __version__,
        "wheel_sha256": sha256_of(wheel),
        "torch": pinned("torch"),
        "flavors": FLAVORS,
        "start_test": START_TEST,
    }
    text = json.dumps(manifest, indent=2) + "\n"
    (folder / "manifest.json").write_text(text, encoding="utf-8")
    describe(folder)
    return ThinBundle(folder, __version__)


def build_wheel(source: Path, target: Path) -> Path:
    """The project's own wheel, of the checkout in ``source``."""
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(target), str(source))
    return next(target.glob("magi_desktop-*.whl"))


def copy_sources(target: Path) -> None:
    """Copy what of this checkout git knows."""
    for name in run("git", "-C", str(dev.ROOT), "ls-files", "-z").split("\0"):
        if name and (dev.ROOT / name).is_file():
            copy(dev.ROOT / name, target / name)


def add_linux(folder: Path) -> None:
    """uv and the part of Qt that is installed here."""
    copy(_uv_program(), folder / "uv")
    (folder / "uv").chmod(0o755)
    _copy_qt(folder / "app")


def lock(folder: Path, lock_torch: bool) -> None:
    """Write down every package with its hashes: requirements.txt, and torch-FLAVOR.txt."""
    base = ("pip", "compile", "-q", "--universal", "--python-version", "3.11", "--generate-hashes")
    base += ("--no-header", "--no-annotate", "--only-binary", ":all:")
    project = str(dev.ROOT / "pyproject.toml")
    everything = _uv(*base, project, "-c", str(dev.CONSTRAINTS))
    (folder / "requirements.txt").write_text(without_torch(everything), encoding="utf-8")
    for flavor in FLAVORS if lock_torch else ():
        wanted = folder / "torch.in"
        wanted.write_text(pinned("torch") + "\n", encoding="utf-8")
        locked = _uv(*base, str(wanted), "--torch-backend", flavor)
        wanted.unlink()
        (folder / f"torch-{flavor}.txt").write_text(locked, encoding="utf-8")


def without_torch(locked: str) -> str:
    """Of a file of locked requirements, those that do not depend on which build of torch it is."""
    ours = []
    for entry in re.split(r"\n(?=\S)", locked.strip()):
        name = re.split(r"[=\s]", entry)[0]
        if name in _NOT_OF_TORCH_ON_WINDOWS:
            pin = re.compile(r"(==[^\s;]+)[^\\\n]*")
            ours.append(pin.sub(r"\1 ; sys_platform == 'win32' ", entry, count=1))
        elif not belongs_to_torch(name):
            ours.append(entry)
    return "\n".join(ours) + "\n"


def copy_set_up(app: Path) -> None:
    """Copy the set-up, all modules that it may import but Qt's, and its resources."""
    finder = ModuleFinder(path=[str(dev.ROOT)])
    finder.run_script(str(dev.ROOT / "magi_setup" / "__main__.py"))
    for name, module in finder.modules.items():
        source = vars(module)["__file__"]
        if name.startswith("magi_") and source is not None:
            copy(Path(source), app / Path(source).relative_to(dev.ROOT))
    copy(dev.ROOT / "magi_setup" / "__main__.py", app / "magi_setup" / "__main__.py")
    (app / "__main__.py").write_text(_MAIN, encoding="utf-8")
    resources = app / "magi_engine" / "_resources"
    for place in ("icons", "translations"):
        for path in sorted((dev.ROOT / "resources" / place).iterdir()):
            if path.suffix in (".svg", ".qm"):
                copy(path, resources / place / path.name)
    copy(dev.ROOT / "resources" / "models.json", resources / "models.json")
    for name in ("filelock", "platformdirs"):
        _copy_distribution(name, app)


def _copy_distribution(name: str, app: Path) -> None:
    for file in importlib.metadata.files(name) or ():
        if file.suffix == ".py":
            copy(Path(str(file.locate())), app / str(file))


def _copy_qt(app: Path) -> None:
    qt, shiboken = Path(PySide6.__file__).parent, Path(shiboken6.__file__).parent
    sources = qt.parent
    for path in [*qt.glob("*.py"), *shiboken.glob("*.py")]:
        copy(path, app / path.relative_to(sources))
    roots = [qt / f"{name}.abi3.so" for name in QT_MODULES]
    roots += shiboken.glob("Shiboken*.so")
    roots += [qt / "Qt" / "plugins" / name for name in _QT_PLUGINS]
    for path in with_libraries(roots, (qt, qt / "Qt" / "lib", shiboken), _needed):
        copy(path, app / path.relative_to(sources))
    for path in (qt / "Qt" / "translations").glob("qtbase_zh_CN.qm"):
        copy(path, app / path.relative_to(sources))


def with_libraries(
    roots: Iterable[Path], places: Sequence[Path], needed: Callable[[Path], Iterable[str]]
) -> set[Path]:
    """Libraries, and all that they and those again are linked to, as far as it is in ``places``."""
    waiting, taken = list(roots), set()
    while waiting:
        path = waiting.pop()
        if path in taken:
            continue
        taken.add(path)
        for name in needed(path):
            waiting += [p / name for p in places if (p / name).is_file()]
    return taken


def _needed(library: Path) -> list[str]:
    """Names of the libraries that one is linked to, as far as it says them itself."""
    said = run("readelf", "-d", str(library))
    return re.findall(r"\(NEEDED\).*\[(.+)\]", said)


def pinned(name: str) -> str:
    """A package and the version of it that is tested, as requirements have it."""
    wanted = re.compile(rf"(?im)^{re.escape(name)}==\S+")
    found = wanted.search(dev.CONSTRAINTS.read_text(encoding="utf-8"))
    assert found is not None, name
    return found[0]


def _uv(*arguments: str) -> str:
    return run(str(_uv_program()), *arguments, environment={"UV_FIND_LINKS": ""})


def _uv_program() -> Path:
    """The one that release.py installed beside this interpreter."""
    return Path(sysconfig.get_path("scripts")) / "uv"


def run(*command: str, environment: dict[str, str] | None = None) -> str:
    """What a command prints; it has to end well."""
    return subprocess.run(
        command,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
    ).stdout


def copy(source: Path, target: Path) -> None:
    """Copy a file, with the folders around it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)
