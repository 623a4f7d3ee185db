"""Models of the user's own: folders, repositories, mirrors; what is wrong with them is said."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from magi_engine.cli.exit_codes import BAD_INPUT, DONE
from magi_engine.cli.main import main
from magi_engine.config.added import AddedModel, AddedModels, user_models_file
from magi_engine.config.registry import Registry
from magi_engine.errors import ConfigError, MagiError, ModelNotFoundError, WeightsError
from magi_engine.install.adding import HubAddress, add_models, forget_model, hub_address
from magi_engine.install.status import ModelState, model_statuses, remove_model
from magi_engine.resources import resource_path
from magi_engine.weights.layout import find_model
from magi_engine.weights.manifest import FOUND, Manifest, Stamp
from tests.engine.install.hub_server import COMMIT, HubServer
from tests.engine.install.test_faults import is_said
from tests.engine.install.test_importing import put_stacked
from tests.engine.install.test_process import put_special_tokens, release_files
from tests.places import move_places

_LIKE = "4.5B-distill"
_FOLDER = "ckpt/magi/4.5B_distill/inference_weight.distill"
_LAYERS = 34


def dit_file(layers: int = _LAYERS, dtype: str = "BF16", fill: int = 0) -> bytes:
    """A safetensors file with the names of a transformer's layers, and one number in each."""
    names = [f"videodit_blocks.layers.{n}.x.weight" for n in range(layers)]
    size = 1 if dtype.startswith("F8") else 2
    header = json.dumps(
        {
            name: {"dtype": dtype, "shape": [1], "data_offsets": [n * size, (n + 1) * size]}
            for n, name in enumerate(names)
        }
    ).encode()
    return len(header).to_bytes(8, "little") + header + bytes([fill]) * size * layers


def official(root: Path, transformer: bytes) -> Path:
    """A folder in the official layout."""
    tokens = resource_path("pocket", "special_tokens.npz").read_bytes()
    files = {**release_files(1000), "special_tokens.npz": tokens}
    files[f"{_FOLDER}/model.safetensors"] = transformer
    for path, data in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    return root


@pytest.fixture(autouse=True)
def own_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    move_places(monkeypatch, tmp_path)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    files = {path: data for path, data in release_files(1000).items() if "ckpt/vae" not in path}
    server = HubServer({**files, f"{_FOLDER}/model.safetensors": dit_file(), "README.md": b"x"})
    monkeypatch.delenv("HF_ENDPOINT")
    use_mirror(server.url)
    yield server
    server.shutdown()
    server.server_close()


def use_mirror(address: str) -> None:
    AddedModels.change(lambda added: dataclasses.replace(added, mirror=address))


def state(name: str, models_dir: Path) -> ModelState:
    return next(s.state for s in model_statuses(models_dir) if s.entry.name == name)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("a/b", HubAddress("a/b")),
        (" a/b@v1 ", HubAddress("a/b", "v1")),
        ("https://huggingface.co/a/b", HubAddress("a/b")),
        ("https://huggingface.co/a/b/tree/dev/ckpt", HubAddress("a/b", "dev")),
        ("https://mirror.example:8443/a/b@v1", HubAddress("a/b", "v1")),
        ("https://mirror.example:8443/models/a/b", HubAddress("a/b")),
    ],
)  # fmt: skip
def test_what_people_paste_is_understood(text: str, address: HubAddress) -> None:
    use_mirror("https://mirror.example:8443")
    assert hub_address(text) == address


@pytest.mark.parametrize(
    "text",
    ["", "a", "a/b/c", "a b/c", "ftp://x/a/b", "https://", "https://huggingface.co/a", "a/b\n/c"],
)
def test_what_is_no_source_is_said(text: str) -> None:
    with pytest.raises(MagiError) as raised:
        add_models(text, None, None)
    is_said(raised.value)
    assert AddedModels.load().models == ()


