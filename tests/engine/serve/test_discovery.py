"""Servers that announce themselves are found: real multicast, on the loopback alone."""

from __future__ import annotations

import secrets

from magi_engine.discovery import announced, found

_LOOPBACK = ["127.0.0.1"]
_TRIES = 20


def test_a_server_that_announces_itself_is_found() -> None:
    # Others may test on this machine at the same time: what is announced has to be this test's.
    far = f"https://192.0.2.1:8611#{secrets.token_hex(32)}"
    near = f"http://192.0.2.2:{1024 + secrets.randbelow(60000)}"
    servers: dict[str, str] = {}
    with announced(far, _LOOPBACK), announced(near, _LOOPBACK):
        for _ in range(_TRIES):  # a busy machine
            servers = found(_LOOPBACK)
            if {far, near} <= set(servers.values()):
                break
    assert {far, near} <= set(servers.values())
    assert not any("_magi" in name for name in servers)
