"""What the window may use without waiting seconds for PyTorch."""

from __future__ import annotations

import subprocess
import sys

import pytest

from magi_engine.errors import ModelNotFoundError
from magi_engine.resources import resource_path
from magi_engine.weights.layout import find_model

_MODULES = (
    "errors",
    "resources",
    "config.official",
    "config.registry",
    "config.sizes",
    "config.vae",
    "media",
    "model.caption_cleaning",
    "model.special_tokens",
    "model.tokenizer",
    "runtime.engine_process",
    "runtime.job.events",
    "runtime.machine.devices",
    "runtime.machine.facts",
    "runtime.planning.placement",
    "runtime.planning.plan",
    "runtime.planning.quantization",
    "runtime.process.control",
    "runtime.process.environment",
    "runtime.request.length",
    "runtime.request.metadata",
    "runtime.request.request",
    "runtime.request.validation",
    "sampling.schedule",
    "weights.layout",
)


def _python(code: str) -> str:
    """What a fresh Python prints that must not have met PyTorch by the end."""
    code += "\nimport sys; sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr or "torch was imported"
    return done.stdout


def test_importing() -> None:
    _python("\n".join(f"import magi_engine.{name}" for name in _MODULES))


def test_saying_which_models_are_here() -> None:
    try:
        find_model("pocket")
    except ModelNotFoundError:
        pytest.skip("the pocket model is not here")
    printed = _python(
        "from magi_engine.config.registry import Registry\n"
        "from magi_engine.weights.layout import find_model, missing_parts\n"
        "print(find_model('pocket').title)\n"
        "for entry in Registry.load().entries: print(entry.name, missing_parts(entry))"
    )
    assert printed.startswith("Pocket\npocket ()\n")


def test_counting_the_tokens_of_a_prompt() -> None:
    tokenizer = resource_path("pocket", "t5", "spiece.model")
    printed = _python(
        "from magi_engine.model.tokenizer import Tokenizer\n"
        f"print(Tokenizer.load({str(tokenizer)!r}).encode('a red circle').count)"
    )
    assert int(printed) >= 4
