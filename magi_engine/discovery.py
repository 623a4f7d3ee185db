"""Servers in the local network that announce themselves (DNS-SD over multicast DNS).

Anybody there can announce anything: an address that was found is compared with what its server
says before it is given a key.
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
import time
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from zeroconf import InterfaceChoice, ServiceBrowser, ServiceInfo, Zeroconf

_TYPE = "_magi._tcp.local."
_LOOK_S = 3.0
_ANSWER_MS = 1000
_MOST = 50

Interfaces = InterfaceChoice | Sequence[str]


@contextlib.contextmanager
def announced(address: str, interfaces: Interfaces = InterfaceChoice.All) -> Iterator[None]:
    """Announce a server while the block runs.

    Args:
        address: as its first line says it.
        interfaces: the network's, or addresses of those that are meant.
    """
    parts = urlsplit(address)
    host = socket.gethostname().partition(".")[0][:40] or "magi"
    one = hashlib.sha256(address.encode()).hexdigest()[:6]
    info = ServiceInfo(
        _TYPE,
        f"{host} {one}.{_TYPE}",
        port=parts.port,
        properties={"scheme": parts.scheme, "certificate": parts.fragment},
        parsed_addresses=[parts.hostname or ""],
        server=f"{host}-{one}.local.",
    )
    with Zeroconf(interfaces=interfaces) as network:
        network.register_service(info)
        yield  # its end takes it back


def found(interfaces: Interfaces = InterfaceChoice.All) -> dict[str, str]:
    """Names of servers that announce themselves and their addresses; takes some seconds.

    Raises:
        OSError: there is no network.
    """
    names: list[str] = []

    def note(name: str, **_more: Any) -> None:
        names.append(name)

    servers: dict[str, str] = {}
    with Zeroconf(interfaces=interfaces) as network:
        browser = ServiceBrowser(network, _TYPE, handlers=[note])
        time.sleep(_LOOK_S)
        browser.cancel()
        for name in sorted(set(names))[:_MOST]:
            info = network.get_service_info(_TYPE, name, _ANSWER_MS)
            if info is not None and (address := _address_of(info)):
                servers[name.removesuffix(f".{_TYPE}")] = address
    return servers


def _address_of(info: ServiceInfo) -> str:
    said = info.decoded_properties
    scheme, pin, hosts = said.get("scheme"), said.get("certificate"), info.parsed_addresses()
    if scheme not in ("http", "https") or not hosts:
        return ""
    shown = f"[{hosts[0]}]" if ":" in hosts[0] else hosts[0]
    return f"{scheme}://{shown}:{info.port}" + (f"#{pin}" if pin else "")
