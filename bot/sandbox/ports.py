"""Ports of this machine, for whoever has to know an address before somebody listens there."""

import socket


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on right now; somebody else may take it at any moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
