"""Stage 2: train the pocket transformer and its text encoder by flow matching.

``python -m magi_engine.training.train_base --out runs/pocket --minutes 10``

The recipe is the paper's (2.2): per-chunk noise levels, block-causal attention, slightly noisy
clean chunks, captions dropped now and then, image and video prefixes in the mix.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import nn
from transformers import T5EncoderModel

from magi_engine.model.dit import VideoDiT
from magi_engine.model.special_tokens import SpecialTokens
from magi_engine.model.vae import ViTVAE
from magi_engine.ops import attention as attention_ops
from magi_engine.training import pocket
from magi_engine.training.data import CHUNKS, Clips, cached_script, make_clips
from magi_engine.training.loop import (
    Average,
    Log,
    Optimiser,
    Pace,
    load_checkpoint,
    save_checkpoint,
)
from magi_engine.training.sequences import (
    Sequence,
    draw_batch,
    draw_fractions,
    draw_layout,
    time_of,
)
from magi_engine.training.tokenizer import make_t5_for

_UNCONDITIONAL_SHARE = 0.12
_UNIFORM_TIME_SHARE = 0.25

_CHUNKS, _CLIPS = (1, CHUNKS), (9, 1)
"""Lengths of the clips in a batch, and how many times ``--batch`` of them there are. Few lengths,
since each is compiled anew."""

_SHORT_SHARE = (0.7, 0.45)
"""Share of the batches of single chunks at the start and at the end. What things look like is
learned where nothing but the caption tells, and in long clips that is only the first chunk."""


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


def draw_length(progress: float, batch: int) -> tuple[int, int]:
    """Chunks per clip and number of clips of the next batch, ``progress`` into the training."""
    first, last = _SHORT_SHARE
    kind = int(float(torch.rand(())) >= first + (last - first) * progress)
    return _CHUNKS[kind], _CLIPS[kind] * batch


def compile_blocks(model: VideoDiT) -> None:
    """Compile what lies around the self-attentions, which are different for every layout.

    Attention inputs leave the compiled part in bf16, which the kernels take as it is.
    """
    torch._dynamo.config.recompile_limit = 256
    if not hasattr(attention_ops._masked_attention, "_torchdynamo_orig_callable"):
        attention_ops._masked_attention = torch.compile(
            attention_ops._masked_attention, dynamic=False
        )
    for layer in model.layers:
        attention = layer.self_attention
        attention.dtype = torch.bfloat16
        attention.caption_keys = torch.compile(attention.caption_keys, dynamic=False)
        attention.project = torch.compile(attention.project, dynamic=False)
        layer.finish = torch.compile(layer.finish, dynamic=False)


def load_clips(args: argparse.Namespace, device: torch.device) -> Clips:
    """The training clips, encoded by stage 1's autoencoder."""
    vae = ViTVAE(pocket.VAE).to(device)
    load_checkpoint(args.out / "vae.safetensors", vae=vae)
    path = args.out / f"script-{args.clips}-{args.seed}.pt"
    return make_clips(vae, cached_script(path, args.t5, args.clips, args.seed), device)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What both transformer stages can be told."""
    parser.add_argument("--out", type=Path, default=Path("runs/pocket"))
    parser.add_argument(
        "--t5",
        type=Path,
        default=Path("resources/pocket/t5"),
        help="folder with the tokenizer (spiece.model)",
    )
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--max-steps", type=int, default=1_000_000)
    parser.add_argument("--clips", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--no-compile", action="store_true", help="do without torch.compile")


def set_up_device(seed: int) -> torch.device:
    """The device to train on, with its fast float32 mode and seeded."""
    torch.backends.cuda.matmul.allow_tf32 = True
    # Of the attention kernels only flash ran backwards reliably on these shapes.
    torch.backends.cuda.enable_cudnn_sdp(False)
    torch.backends.cuda.enable_mem_efficient_sdp(False)
    torch.manual_seed(seed)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def autocast(device: torch.device) -> torch.autocast:
    """bf16 matrix products on a GPU, plain float32 elsewhere."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--resume", action="store_true", help="start from base.safetensors")
    args = parser.parse_args(argv)
    device = set_up_device(args.seed)

    clips = load_clips(args, device)
    print(f"{len(clips)} clips, {clips.tokens.shape[-1]} tokens at most", flush=True)
    t5 = make_t5_for(args.t5, pocket.CAPTION_CHANNELS)
    nn.Module.to(t5, device)
    model = VideoDiT(pocket.MODEL)
    initialise(model)
    model.to(device)
    if args.resume:
        load_checkpoint(args.out / "base.safetensors", dit=model, t5=t5)
    average = Average(model, decay=0.999)
    t5_average = Average(t5, decay=0.999)
    if device.type == "cuda" and not args.no_compile:
        compile_blocks(model)

    def save() -> None:
        save_checkpoint(args.out / "base.safetensors", dit=average.module, t5=t5_average.module)

    pace = Pace(args.minutes, args.max_steps, save, warmup_steps=100, cooldown=0.25)
    train(model, t5, clips, args, pace, [average, t5_average], device)
    return 0


def train(
    model: VideoDiT,
    t5: T5EncoderModel,
    clips: Clips,
    args: argparse.Namespace,
    pace: Pace,
    averages: list[Average],
    device: torch.device,
) -> None:
    """The loop: draw clips, a layout and noise levels; learn the velocity."""
    special_tokens = SpecialTokens.load(args.t5.parent / pocket.SPECIAL_TOKENS_FILE)
    optimiser = Optimiser([model, t5], args.rate, weight_decay=0.02)
    log = Log(args.out / "base.jsonl", every=250)
    for step in pace:
        chunks, size = draw_length(pace.progress, args.batch)
        batch = draw_batch(clips, t5, size, chunks)
        layout = draw_layout(chunks)
        conditional = float(torch.rand(())) >= _UNCONDITIONAL_SHARE
        sequence = Sequence(model, batch, layout, conditional, special_tokens)
        fractions = draw_fractions(layout, size, device)
        times = time_of(fractions)
        if float(torch.rand(())) < _UNIFORM_TIME_SHARE:
            times = fractions  # spends more on the nearly clean end
        with autocast(device):
            velocity = sequence.velocity(model, sequence.noisy_latents(times), times, None)
        target = (batch.clean - batch.noise)[:, sequence.noisy_positions]
        loss = sequence.loss(velocity, target)
        optimiser.step(loss, pace.rate)
        for average in averages:
            average.update(step)
        log.add(pace, **{f"chunks_{chunks}": loss})
    log.close()


if __name__ == "__main__":
    raise SystemExit(main())
