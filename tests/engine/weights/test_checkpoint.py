"""Checkpoints in every published format, damaged in every way that was thought of."""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import zstandard
from safetensors.torch import save, save_file
from torch import nn

from magi_engine.errors import ModelNotFoundError, WeightsError
from magi_engine.weights.checkpoint import load_weights, read_state_dict
from magi_engine.weights.shards import SafetensorsShard


class _Small(nn.Module):
    """A linear layer, a norm kept in another type, and an fp8 weight."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 4, dtype=torch.bfloat16)
        self.norm = nn.LayerNorm(4)
        self.quantised = nn.Parameter(
            torch.zeros(2, 3, dtype=torch.float8_e4m3fn), requires_grad=False
        )
        self.scalar = nn.Parameter(torch.tensor(0.0))


def _on_meta() -> _Small:
    with torch.device("meta"):
        return _Small()


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    state = {
        name: torch.randn(value.shape, generator=generator).to(value.dtype)
        for name, value in _on_meta().state_dict().items()
    }
    return {name: value.contiguous() for name, value in state.items()}


def _write_single(folder: Path, state: dict[str, torch.Tensor]) -> None:
    save_file(state, folder / "model.safetensors")


def _write_vae_name(folder: Path, state: dict[str, torch.Tensor]) -> None:
    save_file(state, folder / "diffusion_pytorch_model.safetensors")


def _halves(state: dict[str, torch.Tensor]) -> dict[str, dict[str, torch.Tensor]]:
    names = list(state)
    return {
        "model-00001-of-00002": {name: state[name] for name in names[:3]},
        "model-00002-of-00002": {name: state[name] for name in names[3:]},
    }


def _write_index(folder: Path, shards: dict[str, dict[str, torch.Tensor]], ending: str) -> None:
    weight_map = {name: f"{shard}{ending}" for shard, part in shards.items() for name in part}
    index = {"metadata": {"total_size": 1}, "weight_map": weight_map}
    stem = "pytorch_model" if ending == ".bin" else "model"
    (folder / f"{stem}{ending}.index.json").write_text(json.dumps(index))


def _write_shards(folder: Path, state: dict[str, torch.Tensor]) -> None:
    _write_index(folder, _halves(state), ".safetensors")
    for name, part in _halves(state).items():
        save_file(part, folder / f"{name}.safetensors")


def _compress(path: Path, data: bytes) -> None:
    path.write_bytes(zstandard.ZstdCompressor().compress(data))


def _write_zst_shards(folder: Path, state: dict[str, torch.Tensor]) -> None:
    _write_index(folder, _halves(state), ".safetensors")
    for name, part in _halves(state).items():
        _compress(folder / f"{name}.safetensors.zst", save(part))


def _write_zst_single(folder: Path, state: dict[str, torch.Tensor]) -> None:
    _compress(folder / "model.safetensors.zst", save(state, metadata={"format": "pt"}))


def _write_bin_shards(folder: Path, state: dict[str, torch.Tensor]) -> None:
    _write_index(folder, _halves(state), ".bin")
    for name, part in _halves(state).items():
        torch.save(part, folder / f"{name}.bin")


_WRITERS = [
    _write_single,
    _write_vae_name,
    _write_shards,
    _write_zst_shards,
    _write_zst_single,
    _write_bin_shards,
]


@pytest.mark.parametrize("write", _WRITERS)
def test_every_layout_loads_strictly(
    tmp_path: Path,
    state: dict[str, torch.Tensor],
    write: Callable[[Path, dict[str, torch.Tensor]], None],
) -> None:
    write(tmp_path, state)
    module = _on_meta()
    load_weights(module, tmp_path)
    loaded = module.state_dict()
    assert loaded.keys() == state.keys()
    for name, value in state.items():
        assert loaded[name].dtype is value.dtype
        assert torch.equal(loaded[name].float(), value.float())


@pytest.mark.parametrize("write", _WRITERS)
def test_every_layout_reads_as_a_table(
    tmp_path: Path,
    state: dict[str, torch.Tensor],
    write: Callable[[Path, dict[str, torch.Tensor]], None],
) -> None:
    write(tmp_path, state)
    read = read_state_dict(tmp_path)
    assert {name: (t.dtype, t.tolist()) for name, t in read.items()} == {
        name: (t.dtype, t.tolist()) for name, t in state.items()
    }


def test_a_file_or_an_index_may_be_given(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    _write_shards(tmp_path, state)
    assert read_state_dict(tmp_path / "model.safetensors.index.json").keys() == state.keys()
    first = tmp_path / "model-00001-of-00002.safetensors"
    assert read_state_dict(first).keys() == set(list(state)[:3])


@pytest.mark.skipif(sys.platform == "win32", reason="links to files need rights there")
def test_shards_may_be_links_to_elsewhere(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    (tmp_path / "blobs").mkdir()
    folder = tmp_path / "snapshot"
    folder.mkdir()
    save_file(state, tmp_path / "blobs" / "abc")
    (folder / "model.safetensors").symlink_to("../blobs/abc")
    assert read_state_dict(folder).keys() == state.keys()


@pytest.mark.parametrize("write", [_write_single, _write_zst_single, _write_bin_shards])
def test_reading_needs_no_write_access(
    tmp_path: Path,
    state: dict[str, torch.Tensor],
    write: Callable[[Path, dict[str, torch.Tensor]], None],
) -> None:
    write(tmp_path, state)
    before = sorted(tmp_path.iterdir())
    tmp_path.chmod(0o500)
    try:
        load_weights(_on_meta(), tmp_path)
    finally:
        tmp_path.chmod(0o700)
    assert sorted(tmp_path.iterdir()) == before


def test_types_follow_the_module(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    state["linear.weight"] = state["linear.weight"].float()
    state["norm.bias"] = state["norm.bias"].half()
    _write_single(tmp_path, state)
    module = _on_meta()
    load_weights(module, tmp_path)
    assert module.linear.weight.dtype is torch.bfloat16
    assert module.norm.bias.dtype is torch.float32


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.safetensors"])
@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux's list of mappings")
def test_files_are_mapped_not_copied(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write = torch.save if path.suffix == ".bin" else save_file
    write({"weight": torch.ones(4, 6)}, path)
    with torch.device("meta"):
        module = nn.Linear(6, 4, bias=False)
    load_weights(module, tmp_path)
    assert str(path) in Path("/proc/self/maps").read_text(encoding="utf-8")
    assert module.weight.sum() == 24


def test_pickles_of_old_pytorch_versions_load(tmp_path: Path) -> None:
    state = {"weight": torch.ones(4, 6), "bias": torch.ones(4)}
    path = tmp_path / "pytorch_model.bin"
    torch.save(state, path, _use_new_zipfile_serialization=False)
    with torch.device("meta"):
        module = nn.Linear(6, 4)
    load_weights(module, path)
    assert torch.equal(module.weight, state["weight"])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(WeightsError, match="damaged"):
        load_weights(module, path)


class _Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.Embedding(5, 3)
        self.inner = nn.Embedding(5, 3)


@pytest.mark.parametrize(
    "held", [["shared.weight"], ["inner.weight"], ["shared.weight", "inner.weight"]]
)
def test_tied_names_share_one_tensor(tmp_path: Path, held: list[str]) -> None:
    save_file({name: torch.ones(5, 3) for name in held}, tmp_path / "model.safetensors")
    with torch.device("meta"):
        module = _Tied()
    load_weights(module, tmp_path, tied=[("shared.weight", "inner.weight")])
    assert module.shared.weight.data_ptr() == module.inner.weight.data_ptr()
    assert torch.equal(module.shared.weight, torch.ones(5, 3))


# ---- what does not fit


def test_a_missing_tensor_is_named(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    del state["norm.weight"]
    _write_single(tmp_path, state)
    with pytest.raises(WeightsError, match=r"lacks the tensor norm\.weight") as raised:
        load_weights(_on_meta(), tmp_path)
    assert str(raised.value.hint)


@pytest.mark.parametrize("ending", ["safetensors", "safetensors.zst"])
def test_magi_1_1_is_told_by_its_stacked_tensors(tmp_path: Path, ending: str) -> None:
    data = save({"videodit_blocks.layers.mlp.linear_fc1.weight": torch.ones(4, 8, 2)})
    if ending.endswith("zst"):
        data = zstandard.ZstdCompressor().compress(data)
    (tmp_path / f"model.{ending}").write_bytes(data)
    with pytest.raises(WeightsError, match=r"MAGI-1\.1"):
        load_weights(_on_meta(), tmp_path)


def test_an_unexpected_tensor_and_its_file_are_named(
    tmp_path: Path, state: dict[str, torch.Tensor]
) -> None:
    state["extra.weight"] = torch.zeros(2)
    _write_shards(tmp_path, state)
    with pytest.raises(WeightsError, match=r"00002-of-00002\.safetensors .*extra\.weight"):
        load_weights(_on_meta(), tmp_path)


@pytest.mark.parametrize("write", _WRITERS)
def test_a_wrong_shape_is_named_with_both_shapes(
    tmp_path: Path,
    state: dict[str, torch.Tensor],
    write: Callable[[Path, dict[str, torch.Tensor]], None],
) -> None:
    state["linear.weight"] = torch.zeros(4, 7, dtype=torch.bfloat16)
    write(tmp_path, state)
    with pytest.raises(WeightsError, match=r"linear\.weight .*4x7 .*4x6"):
        load_weights(_on_meta(), tmp_path)


@pytest.mark.parametrize(
    ("name", "dtype"), [("quantised", torch.float32), ("linear.weight", torch.float8_e4m3fn)]
)
def test_fp8_is_never_converted(
    tmp_path: Path, state: dict[str, torch.Tensor], name: str, dtype: torch.dtype
) -> None:
    state[name] = state[name].to(dtype)
    _write_single(tmp_path, state)
    with pytest.raises(WeightsError, match=name):
        load_weights(_on_meta(), tmp_path)


def test_a_misfit_leaves_the_module_untouched(
    tmp_path: Path, state: dict[str, torch.Tensor]
) -> None:
    state["scalar"] = torch.zeros(3)
    _write_single(tmp_path, state)
    module = _on_meta()
    with pytest.raises(WeightsError, match="scalar"):
        load_weights(module, tmp_path)
    assert all(value.is_meta for value in module.state_dict().values())


# ---- what is damaged


@pytest.mark.parametrize("write", _WRITERS)
@pytest.mark.parametrize("kept", [0, 5, 60, 0.5, 0.98])
def test_truncated_files_are_an_error(
    tmp_path: Path,
    state: dict[str, torch.Tensor],
    write: Callable[[Path, dict[str, torch.Tensor]], None],
    kept: float,
) -> None:
    write(tmp_path, state)
    victim = max(tmp_path.glob("*00002.*"), default=None) or next(iter(tmp_path.iterdir()))
    data = victim.read_bytes()
    victim.write_bytes(data[: int(kept if kept >= 1 else kept * len(data))])
    with pytest.raises(WeightsError, match=victim.name):
        load_weights(_on_meta(), tmp_path)


@pytest.mark.parametrize(
    "name", ["model.safetensors", "model.safetensors.zst", "pytorch_model.bin"]
)
def test_files_of_another_kind_are_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"<html>404: not found</html>" * 20)
    with pytest.raises(WeightsError, match=name):
        load_weights(_on_meta(), tmp_path)


def test_an_unknown_ending_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "weights.gguf").write_bytes(b"GGUF")
    with pytest.raises(WeightsError, match=r"weights\.gguf"):
        read_state_dict(tmp_path / "weights.gguf")


def _header(**entries: object) -> bytes:
    return json.dumps(entries).encode()


def _entry(dtype: str, shape: object, first: object, end: object) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [first, end]}


_LYING_HEADERS = {
    "no table": b"[]",
    "more than a table": b"{}x",
    "no tensors but data": b"{}",
    "not UTF-8": b'{"\xff\xfe": 1}',
    "no entry": _header(a=3),
    "no shape": b'{"a": {"dtype": "F32", "data_offsets": [0, 64]}}',
    "more elements than bytes": _header(a=_entry("F32", [32], 0, 64)),
    "fewer elements than bytes": _header(a=_entry("F32", [2], 0, 64)),
    "bytes left over": _header(a=_entry("F32", [8], 0, 32)),
    "a gap before": _header(a=_entry("F32", [8], 32, 64)),
    "a gap between": _header(a=_entry("F32", [4], 0, 16), b=_entry("F32", [8], 32, 64)),
    "overlapping": _header(a=_entry("F32", [12], 0, 48), b=_entry("F32", [8], 32, 64)),
    "the same bytes twice": _header(a=_entry("F32", [16], 0, 64), b=_entry("F32", [16], 0, 64)),
    "beyond the file": _header(a=_entry("F32", [1 << 20], 0, 1 << 22)),
    "far beyond any file": _header(a=_entry("F32", [1 << 61], 0, 1 << 63)),
    "overflowing": _header(a=_entry("F32", [1 << 40, 1 << 40], 0, 64)),
    "before the file": _header(a=_entry("F32", [16], -64, 0)),
    "backwards": _header(a=_entry("F32", [16], 64, 0)),
    "negative shape": _header(a=_entry("F32", [-4, -4], 0, 64)),
    "a word for a shape": _header(a=_entry("F32", "x", 0, 64)),
    "words for offsets": _header(a=_entry("F32", [16], "x", "y")),
    "an unknown type": _header(a=_entry("Q4", [16], 0, 64)),
}


@pytest.mark.parametrize("header", _LYING_HEADERS.values(), ids=_LYING_HEADERS.keys())
@pytest.mark.parametrize("ending", ["", ".zst"])
def test_a_lying_header_is_an_error(tmp_path: Path, header: bytes, ending: str) -> None:
    path = tmp_path / f"model.safetensors{ending}"
    data = len(header).to_bytes(8, "little") + header + bytes(64)
    if ending:
        _compress(path, data)
    else:
        path.write_bytes(data)
    with pytest.raises(WeightsError, match=re.escape(path.name)) as raised:
        read_state_dict(path)
    assert str(raised.value.hint)
    if not ending:  # the way to a graphics card has a reader of its own
        with pytest.raises(WeightsError, match=re.escape(path.name)):
            dict(SafetensorsShard(path)._staged({"a", "b"}, torch.device("cpu")))


@pytest.mark.parametrize("claimed", [1 << 40, (1 << 63) + 5, (1 << 64) - 1])
@pytest.mark.parametrize("ending", ["", ".zst"])
def test_a_huge_header_is_refused_without_room_for_it(
    tmp_path: Path, claimed: int, ending: str
) -> None:
    path = tmp_path / f"model.safetensors{ending}"
    data = claimed.to_bytes(8, "little") + b"{}" * 100
    if ending:
        _compress(path, data)
    else:
        path.write_bytes(data)
    with pytest.raises(WeightsError, match="damaged"):
        read_state_dict(path)
    if not ending:
        with pytest.raises(WeightsError, match="damaged"):
            dict(SafetensorsShard(path)._staged({"a"}, torch.device("cpu")))


def test_tensors_of_another_type_than_the_header_of_the_model_says(
    tmp_path: Path, state: dict[str, torch.Tensor]
) -> None:
    """Numbers are read as what the header calls them, so a swapped type must not fit."""
    path = tmp_path / "model.safetensors"
    data = save(state)
    assert data.count(b'"F8_E4M3"') == 1
    path.write_bytes(data.replace(b'"F8_E4M3"', b'"I8"     '))
    with pytest.raises(WeightsError, match=r"quantised .*int8"):
        load_weights(_on_meta(), tmp_path)


@pytest.mark.parametrize("kind", ["file", "shard", "index", "folder"])
@pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs symbolic links")
def test_links_that_lead_in_a_circle_are_an_error(
    tmp_path: Path, state: dict[str, torch.Tensor], kind: str
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    names = {
        "file": "model.safetensors",
        "shard": "model-00002-of-00002.safetensors",
        "index": "model.safetensors.index.json",
        "folder": "",
    }
    if kind in ("shard", "index"):
        _write_shards(folder, state)
    loop = folder / names[kind]
    if kind == "folder":
        folder.rmdir()
    loop.unlink(missing_ok=True)
    loop.symlink_to(tmp_path / "there")
    (tmp_path / "there").symlink_to(loop)
    with pytest.raises((ModelNotFoundError, WeightsError)) as raised:
        load_weights(_on_meta(), folder)
    assert str(raised.value.hint)


@pytest.mark.parametrize("write", [_write_single, _write_bin_shards, _write_zst_single])
def test_the_weights_of_another_architecture_are_one_sentence(
    tmp_path: Path, write: Callable[[Path, dict[str, torch.Tensor]], None]
) -> None:
    others = {f"blocks.{i}.weight": torch.zeros(3, 3) for i in range(6)}
    write(tmp_path, others)
    with pytest.raises(WeightsError, match="lacks the tensor") as raised:
        load_weights(_on_meta(), tmp_path)
    assert "belong to this model" in str(raised.value.hint)


class _Exploit:
    """Unpickling this would create a file."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.open, (str(self.trace), os.O_CREAT | os.O_WRONLY, 0o600)


