"""``magi quantize``: the fp8 form of a model, made on this machine."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from magi_engine.cli.bar import progress_bar
from magi_engine.cli.exit_codes import DONE
from magi_engine.cli.naming import as_typed
from magi_engine.cli.request_options import add_machine_options
from magi_engine.errors import InvalidRequestError
from magi_engine.text_file import read_text

_MAX_CAPTIONS_BYTES = 4 << 20

_DESCRIPTION = """\
Generates a few chunks to see how large the numbers inside a model get, and writes its weights in
8 bits (e4m3), in the official layout. 'magi quantize --model pocket' makes the model pocket-fp8.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "quantize",
        help="make the fp8 form of a model",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    model = parser.add_mutually_exclusive_group(required=True)
    model.add_argument("--model", metavar="NAME", help="a known model that is not in fp8")
    model.add_argument("--config", metavar="FILE", help="official configuration file of the model")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        help="folder to put the folder of weights into; default: where the fp8 model is looked for",
    )
    parser.add_argument(
        "--captions",
        type=Path,
        metavar="FILE",
        help="prompts to calibrate with, one per line; default: some that suit the model",
    )
    parser.add_argument(
        "--text-encoder",
        action="store_true",
        help="make the 8-bit form of the model's text encoder instead (19 GB become 5)",
    )
    add_machine_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Quantise as the options say; returns the exit code."""
    if args.text_encoder:
        return _shrink_text_encoder(args)
    captions = None if args.captions is None else _read_captions(args.captions)

    # Not before the options are known to be good: PyTorch takes seconds to come in.
    from magi_engine.runtime.job.quantize import (
        calibration_captions,
        made_from,
        quantize_model,
        target_folder,
    )
    from magi_engine.runtime.machine.devices import choose_device, choose_dtype
    from magi_engine.runtime.models.loaded import LoadedModel
    from magi_engine.weights.layout import find_model

    device = choose_device(args.device or "auto")
    dtype = choose_dtype(args.dtype or "auto", device)
    found = find_model(_source(args), args.models_dir)
    folder = target_folder(found, args.models_dir, args.output)
    model = LoadedModel(found, device, dtype)
    with progress_bar() as show:
        path = quantize_model(
            model,
            folder,
            captions or calibration_captions(found),
            lambda what, fraction: show(what.value, fraction, 1.0, ""),
        )
    print(f"Saved {path}", file=sys.stderr)
    made = made_from(found)
    if args.output is None and made is not None:
        print(as_typed(f"Use it with: magi generate --model {made.name}"), file=sys.stderr)
    return DONE


def _shrink_text_encoder(args: argparse.Namespace) -> int:
    from magi_engine.weights.convert_text import shrink_text_encoder
    from magi_engine.weights.layout import default_models_dir, find_text_encoder

    source = find_text_encoder(_source(args), args.models_dir)
    models_dir = args.models_dir or default_models_dir()
    with progress_bar() as show:
        for fraction in shrink_text_encoder(source, models_dir):
            show("converting", fraction, 1.0, "")
    print(f"The weights in {source} are no longer needed.", file=sys.stderr)
    return DONE


def _source(args: argparse.Namespace) -> str:
    return args.model if args.config is None else args.config


def _read_captions(path: Path) -> list[str]:
    try:
        lines = read_text(path, _MAX_CAPTIONS_BYTES).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequestError("{path} cannot be read.", "Check the name.", path=path) from error
    captions = [line.strip() for line in lines if line.strip()]
    if not captions:
        raise InvalidRequestError("{path} holds no captions.", "Write one on each line.", path=path)
    return captions
