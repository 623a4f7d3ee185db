"""Reading into place in pieces, against the library's own reader."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from magi_engine.errors import WeightsError
from magi_engine.weights import staging
from magi_engine.weights.shards import SafetensorsShard


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that there are more pieces than threads and buffers, some of them not full."""
    monkeypatch.setattr(staging, "_PIECE_BYTES", 1000)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    generator = torch.Generator().manual_seed(0)
    tensors = {
        "a": torch.randn(123, 45, generator=generator),
        "b": torch.randn(7, generator=generator).to(torch.bfloat16),
        "c": torch.randn(64, 64, generator=generator).to(torch.float8_e4m3fn),
        "scale": torch.tensor(3.0),
        "empty": torch.zeros(0, 4),
    }
    save_file(tensors, tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


@pytest.mark.usefixtures("small_pieces")
def test_the_same_as_the_library_reads(file: Path) -> None:
    shard, cpu = SafetensorsShard(file), torch.device("cpu")
    wanted = {"a", "c", "scale", "empty", "b"}
    expected = dict(shard.tensors(wanted, cpu))
    found = dict(shard._staged(wanted, cpu))
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert found[name].dtype is tensor.dtype
        assert torch.equal(found[name].float(), tensor.float())
    assert dict(shard._staged({"scale"}, cpu)) == {"scale": torch.tensor(3.0)}


@pytest.mark.usefixtures("small_pieces")
def test_a_file_that_was_cut_is_damaged(file: Path) -> None:
    data = file.read_bytes()
    file.write_bytes(data[:-3000])
    with pytest.raises(WeightsError):
        dict(SafetensorsShard(file)._staged({"a", "b", "c"}, torch.device("cpu")))


@pytest.mark.usefixtures("small_pieces")
def test_where_nothing_will_be_learned_the_threads_may_fill_the_tensors_too(file: Path) -> None:
    shard, cpu = SafetensorsShard(file), torch.device("cpu")
    with torch.inference_mode():
        found = dict(shard._staged({"a", "c"}, cpu))
    assert torch.equal(found["a"], dict(shard.tensors({"a"}, cpu))["a"])
