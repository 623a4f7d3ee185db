"""Removing takes what the set-up made, more only if told, and never a video."""

import contextlib
import dataclasses
import json
import shutil
import sqlite3
import sys
from pathlib import Path

import pytest

from magi_desktop.belongings import Belonging, sizes
from magi_desktop.paths import Places
from magi_engine.config.added import AddedModel, AddedModels
from magi_engine.install.hub import RemoteFile, part_of
from magi_engine.weights.manifest import Manifest, Verified
from magi_setup.environments import Environments
from magi_setup.removal import EVERYTHING, Remains, describe, remove
from tests.places import move_places

VIDEO = "videos/Magi Desktop/a.mp4"
TAKE = "data/magi-desktop/takes/20261128-094455-3f9a01/take.json"


@pytest.fixture
def made() -> set[str]:
    """What goes in any case."""
    return {
        "data/magi-desktop/environments/1.0-cpu-1/bin/python",
        "cache/magi-desktop/thumbnails/a.png",
        "cache/magi-desktop/previews/a",
        "state/magi-desktop/log/setup.log",
        "state/magi-desktop/log/magi.log",
    }


@pytest.fixture
def kept() -> set[str]:
    """What goes only if told, and the videos."""
    return {
        "config/magi-desktop/settings.json",
        "data/magi-desktop/magi.sqlite3",
        "data/magi-desktop/models/ckpt/a.safetensors",
        "data/magi-desktop/models.json",
        "data/magi-desktop/takes/limit.json",
        TAKE,
        VIDEO,
    }


