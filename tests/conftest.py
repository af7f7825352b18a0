"""What tests of more than one folder share: how Hypothesis looks for examples, a world, and a bot
in it.

What needs seconds to be imported is imported by the fixtures that need it, so that the tests that
touch nothing start at once.
"""

import os
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _pytest import runner
from hypothesis import HealthCheck
from hypothesis import settings as examples

if TYPE_CHECKING:
    from sandbox.mlflow_server import MlflowServer
    from sandbox.world import World
    from tests.bot_in_process import Bot

# What was compiled is kept, though the machine may say otherwise: it takes each process of pytest
# ten seconds of CPU to compile all tests.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# The same examples every time, and no clock: the machine may be busy with something else. `make
# test-long` shows many more of them. Who wants other examples says --hypothesis-profile=default
# --hypothesis-seed=N.
_steady = examples(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
examples.register_profile("steady", _steady, max_examples=20)
examples.register_profile("thorough", _steady, max_examples=500)
examples.load_profile("steady")

# What a test starts may go on in threads while pytest goes from one test to the next and takes the
# name of the last one out of os.environ; whoever goes through that meanwhile, as requests and
# GitPython do, fails. So no name gets in.
runner._update_current_test_var = lambda item, when: None

LONG = ("controllers", "stories", "backends", "chaos", "projects", "sandbox", "services", "web")
"""Folders whose files take long, the longest first: two processes that begin with them end at the
same time.
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long."""

    def turn(item: pytest.Item) -> int:
        folder = item.path.relative_to(Path(__file__).parent).parts[0]
        return LONG.index(folder) if folder in LONG else len(LONG)

    items.sort(key=turn)


@pytest.fixture(scope="session")
def forgetful_mlflow(
    tmp_path_factory: pytest.TempPathFactory,
) -> "Iterator[Callable[[], MlflowServer]]":
    """A real MLflow server, which forgets everything when it is asked for: importing MLflow takes
    seconds.
    """
    from sandbox.mlflow_server import MlflowServer

    with (
        MlflowServer(tmp_path_factory.mktemp("mlflow")) as server,
        closing(sqlite3.connect(":memory:")) as empty,
        closing(sqlite3.connect(server.database)) as database,
    ):
        database.backup(empty)

        def forgetful() -> MlflowServer:
            with closing(sqlite3.connect(server.database)) as database:
                empty.backup(database)
            shutil.rmtree(server.artifacts)
            server.artifacts.mkdir()
            return server

        yield forgetful


@pytest.fixture(scope="module")
def mlflow_server(forgetful_mlflow: "Callable[[], MlflowServer]") -> "MlflowServer":
    """An MLflow server that has forgotten what other files told it."""
    return forgetful_mlflow()


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory, mlflow_server: "MlflowServer"
) -> "Iterator[World]":
    """The neighbours, one set for the stories of a file."""
    from sandbox.world import World
    from tests.bot_in_process import CONTENT

    with World(tmp_path_factory.mktemp("world"), CONTENT, slots=4, mlflow=mlflow_server) as started:
        yield started


@pytest.fixture(scope="module")
def bot(world: "World", tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Bot]":
    """A bot that hears of everything, one for the stories of a file."""
    from tests.bot_in_process import start_bot

    found, server = start_bot(world, tmp_path_factory.mktemp("bot"))
    world.subscribe(found.url)
    found.sweep()
    yield found
    server.shutdown()
