"""``magi replay``: sample a recorded case again and compare, to check a machine's numerics."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magi_engine.cli.exit_codes import DONE
from magi_engine.errors import InvalidRequestError
from magi_engine.runtime.machine.devices import ITEM_BYTES, choose_device, choose_dtype

if TYPE_CHECKING:
    from torch import Tensor


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "replay",
        help="check the numerics of this machine against a recorded case",
        description="Samples a recorded case from its own noise, caption and prefix, writes each "
        "chunk as it comes from the transformer, and says how far it is from the recorded one.",
    )
    parser.add_argument("case", type=Path, metavar="CASE.json")
    for option, what in (
        ("--weights", "weights of the transformer"),
        ("--tensors", "noise, caption, prefix and recorded chunks of the case"),
        ("--special-tokens", "special_tokens.npz"),
        ("--out", "where to write the chunk.K tensors (.safetensors)"),
    ):
        parser.add_argument(option, type=Path, required=True, metavar="FILE", help=what)
    parser.add_argument(
        "--negative-tokens", action="store_true", help="the case was made with NEG_PROMPT=1"
    )
    parser.add_argument(
        "--trace",
        type=Path,
        metavar="FILE",
        help="write timesteps, KV ranges and flags of each forward (.json, as in the case)",
    )
    parser.add_argument("--device", default="cpu", help="cpu (default) or cuda")
    parser.add_argument("--dtype", choices=tuple(ITEM_BYTES), help="default: as the case says")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Replay and write; returns the exit code."""
    for path in (args.case, args.weights, args.tensors, args.special_tokens):
        if not path.is_file():
            raise InvalidRequestError("There is no file {path}.", "Check the name.", path=path)
    for path in (args.out, args.trace):
        if path is not None and not path.parent.is_dir():
            raise InvalidRequestError(
                "There is no folder {folder}.", "Create it first.", folder=path.parent
            )
    device = choose_device(args.device)
    dtype = None if args.dtype is None else choose_dtype(args.dtype, device)

    from safetensors.torch import load_file, save_file

    from magi_engine.runtime.replay import replay_case

    trace: list[dict[str, Any]] = []
    chunks = replay_case(
        args.case,
        args.weights,
        args.tensors,
        args.special_tokens,
        device=device,
        dtype=dtype,
        negative_tokens=args.negative_tokens,
        trace=trace,
    )
    if args.trace is not None:
        lines = ",\n".join(json.dumps(forward) for forward in trace)
        args.trace.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    save_file({name: chunk.contiguous() for name, chunk in chunks.items()}, args.out)
    recorded = load_file(args.tensors)
    for name, chunk in chunks.items():
        shape = "x".join(map(str, chunk.shape))
        if name in recorded:
            print(f"{name}  {shape}  relative L2 {_relative_l2(chunk, recorded[name]):.2e}")
        else:
            print(f"{name}  {shape}")
    print(f"Saved {args.out}", file=sys.stderr)
    return DONE


def _relative_l2(chunk: Tensor, expected: Tensor) -> float:
    if chunk.shape != expected.shape:
        raise InvalidRequestError(
            "A chunk is {shape} large, but recorded as {recorded}.",
            "Use the tensors that belong to the case.",
            shape=tuple(chunk.shape),
            recorded=tuple(expected.shape),
        )
    return ((chunk - expected).norm() / expected.norm()).item()
