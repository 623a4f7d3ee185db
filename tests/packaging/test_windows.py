"""What the installer for Windows is made from: its script, its Python, its signature."""

import re
from pathlib import Path

import pytest
import windows_bundle
import windows_installer
import windows_signing
from thin_bundle import ThinBundle

from magi_desktop.panels.reference import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from magi_engine import __version__
from magi_setup.errors import BusyError
from magi_setup.windows_python import make_private

CERTIFICATE = {"MAGI_SIGN_CERTIFICATE": "a.pfx", "MAGI_SIGN_PASSWORD": "secret"}


def test_the_script_knows_what_the_program_opens(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(bytes(3 << 20))
    facts = windows_installer.facts_of(ThinBundle(tmp_path, "1.2.3"))
    assert facts["NUMBERS"] == "1.2.3.0"
    assert facts["SIZE_MB"] == "53"
    assert facts["BUSY"] == str(BusyError.EXIT_CODE)
    script = windows_installer.as_script(facts)
    assert "!define VERSION '1.2.3'" in script
    listed = re.findall(r"\$\{do\} (\w+)", script)
    assert set(listed) == {*IMAGE_SUFFIXES, *VIDEO_SUFFIXES}
    assert len(listed) == len(set(listed))


def test_every_sentence_is_there_in_both_languages_and_used() -> None:
    said = (windows_bundle.FILES / "strings.nsh").read_text(encoding="utf-8")
    script = (windows_bundle.FILES / "installer.nsi").read_text(encoding="utf-8")
    sentences = re.findall(r'\$\{Say\} (\w+) \\\n  "(.+)" \\\n  "(.+)"\n', said)
    assert len(sentences) == said.count("${Say} ")
    for name, english, chinese in sentences:
        assert f"$({name})" in script, name
        assert english.isascii() or english.replace("…", "").isascii()
        assert re.search("[\u4e00-\u9fff]", chinese), name
        assert english.count("${") == chinese.count("${"), name
        assert english.count("&") == chinese.count("&"), name
    assert set(re.findall(r"\$\((\w+)\)", script)) == {name for name, _, _ in sentences}


@pytest.mark.parametrize(
    ("version", "numbers"), [("1.2.3", "1.2.3.0"), ("1.2", "1.2.0.0"), ("1.2.3rc1", "1.2.0.0")]
)
def test_versions_as_windows_counts(version: str, numbers: str) -> None:
    assert ".".join(windows_bundle.four_numbers(version)) == numbers


def test_launchers_say_who_they_are() -> None:
    facts = windows_bundle.facts()
    assert facts["version"] == __version__
    template = (windows_bundle.FILES / "launcher.rc.in").read_text(encoding="utf-8")
    assert set(re.findall(r"\$(\w+)", template)) == {*facts, "file"}


def test_a_python_in_an_archive_keeps_to_itself(tmp_path: Path) -> None:
    for name in ("python3.dll", "python313.dll", "python313.zip"):
        (tmp_path / name).touch()
    make_private(tmp_path)
    lines = (tmp_path / "python313._pth").read_text(encoding="utf-8").splitlines()
    assert lines == ["python313.zip", ".", "Lib\\site-packages", "import site"]


def test_an_ordinary_python_is_slimmed_and_keeps_to_itself(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    kept = ("python.exe", "python3.dll", "python312.dll", "DLLs/_ssl.pyd", "Lib/os.py")
    dropped = ("Lib/EXTERNALLY-MANAGED", "Lib/site-packages/pip/a.py", "Lib/test/a.py")
    dropped += ("DLLs/tcl86t.dll", "DLLs/_tkinter.pyd", "tcl/a", "Lib/json/__pycache__/a.pyc")
    for name in (*kept, *dropped, "Lib/json/a.py"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).touch()
    windows_bundle.copy_python(source, target)
    files = {p.relative_to(target).as_posix() for p in target.rglob("*") if p.is_file()}
    assert files == {*kept, "Lib/json/a.py", "python312._pth"}
    lines = (target / "python312._pth").read_text(encoding="utf-8").splitlines()
    assert lines == ["Lib", "DLLs", ".", "Lib\\site-packages", "import site"]


def test_no_installer_without_the_cpp_runtime_that_torch_needs(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("numpy==2.4.6", encoding="utf-8")
    with pytest.raises(ValueError, match="runtime"):
        windows_bundle.add(tmp_path, None)


def test_what_is_no_python_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no Python"):
        make_private(tmp_path)


def test_signed_only_with_a_certificate() -> None:
    assert not windows_signing.is_wanted({})
    assert windows_signing.is_wanted(CERTIFICATE)
    a, b, password = Path("a.exe"), Path("b.exe"), Path("password")
    command = windows_signing.osslsigncode(a, b, password, CERTIFICATE)
    assert "secret" not in " ".join(command)  # others could read it in the list of processes
    assert "-ts" not in command
    stamped = {**CERTIFICATE, "MAGI_SIGN_TIMESTAMP": "http://stamp.test"}
    assert "http://stamp.test" in windows_signing.osslsigncode(a, b, password, stamped)
    assert windows_signing.signtool(a, stamped)[-3:] == ["/td", "sha256", "a.exe"]
