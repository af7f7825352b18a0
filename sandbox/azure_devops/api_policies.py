"""REST: branch policy configurations and how pull requests stand against them."""

from typing import Any

from sandbox.azure_devops import dates, policies, shapes
from sandbox.azure_devops.calls import Answer, Call, Routes, listed
from sandbox.azure_devops.people import guid
from sandbox.azure_devops.refusal import Refusal, invalid, no_pull_request
from sandbox.azure_devops.state import Policy, PullRequest, World

routes = Routes()
AREA = "Microsoft.TeamFoundation.Policy.Server"


@routes("POST", "policy/configurations", scope="project")
def create(call: Call) -> Answer:
    """Add a policy."""
    body = call.object()
    kind, settings = str((body.get("type") or {}).get("id") or "").lower(), body.get("settings")
    if kind not in policies.NAMES:
        raise Refusal(
            404, "PolicyTypeNotFoundException", f"There is no policy type '{kind}'.", area=AREA
        )
    if not isinstance(settings, dict) or not settings.get("scope"):
        raise invalid("configuration.settings", "A policy needs settings with a scope.")
    if kind == policies.STATUS and not settings.get("statusName"):
        raise invalid("configuration.settings", "A status policy needs a statusName.")
    with call.world.lock:
        policy = Policy(
            id=call.world.count("policy"),
            type_id=kind,
            enabled=bool(body.get("isEnabled")),
            blocking=bool(body.get("isBlocking")),
            settings=settings,
            author=call.person,
            created=dates.now(),
        )
        call.world.policies.append(policy)
    return Answer(_shape(call.world, policy))


@routes("GET", "policy/configurations", scope="project")
def configurations(call: Call) -> Answer:
    """The policies of the project, by type if asked; `scope` is accepted for exact scopes only."""
    kind, scope = call.asked("policyType"), call.asked("scope")
    found = [
        each for each in call.world.policies if not each.deleted and kind in (None, each.type_id)
    ]
    if scope:
        found = [
            each
            for each in found
            if scope in {_scope(one) for one in each.settings.get("scope", [])}
        ]
    return listed([_shape(call.world, each) for each in found])


@routes("GET", "policy/configurations/{configurationId}", scope="project")
def configuration(call: Call) -> Answer:
    """One policy."""
    return Answer(_shape(call.world, _policy(call)))


@routes("PUT", "policy/configurations/{configurationId}", scope="project")
def replace(call: Call) -> Answer:
    """Replace a policy's switches and settings."""
    with call.world.lock:
        policy, body = _policy(call), call.object()
        policy.enabled, policy.blocking = bool(body.get("isEnabled")), bool(body.get("isBlocking"))
        policy.settings, policy.revision = dict(body.get("settings") or {}), policy.revision + 1
    return Answer(_shape(call.world, policy))


@routes("DELETE", "policy/configurations/{configurationId}", scope="project")
def delete(call: Call) -> Answer:
    """Remove a policy."""
    with call.world.lock:
        _policy(call).deleted = True
    return Answer(status=204)


@routes("GET", "policy/evaluations", preview=True, scope="project")
def evaluations(call: Call) -> Answer:
    """How one pull request stands; it is named by
    `vstfs:///CodeReview/CodeReviewId/{projectId}/{number}`.
    """
    artifact = call.asked("artifactId") or ""
    project, _, number = artifact.removeprefix("vstfs:///CodeReview/CodeReviewId/").partition("/")
    if project != call.world.project_id or not number.isdigit():
        raise invalid("artifactId", f"'{artifact}' names no pull request of this project.")
    if int(number) not in call.world.pull_requests:
        raise no_pull_request(int(number))
    found = call.world.pull_requests[int(number)]
    everything = call.asked_yes("includeNotApplicable")
    with call.world.lock:
        states = policies.evaluations(call.world, found)
    return listed(
        [
            _evaluation(call.world, found, artifact, policy, state)
            for policy, state in states
            if everything or state != "notApplicable"
        ]
    )


def _policy(call: Call) -> Policy:
    number = call.number("configurationId")
    for each in call.world.policies:
        if each.id == number and not each.deleted:
            return each
    raise Refusal(
        404,
        "PolicyConfigurationNotFoundException",
        f"There is no policy configuration {number}.",
        area=AREA,
    )


def _scope(scope: dict[str, Any]) -> str:
    return ":".join(filter(None, [scope.get("repositoryId"), scope.get("refName")]))


def _shape(world: World, policy: Policy) -> dict[str, Any]:
    base = f"{shapes.project_url(world)}/policy"
    url = f"{base}/configurations/{policy.id}"
    kind = {
        "id": policy.type_id,
        "url": f"{base}/types/{policy.type_id}",
        "displayName": policies.NAMES[policy.type_id],
    }
    return {
        "createdBy": shapes.person(world, policy.author),
        "createdDate": dates.written(policy.created),
        "isEnabled": policy.enabled,
        "isBlocking": policy.blocking,
        "isDeleted": policy.deleted,
        "settings": policy.settings,
        "isEnterpriseManaged": False,
        "_links": {"self": {"href": url}, "policyType": {"href": kind["url"]}},
        "revision": policy.revision,
        "id": policy.id,
        "url": url,
        "type": kind,
    }


def _evaluation(
    world: World, found: PullRequest, artifact: str, policy: Policy, state: str
) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "configuration": _shape(world, policy),
        "artifactId": artifact,
        "evaluationId": guid("evaluation", world.project_id, str(policy.id), str(found.number)),
        "startedDate": dates.written(found.created),
        "status": state,
        "context": None,
    }
    if policy.type_id == policies.STATUS:
        posted = [each for each in found.statuses if each.name == policy.settings.get("statusName")]
        shape["context"] = {"latestStatusId": posted[-1].id if posted else None}
    return shape