def test_a_folder_is_used_where_it_lies(tmp_path: Path) -> None:
    folder, models_dir = official(tmp_path / "My clips (v2)", dit_file()), tmp_path / "models"
    where = ("--models-dir", str(models_dir))
    assert main(["models", "add", str(folder), *where]) == DONE
    (entry,) = (e for e in Registry.load().entries if e.like is not None)
    assert (entry.name, entry.title) == ("My-clips-v2", "My clips (v2)")
    assert state(entry.name, models_dir) is ModelState.READY
    found = find_model(entry.name, models_dir)
    assert found.files.transformer == folder / _FOLDER
    assert found.config.engine_config.distill
    assert not (models_dir / "ckpt").exists(), "nothing was copied"
    weights = folder / _FOLDER / "model.safetensors"
    weights.write_bytes(dit_file(fill=1))
    assert state(entry.name, models_dir) is ModelState.UNCHECKED
    assert main(["models", "verify", entry.name, *where]) != DONE
    assert state(entry.name, models_dir) is ModelState.DAMAGED
    shutil.move(folder, tmp_path / "elsewhere")
    status = next(s for s in model_statuses(models_dir) if s.entry.name == entry.name)
    assert status.state is ModelState.ABSENT
    assert "is not there" in str(status.detail)
    shutil.move(tmp_path / "elsewhere", folder)
    assert main(["models", "remove", entry.name, "--yes", *where]) == DONE
    assert weights.exists()
    assert all(e.like is None for e in Registry.load().entries)


def test_several_kinds_in_one_folder_become_several_models(tmp_path: Path) -> None:
    folder = official(tmp_path / "all", dit_file())
    fp8 = folder / "ckpt/magi/4.5B_distill_quant/inference_weight.fp8.distill"
    fp8.mkdir(parents=True)
    (fp8 / "model.safetensors").write_bytes(dit_file(dtype="F8_E4M3"))
    added = add_models(str(folder), None, None)
    assert [e.name for e in added] == ["all-4.5B-distill", "all-4.5B-distill-fp8"]
    again = add_models(str(folder), "second", "4.5B-distill-fp8")
    assert [e.name for e in again] == ["second"]


def test_bare_weights_are_taken_if_it_is_said_what_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "tuned"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(dit_file())
    with pytest.raises(ModelNotFoundError, match="official layout") as raised:
        add_models(str(folder), None, None)
    is_said(raised.value)
    (entry,) = add_models(str(folder), None, _LIKE)
    assert entry.files.transformer == folder
    assert entry.files.autoencoder == Path("ckpt/vae"), "the rest is that of the release"
    status = next(s for s in model_statuses(tmp_path / "m") if s.entry.name == "tuned")
    assert status.state is ModelState.PARTLY
    assert status.missing_bytes > 20e9


@pytest.mark.parametrize(
    ("transformer", "like", "sentence"),
    [
        (dit_file(48), _LIKE, "not those of a MAGI-1 4.5B distilled"),
        (dit_file(dtype="F8_E4M3"), _LIKE, "not those of a MAGI-1 4.5B distilled"),
        (dit_file(), "4.5B-distill-fp8", "official layout|not those of"),
        (dit_file()[:-1], _LIKE, "damaged, incomplete"),
        ((1 << 60).to_bytes(8, "little") + b"{}", _LIKE, "damaged, incomplete"),
        (b"", _LIKE, "damaged, incomplete"),
        (dit_file(), "9B", "is no released model"),
    ],
)
def test_weights_of_another_kind_are_not_added(
    tmp_path: Path, transformer: bytes, like: str, sentence: str
) -> None:
    folder = official(tmp_path / "x", transformer)
    with pytest.raises(MagiError, match=sentence) as raised:
        add_models(str(folder / _FOLDER), None, like)
    is_said(raised.value)
    assert AddedModels.load().models == ()


@pytest.mark.parametrize("like", [None, "24B-base", _LIKE])
@pytest.mark.parametrize("sharded", [False, True])
def test_magi_1_1_is_not_added(tmp_path: Path, like: str | None, sharded: bool) -> None:
    put_stacked(tmp_path / "weights", sharded=sharded)
    with pytest.raises(WeightsError, match=r"MAGI-1\.1") as raised:
        add_models(str(tmp_path / "weights"), None, like)
    is_said(raised.value)
    assert AddedModels.load().models == ()


@pytest.mark.parametrize("name", ["pocket", "POCKET", "a b", "../x", "x" * 41, "-x", "ü"])
def test_names_that_cannot_be_are_said(tmp_path: Path, name: str) -> None:
    folder = official(tmp_path / "x", dit_file())
    with pytest.raises(MagiError) as raised:
        add_models(str(folder), name, None)
    is_said(raised.value)


