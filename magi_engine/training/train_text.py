"""Stage 0: the vocabulary of the captions and the special tokens.

``python -m magi_engine.training.train_text --target resources/pocket``

Everything that comes later is trained with exactly these files: with new ones, train again. The
text encoder itself learns together with the transformer.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from magi_engine.training import pocket
from magi_engine.training.captions import caption_corpus
from magi_engine.training.tokenizer import train_tokenizer


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", type=Path, default=Path("resources/pocket"))
    parser.add_argument("--captions", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=5)
    args = parser.parse_args(argv)
    corpus = caption_corpus(args.captions, args.seed)
    vocabulary = train_tokenizer(corpus, args.target / pocket.T5_DIR)
    pocket.save_special_tokens(args.target)
    print(f"{vocabulary} tokens in {args.target}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
