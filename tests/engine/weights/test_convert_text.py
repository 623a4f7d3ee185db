"""T5 in 8 bits: closeness to fp32, memory, going on after a kill, and bad input."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from magi_engine import disk
from magi_engine.errors import DiskFullError, OutputError, WeightsError
from magi_engine.ops.int8 import Int8Linear, group_size, quantise_int8
from magi_engine.resources import resource_path
from magi_engine.training.tokenizer import make_tiny_t5, save_t5, tiny_t5_config, train_tokenizer
from magi_engine.weights import growing
from magi_engine.weights.convert_text import convert_text_encoder, shrink_text_encoder
from magi_engine.weights.provenance import (
    FILE_NAME,
    content_hash,
    find_small_text_encoder,
    finished,
    small_text_encoder_of,
)
from magi_engine.weights.text_encoder import load_text_encoder

PROMPT = "a red circle moves left while two green stars spin over a blue background"
SHA = "0" * 64


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("t5")
    vocab_size = train_tokenizer([PROMPT], folder, vocab_size=220)
    config = tiny_t5_config(vocab_size, d_model=256, layers=6, heads=8, d_ff=640)
    save_t5(make_tiny_t5(config, seed=1), folder)
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "source"))


def convert(source: Path, target: Path) -> list[float]:
    return list(convert_text_encoder(source, target, SHA))


def worst_cosine(a: Path, b: Path, prompt: str = PROMPT) -> float:
    x, y = (load_text_encoder(path).encode(prompt).embedding for path in (a, b))
    return torch.cosine_similarity(x, y, dim=-1).min().item()


def test_int8_is_a_linear_layer_with_weights_rounded_by_group() -> None:
    weight = torch.randn(2500, 384, generator=torch.Generator().manual_seed(0))
    weight[3] = 0
    rounded, scale = quantise_int8(weight)
    assert scale.shape == (2500, 3)
    layer = Int8Linear(384, 2500)
    layer.load_state_dict({"weight": rounded, "weight_scale": scale})
    restored = layer(torch.eye(384)).T
    half_step = scale.repeat_interleave(128, dim=1) / 2
    assert ((restored - weight).abs() <= half_step * 1.001).all()
    x = torch.randn(2, 5, 384)
    torch.testing.assert_close(layer(x), x @ restored.T, atol=1e-4, rtol=1e-4)
    assert [group_size(n) for n in (4096, 48, 7)] == [128, 16, 1]


def test_embeddings_stay_close_to_fp32(original: Path, tmp_path: Path) -> None:
    fractions = convert(original, tmp_path)
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert worst_cosine(original, tmp_path) >= 0.999
    size = (original / FILE_NAME).stat().st_size
    assert (tmp_path / FILE_NAME).stat().st_size < size * 0.3


def test_embeddings_of_the_pocket_model_stay_close(tmp_path: Path) -> None:
    source = resource_path("models.json").parent / "pocket" / "t5"
    convert(source, tmp_path)
    assert worst_cosine(source, tmp_path, "A small blue star spins in place.") >= 0.999


@pytest.mark.parametrize("small", [False, True])
def test_streamed_layers_give_the_same(original: Path, tmp_path: Path, small: bool) -> None:
    folder = original
    if small:
        convert(original, tmp_path)
        folder = tmp_path
    expected = load_text_encoder(folder).encode(PROMPT).embedding
    encoder = load_text_encoder(folder, streamed=True)
    try:
        for _ in range(2):
            assert torch.equal(encoder.encode(PROMPT).embedding, expected)
        held = [p for b in encoder._model.encoder.block for p in b.state_dict().values()]  # type: ignore[union-attr]
        assert all(p.device.type == "meta" for p in held)
    finally:
        encoder.close()


def test_shrinking_finds_what_is_there_already(original: Path, tmp_path: Path) -> None:
    assert list(shrink_text_encoder(original, tmp_path))[-1] == 1.0
    sha256 = finished(content_hash(original))
    made = find_small_text_encoder(tmp_path, sha256)
    assert made is not None
    before = (made / FILE_NAME).stat().st_mtime_ns
    list(shrink_text_encoder(original, tmp_path))
    assert (made / FILE_NAME).stat().st_mtime_ns == before
    assert find_small_text_encoder(tmp_path, "f" * 64) is None


def test_a_small_encoder_is_used_in_place_of_its_source(folder: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    assert small_text_encoder_of(folder, models) is None
    list(shrink_text_encoder(folder, models))
    small = small_text_encoder_of(folder, models)
    assert small is not None
    assert worst_cosine(folder, small) >= 0.999
    os.utime(folder / FILE_NAME, (1, 1))  # other weights, as far as can be told quickly
    assert small_text_encoder_of(folder, models) is None
    list(shrink_text_encoder(folder, models))  # the same after all
    assert small_text_encoder_of(folder, models) == small
    shutil.rmtree(folder)  # the originals may go
    assert small_text_encoder_of(folder, models) == small
    assert small_text_encoder_of(tmp_path / "elsewhere", models) is None


def test_a_cancellation_keeps_what_was_done(original: Path, tmp_path: Path) -> None:
    convert(original, tmp_path / "whole")
    for stop in range(1, 40, 3):
        target = tmp_path / f"cut{stop}"
        calls = iter(range(stop))

        def poll(calls: Iterator[int] = calls) -> None:
            if next(calls, None) is None:
                raise InterruptedError

        with pytest.raises(InterruptedError):
            list(convert_text_encoder(original, target, SHA, poll))
        assert not (target / FILE_NAME).exists()
        convert(original, target)
        assert sorted(p.name for p in target.iterdir()) == sorted(
            p.name for p in (tmp_path / "whole").iterdir()
        )
        expected = (tmp_path / "whole" / FILE_NAME).read_bytes()
        assert (target / FILE_NAME).read_bytes() == expected


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
def test_after_a_kill_only_the_rest_is_made(original: Path, tmp_path: Path) -> None:
    code = f"""
        import os, signal
        from pathlib import Path
        from magi_engine.weights.convert_text import convert_text_encoder
        source, target = Path({str(original)!r}), Path({str(tmp_path)!r})
        for fraction in convert_text_encoder(source, target, {SHA!r}):
            if fraction > 0.6:
                os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert convert(original, tmp_path)[0] > 0.5
    assert worst_cosine(original, tmp_path) >= 0.999


