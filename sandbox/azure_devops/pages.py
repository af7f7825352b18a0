"""Pages to look at: pull requests with their checks and discussion, and what service hooks
delivered.

Read-only, rendered on the server, nothing loaded from elsewhere. No sign-in:
the server listens on this machine only.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader
from markupsafe import Markup
from werkzeug import Request, Response

from sandbox.azure_devops import markdown, merging, policies, shapes
from sandbox.azure_devops.state import PullRequest, Status, World

SAFE = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:",  # noqa: E501 a table, or a text as it is sent
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
TABS = ("active", "completed", "abandoned", "all")
RESOLVED = ("fixed", "wontFix", "closed", "byDesign")
ICONS = {
    "succeeded": "✓",
    "failed": "✕",
    "error": "!",
    "pending": "◔",
    "notApplicable": "–",
    "notSet": "○",
}
THREAD_WORDS = {"wontFix": "Won't fix", "byDesign": "By design", "fixed": "Resolved"}


class Pages:
    """Answers browsers; everything it shows is read under the world's lock."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._templates = Environment(
            loader=PackageLoader("sandbox.azure_devops"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {
            "markdown": _markdown,
            "moment": _moment,
            "short": merging.short,
            "json": _json,
        }

    def __call__(self, request: Request, segments: Sequence[str]) -> Response:
        """The page for a path (its segments, decoded)."""
        with self.world.lock:
            rest = list(segments[1:]) if segments[:1] == [self.world.organization] else None
            if not segments or rest == []:
                return self._redirect(self._home + "/pullrequests")
            if rest == ["_hooks"]:
                return self._page(
                    "hooks.html", subscriptions=list(self.world.subscriptions.values())
                )
            if rest and rest[:3] == [self.world.project, "_git", self.world.repository]:
                return self._repository(request, rest[3:])
        return self._page("missing.html", 404, path=request.path)

    def _repository(self, request: Request, rest: Sequence[str]) -> Response:
        if not rest:
            return self._redirect(self._home + "/pullrequests")
        if rest == ["pullrequests"]:
            tab = request.args.get("_a", "active")
            found = [
                each
                for each in reversed(self.world.pull_requests.values())
                if tab in ("all", each.status)
            ]
            checks = {each.number: self._checks(each) for each in found}
            return self._page(
                "pull_requests.html", pull_requests=found, tab=tab, tabs=TABS, checks=checks
            )
        if len(rest) == 2 and rest[0] == "pullrequest" and rest[1].isdigit():
            found_one = self.world.pull_requests.get(int(rest[1]))
            if found_one is not None:
                return self._pull_request(found_one)
        return self._page("missing.html", 404, path=request.path)

    def _pull_request(self, found: PullRequest) -> Response:
        last = found.iterations[-1]
        return self._page(
            "pull_request.html",
            pull_request=found,
            checks=self._checks(found),
            policies=[
                (policies.title(each), each.blocking, state)
                for each, state in self._evaluations(found)
            ],
            commits=self.world.git.commits(f"{last.common}..{last.source}"),
            threads=sorted(
                found.threads, key=lambda thread: (thread.published, thread.id), reverse=True
            ),
        )

    def _evaluations(self, found: PullRequest) -> list[tuple[Any, str]]:
        return policies.evaluations(self.world, found) if found.status == "active" else []

    def _checks(self, found: PullRequest) -> list[tuple[Status, bool]]:
        """The newest status of each context, and whether it is of the newest iteration."""
        newest = {(each.genre, each.name): each for each in found.statuses}
        last = found.iterations[-1].id
        return [(each, each.iteration in (None, last)) for each in newest.values()]

    @property
    def _home(self) -> str:
        return shapes.web_url(self.world).removeprefix(self.world.address)

    def _redirect(self, path: str) -> Response:
        return Response("", 302, {"Location": path})

    def _page(self, template: str, status: int = 200, **values: Any) -> Response:
        html = self._templates.get_template(template).render(
            world=self.world,
            home=self._home,
            hooks=f"/{quote(self.world.organization)}/_hooks",
            icons=ICONS,
            resolved=RESOLVED,
            words=THREAD_WORDS,
            **values,
        )
        return Response(html, status, SAFE, mimetype="text/html")


def _markdown(text: str) -> Markup:
    # `rendered` escapes all but what it makes itself and the two folding tags.
    return Markup(markdown.rendered(text))  # noqa: S704


def _moment(moment: datetime | None) -> str:
    return moment.strftime("%d %b %Y, %H:%M:%S UTC") if moment else "–"


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
