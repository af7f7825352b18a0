"""The stand-in Azure DevOps behaves as Microsoft's documents and recorded traffic say."""

import base64
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.azure_devops import AzureDevOps, Refusal, markdown
from tests.openapi import FOLDER, MISSING, OpenApi, Watch

BOT, ADA, BO = "bot-token", "ada-token", "bo-token"
PAYLOADS = FOLDER.parents[1] / "payloads" / "azure_devops"
SUPPRESS = {"X-TFS-FedAuthRedirect": "Suppress"}
PROPERTY = {"signalman.thread": {"$type": "System.String", "$value": "report"}}
STATUS = {"state": "succeeded", "context": {"genre": "signalman", "name": "validate"}}


@dataclass
class Rest:
    """A caller of the REST API; paths are below the repository unless they begin with `_apis`."""

    azure: AzureDevOps
    token: str = BOT

    def __call__(self, method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
        base = f"{self.azure.organization_url}/ml/_apis/git/repositories/models"
        url = (
            f"{self.azure.organization_url}/{path}"
            if "_apis" in path
            else f"{base}/{path}".rstrip("/")
        )
        query = {"api-version": "7.1"} | more.pop("query", {})
        if isinstance(body, bytes):
            more = {"data": body, "headers": {"Content-Type": "application/octet-stream"}} | more
        elif body is not None:
            more = {"json": body} | more
        return requests.request(
            method, url, params=query, auth=("", self.token), timeout=20, **more
        )

    def json(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        answer = self(method, path, body, **more)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()


@dataclass
class Receiver:
    """A webhook receiver: what it got, and the answers it gives (the last one again and again)."""

    url: str = ""
    answers: list[int] = field(default_factory=lambda: [200])
    got: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def kinds(self) -> list[str]:
        return [each["eventType"] for each in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            kept.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            kept.headers.append(dict(self.headers))
            self.send_response(kept.answers.pop(0) if len(kept.answers) > 1 else kept.answers[0])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.url = f"http://127.0.0.1:{server.server_port}/webhooks/azure-devops"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield kept
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[AzureDevOps]:
    people = {ADA: "Ada Bergström", BO: "Bo Okafor"}
    with AzureDevOps(tmp_path / "azure", bot_token=BOT, people=people, retry_scale=0.0) as stand_in:
        folder = tmp_path / "seed"
        (folder / "projects").mkdir(parents=True)
        (folder / "var").mkdir()
        (folder / "var" / "left out.db").write_text("x")
        (folder / "README.md").write_text("# Models\n")
        (folder / "projects" / "train.py").write_text(
            "".join(f"line = {number}\n" for number in range(30))
        )
        stand_in.seed(folder)
        yield stand_in


@pytest.fixture
def rest(azure: AzureDevOps) -> Rest:
    return Rest(azure)


@pytest.fixture
def opened(azure: AzureDevOps) -> int:
    """A pull request with one changed and one new file."""
    azure.push(
        "feature_x",
        {"projects/train.py": "line = 1\n" * 30, "new file.txt": "new\n"},
        "Train better",
    )
    return azure.open_pull_request(
        "feature_x", title="Better training", description="It is *better*."
    )


def git(folder: Path, *arguments: str, token: str = ADA) -> subprocess.CompletedProcess[str]:
    pair = base64.b64encode(f":{token}".encode()).decode()
    settings = {
        "http.extraHeader": f"Authorization: Basic {pair}",
        "user.name": "Ada",
        "user.email": "ada@example.org",
    }
    env = dict(os.environ) | {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_COUNT": str(len(settings)),
        "LC_ALL": "C",
    }
    for number, (name, value) in enumerate(settings.items()):
        env |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


# ── the documents ──────────────────────────────────────────────────────────


@pytest.mark.skipif(MISSING is not None, reason=str(MISSING))
def test_every_operation_and_its_answer_is_as_microsofts_documents_say(
    azure: AzureDevOps, rest: Rest, opened: int, receiver: Receiver
) -> None:
    watch = Watch(OpenApi.load())
    azure.observers.append(watch)

    _call_everything(azure, rest, opened, receiver)

    assert watch.problems == []
    assert len(watch.operations) >= 60


@pytest.mark.skipif(MISSING is not None, reason=str(MISSING))
def test_the_validator_notices_what_is_not_documented() -> None:
    documents = OpenApi.load()
    path, query = "/contoso/ml/_apis/git/repositories/models/pullrequests/1", {"api-version": "7.1"}
    json_type = {"Content-Type": "application/json"}

    def problems(
        method: str, body: Any, path: str = path, query: dict[str, str] = query
    ) -> list[str]:
        return documents.request_problems(method, path, query, json_type, json.dumps(body).encode())

    assert problems("PATCH", {"status": "abandoned"}) == []
    assert "'statos' was unexpected" in problems("PATCH", {"statos": "abandoned"})[0]
    assert "'finished'" in problems("PATCH", {"status": "finished"})[0]
    assert "no query parameter 'top'" in problems("PATCH", {}, query=query | {"top": "1"})[0]
    assert "api-version is '5.0'" in problems("PATCH", {}, query={"api-version": "5.0"})[0]
    assert (
        "no document has this operation"
        in problems("POST", {}, path="/contoso/ml/_apis/git/nothing")[0]
    )
    wrong = json.dumps({"pullRequestId": "1"}).encode()
    assert (
        "'1' is not of type"
        in documents.response_problems("GET", path, query, 200, json_type, wrong)[0]
    )


@pytest.mark.skipif(MISSING is not None, reason=str(MISSING))
def test_recorded_answers_pass_the_same_validator() -> None:
    documents, query = OpenApi.load(), {"api-version": "7.1"}
    one = "/contoso/ml/_apis/git/repositories/models/pullRequests/22"
    recorded = {
        "rest_pr_active": one,
        "rest_get_pull_request": one,
        "rest_get_threads": f"{one}/threads",
        "rest_get_iteration_changes": f"{one}/iterations/2/changes",
        "rest_list_hook_subscriptions_on_probation": "/contoso/_apis/hooks/subscriptions",
    }

    for name, path in recorded.items():
        body = json.loads((PAYLOADS / f"{name}.json").read_text(encoding="utf-8-sig"))
        body = body["responses"]["200"]["body"] if "responses" in body else body
        body = body | {"count": len(body["value"])} if "value" in body else body
        answer = json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        assert documents.response_problems("GET", path, query, 200, headers, answer) == [], name


def _call_everything(azure: AzureDevOps, rest: Rest, number: int, receiver: Receiver) -> None:
    one, ada = f"pullrequests/{number}", Rest(azure, ADA)
    head = rest.json("GET", one)["lastMergeSourceCommit"]["commitId"]
    base, identity = (
        azure.tip("main"),
        rest.json("GET", "_apis/connectionData", query={"api-version": "7.1-preview"}),
    )
    assert identity["authenticatedUser"]["providerDisplayName"] == "Signalman"

    for path, query in [
        ("_apis/git/repositories", {}),
        ("", {}),
        ("refs", {"filter": "heads/", "$top": 1, "peelTags": "true"}),
        ("items", {"path": "/README.md", "$format": "json", "includeContent": "true"}),
        ("items", {"path": "/README.md", "includeContentMetadata": "true", "$format": "json"}),
        ("items", {"path": "/README.md"}),
        (
            "items",
            {"scopePath": "/", "recursionLevel": "full", "versionDescriptor.version": "feature_x"},
        ),
        ("items", {"scopePath": "/projects", "recursionLevel": "oneLevel"}),
        (f"commits/{head}", {}),
        ("diffs/commits", _between(base, head)),
        ("pullrequests", {"searchCriteria.status": "all", "$top": 10, "$skip": 0}),
        (f"ml/_apis/git/pullrequests/{number}", {}),
        (f"_apis/git/pullrequests/{number}", {}),
        ("ml/_apis/git/pullrequests", {"searchCriteria.targetRefName": "refs/heads/main"}),
        (one, {"includeCommits": "true"}),
        (f"{one}/commits", {}),
        (f"{one}/iterations", {"includeCommits": "true"}),
        (f"{one}/iterations/1", {}),
        (f"{one}/iterations/1/changes", {"$compareTo": 0, "$top": 1, "$skip": 0}),
        (f"{one}/iterations/1/commits", {}),
        (f"{one}/workitems", {}),
    ]:
        assert rest("GET", path, query=query).status_code == 200, path
    blob = rest.json("GET", f"{one}/iterations/1/changes")["changeEntries"][0]["item"]["objectId"]
    assert rest.json("GET", f"blobs/{blob}", query={"$format": "json"})["size"] > 0
    rest.json("POST", "pullrequestquery", {"queries": [{"type": "commit", "items": [head]}]})

    thread = rest.json(
        "POST",
        f"{one}/threads",
        {"comments": [{"content": "Report", "commentType": 1}], "properties": PROPERTY},
    )["id"]
    rest.json("GET", f"{one}/threads")
    rest.json("GET", f"{one}/threads/{thread}")
    rest.json("PATCH", f"{one}/threads/{thread}", {"status": "closed"})
    comments = f"{one}/threads/{thread}/comments"
    rest.json("POST", comments, {"content": "More", "parentCommentId": 1, "commentType": "text"})
    rest.json("GET", comments)
    rest.json("GET", f"{comments}/1")
    rest.json("PATCH", f"{comments}/1", {"content": "Report, again"})
    assert rest("POST", f"{comments}/1/likes").status_code == 200
    assert len(rest.json("GET", f"{comments}/1/likes")["value"]) == 1
    assert rest("DELETE", f"{comments}/1/likes").status_code == 200
    assert rest("DELETE", f"{comments}/2").status_code == 200

    status = {
        "iterationId": 1,
        "description": "fine",
        "targetUrl": "http://127.0.0.1/runs/1",
        **STATUS,
    }
    posted = rest.json("POST", f"{one}/statuses", status | {"properties": {"run": 7}})["id"]
    rest.json("POST", f"{one}/iterations/1/statuses", status)
    for place in (f"{one}/statuses", f"{one}/iterations/1/statuses"):
        rest.json("GET", place)
        rest.json("GET", f"{place}/{posted}")
    patch = {"data": json.dumps([{"op": "remove", "path": f"/{posted}"}])}
    patch_type = {"headers": {"Content-Type": "application/json-patch+json"}}
    assert rest("PATCH", f"{one}/statuses", **patch, **patch_type).status_code == 200
    assert rest("DELETE", f"{one}/statuses/2").status_code == 200

    assert rest("POST", f"{one}/attachments/loss.png", b"\x89PNG").status_code == 201
    assert rest("GET", f"{one}/attachments/loss.png").content == b"\x89PNG"
    assert rest.json("GET", f"{one}/attachments")["count"] == 1
    assert rest("DELETE", f"{one}/attachments/loss.png").status_code == 200
    label = rest.json("POST", f"{one}/labels", {"name": "ml-passed"})["id"]
    rest.json("GET", f"{one}/labels")
    rest.json("GET", f"{one}/labels/ml-passed")
    assert rest("DELETE", f"{one}/labels/{label}").status_code == 200
    bag = {"data": json.dumps([{"op": "add", "path": "/signalman", "value": "seen"}])}
    assert rest.json("PATCH", f"{one}/properties", **bag, **patch_type)["count"] == 1
    rest.json("GET", f"{one}/properties")

    me = azure.world.people.named("Ada Bergström").id
    ada.json("PUT", f"{one}/reviewers/{me}", {"vote": 10})
    rest.json("GET", f"{one}/reviewers")
    assert rest("DELETE", f"{one}/reviewers/{me}").status_code == 200

    policy = _status_policy(azure) | {"isBlocking": False}
    made = rest.json("POST", "ml/_apis/policy/configurations", policy)["id"]
    rest.json("GET", "ml/_apis/policy/configurations")
    rest.json("GET", f"ml/_apis/policy/configurations/{made}")
    rest.json("PUT", f"ml/_apis/policy/configurations/{made}", policy)
    assert _evaluations(rest, azure, number)[0]["status"] == "queued"
    assert rest("DELETE", f"ml/_apis/policy/configurations/{made}").status_code == 204

    hook = _subscription(azure, receiver.url)
    subscription = rest.json("POST", "_apis/hooks/subscriptions", hook)["id"]
    place = f"_apis/hooks/subscriptions/{subscription}"
    rest.json(
        "GET", "_apis/hooks/subscriptions", query={"publisherId": "tfs", "consumerId": "webHooks"}
    )
    rest.json("GET", place)
    rest.json("PUT", place, hook)
    conditions = [
        {"inputId": "repository", "operator": "equals", "inputValue": azure.world.repository_id}
    ]
    search = {"publisherId": "tfs", "publisherInputFilters": [{"conditions": conditions}]}
    assert len(rest.json("POST", "_apis/hooks/subscriptionsquery", search)["results"]) == 1
    rest.json("POST", "_apis/hooks/testnotifications", {"subscriptionId": subscription})
    azure.drain()
    assert (
        rest.json("GET", f"{place}/notifications", query={"maxResults": 5, "result": "succeeded"})[
            "count"
        ]
        == 1
    )
    rest.json("GET", f"{place}/notifications/1")

    rest.json("PATCH", one, {"title": "Better", "description": "Said better"})
    rest.json("PATCH", one, {"status": "abandoned"})
    rest.json("PATCH", one, {"status": "active"})
    azure.world.jobs.settle()
    rest.json("PATCH", one, {"status": "completed", "lastMergeSourceCommit": {"commitId": head}})
    azure.world.jobs.settle()
    azure.push("feature_y", {"more.txt": "more"}, "More")
    rest.json("POST", "pullrequests", _wish("feature_y"))
    azure.drain()
    assert rest("DELETE", place).status_code == 204


def _wish(source: str, target: str = "main") -> dict[str, Any]:
    return {
        "sourceRefName": f"refs/heads/{source}",
        "targetRefName": f"refs/heads/{target}",
        "title": "A change",
    }


def _between(base: str, target: str) -> dict[str, str]:
    versions = {"baseVersion": base, "baseVersionType": "commit", "targetVersion": target}
    return versions | {"targetVersionType": "commit", "diffCommonCommit": "true"}


def _status_policy(azure: AzureDevOps) -> dict[str, Any]:
    scope = {
        "repositoryId": azure.world.repository_id,
        "refName": "refs/heads/main",
        "matchKind": "exact",
    }
    settings = {
        "statusGenre": "signalman",
        "statusName": "validate",
        "invalidateOnSourceUpdate": True,
    }
    kind = {"id": "cbdc66da-9728-4af8-aada-9a5a32e4a226"}
    return {
        "isEnabled": True,
        "isBlocking": True,
        "type": kind,
        "settings": settings | {"scope": [scope]},
    }


def _evaluations(rest: Rest, azure: AzureDevOps, number: int) -> list[Any]:
    artifact = f"vstfs:///CodeReview/CodeReviewId/{azure.world.project_id}/{number}"
    query = {"artifactId": artifact, "api-version": "7.1-preview.1"}
    return list(rest.json("GET", "ml/_apis/policy/evaluations", query=query)["value"])


def _subscription(
    azure: AzureDevOps, url: str, event: str = "git.pullrequest.updated", **inputs: str
) -> Any:
    return {
        "publisherId": "tfs",
        "eventType": event,
        "resourceVersion": "1.0",
        "consumerId": "webHooks",
        "consumerActionId": "httpRequest",
        "publisherInputs": {
            "projectId": azure.world.project_id,
            "repository": azure.world.repository_id,
        }
        | inputs,
        "consumerInputs": {"url": url, "basicAuthUsername": "azdo", "basicAuthPassword": "s3cret"},
    }


# ── who may call ───────────────────────────────────────────────────────────


@pytest.mark.parametrize("token", ["", "wrong"])
def test_bad_credentials_get_a_sign_in_page_on_get_and_post_and_401_on_patch(
    azure: AzureDevOps, token: str
) -> None:
    stranger = Rest(azure, token)

    for method in ("GET", "POST"):
        answer = stranger(method, "pullrequests", {} if method == "POST" else None)
        assert (answer.status_code, answer.headers["Content-Type"]) == (
            203,
            "text/html; charset=utf-8",
        )
    patched = stranger("PATCH", "pullrequests/1", {})
    assert (patched.status_code, patched.json()["typeKey"]) == (401, "UnauthorizedRequestException")
    suppressed = stranger("GET", "pullrequests", headers=SUPPRESS)
    assert suppressed.status_code == 401
    assert suppressed.json()["message"].startswith("TF400813: The user '' is not authorized")


def test_a_bearer_token_is_as_good_as_basic(azure: AzureDevOps) -> None:
    url = f"{azure.organization_url}/_apis/connectionData"

    answer = requests.get(url, headers={"Authorization": f"Bearer {BO}"}, timeout=10)

    assert answer.json()["authenticatedUser"]["providerDisplayName"] == "Bo Okafor"


@pytest.mark.parametrize(
    ("method", "path", "version", "type_key"),
    [
        ("POST", "pullrequests", "", "VssVersionNotSpecifiedException"),
        ("GET", "refs", "99.0", "VssVersionOutOfRangeException"),
        ("GET", "ml/_apis/policy/evaluations", "7.1", "VssInvalidPreviewVersionException"),
    ],
)
def test_an_api_version_that_cannot_be_is_refused(
    rest: Rest, method: str, path: str, version: str, type_key: str
) -> None:
    answer = rest(method, path, {} if method == "POST" else None, query={"api-version": version})

    assert (answer.status_code, answer.json()["typeKey"]) == (400, type_key)


@pytest.mark.parametrize(
    ("path", "type_key"),
    [
        ("pullrequests/77", "GitPullRequestNotFoundException"),
        ("items?path=/nothing.txt", "GitItemNotFoundException"),
        (
            "items?path=/README.md&versionDescriptor.version=nowhere",
            "GitUnresolvableToCommitException",
        ),
        ("commits/" + "1" * 40, "GitCommitDoesNotExistException"),
        ("other/_apis/git/repositories/models", "ProjectDoesNotExistWithNameException"),
        ("ml/_apis/git/repositories/other", "GitRepositoryNotFoundException"),
        ("_apis/git/repositories/models", "GitRepositoryNotFoundException"),
    ],
)
def test_what_is_not_there_is_told_with_its_own_type_key(
    rest: Rest, path: str, type_key: str
) -> None:
    answer = rest("GET", path)

    assert (answer.status_code, answer.json()["typeKey"]) == (404, type_key)


# ── git ────────────────────────────────────────────────────────────────────


def test_it_keeps_port_and_state_over_a_stop(tmp_path: Path) -> None:
    azure = AzureDevOps(tmp_path, bot_token=BOT).start()
    url = azure.url
    azure.push("main", {"a": "a"}, "First")
    azure.stop()

    with pytest.raises(requests.ConnectionError):
        Rest(azure)("GET", "refs")
    with azure.start():
        assert azure.url == url
        assert Rest(azure).json("GET", "refs")["value"][0]["objectId"] == azure.tip("main")


def test_git_clones_shallowly_and_pushes_a_big_file_with_a_token(
    azure: AzureDevOps, rest: Rest, opened: int, tmp_path: Path
) -> None:
    clone = tmp_path / "clone"

    assert (
        git(
            tmp_path, "clone", "--depth=1", "--branch=feature_x", azure.clone_url, str(clone)
        ).returncode
        == 0
    )
    big = os.urandom(3_000_000)
    (clone / "big.bin").write_bytes(big)
    git(clone, "add", ".")
    git(clone, "commit", "-m", "Big")
    pushed = git(clone, "push", "origin", "feature_x")

    assert pushed.returncode == 0, pushed.stderr
    assert len(git(clone, "rev-list", "--all").stdout.split()) == 2
    assert azure.read("big.bin", "feature_x") == big
    newest = rest.json("GET", f"pullrequests/{opened}/iterations")["value"][-1]
    assert (newest["id"], newest["reason"], newest["author"]["displayName"]) == (
        2,
        "push",
        "Ada Bergström",
    )


def test_git_fetches_with_a_compressed_request_and_the_merge_ref(
    azure: AzureDevOps, opened: int, tmp_path: Path
) -> None:
    for number in range(25):
        azure.push(f"branch_{number}", {"n": str(number)}, "One of many")

    cloned = git(tmp_path, "clone", "--bare", azure.clone_url, "all")
    fetched = git(tmp_path / "all", "fetch", "origin", f"refs/pull/{opened}/merge")

    assert cloned.returncode == 0, cloned.stderr
    assert len(git(tmp_path / "all", "branch").stdout.split("\n")) == 28
    assert fetched.returncode == 0
    merged = git(tmp_path / "all", "rev-parse", "FETCH_HEAD").stdout.strip()
    assert merged == azure.pull_request(opened)["lastMergeCommit"]["commitId"]


def test_partial_clones_work_without_blobs_and_fail_by_size(
    azure: AzureDevOps, tmp_path: Path
) -> None:
    without = git(tmp_path, "clone", "--bare", "--filter=blob:none", azure.clone_url, "without")
    by_size = git(tmp_path, "clone", "--bare", "--filter=blob:limit=1k", azure.clone_url, "by_size")

    assert without.returncode == 0, without.stderr
    assert by_size.returncode != 0


def test_git_is_refused_without_a_valid_token(azure: AzureDevOps, tmp_path: Path) -> None:
    assert git(tmp_path, "clone", azure.clone_url, "c", token="wrong").returncode != 0
    assert (
        requests.get(f"{azure.clone_url}/info/refs?service=git-upload-pack", timeout=10).status_code
        == 401
    )


def test_a_project_with_a_space_is_found_encoded_and_a_raw_space_is_a_bad_request(
    tmp_path: Path,
) -> None:
    with AzureDevOps(tmp_path / "azure", project="ML Team", bot_token=BOT) as azure:
        azure.push("main", {"a": "a"}, "First")
        cloned = git(tmp_path, "clone", azure.clone_url, "clone", token=BOT)
        with socket.create_connection(
            ("127.0.0.1", int(azure.url.rsplit(":", 1)[1])), timeout=10
        ) as line:
            line.sendall(b"GET /contoso/ML Team/_git/models/info/refs HTTP/1.1\r\nHost: x\r\n\r\n")
            raw = line.recv(100)

    assert "ML%20Team" in azure.clone_url
    assert cloned.returncode == 0, cloned.stderr
    assert b" 400 " in raw


def test_a_seed_leaves_out_what_is_local(azure: AzureDevOps, rest: Rest) -> None:
    found = rest.json("GET", "items", query={"scopePath": "/", "recursionLevel": "full"})["value"]

    assert [each["path"] for each in found] == [
        "/",
        "/README.md",
        "/projects",
        "/projects/train.py",
    ]


def test_refs_come_in_pages_with_a_continuation_token(azure: AzureDevOps, rest: Rest) -> None:
    for name in ("feature/a", "feature/b", "other"):
        azure.push(name, {"n": name}, "A branch")

    first = rest("GET", "refs", query={"filter": "heads/feature", "$top": 1})
    token = first.headers["X-MS-ContinuationToken"]
    second = rest(
        "GET", "refs", query={"filter": "heads/feature", "$top": 1, "continuationToken": token}
    )

    names = [each["name"] for page in (first, second) for each in page.json()["value"]]
    assert names == ["refs/heads/feature/a", "refs/heads/feature/b"]
    assert "X-MS-ContinuationToken" not in second.headers


# ── pull requests ──────────────────────────────────────────────────────────


def test_a_pull_request_is_answered_as_queued_and_merged_in_preview_afterwards(
    azure: AzureDevOps, rest: Rest
) -> None:
    azure.push("feature_x", {"a": "a"}, "A")

    made = rest("POST", "pullrequests", _wish("feature_x"))
    azure.drain()
    found = rest.json("GET", f"pullrequests/{made.json()['pullRequestId']}")

    assert (made.status_code, made.json()["mergeStatus"]) == (201, "queued")
    assert found["mergeStatus"] == "succeeded"
    assert found["lastMergeCommit"]["comment"] == "Merge pull request 1 from feature_x into main"
    again = rest("POST", "pullrequests", _wish("feature_x"))
    assert (again.status_code, again.json()["typeKey"]) == (409, "GitPullRequestExistsException")


def test_every_push_makes_an_iteration_and_a_forced_one_says_so(
    azure: AzureDevOps, rest: Rest, opened: int
) -> None:
    second = azure.push("feature_x", {"b": "b"}, "More")
    third = azure.push("feature_x", {"c": "c"}, "Again", force=True)

    found = rest.json("GET", f"pullrequests/{opened}/iterations")["value"]

    assert [each["reason"] for each in found] == ["create", "push", "forcePush"]
    assert [each["sourceRefCommit"]["commitId"] for each in found[1:]] == [second, third]
    assert azure.pull_request(opened)["lastMergeSourceCommit"]["commitId"] == third


def test_changes_are_against_the_merge_base_and_come_in_pages(
    azure: AzureDevOps, rest: Rest, opened: int
) -> None:
    azure.push("main", {"elsewhere.txt": "not of this pull request"}, "Elsewhere")
    place = f"pullrequests/{opened}/iterations/1/changes"

    first = rest.json("GET", place, query={"$top": 1})
    second = rest.json("GET", place, query={"$top": 1, "$skip": first["nextSkip"]})

    found = [
        (each["item"]["path"], each["changeType"])
        for page in (first, second)
        for each in page["changeEntries"]
    ]
    assert found == [("/new file.txt", "add"), ("/projects/train.py", "edit")]
    assert (first["nextSkip"], first["nextTop"], "nextSkip" in second) == (1, 1, False)


def test_a_renamed_file_keeps_its_old_path_and_an_edit_on_top_is_told(
    azure: AzureDevOps, rest: Rest
) -> None:
    text = azure.read("projects/train.py").decode()
    moved = {
        "projects/train.py": None,
        "projects/fit.py": text + "more = 1\n",
        "README.md": None,
        "READ.md": "# Models\n",
    }
    azure.push("feature_x", moved, "Rename")
    number = azure.open_pull_request("feature_x")

    found = rest.json("GET", f"pullrequests/{number}/iterations/1/changes")["changeEntries"]
    diff = rest.json(
        "GET", "diffs/commits", query=_between(azure.tip("main"), azure.tip("feature_x"))
    )["changes"]

    told = [(each["item"]["path"], each["originalPath"], each["changeType"]) for each in found]
    assert told == [
        ("/READ.md", "/README.md", "rename"),
        ("/projects/fit.py", "/projects/train.py", "edit, rename"),
    ]
    assert ("/README.md", "delete, sourceRename") in [
        (each["item"]["path"], each["changeType"]) for each in diff
    ]
    assert ("/projects", True) in [
        (each["item"]["path"], each["item"].get("isFolder")) for each in diff
    ]


def test_changes_since_an_earlier_iteration_leave_out_the_earlier_ones(
    azure: AzureDevOps, rest: Rest, opened: int
) -> None:
    azure.push("feature_x", {"later.txt": "later"}, "Later")

    place = f"pullrequests/{opened}/iterations/2/changes"
    found = rest.json("GET", place, query={"$compareTo": 1})["changeEntries"]

    assert [each["item"]["path"] for each in found] == ["/later.txt"]


@pytest.mark.parametrize(
    ("strategy", "parents", "commits"),
    [("noFastForward", 2, 3), ("squash", 1, 1), ("rebase", 1, 2), ("rebaseMerge", 2, 3)],
)
def test_a_completion_lands_the_commits_its_strategy_makes(
    azure: AzureDevOps, rest: Rest, opened: int, strategy: str, parents: int, commits: int
) -> None:
    azure.push("feature_x", {"second.txt": "2"}, "Second commit")
    before = azure.push("main", {"elsewhere.txt": "moved on"}, "Elsewhere")

    landed = azure.complete(opened, strategy)

    found = rest.json("GET", f"commits/{landed}")
    assert (azure.tip("main"), len(found["parents"])) == (landed, parents)
    assert len(azure.world.git.commits(f"{before}..{landed}")) == commits
    assert azure.read("second.txt") == b"2"
    assert azure.read("elsewhere.txt") == b"moved on"
    message = "Second commit" if strategy == "rebase" else "Merged PR 1: Better training"
    assert found["comment"].startswith(message)
    done = azure.pull_request(opened)
    assert (done["status"], done["mergeStatus"], done["lastMergeCommit"]["commitId"]) == (
        "completed",
        "succeeded",
        landed,
    )


def test_a_completion_is_accepted_first_and_done_later(tmp_path: Path) -> None:
    with AzureDevOps(tmp_path, bot_token=BOT, job_delay=0.05) as azure:
        azure.push("main", {"a": "a"}, "First")
        head = azure.push("feature_x", {"b": "b"}, "Second")
        number = azure.open_pull_request("feature_x")

        wish = {"status": "completed", "lastMergeSourceCommit": {"commitId": head}}
        options = {"mergeStrategy": "squash", "deleteSourceBranch": True}
        accepted = Rest(azure).json(
            "PATCH", f"pullrequests/{number}", wish | {"completionOptions": options}
        )
        azure.drain()

        assert (accepted["status"], accepted["mergeStatus"]) == ("active", "queued")
        assert azure.pull_request(number)["status"] == "completed"
        assert Rest(azure).json("GET", "refs", query={"filter": "heads/feature_x"})["count"] == 0


def test_a_completion_of_an_older_head_is_stale(
    azure: AzureDevOps, rest: Rest, opened: int
) -> None:
    old = azure.tip("feature_x")
    azure.push("feature_x", {"b": "b"}, "Newer")

    wish = {"status": "completed", "lastMergeSourceCommit": {"commitId": old}}
    answer = rest("PATCH", f"pullrequests/{opened}", wish)

    assert (answer.status_code, answer.json()["typeKey"]) == (409, "GitPullRequestStaleException")
    assert azure.pull_request(opened)["status"] == "active"


def test_a_conflict_is_seen_in_the_preview_and_a_completion_leaves_the_pull_request_open(
    azure: AzureDevOps, opened: int
) -> None:
    azure.push("main", {"projects/train.py": "something else\n"}, "Conflict")

    found = azure.pull_request(opened)
    with pytest.raises(Refusal, match="conflicts"):
        azure.complete(opened)

    assert (found["mergeStatus"], "lastMergeCommit" in found) == ("conflicts", False)
    assert azure.pull_request(opened)["status"] == "active"


def test_an_abandoned_pull_request_comes_back_only_while_its_branch_is_there(
    azure: AzureDevOps, opened: int
) -> None:
    azure.abandon(opened)
    azure.reactivate(opened)
    azure.abandon(opened)
    azure.delete_branch("feature_x")

    with pytest.raises(Refusal, match="TF401398"):
        azure.reactivate(opened)


def test_lists_hold_active_pull_requests_newest_first_with_short_descriptions(
    azure: AzureDevOps, rest: Rest
) -> None:
    for name in ("a", "b", "c"):
        azure.push(f"feature_{name}", {name: name}, name)
        azure.open_pull_request(f"feature_{name}", description="d" * 1000)
    azure.abandon(2)

    active = rest.json("GET", "pullrequests")["value"]
    by_source = rest.json(
        "GET", "pullrequests", query={"searchCriteria.sourceRefName": "refs/heads/feature_a"}
    )
    everything = rest.json(
        "GET", "pullrequests", query={"searchCriteria.status": "all", "$top": 1, "$skip": 1}
    )

    assert [each["pullRequestId"] for each in active] == [3, 1]
    assert {len(each["description"]) for each in active} == {400}
    assert [each["pullRequestId"] for each in by_source["value"]] == [1]
    assert [each["pullRequestId"] for each in everything["value"]] == [2]


def test_a_merged_commit_leads_back_to_its_pull_request(
    azure: AzureDevOps, rest: Rest, opened: int
) -> None:
    head = azure.tip("feature_x")
    landed = azure.complete(opened, "squash")

    body = {
        "queries": [
            {"type": "lastMergeCommit", "items": [landed, head]},
            {"type": "commit", "items": [head]},
        ]
    }
    by_merge, by_commit = rest.json("POST", "pullrequestquery", body)["results"]

    assert {sha: [each["pullRequestId"] for each in found] for sha, found in by_merge.items()} == {
        landed: [opened]
    }
    assert by_commit[head][0]["pullRequestId"] == opened


def test_a_description_over_the_limit_is_refused(rest: Rest, opened: int) -> None:
    answer = rest("PATCH", f"pullrequests/{opened}", {"description": "d" * 4001})

    assert (answer.status_code, answer.json()["typeKey"]) == (400, "InvalidArgumentValueException")


# ── discussion and checks ──────────────────────────────────────────────────


def test_a_thread_is_written_loosely_and_read_typed(
    azure: AzureDevOps, rest: Rest, opened: int
) -> None:
    properties = {
        "plain": "text",
        "count": 7,
        "typed": {"$type": "System.Int32", "$value": 1},
        "yes": True,
    }
    content = "<b>“ä & ß”</b>\n| a | b |"
    body = {
        "comments": [{"content": content, "commentType": 1}],
        "status": 4,
        "properties": properties,
    }

    made = rest.json("POST", f"pullrequests/{opened}/threads", body)

    assert (made["status"], made["comments"][0]["content"], made["comments"][0]["commentType"]) == (
        "closed",
        content,
        "text",
    )
    assert made["properties"] == {
        "plain": {"$type": "System.String", "$value": "text"},
        "count": {"$type": "System.Int32", "$value": 7},
        "typed": {"$type": "System.Int32", "$value": 1},
        "yes": {"$type": "System.String", "$value": "True"},
    }


def test_a_deleted_comment_stays_without_content_and_takes_its_thread_along(
    azure: AzureDevOps, rest: Rest, opened: int
) -> None:
    thread = azure.comment(opened, "Oops")
    azure.delete_comment(opened, thread, 1)

    found = rest.json("GET", f"pullrequests/{opened}/threads/{thread}")

    assert found["isDeleted"] is True
    assert found["comments"][0]["isDeleted"] is True
    assert "content" not in found["comments"][0]


def test_only_authors_change_their_comments(azure: AzureDevOps, rest: Rest, opened: int) -> None:
    thread = azure.comment(opened, "Mine")
    place = f"pullrequests/{opened}/threads/{thread}/comments/1"

    for answer in (rest("PATCH", place, {"content": "Yours"}), rest("DELETE", place)):
        assert (answer.status_code, answer.json()["typeKey"]) == (
            403,
            "GitPullRequestCommentCannotBeUpdatedException",
        )


@pytest.mark.parametrize(
    ("content", "fits"), [("x" * 150_000, True), ("x" * 150_001, False), ("🤖" * 75_001, False)]
)
def test_a_comment_has_150000_characters_as_net_counts_them(
    rest: Rest, opened: int, content: str, fits: bool
) -> None:
    answer = rest("POST", f"pullrequests/{opened}/threads", {"comments": [{"content": content}]})

    assert answer.status_code == (200 if fits else 400)
    if not fits:
        told = (
            "A discussion comment cannot be longer than 150000 characters.\r\nParameter name: "
            "comment.Content"
        )
        assert answer.json()["message"] == told


def test_the_system_writes_threads_of_its_own(azure: AzureDevOps, rest: Rest, opened: int) -> None:
    azure.push("feature_x", {"b": "b"}, "More")
    azure.vote(opened, 10, author="Bo Okafor")

    found = rest.json("GET", f"pullrequests/{opened}/threads")["value"]

    kinds = [each["properties"]["CodeReviewThreadType"]["$value"] for each in found]
    assert kinds == ["MergeAttempt", "RefUpdate", "MergeAttempt", "ReviewersUpdate", "VoteUpdate"]
    assert {each["comments"][0]["commentType"] for each in found} == {"system"}
    assert "status" not in found[0]
    assert found[-1]["properties"]["CodeReviewVoteResult"]["$value"] == "10"


def test_statuses_pile_up_and_the_newest_of_a_context_is_last(
    azure: AzureDevOps, rest: Rest, opened: int
) -> None:
    for state in ("pending", "succeeded"):
        rest.json(
            "POST", f"pullrequests/{opened}/statuses", STATUS | {"state": state, "iterationId": 1}
        )

    assert [each["state"] for each in azure.statuses(opened)] == ["pending", "succeeded"]
    missing = rest("POST", f"pullrequests/{opened}/statuses", STATUS | {"iterationId": 9})
    assert (missing.status_code, missing.json()["typeKey"]) == (
        404,
        "GitPullRequestIterationNotFoundException",
    )


def test_a_status_policy_wants_an_iteration_blocks_completion_and_resets_on_a_push(
    azure: AzureDevOps, rest: Rest, opened: int
) -> None:
    rest.json("POST", "ml/_apis/policy/configurations", _status_policy(azure))
    place = f"pullrequests/{opened}/statuses"

    without = rest("POST", place, STATUS)
    before = _evaluations(rest, azure, opened)[0]["status"]
    with pytest.raises(Refusal, match="required policies") as refused:
        azure.complete(opened)
    rest.json("POST", place, STATUS | {"iterationId": 1})
    met = _evaluations(rest, azure, opened)[0]["status"]
    azure.push("feature_x", {"b": "b"}, "Newer")
    reset = _evaluations(rest, azure, opened)[0]["status"]
    rest.json("POST", place, STATUS | {"iterationId": 2})

    assert (without.status_code, without.json()["typeKey"]) == (
        403,
        "GitPullRequestStatusRejectedByPolicyException",
    )
    assert without.json()["message"].endswith(
        "Policy configuration requires status to be posted on iteration"
    )
    assert (before, met, reset) == ("queued", "approved", "queued")
    assert refused.value.type_key == "GitPullRequestUpdateRejectedByPolicyException"
    assert azure.complete(opened) == azure.tip("main")


def test_a_guarded_branch_takes_no_direct_push(azure: AzureDevOps, tmp_path: Path) -> None:
    azure.require_status("signalman", "validate")
    git(tmp_path, "clone", azure.clone_url, "clone")
    git(tmp_path / "clone", "commit", "--allow-empty", "-m", "Direct")

    pushed = git(tmp_path / "clone", "push", "origin", "main")

    assert pushed.returncode != 0
    assert "TF402455" in pushed.stderr
    with pytest.raises(Refusal, match="TF402455"):
        azure.push("main", {"a": "a"}, "Direct")


def test_auto_complete_merges_when_the_last_policy_is_met(
    azure: AzureDevOps, rest: Rest, opened: int
) -> None:
    azure.require_status("signalman", "validate")
    me = azure.world.people.named("Ada Bergström").id
    rest.json("PATCH", f"pullrequests/{opened}", {"autoCompleteSetBy": {"id": me}})
    waiting = azure.pull_request(opened)["status"]

    rest.json("POST", f"pullrequests/{opened}/statuses", STATUS | {"iterationId": 1})
    azure.drain()

    assert (waiting, azure.pull_request(opened)["status"]) == ("active", "completed")


# ── service hooks ──────────────────────────────────────────────────────────


def test_a_bot_hears_of_the_whole_life_of_a_pull_request(
    azure: AzureDevOps, receiver: Receiver
) -> None:
    azure.subscribe_bot(receiver.url, "azdo", "s3cret")
    azure.push("feature_x", {"a": "a"}, "A")
    number = azure.open_pull_request("feature_x")
    azure.push("feature_x", {"b": "b"}, "B")
    azure.comment(number, "/mlops run", author="Bo Okafor")
    landed = azure.complete(number)
    azure.drain()

    pull, push, comment = (
        "git.pullrequest.",
        "git.push",
        "ms.vss-code.git-pullrequest-comment-event",
    )
    opening, pushing = (
        [push, pull + "created", pull + "merged"],
        [push, pull + "updated", pull + "merged"],
    )
    assert receiver.kinds() == [
        *opening,
        *pushing,
        comment,
        pull + "updated",
        pull + "merged",
        push,
    ]
    pair = base64.b64encode(b"azdo:s3cret").decode()
    assert {each["Authorization"] for each in receiver.headers} == {f"Basic {pair}"}
    assert receiver.headers[0]["Content-Type"] == "application/json; charset=utf-8"
    assert receiver.got[4]["message"]["text"].startswith(
        "Ada Bergström updated the source branch of pull request 1"
    )
    assert receiver.got[6]["resource"]["comment"]["author"]["displayName"] == "Bo Okafor"
    assert receiver.got[7]["resource"]["status"] == "completed"
    assert receiver.got[8]["message"]["text"].startswith("Merge attempted  for pull request 1")
    assert receiver.got[9]["resource"]["refUpdates"][0]["newObjectId"] == landed
    assert [each["notificationId"] for each in receiver.got if each["eventType"] == push] == [
        1,
        2,
        3,
    ]


@pytest.mark.skipif(not PAYLOADS.exists(), reason=f"the recorded deliveries are not at {PAYLOADS}")
@pytest.mark.parametrize(
    ("recorded", "event", "newer"),
    [
        ("pr_created", "git.pullrequest.created", {"resource.repository.isInMaintenance"}),
        (
            "pr_merged_event_but_conflicts",
            "git.pullrequest.merged",
            {"resource.repository.isInMaintenance"},
        ),
        ("push_branch_deleted", "git.push", set[str]()),
        ("push_new_branch_no_messages", "git.push", set[str]()),
    ],
)
def test_deliveries_hold_exactly_the_fields_that_recorded_ones_do(
    azure: AzureDevOps, receiver: Receiver, recorded: str, event: str, newer: set[str]
) -> None:
    real = json.loads((PAYLOADS / f"{recorded}.json").read_text())
    words = "none" if real["message"] is None else "all"
    azure.subscribe(event, receiver.url, messagesToSend=words, detailedMessagesToSend=words)
    azure.push("feature_x", {"a": "a"}, "A")
    number = azure.open_pull_request(
        "feature_x", description=real["resource"].get("description", "")
    )
    azure.vote(number)
    azure.push("main", {"a": "b"}, "Conflict")
    azure.delete_branch("feature_x")
    azure.drain()

    ours = receiver.got[0 if recorded in ("pr_created", "push_new_branch_no_messages") else -1]

    assert _fields(ours) ^ _fields(real) == newer


@pytest.mark.skipif(not PAYLOADS.exists(), reason=f"the recorded deliveries are not at {PAYLOADS}")
def test_a_comment_delivery_holds_what_the_recorded_one_does(
    azure: AzureDevOps, receiver: Receiver
) -> None:
    azure.subscribe("ms.vss-code.git-pullrequest-comment-event", receiver.url)
    azure.push("feature_x", {"a": "a"}, "A")
    number = azure.open_pull_request("feature_x", description="Why")
    thread = azure.comment(number, "Hello")
    azure.edit_comment(number, thread, 1, "Hello again")
    azure.delete_comment(number, thread, 1)
    azure.drain()

    real = json.loads((PAYLOADS / "comment_created.json").read_text())
    said, edited, deleted = receiver.got

    assert _fields(real) <= _fields(said)
    assert said["resource"]["comment"]["_links"]["threads"]["href"].endswith(f"/threads/{thread}")
    assert edited["message"]["text"] == "Ada Bergström has edited a pull request comment"
    assert deleted["resource"]["comment"]["isDeleted"] is True
    assert "content" not in deleted["resource"]["comment"]


def _fields(value: Any, path: str = "") -> set[str]:
    if isinstance(value, list):
        return _fields(value[0], path) if value else set()
    if isinstance(value, dict):
        return {
            each
            for key, inner in value.items()
            for each in _fields(inner, f"{path}.{key}".strip("."))
        }
    return {path}


def test_filters_let_through_what_they_name_only(azure: AzureDevOps, receiver: Receiver) -> None:
    pushes = azure.subscribe(
        "git.pullrequest.updated", receiver.url, notificationType="PushNotification"
    )
    azure.subscribe("git.push", receiver.url, branch="main")
    conflicts = azure.subscribe("git.pullrequest.merged", receiver.url, mergeResult="Conflicts")
    elsewhere = azure.subscribe("git.pullrequest.created", receiver.url, branch="release")
    azure.push("feature_x", {"a": "a"}, "A")
    number = azure.open_pull_request("feature_x")
    azure.vote(number)
    azure.push("feature_x", {"b": "b"}, "B")
    azure.drain()

    assert receiver.kinds() == ["git.pullrequest.updated"]
    assert len(azure.notifications(pushes)) == 1
    assert azure.notifications(conflicts) == azure.notifications(elsewhere) == []


def test_one_event_for_two_subscriptions_has_one_id_and_two_notifications(
    azure: AzureDevOps, receiver: Receiver
) -> None:
    for _ in range(2):
        azure.subscribe("git.push", receiver.url)
    azure.push("feature_x", {"a": "a"}, "A")
    azure.drain()

    first, second = receiver.got
    assert first["id"] == second["id"]
    assert first["subscriptionId"] != second["subscriptionId"]


def test_messages_and_resource_can_be_left_out(azure: AzureDevOps, receiver: Receiver) -> None:
    azure.subscribe("git.push", receiver.url, messagesToSend="none", detailedMessagesToSend="none")
    azure.subscribe(
        "git.push", receiver.url, messagesToSend="text", resourceDetailsToSend="minimal"
    )
    azure.push("feature_x", {"a": "a"}, "A")
    azure.drain()

    assert (receiver.got[0]["message"], receiver.got[0]["detailedMessage"]) == (None, None)
    assert set(receiver.got[1]["message"]) == {"text"}
    assert set(receiver.got[1]["resource"]) == {"pushId", "url"}


def test_a_503_is_tried_again_with_the_same_notification(
    azure: AzureDevOps, receiver: Receiver
) -> None:
    receiver.answers = [503, 503, 200]
    subscription = azure.subscribe("git.push", receiver.url)
    azure.push("feature_x", {"a": "a"}, "A")
    azure.drain(retries=True)

    assert [each["notificationId"] for each in receiver.got] == [1, 1, 1]
    sent = azure.notifications(subscription)[0]
    assert (sent["status"], sent["result"], sent["details"]["requestAttempts"]) == (
        "completed",
        "succeeded",
        3,
    )


@pytest.mark.parametrize(
    ("answer", "attempts"),
    [(410, 1), (500, 8), (503, 16)],
    ids=["terminal", "enduring", "transient, then enduring"],
)
def test_a_receiver_that_never_accepts_ends_disabled(
    azure: AzureDevOps, rest: Rest, receiver: Receiver, answer: int, attempts: int
) -> None:
    receiver.answers = [answer]
    subscription = azure.subscribe("git.push", receiver.url)
    azure.push("feature_x", {"a": "a"}, "A")
    azure.drain(retries=True)
    azure.push("feature_x", {"b": "b"}, "Not told of any more")
    azure.drain(retries=True)

    assert (
        rest.json("GET", f"_apis/hooks/subscriptions/{subscription}")["status"]
        == "disabledBySystem"
    )
    assert len(receiver.got) == attempts


def test_probation_filters_new_events_and_a_put_ends_it(tmp_path: Path, receiver: Receiver) -> None:
    with AzureDevOps(tmp_path, bot_token=BOT) as azure:
        azure.push("main", {"a": "a"}, "First")
        receiver.answers = [401, 200]
        subscription = azure.subscribe("git.push", receiver.url)
        azure.push("feature_x", {"a": "1"}, "Refused")
        azure.drain()
        azure.push("feature_x", {"a": "2"}, "Filtered")
        place, rest = f"_apis/hooks/subscriptions/{subscription}", Rest(azure)
        on_probation = rest.json("GET", place)["status"]
        rest.json(
            "PUT", place, _subscription(azure, receiver.url, "git.push") | {"status": "enabled"}
        )
        azure.push("feature_x", {"a": "3"}, "Told")
        azure.drain()

        assert on_probation == "onProbation"
        results = [each["result"] for each in azure.notifications(subscription)]
        assert results == ["failed", "filtered", "succeeded"]


def test_the_history_shows_request_and_answer_but_no_secret(
    azure: AzureDevOps, rest: Rest, receiver: Receiver
) -> None:
    subscription = azure.subscribe(
        "git.push", receiver.url, "azdo", "s3cret", httpHeaders="X-Hook:1"
    )
    azure.push("feature_x", {"a": "a"}, "A")
    azure.drain()

    shown = rest("GET", f"_apis/hooks/subscriptions/{subscription}/notifications/1").text
    listed = rest("GET", "_apis/hooks/subscriptions")

    assert receiver.headers[0]["X-Hook"] == "1"
    assert "refs/heads/feature_x" in shown
    for text in (shown, listed.text):
        assert "s3cret" not in text
        assert base64.b64encode(b"azdo:s3cret").decode() not in text
    assert listed.json()["value"][0]["consumerInputs"]["basicAuthPassword"] == "********"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"eventType": "git.pullrequest.approved"}, "has no event type"),
        ({"consumerInputs": {}}, "'url'"),
        ({"consumerInputs": {"url": "http://bot.example/", "basicAuthUsername": "a"}}, "https"),
        ({"publisherInputs": {"notificationType": "Anything"}}, "'Anything' is not possible"),
        ({"resourceVersion": "9.0"}, "no resource version '9.0'"),
    ],
)
def test_a_subscription_that_cannot_work_is_refused_with_a_sentence(
    azure: AzureDevOps, rest: Rest, change: dict[str, Any], sentence: str
) -> None:
    answer = rest(
        "POST", "_apis/hooks/subscriptions", _subscription(azure, "http://127.0.0.1:1/") | change
    )

    assert answer.status_code == 400
    assert sentence in answer.json()["message"]


