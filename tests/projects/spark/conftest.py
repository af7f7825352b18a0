"""`make test-spark` has Spark; where there is none, nothing here is collected."""

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

TOLD = pytest.StashKey[list[str]]()

collect_ignore_glob = [] if importlib.util.find_spec("pyspark") else ["test_*"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is true of every test here: it is slow, and MLflow's own store uses a deprecated
    SQLAlchemy option.
    """
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.slow)
            item.add_marker(
                pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")
            )


@pytest.fixture(scope="session")
def here(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a small cluster: Spark in this process, with its tables below a folder of
    its own.
    """
    home = tmp_path_factory.mktemp("spark")
    options = {
        "spark.master": "local[2]",
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.warehouse.dir": str(home / "warehouse"),
        "spark.driver.extraJavaOptions": f"-Dderby.system.home={home}",
    }
    conf = home / "spark-defaults.conf"
    conf.write_text("".join(f"{name} {value}\n" for name, value in options.items()))
    return {
        "DATABRICKS_RUNTIME_VERSION": "17.3",
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_CONF_DIR": str(home),
    }


@pytest.fixture(scope="session")
def project() -> Iterator[None]:
    """Let modules of the scoring project be imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend("projects/ExampleScoringProject")
        yield


@pytest.fixture(scope="session")
def session(here: dict[str, str], project: None) -> Iterator[Any]:
    """The session that the project finds on such a cluster."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in here.items():
            patch.setenv(name, value)
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        found = importlib.import_module("dataset").spark()
        assert found is not None
        yield found
        found.stop()


@pytest.fixture
def told(request: pytest.FixtureRequest) -> list[str]:
    """What is printed at the end."""
    return request.config.stash.setdefault(TOLD, [])


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print what the comparisons came to."""
    for line in config.stash.get(TOLD, []):
        terminalreporter.write_line(line)
