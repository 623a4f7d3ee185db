"""Both conversions, killed at random moments, on full disks and in folders of others.

Each ends with the bytes of an undisturbed one. One helper process that has imported PyTorch forks
for every attempt, so that an attempt takes milliseconds.
"""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from magi_engine.disk import writing
from magi_engine.errors import DiskFullError, OutputError
from magi_engine.model.dit import VideoDiT
from magi_engine.training.tokenizer import make_tiny_t5, save_t5, tiny_t5_config, train_tokenizer
from magi_engine.weights import convert_text, growing, provenance
from magi_engine.weights.convert_text import shrink_text_encoder
from magi_engine.weights.provenance import FILE_NAME, Provenance, note_source
from magi_engine.weights.quantize import Inputs, fp8_linears, input_name, quantise_file

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")

PROMPT = "a red circle moves left while two green stars spin over a blue background"
ROUNDS = 8

HELPER = """
    import json, os, random, signal, sys, tempfile, time
    from pathlib import Path
    import torch
    torch.set_num_threads(1)
    from tests.engine.weights.test_interruptions import Sources
    from magi_engine.errors import MagiError

    sources = Sources.load(Path(sys.argv[1]))
    with tempfile.TemporaryDirectory() as folder:  # imports everything: what is killed is work
        sources.text_encoder(Path(folder) / "t5")
        sources.transformer(Path(folder) / "dit")

    def attempt(work, target, kill_after_s=None, user=None):
        sys.stdout.flush()  # what waits in it would be printed by the child, too
        pid = os.fork()
        if pid == 0:
            try:
                if user is not None:
                    os.setuid(user)
                work(target)
            except MagiError as error:
                print(type(error).__name__, error, flush=True)
                os._exit(3)
            except BaseException as error:
                print(repr(error), flush=True)
                os._exit(4)
            os._exit(0)
        if kill_after_s is not None:
            time.sleep(kill_after_s)
            os.kill(pid, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    for line in sys.stdin:
        root, target, code = json.loads(line)
        sources, target = Sources.load(Path(root)), Path(target)
        exec(code)
        print("done", flush=True)
"""


