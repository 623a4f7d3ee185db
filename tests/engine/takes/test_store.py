"""Takes on the disk: kept, shared, tidied away, and never believed where they are damaged."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from magi_engine import atomic
from magi_engine.errors import DiskFullError, TakeError
from magi_engine.takes.store import About, TakeStore, TakeWriter

ABOUT = About("{}", 24.0, 6, True, 24, 24, 68)


def latents(chunk: int, frames: int = 6) -> NDArray[np.float32]:
    return np.random.default_rng(chunk).normal(size=(1, 16, frames, 4, 4)).astype(np.float32)


def written(store: TakeStore, chunks: int = 3, name: str | None = None) -> TakeWriter:
    writer = store.begin(ABOUT, name)
    for chunk in range(chunks):
        writer.append(latents(chunk))
    return writer


@pytest.fixture
def store(tmp_path: Path) -> TakeStore:
    return TakeStore(tmp_path / "takes")


def test_what_was_written_is_read_to_the_bit(store: TakeStore) -> None:
    take = store.find(written(store).name)
    assert (take.chunks, take.frames, take.finished, take.about) == (3, 68, True, ABOUT)
    assert take.size_bytes == store.size_bytes > 3 * latents(0).nbytes
    assert np.array_equal(take.read(2), latents(2))
    start = take.start(2)
    assert start is not None
    assert np.array_equal(start, np.concatenate([latents(0), latents(1)], axis=2))
    assert take.start(0) is None


def test_it_can_be_looked_at_while_it_is_written(store: TakeStore) -> None:
    name = written(store).name
    size = store.size_bytes
    part = store.folder / name / ".000003.safetensors.1a2b3c4d.part"
    part.symlink_to("renamed after its name was read")
    assert store.find(name).chunks == 3
    assert store.size_bytes == size


def test_a_clip_in_front_belongs_to_every_start(store: TakeStore) -> None:
    writer = store.begin(ABOUT)
    writer.prefix(latents(9, 8))
    writer.append(latents(0, 4))  # the rest of the chunk that the clip begins
    writer.append(latents(1))
    take = store.find(writer.name)
    assert [take.latents_before(chunk) for chunk in range(3)] == [8, 12, 18]
    for chunk in range(3):
        start = take.start(chunk)
        assert start is not None
        assert start.shape[2] == take.latents_before(chunk)


def test_an_image_is_part_of_the_first_chunk(store: TakeStore) -> None:
    writer = store.begin(About("{}", 24.0, 6, False, 24, 24, None))
    writer.prefix(latents(9, 1))
    writer.append(latents(0))
    take = store.find(writer.name)
    assert [take.latents_before(chunk) for chunk in range(2)] == [1, 6]
    assert not take.finished, "it has no end"
    first = take.start(0)
    assert first is not None
    assert np.array_equal(first, latents(9, 1))


def test_a_branch_outlives_what_it_shares(store: TakeStore) -> None:
    first = written(store, name="20260101-000000-aaaaaa")
    alone = store.size_bytes
    branch = store.begin(ABOUT, "20260101-000001-bbbbbb")
    branch.share(store.find(first.name), 2)
    branch.append(latents(7))
    assert store.size_bytes < 2 * alone, "the chunks are there once"
    store.remove(first.name)
    take = store.find(branch.name)
    assert [np.array_equal(take.read(i), latents(c)) for i, c in enumerate((0, 1, 7))] == [True] * 3


def test_a_disk_without_links_gets_copies(
    store: TakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    first = written(store)
    monkeypatch.setattr(os, "link", refuse)
    branch = store.begin(ABOUT, "20260101-000000-cccccc")
    branch.share(store.find(first.name), 1)
    assert np.array_equal(store.find(branch.name).read(0), latents(0))


def test_the_oldest_go_first_and_pinned_ones_never(store: TakeStore) -> None:
    names = [f"2026010{day}-000000-00000{day}" for day in range(1, 5)]
    for name in names:
        written(store, name=name)
    store.pin(names[0], True)
    store.limit_bytes = store.size_bytes // 2
    assert store.tidy(names[3]) == names[1:3]
    assert [take.name for take in store.all()] == [names[3], names[0]]
    store.limit_bytes = 0
    assert store.tidy(names[3]) == [], "one is pinned, one is being written"
    store.pin(names[0], False)
    assert store.tidy() == [names[0], names[3]]


def test_a_take_that_cannot_be_removed_ends_nothing(store: TakeStore) -> None:
    names = [f"2026010{day}-000000-00000{day}" for day in (1, 2)]
    for name in names:
        written(store, name=name)
    (store.folder / f".leaving-{names[0]}").touch()  # so that it can not be renamed
    store.limit_bytes = 0
    assert store.tidy() == names[1:]
    assert [take.name for take in store.all()] == names[:1]


@pytest.mark.parametrize(
    ("text", "says"),
    [("{", "is damaged"), (json.dumps({"version": 2}), "was written by a newer program")],
)
def test_what_cannot_be_read_costs_no_good_take_its_place(
    store: TakeStore, text: str, says: str
) -> None:
    names = [f"2026010{day}-000000-00000{day}" for day in (1, 2, 3)]
    for name in names:
        written(store, name=name)
    store.limit_bytes = 2 * store.size_bytes // 3
    (store.folder / names[2] / "take.json").write_text(text, encoding="utf-8")
    assert store.tidy() == []
    assert [take.name for take in store.all()] == [names[1], names[0]]
    (other,) = store.unreadable()
    assert (other.name, says in str(other.error)) == (names[2], True)
    files = (store.folder / names[2]).iterdir()
    assert other.size_bytes == sum(file.stat().st_size for file in files)
    store.limit_bytes //= 2
    assert store.tidy() == names[:1], "the others are still tidied away"
    store.remove(names[2])
    assert store.unreadable() == []
    assert [take.name for take in store.all()] == [names[1]]


def test_a_take_that_another_program_writes_stays(store: TakeStore) -> None:
    writer = written(store, chunks=2)
    store.limit_bytes = 0
    assert TakeStore(store.folder).tidy() == []
    writer.append(latents(2))
    assert store.find(writer.name).chunks == 3
    given_up = written(store, chunks=2).name
    os.utime(store.folder / given_up, (0, 0))
    assert store.tidy() == [writer.name, given_up]


def test_what_a_kill_leaves_goes(store: TakeStore) -> None:
    name = written(store).name
    left, written_now = (
        store.folder / name / f".000003.safetensors.{token}.part" for token in ("11111111", "2")
    )
    for part in (left, written_now):
        part.write_bytes(b"half")
    os.utime(left, (0, 0))
    (store.folder / ".leaving-20260101-000000-dddddd").mkdir()
    assert store.find(name).chunks == 3
    store.tidy()
    assert sorted(path.name for path in store.folder.iterdir()) == [name]
    assert not left.exists()
    assert written_now.exists(), "another program may be at it"


def test_a_kill_at_its_beginning_leaves_no_take(
    store: TakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    name = written(store).name
    monkeypatch.setattr(atomic, "put_in_place", killed)
    with pytest.raises(KeyboardInterrupt):
        store.begin(ABOUT)
    monkeypatch.undo()
    assert [take.name for take in store.all()] == [name]
    (left,) = store.folder.glob(".*")
    store.tidy()
    assert left.exists(), "another program may be at it"
    os.utime(left, (0, 0))
    store.tidy()
    assert [path.name for path in store.folder.iterdir()] == [name]


@pytest.mark.parametrize("seed", range(40))
def test_damage_is_found(store: TakeStore, seed: int) -> None:
    """A changed, cut or lengthened file is refused with our error, or changes nothing."""
    rng = random.Random(seed)
    take = store.find(written(store).name)
    path = rng.choice(sorted(take.folder.iterdir()))
    data = bytearray(path.read_bytes())
    match rng.randrange(3):
        case 0:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        case 1:
            del data[rng.randrange(len(data)) :]
        case 2:
            data += rng.randbytes(rng.randrange(1, 100))
    path.write_bytes(data)
    try:
        damaged = store.find(take.name)
        start = damaged.start(3)
    except TakeError:
        return
    assert start is not None
    assert np.array_equal(start, np.concatenate([latents(c) for c in range(3)], axis=2))


@pytest.mark.parametrize("values", [{"fps": 0.2}, {"fps": 0}, {"chunk_width": 0}, {"request": 1}])
def test_values_that_cannot_be_are_damage(store: TakeStore, values: dict[str, object]) -> None:
    take = store.find(written(store).name)
    file = take.folder / "take.json"
    file.write_text(json.dumps({"version": 1, **vars(ABOUT), **values}), encoding="utf-8")
    with pytest.raises(TakeError, match="damaged"):
        store.find(take.name)


@pytest.mark.parametrize("dtype", ["BF16", "F8_E4M3", "I32"])
def test_other_numbers_are_damage(store: TakeStore, dtype: str) -> None:
    take = store.find(written(store).name)
    file = take.folder / "000001.safetensors"
    right = file.read_bytes()
    for damaged in (right.replace(b'"F32"', f'"{dtype}"'.encode()), _header(right, dtype)):
        file.write_bytes(damaged)
        with pytest.raises(TakeError, match="damaged"):
            take.read(1)


def _header(data: bytes, dtype: str) -> bytes:
    """The file as one of another type of numbers that is whole by its header."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    itemsize = {"BF16": 2, "F8_E4M3": 1, "I32": 4}[dtype]
    header["latents"] |= {"dtype": dtype, "shape": [1, 16, 6 * 4 // itemsize, 4, 4]}
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


def test_a_gap_ends_a_take(store: TakeStore) -> None:
    take = store.find(written(store).name)
    (take.folder / "000001.safetensors").unlink()
    assert store.find(take.name).chunks == 1


@pytest.mark.parametrize("name", ["20260101-000000-eeeeee", "..", "../..", "", "x/y"])
def test_a_take_that_is_not_there(store: TakeStore, name: str) -> None:
    written(store)
    with pytest.raises(TakeError, match="no longer kept"):
        store.find(name)


def test_a_full_disk_is_said(store: TakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = written(store, 1)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(atomic, "put_in_place", full)
    with pytest.raises(DiskFullError, match="redo this video"):
        writer.append(latents(1))
    monkeypatch.undo()
    assert store.find(writer.name).chunks == 1
    writer.append(latents(1))
    assert np.array_equal(store.find(writer.name).read(1), latents(1))


def test_a_full_disk_keeps_the_limit(small_disk: Path) -> None:
    store = TakeStore(small_disk)
    store.limit_bytes = 10
    name = written(store).name
    with contextlib.suppress(OSError):
        (small_disk / "rest").write_bytes(bytes(2 << 20))
    with pytest.raises(DiskFullError, match="The disk is full") as raised:
        store.limit_bytes = 20
    assert str(raised.value.hint) == "Free some space, then try again."
    assert store.limit_bytes == 10
    store.remove(name)


WRITES_FOR_EVER = """
import itertools, sys
from pathlib import Path
import numpy as np
from magi_engine.takes.store import About, TakeStore

writer = TakeStore(Path(sys.argv[1])).begin(About("{}", 24.0, 6, True, 24, 24, None))
for chunk in itertools.count():
    values = np.random.default_rng(chunk).normal(size=(1, 16, 6, 4, 4))
    writer.append(values.astype(np.float32))
    print(chunk, flush=True)
"""


def test_a_kill_leaves_whole_chunks(store: TakeStore) -> None:
    command = [sys.executable, "-c", WRITES_FOR_EVER, str(store.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        said = [child.stdout.readline() for _ in range(3)]
        child.kill()
    assert said == ["0\n", "1\n", "2\n"]
    [take] = store.all()
    assert take.chunks >= 3
    for chunk in range(take.chunks):
        assert np.array_equal(take.read(chunk), latents(chunk))
