"""Runs the project's tests in wine, with Windows' own Python and packages.

    sudo .venv/bin/python packaging/windows_tests.py [PART...] [--root FOLDER] [--wheels FOLDER]
                                                     [--out FOLDER]

Without a PART all of them, an hour or two. What each has shown is kept in --out, so that parts can
be run one by one, and is summed up at the end. A test that fails and is not in KNOWN, or one of
those that suddenly passes, is a failure. --root and --wheels as for windows_check.py.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Sequence
from pathlib import Path

import build_tools
import dev

sys.path.insert(0, str(dev.ROOT))

import thin_bundle
import windows_bundle
import windows_stand_ins
from clean_root import require, say
from wine_root import Windows, wine_root

from magi_setup.bundle import Bundle

_TESTS = dev.ROOT / "tests"
PARTS = {name: [name] for name in ("setup", "packaging")}
for _area in ("desktop", "engine"):  # whole, they are long
    PARTS[_area] = [f"{_area}/{file.name}" for file in sorted((_TESTS / _area).glob("test_*.py"))]
    for _folder in sorted({test.parent.name for test in (_TESTS / _area).glob("*/test_*.py")}):
        PARTS[_folder] = [f"{_area}/{_folder}"]
"""What can be asked for, and what it is in tests/."""
_JUNCTIONS = "wine has no junctions (WinError 50)"
_IMPORTING = "engine.install.test_importing.test_"
KNOWN = {
    **dict.fromkeys(
        (
            f"{_IMPORTING}everything_is_found_where_it_lies",
            f"{_IMPORTING}the_folder_in_it_may_be_given",
            f"{_IMPORTING}a_configuration_leads_to_its_files",
            f"{_IMPORTING}a_configuration_elsewhere_leads_there_by_whole_paths",
            f"{_IMPORTING}a_part_may_be_missing",
            f"{_IMPORTING}magi_1_beside_magi_1_1_is_taken",
            f"{_IMPORTING}what_is_not_there_is_said",
            "engine.install.test_process.test_an_official_folder_is_used_in_place",
            "engine.cli.test_models.test_an_official_folder_is_added_and_checked",
        ),
        _JUNCTIONS,
    ),
    **dict.fromkeys(
        (
            "desktop.panels.test_library.test_buttons_for_what_is_selected_show_only_then",
            "desktop.test_video_actions.test_a_deleted_video_that_comes_back_is_shown_again",
            "desktop.player.test_take_rows.test_a_take_that_is_thrown_away_is_not_compared_with",
            "desktop.dialogs.test_models.test_shared_parts_alone_are_no_model_to_remove",
            "desktop.dialogs.test_models.test_a_model_goes_to_the_bin_and_comes_back",
            "desktop.dialogs.test_models.test_storage_lists_what_can_go",
            "desktop.dialogs.test_models.test_an_unfinished_download_goes_only_while_none_is_under",
        ),
        "wine has no recycle bin (QFile.moveToTrash is refused)",
    ),
    "desktop.test_program.test_a_bell_left_by_a_crash_does_not_keep_the_next_start_out": (
        "in wine what stands in a pipe is gone with its writer; between programs that run it comes"
    ),
    "desktop.state.test_library.test_a_name_that_cannot_be_is_refused_in_a_sentence[name1]": (
        "wine shortens a name that is too long, which Windows refuses"
    ),
    "packaging.test_dev.test_a_fitting_interpreter_is_kept": (
        "the embeddable Python cannot make environments"
    ),
    **dict.fromkeys(
        (
            "packaging.test_freezing.test_only_what_the_project_does_not_need_is_left_out",
            "desktop.dialogs.test_sheets.test_the_notice_names_what_is_installed",
        ),
        "the program is there as its sources, not as a package that names what it needs",
    ),
    "packaging.test_thin_bundle.test_a_windows_environment_from_a_folder_has_all_of_it": (
        "it asks uv, which is not in this Python"
    ),
}
"""Tests that cannot hold in wine, by the beginnings of their names, and why."""
_TOOLS = (
    *("pytest", "pytest-qt", "pytest-cov", "coverage", "pytest-xdist", "execnet"),
    *("pluggy", "iniconfig", "colorama", "pygments", "packaging", "ruff"),
    *("hatchling", "pathspec", "tomlkit", "trove-classifiers", "protobuf"),
    *("fastapi", "starlette", "opentelemetry-api", "pydantic", "pydantic-core"),
    *("annotated-doc", "annotated-types", "typing-inspection", "uvicorn", "click", "h11"),
    *("zeroconf", "ifaddr"),
)
_FONTS = (
    *("noto/NotoSans-Regular.ttf", "noto/NotoSansArabic-Regular.ttf"),
    "droid/DroidSansFallbackFull.ttf",
)
_LIMIT_S = 3600
_RUN = r"""
import os, sys
os.chdir(r"C:\src")
import pytest
sys.exit(pytest.main(sys.argv[1:]))
"""


def main(argv: Sequence[str]) -> int:
    """Run what was asked for; returns 0 if nothing failed but what is known to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    for name in ("root", "wheels", "out"):
        parser.add_argument(f"--{name}", type=Path)
    wishes = parser.parse_args(argv)
    if odd := set(wishes.parts) - set(PARTS):
        parser.error(f"no parts: {', '.join(sorted(odd))}")
    build_tools.install("release", "windows")
    with tempfile.TemporaryDirectory() as name, wine_root(wishes.root) as root:
        work = Path(name)
        windows = Windows(root, "")
        windows.boot()
        _install(windows, work, wishes.wheels or work / "wheels")
        out = wishes.out or work / "out"
        out.mkdir(exist_ok=True)
        for part in wishes.parts or PARTS:
            _run(windows, part, out)
            say(f"{part}: {_counted(_read(out / f'{part}.xml'))}")
        windows.shut_down()
        return _sum_up(out)


