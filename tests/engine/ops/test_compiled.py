from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from magi_engine.ops import backends
from magi_engine.ops.backends import fused_kernels, why_not
from magi_engine.ops.compiled import Capability, compile_source
from magi_engine.ops.fused_kernels import _can_add, _side_by_side
from magi_engine.ops.kernels import Heads, Kernels
from magi_engine.ops.norms import LayerNorm1p
from magi_engine.ops.quantised_kernels import INT8

SHARED_KB = {(7, 5): 64, (8, 0): 163, (8, 6): 99, (8, 9): 99, (9, 0): 227, (12, 0): 99}
"""What a block may have on each kind of card."""
SOURCES: tuple[tuple[str, dict[str, int], int], ...] = (
    ("fused.cu", {}, 0),
    ("quantise.cu", {"INT8": 1}, 0),
    ("int8_attention.cu", {}, INT8.shared_bytes),
)


@pytest.mark.parametrize("capability", SHARED_KB, ids=str)
@pytest.mark.parametrize(("file", "macros", "shared_bytes"), SOURCES, ids=lambda x: str(x))
def test_every_card_from_turing_on_has_room_for_the_kernels(
    file: str, macros: dict[str, int], shared_bytes: int, capability: Capability
) -> None:
    pytest.importorskip("cuda.core")
    log = io.StringIO()
    compile_source(file, torch.bfloat16, capability, macros=macros, log=log)
    said = log.getvalue()
    spilled = re.findall(r"(\d+) bytes spill stores", said)
    assert spilled
    assert set(spilled) == {"0"}
    fixed = [int(count) for count in re.findall(r"(\d+) bytes smem", said)]
    assert max(fixed, default=0) + shared_bytes <= SHARED_KB[capability] * 1024


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_the_steps_are_there_for_every_number_format(dtype: torch.dtype) -> None:
    pytest.importorskip("cuda.core")
    assert compile_source("fused.cu", dtype, (7, 5)).code


def test_what_was_compiled_is_found_again(tmp_path: Path) -> None:
    utils = pytest.importorskip("cuda.core.utils")
    first, second = io.StringIO(), io.StringIO()
    made = compile_source(
        "int8_attention.cu", torch.bfloat16, (8, 9),
        cache=utils.FileStreamProgramCache(tmp_path), log=first,
    )  # fmt: skip
    found = compile_source(
        "int8_attention.cu", torch.bfloat16, (8, 9),
        cache=utils.FileStreamProgramCache(tmp_path), log=second,
    )  # fmt: skip
    assert bytes(found.code) == bytes(made.code)
    assert first.getvalue()
    assert not second.getvalue()  # nothing was compiled


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (ModuleNotFoundError("No module named 'cuda'", name="cuda"), "set the program up again"),
        (RuntimeError("Failure finding libnvrtc.so"), "set the program up again"),
        (RuntimeError("CUDA_ERROR_NO_BINARY_FOR_GPU"), "driver"),
    ],
)
def test_why_there_are_no_fused_kernels_says_what_to_do(error: Exception, advice: str) -> None:
    assert advice in str(why_not(error))


def test_a_processor_has_the_plain_steps_and_that_is_no_fault() -> None:
    kernels, reason = fused_kernels(torch.device("cpu"))
    assert type(kernels) is Kernels
    assert reason is None