@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_a_pickle_is_refused_and_not_run(tmp_path: Path, legacy: bool) -> None:
    trace = tmp_path / "executed"
    torch.save(
        {"weight": torch.ones(2), "code": _Exploit(trace)},
        tmp_path / "pytorch_model.bin",
        _use_new_zipfile_serialization=not legacy,
    )
    with pytest.raises(WeightsError, match="nothing in it was run"):
        load_weights(_on_meta(), tmp_path)
    assert not trace.exists()


def test_code_in_a_bare_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "executed"
    (tmp_path / "pytorch_model.bin").write_bytes(pickle.dumps(_Exploit(trace), protocol=2))
    with pytest.raises(WeightsError, match="nothing in it was run"):
        load_weights(_on_meta(), tmp_path)
    assert not trace.exists()
    # The proof that the trap works.
    os.close(pickle.load(io.BytesIO(pickle.dumps(_Exploit(trace)))))
    assert trace.exists()


@pytest.mark.parametrize("content", [[torch.ones(1)], {"epoch": 3}, {1: torch.ones(1)}])
def test_a_pickle_must_be_a_table_of_tensors(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="table of named tensors"):
        read_state_dict(tmp_path)


# ---- files that are not there or not where they should be


def test_an_empty_folder_says_what_it_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"model\.safetensors"):
        read_state_dict(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"none\.safetensors"):
        read_state_dict(tmp_path / "none.safetensors")


