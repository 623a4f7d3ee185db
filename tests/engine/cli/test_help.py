"""What the command line says of itself."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from magi_engine.cli.main import build_parser, main
from magi_engine.config.registry import Registry, model_config
from tests.engine.cli.outcomes import one_error_line

HelpOf = Callable[[str], str]


def test_the_examples_can_be_typed_name_what_moves_and_are_the_readmes() -> None:
    parser = build_parser()
    examples = [line.strip() for line in (parser.epilog or "").splitlines()[1:]]
    for line in examples:
        prompt = getattr(parser.parse_args(shlex.split(line)[1:]), "prompt", None)
        assert prompt is None or not prompt.startswith("it ")
    readme = (Path(__file__).parents[3] / "README.md").read_text("utf-8")
    shown = re.findall(r"packaging/dev\.py run (generate .*)", readme)
    assert [line for line in examples if "generate" in line] == [f"magi {line}" for line in shown]


@pytest.fixture
def help_of(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> HelpOf:
    """What a command's ``--help`` says, in one line."""
    monkeypatch.setenv("COLUMNS", "1000")

    def run(command: str) -> str:
        assert main([command, "--help"]) == 0
        return " ".join(capsys.readouterr().out.split())

    return run


def test_the_help_of_a_request_says_defaults_and_choices(help_of: HelpOf) -> None:
    said = help_of("generate")
    assert "default: as the model is configured, 4 for all that are known" in said
    assert "default: as the model is configured, 128x128 for pocket" in said
    for entry in Registry.load().entries:
        runtime = model_config(entry.name, None)[1].runtime_config
        assert runtime.num_frames == 4 * runtime.fps, entry.name
    pocket = model_config("pocket", None)[1].runtime_config
    assert (pocket.video_size_w, pocket.video_size_h) == (128, 128)
    assert "--attention NAME" in said
    assert "'memory-efficient', 'fp8, Hopper', 'int8'" in said
    assert "--shortcut-mode MODE schedule of 12 steps: '8,16,16' or '16,16,8'" in said


def test_the_help_of_an_audition_says_its_limit_and_its_folder(help_of: HelpOf) -> None:
    said = help_of("audition")
    assert "how many, 1 to 100; default: 9" in said
    assert "-o DIR, --output DIR folder for the videos; default: audition" in said
    assert "default: a name made of" not in said


def test_help_and_bad_options_need_no_torch() -> None:
    """They answer at once: PyTorch alone takes two seconds to import."""
    code = (
        "import sys\n"
        "from magi_engine.cli.main import main\n"
        "bad = main(['generate', '--size', '5'])\n"
        "good = [main(['--help']), main(['generate', '--help']), main(['--version'])]\n"
        "codes = [*good, bad, main([])]\n"
        "sys.exit(0 if codes == [0, 0, 0, 2, 2] and 'torch' not in sys.modules else 1)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_command_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert one_error_line(capsys)
