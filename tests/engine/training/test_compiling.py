"""What is compiled for the training computes what it did before."""

from __future__ import annotations

import dataclasses
import functools

import pytest
import torch
from torch import Tensor, nn

from magi_engine.model.dit import VideoDiT
from magi_engine.ops import attention as attention_ops
from magi_engine.training import caption_batches, pocket
from magi_engine.training.caption_batches import CaptionBatch
from magi_engine.training.train_transformer import compile_blocks, initialise


@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # from inside the compiler
def test_the_teacher_sees_with_compiled_layers_what_the_student_sees(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Without code generation, which would need a compiler here: it is not what is in question.
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="aot_eager"))
    monkeypatch.setattr(caption_batches, "_masked_attention", caption_batches._masked_attention)
    torch.manual_seed(0)
    model = VideoDiT(dataclasses.replace(pocket.MODEL, num_layers=2))  # compiled one by one
    initialise(model)
    nn.init.normal_(model.final_linear.linear.weight, std=0.1)
    model.part_tokens = 2 * pocket.CHUNK_WIDTH * 8 * 8  # else a batch this small is one part
    compile_blocks(model)
    videos = 4
    latents = torch.randn(videos, 16, pocket.CHUNK_WIDTH, 16, 16)
    embeddings = torch.randn(videos, 20, pocket.CAPTION_CHANNELS)
    captions = CaptionBatch(embeddings, (20,) * videos)
    times = torch.full((videos, 1), 500.0)

    def velocity() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return model(
                latents,
                times,
                captions,
                chunk_positions=[0],
                attend=lambda _layer, q, k, v: attention_ops.attention(q, k, v),
            ).float()

    student = velocity().detach()
    with torch.no_grad():
        teacher = velocity()
    assert (teacher - student).norm() < 1e-3 * student.norm()
