"""The options that describe a generation, and the request they add up to."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import math
import os
import re
from pathlib import Path
from typing import Any

from magi_engine.config.official import SHORTCUT_MODES, MagiConfig
from magi_engine.config.registry import model_config
from magi_engine.errors import InvalidRequestError
from magi_engine.media.clips import ClipPart
from magi_engine.media.fit import CropBox, FitPolicy
from magi_engine.media.targets import check_target, free_name, output_suffix
from magi_engine.media.writer import PRESETS, WriteOptions
from magi_engine.messages import Message
from magi_engine.runtime.machine.devices import ATTENTIONS, DTYPES
from magi_engine.runtime.planning.plan import timing_of
from magi_engine.runtime.request.length import frames_for
from magi_engine.runtime.request.metadata import names_another_computer, read_request
from magi_engine.runtime.request.request import (
    GenerationRequest,
    Mode,
    PromptChange,
    SamplingOverrides,
    drawn_seed,
)
from magi_engine.runtime.request.storyboard import prompts_of, read_storyboard
from magi_engine.runtime.request.validation import MAX_FPS, validate
from magi_engine.sampling.schedule import goes_in_groups

_SAME_NAME = (
    *("seed", "crop", "clip", "prepend_source", "special_tokens", "negative_tokens"),
    *("device", "dtype", "attention", "cards"),
)
"""Options that are fields of the request as they are."""
_OUTPUT = (
    ".mp4, .webm, .gif, .webp, or a folder name for PNG frames; default: a name made of prompt and "
    "seed"
)
_NAME_IT = Message("Give its name, or leave it out.")
_GUIDANCE = ("text_scales", "prev_chunk_scales", "cfg_t_range")


def add_request_options(
    parser: argparse.ArgumentParser, output_metavar: str = "FILE", output_help: str = _OUTPUT
) -> None:
    """Options for everything in a request. Their defaults are None: not given."""
    _add_content_options(parser)
    _add_reference_options(parser)
    group = parser.add_argument_group("output")
    group.add_argument("-o", "--output", metavar=output_metavar, help=output_help)
    _add_writing_options(group)
    add_machine_options(parser)
    add_cards_option(parser)
    _add_sampling_options(parser)


def add_machine_options(parser: argparse.ArgumentParser) -> None:
    """Where and with what to compute."""
    group = parser.add_argument_group("machine")
    group.add_argument("--device", metavar="NAME", help="auto (default), cpu, cuda, cuda:1 or mps")
    group.add_argument("--dtype", choices=DTYPES, help="number format; auto suits the device")
    group.add_argument(
        "--attention",
        choices=ATTENTIONS,
        metavar="NAME",
        help="auto (default): the fastest, which may round to 8 bits; exact: the fastest that does "
        f"not; or one by its name: {', '.join(map(repr, ATTENTIONS[2:]))}",
    )
    group.add_argument(
        "--models-dir", type=Path, metavar="DIR", help="where downloaded models are kept"
    )


def add_cards_option(parser: argparse.ArgumentParser) -> None:
    """How many cards make a video together."""
    parser.add_argument(
        "--gpus",
        dest="cards",
        type=_cards,
        metavar="N",
        help="so many graphics cards make the video together, where that is faster, or 'all'; "
        "default: 1",
    )


def _add_content_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what to make")
    group.add_argument(
        "--prompt",
        metavar="TEXT",
        help='what to show, in English; "" leaves that to the model',
    )
    group.add_argument(
        "--prompt-at",
        nargs=2,
        action="append",
        metavar=("K", "TEXT"),
        help="prompt from chunk K on; may be given several times",
    )
    group.add_argument(
        "--storyboard",
        metavar="FILE",
        help="prompts with their times and transitions, instead of --prompt: .txt with lines such "
        "as '0:04 cut: a ball', .srt or .csv",
    )
    group.add_argument(
        "--size",
        type=_size,
        metavar="WxH",
        help="pixels, multiples of 16; default: as the model is configured, 128x128 for pocket",
    )
    length = group.add_mutually_exclusive_group()
    length.add_argument(
        "--seconds",
        type=number,
        metavar="S",
        help="length of the result; default: as the model is configured, 4 for all that are known",
    )
    length.add_argument(
        "--until-stopped", action="store_true", help="go on until Ctrl-C, whatever the length"
    )
    group.add_argument(
        "--fps",
        type=whole,
        metavar="N",
        help="frames per second; default: as the model is made for",
    )
    group.add_argument("--seed", type=whole, metavar="N", help="default: a new one each time")
    model = group.add_mutually_exclusive_group()
    model.add_argument("--model", metavar="NAME", help="see 'magi doctor' for the names")
    model.add_argument(
        "--config", metavar="FILE", help="official configuration file, which also names the files"
    )
    group.add_argument(
        "--like", type=Path, metavar="FILE", help="take over the settings of a generated video"
    )


def _add_reference_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("starting from an image or a video")
    source = group.add_mutually_exclusive_group()
    source.add_argument("--image", metavar="FILE", help="first frame of the video")
    source.add_argument("--video", metavar="FILE", help="video to continue")
    group.add_argument(
        "--fit",
        choices=[policy.value for policy in FitPolicy],
        help="how to bring it to the size: crop (default), pad, or stretch",
    )
    group.add_argument(
        "--crop", type=_crop, metavar="X,Y,W,H", help="use only this part of the picture, in pixels"
    )
    group.add_argument(
        "--clip",
        type=_clip,
        metavar="PART",
        help="part of the video to start from: end (default), start, end:S or start:S for "
        "S seconds, or A-B in seconds; at most 5 s",
    )
    group.add_argument(
        "--prepend-source",
        action="store_true",
        default=None,
        help="put the video in front of the result",
    )


def _add_writing_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--overwrite", action="store_true", help="replace an existing file")
    group.add_argument(
        "--crf",
        type=whole,
        metavar="N",
        help="quality of MP4 and WebM, 0 is best; default "
        f"{WriteOptions.crf} and {WriteOptions.vp9_crf}",
    )
    group.add_argument("--preset", choices=PRESETS, help="effort of the MP4 encoder")


def _add_sampling_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("sampling (default: as the model is configured)")
    group.add_argument(
        "--steps", type=whole, metavar="N", dest="num_steps", help="denoising steps per chunk"
    )
    group.add_argument(
        "--window",
        type=whole,
        metavar="N",
        dest="window_size",
        help="chunks denoised together, 1 to 8",
    )
    group.add_argument(
        "--shortcut-mode",
        choices=SHORTCUT_MODES,
        metavar="MODE",
        help=f"schedule of 12 steps: {' or '.join(map(repr, SHORTCUT_MODES))}",
    )
    group.add_argument(
        "--text-scales",
        type=_numbers,
        metavar="LIST",
        help="guidance by the prompt per --cfg-t-range entry, or one number for all",
    )
    group.add_argument(
        "--prev-chunk-scales", type=_numbers, metavar="LIST", help="guidance by what came before"
    )
    group.add_argument(
        "--cfg-t-range", type=_numbers, metavar="LIST", help="times at which the guidance changes"
    )
    group.add_argument(
        "--kv-range",
        dest="noise2clean_kvrange",
        type=_wholes,
        metavar="LIST",
        help="chunks a chunk sees in each part of its steps, itself included, e.g. 5,4,3,2",
    )
    group.add_argument(
        "--clean-kv-range",
        dest="clean_chunk_kvrange",
        type=whole,
        metavar="N",
        help="chunks that a finished chunk sees; -1: as many as in its last steps",
    )
    group.add_argument(
        "--special-tokens",
        type=_special_tokens,
        metavar="LIST",
        help="e.g. HQ,DURATION (default), STATIC_FIRST_FRAMES, DYNAMIC_FIRST_FRAMES, "
        "THREE_D_MODEL, TWO_D_ANIME, BORDERNESS, or none",
    )
    group.add_argument(
        "--negative-tokens",
        action=argparse.BooleanOptionalAction,
        help="let a base model stay away from captions, logos, transitions and borders in the "
        "picture: their tokens go into the forwards without prompt, which guidance leads away from "
        "(the release's NEG_PROMPT=1)",
    )


def build_request(args: argparse.Namespace) -> GenerationRequest:
    """The request that the options describe, checked as far as it can be without PyTorch.

    Raises:
        InvalidRequestError, ConfigError, ModelNotFoundError: with one thing to do.
    """
    reference = args.video if args.image is None else args.image
    if reference == "":
        raise InvalidRequestError("The image or video to start from has no name.", _NAME_IT)
    if args.storyboard == "":
        raise InvalidRequestError("The storyboard has no name.", _NAME_IT)
    like = None if args.like is None else read_request(args.like)
    if like is not None:
        # What it was begun with, and how much of it was made at first, says nothing of this one.
        like = dataclasses.replace(like.as_wished(), start=None, only_chunks=None)
        if reference is not None:  # the crop was another picture's
            in_front = like.prepend_source and args.image is None
            like = dataclasses.replace(like, crop=None, prepend_source=in_front)
        given = {"config_path": args.config or args.model, "reference": reference}
        own = dataclasses.replace(like, **{k: None for k, v in given.items() if v is not None})
        if (error := names_another_computer(own)) is not None:
            raise error
    if like is None or args.model is not None or args.config is not None:
        name, config = model_config(args.model, args.config)
    else:
        name, config = model_config(like.model, like.config_path)
    runtime = config.runtime_config
    request = like or GenerationRequest(
        mode=Mode.T2V,
        model=name,
        width=runtime.video_size_w,
        height=runtime.video_size_h,
        num_frames=runtime.num_frames,
    )
    sampling = _sampling(args, request.sampling)
    fps = sampling.fps or runtime.fps
    if not 0 < fps <= MAX_FPS:  # refused below
        fps = runtime.fps
    changes: dict[str, Any] = {
        "model": name,
        "fit": args.fit and FitPolicy(args.fit),
        "config_path": _absolute(args.config),
        "mode": reference and (Mode.V2V if args.image is None else Mode.I2V),
        "reference": _absolute(reference),
        **{name: getattr(args, name) for name in _SAME_NAME},
    }
    if args.seed is None and like is None:
        changes["seed"] = drawn_seed()
    if args.seconds is not None:
        changes["num_frames"] = frames_for(args.seconds, fps)
    elif like is None:
        changes["num_frames"] = frames_for(runtime.num_frames / runtime.fps, fps)
    if args.size is not None:
        changes["width"], changes["height"] = args.size
    changes = {name: value for name, value in changes.items() if value is not None}
    if args.until_stopped:
        changes["num_frames"] = None
    if args.model is not None:
        changes["config_path"] = None
    request = dataclasses.replace(request, **changes, sampling=sampling)
    request = dataclasses.replace(request, prompts=_prompts(args, request))
    output = os.path.abspath(named_output(args) or free_name(Path(default_name(request))))
    writing = _writing(args, request.writing, output_suffix(Path(output)))
    request = dataclasses.replace(request, output=output, writing=writing)
    check_target(Path(output), request.writing.overwrite)
    _refuse_idle_options(args, request, validate(request, config))
    if not (like or reference or args.storyboard) and args.prompt is None:
        raise InvalidRequestError(
            "Nothing says what the video begins with.",
            "Give a prompt, an image, a video or a storyboard: {options}.",
            options=["--prompt", "--image", "--video", "--storyboard"],
        )
    return request


def named_output(args: argparse.Namespace) -> str | None:
    """What ``-o`` names; None: it was not given.

    Raises:
        InvalidRequestError: nothing.
    """
    if args.output == "":
        raise InvalidRequestError("The output has no name.", _NAME_IT)
    return args.output


def _refuse_idle_options(
    args: argparse.Namespace, request: GenerationRequest, config: MagiConfig
) -> None:
    """Raises: InvalidRequestError: one was given that would change nothing."""
    suffix = output_suffix(Path(request.output or ""))
    distilled = config.engine_config.distill
    for names, counts, what in (
        (("fit", "crop"), request.mode is not Mode.T2V, "--image, --video"),
        (("clip",), request.mode is Mode.V2V, "--video"),
        (("crf",), request.writing.quality(suffix) is not None, "MP4, WebM"),
        (("preset",), suffix == ".mp4", "MP4"),
        (_GUIDANCE, not distilled, Message("base models, which are guided")),
        (("shortcut_mode",), goes_in_groups(config.runtime_config.num_steps), Message("12 steps")),
    ):
        for name in names:
            if getattr(args, name) is not None and not counts:
                raise InvalidRequestError(
                    "{option} does nothing here: it is for {what}.",
                    "Leave it out.",
                    option=f"--{name.replace('_', '-')}",
                    what=what,
                )


def _absolute(path: str | None) -> str | None:
    """The settings in the file must mean the same in any folder."""
    return None if path is None else os.path.abspath(path)


def _prompts(args: argparse.Namespace, request: GenerationRequest) -> tuple[PromptChange, ...]:
    if args.storyboard is not None:
        if args.prompt is not None or args.prompt_at is not None:
            raise InvalidRequestError(
                "A storyboard and --prompt do not go together.", "Leave one of them out."
            )
        return prompts_of(read_storyboard(Path(args.storyboard)), *timing_of(request))
    if args.prompt is None and args.prompt_at is None:
        return request.prompts
    first = request.prompt if args.prompt is None else args.prompt
    prompts = [PromptChange(0, first)]
    for chunk, text in args.prompt_at or []:
        if not re.fullmatch(r"0*[1-9]\d{0,9}", chunk, re.ASCII):
            raise InvalidRequestError(
                "{chunk!r} is not the number of a chunk.", "Write --prompt-at K TEXT.", chunk=chunk
            )
        prompts.append(PromptChange(int(chunk) - 1, text))
    return tuple(sorted(prompts, key=lambda change: change.chunk))


def _sampling(args: argparse.Namespace, base: SamplingOverrides) -> SamplingOverrides:
    given = {field.name: getattr(args, field.name, None) for field in dataclasses.fields(base)}
    return dataclasses.replace(base, **{k: v for k, v in given.items() if v is not None})


def _writing(args: argparse.Namespace, base: WriteOptions, suffix: str) -> WriteOptions:
    if args.crf is not None:
        base = base.with_quality(suffix, args.crf)
    return dataclasses.replace(base, preset=args.preset or base.preset, overwrite=args.overwrite)


# Readers of option values: what they raise, argparse turns into one line.


def number(text: str) -> float:
    """An option's value as a number."""
    with contextlib.suppress(ValueError):
        if math.isfinite(value := float(text)):
            return value
    raise argparse.ArgumentTypeError(f"{text!r} is not a number")


