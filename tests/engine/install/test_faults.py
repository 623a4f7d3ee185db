"""What can go wrong while a model comes: one sentence, one thing to do, and then it goes on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from magi_engine import disk, fetching
from magi_engine.config.added import AddedModels
from magi_engine.config.registry import Registry
from magi_engine.errors import DiskFullError, DownloadError, MagiError, OutputError
from magi_engine.install import download, performing
from magi_engine.install.adding import set_mirror
from magi_engine.install.download import MARGIN_BYTES
from magi_engine.install.performing import Performer
from magi_engine.install.status import ModelState, accept_licence, model_statuses
from magi_engine.install.tasks import Download, Import, Phase, TaskEvent, TaskProgress
from magi_engine.runtime.process.control import ControlBox
from magi_engine.weights.manifest import Manifest
from tests.engine.install.hub_server import HubServer
from tests.engine.install.test_process import put_special_tokens, release_files
from tests.places import move_places

_NAME = "4.5B-distill"
_WEIGHTS = "ckpt/magi/4.5B_distill/inference_weight.distill/model.safetensors"
_CERTIFICATE = Path(__file__).with_name("not_valid_before_2099.pem")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    """A hub that is asked as a mirror: so no other process is needed for each test."""
    server = HubServer(release_files(3_000_000))
    monkeypatch.setattr(fetching, "_BACKOFF_S", 0.01)
    monkeypatch.setattr(fetching, "_MAX_WAIT_S", 0.05)
    monkeypatch.delenv("HF_ENDPOINT")
    move_places(monkeypatch, tmp_path)
    AddedModels.change(lambda _: AddedModels(mirror=server.url))
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    put_special_tokens(tmp_path / "models")
    return tmp_path / "models"


def get(models_dir: Path) -> str:
    return perform(models_dir, Download(_NAME))


def perform(
    models_dir: Path, task: Download | Import, events: list[TaskEvent] | None = None
) -> str:
    emit = (lambda _event: None) if events is None else events.append
    return str(Performer(models_dir, emit, ControlBox()).perform(task).message)


def state(models_dir: Path) -> ModelState:
    return next(s.state for s in model_statuses(models_dir) if s.entry.name == _NAME)


def is_said(error: MagiError) -> None:
    """One sentence and one thing to do, without a traceback's words."""
    assert str(error.message).endswith("."), error
    assert error.hint, error
    for text in (str(error.message), str(error.hint)):
        assert not re.search(r"Error|Exception|Traceback|\[Errno|HTTP/", text), text
        assert text.count(". ") == 0, text


def _gated(server: HubServer) -> None:
    server.denied = (403, "GatedRepo")


def _private(server: HubServer) -> None:
    server.denied = (401, "RepoNotFound")


def _bad_token(server: HubServer) -> None:
    server.denied = (401, "")


def _html(server: HubServer) -> None:
    server.html = True


def _gone(server: HubServer) -> None:
    server.gone.add(_WEIGHTS)


def _emptied(server: HubServer) -> None:
    server.files.clear()


def _wrong(server: HubServer) -> None:
    server.wrong.add(_WEIGHTS)


def _replaced(server: HubServer) -> None:
    server.cut_after, server.on_cut, server.pause_s = 20_000, server.swapped.add, 0.002


def _busy_for_ever(server: HubServer) -> None:
    server.statuses = [429] * 100


def _broken_for_ever(server: HubServer) -> None:
    server.statuses = [500, 502, 503, 504] * 25


def _no_ranges_and_cut(server: HubServer) -> None:
    server.ranges, server.cut_every = False, 1_000_000


def _mended(server: HubServer) -> None:
    server.denied, server.html, server.statuses = None, False, []
    server.gone, server.wrong, server.swapped = set(), set(), set()
    server.ranges, server.cut_every = True, None


@pytest.mark.parametrize(
    ("break_it", "sentence", "hint"),
    [
        (_gated, "does not give .* to everybody", "Ask for access"),
        (_private, "does not have .*, or it is private", "Check the repository's name"),
        (_bad_token, "does not accept the token", "Sign in again"),
        (_html, "no hub of models", "Sign in to the network"),
        (_gone, f"does not have {_WEIGHTS}", "Update the program"),
        (_emptied, "does not have ckpt/magi", "Update the program"),
        (_wrong, f"{_WEIGHTS} came with other content", "Try again later"),
        (_replaced, "has replaced", "Start the download again"),
        (_busy_for_ever, "network or the server fails", "goes on where it was"),
        (_broken_for_ever, "network or the server fails", "goes on where it was"),
        (_no_ranges_and_cut, "network or the server fails", "goes on where it was"),
    ],
)
def test_what_the_hub_does_wrong_is_said_and_then_it_goes_on(
    server: HubServer,
    models_dir: Path,
    break_it: Callable[[HubServer], None],
    sentence: str,
    hint: str,
) -> None:
    files = dict(server.files)
    break_it(server)
    with pytest.raises(DownloadError, match=sentence) as raised:
        get(models_dir)
    is_said(raised.value)
    assert hint in str(raised.value.hint)
    assert state(models_dir) in (ModelState.ABSENT, ModelState.PARTLY), "no half model looks whole"
    _mended(server)
    server.files = files
    assert "is ready" in get(models_dir)
    assert (models_dir / _WEIGHTS).read_bytes() == files[_WEIGHTS]
    assert state(models_dir) is ModelState.READY


