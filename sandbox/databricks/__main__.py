"""`python -m sandbox.databricks`: the stand-in as a process of its own.

Tokens come from the environment, never from the command line, where everyone
on the machine could read them: `DATABRICKS_SANDBOX_TOKENS` holds
`token=user, token=user, …`.
"""

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

from sandbox.databricks.server import Databricks

TOKENS = "DATABRICKS_SANDBOX_TOKENS"


def main() -> int:
    """Serve until asked to stop."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.databricks", description=__doc__)
    parser.add_argument(
        "--root", type=Path, required=True, help="the folder that holds everything it keeps"
    )
    parser.add_argument(
        "--port", type=int, default=0, help="the port on 127.0.0.1; 0 takes a free one"
    )
    parser.add_argument("--mlflow-url", help="the MLflow server behind it")
    parser.add_argument(
        "--slots", type=int, default=2, help="how many runs are carried out at once"
    )
    parser.add_argument("--cluster-start-seconds", type=float, default=0.0)
    asked = parser.parse_args()
    pairs = [pair.partition("=") for pair in os.environ.get(TOKENS, "").split(",") if pair.strip()]
    tokens = {token.strip(): user.strip() for token, _, user in pairs}
    if not tokens or not all(tokens.values()):
        print(
            f"{TOKENS} is not usable: it has to hold token=user, separated by commas.",
            file=sys.stderr,
        )
        return 2
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with Databricks(
        asked.root,
        tokens=tokens,
        mlflow_url=asked.mlflow_url,
        slots=asked.slots,
        cluster_start_seconds=asked.cluster_start_seconds,
    ).start(asked.port) as workspace:
        print(workspace.url, flush=True)
        stopped.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