def test_the_test_button_sends_fabrikam_and_real_data_on_demand(
    azure: AzureDevOps, rest: Rest, receiver: Receiver
) -> None:
    subscription = azure.subscribe("git.push", receiver.url)
    azure.push("feature_x", {"a": "a"}, "A")
    body = {"subscriptionId": subscription}
    rest.json("POST", "_apis/hooks/testnotifications", body)
    rest.json("POST", "_apis/hooks/testnotifications", body, query={"useRealData": "true"})
    details = {
        name: value
        for name, value in _subscription(azure, receiver.url).items()
        if name != "resourceVersion"
    }
    rest.json("POST", "_apis/hooks/testnotifications", {"details": details})
    azure.drain()

    _, constants, real, unsaved = receiver.got
    assert constants["id"] == "03c164c2-8912-4d5e-8009-3707d5f83734"
    assert real["resource"]["refUpdates"][0]["name"] == "refs/heads/feature_x"
    assert unsaved["subscriptionId"] == "00000000-0000-0000-0000-000000000000"
    assert unsaved["resource"]["repository"]["id"] == "4bc14d40-c903-45e2-872e-0462c7748079"


# ── trouble, pages, process ────────────────────────────────────────────────


def test_trouble_comes_as_often_as_asked_and_answers_can_be_lost(
    azure: AzureDevOps, rest: Rest, opened: int
) -> None:
    azure.trip(429, path="/refs", retry_after=2)
    azure.trip(path="/threads", method="POST", lose_answer=True)

    throttled, fine = rest("GET", "refs"), rest("GET", "refs")
    with pytest.raises(requests.ConnectionError):
        rest(
            "POST",
            f"pullrequests/{opened}/threads",
            {"comments": [{"content": "Said all the same"}]},
        )

    assert (throttled.status_code, throttled.headers["Retry-After"], fine.status_code) == (
        429,
        "2",
        200,
    )
    assert azure.threads(opened)[0]["comments"][0]["content"] == "Said all the same"