def test_without_its_packages_a_card_has_the_plain_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> None:
        raise ModuleNotFoundError("No module named 'cuda.core'", name="cuda.core")

    monkeypatch.setattr(backends, "kernels_of", missing)
    kernels, reason = fused_kernels(torch.device("cuda"))
    assert type(kernels) is Kernels
    assert "cuda.core is missing" in str(reason)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("updates", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("shape", [(1, 8, 64), (2, 34, 3072), (1, 6, 6144), (1, 2, 100)], ids=str)
def test_a_fused_step_is_its_plain_twin(shape: tuple[int, ...], updates: torch.dtype) -> None:
    kernels, reason = fused_kernels(torch.device("cuda", 0))
    assert not reason
    x = torch.randn(shape, device="cuda", dtype=torch.bfloat16)
    update = torch.randn(shape, device="cuda", dtype=updates)
    gate = torch.randn(shape[0], 2, shape[2], device="cuda")
    norm = nn.LayerNorm(shape[-1], device="cuda", dtype=torch.bfloat16)
    post = LayerNorm1p(shape[-1], 1e-6, torch.float32).to("cuda")
    steps: tuple[Callable[[Kernels], Tensor], ...] = (
        lambda kernels: kernels.layer_norm(x, norm),
        lambda kernels: kernels.gelu(x),
        lambda kernels: kernels.silu_gate(x),
        lambda kernels: kernels.join(x, x),
        lambda kernels: kernels.add_gated(x, update, gate, post),
        lambda kernels: kernels.add_gated_and_norm(x, update, gate, post, norm)[1],
    )
    with torch.inference_mode():
        for step in steps:
            torch.testing.assert_close(step(kernels), step(Kernels()), rtol=0.02, atol=0.02)


def heads_of(product: Tensor, heads: int, groups: int) -> Heads:
    """The columns of one matrix."""
    parts = product.unflatten(-1, (-1, 128)).split((heads, groups, groups, heads), dim=2)
    return Heads(*parts)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize(("videos", "heads", "groups"), [(1, 24, 8), (2, 8, 16), (1, 4, 2)])
def test_all_heads_in_one_pass_are_their_plain_twins(videos: int, heads: int, groups: int) -> None:
    device = torch.device("cuda", 0)
    kernels, reason = fused_kernels(device)
    assert not reason
    product = torch.randn(videos, 37, 256 * (heads + groups), device=device).bfloat16()
    own, of_captions = (
        LayerNorm1p(128, 1e-6, t).to(device) for t in (torch.float32, torch.bfloat16)
    )
    rotary = torch.randn(37, 48, device=device).cos(), torch.randn(37, 48, device=device).sin()
    scales = torch.tensor([1.0, 0.3, 1.7, 0.6], device=device).unbind()
    rooms = (None, torch.empty(videos, 37, groups, 128, device=device).bfloat16(), None, None)
    results = [
        [x.clone() for x in k.heads(
            heads_of(product, heads, groups), (own, own, of_captions), rotary, scales, rooms
        )]
        for k in (kernels, Kernels())
    ]  # fmt: skip
    for fused, plain in zip(*results, strict=True):
        torch.testing.assert_close(fused, plain, rtol=0.02, atol=0.02)


def test_only_columns_of_one_matrix_are_taken_for_it() -> None:
    product = torch.zeros(2, 5, 256 * 3)
    heads = heads_of(product, 2, 1)
    assert _side_by_side(heads)
    assert not _side_by_side(heads._replace(v=heads.v.clone()))
    assert not _side_by_side(heads._replace(k=heads.v, v=heads.k))
    assert not _side_by_side(heads_of(product[..., :512], 1, 1))
    assert not _side_by_side(heads_of(torch.zeros(4, 5, 256 * 3)[::2], 2, 1))


def test_what_kernels_cannot_read_is_left_to_the_plain_form() -> None:
    """No kernel runs here: whether one may is decided before."""
    x = torch.randn(1, 4, 64)
    update, gate = torch.randn(1, 4, 64).bfloat16(), torch.randn(1, 1, 64)
    norm = LayerNorm1p(64, 1e-6, torch.float32)
    narrow = x.bfloat16()
    assert _can_add(narrow, update, gate, (norm,))
    assert _can_add(narrow, update.float(), gate, (norm,))
    assert not _can_add(narrow, update.half(), gate, (norm,))
    assert not _can_add(narrow, update, gate.bfloat16(), (norm,))
    assert not _can_add(narrow, update, gate, (norm,), into=x)
    assert not _can_add(narrow[..., :60], update[..., :60], gate, (norm,))
    shifted = torch.randn(65).bfloat16()[1:].view(1, 1, 64)
    assert not _can_add(shifted, update, gate, (norm,))