def test_a_repository_is_pinned_downloaded_and_shares_what_is_the_same(
    server: HubServer, tmp_path: Path
) -> None:
    (entry,) = add_models(f"{server.url}/some.one/tuned@main", None, None)
    assert entry.name == "tuned"
    assert entry.release is not None
    assert (entry.release.revision, entry.release.license) == (COMMIT, "apache-2.0")
    assert entry.release.endpoint == server.url
    assert entry.files.transformer == Path("added/tuned") / _FOLDER
    assert entry.files.autoencoder == Path("ckpt/vae"), "it has none of its own"
    # Of the released model all is here but its transformer, by way of the same server.
    models_dir = tmp_path / "models"
    put_special_tokens(models_dir)
    server.files |= release_files(1000)
    server.files[f"{_FOLDER}/model.safetensors"] = dit_file()
    where = ("--models-dir", str(models_dir))
    command = [sys.executable, "-m", "magi_engine", "models", "download", "tuned", "--yes", *where]
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ))
    assert "tuned is ready" in done.stderr, done.stderr
    assert state("tuned", models_dir) is ModelState.READY
    paths = [path for path, _ in server.headers]
    assert any("/some.one/tuned/tree/" in path and path.endswith(_FOLDER) for path in paths)
    assert any("/sand-ai/MAGI-1/tree/" in path and path.endswith("ckpt/vae") for path in paths)
    add_models(f"{server.url}/some.one/twin", None, None)
    server.served.clear()
    command[5] = "twin"
    subprocess.run(command, capture_output=True, check=True, env=dict(os.environ))
    assert f"{_FOLDER}/model.safetensors" not in server.served, "the same content is here"
    assert state("twin", models_dir) is ModelState.READY
    assert main(["models", "remove", "tuned", "--yes", *where]) == DONE
    assert not (models_dir / "added/tuned").exists()
    assert state("twin", models_dir) is ModelState.READY


@pytest.mark.parametrize(
    "wrong",
    [
        {"folder": 5}, {"folder": None, "repository": [1]}, {"sizes": [1]}, {"sizes": {"x": "1"}},
        {"parts": 1}, {"parts": {"transformer": None}}, {"title": {}}, {"license": 3},
        {"name": None}, {"revision": []}, {"unheard_of": 1},
    ],
)  # fmt: skip
def test_a_list_with_wrong_types_is_said_and_left_alone(
    tmp_path: Path, wrong: dict[str, object]
) -> None:
    add_models(str(official(tmp_path / "mine", dit_file())), None, None)
    kept = json.loads(user_models_file().read_text())
    kept["models"][0] |= wrong
    text = json.dumps(kept)
    user_models_file().write_text(text)
    registry = Registry.load()
    assert "cannot be read" in str(registry.problem)
    assert all(entry.like is None for entry in registry.entries)
    with pytest.raises(ConfigError):
        add_models(str(tmp_path / "mine"), None, None)
    assert user_models_file().read_text() == text


_ADDS = """
import sys
from magi_engine.install.adding import add_models
for n in range(5):
    add_models(sys.argv[1], f"{sys.argv[2]}-{n}", "4.5B-distill")
"""


def test_several_programs_at_once_lose_none_of_each_others_models(tmp_path: Path) -> None:
    folder = official(tmp_path / "mine", dit_file())
    programs = [
        subprocess.Popen([sys.executable, "-c", _ADDS, str(folder), name], env=dict(os.environ))
        for name in "abc"
    ]
    assert [program.wait() for program in programs] == [0, 0, 0]
    assert {m.name for m in AddedModels.load().models} == {
        f"{name}-{n}" for name in "abc" for n in range(5)
    }


def test_a_hub_that_is_not_the_mirror_is_said() -> None:
    with pytest.raises(MagiError, match="not where models are downloaded from") as raised:
        add_models("https://mirror.example/a/b", None, None)
    is_said(raised.value)