def test_observers_and_the_log_of_calls_see_who_asked_what(
    azure: AzureDevOps, rest: Rest, opened: int
) -> None:
    seen: list[Any] = []
    azure.observers.append(seen.append)

    rest("GET", f"pullrequests/{opened}")

    assert [(each.method, each.status, each.by) for each in seen] == [("GET", 200, "Signalman")]
    assert azure.calls[-1] is seen[-1]
    assert json.loads(seen[-1].response_body)["pullRequestId"] == opened


HOSTILE = """### ✅ Passed :rocket:
line one
line two

| Metric | Value |
|---|---:|
| rmse | **0.71** |

<details><summary>Log</summary>

```text
</details><script>alert(1)</script>
```
</details>

<script>alert(2)</script> <img src=x onerror=alert(3)> [x](javascript:alert(4))
![plot](http://127.0.0.1/plot.png =480x)
"""


def test_the_page_of_a_pull_request_shows_comments_as_markdown_and_nothing_hostile(
    azure: AzureDevOps, rest: Rest, opened: int
) -> None:
    rest.json(
        "POST",
        f"pullrequests/{opened}/threads",
        {"comments": [{"content": HOSTILE}], "status": "active"},
    )
    closed = rest.json(
        "POST",
        f"pullrequests/{opened}/threads",
        {"comments": [{"content": "Old"}], "status": "fixed"},
    )
    status = STATUS | {
        "iterationId": 1,
        "targetUrl": "http://127.0.0.1/run",
        "description": "rmse 0.71",
    }
    rest.json("POST", f"pullrequests/{opened}/statuses", status)

    page = requests.get(
        azure.pull_request(opened)["repository"]["webUrl"] + f"/pullrequest/{opened}", timeout=10
    )

    text = page.text
    assert page.status_code == 200
    for wanted in (
        "<h3>✅ Passed 🚀</h3>",
        "line one<br",
        '<td style="text-align:right"><strong>0.71</strong></td>',
        "<details><summary>Log</summary>",
        "&lt;script&gt;alert(2)",
        'width="480"',
        "It is <em>better</em>.",
        'class="icon succeeded"',
        'href="http://127.0.0.1/run"',
        "Train better",
    ):
        assert wanted in text, wanted
    for unwanted in ("<script", "<img src=x", 'href="javascript:', "http://cdn", "https://"):
        assert unwanted not in text, unwanted
    assert f'id="thread-{closed["id"]}">' in text
    assert "script" not in page.headers["Content-Security-Policy"].replace("script-src", "")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("</details></div>", "&lt;/details&gt;&lt;/div&gt;"),
        (
            "<details open><summary><code>a</code>",
            "<details open><summary><code>a</code></summary></details>",
        ),
        ("<summary></details></summary>", "<summary>&lt;/details&gt;</summary>"),
        ("<details onclick=x></details>", "&lt;details onclick=x&gt;&lt;/details&gt;"),
    ],
)
def test_a_comment_closes_what_it_opens_and_nothing_of_the_page(said: str, shown: str) -> None:
    assert markdown.rendered(said) == shown


