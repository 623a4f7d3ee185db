"""Stage 3: train the pocket transformer and its text encoder.

``python -m magi_engine.training.train_transformer --out runs/pocket --minutes 30``

The recipe is the paper's (2.2, 2.3): flow matching with per-chunk noise levels, block-causal
attention, slightly noisy clean chunks, captions dropped now and then, image and video prefixes in
the mix; and, more and more, shortcut distillation with the guidance distilled in. Beside it the
text encoder goes on answering what ``train_binding`` asks.

On several GPUs, each with clips of its own and so many times the batch:

``python -m torch.distributed.run --standalone --nproc-per-node 4
-m magi_engine.training.train_transformer ...``

One network becomes both variants: with a step code it is the distilled one, without one the base.
Sharing the weights halves what has to be shipped.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

import torch
from torch import Tensor, nn

from magi_engine.model.dit import VideoDiT
from magi_engine.model.vae import ViTVAE
from magi_engine.training import caption_batches, pocket
from magi_engine.training.data import BEGINNINGS, CHUNKS, CLIPS, Clips, cached_script, make_clips
from magi_engine.training.lessons import BEGINNING, Lesson, Teacher, draw_lesson
from magi_engine.training.loop import (
    Average,
    Log,
    Optimiser,
    Pace,
    Replayed,
    load_checkpoint,
    save_checkpoint,
    set_up_device,
    stage_parser,
)
from magi_engine.training.sequences import draw_batch, load_tokens
from magi_engine.training.team import join_team
from magi_engine.training.tokenizer import make_t5_for
from magi_engine.training.train_binding import TEXT_CHECKPOINT, Questions

_BEGINNINGS_PER_CLIP = 9
"""In a batch: a long clip, with its history, is a sequence of 9 chunks."""

_BINDING = 0.2
"""Weight of the questions whose words are whose, which the encoder goes on answering."""

_SEEDS_APART = 1000
"""Between processes of a team."""


def initialise(model: VideoDiT) -> None:
    """Gates open, branches small, output zero: a stable start for sandwich norms."""
    for layer in model.layers:
        gates = layer.ada_modulate_layer.proj[0]
        assert isinstance(gates, nn.Linear)
        nn.init.normal_(gates.weight, std=0.02)
        nn.init.ones_(gates.bias)
        for norm in (layer.self_attn_post_norm, layer.mlp_post_norm):
            nn.init.constant_(norm.weight, -0.7)  # "1p": a scale of 0.3
    nn.init.normal_(model.y_embedder.null_caption_embedding[:52], std=1.0)
    nn.init.normal_(model.y_embedder.null_caption_embedding[-2:], std=1.0)
    nn.init.zeros_(model.final_linear.linear.weight)


def compile_blocks(model: VideoDiT) -> None:
    """Compile what lies around the self-attentions, which are different for every layout.

    Between the compiled parts everything is bf16: what passes through memory sets the pace.
    """
    torch._dynamo.config.recompile_limit = 256
    if not hasattr(caption_batches._masked_attention, "_torchdynamo_orig_callable"):
        caption_batches._masked_attention = torch.compile(
            caption_batches._masked_attention, dynamic=False
        )
    model.dtype = torch.bfloat16
    # All tokens at once: what is compiled writes into the first part's memory for every part.
    model.part_tokens = sys.maxsize
    for layer in model.layers:
        attention = layer.self_attention
        attention.dtype = torch.bfloat16
        attention.caption_keys = torch.compile(attention.caption_keys, dynamic=False)
        attention.project = torch.compile(attention.project, dynamic=False)
        layer.finish = torch.compile(layer.finish, dynamic=False)


def load_clips(args: argparse.Namespace, device: torch.device, seed: int) -> dict[int, Clips]:
    """Training clips by their number of chunks, encoded by the trained autoencoder."""
    vae = ViTVAE(pocket.VAE).to(device)
    load_checkpoint(args.out / "vae.safetensors", vae=vae)
    clips = {}
    for options, count in ((BEGINNINGS, args.beginnings), (CLIPS, args.clips)):
        script = cached_script(args.out, args.t5, count, seed, options)
        clips[options.num_chunks] = make_clips(vae, script, device, options.num_chunks)
    return clips


def main(argv: list[str] | None = None) -> int:
    parser = stage_parser(__doc__, minutes=30.0, max_steps=1_000_000, rate=2e-3, seed=2)
    parser.add_argument(
        "--t5",
        type=Path,
        default=Path("resources/pocket/t5"),
        help="folder with the tokenizer (spiece.model)",
    )
    parser.add_argument("--clips", type=int, default=16_000, help=f"of {CHUNKS} chunks")
    parser.add_argument("--beginnings", type=int, default=60_000, help="of one chunk")
    parser.add_argument(
        "--batch", type=int, default=14, help="clips at once; nine times as many beginnings"
    )
    parser.add_argument(
        "--cooldown",
        type=float,
        default=0.5,
        help="share of the time over which the rate falls to zero (1: from the start)",
    )
    parser.add_argument(
        "--begin",
        type=float,
        default=0.0,
        help="share of a whole training that lies behind: which lessons come first (0)",
    )
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    args = parser.parse_args(argv)
    team = join_team()
    seed = args.seed + _SEEDS_APART * team.rank
    device = set_up_device(seed)

    clips = load_clips(args, device, seed)
    t5 = make_t5_for(args.t5, pocket.CAPTION_CHANNELS)
    nn.Module.to(t5, device)
    student = VideoDiT(pocket.MODEL)
    initialise(student)
    student.to(device)
    questions = Questions().to(device)
    checkpoint = args.out / "transformer.safetensors"
    if args.resume:
        load_checkpoint(checkpoint, dit=student, t5=t5, questions=questions)
    elif (args.out / TEXT_CHECKPOINT).exists():
        load_checkpoint(args.out / TEXT_CHECKPOINT, t5=t5, questions=questions)
    learning = [student, t5, questions]
    team.share([p for module in learning for p in module.parameters()])
    tokens = load_tokens(args.t5.parent, device)
    average, t5_average = Average(student, decay=0.999), Average(t5, decay=0.999)
    if device.type == "cuda":
        for model in (student, average.module):
            compile_blocks(model)

    def save() -> None:
        modules = {"dit": average.module, "t5": t5_average.module, "questions": questions}
        save_checkpoint(checkpoint, **modules)

    teacher = Teacher(student, average.module, tokens)
    optimiser = Optimiser(learning, args.rate, weight_decay=0.02, team=team)
    recorded: dict[Lesson, Replayed[Tensor]] = {}

    def learn(lesson: Lesson) -> Tensor:
        def step() -> Tensor:
            chunks, size = CHUNKS, args.batch
            if lesson.layout == BEGINNING:
                chunks, size = 1, _BEGINNINGS_PER_CLIP * args.batch
            batch = draw_batch(clips[chunks], t5, size)
            loss = teacher.loss(lesson, batch)
            first = batch.captions[:, 0]
            words = torch.arange(first.shape[1], device=device) < batch.lengths[:, :1]
            binding = questions.ask(first, words, batch.objects).loss()
            optimiser.backward(loss + _BINDING * binding)
            return torch.stack([loss.detach(), binding.detach()])

        # A copy, as the losses stand in memory that all recorded steps share.
        return recorded.setdefault(lesson, Replayed(step, device))().clone()

    log = Log(args.out / "transformer.jsonl", every=250)
    dice = random.Random(args.seed)  # the same lessons everywhere
    pace = Pace(args.minutes, args.max_steps, save, 100, args.cooldown, team)
    for step in pace:
        lesson = draw_lesson(args.begin + (1 - args.begin) * pace.progress, dice)
        loss, binding = learn(lesson)
        optimiser.update(pace.rate)
        average.update(step)
        t5_average.update(step)
        if not team.leads:
            continue
        length = "short" if lesson.layout == BEGINNING else "long"
        log.add(pace, binding=binding, **{f"{lesson.kind.value}_{length}": loss})
    log.close()
    team.leave()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
