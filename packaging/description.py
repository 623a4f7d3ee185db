"""What a bundle is made of, said twice: a bill of materials for tools, licences for people.

The bill is CycloneDX. It holds every package of ``requirements.txt`` with its hashes, torch, what
lies in the installer itself (uv, part of Qt, on Windows a Python), and the libraries inside PyAV,
which matter for their licences.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import dev

from magi_engine import __version__

SBOM_NAME = "sbom.cdx.json"
LICENSES_NAME = "third-party-licenses.txt"
INSIDE, FETCHED = "in the installer", "fetched at the first start"
_TEXTS = Path(__file__).parent / "licenses"
_NAMED = re.compile(r"([A-Za-z0-9][\w.-]*)==(\S+)")
_LICENSE_FILE = re.compile(r"(?i)(licen[sc]e|copying|notice)")
_LONGEST_NAME = 120
"""Some packages put the whole text where a licence's name belongs."""
_IN_PYAV = {
    "FFmpeg": "LGPL-3.0-or-later",
    "x264": "GPL-2.0-or-later",
    "x265": "GPL-2.0-or-later",
}


def describe(
    folder: Path, inside: Iterable[str] = ("uv", "pyside6-essentials", "shiboken6")
) -> None:
    """Write the bill of materials and the licences into a bundle's folder.

    Args:
        folder: holds ``requirements.txt``; on Windows ``python/`` with its licence.
        inside: names of packages that are in the installer itself.
    """
    listed = folder / "requirements.txt"
    bill = json.loads(
        _output(
            # It warns of dependencies that are not known yet: they are added below.
            *(sys.executable, "-W", "ignore", "-m", "cyclonedx_py", "requirements", str(listed)),
            *("--output-reproducible", "--of", "JSON"),
            *("--pyproject", str(dev.ROOT / "pyproject.toml")),
        )
    )
    complete(bill, {name.lower() for name in inside}, with_python=(folder / "python").is_dir())
    text = json.dumps(bill, indent=2, ensure_ascii=False) + "\n"
    _check(bill["specVersion"], text)
    (folder / SBOM_NAME).write_text(text, encoding="utf-8")
    names = [m[1] for m in map(_NAMED.match, listed.read_text(encoding="utf-8").splitlines()) if m]
    python = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("python/LICENSE*"))]
    (folder / LICENSES_NAME).write_text(licenses([*names, "torch", "uv"], python), encoding="utf-8")


def complete(bill: dict[str, Any], inside: set[str], with_python: bool) -> None:
    """Add to a bill what its tool does not know: versions, licences, and what is delivered."""
    bill["metadata"]["component"]["version"] = __version__
    components: list[dict[str, Any]] = bill.setdefault("components", [])
    here = {component["name"].lower() for component in components}
    for name in ("torch", "uv"):
        if name not in here:
            components.append(_component(name))
    for component in components:
        name = component["name"].lower()
        component.pop("description", None)  # the line it was read from
        for reference in component.get("externalReferences", ()):
            # The files with these hashes are the same wherever they are fetched from.
            reference["url"] = component["purl"]
            reference.pop("comment", None)
        if licence := license_name(name):
            component["licenses"] = [{"license": {"name": licence}}]
        _say(component, INSIDE if name in inside else FETCHED)
    for name, licence in _IN_PYAV.items():
        components.append(_library(name, {"license": {"id": licence}}))
        _say(components[-1], f"{FETCHED}, inside av")
    if with_python:
        components.append(_library("CPython", {"license": {"name": "Python-2.0"}}))
        _say(components[-1], INSIDE)
    bill["dependencies"] = list(_dependencies(bill))


def _dependencies(bill: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Who needs whom, as far as it matters here: the program everything, PyAV its libraries."""
    refs = {component["name"]: component["bom-ref"] for component in bill["components"]}
    within = [refs[name] for name in _IN_PYAV]
    direct = [ref for ref in refs.values() if ref not in within]
    yield {"ref": bill["metadata"]["component"]["bom-ref"], "dependsOn": direct}
    for name, ref in refs.items():
        yield {"ref": ref, "dependsOn": within} if name == "av" else {"ref": ref}


def licenses(names: Iterable[str], more: Iterable[str] = ()) -> str:
    """The notice, the licence of every package as it comes with it, and the texts they refer to."""
    parts = [(_TEXTS / "NOTICE.txt").read_text(encoding="utf-8")]
    parts += [_license_of(name) for name in names]
    parts += more
    for path in sorted(_TEXTS.glob("*GPL-*.txt")):
        parts.append(f"{_headline(path.stem)}\n\n{path.read_text(encoding='utf-8')}")
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def license_name(name: str) -> str:
    """What an installed package says of itself; empty: it is not installed, or says nothing."""
    try:
        said = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
    fields = said.json  # from Python 3.13 on, a field that is not there has no name to ask for
    said_license = fields.get("license_expression") or fields.get("license") or ""
    short = str(said_license).split("\n")[0].strip()
    classifiers = said.get_all("Classifier") or []
    named = [c.split(" :: ")[-1] for c in classifiers if c.startswith("License ::")]
    return short if 0 < len(short) <= _LONGEST_NAME else ", ".join(named)


def _license_of(name: str) -> str:
    try:
        found = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return f"{_headline(name)}\nOf another system; its licence comes with its own files."
    title = f"{found.metadata['Name']} {found.version}: {license_name(name) or 'see below'}"
    files = [f for f in found.files or () if _LICENSE_FILE.match(f.name)]
    texts = [f.read_text(encoding="utf-8").strip("\n") for f in files if ".dist-info" in str(f)]
    return "\n\n".join([_headline(title), *texts])


def _headline(title: str) -> str:
    return f"{title}\n{'=' * len(title)}"


def _component(name: str) -> dict[str, Any]:
    version = pinned_version(name)
    purl = f"pkg:pypi/{name}@{version}"
    return {"bom-ref": purl, "name": name, "purl": purl, "type": "library", "version": version}


def _library(name: str, licence: dict[str, Any]) -> dict[str, Any]:
    return {"bom-ref": name, "name": name, "type": "library", "licenses": [licence]}


def _say(component: dict[str, Any], how: str) -> None:
    component.setdefault("properties", []).append({"name": "magi-desktop:comes", "value": how})


def pinned_version(name: str) -> str:
    """The version that ``constraints.txt`` holds a package to."""
    wanted = re.compile(rf"(?im)^{re.escape(name)}==(\S+)")
    found = wanted.search(dev.CONSTRAINTS.read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"{name} is not pinned")
    return found[1]


def _check(version: str, text: str) -> None:
    # Both are only there where this is built.
    from cyclonedx.schema import SchemaVersion  # pyright: ignore[reportMissingImports]
    from cyclonedx.validation.json import (  # pyright: ignore[reportMissingImports]
        JsonStrictValidator,
    )

    if fault := JsonStrictValidator(SchemaVersion.from_version(version)).validate_str(text):
        raise ValueError(f"the bill of materials is wrong: {fault}")


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
