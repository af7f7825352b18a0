"""Runs the stand-in as a process of its own: `python -m sandbox.azure_devops --root DIR --port N`.

Tokens come from the environment, never from the command line, where every user
of the machine could read them: `STAND_IN_BOT_TOKEN`, and `STAND_IN_PEOPLE` as
JSON, a map from token to display name.
"""

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path

from sandbox.azure_devops.server import AzureDevOps


def main() -> int:
    """Serve until interrupted; 2 when the environment lacks a token."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.azure_devops", description=__doc__)
    parser.add_argument(
        "--root", type=Path, required=True, help="where the bare repository is kept"
    )
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--organization", default="contoso")
    parser.add_argument("--project", default="ml")
    parser.add_argument("--repository", default="models")
    parser.add_argument(
        "--seed", type=Path, help="a folder whose files become the first commit of main"
    )
    arguments = parser.parse_args()
    token = os.environ.get("STAND_IN_BOT_TOKEN", "")
    if not token:
        print(
            "STAND_IN_BOT_TOKEN is not set: choose a token for the bot and export it.",
            file=sys.stderr,
        )
        return 2
    try:
        people = json.loads(os.environ.get("STAND_IN_PEOPLE") or "{}")
    except ValueError:
        print(
            'STAND_IN_PEOPLE is not JSON; write it as {"token": "Display Name"}.', file=sys.stderr
        )
        return 2
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    stand_in = AzureDevOps(
        arguments.root,
        organization=arguments.organization,
        project=arguments.project,
        repository=arguments.repository,
        bot_token=token,
        people=people,
    )
    with stand_in.start(arguments.port):
        if arguments.seed and not stand_in.world.git.commit_of("refs/heads/main"):
            stand_in.seed(arguments.seed)
        print(f"Azure DevOps (stand-in) listens at {stand_in.organization_url}", flush=True)
        stopped.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
