"""Whether a plan can be carried out at all, found out before anything is loaded."""

from __future__ import annotations

from pathlib import Path

from magi_engine.errors import OutOfMemoryError
from magi_engine.runtime.planning.plan import JobPlan
from magi_engine.weights.layout import FoundModel, find_model


def model_of(plan: JobPlan, models_dir: Path | None = None) -> FoundModel:
    """The files a plan is carried out with.

    Raises:
        OutOfMemoryError: it needs more memory than the machine has at all.
        MagiError: as :func:`find_model`.
    """
    if plan.impossible:
        raise OutOfMemoryError(plan.problem, plan.way_out)
    return find_model(plan.request.config_path or plan.request.model, models_dir)