def test_a_browser_on_the_pages_may_read_attachments_and_change_nothing(
    azure: AzureDevOps, rest: Rest, opened: int
) -> None:
    url = rest("POST", f"pullrequests/{opened}/attachments/loss.png", b"\x89PNG").json()["url"]
    browser = requests.Session()
    browser.get(f"{azure.organization_url}/ml/_git/models/pullrequests", timeout=10)

    assert browser.get(url, timeout=10).content == b"\x89PNG"
    assert browser.delete(url + "?api-version=7.1", timeout=10).status_code == 401
    assert requests.get(url, timeout=10).status_code == 203


def test_the_other_pages_list_pull_requests_and_deliveries(
    azure: AzureDevOps, opened: int, receiver: Receiver
) -> None:
    azure.subscribe_bot(receiver.url, "azdo", "s3cret")
    azure.vote(opened)
    azure.drain()

    def page(path: str) -> requests.Response:
        return requests.get(f"{azure.url}{path}", timeout=10)

    assert "Better training" in page("/contoso/ml/_git/models/pullrequests").text
    assert "Better training" not in page("/contoso/ml/_git/models/pullrequests?_a=completed").text
    assert "approved pull request 1" in page("/contoso/_hooks").text
    assert "s3cret" not in page("/contoso/_hooks").text
    assert page("/").url.endswith("/pullrequests")
    assert page("/contoso/ml/_git/models/pullrequest/99").status_code == 404


def test_it_runs_as_a_process_with_tokens_from_the_environment(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sandbox.azure_devops", "--root", str(tmp_path)]
    people = {"STAND_IN_PEOPLE": json.dumps({ADA: "Ada Bergström"})}

    without = subprocess.run(
        command, capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ) | people | {"STAND_IN_BOT_TOKEN": BOT},
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        who = requests.get(f"{url}/_apis/connectionData", auth=("", ADA), timeout=10)
        process.terminate()
        process.wait(timeout=10)

    assert without.returncode == 2
    assert "STAND_IN_BOT_TOKEN is not set" in without.stderr
    assert who.json()["authenticatedUser"]["providerDisplayName"] == "Ada Bergström"
    assert process.returncode == 0


def test_many_people_at_once_lose_nothing(azure: AzureDevOps, rest: Rest, opened: int) -> None:
    def comment(number: int) -> Callable[[], None]:
        return lambda: rest.json(
            "POST", f"pullrequests/{opened}/threads", {"comments": [{"content": str(number)}]}
        )

    threads = [threading.Thread(target=comment(number)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = azure.threads(opened)
    assert sorted(int(each["comments"][0]["content"]) for each in found) == list(range(12))
    assert len({each["id"] for each in found}) == 12
