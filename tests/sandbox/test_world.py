"""The stand-ins together: all of them, or none."""

import socket
from pathlib import Path

import pytest
import requests

from sandbox.ports import free_port
from sandbox.world import World
from tests.bot_in_process import CONTENT

pytestmark = pytest.mark.slow


def test_where_one_cannot_be_started_none_goes_on(tmp_path: Path) -> None:
    world = World(tmp_path, CONTENT)

    # Werkzeug's way to say that the port is taken.
    with socket.create_server(("127.0.0.1", free_port())) as taken, pytest.raises(SystemExit):
        world.start(databricks_port=taken.getsockname()[1])

    for url in (world.mlflow.url, world.azure.organization_url):
        with pytest.raises(requests.ConnectionError):
            requests.get(url, timeout=5)
