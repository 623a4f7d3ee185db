"""Servers that announce themselves are found: real multicast, on the loopback alone."""

from __future__ import annotations

from magi_engine.discovery import announced, found

_LOOPBACK = ["127.0.0.1"]
_TRIES = 20


def test_a_server_that_announces_itself_is_found() -> None:
    servers: dict[str, str] = {}
    address = f"https://192.0.2.1:8611#{'ab' * 32}"
    with announced(address, _LOOPBACK), announced("http://192.0.2.2:80", _LOOPBACK):
        for _ in range(_TRIES):  # a busy machine
            servers = found(_LOOPBACK)
            if len(servers) == 2:
                break
    assert sorted(servers.values()) == ["http://192.0.2.2:80", address]
    assert not any("_magi" in name for name in servers)
