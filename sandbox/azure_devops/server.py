"""The stand-in Azure DevOps as one object: an HTTP server on 127.0.0.1, a git repository, people
who do things.
"""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from sandbox.azure_devops import (
    api_checks,
    api_discussion,
    api_items,
    api_policies,
    api_pull_requests,
    api_repositories,
    api_teams,
    git_http,
)
from sandbox.azure_devops.api_hooks import hook_routes
from sandbox.azure_devops.calls import Exchange
from sandbox.azure_devops.door import Door
from sandbox.azure_devops.faults import Fault
from sandbox.azure_devops.hooks_delivery import Sender
from sandbox.azure_devops.jobs import Jobs
from sandbox.azure_devops.pages import Pages
from sandbox.azure_devops.people import People
from sandbox.azure_devops.plumbing import Repository
from sandbox.azure_devops.state import World
from sandbox.azure_devops.verbs import Verbs


class AzureDevOps(Verbs):
    """An organisation with one project and one repository, served at `organization_url`.

    `root` keeps the bare repository; everything else lives in memory and survives
    `stop` and `start`, not the object. `people` maps tokens to display names.
    Waiting times, in seconds: `latency` of every REST call, `hook_latency` from an
    event to its delivery, `job_delay` before merge jobs; `retry_scale` multiplies
    the waits between failed deliveries. Differences from the real service: webhook
    targets may be on loopback, and the pages need no sign-in.
    """

    def __init__(
        self,
        root: Path,
        *,
        organization: str = "contoso",
        project: str = "ml",
        repository: str = "models",
        bot_token: str,
        bot_name: str = "Signalman",
        people: Mapping[str, str] | None = None,
        default_branch: str = "main",
        latency: float = 0.0,
        hook_latency: float = 0.0,
        hook_timeout: float = 10.0,
        job_delay: float = 0.0,
        retry_scale: float = 1.0,
    ) -> None:
        names = dict(people or {})
        everyone = People(organization, names | {bot_token: bot_name})
        git = Repository(Path(root).resolve() / "repository.git")
        world = World(organization, project, repository, everyone, git, default_branch)
        super().__init__(world, next(iter(names.values()), "Ada Bergström"))
        git_http.install(world)
        world.jobs = Jobs(job_delay)
        self.bot_name = bot_name
        self._sender = Sender(
            world, latency=hook_latency, retry_scale=retry_scale, timeout=hook_timeout
        )
        world.tell = self._sender.tell
        tables = [
            api_repositories.routes,
            api_items.routes,
            api_pull_requests.routes,
            api_discussion.routes,
            api_checks.routes,
            api_policies.routes,
            api_teams.routes,
            hook_routes(self._sender),
        ]
        self._door = Door(world, tables, Pages(world), latency=latency)
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None
        self._port = 0

    def start(self, port: int = 0) -> "AzureDevOps":
        """Serve on 127.0.0.1; port 0 is a free one, and the same again after a `stop`."""
        server = make_server(
            "127.0.0.1", port or self._port, self._door, threaded=True, request_handler=_Handler
        )
        self._server, self._port = server, server.port
        self.world.address = self.url
        self._thread = threading.Thread(
            target=server.serve_forever,
            kwargs={"poll_interval": 0.02},
            name="azure-devops-http",
            daemon=True,
        )
        self._thread.start()
        self._sender.start()
        return self

    def stop(self) -> None:
        """Stop serving and sending; state and port are kept for another `start`."""
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server = self._thread = None
        self._sender.stop()
        self.world.jobs.stop()

    def __enter__(self) -> "AzureDevOps":
        return self if self._server is not None else self.start()

    def __exit__(self, *exception: Any) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where the server listens, without a slash at the end."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def organization_url(self) -> str:
        """What stands for https://dev.azure.com/contoso."""
        return f"{self.url}/{self.world.organization}"

    @property
    def clone_url(self) -> str:
        """What git clones; authenticate with a token as the password."""
        return f"{self.organization_url}/{self.world.project}/_git/{self.world.repository}".replace(
            " ", "%20"
        )

    @property
    def calls(self) -> list[Exchange]:
        """Every REST exchange so far, refused ones included."""
        return self._door.calls

    @property
    def observers(self) -> list[Callable[[Exchange], None]]:
        """Called after every REST exchange, in the server's thread; append to it."""
        return self._door.observers

    def drain(self, timeout: float = 10.0, *, retries: bool = False) -> None:
        """Wait until merge jobs are done and every delivery that is due was tried; with `retries`
        all of them.
        """
        self.world.jobs.settle(timeout)
        self._sender.drain(timeout, retries=retries)

    def trip(
        self,
        status: int = 503,
        *,
        method: str | None = None,
        path: str = "",
        times: int = 1,
        retry_after: float | None = None,
        lose_answer: bool = False,
    ) -> None:
        """Let the next REST calls that match (`path` is a part of it) fail with this status.

        With `lose_answer` the call is carried out and the connection cut instead.
        """
        self._door.faults.add(Fault(status, method, path, times, retry_after, lose_answer))

    def untrip(self) -> None:
        """Take all faults back."""
        self._door.faults.clear()


class _Handler(WSGIRequestHandler):
    """Small answers at once, and no access log."""

    disable_nagle_algorithm = True

    def connection_dropped(self, *_: Any) -> None:
        """Cut the line, also when it was an answer lost on purpose that dropped it."""
        self.close_connection = True

    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing: `AzureDevOps.calls` is the log."""
