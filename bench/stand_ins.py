"""How soon the stand-ins are up, and how soon they answer: what every test and the test drive wait
for.

Run by hand (`make bench-stand-ins`).
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import click
import requests

from sandbox.azure_devops import AzureDevOps
from sandbox.databricks import Databricks

TOKEN = "dapi-made-up"  # noqa: S105
STARTS, CALLS = 10, 200


def main() -> None:
    """Print one line for each stand-in, in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        below = Path(folder)
        _tell("azure devops", _azure_devops(below), "/contoso/_apis/connectionData")
        _tell("databricks", _databricks(below), "/api/2.0/workspace/list?path=/")


def _azure_devops(below: Path) -> Callable[[int], AzureDevOps]:
    return lambda number: AzureDevOps(
        below / f"azure {number}", organization="contoso", bot_token=TOKEN
    )


def _databricks(below: Path) -> Callable[[int], Databricks]:
    return lambda number: Databricks(below / f"databricks {number}", tokens={TOKEN: "signalman"})


def _tell(name: str, make: Callable[[int], AzureDevOps | Databricks], path: str) -> None:
    starts, answers = [], []
    for number in range(STARTS):
        began = time.perf_counter()
        with make(number) as server, requests.Session() as session:
            starts.append(time.perf_counter() - began)
            # Azure DevOps takes a token as the password of nobody, Databricks as a bearer's.
            basic = requests.auth.HTTPBasicAuth("", TOKEN)
            headers = (
                {} if isinstance(server, AzureDevOps) else {"Authorization": f"Bearer {TOKEN}"}
            )
            for _ in range(CALLS // STARTS):
                began = time.perf_counter()
                answer = session.get(
                    server.url + path, auth=None if headers else basic, headers=headers, timeout=5
                )
                answers.append(time.perf_counter() - began)
                answer.raise_for_status()
    click.echo(
        f"{name}: up after {median(starts) * 1000:.1f} ms (slowest {max(starts) * 1000:.1f}); "
        f"a call takes {median(answers) * 1000:.1f} ms (slowest {max(answers) * 1000:.1f})"
    )


if __name__ == "__main__":
    main()
