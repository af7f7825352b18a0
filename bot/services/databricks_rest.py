"""What both clients of a workspace share: how its REST API tells of runs and objects, and how it
refuses.

Knows the API's JSON and neither client.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from bot.config.environment import WorkspaceAccess
from bot.errors import ConfigError, NotFound, ServiceError
from bot.facts.runs import Outcome
from bot.services.databricks import ClusterRun, Json, Node, RunOutput

INLINE = 7 * 1024 * 1024
"""Bytes; more than that would be over 10 MB as base64 in a JSON body, and goes as the file of a
form.
"""

# Ended by the workspace, not by the project: worth another try, and nobody's fault on the pull
# request (https://docs.databricks.com/api/workspace/jobs/getrun, termination_details.code).
_NO_CLUSTER = frozenset(
    {
        "CLOUD_FAILURE",
        "CLUSTER_ERROR",
        "CLUSTER_REQUEST_LIMIT_EXCEEDED",
        "DRIVER_ERROR",
        "INTERNAL_ERROR",
        "MAX_CONCURRENT_RUNS_EXCEEDED",
        "MAX_JOB_QUEUE_SIZE_EXCEEDED",
        "MAX_SPARK_CONTEXTS_EXCEEDED",
        "SKIPPED",
        "STORAGE_ACCESS_ERROR",
        "WORKSPACE_RUN_LIMIT_EXCEEDED",
    }
)


def tokens(access: WorkspaceAccess) -> tuple[str, ...]:
    """A workspace's tokens as they are sent. Raises ConfigError for one that no header can hold."""
    sent = tuple(token.get_secret_value() for token in access.tokens)
    if not all(token.isascii() and token.isprintable() for token in sent):
        raise ConfigError(
            f"A token for {access.host} holds a line break or a letter that no token has. Look at "
            "DATABRICKS_TOKEN and DATABRICKS_VALIDATION_TOKEN, or the files that they name."
        )
    return sent


class Rotation:
    """The positions of a workspace's tokens, that of the one in use first. May be gone through by
    several threads.
    """

    def __init__(self, tokens: int) -> None:
        self._count = max(1, tokens)
        self.current = 0

    def __iter__(self) -> Iterator[int]:
        """Each position once. Who asks for the next one says that the last was not accepted."""
        first = self.current
        for step in range(self._count):
            if step:
                self.current = (first + step) % self._count
            yield (first + step) % self._count


def cluster_run(run: str, answer: Json) -> ClusterRun:
    """A run as `runs/get` tells it; its task is the last one."""
    task = answer.get("run_id")
    if answer.get("tasks"):
        task = answer["tasks"][-1].get("run_id")
    outcome, message = _ended(answer)
    return ClusterRun(
        id=run,
        task=str(task),
        page=_http(answer.get("run_page_url")),
        outcome=outcome,
        message=message,
        started=_time(answer.get("start_time")),
        ended=_time(answer.get("end_time")),
    )


def output(answer: Json) -> RunOutput:
    """What `runs/get-output` tells of a task."""
    return RunOutput(
        error=answer.get("error") or "",
        log=answer.get("logs") or answer.get("error_trace") or "",
        result=(answer.get("notebook_output") or {}).get("result") or "",
        cut=bool(answer.get("logs_truncated")),
    )


def node(entry: Json) -> Node:
    """An object as `workspace/list` tells it."""
    kinds: Mapping[Any, Any] = {"NOTEBOOK": "notebook", "FILE": "file", "DIRECTORY": "folder"}
    return Node(
        entry.get("path") or "",
        kinds.get(entry.get("object_type"), "other"),
        entry.get("modified_at") or 0,
    )


def refusal(
    what: str, message: str, status: int | None, retry_after: float | None = None
) -> ServiceError:
    """The error for a call that was answered with another one; `status` is its kind, 404 where
    nothing was found.
    """
    message = " ".join(message.split())[:300]
    sentence = f"Databricks could not {what}: {message}"
    match status:
        case 404:
            return NotFound("Databricks", sentence, status=404)
        case 403:
            return ServiceError(
                "Databricks",
                f"Databricks refused to {what} (403): {message} The bot's service principal needs "
                "that permission.",
                status=403,
            )
        case 429:
            return ServiceError("Databricks", sentence, status=429, retry_after=retry_after)
        case _:
            return ServiceError("Databricks", sentence, retry_after=retry_after)


FOLDERS_THAT_STAY = ("DIRECTORY_NOT_EMPTY", "DIRECTORY_PROTECTED")
"""Why a folder is not removed, unless all that is in it is to go, too
(https://docs.databricks.com/api/workspace/workspace/delete)."""


def unreachable(host: str, what: str, error: Exception) -> ServiceError:
    """The error for a call that got no answer."""
    return ServiceError(
        "Databricks", f"{host} could not be reached to {what} ({type(error).__name__})."
    )


def signed_out(host: str) -> ServiceError:
    """The error for a workspace that accepts none of the tokens."""
    return ServiceError(
        "Databricks",
        f"{host} does not accept the bot's token: make a new one for its service principal and set "
        "DATABRICKS_TOKEN (or DATABRICKS_VALIDATION_TOKEN).",
        status=401,
    )


def is_about_a_token(status: int | None, message: str) -> bool:
    """Whether a refusal is one of the token: unknown or expired, it is answered like a permission
    that is lacking.
    """
    return status == 401 or (status == 403 and "access token" in message.lower())


def _ended(run: Json) -> tuple[Outcome | None, str]:
    state = run.get("state") or {}
    life = state.get("life_cycle_state") or ""
    result = state.get("result_state") or ""
    details = (run.get("status") or {}).get("termination_details") or {}
    code = details.get("code") or ""
    message = details.get("message") or state.get("state_message") or ""
    if life not in ("TERMINATED", "SKIPPED", "INTERNAL_ERROR"):
        return None, message
    if result == "SUCCESS":
        return "succeeded", message
    if result == "TIMEDOUT":
        return "timed out", message
    if result == "CANCELED":
        return "cancelled", message
    if code in _NO_CLUSTER or life == "SKIPPED" or (life == "INTERNAL_ERROR" and not result):
        return "no cluster", message or code
    return "failed", message


def _time(milliseconds: int | None) -> datetime | None:
    if milliseconds:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    return None


def _http(address: str | None) -> str:
    if address and address.startswith(("http://", "https://")):
        return address
    return ""