def _install(windows: Windows, work: Path, wheels: Path) -> None:
    """A Python for Windows with all that the program and its tests need, and the sources."""
    bundle = Bundle(work, "0", "", thin_bundle.pinned("torch"), ("cpu",), ())
    thin_bundle.lock(work, False)
    windows_stand_ins.wheels(bundle, wheels)
    tools = [thin_bundle.pinned(name) for name in _TOOLS]
    windows_stand_ins.fetch(tools, work / "tools")
    python = windows.disk / "python"
    shutil.copytree(windows_stand_ins.python(work), python)
    next(python.glob("python3*._pth")).unlink()  # as a checkout's Python, it knows PYTHONPATH
    packages = python / "Lib" / "site-packages"
    uv = (sys.executable, "-m", "uv", "pip", "install", "-q", "--target", str(packages))
    uv += ("--python-platform", "x86_64-pc-windows-msvc", "--no-deps", "--no-index", "--offline")
    uv += ("--python-version", windows_bundle.PYTHON_VERSION, "--link-mode", "copy")
    # Some serve both; by its file's name each is there once.
    found = {
        wheel.name: str(wheel)
        for place in (wheels, work / "tools")
        for wheel in place.glob("*.whl")
    }
    subprocess.run([*uv, *found.values()], check=True)
    for runtime in packages.glob("msvcp140*.dll"):  # which belong beside Python
        runtime.rename(python / runtime.name)
    (packages / "checkout.pth").write_text("C:\\src\n", encoding="utf-8")
    icuuc = windows.disk / "windows" / "system32" / "icuuc.dll"
    windows_stand_ins.icu(packages / "PySide6" / "Qt6Core.dll", icuuc)
    thin_bundle.copy_sources(windows.disk / "src")
    fonts = windows.disk / "windows" / "Fonts"  # where Qt looks; wine's disk comes without any
    fonts.mkdir(exist_ok=True)
    for font in _FONTS:
        shutil.copy(windows.root / "usr" / "share" / "fonts" / "truetype" / font, fonts)
    windows.own(windows.disk / "python")
    windows.own(windows.disk / "src")


def _run(windows: Windows, part: str, out: Path) -> None:
    paths = [f"tests/{path}" for path in PARTS[part]]
    report = windows.disk / "report.xml"
    report.unlink(missing_ok=True)
    options = ("-v", "-p", "no:cacheprovider", "--tb=short", r"--junitxml=C:\report.xml")
    done = windows.run(
        *("env", "QT_QPA_PLATFORM=offscreen", "OMP_NUM_THREADS=1"),
        *("wine", r"C:\python\python.exe", "-c", _RUN, *options, *paths),
        limit_s=_LIMIT_S,
    )
    (out / f"{part}.txt").write_text(done.stdout, encoding="utf-8")
    require(report.is_file(), f"{part} was run to its end", done.stdout[-3000:])
    shutil.copyfile(report, out / f"{part}.xml")


def _read(report: Path) -> dict[str, str]:
    """What became of each test: passed, failed or skipped."""
    found = {}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        kinds = {child.tag for child in case}
        became = "failed" if kinds & {"failure", "error"} else "passed"
        found[f"{case.get('classname')}.{case.get('name')}"] = (
            "skipped" if "skipped" in kinds else became
        )
    return found


def _counted(outcomes: dict[str, str]) -> str:
    every = list(outcomes.values())
    return ", ".join(f"{every.count(what)} {what}" for what in ("passed", "failed", "skipped"))


def _sum_up(out: Path) -> int:
    outcomes: dict[str, str] = {}
    for report in sorted(out.glob("*.xml")):
        outcomes |= _read(report)
    say(f"all parts that were run: {_counted(outcomes)}")
    failed = [name for name, became in outcomes.items() if became == "failed"]
    for name, reason in KNOWN.items():
        say(f"known: {len(_of(name, failed))} of {name}: {reason}")
    unknown = [name for name in failed if not any(name in _of(k, failed) for k in KNOWN)]
    healed = [name for name in KNOWN if _of(name, outcomes) and not _of(name, failed)]
    for name in unknown:
        say(f"FAIL {name}")
    for name in healed:
        say(f"FAIL {name} is known to fail, and passes")
    return 1 if unknown or healed else 0


def _of(known: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(f"tests.{known}")]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
