"""The weather between the bot and its neighbours: a door of its own for each worker and neighbour.

Whose call it is follows from the door it came by. What a project calls while it
runs is let through: its script has no patience, and its failures are its own.
"""

import http.client
import json
import threading
import time
from dataclasses import dataclass
from typing import Literal, Protocol

from sandbox.chaos import climate as climates
from sandbox.chaos.calls import Call, CutError, Listener, Reply, ask
from sandbox.chaos.climate import Fate
from sandbox.chaos.diary import Diary

Neighbour = Literal["azure", "databricks", "mlflow"]
Moment = Literal["before", "after"]

_SIGN_IN = b"<!DOCTYPE html><html><head><title>Azure DevOps Services | Sign In</title></head><body></body></html>"  # noqa: E501 a table, or a text as it is sent
_GATEWAY = b"<html><head><title>Bad gateway</title></head><body>The upstream server did not answer.</body></html>"  # noqa: E501 a table, or a text as it is sent
_JSON, _HTML = ("Content-Type", "application/json"), ("Content-Type", "text/html; charset=utf-8")
_PROJECTS = "Python-urllib"


class Watcher(Protocol):
    """Somebody who may kill a worker in the middle of its call."""

    def __call__(self, worker: int, moment: Moment) -> bool:
        """Told of each changing call, before it is passed on and after it was answered; True if the
        caller is dead.
        """


@dataclass(frozen=True)
class Effect:
    """A change that a neighbour accepted: when (monotonic seconds), from which worker, what."""

    at: float
    worker: int
    what: str


class Sky:
    """All weather of one storm; fair until `climate` is set to another. `effects` are the changes
    that the bot made.
    """

    def __init__(self, seed: int, diary: Diary) -> None:
        self.climate = climates.CALM
        self.effects: list[Effect] = []
        self.watcher: Watcher = lambda _worker, _moment: False
        self.troubles: dict[str, int] = {}
        self._seed, self._diary = seed, diary
        self._lock = threading.Lock()
        self._numbers: dict[Neighbour, int] = {}
        self._out: dict[Neighbour, tuple[float, bool]] = {}
        self._listeners: list[Listener] = []
        self._never = threading.Event()

    def door(self, neighbour: Neighbour, address: str, worker: int) -> str:
        """The address at which a worker finds a neighbour, whatever the weather."""

        def answer(call: Call) -> Reply:
            if call.header("user-agent").startswith(_PROJECTS):
                return _passed_on(address, call)
            return self._under_way(neighbour, address, worker, call)

        listener = Listener(answer)
        self._listeners.append(listener)
        return listener.url

    def close(self) -> None:
        """Close all doors."""
        for listener in self._listeners:
            listener.close()

    def _under_way(self, neighbour: Neighbour, address: str, worker: int, call: Call) -> Reply:
        fate = self._fate(neighbour, call)
        if fate.kind != "fine":
            self._diary.note(
                "trouble", kind=fate.kind, worker=worker, neighbour=neighbour, call=_short(call)
            )
        self._never.wait(fate.latency)
        if fate.kind in ("cut", "hangs"):
            self._never.wait(self.climate.hold if fate.kind == "hangs" else 0)
            raise CutError
        if fate.status:
            return _refusal(neighbour, fate.status)
        if call.changes and self.watcher(worker, "before"):
            raise CutError
        reply = _passed_on(address, call)
        if call.changes:
            self._diary.note(
                "call", worker=worker, neighbour=neighbour, call=_short(call), status=reply.status
            )
            if reply.status < 400:
                self.effects.append(Effect(time.monotonic(), worker, f"{neighbour} {_short(call)}"))
            if self.watcher(worker, "after"):
                raise CutError
        if fate.kind == "lost":
            raise CutError
        if fate.kind == "throttled":
            return Reply(reply.status, (*reply.headers, ("Retry-After", "1")), reply.body)
        return reply

    def _fate(self, neighbour: Neighbour, call: Call) -> Fate:
        azure_rest = neighbour == "azure" and "/_apis/" in call.path
        climate = self.climate
        if climate == climates.CALM:
            return Fate()
        with self._lock:
            until, refused = self._out.get(neighbour, (0.0, False))
            if time.monotonic() < until:
                return Fate("cut") if refused else Fate("outage", status=503)
            number = self._numbers[neighbour] = self._numbers.get(neighbour, 0) + 1
            fate = climates.draw(climate, self._seed, neighbour, number, azure_rest=azure_rest)
            if fate.kind != "fine":
                self.troubles[fate.kind] = self.troubles.get(fate.kind, 0) + 1
            if fate.kind == "outage":
                self._out[neighbour] = (time.monotonic() + fate.lasts, number % 2 == 0)
                return Fate("outage", status=503)
        return fate


def _passed_on(address: str, call: Call) -> Reply:
    try:
        return ask(address, call)
    except (OSError, http.client.HTTPException):
        return _refusal("mlflow", 502)


def _refusal(neighbour: Neighbour, status: int) -> Reply:
    """In the words of whoever refuses: the service itself, or the gateway before it."""
    wait = (("Retry-After", "1"),) if status == 429 else ()
    if status == 203:
        return Reply(203, (_HTML,), _SIGN_IN)
    if status == 502 or neighbour == "mlflow":
        return Reply(status, (_HTML, *wait), _GATEWAY)
    if neighbour == "azure":
        told = {
            "$id": "1",
            "message": "TF400733: The request has been canceled.",
            "typeKey": "VssServiceException",
        }
        return Reply(status, (_JSON, *wait), json.dumps(told).encode())
    code = {429: "REQUEST_LIMIT_EXCEEDED", 503: "TEMPORARILY_UNAVAILABLE"}.get(
        status, "INTERNAL_ERROR"
    )
    return Reply(
        status,
        (_JSON, *wait),
        json.dumps({"error_code": code, "message": "Try again later."}).encode(),
    )


def _short(call: Call) -> str:
    return f"{call.method} {call.path.partition('?')[0]}"