def test_a_page_in_the_middle_of_a_download_is_not_taken_for_a_file(
    server: HubServer, models_dir: Path
) -> None:
    server.cut_after, server.on_cut = 20_000, lambda _path: _html(server)
    with pytest.raises(DownloadError, match="no hub of models"):
        get(models_dir)
    for part in models_dir.rglob("*.part"):
        name = part.relative_to(models_dir).as_posix().rpartition(".")[0].rpartition(".")[0]
        assert server.files[name].startswith(part.read_bytes())
    _mended(server)
    get(models_dir)


@pytest.mark.parametrize("name", ["..", "a\\b", "c:x", "../../../../outside.txt"])
def test_a_list_that_leads_out_of_its_folder_is_not_followed(
    server: HubServer, models_dir: Path, name: str
) -> None:
    server.more = [{"type": "file", "path": f"ckpt/vae/{name}", "size": 1, "oid": "0" * 40}]
    with pytest.raises(DownloadError, match="no hub of models"):
        get(models_dir)
    assert not server.served


@pytest.mark.parametrize("address", ["file:///etc/hostname", "gopher://127.0.0.1/x"])
def test_an_answer_that_leads_off_the_web_is_not_followed_nor_asked_for_again(
    server: HubServer, models_dir: Path, address: str
) -> None:
    server.redirects[_WEIGHTS] = address
    with pytest.raises(DownloadError, match="no hub of models"):
        get(models_dir)
    assert sum(path.endswith(_WEIGHTS) for path, _ in server.headers) == 1


def test_lists_are_asked_for_again_while_the_hub_is_busy(
    server: HubServer, models_dir: Path
) -> None:
    server.tree_statuses = [503]
    assert "is ready" in get(models_dir)


