"""Processes that compute one video together get what one gets: the official numbers, by gloo."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from magi_engine.config.sizes import most_ranks
from magi_engine.config.vae import Tile, VaeConfig
from magi_engine.model.vae import ViTVAE
from magi_engine.ops import mesh as mesh_module
from magi_engine.ops.attention import Attention, attention
from magi_engine.ops.mesh import ALONE, Exchange, Mesh, join, leave, shares_of
from magi_engine.runtime.replay import replay_case
from magi_engine.sampling.memory import Memory
from magi_engine.weights.checkpoint import load_weights

T = TypeVar("T")

TOLERANCE = 6e-5  # as for one process, see test_goldens.py
CASES = {
    2: ("t2v_window2_square", "i2v_base_cfg3", "v2v_distill", "t2v_no_prompt"),
    # Two processes share each of the four groups of keys.
    8: ("v2v_base_cfg3",),
}
"""By the number of processes. Guided ones see chunks alone, too."""
HEADS = (
    (torch.bfloat16, 40),
    (torch.float32, 16),
    (torch.float32, 3),
    (torch.float16, 12),
    (torch.bfloat16, 5),
    (torch.float8_e4m3fn, 7),
)
"""Whose bytes are a multiple of 16, 16, 4, 8, 2 and 1."""
SHORT = "i2v_base_cfg3"
"""The case that two processes make once more, each of them with too little memory once."""

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="several cards make a video only where there is NCCL"
)


class Short:
    """Something for which memory runs out in one of its calls."""

    def __init__(self, does: Callable[..., Tensor], call: int) -> None:
        self.does, self.left = does, call

    def __call__(self, *args: Tensor) -> Tensor:
        self.left -= 1
        if self.left == 0:
            raise torch.OutOfMemoryError("full")
        return self.does(*args)


class Counting(Mesh):
    """Whether the exchanges of a forward are those that would go on without it."""

    def attempt(self, forward: Callable[[], T], alike: Callable[[], Iterable[Exchange]]) -> T:
        result = super().attempt(forward, alike)
        assert self._exchanges[0] == len(list(alike()))
        return result


def replay(goldens: Path, folder: Path, rank: int, size: int) -> None:
    """This process's part of all cases of a mesh; the leading one saves what came out."""
    torch.set_num_threads(1)
    cpu = torch.device("cpu")
    join(folder / "store", rank, size, cpu, timeout_s=600)
    mesh = Counting(rank, size)

    def make(name: str, output: str, attention: Attention = attention) -> None:
        case = goldens / f"{name}.json"
        weights = json.loads(case.read_text(encoding="utf-8"))["weights"]
        outputs = replay_case(
            case,
            goldens / f"weights_{weights}.safetensors",
            case.with_suffix(".safetensors"),
            goldens / "special_tokens.npz",
            device=cpu,
            attention=attention,
            mesh=mesh,
        )
        if mesh.leads:
            save_file(outputs, folder / f"{output}.safetensors")

    for name in CASES[size]:
        make(name, name)
    pixels = decoded(goldens, mesh, short=1)
    if mesh.leads:
        save_file({"pixels": pixels}, folder / "decoded.safetensors")
    if size == 2:
        Memory.step_down = lambda _: True  # type: ignore[method-assign]
        short = Short(attention, call=70 if rank else 9)
        make(SHORT, f"{SHORT}, short of memory", short)
        assert short.left < 0
    exchange(mesh)
    mesh_module.LARGE_CHUNK = 1
    make(CASES[size][0], f"{CASES[size][0]}, chunk by chunk")
    if size == 2:
        # In the middle of a layer, when others have more of its chunks under way.
        short = Short(attention, call=70 if rank else 9)
        make(SHORT, f"{SHORT}, chunk by chunk, short of memory", short)
        assert short.left < 0
    leave()