@pytest.fixture
def home(tmp_path: Path, made: set[str], kept: set[str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """One user's folders, with everything in them."""
    if not sys.platform.startswith("linux"):
        pytest.skip("folders as Linux has them")
    move_places(monkeypatch, tmp_path)
    monkeypatch.delenv("MAGI_DESKTOP_HOME", raising=False)
    for name in made | kept:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    return tmp_path


def files(home: Path) -> set[str]:
    return {str(p.relative_to(home)) for p in home.rglob("*") if p.is_file()}


def clear(everything: bool) -> None:
    places = Places.of_user()
    kinds = frozenset(EVERYTHING if everything else ())
    remove(Environments(places.data / "environments"), places, kinds)


def test_models_settings_and_videos_stay(home: Path, kept: set[str]) -> None:
    clear(everything=False)
    assert files(home) == kept


def test_everything_but_the_videos_goes_if_told(home: Path) -> None:
    shutil.rmtree((home / TAKE).parent)
    clear(everything=True)
    assert files(home) == {VIDEO}
    for kind in ("config", "data", "cache", "state"):
        assert list((home / kind).iterdir()) == []


def test_takes_go_only_if_they_are_named(home: Path) -> None:
    clear(everything=True)
    assert files(home) == {TAKE, VIDEO}
    places = Places.of_user()
    remove(Environments(places.environments), places, frozenset({Belonging.TAKES}))
    assert files(home) == {VIDEO}
    assert list((home / "data").iterdir()) == []


def test_takes_go_without_the_settings(home: Path, kept: set[str]) -> None:
    places = Places.of_user()
    remove(Environments(places.environments), places, frozenset({Belonging.TAKES}))
    assert files(home) == kept - {TAKE}


def test_takes_beside_another_home_stay_too(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAGI_DESKTOP_HOME", str(home / "elsewhere"))
    clear(everything=True)
    assert (home / TAKE).exists()


def test_what_stays_is_told(home: Path) -> None:
    remains = Remains.of(Places.of_user())
    clear(everything=True)
    assert remains.left().splitlines() == [
        f"videos        0.1 MB  {home}/videos/Magi Desktop",
        f"takes         0.1 MB  {home}/data/magi-desktop/takes",
    ]


def test_where_nothing_is_nothing_fails(home: Path) -> None:
    clear(everything=True)
    clear(everything=True)
    assert files(home) == {TAKE, VIDEO}


def settings(home: Path, models: Path) -> None:
    text = json.dumps({"version": 1, "preferences": {"models_folder": str(models)}})
    (home / "config/magi-desktop/settings.json").write_text(text)


def test_of_a_chosen_folder_of_models_only_ours_go(home: Path) -> None:
    models, strange = home / "AI", home / "AI/ckpt/somebody/else.safetensors"
    ours = models / "ckpt/magi/4.5B_distill/inference_weight.distill/model.safetensors"
    unfinished = [
        part_of(RemoteFile(name, "", 5, sha256, None, ""), models)
        for name, sha256 in (
            ("ckpt/magi/24B_gone/model.safetensors", "0123456789abcdef" * 4),
            ("special_tokens.npz", "f" * 64),
            ("added/mine/model.safetensors", "a" * 64),
        )
    ]
    others = [
        models / name
        for name in (
            "film.mkv.part",
            "ckpt/somebody/film.mkv.part",
            f"elsewhere/{unfinished[0].name}",
        )
    ]
    for path in (strange, ours, models / "licences.json", *unfinished, *others):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("12345")
    (models / "somebody's empty folder").mkdir()
    settings(home, models)
    remains = Remains.of(Places.of_user())
    assert remains.size_bytes(Belonging.MODELS) == 25
    places = Places.of_user()
    remove(Environments(places.data / "environments"), places, frozenset({Belonging.MODELS}))
    assert {p for p in models.rglob("*") if p.is_file()} == {strange, *others}
    assert (models / "somebody's empty folder").exists()
    assert not (models / "ckpt/magi").exists()
    assert not (models / "added").exists()


def test_a_model_used_where_it_lies_stays_in_the_usual_folder_too(home: Path) -> None:
    models = home / "data/magi-desktop/models"
    own = models / "mymodel/model.safetensors"
    ours = models / "ckpt/magi/4.5B_base/inference_weight/model.safetensors"
    for path in (own, ours):
        path.parent.mkdir(parents=True)
        path.write_text("1")
    parts = {"transformer": "."}
    model = AddedModel("mine", "4.5B-base", "Mine", parts, folder=str(own.parent))
    (home / "data/magi-desktop/models.json").unlink()
    AddedModels.change(lambda added: added.with_model(model))
    clear(everything=True)
    assert own.read_text() == "1"
    assert not ours.exists()


def test_a_chosen_folder_stays_even_if_nothing_is_left_in_it(home: Path) -> None:
    (home / "AI").mkdir()
    (home / "AI/verified.json").write_text("{}")
    settings(home, home / "AI")
    clear(everything=True)
    assert list((home / "AI").iterdir()) == []


def test_of_a_chosen_folder_nothing_goes_that_lies_elsewhere(home: Path) -> None:
    models, elsewhere = home / "AI", home / "own" / "model.safetensors"
    for path in (models / "verified.json", elsewhere):
        path.parent.mkdir()
        path.write_text("1")
    (models / "linked").symlink_to(elsewhere.parent)
    manifest = Manifest(models)
    stamp = Verified(1, 1, "0" * 64, "")
    for name in (elsewhere.as_posix(), "linked/model.safetensors", "../own/model.safetensors"):
        manifest.files[name] = stamp
    notes = {name: dataclasses.asdict(verified) for name, verified in manifest.files.items()}
    (models / "verified.json").write_text(json.dumps(notes))
    settings(home, models)
    assert len(Manifest.load(models).files) == 3
    clear(everything=True)
    assert elsewhere.read_text(encoding="utf-8") == "1"
    assert not (models / "verified.json").exists()


def test_models_stay_in_the_usual_folder_when_another_was_chosen(home: Path) -> None:
    settings(home, home / "AI")
    clear(everything=True)
    assert files(home) == {"data/magi-desktop/models/ckpt/a.safetensors", TAKE, VIDEO}


def test_a_linked_model_goes_but_not_what_it_leads_to(home: Path) -> None:
    original = home / "original" / "model.safetensors"
    original.parent.mkdir()
    original.write_text("12345")
    shutil.rmtree((home / TAKE).parent)
    link = home / "data/magi-desktop/models/ckpt/magi/4.5B_base/inference_weight"
    link.parent.mkdir(parents=True)
    link.symlink_to(original.parent)
    clear(everything=True)
    assert original.read_text(encoding="utf-8") == "12345"
    assert not (home / "data/magi-desktop").exists()


def library(home: Path, *videos: Path) -> None:
    with contextlib.closing(sqlite3.connect(home / "library.sqlite3")) as database:
        database.execute("CREATE TABLE library (id TEXT, path TEXT)")
        for path in videos:
            database.execute("INSERT INTO library VALUES ('', ?)", (str(path),))
        database.commit()
    (home / "library.sqlite3").replace(home / "data/magi-desktop/magi.sqlite3")


def test_videos_stay_in_a_folder_that_goes_wherever_links_lead(home: Path) -> None:
    data = home / "data/magi-desktop"
    earlier, now = data / "earlier/b.mp4", data / "now/c.mp4"
    for path in (earlier, now):
        path.parent.mkdir()
        path.write_text("1")
    (home / "shortcut").symlink_to(data)
    library(home, earlier)
    text = json.dumps({"preferences": {"output_folder": str(home / "shortcut/now")}})
    (home / "config/magi-desktop/settings.json").write_text(text)
    clear(everything=True)
    assert earlier.exists()
    assert now.exists()
    assert not (data / "magi.sqlite3").exists()


def test_videos_of_the_library_go_to_the_trash_if_told(home: Path) -> None:
    library(home, home / VIDEO, home / "gone.mp4")
    stranger = home / "videos/Magi Desktop/holiday.mp4"
    stranger.write_text("1")
    places = Places.of_user()
    remove(Environments(places.data / "environments"), places, frozenset({Belonging.VIDEOS}))
    assert stranger.exists()
    assert not (home / VIDEO).exists()
    assert [p.name for p in (home / "data/Trash/files").iterdir()] == ["a.mp4"]


def test_videos_that_were_made_for_other_machines_go_only_as_videos(home: Path) -> None:
    serve = home / "data/magi-desktop/serve"
    video, key = serve / "jobs/3f9a/video.mp4", serve / "token"
    video.parent.mkdir(parents=True)
    video.write_bytes(bytes(3_000_000))
    key.write_text("1")
    places = Places.of_user()
    remains = Remains.of(places)
    assert remains.size_bytes(Belonging.VIDEOS) == 3_000_000
    assert sizes(remains.everything)[Belonging.VIDEOS] == 3_000_001
    clear(everything=True)
    assert video.exists()
    assert not key.exists()
    remove(Environments(places.data / "environments"), places, frozenset({Belonging.VIDEOS}))
    assert not video.parent.exists()
    assert (home / "data/Trash/files/3f9a/video.mp4").exists()


def test_the_uninstaller_is_told_sizes(home: Path, tmp_path: Path) -> None:
    describe(Remains.of(Places.of_user()), tmp_path / "here.ini")
    said = (tmp_path / "here.ini").read_text(encoding="utf-16")
    assert said.splitlines() == ["[here]", "models=0.1 MB", "videos=", "takes=0.1 MB"]


def test_the_listing_names_every_place_with_its_size(home: Path) -> None:
    (home / VIDEO).write_bytes(bytes(3_000_000))
    lines = Remains.of(Places.of_user()).listing().splitlines()
    assert f"videos        3.0 MB  {home}/videos/Magi Desktop" in lines
    for kind in Belonging:
        assert any(line.startswith(kind.value) for line in lines), kind


def test_the_list_of_own_models_belongs_to_the_settings(home: Path) -> None:
    places = Places.of_user()
    found = sizes(Remains.of(places).everything)
    assert found[Belonging.SETTINGS] == 2
    remove(Environments(places.environments), places, frozenset({Belonging.SETTINGS}))
    assert files(home) == {"data/magi-desktop/models/ckpt/a.safetensors", TAKE, VIDEO}


def test_a_folder_in_another_counts_once(home: Path) -> None:
    places = Places.of_user()
    (places.environments / "big").write_bytes(bytes(1000))
    found = sizes(Remains.of(places).everything)
    assert found[Belonging.PROGRAM] == 1001
    assert found[Belonging.LIBRARY] == 1, "environments and models lie in its folder"