def test_a_repository_without_a_model_is_said(server: HubServer) -> None:
    server.files = {"README.md": b"x"}
    with pytest.raises(ModelNotFoundError, match="holds no model") as raised:
        add_models(f"{server.url}/some.one/else", None, None)
    is_said(raised.value)
    server.denied = (404, "RevisionNotFound")
    with pytest.raises(MagiError, match=r"some\.one/else at v9") as raised:
        add_models(f"{server.url}/some.one/else@v9", None, None)
    is_said(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"version": 99, "models": []}',
        '{"version": 1, "models": [{"name": "x"}]}',
        json.dumps({"version": 1, "models": [{"name": "../x", "like": _LIKE, "title": "",
            "parts": {}, "folder": "/"}]}),
        json.dumps({"version": 1, "models": [{"name": "x", "like": _LIKE, "title": "",
            "parts": {"transformer": "../../x"}, "repository": "a/b"}]}),
        json.dumps({"version": 1, "models": [{"name": "x", "like": _LIKE, "title": "",
            "parts": {"transformer": "x"}, "folder": 0}]}),
        json.dumps({"version": 1, "models": [{"name": "x", "like": _LIKE, "title": "",
            "parts": {"transformer": "x"}, "folder": "/\0"}]}),
    ],
    ids=range(8),
)  # fmt: skip
def test_a_damaged_list_of_ones_own_is_said_and_left_alone(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    user_models_file().parent.mkdir(parents=True)
    user_models_file().write_text(text)
    assert Registry.load().default.name == "pocket"
    assert main(["models", "list", "--models-dir", str(tmp_path)]) == DONE
    said = capsys.readouterr()
    assert "pocket" in said.out
    assert "models.json" in said.err
    with pytest.raises(ConfigError):
        add_models(str(official(tmp_path / "x", dit_file())), None, None)
    assert user_models_file().read_text(encoding="utf-8") == text


def test_what_is_known_of_a_model_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("--models-dir", str(tmp_path))
    assert main(["models", "show", "24B-distill-fp8", *where]) == DONE
    said = capsys.readouterr().out
    for part in ("sand-ai/MAGI-1@", "ckpt/t5/t5-v1_1-xxl", "Apache-2.0", "24 GB", "room needed"):
        assert part in said
    assert main(["models", "show", "9B", *where]) == BAD_INPUT
    add_models(str(official(tmp_path / "mine", dit_file())), None, None)
    assert main(["models", "show", "mine", *where]) == DONE
    assert str(tmp_path / "mine") in capsys.readouterr().out
    assert forget_model("mine") is not None
    assert forget_model("mine") is None


def removed(name: str, models_dir: Path) -> None:
    assert main(["models", "remove", name, "--yes", "--models-dir", str(models_dir)]) == DONE


def test_a_model_used_where_it_lies_stays_even_inside_the_folder_of_models(tmp_path: Path) -> None:
    models = tmp_path / "models"
    folder = models / "mymodel"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(dit_file())
    add_models(str(folder), "mine", _LIKE)
    manifest = Manifest.load(models)
    path = manifest.key(folder / "model.safetensors")
    manifest.note(path, "0" * 64, FOUND, Stamp.of(models / path))  # as checking it does
    assert remove_model("mine", models) == []
    removed("mine", models)
    assert (folder / "model.safetensors").read_bytes() == dit_file()
    assert AddedModels.load().models == ()


def keep(model: AddedModel) -> None:
    AddedModels.change(lambda added: added.with_model(model))


def test_what_the_user_put_beside_files_of_ours_stays(tmp_path: Path) -> None:
    models = tmp_path / "models"
    parts = {"transformer": _FOLDER}
    keep(AddedModel("mine", _LIKE, "Mine", parts, repository="a/b", revision=COMMIT))
    weights = models / "added/mine" / _FOLDER / "model.safetensors"
    notes, other = weights.with_name("notes.txt"), models / "added/mine/other.safetensors"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(dit_file())
    manifest = Manifest.load(models)
    manifest.note(manifest.key(weights), "0" * 64, "a/b")  # as downloading it does
    notes.write_text("my notes")
    other.write_bytes(dit_file())
    removed("mine", models)
    assert not weights.exists()
    assert (notes.read_text(), other.read_bytes()) == ("my notes", dit_file())


@pytest.mark.parametrize("linked", [False, True])
def test_a_list_that_leads_elsewhere_deletes_nothing_there(
    tmp_path: Path, linked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    models, victim = tmp_path / "a/b/models", tmp_path / "victim"
    victim.mkdir()
    (victim / "model.safetensors").write_bytes(dit_file())
    (models / "added").mkdir(parents=True)
    if linked:
        (models / "added/mine").symlink_to(tmp_path)
        parts = {"transformer": "victim"}
        keep(AddedModel("mine", _LIKE, "Mine", parts, repository="a/b", revision=COMMIT))
    else:
        parts = {"transformer": "../../../../victim"}
        keep(AddedModel("mine", _LIKE, "Mine", parts, folder=str(models / "x")))
        assert AddedModels.load().problem, "it is not even read"
        monkeypatch.setattr("magi_engine.config.added._leads_out", lambda *_: False)
    for path in ("added/mine/victim/model.safetensors", "../../../victim/model.safetensors"):
        Manifest.load(models).note(path, "0" * 64, "https://example.org")
    removed("mine", models)
    assert (victim / "model.safetensors").read_bytes() == dit_file()
