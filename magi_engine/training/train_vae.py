"""Stage 1: train the pocket video autoencoder.

``python -m magi_engine.training.train_vae --out runs/pocket --minutes 3``
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from magi_engine.model.vae import ViTVAE
from magi_engine.training import pocket
from magi_engine.training.loop import (
    Log,
    Optimiser,
    Pace,
    save_checkpoint,
    set_up_device,
    stage_parser,
)
from magi_engine.training.world import SceneOptions, render, sample_scenes, simulate

PIECE = 12
"""Frames the autoencoder sees at once: half a second, the released tile."""

_IMAGE_SHARE = 0.15
_KL_WEIGHT = 1e-4
_L1_WEIGHT = 0.1
_CLIP_FRAMES = 36


def initialise(vae: ViTVAE) -> None:
    """Truncated-normal positions and class tokens; everything else is PyTorch's default."""
    for side in (vae.encoder, vae.decoder):
        torch.nn.init.trunc_normal_(side.pos_embed, std=0.02)
        torch.nn.init.trunc_normal_(side.cls_token, std=0.02)


def render_clips(count: int, seed: int, device: torch.device) -> Tensor:
    """Random clips, (count, 36, 3, 128, 128) uint8 on ``device``."""
    options = SceneOptions(num_chunks=2, held_starts=0.2)
    scenes = sample_scenes(count, torch.Generator().manual_seed(seed), options).to(device)
    parts = [
        render(scenes[first : first + 256], simulate(scenes[first : first + 256], _CLIP_FRAMES))
        for first in range(0, count, 256)
    ]
    return torch.cat(parts)


def pixels_to_video(frames: Tensor) -> Tensor:
    """(N, T, 3, H, W) uint8 -> (N, 3, T, H, W) in [-1, 1]."""
    return frames.transpose(1, 2).float() / 127.5 - 1


def whiten(vae: ViTVAE, clips: Tensor) -> None:
    """Make each latent channel zero-mean with standard deviation 1 / SCALE_FACTOR.

    Encoder and decoder end and begin with a linear layer, so this changes no pixel.
    """
    with torch.no_grad():
        means = [vae.encode(pixels_to_video(c[:, :PIECE])) for c in clips[:1024].split(64)]
        latents = torch.cat(means).transpose(0, 1).flatten(1)  # (16, many)
        mean, std = latents.mean(1), latents.std(1) * pocket.SCALE_FACTOR
        channels = len(mean)
        encoder, decoder = vae.encoder.last_layer, vae.decoder.proj_in
        encoder.bias[:channels] = (encoder.bias[:channels] - mean) / std
        encoder.weight[:channels].div_(std[:, None])
        encoder.bias[channels:].sub_(2 * std.log())  # log-variance of the scaled latent
        decoder.bias.add_(decoder.weight @ mean)
        decoder.weight.mul_(std)


def psnr(vae: ViTVAE, clips: Tensor, frames: int) -> float:
    """Peak signal-to-noise ratio in dB of decode(encode(x)) over fresh clips."""
    errors = []
    with torch.no_grad():
        for part in clips.split(32):
            video = pixels_to_video(part[:, :frames])
            decoded = vae.decode(vae.encode(video)).clamp(-1, 1)
            errors.append(((decoded - video) / 2).square().mean((1, 2, 3, 4)))
    return float((-10 * torch.cat(errors).log10()).mean())


def main(argv: list[str] | None = None) -> int:
    parser = stage_parser(__doc__, minutes=3.5, max_steps=1_000_000, clips=6000, batch=32, seed=1)
    args = parser.parse_args(argv)

    device = set_up_device(args.seed)
    clips = render_clips(args.clips, args.seed, device)
    fresh = render_clips(min(256, args.clips), args.seed + 1, device)
    vae = ViTVAE(pocket.VAE)
    initialise(vae)
    vae.to(device)
    encode, decode = vae.encoder.forward, vae.decoder.forward
    if device.type == "cuda":
        encode, decode = torch.compile(encode), torch.compile(decode)
    optimiser = Optimiser([vae], rate=8e-4, weight_decay=0.01)
    log = Log(args.out / "vae.jsonl", every=500)

    def save() -> None:
        save_checkpoint(args.out / "vae.safetensors", vae=vae)

    pace = Pace(args.minutes, args.max_steps, save)
    for _ in pace:
        rows = torch.randint(len(clips), (args.batch,), device=device)
        start = int(torch.randint(_CLIP_FRAMES - PIECE + 1, ()))
        video = pixels_to_video(clips[rows, start : start + PIECE])
        if float(torch.rand(())) < _IMAGE_SHARE:
            video = video[:, :, :1].expand(-1, -1, 4, -1, -1).contiguous()
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            moments = encode(video).float()
            mean, log_variance = moments.chunk(2, dim=1)
            log_variance = log_variance.clamp(-20, 10)
            latents = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
            decoded = decode(latents).float()
        error = F.mse_loss(decoded, video)
        kl = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).mean()
        loss = error + _L1_WEIGHT * F.l1_loss(decoded, video) + _KL_WEIGHT * kl
        optimiser.step(loss, pace.rate)
        log.add(pace, mse=error, kl=kl)
    log.close()
    whiten(vae, clips)
    pocket.rounded_like_saved(vae)
    clip_db, image_db = psnr(vae, fresh, PIECE), psnr(vae, fresh, 1)
    print(f"PSNR of fresh clips {clip_db:.2f} dB, images {image_db:.2f} dB")
    save()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
