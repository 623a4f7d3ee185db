"""Nasty values and damaged files through everything of the command line that takes one: each ends
in one sentence and the exit code of bad input."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from magi_engine.cli.main import main
from magi_engine.config.added import user_models_file
from magi_engine.media.output import open_writer
from magi_engine.runtime.request.request import GenerationRequest, Mode
from magi_engine.weights.manifest import Manifest
from tests.places import move_places

_LONGEST_SAID = 1000
_DIGITS = "9" * 6000
_HUGE = str(10**400)
_NUMBERS = (_DIGITS, "-" + _DIGITS, _HUGE, "1e400", "nan", "-inf", "²", "", "~nosuchuser/x", "0x10")
_NAMES = (_DIGITS, "~nosuchuser/x", "", "n" * 300, "/dev/null", "a/../..", "{name}", "%s")
_NO_LIST = ",".join(["1"] * 3000)

_JSON = {
    "deep": "[" * 100_000,
    "deeper": '{"a":' * 100_000,
    "digits": "[" + _DIGITS + "]",
    "huge": f'{{"version": {_HUGE}}}',
    "infinity": '{"format": "magi-desktop", "version": Infinity}',
    "text": '{"version": "one", "model_config": [], "runtime_config": "a"}',
    "list": "[1, 2]",
    "null": "null",
    "nul": '{"a": "\\u0000"}\0',
    "half": '{"model_config": {',
    "surrogate": '{"prompt": "\\ud800", "format": "magi-desktop"}',
    "user": '{"model_config": {}, "runtime_config": {"load": "~nosuchuser/x"}}',
    "latin": "{'é': 1}",
    "nothing": "",
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    move_places(monkeypatch, tmp_path / "home")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[[Sequence[str]], str]:
    """Runs a command that must be refused; gives the sentence."""

    def run(arguments: Sequence[str]) -> str:
        code = main(arguments)
        captured = capsys.readouterr()
        lines = captured.err.splitlines()
        assert code == 2, (arguments, captured)
        assert len(lines) == 1, (arguments, lines)
        assert lines[0].startswith("Error: ")
        assert "unexpected" not in lines[0]
        assert len(lines[0]) < _LONGEST_SAID
        return lines[0]

    return run


Refused = Callable[[Sequence[str]], str]

_NUMBER_OPTIONS = (
    *("size", "seconds", "fps", "seed", "crop", "clip", "crf", "steps", "window", "text-scales"),
    *("prev-chunk-scales", "cfg-t-range", "cfg-number", "kv-range", "clean-kv-range"),
)


@pytest.mark.parametrize("option", _NUMBER_OPTIONS)
def test_numbers_that_are_none(place: Path, refused: Refused, option: str) -> None:
    for value in (*_NUMBERS, _NO_LIST, "1e308", "1" + "0" * 30):
        refused(["generate", "--prompt", "x", f"--{option}={value}", "--image=no.png"])


def test_numbers_that_are_none_elsewhere(place: Path, refused: Refused) -> None:
    for value in _NUMBERS:
        refused(["generate", "--prompt-at", value, "x"])
        refused(["takes", "limit", f"--{value}" if value.startswith("-") else value])
        for option in ("from-chunk", "seconds", "seed"):
            refused(["redo", "a.mp4", f"--{option}={value}", "--from-chunk=1"])
        refused(["extend", "a.mp4", f"--seconds={value}"])


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("generate --image=a.png --clip=end:2", "--clip does nothing here: it is for --video."),
        ("generate --fit=pad", "--fit does nothing here: it is for --image, --video."),
        ("generate --crop=0,0,9,9", "--crop does nothing here"),
        ("generate --text-scales=3", "--text-scales does nothing here: it is for base models"),
        ("generate --prev-chunk-scales=3", "--prev-chunk-scales does nothing here"),
        ("generate --cfg-t-range=0,0.1,0.2,0.3,0.4", "--cfg-t-range does nothing here"),
        ("generate --steps=16 --shortcut-mode=8,16,16", "--shortcut-mode does nothing here"),
        ("generate -o=a.gif --crf=20", "--crf does nothing here: it is for MP4, WebM."),
        ("generate -o=a.webm --preset=slow", "--preset does nothing here: it is for MP4."),
        ("generate --prompt=x --token-file=key", "A key is for an engine elsewhere."),
        ("resume a.mp4 --token-file=key", "A key is for an engine elsewhere."),
        (
            "generate --prompt=x --engine=http://127.0.0.1:9 --models-dir=m",
            "Leave --models-dir out.",
        ),
        ("generate --json --quiet", "not allowed with"),
        ("generate a-ball", "unrecognized arguments: a-ball. See magi generate --help."),
        ("takes list -x", "unrecognized arguments: -x. See magi takes list --help."),
        ("takes limit 2e6", "The limit cannot be 2e+06 GB. Choose from 0 to 1000000."),
        ("takes limit -1", "The limit cannot be -1 GB. Choose from 0 to 1000000."),
        ("serve --host=a..b", "Nothing can be served at a..b, port 8611."),
        ("serve --port=99999", "Choose another --port or --host."),
        ("settings-of .", ": . is a folder, not a file. Choose a file in it."),
        ("generate --prepend-source", "Start from a video, or leave that option out."),
        ("doctor --attention --models-dir=m", "not allowed with"),
        ("serve --tls-cert=a --tls-key=b --insecure", "not allowed with"),
        ("generate --prompt=x --engine=somewhere", "somewhere is no address of an engine."),
        ("generate --prompt=x --engine=http://127.0.0.1:9", "--token-file FILE"),
        ("generate --image=", "has no name. Give its name, or leave it out."),
        ("generate --prompt=x --output=", "The output has no name. Give its name, or leave it"),
        ("audition --prompt=x --output=", "The output has no name."),
        ("generate --storyboard=", "The storyboard has no name. Give its name, or leave it out."),
        ("generate --storyboard=.", ": . is a folder, not a file. Choose a file in it."),
        ("generate --video=", "has no name. Give its name, or leave it out."),
        ("generate --gpus=00", "'00' is neither a number of cards nor 'all'"),
        ("generate --image=a.png --crop=middle", "'middle' is not X,Y,W,H"),
        ("farm --engines=-2", "--engines"),
        ("farm --engines=2-1", "--engines"),
        ("farm --most-each=-1", "--most-each"),
    ],
)
def test_what_would_have_no_effect_is_said(
    place: Path, refused: Refused, command: str, says: str
) -> None:
    assert says in refused(command.split())


def test_no_takes_take_no_room(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["takes", "list"]) == 0
    assert capsys.readouterr().out == "0 MB of 20.0 GB are used.\n"


def test_a_file_is_no_folder(place: Path, refused: Refused) -> None:
    (place / "a.png").touch()
    assert "a.png is no folder. Choose another name." in refused(
        ["audition", "--prompt=x", "-oa.png"]
    )


_NAME_COMMANDS = (
    ("generate", "--prompt=x", "--config={}"),
    ("generate", "--prompt=x", "--model={}"),
    ("generate", "--prompt=x", "--device={}"),
    ("generate", "--storyboard={}"),
    ("generate", "--like={}"),
    ("generate", "--special-tokens={}"),
    ("redo", "{}", "--from-chunk=1"),
    ("extend", "{}", "--seconds=1"),
    ("resume", "{}"),
    ("settings-of", "{}"),
    ("takes", "show", "{}"),
    ("takes", "pin", "{}"),
    ("takes", "unpin", "{}"),
    ("takes", "remove", "{}"),
    ("models", "show", "{}"),
    ("models", "download", "{}", "--yes"),
    ("models", "verify", "{}"),
    ("models", "remove", "{}", "--yes"),
    ("models", "quantize", "{}"),
    ("models", "import", "{}/none"),
    ("models", "add", "{}"),
    ("models", "mirror", "{}"),
    ("replay", "{}", "--weights=a", "--tensors=b", "--special-tokens=c", "--out=d"),
)


@pytest.mark.skipif(sys.platform == "win32", reason="names of POSIX")
@pytest.mark.parametrize("command", _NAME_COMMANDS, ids=" ".join)
def test_names_of_nothing(place: Path, refused: Refused, command: Sequence[str]) -> None:
    for name in _NAMES:
        # By argparse what begins with a dash would be an option.
        refused([part.replace("{}", name) for part in command])
    assert not list(place.iterdir()), "nothing was made"


@pytest.mark.skipif(sys.platform == "win32", reason="names of POSIX")
def test_outputs_that_cannot_be(place: Path, refused: Refused) -> None:
    for name in ("/", "..", "n" * 300, "a.tar", "none/a.mp4", "/dev/null/a.mp4"):
        refused(["generate", "--prompt=x", f"-o{name}"])


@pytest.mark.parametrize(
    "command",
    [
        "audition --prompt=x -o=file",
        "serve --folder=file",
        "serve --host=0.0.0.0 --folder=file/folder",
        "serve --token-file=file/token",
        "serve --token-file=.",
    ],
)
def test_places_that_cannot_be(place: Path, refused: Refused, command: str) -> None:
    (place / "file").touch()
    refused(command.split())


@pytest.mark.skipif(sys.platform != "linux", reason="devices of Linux")
@pytest.mark.parametrize("option", ["--storyboard", "--like", "--config"])
def test_files_without_end(place: Path, refused: Refused, option: str) -> None:
    refused(["generate", f"{option}=/dev/zero"])


_JSON_COMMANDS = (
    ("generate", "--prompt=x", "--config={}"),
    ("generate", "--like={}"),
    ("settings-of", "{}"),
    ("redo", "{}", "--from-chunk=1"),
    ("resume", "{}"),
    ("models", "import", "{}"),
    ("models", "add", "{}"),
)


@pytest.mark.parametrize("name", _JSON)
def test_json_that_is_none(place: Path, refused: Refused, name: str) -> None:
    file = place / f"{name}.json"
    file.write_text(_JSON[name], encoding="latin-1" if name == "latin" else "utf-8")
    for command in _JSON_COMMANDS:
        refused([part.replace("{}", str(file)) for part in command])


@pytest.mark.parametrize("name", _JSON)
def test_json_of_the_program_itself(
    place: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The list of added models and a folder's manifest: what is there besides goes on to work."""
    models = place / "models"
    models.mkdir()
    for file in (user_models_file(), models / "verified.json"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_JSON[name], encoding="latin-1" if name == "latin" else "utf-8")
    for command in (["list"], ["show", "4.5B-distill"]):
        assert main(["models", *command, "--models-dir", str(models)]) == 0
        captured = capsys.readouterr()
        assert "unexpected" not in captured.err
        assert len(captured.err) < _LONGEST_SAID


