"""Requests to move a model version to another stage, which somebody with the right approves,
rejects or takes back.

https://docs.databricks.com/api/model-registry/v1/transition-request. What the
service answers to a second request of the same person is not documented; here it
is one more.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from sandbox.databricks.webhooks import Webhooks
from sandbox.databricks.wire import Call, Handler, Refusal, missing, now


class Moves(Protocol):
    """What moves a version: `Registry.transition`."""

    def __call__(self, name: str, version: str, stage: str, *, archive: bool = False) -> object:
        """Move it and tell the webhooks."""


@dataclass(frozen=True)
class Request:
    """One that is open."""

    id: str
    name: str
    version: str
    from_stage: str
    to_stage: str
    user: str
    comment: str
    created: int

    def shown(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "id": self.id,
            "activity_type": "REQUESTED_TRANSITION",
            "creation_timestamp": self.created,
            "last_updated_timestamp": self.created,
            "user_id": self.user,
            "from_stage": self.from_stage,
            "to_stage": self.to_stage,
            **({"comment": self.comment} if self.comment else {}),
            "available_actions": [
                "APPROVE_TRANSITION_REQUEST",
                "REJECT_TRANSITION_REQUEST",
                "CANCEL_TRANSITION_REQUEST",
            ],
        }


class TransitionRequests:
    """Answers `/api/2.0/mlflow/transition-requests/…`. `stage` tells where a version is, or refuses
    that it is.
    """

    def __init__(
        self,
        stage: Callable[[str, str], str],
        move: Moves,
        webhooks: Webhooks,
        stages: tuple[str, ...],
    ):
        self.open: list[Request] = []
        self._stage, self._move, self._webhooks, self._stages = stage, move, webhooks, stages
        self._ids = itertools.count(1)

    def table(self) -> dict[tuple[str, str], Handler]:
        """What is answered here."""
        return {
            ("POST", "transition-requests/create"): self.create,
            ("GET", "transition-requests/list"): self.opened,
            ("POST", "transition-requests/approve"): self.approve,
            ("POST", "transition-requests/reject"): self.reject,
            ("DELETE", "transition-requests/delete"): self.delete,
        }

    def create(self, call: Call) -> dict[str, Any]:
        """Ask for a version to be moved, and tell the webhooks."""
        asked = self._asked(call, "name", "version", "stage")
        return {
            "request": self.ask(
                asked["name"], asked["version"], asked["stage"], call.user, asked.get("comment")
            )
        }

    def ask(
        self, name: str, version: str, stage: str, user: str, comment: str | None = None
    ) -> dict[str, Any]:
        """The same, by whoever does it in the UI."""
        identity = f"{next(self._ids):032x}"
        found = Request(
            identity, name, version, self._stage(name, version), stage, user, comment or "", now()
        )
        self.open.append(found)
        text = (
            f"{user} requested a transition of registered model '{name}' version {version} to "
            f"{stage}."
        )
        specific = [] if stage == "None" else [f"TRANSITION_REQUEST_TO_{stage.upper()}_CREATED"]
        self._webhooks.fire(
            ("TRANSITION_REQUEST_CREATED", *specific),
            name,
            version=version,
            to_stage=stage,
            from_stage=found.from_stage,
            text=text,
        )
        return found.shown()

    def opened(self, call: Call) -> dict[str, Any]:
        """The open requests for a version."""
        asked = self._asked(call, "name", "version")
        self._stage(asked["name"], asked["version"])
        of = (asked["name"], asked["version"])
        found = [one.shown() for one in self.open if (one.name, one.version) == of]
        return {"requests": found} if found else {}

    def approve(self, call: Call) -> dict[str, Any]:
        """Move the version: what was asked for is then answered, whoever asked."""
        asked = self._asked(call, "name", "version", "stage", "archive_existing_versions")
        found = self._found(asked)
        self.open = [one for one in self.open if one not in found]
        archive = str(asked["archive_existing_versions"]).lower() == "true"
        self._move(asked["name"], asked["version"], asked["stage"], archive=archive)
        return {"activity": self._activity("APPROVED_REQUEST", found[0], call, asked)}

    def reject(self, call: Call) -> dict[str, Any]:
        """Leave the version where it is."""
        asked = self._asked(call, "name", "version", "stage")
        found = self._found(asked)
        self.open = [one for one in self.open if one not in found]
        return {"activity": self._activity("REJECTED_REQUEST", found[0], call, asked)}

    def delete(self, call: Call) -> dict[str, Any]:
        """Take back what one person asked for."""
        asked = self._asked(call, "name", "version", "stage", "creator")
        found = [one for one in self._found(asked) if one.user == asked["creator"]]
        if not found:
            raise _none(asked)
        self.open.remove(found[0])
        return {"activity": self._activity("CANCELLED_REQUEST", found[0], call, asked)}

    def _asked(self, call: Call, *names: str) -> dict[str, Any]:
        asked = call.asked()
        for name in names:
            if asked.get(name) in (None, ""):
                raise missing(name)
        if "stage" in names and asked["stage"] not in self._stages:
            raise Refusal(
                400, "INVALID_PARAMETER_VALUE", f"Invalid Model Version stage {asked['stage']}."
            )
        return {**asked, "version": str(asked["version"])}

    def _found(self, asked: dict[str, Any]) -> list[Request]:
        wanted = (asked["name"], asked["version"], asked["stage"])
        found = [one for one in self.open if (one.name, one.version, one.to_stage) == wanted]
        if not found:
            raise _none(asked)
        return found

    def _activity(
        self, kind: str, request: Request, call: Call, asked: dict[str, Any]
    ) -> dict[str, Any]:
        comment = {"comment": asked["comment"]} if asked.get("comment") else {}
        return {
            "id": f"{next(self._ids):032x}",
            "activity_type": kind,
            "creation_timestamp": now(),
            "last_updated_timestamp": now(),
            "user_id": call.user,
            "from_stage": request.from_stage,
            "to_stage": request.to_stage,
            **comment,
        }


def _none(asked: dict[str, Any]) -> Refusal:
    told = (
        f"No open request to move {asked['name']} version {asked['version']} to {asked['stage']}."
    )
    return Refusal(404, "RESOURCE_DOES_NOT_EXIST", told)
