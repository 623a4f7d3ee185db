"""Brings resources/translations up to date with the sentences in the windows.

    .venv/bin/python packaging/translations.py

The sentences are what Qt finds there, and what errors and other messages say, which may be raised
where there is no Qt (``magi_engine.messages``). New ones come out as unfinished entries of the
``.ts`` files: translate them there, by hand or with Qt Linguist, and run this again, which
compiles the ``.qm`` files the program reads.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import PySide6

from magi_engine.atomic import replacing

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "resources" / "translations"
LANGUAGES = ("en", "zh_CN")
PACKAGES = ("magi_engine", "magi_desktop", "magi_setup")
CONTEXT = "Messages"
"""Of the texts of messages in the catalogues."""


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
    sources = [
        str(p.relative_to(ROOT)) for p in modules() if not p.is_relative_to(ROOT / "magi_engine")
    ]
    options = ["-locations", "none", "-no-obsolete", "-target-language", ts.stem[5:]]
    if ts.stem == "magi_en":  # the sources are English; only their plurals need two forms
        options.append("-pluralonly")
    with tempfile.TemporaryDirectory() as folder:
        messages = Path(folder) / "messages.py"
        quoted = (json.dumps(text, ensure_ascii=False) for text in message_texts())
        lines = (f'QT_TRANSLATE_NOOP("{CONTEXT}", {text})\n' for text in quoted)
        messages.write_text("".join(lines), encoding="utf-8")
        _qt_tool("lupdate", *sources, str(messages), *options, "-ts", str(ts))


def modules() -> list[Path]:
    """The sources of what is installed."""
    found = (path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
    return sorted(path for path in found if "training" not in path.parts)


def message_texts() -> list[str]:
    """Every English text of a message, once: those in the sources, and what the list of models
    says."""
    models = json.loads((ROOT / "resources" / "models.json").read_text(encoding="utf-8"))["models"]
    texts = {
        model[name]
        for model in models
        for name in ("purpose", "hardware", "limits")
        if name in model
    }
    for path in modules():
        for call in message_calls(ast.parse(path.read_text(encoding="utf-8"))):
            texts.update(text for text in map(literal, texts_of(call)) if text)
    return sorted(texts)


def message_calls(module: ast.Module) -> Iterator[ast.Call]:
    """Where a module makes a message, or an error of ours."""
    errors = _error_names()
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and (
            _name(node.func) == "Message" or _name(node.func) in errors
        ):
            yield node


def texts_of(call: ast.Call) -> list[ast.expr]:
    """The arguments that are texts: of an error, what is wrong and what to do."""
    return call.args[: 1 if _name(call.func) == "Message" else 2]


def literal(node: ast.expr) -> str | None:
    """The text of a literal; None: it is something else."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


@cache
def _error_names() -> frozenset[str]:
    """What ``MagiError`` and the classes derived from it are called."""
    classes = [
        node
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    ]
    names: set[str] = {"MagiError"}
    while more := {c.name for c in classes if names & set(map(_name, c.bases))} - names:
        names |= more
    return frozenset(names)


def _name(node: ast.expr) -> str:
    """``f`` of ``f`` and of ``module.f``."""
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def compile_to(ts: Path, qm: Path) -> None:
    """Compile a ``.ts`` file into what QTranslator reads; a program that runs has the file in its
    memory, and keeps the one before."""
    with replacing(qm) as fresh:
        _qt_tool("lrelease", "-silent", str(ts), "-qm", str(fresh))


def _qt_tool(name: str, *arguments: str) -> None:
    tool = Path(PySide6.__file__).with_name(name)
    subprocess.run([str(tool), *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main())