def test_a_beginning_from_other_weights_is_not_continued(original: Path, tmp_path: Path) -> None:
    growing.unfinished(tmp_path / FILE_NAME).write_bytes(bytes(5_000_000))
    convert(original, tmp_path)
    assert worst_cosine(original, tmp_path) >= 0.999


def test_too_little_room_is_known_before_anything_is_written(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(DiskFullError, match="GB of room are needed"):
        convert(original, tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_disk_that_fills_up_keeps_what_was_written(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = iter(range(40))

    def fsync(_descriptor: int) -> None:
        if next(calls, None) is None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(growing.os, "fsync", fsync)
    with pytest.raises(DiskFullError, match="full"):
        convert(original, tmp_path)
    assert not (tmp_path / FILE_NAME).exists()
    monkeypatch.undo()
    assert convert(original, tmp_path)[0] > 0.1


@pytest.mark.skipif(os.name != "posix", reason="no such folder elsewhere")
def test_a_folder_that_cannot_be_written_is_an_error(original: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        convert(original, Path("/proc/encoder"))


def copied(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a file that is about to be replaced: on Windows none may be mapped."""
    return {name: tensor.clone() for name, tensor in load_file(path).items()}


def test_wrong_weights_are_one_sentence(folder: Path, tmp_path: Path) -> None:
    path = folder / FILE_NAME
    good = copied(path)
    name = "encoder.block.1.layer.0.SelfAttention.q.weight"
    for bad, match in (
        (good | {name: torch.zeros(3, 3)}, "shape"),
        ({k: v for k, v in good.items() if k != name}, "lacks"),
        (good | {name: torch.full_like(good[name], float("nan"))}, "not finite"),
        (good | {"decoder.weight": torch.zeros(1)}, "does not have"),
    ):
        save_file(bad, path)
        with pytest.raises(WeightsError, match=match):
            convert(folder, tmp_path / "out")
        assert not (tmp_path / "out" / FILE_NAME).exists()


def test_a_lying_header_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    path = folder / FILE_NAME
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(WeightsError, match="damaged"):
        convert(folder, tmp_path / "out")
    path.write_bytes((1 << 60).to_bytes(8, "little") + b"{}")
    with pytest.raises(WeightsError, match="damaged"):
        convert(folder, tmp_path / "out")


def test_an_unknown_recipe_is_refused(original: Path, tmp_path: Path) -> None:
    convert(original, tmp_path)
    path = tmp_path / FILE_NAME
    save_file(copied(path), path, metadata={"recipe": "older", "source_sha256": SHA})
    with pytest.raises(WeightsError, match="does not know"):
        load_text_encoder(tmp_path)


def test_another_architecture_is_refused(folder: Path, tmp_path: Path) -> None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "bert"}))
    with pytest.raises(WeightsError, match="no T5"):
        convert(folder, tmp_path / "out")


def test_two_programs_do_not_write_one_file(original: Path, tmp_path: Path) -> None:
    first = convert_text_encoder(original, tmp_path, SHA)
    next(first)
    with pytest.raises(OutputError, match="another program"):
        convert(original, tmp_path)
    list(first)
    assert worst_cosine(original, tmp_path) >= 0.999