@pytest.mark.parametrize("trusted", [True, False])
def test_a_clock_or_a_proxy_that_spoils_certificates_is_said(
    server: HubServer, models_dir: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool
) -> None:
    secure = HubServer({}, _CERTIFICATE)
    code = (
        "import sys\n"
        "from magi_engine.install.hub import require_hub\n"
        "try: require_hub(sys.argv[1])\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    env = {**os.environ, **({"SSL_CERT_FILE": str(_CERTIFICATE)} if trusted else {})}
    command = [sys.executable, "-c", code, secure.url]
    said = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
    secure.shutdown()
    secure.server_close()
    assert said.startswith("DownloadError")
    assert ("computer's clock" if trusted else "is not trusted here") in said


def test_a_wrong_clock_verifies_nothing_twice(
    server: HubServer, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    get(models_dir)
    os.utime(models_dir / _WEIGHTS, (4e9, 4e9))  # written, it seems, in the year 2096
    assert state(models_dir) is ModelState.UNCHECKED
    server.served.clear()
    events: list[TaskEvent] = []
    perform(models_dir, Download(_NAME), events)
    assert not server.served
    assert any(isinstance(e, TaskProgress) and e.phase is Phase.VERIFYING for e in events)
    assert state(models_dir) is ModelState.READY


def test_the_token_goes_to_the_hub_and_to_nobody_else(
    server: HubServer, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    get(models_dir)
    assert server.headers
    assert all("authorization" not in headers for _, headers in server.headers), "it is a mirror"
    # The hub's library reads HF_ENDPOINT once, when it comes in.
    command = [sys.executable, "-m", "magi_engine", "models", "verify", _NAME]
    (models_dir / "verified.json").unlink()
    env = {**os.environ, "HF_ENDPOINT": server.url}
    server.headers.clear()
    subprocess.run([*command, "--models-dir", str(models_dir)], env=env, capture_output=True)
    asked = [headers["authorization"] for path, headers in server.headers if "/api/models/" in path]
    assert asked
    assert set(asked) == {"Bearer hf_secret"}


def test_a_proxy_is_used(
    server: HubServer, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server itself stands for the proxy: it is asked for a host that does not exist."""
    env = {**os.environ, "HTTP_PROXY": server.url, "HF_ENDPOINT": "http://hub.invalid"}
    accept_licence(_NAME, models_dir)
    command = [sys.executable, "-m", "magi_engine", "models", "download", _NAME]
    command += ["--models-dir", str(models_dir)]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert "is ready" in done.stderr, done.stderr
    assert server.served[_WEIGHTS] == len(server.files[_WEIGHTS])


# ---- the disk


def test_room_is_asked_for_what_is_made_of_it_and_a_margin(
    server: HubServer, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = Registry.load().find(_NAME).release
    assert release is not None
    del server.files["ckpt/t5/t5-v1_1-xxl/model.safetensors"]
    server.files["ckpt/t5/t5-v1_1-xxl/pytorch_model.bin"] = b"PK" * 500
    size = sum(map(len, server.files.values()))
    needed = size + release.small_text_encoder_bytes + MARGIN_BYTES

    class Usage:
        free = needed - 1

    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _folder: Usage)
    with pytest.raises(DiskFullError, match=f"{needed / 1e9:.1f} GB of room are needed") as raised:
        get(models_dir)
    is_said(raised.value)
    assert not server.served, "nothing was begun"
    Usage.free = needed
    disk.require_room(models_dir, needed - MARGIN_BYTES, MARGIN_BYTES)


def test_a_full_disk_loses_nothing_whenever_it_comes(
    server: HubServer, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fills up at another moment each time, and is made a little larger."""
    monkeypatch.setattr(download, "MARGIN_BYTES", -(10**9))  # else it does not even begin
    models_dir = small_disk / "models"
    put_special_tokens(models_dir)
    for size in range(2_500_000, 16_000_000, 1_500_000):
        resize = ["mount", "-o", f"remount,size={size}", str(small_disk)]
        subprocess.run(resize, check=True)
        try:
            assert server.went_on(models_dir, lambda: get(models_dir))
            break
        except DiskFullError as error:
            is_said(error)
        assert state(models_dir) is not ModelState.READY
        manifest = Manifest.load(models_dir)
        for path in manifest.files:
            assert (models_dir / path).exists()
        for part in models_dir.rglob("*.part"):
            name = part.relative_to(models_dir).as_posix().rpartition(".")[0].rpartition(".")[0]
            assert server.files[name].startswith(part.read_bytes())
    assert state(models_dir) is ModelState.READY
    for path, data in server.files.items():
        assert (models_dir / path).read_bytes() == data


def test_a_disk_that_is_full_to_the_last_byte_is_said(small_disk: Path) -> None:
    with (small_disk / "filler").open("wb", buffering=0) as filler:
        while filler.write(bytes(4096)) == 4096:
            if shutil.disk_usage(small_disk).free == 0:
                break
    manifest = Manifest.load(small_disk)
    for write in (
        lambda: accept_licence(_NAME, small_disk),
        lambda: manifest.note("filler", "0" * 64, "test"),
    ):
        with pytest.raises(DiskFullError) as raised:
            write()
        is_said(raised.value)
    assert [file.name for file in small_disk.iterdir()] == ["filler"], "nothing is left lying"


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can be nobody")
def test_without_the_right_to_write_it_is_said(server: HubServer, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    put_special_tokens(shared)
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from tests.engine.install.test_faults import get\n"
        "import huggingface_hub, httpx2\n"
        "os.seteuid(65534)\n"
        "try: print(get(Path(sys.argv[1])))\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, str(shared)], capture_output=True, text=True
    ).stdout
    assert said.startswith(("OutputError", "DiskFull")), said
    assert "cannot be written. Check that you may write there, or choose another folder." in said


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_folder_of_models_that_leads_round_in_circles_is_said(
    server: HubServer, tmp_path: Path
) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(OutputError) as raised:
        get(tmp_path / "a" / "models")
    is_said(raised.value)
    looping = tmp_path / "models" / "ckpt"
    looping.parent.mkdir()
    looping.symlink_to(looping)
    with pytest.raises(MagiError) as raised:
        get(tmp_path / "models")
    is_said(raised.value)
    with pytest.raises(MagiError, match="There is no") as raised:
        perform(tmp_path / "fresh", Import(tmp_path / "a"))
    is_said(raised.value)
    round_and_round = tmp_path / "release"
    round_and_round.mkdir()
    (round_and_round / "ckpt").symlink_to(round_and_round)
    with pytest.raises(MagiError, match="No released model") as raised:
        perform(tmp_path / "fresh", Import(round_and_round))
    is_said(raised.value)


@pytest.mark.parametrize("address", ["ftp://x", "hub", "http://", "http://127.0.0.1:9"])
def test_a_mirror_that_is_none_is_not_kept(server: HubServer, address: str) -> None:
    with pytest.raises(MagiError) as raised:
        set_mirror(address)
    is_said(raised.value)
    assert AddedModels.load().mirror == server.url
    set_mirror(None)
    assert AddedModels.load().mirror is None


def test_a_network_that_says_nothing_shows_as_no_speed() -> None:
    meter = performing._Meter()
    seen = [meter.take(Phase.DOWNLOADING, done, now) for now, done in enumerate((0, 10, 20, 20))]
    assert seen == [None, 10.0, 10.0, 20 / 3]
    later = [meter.take(Phase.DOWNLOADING, 20, now) for now in (6.0, 9.0, 12.0)]
    assert later[-1] == 0.0
    assert meter.take(Phase.VERIFYING, 0, 12.5) is None, "another phase begins anew"
