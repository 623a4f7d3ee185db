from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
import torch
from torch import nn

from magi_engine.ops import backends
from magi_engine.ops.backends import fused_kernels, why_not
from magi_engine.ops.compiled import Capability, compile_source
from magi_engine.ops.kernels import Kernels
from magi_engine.ops.quantised_kernels import INT8_SHARED_BYTES

SHARED_KB = {(7, 5): 64, (8, 0): 163, (8, 6): 99, (8, 9): 99, (9, 0): 227, (12, 0): 99}
"""What a block may have on each kind of card."""
SOURCES: tuple[tuple[str, dict[str, int], int], ...] = (
    ("fused.cu", {}, 0),
    ("quantise.cu", {"INT8": 1}, 0),
    ("int8_attention.cu", {}, INT8_SHARED_BYTES),
)


@pytest.mark.parametrize("capability", SHARED_KB, ids=str)
@pytest.mark.parametrize(("file", "macros", "shared_bytes"), SOURCES, ids=lambda x: str(x))
def test_every_card_from_turing_on_has_room_for_the_kernels(
    file: str, macros: dict[str, int], shared_bytes: int, capability: Capability
) -> None:
    pytest.importorskip("cuda.core")
    log = io.StringIO()
    compile_source(file, torch.bfloat16, capability, log=log, **macros)
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
        "int8_attention.cu", torch.bfloat16, (8, 9), "cubin",
        utils.FileStreamProgramCache(tmp_path), first,
    )  # fmt: skip
    found = compile_source(
        "int8_attention.cu", torch.bfloat16, (8, 9), "cubin",
        utils.FileStreamProgramCache(tmp_path), second,
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
    assert advice in why_not(error)


def test_without_a_card_the_plain_steps_are_taken_and_the_reason_is_known() -> None:
    kernels, reason = fused_kernels(torch.device("cpu"))
    assert type(kernels) is Kernels
    assert reason


def test_without_its_packages_a_card_has_the_plain_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> None:
        raise ModuleNotFoundError("No module named 'cuda.core'", name="cuda.core")

    monkeypatch.setattr(backends, "kernels_of", missing)
    kernels, reason = fused_kernels(torch.device("cuda"))
    assert type(kernels) is Kernels
    assert "cuda.core is missing" in reason


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("shape", [(1, 7, 64), (2, 33, 3072), (1, 5, 6144), (1, 3, 100)], ids=str)
def test_a_fused_step_is_its_plain_twin(shape: tuple[int, ...]) -> None:
    kernels, reason = fused_kernels(torch.device("cuda", 0))
    assert not reason
    x = torch.randn(shape, device="cuda", dtype=torch.bfloat16)
    norm = nn.LayerNorm(shape[-1], device="cuda", dtype=torch.bfloat16)
    with torch.inference_mode():
        plain = Kernels()
        for step in (
            lambda k: k.layer_norm(x, norm),
            lambda k: k.gelu(x),
            lambda k: k.silu_gate(x),
            lambda k: k.join(x, x),
        ):
            torch.testing.assert_close(step(kernels), step(plain), rtol=0.02, atol=0.02)
