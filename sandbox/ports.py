"""Ports of this machine, for whoever has to know an address before somebody listens there."""

import random
import socket
from pathlib import Path

_LOWEST = 20_000
_GIVEN_AWAY = Path("/proc/sys/net/ipv4/ip_local_port_range")
_USUALLY_GIVEN_AWAY = 32_768


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on right now; somebody else who chooses one may take
    it at any moment.

    It is none that the kernel gives to whoever does not choose, as each outgoing connection: on a
    busy machine one of those is soon somebody's (https://docs.kernel.org/networking/ip-sysctl.html,
    `ip_local_port_range`).
    """
    try:
        highest = int(_GIVEN_AWAY.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        highest = _USUALLY_GIVEN_AWAY
    chosen = range(_LOWEST, highest)
    for port in (*random.SystemRandom().sample(chosen, min(50, len(chosen))), 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("No port of 127.0.0.1 is free.")