def exchange(mesh: Mesh) -> None:
    """Heads of any size come from all processes and go back, in one piece and chunk by chunk."""
    tokens, chunks, counts = 11, 3, (8, 4, 4)
    for (dtype, head_dim), order in itertools.product(HEADS, ((), (2, 0, 1))):
        generator = torch.Generator().manual_seed(0)
        fused = torch.randn(1, chunks * tokens, sum(counts), head_dim, generator=generator)
        whole = fused.to(dtype).split(counts, dim=2)
        q, k, v = mesh.own(fused.to(dtype), chunks, 1).split(counts, dim=2)
        given = q.clone()
        groups = mesh.groups(4)
        memory = torch.zeros(2, (1 + chunks) * tokens, groups, head_dim).to(dtype)
        rooms = memory[:, tokens:].unbind()
        heads, keys, queries = mesh.to_heads(q, k, v, tokens, *rooms, order=order)
        for x in (q, k, v):
            x.zero_()  # on its way already
        for arriving in (keys, *reversed(queries.values())):
            arriving.wait()
        for x, all_heads in zip(heads, whole, strict=True):
            count = max(1, all_heads.shape[2] // mesh.size)
            first = mesh.rank * all_heads.shape[2] // mesh.size
            assert torch.equal(x, all_heads.narrow(2, first, count)), (dtype, head_dim, order)
        assert not memory[:, :tokens].any()
        parts = chunks if order else 1
        pairs = zip(heads[0].chunk(parts, dim=1), q.chunk(parts, dim=1), strict=True)
        for arriving in [mesh.to_tokens(x, tokens, out) for x, out in pairs]:
            arriving.wait()
        assert torch.equal(q, given), (dtype, head_dim, order)


@torch.inference_mode()
def decoded(goldens: Path, mesh: Mesh, short: int = -1) -> Tensor:
    """Latents of several tiles as pixels; before, the process ``short`` runs out of memory."""
    folder = goldens / "vae" / "vae_finalproj"
    vae = ViTVAE(VaeConfig.from_json(folder / "config.json"))
    load_weights(vae, folder / "diffusion_pytorch_model.safetensors")
    vae.mesh = mesh
    latents = torch.randn(1, 16, 5, 18, 21, generator=torch.Generator().manual_seed(0))
    decode, tile = vae.decoder.forward, Tile(size=64, frames=8)
    if short >= 0:
        if mesh.rank == short:
            vae.decoder.forward = Short(decode, 1)  # type: ignore[assignment]
        with pytest.raises(torch.OutOfMemoryError):
            vae.decode(latents, tile)
        vae.decoder.forward = decode  # type: ignore[method-assign]
    return vae.decode(latents, tile)


@pytest.fixture(scope="module", params=CASES, ids="{} processes".format)
def outputs(
    request: pytest.FixtureRequest, goldens: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Tensor]]:
    """What came out of each case."""
    size, folder = request.param, tmp_path_factory.mktemp("mesh")
    command = [sys.executable, __file__, str(goldens), str(folder), str(size)]
    ended = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    assert ended.returncode == 0, ended.stderr
    return {path.stem: load_file(path) for path in folder.glob("*.safetensors")}


def test_the_official_numbers_come_out(
    outputs: dict[str, dict[str, Tensor]],
    goldens: Path,
    relative_error: Callable[[Tensor, Tensor], float],
) -> None:
    assert len(outputs) >= 2
    for name, chunks in outputs.items():
        if name == "decoded":
            continue
        case, _, _ = name.partition(",")
        expected = load_file(goldens / f"{case}.safetensors")
        assert chunks
        for chunk, latents in chunks.items():
            assert relative_error(latents, expected[chunk]) < TOLERANCE, (name, chunk)


def test_tiles_come_out_as_if_one_process_had_decoded_them_all(
    outputs: dict[str, dict[str, Tensor]], goldens: Path
) -> None:
    assert torch.equal(outputs["decoded"]["pixels"], decoded(goldens, ALONE))


def test_work_is_divided_by_what_it_costs() -> None:
    pieces = [2.0, 2.0, 2.0, 2.0, 1.0, 1.125, 0.5625, 1.125, 0.5625, 0.3125]  # tiles of 720x720
    for size, most in ((1, 12.7), (2, 6.5), (4, 3.4)):
        shares = shares_of(pieces, size)
        assert sorted(piece for share in shares for piece in share) == list(range(10))
        assert max(sum(pieces[piece] for piece in share) for share in shares) < most


def test_every_process_has_equal_shares() -> None:
    released = {wanted: most_ranks(24, 8, wanted) for wanted in range(1, 10)}
    assert released == {1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 4, 8: 8, 9: 8}
    assert most_ranks(8, 4, 8) == 8, "two processes share a group"
    assert most_ranks(6, 2, 4) == 2, "the pocket model's"
    assert most_ranks(6, 2, 6) == 6


def test_shares_of_tokens_are_put_together_in_order() -> None:
    tokens = torch.arange(2 * 7).view(1, 14, 1)
    shares = [Mesh(rank, 3).own(tokens, 2, 1) for rank in range(3)]
    assert [share.flatten().tolist() for share in shares] == [
        [0, 1, 7, 8],
        [2, 3, 9, 10],
        [4, 5, 6, 11, 12, 13],
    ]
    assert [Mesh(rank, 3).count(7) for rank in range(3)] == [2, 2, 3]


def test_only_chunks_that_are_large_in_each_process_are_exchanged_one_by_one() -> None:
    tokens = {pixels: 6 * (pixels // 16) ** 2 for pixels in (384, 720)}
    assert [Mesh(0, size).by_chunk(5, tokens[720]) for size in (1, 2, 4, 8)] == [
        False,
        True,
        True,
        False,
    ]
    assert not Mesh(0, 2).by_chunk(1, tokens[720]), "beside what?"
    assert not Mesh(0, 2).by_chunk(5, tokens[384])


def test_one_process_asks_nobody() -> None:
    tokens = torch.arange(6.0).view(1, 6, 1)
    assert ALONE.own(tokens, 2, 1) is tokens
    assert ALONE.whole(tokens, 2, 3) is tokens
    assert ALONE.agree(lambda: 5) == 5
    assert list(ALONE.each(iter([1, 2]))) == [1, 2]
    assert not torch.distributed.is_initialized()


if __name__ == "__main__":
    # Forked where that can be: PyTorch is imported once, not once for each.
    multiprocessing.set_start_method("fork" if hasattr(os, "fork") else "spawn")
    places, size = [Path(place) for place in sys.argv[1:3]], int(sys.argv[3])
    ranks = [multiprocessing.Process(target=replay, args=(*places, n, size)) for n in range(size)]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join()
    sys.exit(any(rank.exitcode for rank in ranks))