@pytest.mark.parametrize("name", ["\\ud800", "\\u0000", "~nosuchuser/x", "9" * 6000])
def test_files_that_no_system_has_are_not_held(tmp_path: Path, name: str) -> None:
    entry = {"size_bytes": 1, "mtime_ns": 1, "sha256": "0" * 64, "source": "a/b"}
    text = f'{{"{name}": {json.dumps(entry)}}}'
    (tmp_path / "verified.json").write_text(text, encoding="utf-8")
    manifest = Manifest.load(tmp_path)
    assert len(manifest.files) == 1
    assert not any(map(manifest.holds, manifest.files))


@pytest.mark.parametrize("path", ["n" * 300, "n" * 100_000, "n/" * 3000])
@pytest.mark.parametrize("field", ["folder", "parts"])
def test_added_models_with_paths_that_are_too_long_hide_no_other(
    place: Path, path: str, field: str, capsys: pytest.CaptureFixture[str]
) -> None:
    model = {"name": "mine", "like": "4.5B-distill", "title": "Mine", "folder": "/nowhere"}
    parts = {"transformer": path if field == "parts" else "dit"}
    model |= {"parts": parts, "sizes": {}} | ({} if field == "parts" else {field: path})
    user_models_file().parent.mkdir(parents=True, exist_ok=True)
    user_models_file().write_text(json.dumps({"version": 1, "models": [model]}), encoding="utf-8")
    assert main(["models", "list"]) == 0
    captured = capsys.readouterr()
    assert "4.5B-distill" in captured.out
    assert "cannot be read" in captured.err


