"""Stage 1b: latents that a transformer learns from easily.

``python -m magi_engine.training.train_place --out runs/pocket --minutes 1.5``

Two things are done to the trained autoencoder, neither of which changes what its pictures look
like. Both are about the latents between encoder and decoder.

* **Weights.** Each channel is scaled by the precision its encoder gives it. A channel that the
  decoder hardly listens to becomes small, one that draws the outlines large, so that the same
  error in any channel does the same harm to the picture. Noise then hides what matters last, and
  the transformer's squared error asks first for what can be seen.
* **Place.** The transformer's attention knows positions only relative to each other, so it cannot
  tell the left edge from the middle unless the latents do. The two channels with the least
  picture in them also carry a ramp, one along x, one along y. The decoder takes the ramps off by
  its position embedding; the encoder learns to add them.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor

from magi_engine.model.vae import ViTVAE
from magi_engine.training import pocket
from magi_engine.training.loop import (
    Log,
    Optimiser,
    Pace,
    load_checkpoint,
    save_checkpoint,
    set_up_device,
    stage_parser,
)
from magi_engine.training.train_vae import PIECE, pixels_to_video, psnr, render_clips

_NOISE = 0.55
"""Standard deviation of the encoder's noise in every channel after weighing, in units of the
transformer's noise. Smaller hides outlines longer, larger leaves nothing to the first steps."""

_RAMP = 1.5
"""The ramps go from minus to plus this, in units of the transformer's noise."""

_PLACE_WEIGHT = 0.05
_IMAGE_SHARE = 0.15


@torch.no_grad()
def channel_noise(vae: ViTVAE, clips: Tensor) -> Tensor:
    """(16,) standard deviation of the encoder's noise, in units of the transformer's noise."""
    logs = [
        vae.encoder(pixels_to_video(part[:, :PIECE])).chunk(2, dim=1)[1].mean((0, 2, 3, 4))
        for part in clips[:512].split(64)
    ]
    return (0.5 * torch.stack(logs).mean(0)).exp() * pocket.SCALE_FACTOR


@torch.no_grad()
def weigh(vae: ViTVAE, factors: Tensor) -> None:
    """Multiply each latent channel by its factor (16,). Changes no pixel."""
    encoder, decoder = vae.encoder.last_layer, vae.decoder.proj_in
    channels = len(factors)
    encoder.bias[:channels].mul_(factors)
    encoder.weight[:channels].mul_(factors[:, None])
    encoder.bias[channels:].add_(2 * factors.log())  # the log-variance
    decoder.weight.div_(factors)


def ramps(factors: Tensor, grid: tuple[int, int]) -> Tensor:
    """What place adds to the latents, (16, h, w), unscaled: along x and y in the channels with
    the smallest factors."""
    height, width = grid
    place = torch.zeros(len(factors), height, width, device=factors.device)
    along_x, along_y = factors.argsort()[:2].tolist()
    reach = _RAMP / pocket.SCALE_FACTOR
    place[along_x] = torch.linspace(-reach, reach, width)[None]
    place[along_y] = torch.linspace(-reach, reach, height)[:, None]
    return place


@torch.no_grad()
def take_off(vae: ViTVAE, place: Tensor) -> None:
    """Make the decoder subtract ``place`` (16, h, w) before it does anything else."""
    decoder = vae.decoder
    felt = decoder.proj_in.weight @ place.flatten(1)  # (D, h * w)
    frames = (decoder.pos_embed.shape[1] - 1) // felt.shape[1]
    decoder.pos_embed[:, 1:].sub_(felt.T.repeat(frames, 1))


def train(
    vae: ViTVAE, teacher: ViTVAE, place: Tensor, clips: Tensor, batch: int, pace: Pace, log: Log
) -> None:
    """The encoder learns to add ``place``, and both sides keep drawing well."""
    device = clips.device
    optimiser = Optimiser([vae], rate=4e-4, weight_decay=0.0)
    shift = torch.cat([place, torch.zeros_like(place)])[None, :, None]  # the mean only
    for _ in pace:
        rows = torch.randint(len(clips), (batch,), device=device)
        start = int(torch.randint(clips.shape[1] - PIECE + 1, ()))
        video = pixels_to_video(clips[rows, start : start + PIECE])
        if float(torch.rand(())) < _IMAGE_SHARE:
            video = video[:, :, :1].expand(-1, -1, 4, -1, -1).contiguous()
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            with torch.no_grad():
                wanted = teacher.encoder(video).float() + shift
            moments = vae.encoder(video).float()
            mean, log_variance = moments.chunk(2, dim=1)
            noise = (0.5 * log_variance.clamp(-20, 10)).exp() * torch.randn_like(mean)
            decoded = vae.decoder(mean + noise).float()
        error = F.mse_loss(decoded, video)
        placed = F.mse_loss(moments * pocket.SCALE_FACTOR, wanted * pocket.SCALE_FACTOR)
        loss = error + 0.1 * F.l1_loss(decoded, video) + _PLACE_WEIGHT * placed
        optimiser.step(loss, pace.rate)
        log.add(pace, mse=error, place=placed)


def main(argv: list[str] | None = None) -> int:
    parser = stage_parser(__doc__, minutes=1.5, max_steps=1_000_000, clips=3000, batch=32, seed=3)
    args = parser.parse_args(argv)

    device = set_up_device(args.seed)
    clips = render_clips(args.clips, args.seed, device)
    fresh = render_clips(min(256, args.clips), args.seed + 1, device)
    vae = ViTVAE(pocket.VAE).to(device)
    load_checkpoint(args.out / "vae.safetensors", vae=vae)
    factors = _NOISE / channel_noise(vae, clips)
    print("factors", [round(x, 2) for x in factors.tolist()], flush=True)
    weigh(vae, factors)
    teacher = copy.deepcopy(vae).requires_grad_(False)
    place = ramps(factors, (pocket.SIZE // 8, pocket.SIZE // 8))
    take_off(vae, place)

    def save() -> None:
        save_checkpoint(args.out / "placed.safetensors", vae=vae)

    pace = Pace(args.minutes, args.max_steps, save, warmup_steps=50)
    log = Log(args.out / "place.jsonl", every=100)
    train(vae, teacher, place, clips, args.batch, pace, log)
    log.close()
    pocket.rounded_like_saved(vae)
    clip_db, image_db = psnr(vae, fresh, PIECE), psnr(vae, fresh, 1)
    print(f"PSNR of fresh clips {clip_db:.2f} dB, images {image_db:.2f} dB")
    # Only now, so that a run that was cut off can simply be started again.
    save_checkpoint(args.out / "vae.safetensors", vae=vae)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
