"""What PyTorch and its companions read from the environment before they are imported."""

from __future__ import annotations

import os
import sys


def let_threads_sleep() -> None:
    """Have idle worker threads sleep instead of spin; to be called before PyTorch is imported.

    By default OpenMP's threads burn their core while they wait for the others. As soon as
    something else wants one of the cores (the encoder, a browser, a neighbour of a virtual
    machine), every parallel loop then waits for a time slice: on two busy cores a small model
    took 40 s instead of 3 s. OpenMP reads this setting from the environment only, when its
    library is loaded. What the user has set there stays.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def let_memory_be_whole() -> None:
    """Have a graphics card's memory taken as pages that are put together as needed; as above.

    Else it is taken in blocks that fit neither each other nor what comes later: two GB of eight
    were lost that way. Only Linux's drivers can do this.
    """
    if sys.platform == "linux":
        os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")


def see_one_card(number: int) -> None:
    """Have only one graphics card seen, of those that would be: so several processes share a
    machine. To be called before PyTorch is imported."""
    seen = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = [str(number)] if seen is None else seen.split(",")[number : number + 1]
    os.environ["CUDA_VISIBLE_DEVICES"] = "".join(names)


def open_missing_streams() -> None:
    """A program without a console may have no stdin, stdout and stderr, which libraries rely on.

    To be called before any file is opened: it would take the place of a stream.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)
