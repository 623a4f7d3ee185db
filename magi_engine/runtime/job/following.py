"""What a card computes of a video that another one leads."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import torch

from magi_engine.ops.mesh import join, leave
from magi_engine.runtime.job.warm_up import first_layers
from magi_engine.runtime.machine.devices import choose_dtype
from magi_engine.runtime.models.loaded import ModelCache
from magi_engine.runtime.models.memory import PlannedMemory
from magi_engine.runtime.models.ranks import JOIN_S, Did, Seat
from magi_engine.runtime.planning.plan import JobPlan
from magi_engine.sampling.sampler import Decode, Sampler, Task, next_task
from magi_engine.weights.layout import find_model


def follow(
    models: ModelCache,
    plan: JobPlan,
    seat: Seat,
    hear: Callable[[], Any],
    there: Callable[[], None],
    say: Callable[[object], None],
) -> None:
    """Load the model, then compute along until the leading process has no more to do.

    Args:
        hear: waits for what the leading process says next.
        there: is called once the model is loaded.
        say: tells the leading process something.
    """
    request = plan.request
    device = torch.device(seat.device)
    if device.type == "cuda":
        torch.cuda.set_device(device)  # before anything is compiled for it
    found = find_model(request.config_path or request.model, models.models_dir)
    model = models.model(found, device, choose_dtype(request.dtype, device))
    model.choose_attention(request.attention)
    memory = PlannedMemory(model, plan.ways)
    memory.run(model.load_dit)
    memory.run(model.load_vae)
    there()
    hear()  # now they join

    def did(did: bool) -> bool:
        say(Did(did))
        while not isinstance(said := hear(), Did):
            pass  # what was decided in a forward that did not get there
        return said.did

    def decode(told: Decode) -> None:
        beside = memory.placement.decodes_beside
        with model.kernels.streams.side() if beside else contextlib.nullcontext():
            try:
                memory.once(model.decode_along, told)
            except (torch.OutOfMemoryError, MemoryError):  # here or elsewhere: it is told again
                if not memory.spare():
                    memory.step_down()

    size = len(plan.devices)
    mesh = join(seat.store, seat.rank, size, device, JOIN_S, lambda _: hear(), did)
    in_order = False
    try:
        with model.in_mesh(mesh):
            while (said := next_task(mesh)) is not None:
                if isinstance(said, Task):
                    dit = first_layers(model.dit, said.layers)
                    Sampler(dit, said.settings, memory=memory).follow(said, decode)
                else:
                    decode(said)
        in_order = True
    finally:
        leave(in_order)
    model.kernels.keep_timings()
