"""Files of a model that are not what they should be: one sentence each."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.engine.cli.outcomes import Generate, one_error_line


class _Malicious:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.trace,)


@pytest.fixture
def config(tiny_model_config: Path, tmp_path: Path) -> Path:
    folder = shutil.copytree(tiny_model_config.parent, tmp_path / "model")
    return Path(folder) / tiny_model_config.name


@pytest.fixture
def weights(config: Path) -> Path:
    return config.parent / "dit" / "inference_weight.distill" / "model.safetensors"


def _refused(
    generate: Generate, config: Path, capsys: pytest.CaptureFixture[str], code: int = 1
) -> str:
    assert generate("--prompt", "x", "-o", "a.mp4", config=config) == code
    return one_error_line(capsys)


def test_truncated_weights(
    generate: Generate,
    config: Path,
    weights: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    weights.write_bytes(weights.read_bytes()[:-1000])
    assert "model.safetensors" in _refused(generate, config, capsys)


def test_weights_of_the_wrong_shape(
    generate: Generate,
    config: Path,
    weights: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # Copies: on Windows no file is replaced that is mapped.
    state = {name: tensor.clone() for name, tensor in load_file(weights).items()}
    state["x_embedder.weight"] = torch.zeros(3, 3)
    save_file(state, weights)
    assert "x_embedder.weight" in _refused(generate, config, capsys)


def test_a_pickle_with_code_in_it_is_not_run(
    generate: Generate,
    config: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    trace = tmp_path / "code-was-run"
    (config.parent / "t5" / "model.safetensors").unlink()
    bad = config.parent / "t5" / "pytorch_model.bin"
    bad.write_bytes(pickle.dumps(_Malicious(trace)))
    _refused(generate, config, capsys)
    torch.save({"shared.weight": _Malicious(trace)}, bad)
    _refused(generate, config, capsys)
    assert not trace.exists()


def test_a_configuration_with_a_wrong_field(
    generate: Generate, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = json.loads(config.read_text(encoding="utf-8"))
    data["runtime_config"]["num_stepps"] = 8
    config.write_text(json.dumps(data))
    assert "num_stepps" in _refused(generate, config, capsys, code=2)


def test_a_missing_part(
    generate: Generate, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (config.parent / "vae" / "config.json").unlink()
    assert "autoencoder" in _refused(generate, config, capsys, code=2)
