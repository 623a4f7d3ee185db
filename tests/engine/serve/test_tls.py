"""Over TLS, with the certificate that the server makes for itself."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from magi_engine.errors import InvalidRequestError
from magi_engine.remote.connection import Connection, UnknownCertificate, Unreachable
from magi_engine.remote.engine import RemoteEngine
from magi_engine.runtime.job.events import Event, Failed, Finished, StageStarted
from magi_engine.serve.certificate import Certificate, own_certificate
from magi_engine.serve.guard import MOST_CONNECTIONS
from tests.engine.serve.cutting import CutCable
from tests.engine.serve.servers import Server, small_request

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no OpenSSL here")


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("far"), "--host", "0.0.0.0")
    server.start()
    yield server
    server.stop()


def _with(far: Server, address: str) -> Connection:
    return Connection(address, far.token_file.read_text())


def test_the_address_that_is_printed_is_all_one_needs(far: Server, tmp_path: Path) -> None:
    assert far.address.startswith("https://")
    command = [sys.executable, "-m", "magi_engine", "generate", "--json", "--engine", far.address]
    command += ["--token-file", str(far.token_file), "-o", str(tmp_path / "a.mp4")]
    command += ["--prompt", "a red ball", "--size", "64x64", "--steps", "4", "--seconds", "1"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert json.loads(done.stdout.splitlines()[-1])["event"] == "finished", done.stderr
    connection = far.connection
    (job,) = connection.get("/v1/jobs")
    connection.close()
    assert (tmp_path / "a.mp4").read_bytes() == far.video_of(job["id"]).read_bytes()
    if os.name == "posix":
        assert (far.folder / "key.pem").stat().st_mode & 0o777 == 0o600


def test_another_certificate_is_told_nothing(far: Server, tmp_path: Path) -> None:
    plain, _, pin = far.address.partition("#")
    for address in (plain, f"{plain}#{'0' * 64}", f"{plain}#{pin[::-1]}"):
        connection = _with(far, address)
        for ask in (lambda c=connection: c.get("/v1/jobs"), lambda c=connection: c.socket("/")):
            with pytest.raises(UnknownCertificate, match="behind the #"):
                ask()
        connection.close()
    engine = RemoteEngine(_with(far, plain), tmp_path / "records")
    (event,) = engine.generate(small_request(tmp_path / "a.mp4"))
    engine.close()
    assert isinstance(event, Failed)
    assert isinstance(event.error, UnknownCertificate)
    with pytest.raises(InvalidRequestError):
        _with(far, f"{plain}#{pin[:-1]}")
    port = urlsplit(plain).port
    with pytest.raises(Unreachable):
        _with(far, f"http://127.0.0.1:{port}").get("/v1/jobs")


@contextlib.contextmanager
def _another(folder: Path) -> Iterator[int]:
    """The port of one who answers with a certificate of his own."""
    own = own_certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.path, own.key)
    listening = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                with contextlib.suppress(OSError):
                    context.wrap_socket(connection, server_side=True).close()

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def test_a_certificate_that_becomes_another_ends_the_job_here_alone(
    far: Server, tmp_path: Path
) -> None:
    port = urlsplit(far.address).port
    assert port is not None
    cable = CutCable(port, cuts=0, most_bytes=0, seed=1)
    address = cable.address.replace("http", "https") + "#" + far.address.partition("#")[2]
    engine = RemoteEngine(_with(far, address), tmp_path / "records")
    request = small_request(tmp_path / "a.mp4", seed=5, num_frames=96)
    last: Event | None = None
    with _another(tmp_path) as its_port:
        for last in engine.generate(request):
            if isinstance(last, StageStarted):  # the job is there, and all of it is still to come
                cable.lead_to(its_port)
    assert isinstance(last, Failed)
    assert isinstance(last.error, UnknownCertificate)
    cable.lead_to(port)
    assert engine.is_making(request)
    *_, last = engine.generate(request)
    assert isinstance(last, Finished)
    jobs = [job for job in engine.connection.get("/v1/jobs") if job["request"]["seed"] == 5]
    engine.close()
    cable.close(hang_up=True)
    assert [last.path and last.path.read_bytes()] == [
        far.video_of(job["id"]).read_bytes() for job in jobs
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="a script stands in for OpenSSL")
def test_what_openssl_could_not_finish_is_no_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, folder = tmp_path / "bin" / "openssl", tmp_path / "serve"
    for made in (program.parent, folder):
        made.mkdir()
    program.write_text(f"#!/bin/sh\n: > {folder}/cert.pem\n: > {folder}/key.pem\nexit 1\n")
    program.chmod(0o755)
    with monkeypatch.context() as full:
        full.setenv("PATH", str(program.parent))
        with pytest.raises(InvalidRequestError, match="OpenSSL"):
            own_certificate(folder)
    assert own_certificate(folder).pin()


def test_a_certificate_and_its_key_go_together(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
        own_certificate(folder)
    own = own_certificate(one)
    assert own.pin() == own_certificate(one).pin() != own_certificate(other).pin()
    for wrong in (Certificate(own.key, own.path), Certificate(one / "no", own.key)):
        with pytest.raises(InvalidRequestError, match="no certificate with its key"):
            wrong.pin()
    command = [sys.executable, "-m", "magi_engine", "serve", "--folder", str(tmp_path / "serve")]
    command += ["--tls-cert", str(own.path), "--tls-key", str(other / "key.pem")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "no certificate with its key" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="limits of open files are those of POSIX")
def test_connections_that_say_nothing_are_bounded(far: Server) -> None:
    """Over TLS nobody else counts them."""
    where = "127.0.0.1", urlsplit(far.address).port
    with contextlib.ExitStack() as held:
        for _ in range(3 * MOST_CONNECTIONS):
            held.enter_context(socket.create_connection(where))
        refused = held.enter_context(socket.create_connection(where))
        with contextlib.suppress(ConnectionResetError):
            assert refused.recv(1) == b""
        assert far.open_files() < 3 * MOST_CONNECTIONS
        other = socket.create_connection(where, source_address=("127.0.0.2", 0))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(held.enter_context(other)) as let_in:
            assert let_in.version() is not None, "one address does not shut out the others"
    connection = far.connection
    while True:  # it takes a moment to see that they are gone
        with contextlib.suppress(Unreachable):
            assert connection.get("/v1/jobs") is not None
            break
    connection.close()
