"""What can be known of the workflows without running them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

_ROOT = Path(__file__).parents[2]
_WORKFLOWS = sorted((_ROOT / ".github" / "workflows").glob("*.yml"))

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="shell scripts")


def jobs(workflow: Path) -> dict[str, dict[str, Any]]:
    return yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"]


def scripts(workflow: Path) -> Iterator[tuple[str, str, str]]:
    """Job, shell and text of every step that runs something."""
    for name, job in jobs(workflow).items():
        shell = "pwsh" if "windows" in job["runs-on"] else "bash"
        for step in job["steps"]:
            if "run" in step:
                yield name, step.get("shell", shell), step["run"]


@pytest.mark.parametrize("workflow", _WORKFLOWS, ids=lambda path: path.stem)
def test_jobs_wait_for_jobs_that_exist_and_end(workflow: Path) -> None:
    every = jobs(workflow)
    for name, job in every.items():
        needs = job.get("needs", [])
        assert set([needs] if isinstance(needs, str) else needs) <= set(every), name
        assert job["timeout-minutes"] <= 90, name
        used = re.findall(r"needs\.(\w+)\.", str(job))
        assert set(used) <= set([needs] if isinstance(needs, str) else needs), name


@pytest.mark.parametrize("workflow", _WORKFLOWS, ids=lambda path: path.stem)
def test_scripts_are_shell_and_name_files_that_exist(workflow: Path) -> None:
    for name, shell, text in scripts(workflow):
        if shell == "bash":
            # What GitHub puts in is a word to the shell.
            plain = re.sub(r"\$\{\{.*?\}\}", "word", text)
            checked = subprocess.run(["bash", "-n"], input=plain, text=True, capture_output=True)
            assert checked.returncode == 0, (name, checked.stderr)
        for path in re.findall(r"packaging[/\\][\w/\\.-]+\.(?:py|sh|txt|json)\b", text):
            assert (_ROOT / path.replace("\\", "/")).is_file(), (name, path)


@pytest.mark.parametrize("workflow", _WORKFLOWS, ids=lambda path: path.stem)
def test_no_server_is_named_and_rights_are_few(workflow: Path) -> None:
    text = workflow.read_text(encoding="utf-8")
    assert "://" not in text
    said = yaml.safe_load(text)
    assert said["permissions"] == {"contents": "read"}
    writers = [name for name, job in said["jobs"].items() if "permissions" in job]
    assert writers in ([], ["draft"])
    for action in re.findall(r"uses: (\S+)", text):
        assert re.fullmatch(r"actions/[\w-]+@v\d+", action), action
