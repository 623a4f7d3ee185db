"""Teach the text encoder which words belong to which object, before the transformer uses them.

``python -m magi_engine.training.train_binding --t5 mine/t5 --out runs/pocket``

Left to the transformer's loss alone, the encoder tells words apart and no more: what it makes of
"circle" hardly depends on the colour beside it, so the transformer draws what a caption names in
any combination. Here an attention that is asked for the object of one colour has to name its shape
and its motion from the encoder's output. The attention is thrown away afterwards.

With ``--resume`` the encoder of the last checkpoint of ``train_transformer`` learns it, and is
held to what its transformer knows.
"""

from __future__ import annotations

import copy
import random
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from magi_engine.model.dit import VideoDiT
from magi_engine.training import pocket
from magi_engine.training.captions import caption, scene_facts
from magi_engine.training.loop import (
    Log,
    Optimiser,
    Pace,
    load_checkpoint,
    save_checkpoint,
    set_up_device,
    stage_parser,
)
from magi_engine.training.scenes import MAX_OBJECTS, Colour, Motion, SceneBatch, Shape
from magi_engine.training.tokenizer import encode_corpus, make_t5_for
from magi_engine.training.world import SceneOptions, sample_scenes

TEXT_CHECKPOINT = "text.safetensors"

_PAIR_SHARE = 0.75
"""The words of motions that only single objects have must stay what they are, too."""

_KEEP = 3.0
"""Weight of the distance from what the transformer knows, next to the cross-entropies."""


class Questions(nn.Module):
    """Asks a caption's vectors (N, L, C) for the objects of some colours (N, 2)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.colours = nn.Embedding(len(Colour), channels)
        self.keys = nn.Linear(channels, channels)
        self.values = nn.Linear(channels, channels)
        self.answers = nn.Linear(channels, len(Shape) + len(Motion))

    def forward(self, vectors: Tensor, valid: Tensor, colours: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of their shapes (N, 2, 6) and motions (N, 2, 15); ``valid`` (N, L) are words."""
        seen = F.scaled_dot_product_attention(
            self.colours(colours), self.keys(vectors), self.values(vectors), valid[:, None]
        )
        return self.answers(F.gelu(seen)).split((len(Shape), len(Motion)), dim=-1)


def right_answers(scenes: SceneBatch) -> tuple[Tensor, Tensor]:
    """Shapes and motions (N, 2) of a scene's objects, -100 where there is none."""
    there = torch.arange(MAX_OBJECTS) < scenes.count[:, None]
    return scenes.shape.where(there, -100), scenes.motion[:, :, 0].where(there, -100)


def main(argv: list[str] | None = None) -> int:
    parser = stage_parser(
        __doc__, minutes=5.0, max_steps=600, captions=20_000, batch=96, rate=1e-3, seed=6
    )
    parser.add_argument("--t5", type=Path, default=Path("resources/pocket/t5"))
    parser.add_argument("--resume", action="store_true", help="of the last checkpoint")
    args = parser.parse_args(argv)
    device = set_up_device(args.seed)

    options = SceneOptions(two_objects=_PAIR_SHARE, events=0.0)
    scenes = sample_scenes(args.captions, torch.Generator().manual_seed(args.seed), options)
    dice = random.Random(args.seed)
    captions = [caption(facts, dice) for facts in scene_facts(scenes)]
    tokens = encode_corpus(args.t5, captions).to(device)
    colours = scenes.colour[:, :, 0].to(device)
    shapes, motions = (answers.to(device) for answers in right_answers(scenes))

    t5 = make_t5_for(args.t5, pocket.CAPTION_CHANNELS)
    modules: dict[str, nn.Module] = {"t5": t5}
    checkpoint = args.out / TEXT_CHECKPOINT
    if args.resume:
        checkpoint = args.out / "transformer.safetensors"
        modules["dit"] = VideoDiT(pocket.MODEL)
        load_checkpoint(checkpoint, **modules)
    nn.Module.to(t5, device)
    known = copy.deepcopy(t5).requires_grad_(False) if args.resume else None
    questions = Questions(pocket.CAPTION_CHANNELS).to(device)
    optimiser = Optimiser([t5, questions], args.rate, weight_decay=0.02)

    log = Log(args.out / "binding.jsonl", every=25)
    pace = Pace(
        args.minutes,
        args.max_steps,
        lambda: save_checkpoint(checkpoint, **modules),
        warmup_steps=30,
        cooldown=1.0,
    )
    for _ in pace:
        rows = torch.randint(len(tokens), (args.batch,), device=device)
        ids = tokens[rows]
        valid = ids != 0
        vectors = t5(input_ids=ids, attention_mask=valid.long()).last_hidden_state
        shape, motion = questions(vectors, valid, colours[rows])
        loss = _mistakes(shape, shapes[rows]) + _mistakes(motion, motions[rows])
        values = {"shape_right": _right(shape, shapes[rows]), "loss": loss}
        values["motion_right"] = _right(motion, motions[rows])
        if known is not None:
            before = known(input_ids=ids, attention_mask=valid.long()).last_hidden_state
            moved = (vectors - before)[valid].square().sum() / before[valid].square().sum()
            loss = loss + _KEEP * moved
            values["moved"] = moved.sqrt()
        optimiser.step(loss, pace.rate)
        log.add(pace, **values)
    log.close()
    return 0


def _mistakes(logits: Tensor, right: Tensor) -> Tensor:
    return F.cross_entropy(logits.flatten(0, 1), right.flatten())


def _right(logits: Tensor, right: Tensor) -> Tensor:
    """Share of the objects that are named rightly."""
    there = right >= 0
    return ((logits.argmax(-1) == right) & there).sum() / there.sum()


if __name__ == "__main__":
    raise SystemExit(main())
