"""What can go wrong, sorted by whose it is to put right.

The class tells the program what to do; the text tells a person what was wrong,
where, what was found and what to do about it. No text ever holds a secret.
"""


class SignalmanError(Exception):
    """Something a person has to read. Its text is a whole sentence."""


class ConfigError(SignalmanError):
    """A configuration file or environment variable is not usable; the text names file and key."""


class RefusedHook(SignalmanError):
    """A webhook that must not be acted on.

    `status` is the HTTP answer: 401 for credentials, 400 for a body that cannot
    be read (the text names the field).
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class ProjectError(SignalmanError):
    """An MLflow project cannot be run as it stands; its author has to change it."""


class ServiceError(SignalmanError):
    """A neighbour (Azure DevOps, Databricks, MLflow, Git) did not do what it was asked.

    `status` is its HTTP status where there was one; `retry_after` the seconds it
    asked us to wait. The queue looks at the subject again later.
    """

    def __init__(
        self,
        neighbour: str,
        sentence: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(sentence)
        self.neighbour = neighbour
        self.status = status
        self.retry_after = retry_after


class NotFound(ServiceError):
    """The neighbour answered, and what was asked for is not there."""
