"""What the stand-in remembers of service hooks: subscriptions, notifications, attempts to deliver
them.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sandbox.azure_devops.people import Person


@dataclass
class Attempt:
    """One HTTP request made to deliver a notification; `status` is None when no answer came."""

    at: datetime
    seconds: float
    status: int | None
    answer: str


@dataclass
class Notification:
    """An event on its way to one subscription."""

    id: int
    subscription: str
    event: dict[str, Any]
    created: datetime
    modified: datetime
    status: str = "queued"
    result: str = "pending"
    request: str = ""
    error: str | None = None
    attempts: list[Attempt] = field(default_factory=list)


@dataclass
class Subscription:
    """A service hook. `consumer_inputs` holds the secrets in clear; they leave masked."""

    id: str
    event_type: str
    resource_version: str
    publisher_inputs: dict[str, str]
    consumer_inputs: dict[str, str]
    author: Person
    created: datetime
    modified: datetime
    modified_by: Person
    status: str = "enabled"
    probation_retries: int = 0
    last_probation_retry: datetime | None = None
    notifications: list[Notification] = field(default_factory=list)
