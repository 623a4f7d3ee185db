"""Last stage but export: the decoder learns to draw what the transformer makes, without a beat.

``python -m magi_engine.training.train_decoder --out runs/pocket --minutes 2.5``

The encoder stays as it is, and with it the latents and the transformer. The decoder draws half a
second at a time, so the first stage never asked it for two pieces that fit together. Here it draws
two neighbouring ones, and answers also for the differences between neighbouring frames, across
the border of the pieces as within them, and once more where those at borders are larger than those
within. More than half of the latents are the transformer's: clips that were hidden by noise so far
that it had to draw outlines again, but not so far that anything moved. The others are the
encoder's, some of them still images, so that what is given stays what it is.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from magi_engine.model.dit import VideoDiT
from magi_engine.model.vae import ViTDecoder, ViTVAE
from magi_engine.training import pocket
from magi_engine.training.data import EVERYTHING, cached_script, make_clips
from magi_engine.training.loop import (
    Log,
    Optimiser,
    Pace,
    load_checkpoint,
    save_checkpoint,
    set_up_device,
    stage_parser,
)
from magi_engine.training.redrawing import redraw_clips
from magi_engine.training.sequences import load_tokens
from magi_engine.training.tokenizer import make_t5_for
from magi_engine.training.train_vae import PIECE, pixels_to_video, psnr
from magi_engine.training.world import render, simulate

_L1_WEIGHT = 0.5
_CHANGE_WEIGHT = 2.0
"""Of the differences between neighbouring frames, against the frames themselves."""
_BORDER_WEIGHT, _PIECE_WEIGHT = 2.0, 12.0
"""Of the differences at the borders of latent frames and of pieces, against those within one."""
_REDRAWN_SHARE = 0.6
_IMAGE_SHARE = 0.1

_TONE_WEIGHT, _TONE_AREA = 80.0, 16
"""Of the mean colours of square areas, and their side: else frames at borders become paler, as
that, too, makes the differences there smaller. Outlines count for little in them."""
_TONE_ALLOWANCE = 0.25 / 127.5
"""A quarter of a level off is not wrong: the decoder's bf16 rounds to half a level, so that only
dots, in every other frame, could make a mean colour more exact, and those can be seen."""

_BEAT_WEIGHT = 1e-2
"""Of what differences at these borders have too much of, as a share of those within."""
_BORDER_ALLOWANCE, _PIECE_ALLOWANCE = 0.97, 0.92
"""At the borders of latent frames and of pieces, so many times those within are not too much. Less
than once, as videos have more of it than these clips; to allow still less costs sharpness."""

_PIECES = 2
_PIECE_LATENTS = PIECE // 4
_UNSEEN = 0.02 / 127.5
"""Differences of a fiftieth of a level are none."""
_HELD_OUT = 128
"""Clips to measure on, which are not trained on."""


def decode_pieces(decoder: Callable[[Tensor], Tensor], latents: Tensor) -> Tensor:
    """Scaled latents (N, 16, T, h, w) as a video (N, 3, 4T, H, W), half a second at a time, or
    what there is of it."""
    length = min(_PIECE_LATENTS, latents.shape[2])
    pieces = latents.unflatten(2, (-1, length)).transpose(1, 2).flatten(0, 1)
    with torch.autocast(latents.device.type, torch.bfloat16, enabled=latents.is_cuda):
        video = decoder(pieces / pocket.SCALE_FACTOR).float()
    return video.unflatten(0, (len(latents), -1)).transpose(1, 2).flatten(2, 3)


@torch.no_grad()
def encoded_images(vae: ViTVAE, frames: Tensor) -> Tensor:
    """Scaled latents (N, 16, 1, h, w) of pictures (N, 3, H, W) uint8."""
    with torch.autocast(frames.device.type, torch.bfloat16, enabled=frames.is_cuda):
        return vae.encode(pixels_to_video(frames[:, None])).float() * pocket.SCALE_FACTOR


def change_weights(frames: int, device: torch.device) -> Tensor:
    """(frames - 1, 1, 1) weights of the differences between neighbouring frames, mean 1."""
    number = torch.arange(1, frames, device=device)
    weights = torch.where(number % 4 == 0, _BORDER_WEIGHT, 1.0)
    weights[number % PIECE == 0] = _PIECE_WEIGHT
    return (weights / weights.mean())[:, None, None]


def error_of(decoded: Tensor, video: Tensor) -> tuple[Tensor, Tensor]:
    """The loss of decoded videos (N, 3, T, H, W), and of it the squared error alone."""
    error = decoded - video
    change = error.diff(dim=2)
    weights = change_weights(video.shape[2], video.device)
    squared = error.square().mean()
    still = squared + _L1_WEIGHT * error.abs().mean()
    moving = (weights * (change.square() + _L1_WEIGHT * change.abs())).mean()
    loss = still + _CHANGE_WEIGHT * moving + _BEAT_WEIGHT * beat_loss(decoded)
    wrong = nn.functional.softshrink(tone_error(error), _TONE_ALLOWANCE)
    return loss + _TONE_WEIGHT * wrong.square().mean(), squared


def tone_error(error: Tensor) -> Tensor:
    """Errors (N, 3, T, H // 16, W // 16) of the mean colours of areas, from those of videos
    (N, 3, T, H, W)."""
    areas = nn.functional.avg_pool2d(error.flatten(1, 2), _TONE_AREA)
    return areas.unflatten(1, error.shape[1:3])


def beat_loss(decoded: Tensor) -> Tensor:
    """How much larger differences between neighbouring frames of videos (N, 3, T, H, W) are at
    borders than they may be, as a share of those within latent frames; nothing where smaller."""
    change = decoded.diff(dim=2).abs().mean((1, 3, 4))  # (N, T - 1)
    borders = list(range(3, change.shape[1], 4))
    if not borders:
        return change.new_zeros(())
    inside = [n for n in range(change.shape[1]) if n not in borders]
    within = change[:, inside].mean(1, keepdim=True).detach() + _UNSEEN
    weights = change_weights(decoded.shape[2], change.device)[borders, 0, 0]
    allowed = change.new_tensor(
        [_BORDER_ALLOWANCE if (n + 1) % PIECE else _PIECE_ALLOWANCE for n in borders]
    )
    excess = (change[:, borders] / within - allowed).clamp(min=0)
    return (excess * weights / weights.sum()).sum(1).mean()


@torch.no_grad()
def measure(decoder: ViTDecoder, latents: Tensor, frames: Tensor) -> str:
    """PSNR of clips (N, 16, T, h, w), and how frame differences and the errors of colours go up
    at the borders."""
    errors, changes, true_changes, tones = [], [], [], []
    for some, true in zip(latents.float().split(4), frames.split(4), strict=True):
        video, wanted = decode_pieces(decoder, some).clamp(-1, 1), pixels_to_video(true)
        errors.append(((video - wanted) / 2).square().mean((1, 2, 3, 4)))
        changes.append(video.diff(dim=2).abs().mean((1, 3, 4)))
        true_changes.append(wanted.diff(dim=2).abs().mean())
        tone = tone_error(video - wanted).square().mean((1, 3, 4))
        tones.append(tone.unflatten(1, (-1, PIECE)).mean((0, 1)))
    change, tone = torch.cat(changes), 127.5 * torch.stack(tones).mean(0).sqrt()
    number = torch.arange(1, frames.shape[1], device=change.device)
    places = number % PIECE
    within, fourth, piece = (
        change[:, chosen].mean(1)
        for chosen in (places % 4 != 0, (places % 4 == 0) & (places > 0), places == 0)
    )
    decibels = float((-10 * torch.cat(errors).log10()).mean())
    return (
        f"{decibels:.2f} dB, differences within {127.5 * float(within.mean()):.3f} levels "
        f"({127.5 * float(torch.stack(true_changes).mean()):.3f} in truth), "
        f"at latent frames {float((fourth / within).mean()):.3f} times, "
        f"at pieces {float((piece / within).mean()):.3f} times, "
        f"areas {float(tone[[0, -1]].mean()):.2f} levels off at the ends of pieces, "
        f"{float(tone[1:-1].mean()):.2f} between"
    )


def main(argv: list[str] | None = None) -> int:
    parser = stage_parser(
        __doc__, minutes=2.5, max_steps=1_000_000, clips=2400, batch=48, rate=5e-4, seed=4
    )
    parser.add_argument("--t5", type=Path, default=Path("resources/pocket/t5"))
    args = parser.parse_args(argv)

    device = set_up_device(args.seed)
    vae, dit = ViTVAE(pocket.VAE).to(device), VideoDiT(pocket.MODEL).to(device)
    t5 = make_t5_for(args.t5, pocket.CAPTION_CHANNELS)
    nn.Module.to(t5, device)
    load_checkpoint(args.out / "vae.safetensors", vae=vae)
    load_checkpoint(args.out / "transformer.safetensors", dit=dit, t5=t5)
    tokens = load_tokens(args.t5.parent, device)

    held_out = min(_HELD_OUT, args.clips)
    script = cached_script(args.out, args.t5, args.clips + held_out, args.seed, EVERYTHING)
    measured, trained = torch.arange(len(script.scenes), device=device).split(
        (held_out, args.clips)
    )
    clips = make_clips(vae, script, device, EVERYTHING.num_chunks)
    scenes = script.scenes.to(device)
    frames = torch.cat(
        [
            render(some, simulate(some, EVERYTHING.num_chunks * pocket.CHUNK_FRAMES))
            for some in (scenes[first : first + 128] for first in range(0, len(scenes), 128))
        ]
    )
    redrawn = redraw_clips(dit, t5, tokens, clips, args.batch)
    # (2, clips, 16, T, h, w): as encoded, and as the transformer draws them.
    latents = torch.stack([clips.latents, redrawn]).transpose(2, 3).flatten(3, 4)

    def report() -> None:
        for name, kind in (("encoded", 0), ("redrawn", 1)):
            print(name, measure(decoder, latents[kind, measured], frames[measured]), flush=True)
        print(f"images {psnr(vae, frames[measured], 1):.2f} dB", flush=True)

    decoder = vae.decoder
    report()
    vae.encoder.requires_grad_(False)
    decode = torch.compile(decoder, dynamic=False) if device.type == "cuda" else decoder
    optimiser = Optimiser([decoder], args.rate, weight_decay=0.0)
    log = Log(args.out / "decoder.jsonl", every=250)

    def save() -> None:
        save_checkpoint(args.out / "drawn.safetensors", vae=vae)

    pace = Pace(args.minutes, args.max_steps, save, warmup_steps=100, cooldown=0.6)
    last = EVERYTHING.num_chunks * pocket.CHUNK_FRAMES // PIECE - _PIECES
    for _ in pace:
        rows = trained[torch.randint(len(trained), (args.batch,), device=device)]
        if float(torch.rand(())) < _IMAGE_SHARE:
            pictures = frames[rows, int(torch.randint(frames.shape[1], ()))]
            video = pixels_to_video(pictures[:, None]).expand(-1, -1, 4, -1, -1)
            loss, _ = error_of(decode_pieces(decode, encoded_images(vae, pictures)), video)
            optimiser.step(loss, pace.rate)
            continue
        kinds = (torch.rand(args.batch, device=device) < _REDRAWN_SHARE).long()
        start = int(torch.randint(last + 1, ())) * PIECE
        end = start + _PIECES * PIECE
        video = pixels_to_video(frames[rows, start:end])
        some = latents[kinds, rows, :, start // 4 : end // 4].float()
        loss, squared = error_of(decode_pieces(decode, some), video)
        optimiser.step(loss, pace.rate)
        log.add(pace, loss=loss, mse=squared)
    log.close()
    pocket.rounded_like_saved(vae)
    report()
    save_checkpoint(args.out / "vae.safetensors", vae=vae)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
