"""What an installer brings, and what its set-up is told to install for graphics cards."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import dev
import pytest
from packaging.requirements import Requirement
from thin_bundle import copy_set_up, without_torch

LOCKED = """\
cuda-bindings==13.5.0 ; sys_platform == 'linux' or sys_platform == 'win32' \\
    --hash=sha256:aa \\
    --hash=sha256:ab
cuda-core==1.2.2 ; sys_platform == 'linux' or sys_platform == 'win32' \\
    --hash=sha256:ba
cuda-pathfinder==1.9.0 ; sys_platform == 'linux' or sys_platform == 'win32' \\
    --hash=sha256:ca
numpy==2.4.6 \\
    --hash=sha256:da
nvidia-cublas==13.1.1.3 ; sys_platform == 'linux' \\
    --hash=sha256:ea
nvidia-cuda-nvrtc==13.0.88 ; sys_platform == 'linux' or sys_platform == 'win32' \\
    --hash=sha256:fa
torch==2.13.0 \\
    --hash=sha256:ab
"""
KERNELS_NEED = {"cuda-core", "cuda-pathfinder", "cuda-bindings", "nvidia-cuda-nvrtc", "numpy"}
WINDOWS = {"sys_platform": "win32", "platform_system": "Windows", "python_version": "3.12"}
LINUX = {"sys_platform": "linux", "platform_system": "Linux", "python_version": "3.12"}


def names(lines: list[str], system: dict[str, str]) -> set[str]:
    found = [Requirement(line) for line in lines]
    return {r.name for r in found if r.marker is None or r.marker.evaluate(system)}


_IMPORT_ALL = """
import importlib, os, pkgutil, sys

app = sys.argv[1]
brought = {name.partition(".")[0] for name in os.listdir(app)}
known = brought | set(sys.stdlib_module_names) | {"PySide6", "shiboken6"}

class Nothing:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] not in known:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Nothing)
sys.path.insert(0, app)
for module in pkgutil.walk_packages([app]):
    if module.name.startswith("magi_") and not module.ispkg:
        importlib.import_module(module.name)
"""


def test_the_set_up_brings_all_that_it_imports(tmp_path: Path) -> None:
    copy_set_up(tmp_path)
    command = [sys.executable, "-I", "-c", _IMPORT_ALL, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_torch_brings_the_compiler_on_linux_and_the_set_up_on_windows() -> None:
    kept = without_torch(LOCKED)
    lines = [x.removesuffix("\\").strip() for x in kept.splitlines() if not x.startswith(" ")]
    assert names(lines, WINDOWS) == KERNELS_NEED
    assert names(lines, LINUX) == {"cuda-core", "cuda-pathfinder", "numpy"}
    for hashed in ("aa", "ab", "ba", "ca", "da", "fa"):
        assert f"--hash=sha256:{hashed}" in kept
    assert "--hash=sha256:ea" not in kept


def test_the_project_asks_for_what_the_kernels_need() -> None:
    project = tomllib.loads((dev.ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    asked = project["dependencies"]
    assert {"cuda-core", "cuda-bindings", "nvidia-cuda-nvrtc"} <= names(asked, WINDOWS)
    assert "cuda-core" in names(asked, LINUX)
    assert not any("triton" in line for line in asked)


@pytest.mark.parametrize("version", ["3.11", "3.13"])
def test_a_windows_environment_from_a_folder_has_all_of_it(version: str, tmp_path: Path) -> None:
    tag = f"cp{version.replace('.', '')}"
    for name, needs in (
        ("cuda_core-1.2.2", ("cuda-pathfinder", "numpy")),
        ("cuda_bindings-13.5.0", ("cuda-pathfinder",)),
        ("cuda_pathfinder-1.9.0", ()),
        ("nvidia_cuda_nvrtc-13.0.88", ()),
        ("numpy-2.4.6", ()),
        ("torch-2.13.0", ()),
    ):
        _windows_wheel(tmp_path, name, needs, tag)
    kept = without_torch(LOCKED).splitlines()
    lines = [x.removesuffix("\\").strip() for x in kept if not x.startswith(" ")]
    wanted = tmp_path / "wanted.txt"
    wanted.write_text("\n".join([*lines, "torch==2.13.0", ""]), encoding="utf-8")
    answer = subprocess.run(
        [
            str(Path(sysconfig.get_path("scripts"), "uv")), "pip", "compile", str(wanted),
            "--offline", "--no-index", "--find-links", str(tmp_path), "--no-header",
            "--no-annotate", "--only-binary", ":all:", "--python-version", version,
            "--python-platform", "x86_64-pc-windows-msvc", "--no-cache",
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    assert {line.split("==")[0] for line in answer.stdout.split()} == {*KERNELS_NEED, "torch"}


def _windows_wheel(folder: Path, name: str, needs: tuple[str, ...], tag: str) -> None:
    distribution, version = name.split("-")
    asked = "".join(f"Requires-Dist: {need}\n" for need in needs)
    said = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n{asked}"
    kind = f"{tag}-{tag}-win_amd64"
    with zipfile.ZipFile(folder / f"{name}-{kind}.whl", "w") as wheel:
        wheel.writestr(f"{name}.dist-info/METADATA", said)
        wheel.writestr(f"{name}.dist-info/WHEEL", f"Wheel-Version: 1.0\nTag: {kind}\n")
        wheel.writestr(f"{name}.dist-info/RECORD", "")