@pytest.fixture(scope="module")
def whole_files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """One of each format that is read, with settings where it can have some."""
    folder = tmp_path_factory.mktemp("whole")
    picture = Image.radial_gradient("L").resize((64, 64)).convert("RGB")
    for name in ("a.png", "a.jpg", "a.webp", "a.tif", "a.bmp", "a.gif"):
        picture.save(folder / name)
    request = GenerationRequest(Mode.T2V, "pocket", 64, 64, 24)
    frames = np.stack([np.asarray(picture)] * 24)
    for name in ("b.mp4", "b.webm", "b.gif", "b.webp"):
        with open_writer(folder / name, 64, 64, 24, request.to_json()) as writer:
            writer.write(frames)
    return sorted(folder.iterdir())


def _damages(source: Path) -> dict[str, bytes]:
    data = source.read_bytes()
    damaged = {"start": data[: len(data) // 16], "zeros": bytes(len(data))}
    if source.suffix in (".png", ".mp4"):
        damaged |= {"nothing": b"", "text": b"a text\n" * 100, "bytes": bytes(range(256)) * 8}
    return damaged


def test_damaged_pictures_and_videos(
    place: Path, refused: Refused, whole_files: Sequence[Path]
) -> None:
    for source in whole_files:
        damages = _damages(source)
        for damage, data in damages.items():
            file = place / f"{damage}{source.suffix}"
            file.write_bytes(data)
            for option in ("image", "video"):
                refused(["generate", "--prompt=x", f"--{option}={file}", "-oa.mp4", "--quiet"])
            refused(["settings-of", str(file)])
            if len(damages) > 2:
                refused(["generate", f"--like={file}", "-oa.mp4", "--quiet"])
                refused(["redo", str(file), "--from-chunk=1"])
                refused(["resume", str(file)])
                refused(["extend", str(file), "--seconds=1"])
    assert not (place / "a.mp4").exists()
