"""What a release says it is made of."""

from __future__ import annotations

import importlib.metadata
from typing import Any

import description
import pytest

from magi_engine import __version__


@pytest.fixture
def bill() -> dict[str, Any]:
    """As the tool makes it from requirements: names, versions and hashes."""
    purl = "pkg:pypi/pyside6-essentials@6.11.3"
    component = {
        "bom-ref": "1",
        "name": "PySide6-Essentials",
        "type": "library",
        "description": "requirements line 1",
        "purl": purl,
        "externalReferences": [
            {"type": "distribution", "url": "https://example.org/", "hashes": []}
        ],
    }
    other = {"bom-ref": "2", "name": "av", "type": "library"}
    gone = {"bom-ref": "3", "name": "pywin32-of-another-system", "type": "library"}
    bill = {"metadata": {"component": {"bom-ref": "root"}}, "components": [component, other, gone]}
    description.complete(bill, {"uv", "pyside6-essentials"}, with_python=True)
    return bill


def found(bill: dict[str, Any], name: str) -> dict[str, Any]:
    return next(c for c in bill["components"] if c["name"] == name)


def test_the_bill_names_what_is_delivered_and_under_what(bill: dict[str, Any]) -> None:
    assert bill["metadata"]["component"]["version"] == __version__
    assert found(bill, "torch")["version"] == description.pinned_version("torch")
    ways = {c["name"]: c["properties"][0]["value"] for c in bill["components"]}
    assert ways["uv"] == ways["PySide6-Essentials"] == ways["CPython"] == description.INSIDE
    assert ways["torch"] == ways["av"] == description.FETCHED
    assert "LGPL-3.0" in found(bill, "PySide6-Essentials")["licenses"][0]["license"]["name"]
    assert found(bill, "x264")["licenses"][0]["license"]["id"] == "GPL-2.0-or-later"
    assert found(bill, "av")["licenses"][0]["license"]["name"] == "BSD-3-Clause"
    assert "licenses" not in found(bill, "pywin32-of-another-system")


def test_hashes_stay_and_no_server_is_named(bill: dict[str, Any]) -> None:
    assert found(bill, "PySide6-Essentials")["externalReferences"] == [
        {"type": "distribution", "url": "pkg:pypi/pyside6-essentials@6.11.3", "hashes": []}
    ]


def test_everything_is_needed_by_something(bill: dict[str, Any]) -> None:
    needs = {d["ref"]: set(d.get("dependsOn", ())) for d in bill["dependencies"]}
    assert needs["2"] == {"FFmpeg", "x264", "x265"}, "PyAV brings them"
    assert set().union(*needs.values()) | {"root"} == set(needs)
    assert set(needs) == {"root", *(c["bom-ref"] for c in bill["components"])}


def test_every_component_has_a_name_of_its_own(bill: dict[str, Any]) -> None:
    names = [c["bom-ref"] for c in bill["components"]]
    assert len(set(names)) == len(names)


def test_people_get_the_notices_and_every_text() -> None:
    text = description.licenses(["av", "platformdirs", "not-installed"], ["PYTHON'S OWN"])
    assert "x264 and x265, which write" in text
    assert "under the GNU Lesser General Public License, Version 3" in text
    assert f"platformdirs {importlib.metadata.version('platformdirs')}: MIT" in text
    assert "Permission is hereby granted, free of charge" in text
    assert "Of another system" in text
    assert "PYTHON'S OWN" in text
    for title in ("GNU GENERAL PUBLIC LICENSE", "GNU LESSER GENERAL PUBLIC LICENSE"):
        assert title in text
    assert text.count("TERMS AND CONDITIONS") > 2


def test_the_notice_is_true_of_the_libraries_that_come() -> None:
    """PyAV's build: if x264 or x265 go, or the licence of the whole changes, the notice has to."""
    names = {f.name for f in importlib.metadata.files("av") or ()}
    assert any("x264" in name for name in names)
    assert any("x265" in name for name in names)


def test_what_is_not_pinned_cannot_be_described() -> None:
    with pytest.raises(ValueError, match="not pinned"):
        description.pinned_version("no-such-package")
