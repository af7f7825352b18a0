"""The worker that `waiting.py` measures: everything of the real one in memory, and passes that only
look again.

Started with the queue's address, a folder and how many seconds a pass takes. Writes a line with a
subject's number and the time to the standard output when a pass that has news begins.
"""

import sys
import time

from bot import app
from bot.config import environment
from bot.passes import Look, Outcome
from bot.queue import Queue, migrate
from bot.subjects import PullRequest
from bot.worker import Worker

RUNNING = 200
WAITING = 5000
ENVIRONMENT = {
    "AZURE_DEVOPS_ORG_URL": "https://dev.azure.com/contoso",
    "AZURE_DEVOPS_PROJECT": "tides",
    "AZURE_DEVOPS_REPOSITORY": "forecast",
    "AZURE_DEVOPS_TOKEN": "none",
    "AZURE_DEVOPS_WEBHOOK_USERNAME": "hooks",
    "AZURE_DEVOPS_WEBHOOK_PASSWORD": "none",
    "DATABRICKS_HOST": "https://adb-1.2.azuredatabricks.net",
    "DATABRICKS_TOKEN": "none",
    "DATABRICKS_WEBHOOK_SECRET": "none",
    "MLFLOW_WEBHOOK_SECRET": "none",
}


def main(url: str, folder: str, seconds: str) -> None:
    """Work until told to stop."""
    import bot.controllers.pull_request.controller  # noqa: F401 (what `app.worker` imports)

    found = environment.read({**ENVIRONMENT, "SIGNALMAN_VAR": folder, "DATABASE_URL": url})
    migrate(url)
    world = app.services_of(found)

    def pass_over(look: Look) -> Outcome:
        assert isinstance(look.subject, PullRequest)  # noqa: S101
        running = look.subject.number <= RUNNING
        if look.news and not running:
            sys.stdout.write(f"{look.subject.number} {time.time()}\n")
            sys.stdout.flush()
        if float(seconds):
            time.sleep(float(seconds))
        return Outcome(look_again=1.0 if running else 3600.0, memo=look.memo)

    def everything() -> list[PullRequest]:
        return [
            PullRequest("contoso/tides/forecast", number)
            for number in range(1, RUNNING + WAITING + 1)
        ]

    worker = Worker(
        Queue(url),
        pass_over,
        sweep=everything,
        passes=found.limits.passes,
        lease=found.limits.lease,
    )
    worker.world = world  # type: ignore[attr-defined]  # kept, as the real one keeps it
    worker.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
