"""How Azure DevOps says no: one exception, and the JSON body it becomes.

Body: `reference §5` of the REST conventions, as answered by the service:
https://learn.microsoft.com/en-us/azure/devops/integrate/how-to/call-rest-api
"""

from typing import Any

GIT = "Microsoft.TeamFoundation.Git.Server"
FRAMEWORK = "Microsoft.TeamFoundation.Framework.Server"
WEB_API = "Microsoft.VisualStudio.Services.WebApi"


class Refusal(Exception):
    """A call the stand-in does not carry out: HTTP status, the vendor's `typeKey`, and a
    sentence.
    """

    def __init__(
        self, status: int, type_key: str, message: str, *, area: str = GIT, event_id: int = 3000
    ) -> None:
        super().__init__(message)
        self.status = status
        self.type_key = type_key
        self.message = message
        self.area = area
        self.event_id = event_id

    def body(self) -> dict[str, Any]:
        """The error as the service writes it; callers branch on `typeKey`."""
        return {
            "$id": "1",
            "innerException": None,
            "message": self.message,
            "typeName": f"{self.area}.{self.type_key}, {self.area}",
            "typeKey": self.type_key,
            "errorCode": 0,
            "eventId": self.event_id,
        }


def invalid(parameter: str, sentence: str = "A value was not accepted.") -> Refusal:
    """400 for an argument that cannot be right; `parameter` is named as .NET names it."""
    return Refusal(
        400,
        "InvalidArgumentValueException",
        f"{sentence}\r\nParameter name: {parameter}",
        area=FRAMEWORK,
        event_id=0,
    )


def unauthorized() -> Refusal:
    """401 in JSON, for calls that are not shown a sign-in page."""
    return Refusal(
        401,
        "UnauthorizedRequestException",
        "TF400813: The user '' is not authorized to access this resource.",
        area=FRAMEWORK,
    )


def no_pull_request(number: int) -> Refusal:
    """404 for a number no pull request of the repository has."""
    return Refusal(
        404,
        "GitPullRequestNotFoundException",
        f"TF401180: The requested pull request was not found. (pull request {number})",
    )
