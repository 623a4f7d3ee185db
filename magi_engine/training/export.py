"""Last stage: put what was trained where the program ships it.

``python -m magi_engine.training.export --out runs/pocket --target resources/pocket``
"""

from __future__ import annotations

import argparse
from pathlib import Path

from magi_engine.model.dit import VideoDiT
from magi_engine.model.vae import ViTVAE
from magi_engine.training import pocket
from magi_engine.training.loop import load_checkpoint
from magi_engine.training.tokenizer import make_t5_for, save_t5


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/pocket"), help="the checkpoints")
    parser.add_argument("--target", type=Path, default=Path("resources/pocket"))
    args = parser.parse_args(argv)

    t5 = make_t5_for(args.target / pocket.T5_DIR, pocket.CAPTION_CHANNELS)
    dit, vae = VideoDiT(pocket.MODEL), ViTVAE(pocket.VAE)
    load_checkpoint(args.out / "transformer.safetensors", dit=dit, t5=t5)
    load_checkpoint(args.out / "vae.safetensors", vae=vae)
    pocket.save_dit(dit.state_dict(), args.target)
    pocket.save_vae(vae, args.target)
    save_t5(t5, args.target / pocket.T5_DIR)
    pocket.save_configs(args.target)
    files = [f for f in args.target.rglob("*") if f.is_file()]
    print(f"{sum(f.stat().st_size for f in files) / 1e6:.1f} MB in {args.target}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