def whole(text: str) -> int:
    """An option's value as a whole number."""
    with contextlib.suppress(ValueError):  # also of thousands of digits
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")


def _cards(text: str) -> int:
    count = 0 if text == "all" else whole(text)
    if count < 0 or (count == 0 and text != "all"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number of cards nor 'all'")
    return count


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)\s*[xX×*]\s*(\d+)", text.strip())
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 720x720")
    return whole(match[1]), whole(match[2])


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(number(part) for part in text.split(","))


def _wholes(text: str) -> tuple[int, ...]:
    return tuple(whole(part) for part in text.split(","))


def _crop(text: str) -> CropBox:
    parts = text.split(",")
    if len(parts) != 4:
        raise argparse.ArgumentTypeError(f"{text!r} is not X,Y,W,H")
    return CropBox(*map(number, parts))


def _clip(text: str) -> ClipPart:
    kind, colon, seconds = text.partition(":")
    if kind in ("end", "start"):
        make = ClipPart.end if kind == "end" else ClipPart.start
        return make(number(seconds) if colon else None)
    match = re.fullmatch(r"([\d.]+)-([\d.]+)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is neither end, start nor A-B in seconds")
    return ClipPart.range(number(match[1]), number(match[2]))


def _special_tokens(text: str) -> tuple[str, ...]:
    if text.lower() == "none":
        return ()
    names = [part.strip().upper() for part in text.split(",")]
    return tuple(name if name.endswith("_TOKEN") else f"{name}_TOKEN" for name in names)


def default_name(request: GenerationRequest) -> str:
    """What a video's file is called if nothing else is said."""
    return f"{request.name('-')}.mp4"
