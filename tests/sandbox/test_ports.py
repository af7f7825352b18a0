"""Ports for servers whose address has to be known before they listen."""

import socket
from pathlib import Path

import pytest

from sandbox import ports
from sandbox.ports import free_port


def test_a_port_is_none_that_an_outgoing_connection_might_be_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_away = tmp_path / "ip_local_port_range"
    given_away.write_text("24000\t60999\n")
    monkeypatch.setattr(ports, "_GIVEN_AWAY", given_away)

    found = {free_port() for _ in range(100)}

    assert all(20_000 <= port < 24_000 for port in found)
    assert len(found) > 50


def test_a_port_where_somebody_listens_is_not_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        given_away = tmp_path / "ip_local_port_range"
        given_away.write_text(f"{port + 1} 60999")
        monkeypatch.setattr(ports, "_GIVEN_AWAY", given_away)
        monkeypatch.setattr(ports, "_LOWEST", port)

        assert free_port() > port


def test_where_the_kernel_gives_all_of_them_away_one_of_those_has_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_away = tmp_path / "ip_local_port_range"
    given_away.write_text("1024 65535")
    monkeypatch.setattr(ports, "_GIVEN_AWAY", given_away)

    assert free_port() >= 1024
