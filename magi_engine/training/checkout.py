"""The way back from export: the shipped weights as checkpoints, to train on from there.

``python -m magi_engine.training.checkout --source resources/pocket --out runs/pocket``

The autoencoder comes back as it was; transformer and text encoder without the optimiser's state
and with questions that have yet to be learned, as ``train_binding --resume`` and then
``train_transformer --resume`` take them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from magi_engine.model.dit import VideoDiT
from magi_engine.model.vae import ViTVAE
from magi_engine.training import pocket
from magi_engine.training.loop import save_checkpoint
from magi_engine.training.tokenizer import make_t5_for
from magi_engine.training.train_binding import Questions
from magi_engine.weights.checkpoint import load_weights


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, default=Path("resources/pocket"))
    parser.add_argument("--out", type=Path, default=Path("runs/pocket"))
    args = parser.parse_args(argv)

    dit, vae = VideoDiT(pocket.MODEL), ViTVAE(pocket.VAE)
    load_weights(dit, (args.source / pocket.DIT_FILE).parent)
    load_weights(vae, args.source / pocket.VAE_DIR)
    t5_dir = args.source / pocket.T5_DIR
    t5 = make_t5_for(t5_dir, pocket.CAPTION_CHANNELS)
    load_weights(t5, t5_dir, tied=[("encoder.embed_tokens.weight", "shared.weight")])
    save_checkpoint(args.out / "vae.safetensors", vae=vae)
    save_checkpoint(args.out / "transformer.safetensors", dit=dit, t5=t5, questions=Questions())
    print(f"transformer.safetensors and vae.safetensors in {args.out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