def test_a_missing_shard_is_named(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    _write_shards(tmp_path, state)
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(ModelNotFoundError, match=r"model-00002-of-00002\.safetensors"):
        read_state_dict(tmp_path)


@pytest.mark.parametrize(
    "name", ["../model.safetensors", "/etc/model.safetensors", "a\\b.safetensors", "C:x", "..", ""]
)
def test_shards_stay_in_their_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "inside"
    folder.mkdir()
    save_file({"a": torch.ones(1)}, tmp_path / "model.safetensors")
    index = {"weight_map": {"a": name}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(WeightsError, match="not in its folder"):
        read_state_dict(folder)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"weight_map": []}', '{"weight_map": {"a": {}}}']
)
def test_a_damaged_index_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(text)
    with pytest.raises(WeightsError, match=r"index\.json"):
        read_state_dict(tmp_path)


def test_two_checkpoints_in_one_folder_are_ambiguous(
    tmp_path: Path, state: dict[str, torch.Tensor]
) -> None:
    _write_shards(tmp_path, state)
    index = tmp_path / "model.safetensors.index.json"
    index.with_name("other.safetensors.index.json").write_bytes(index.read_bytes())
    with pytest.raises(WeightsError, match="more than one checkpoint"):
        read_state_dict(tmp_path)


def test_a_tensor_in_two_shards_is_an_error(tmp_path: Path) -> None:
    part = {"a": torch.ones(1)}
    _write_index(tmp_path, {"x": part, "y": {"b": torch.ones(1)}}, ".safetensors")
    save_file(part, tmp_path / "x.safetensors")
    save_file(part | {"b": torch.ones(1)}, tmp_path / "y.safetensors")
    with pytest.raises(WeightsError, match=r"tensor a is in both .*x\.safetensors"):
        read_state_dict(tmp_path)
