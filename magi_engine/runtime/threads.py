"""How PyTorch's worker threads wait for each other."""

from __future__ import annotations

import os


def let_threads_sleep() -> None:
    """Have idle worker threads sleep instead of spin; to be called before PyTorch is imported.

    By default OpenMP's threads burn their core while they wait for the others. As soon as
    something else wants one of the cores (the encoder, a browser, a neighbour of a virtual
    machine), every parallel loop then waits for a time slice: on two busy cores a small model
    took 40 s instead of 3 s. OpenMP reads this setting from the environment only, when its
    library is loaded. What the user has set there stays.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
