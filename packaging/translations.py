"""Brings resources/translations up to date with the sentences in the windows.

    .venv/bin/python packaging/translations.py

Sentences that are new come out as unfinished entries of the ``.ts`` files: translate them there,
by hand or with Qt Linguist, and run this again, which compiles the ``.qm`` files the program reads.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "resources" / "translations"
LANGUAGES = ("en", "zh_CN")


def main() -> int:
    """Update and compile every language; returns 1 if something is left to translate."""
    unfinished = 0
    for language in LANGUAGES:
        ts = FOLDER / f"magi_{language}.ts"
        update(ts)
        compile_to(ts, ts.with_suffix(".qm"))
        left = ts.read_text(encoding="utf-8").count('type="unfinished"')
        print(f"{ts.name}: {left} sentences to translate")
        unfinished += left
    return 1 if unfinished else 0


def update(ts: Path) -> None:
    """Bring the entries of a ``.ts`` file in line with the sources; translations stay."""
    windows = (ROOT / "magi_desktop", ROOT / "magi_setup")
    sources = [str(p.relative_to(ROOT)) for w in windows for p in sorted(w.rglob("*.py"))]
    options = ["-locations", "none", "-no-obsolete", "-target-language", ts.stem[5:]]
    if ts.stem == "magi_en":  # the sources are English; only their plurals need two forms
        options.append("-pluralonly")
    _qt_tool("lupdate", *sources, *options, "-ts", str(ts))


def compile_to(ts: Path, qm: Path) -> None:
    """Compile a ``.ts`` file into what QTranslator reads."""
    _qt_tool("lrelease", "-silent", str(ts), "-qm", str(qm))


def _qt_tool(name: str, *arguments: str) -> None:
    tool = Path(sys.executable).with_name(f"pyside6-{name}")
    subprocess.run([str(tool), *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main())