@dataclasses.dataclass(frozen=True)
class Sources:
    """A small text encoder and a small transformer, in a folder."""

    root: Path
    inputs: dict[str, Inputs]

    @classmethod
    def make(cls, root: Path, dit: VideoDiT) -> Sources:
        """Write them."""
        vocab_size = train_tokenizer([PROMPT], root / "t5", vocab_size=220)
        config = tiny_t5_config(vocab_size, d_model=256, layers=6, heads=8, d_ff=640)
        save_t5(make_tiny_t5(config, seed=1), root / "t5")
        (root / "dit").mkdir()
        save_file(dit.state_dict(), root / "dit" / FILE_NAME)
        config_json = json.dumps(dataclasses.asdict(dit.config))
        (root / "dit" / "config.json").write_text(config_json)
        return cls.load(root)

    @classmethod
    def load(cls, root: Path) -> Sources:
        """Find them again, from another process, too."""
        generator = torch.Generator().manual_seed(0)
        config = cls._config(root)
        with torch.device("meta"):
            weights = VideoDiT(config).state_dict()
        inputs = {}
        for name in fp8_linears(config):
            rows = torch.randn(40, weights[f"{name}.weight"].shape[1], generator=generator)
            inputs[input_name(name)] = Inputs(rows.abs().amax(dim=0), rows.mT @ rows)
        return cls(root, inputs)

    def text_encoder(self, target: Path) -> None:
        """Make its 8-bit form."""
        for _ in shrink_text_encoder(self.root / "t5", target):
            pass

    def transformer(self, target: Path) -> None:
        """Make its fp8 form."""
        source = self.root / "dit"
        origin = Provenance.of_source(source)
        for _ in quantise_file(source, self._config(self.root), self.inputs, target, origin):
            pass
        with writing(target):
            note_source(target, source)

    @staticmethod
    def _config(root: Path):
        from magi_engine.config.official import ModelConfig

        return ModelConfig(**json.loads((root / "dit" / "config.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def sources(make_dit, tmp_path_factory: pytest.TempPathFactory) -> Sources:
    dit = make_dit(num_layers=4, hidden_size=128, ffn_hidden_size=256, num_attention_heads=16)
    return Sources.make(tmp_path_factory.mktemp("sources"), dit)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


RunHelper = Callable[[Sources, Path, str], list[str]]


@pytest.fixture(scope="module")
def run_helper(sources: Sources) -> Iterator[RunHelper]:
    """Has the helper run some code; returns what that printed."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HELPER), str(sources.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert process.stdin is not None
    assert process.stdout is not None
    asked, said = process.stdin, process.stdout

    def run(sources: Sources, target: Path, code: str) -> list[str]:
        asked.write(json.dumps((str(sources.root), str(target), textwrap.dedent(code))) + "\n")
        asked.flush()
        lines = []
        while (line := said.readline()) != "done\n":
            assert line, "the helper has ended"
            lines.append(line.rstrip("\n"))
        return lines

    yield run
    process.communicate()
    assert process.returncode == 0


def test_killed_at_random_moments_they_end_with_the_same_bytes(
    run_helper: RunHelper, sources: Sources, tmp_path: Path
) -> None:
    printed = run_helper(
        sources,
        tmp_path,
        f"""
        chance = random.Random(int.from_bytes(os.urandom(4), "little"))
        for work in (sources.text_encoder, sources.transformer):
            mine = target / work.__name__
            mine.mkdir()
            begun = time.monotonic()
            assert attempt(work, mine / "whole") == 0
            whole_s = time.monotonic() - begun
            ended = []
            for number in range({ROUNDS}):
                ended.append(attempt(work, mine / "cut", chance.uniform(0, whole_s)))
                if ended[-1] == 0:  # it was done before the kill: once more from nothing
                    os.rename(mine / "cut", mine / f"cut{{number}}")
            assert attempt(work, mine / "cut") == 0
            print(ended)
        """,
    )
    for line in printed:
        ended = json.loads(line)
        assert set(ended) <= {0, -signal.SIGKILL}
        assert -signal.SIGKILL in ended, "no attempt was killed"
    for work in ("text_encoder", "transformer"):
        whole = contents(tmp_path / work / "whole")
        assert whole
        for folder in (tmp_path / work).glob("cut*"):
            found = {n: data for n, data in contents(folder).items() if not n.endswith(".lock")}
            assert found == whole


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs to be root")
def test_files_of_another_user_are_one_sentence(run_helper: RunHelper, sources: Sources) -> None:
    folder = Path(tempfile.mkdtemp())  # all folders above it may be entered
    try:
        public = Path(shutil.copytree(sources.root, folder / "sources"))
        for path in (folder, public, *public.rglob("*")):
            path.chmod(0o755)
        (folder / "mine").mkdir()
        said = run_helper(
            dataclasses.replace(sources, root=public),
            folder / "mine",
            f"""
            works = (sources.text_encoder, sources.transformer)
            for work in works:
                print(attempt(work, target / "new", user=65534))
            for part in ("t5", "dit"):
                (sources.root / part / "{FILE_NAME}").chmod(0o600)
            for work in works:
                print(attempt(work, target / "new", user=65534))
            """,
        )
        for line in (said[0], said[2]):
            assert line.startswith("OutputError ")
            assert "cannot be written. Check that you may write there, or" in line
        for line in (said[4], said[6]):
            assert line.startswith("WeightsError ")
            assert line.endswith("cannot be read. Check its permissions.")
        assert said[1::2] == ["3"] * 4
        assert list((folder / "mine").iterdir()) == []
    finally:
        shutil.rmtree(folder)


# ---- full disks


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Gives a disk of a size, such as ``100k``; called again, the same disk with another size."""
    disk = tmp_path / "disk"
    disk.mkdir()

    def mount(size: str) -> Path:
        options = f"size={size}" + (",remount" if os.path.ismount(disk) else "")
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)]
        try:
            done = subprocess.run(command, capture_output=True, check=False)
        except FileNotFoundError:
            pytest.skip("there is no mount")
        if done.returncode:
            pytest.skip("a disk cannot be mounted here")
        return disk

    yield mount
    if os.path.ismount(disk):
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("work", ["text_encoder", "transformer"])
def test_a_disk_that_is_full_for_real_keeps_what_was_written(
    sources: Sources,
    work: str,
    small_disk: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make: Callable[[Path], None] = getattr(sources, work)
    make(tmp_path / "whole")
    whole = contents(tmp_path / "whole")
    usage = shutil.disk_usage(tmp_path)._replace(free=1 << 50)  # others fill it meanwhile
    monkeypatch.setattr("magi_engine.disk.shutil.disk_usage", lambda _path: usage)
    size = sum(map(len, whole.values()))
    for percent in (5, 30, 60, 95):
        disk = small_disk(f"{size * percent // 100 // 1024}k")
        with pytest.raises(DiskFullError, match="full") as raised:
            make(disk / "made")
        assert "goes on" in str(raised.value.hint)
        assert not list(disk.rglob(FILE_NAME))
    disk = small_disk("100m")
    make(disk / "made")
    assert contents(disk / "made") == whole


def test_a_disk_for_small_files_only_is_one_sentence(
    sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_large(_descriptor: int) -> None:
        raise OSError(errno.EFBIG, "File too large")  # as FAT says of 4 GB

    monkeypatch.setattr(growing.os, "fsync", too_large)
    with pytest.raises(OutputError, match="cannot hold a file of this size") as raised:
        sources.text_encoder(tmp_path)
    assert "another disk" in str(raised.value.hint)


@pytest.mark.parametrize("work", ["text_encoder", "transformer"])
def test_wherever_the_disk_is_full_it_is_said_and_gone_on_from(
    sources: Sources, work: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system refuses the n-th call that needs room, for every n there is."""
    make: Callable[[Path], None] = getattr(sources, work)
    make(tmp_path / "whole")
    whole = contents(tmp_path / "whole")
    calls = left = 0

    def refusing(real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            nonlocal calls, left
            if isinstance(args[0], int) and stat.S_ISDIR(os.fstat(args[0]).st_mode):
                return real(*args, **kwargs)  # a folder that is flushed needs no room
            calls, left = calls + 1, left - 1
            if left == 0:
                raise OSError(28, "No space left on device")
            return real(*args, **kwargs)

        return call

    for module, name in (
        (growing.os, "fsync"),
        (growing.os, "replace"),
        (convert_text.shutil, "copyfile"),
        (provenance.Path, "write_text"),
        (growing.Path, "mkdir"),
    ):
        monkeypatch.setattr(module, name, refusing(getattr(module, name)))
    make(tmp_path / "counted")
    assert calls > 10
    for n in {*range(1, calls + 1, max(1, calls // 6)), *range(calls - 3, calls + 1)}:
        target, left = tmp_path / f"full{n}", n
        with pytest.raises(DiskFullError):
            make(target)
        left = 0
        make(target)
        assert contents(target) == whole
