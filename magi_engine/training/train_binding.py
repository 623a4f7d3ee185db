"""Teach the text encoder which words belong to which object, before the transformer uses them.

``python -m magi_engine.training.train_binding --t5 mine/t5 --out runs/pocket``

Left to the transformer's loss alone, the encoder tells words apart and no more: what it makes of
"circle" hardly depends on the colour beside it, so the transformer draws what a caption names in
any combination. Here an attention that is asked for the object of one colour has to name its shape
and its motion from the encoder's output. It goes on asking while the transformer learns, and is not
part of what ships.

With ``--resume`` the encoder of the last checkpoint of ``train_transformer`` learns it, and is
held to what its transformer knows.
"""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from magi_engine.model.dit import VideoDiT
from magi_engine.training import pocket
from magi_engine.training.captions import caption, scene_facts
from magi_engine.training.data import NOT_SAID, objects_of
from magi_engine.training.loop import (
    Log,
    Optimiser,
    Pace,
    load_checkpoint,
    save_checkpoint,
    set_up_device,
    stage_parser,
)
from magi_engine.training.scenes import Colour, Motion, Shape
from magi_engine.training.tokenizer import encode_corpus, make_t5_for
from magi_engine.training.world import SceneOptions, sample_scenes

TEXT_CHECKPOINT = "text.safetensors"

_PAIR_SHARE = 0.75
"""The words of motions that only single objects have must stay what they are, too."""

_KEEP = 3.0
"""Weight of the distance from what the transformer knows, next to the cross-entropies."""


class Questions(nn.Module):
    """Asks a caption's vectors (N, L, C) for the objects of some colours (N, 2)."""

    def __init__(self, channels: int = pocket.CAPTION_CHANNELS) -> None:
        super().__init__()
        self.colours = nn.Embedding(len(Colour), channels)
        self.keys = nn.Linear(channels, channels)
        self.values = nn.Linear(channels, channels)
        self.answers = nn.Linear(channels, len(Shape) + len(Motion))

    def forward(self, vectors: Tensor, valid: Tensor, colours: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of their shapes (N, 2, 6) and motions (N, 2, 15); ``valid`` (N, L) are words."""
        unseen = torch.zeros_like(valid, dtype=vectors.dtype).masked_fill(~valid, -1e9)
        queries, keys = self.colours(colours), self.keys(vectors)
        scores = queries @ keys.mT / keys.shape[-1] ** 0.5 + unseen[:, None]
        seen = scores.softmax(-1) @ self.values(vectors)
        return self.answers(F.gelu(seen)).split((len(Shape), len(Motion)), dim=-1)

    def ask(self, vectors: Tensor, valid: Tensor, objects: Tensor) -> Answers:
        """About ``objects`` (N, 2, 3), as :func:`objects_of` gives them."""
        colours, *right = objects.unbind(-1)
        return Answers(self(vectors, valid, colours), (right[0], right[1]))


@dataclass(frozen=True)
class Answers:
    """What was answered about shapes and motions: logits (N, 2, C), and the right ones (N, 2)."""

    given: tuple[Tensor, Tensor]
    right: tuple[Tensor, Tensor]

    def loss(self) -> Tensor:
        """Sum of the cross-entropies."""
        terms = []
        for logits, right in zip(self.given, self.right, strict=True):
            # Not the library's mean, which is no number where nothing was asked.
            total = F.cross_entropy(
                logits.flatten(0, 1), right.flatten(), ignore_index=NOT_SAID, reduction="sum"
            )
            terms.append(total / (right != NOT_SAID).sum().clamp(min=1))
        return terms[0] + terms[1]

    def shares_right(self) -> tuple[Tensor, Tensor]:
        """Of the shapes and of the motions."""
        shape, motion = (
            ((logits.argmax(-1) == right) & (right != NOT_SAID)).sum() / (right != NOT_SAID).sum()
            for logits, right in zip(self.given, self.right, strict=True)
        )
        return shape, motion


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
    objects = objects_of(scenes).to(device)

    t5, questions = make_t5_for(args.t5, pocket.CAPTION_CHANNELS), Questions()
    modules: dict[str, nn.Module] = {"t5": t5, "questions": questions}
    checkpoint = args.out / TEXT_CHECKPOINT
    if args.resume:
        checkpoint = args.out / "transformer.safetensors"
        modules["dit"] = VideoDiT(pocket.MODEL)
        load_checkpoint(checkpoint, **modules)
    nn.Module.to(t5, device)
    questions.to(device)
    known = copy.deepcopy(t5).requires_grad_(False) if args.resume else None
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
        answers = questions.ask(vectors, valid, objects[rows])
        loss = answers.loss()
        shape_right, motion_right = answers.shares_right()
        values = {"shape_right": shape_right, "motion_right": motion_right, "loss": loss}
        if known is not None:
            before = known(input_ids=ids, attention_mask=valid.long()).last_hidden_state
            moved = (vectors - before)[valid].square().sum() / before[valid].square().sum()
            loss = loss + _KEEP * moved
            values["moved"] = moved.sqrt()
        optimiser.step(loss, pace.rate)
        log.add(pace, **values)
    log.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
