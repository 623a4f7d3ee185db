"""Over TLS, with the certificate that the server makes for itself."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from magi_engine.errors import InvalidRequestError
from magi_engine.remote.connection import Connection, UnknownCertificate, Unreachable
from magi_engine.remote.engine import RemoteEngine
from magi_engine.runtime.job.events import Failed
from magi_engine.serve.certificate import Certificate, own_certificate
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


def test_a_certificate_of_ones_own(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
        own_certificate(folder)
    own = own_certificate(one)
    assert own.pin() == own_certificate(one).pin() != own_certificate(other).pin()
    server = Server(tmp_path, "--tls-cert", str(own.path), "--tls-key", str(own.key))
    server.start()
    assert server.address.endswith(own.pin())
    connection = server.connection
    assert connection.get("/v1/jobs") == []
    connection.close()
    server.stop()
    mixed = dataclasses.replace(own, key=own_certificate(other).key)
    for wrong in (mixed, Certificate(own.key, own.path), Certificate(one / "no", own.key)):
        with pytest.raises(InvalidRequestError, match="no certificate with its key"):
            wrong.pin()
