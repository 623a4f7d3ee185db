"""What is listed as taking up room."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from magi_engine.config.places import compiled_dir
from magi_engine.install.status import CachedKind, cached_things, size_on_disk
from magi_engine.takes.store import About, TakeStore


def test_compiled_kernels_are_listed_and_can_be_made_again(tmp_path: Path) -> None:
    models, cache = tmp_path / "models", tmp_path / "cache"
    assert cached_things(models, cache) == []
    kernel = compiled_dir(cache) / "cuda" / "entries" / "kernel"
    kernel.parent.mkdir(parents=True)
    kernel.write_bytes(b"k" * 500)
    (thing,) = cached_things(models, cache)
    assert thing.kind is CachedKind.COMPILED
    assert thing.paths == (compiled_dir(cache),)
    assert thing.size_bytes == 500
    assert thing.can_be_remade


def test_latents_of_videos_can_go_but_not_pinned_ones_nor_those_of_what_is_being_made(
    tmp_path: Path,
) -> None:
    store = TakeStore(tmp_path / "takes")
    about = About("{}", 24.0, 6, True, 24, 24, 24)
    chunk = np.zeros((1, 16, 6, 4, 4), np.float32)
    pinned, first, growing = (store.begin(about).name for _ in range(3))
    store.pin(pinned, True)
    writer = store.begin(about)
    writer.append(chunk)
    branches = [store.begin(about) for _ in range(2)]
    for branch in branches:
        branch.share(store.find(writer.name), 1)
    os.utime(store.folder / first, (0, 0))
    (thing,) = cached_things(tmp_path / "models", tmp_path / "cache", store.folder)
    assert (thing.kind, thing.can_be_remade) == (CachedKind.TAKES, False)
    names = {path.name for path in thing.paths}
    assert names == {first, writer.name, *(branch.name for branch in branches)}
    stays = sum(size_on_disk(store.folder / name) for name in (pinned, growing))
    assert thing.size_bytes == store.size_bytes - stays, "what they share is there once"
    kept = store.begin(about)
    kept.share(store.find(writer.name), 1)
    store.pin(kept.name, True)
    (less,) = cached_things(tmp_path / "models", tmp_path / "cache", store.folder)
    assert thing.size_bytes - less.size_bytes > chunk.nbytes, "it stays with the one that is kept"


def test_a_download_that_gets_its_name_while_it_is_looked_at_takes_up_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list of models, which is made again and again meanwhile, was an error then."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "whole").write_bytes(b"w" * 5)
    (tmp_path / "folder" / "model.part").write_bytes(b"p" * 3)
    is_file = Path.is_file

    def is_file_until_now(path: Path) -> bool:
        there = is_file(path)
        if path.suffix == ".part":
            path.rename(tmp_path / "model")
        return there

    monkeypatch.setattr(Path, "is_file", is_file_until_now)
    assert size_on_disk(tmp_path / "folder") == 5
