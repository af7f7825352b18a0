"""The stand-in Azure DevOps: pull requests from forks, and teams."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sandbox.azure_devops import AzureDevOps, Refusal
from tests.openapi import MISSING, OpenApi, Watch

FORK = "models.bo"


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[AzureDevOps]:
    with AzureDevOps(
        tmp_path / "azure", bot_token="pat", people={"ada": "Ada Bergström"}
    ) as stand_in:
        folder = tmp_path / "seed"
        folder.mkdir()
        (folder / "README.md").write_text("# Models\n")
        stand_in.seed(folder)
        if MISSING is None:
            watch = Watch(OpenApi.load())
            stand_in.observers.append(watch)
        yield stand_in
        if MISSING is None:
            assert watch.problems == []


def get(azure: AzureDevOps, path: str, **query: str | int) -> requests.Response:
    return requests.get(
        f"{azure.organization_url}/{path}",
        params={"api-version": "7.1", **query},
        auth=("", "pat"),
        timeout=20,
    )


def listed(azure: AzureDevOps, *patterns: str) -> str:
    url = azure.clone_url.replace("http://", "http://:pat@")
    done = subprocess.run(
        ["git", "ls-remote", url, *patterns], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_a_pull_request_of_a_fork_names_the_fork_and_is_merged_for_a_try(
    azure: AzureDevOps,
) -> None:
    head = azure.fork_push(FORK, "main", {"README.md": "# Better\n"}, "Better", author="Bo Okafor")
    number = azure.open_pull_request("main", fork=FORK, author="Bo Okafor")

    found = get(azure, f"ml/_apis/git/repositories/models/pullRequests/{number}").json()

    assert found["forkSource"]["repository"]["name"] == FORK
    assert (found["sourceRefName"], found["lastMergeSourceCommit"]["commitId"]) == (
        "refs/heads/main",
        head,
    )
    assert found["mergeStatus"] == "succeeded"
    assert found["lastMergeCommit"]["commitId"] in listed(azure, f"refs/pull/{number}/merge")


def test_the_branches_of_a_fork_are_not_those_of_the_repository(azure: AzureDevOps) -> None:
    head = azure.fork_push(FORK, "change", {"README.md": "# Better\n"}, "Better")
    azure.open_pull_request("change", fork=FORK)

    refs = get(azure, "ml/_apis/git/repositories/models/refs").json()["value"]

    assert {one["name"] for one in refs} == {"refs/heads/main", "refs/pull/1/merge"}
    assert head not in listed(azure)
    with pytest.raises(Refusal):
        azure.open_pull_request("change")


def test_a_push_to_a_fork_is_an_iteration_of_its_pull_request_and_no_push_here(
    azure: AzureDevOps,
) -> None:
    azure.fork_push(FORK, "change", {"README.md": "# Better\n"}, "Better")
    number = azure.open_pull_request("change", fork=FORK)
    pushes = len(azure.world.pushes)

    head = azure.fork_push(FORK, "change", {"README.md": "# Best\n"}, "Best")

    iterations = get(
        azure, f"ml/_apis/git/repositories/models/pullRequests/{number}/iterations"
    ).json()["value"]
    assert [one["reason"] for one in iterations] == ["create", "push"]
    assert iterations[-1]["sourceRefCommit"]["commitId"] == head
    assert len(azure.world.pushes) == pushes


def test_a_pull_request_of_a_fork_can_be_completed(azure: AzureDevOps) -> None:
    azure.fork_push(FORK, "change", {"README.md": "# Better\n"}, "Better")
    number = azure.open_pull_request("change", fork=FORK)

    azure.complete(number, delete_source=True)

    assert azure.read("README.md") == b"# Better\n"


def test_a_fork_that_nobody_made_is_not_found(azure: AzureDevOps) -> None:
    with pytest.raises(Refusal, match="TF401019"):
        azure.open_pull_request("change", fork="nobody's")


def test_a_team_is_listed_in_pages_by_name_or_id(azure: AzureDevOps) -> None:
    key = azure.team("ML leads", "Ada Bergström", "Bo Okafor", "Cy Young")
    members = "_apis/projects/ml/teams/{}/members"

    first = get(azure, members.format("ML%20leads"), **{"$top": 2, "$skip": 0}).json()
    last = get(azure, members.format(key), **{"$top": 2, "$skip": 2}).json()

    names = [one["identity"]["displayName"] for page in (first, last) for one in page["value"]]
    assert names == ["Ada Bergström", "Bo Okafor", "Cy Young"]
    assert (first["count"], last["count"]) == (2, 1)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("_apis/projects/ml/teams/nobody/members", "TeamNotFoundException"),
        ("_apis/projects/other/teams/ML%20leads/members", "ProjectDoesNotExistWithNameException"),
    ],
)
def test_a_team_or_project_that_is_not_there_is_not_found(
    azure: AzureDevOps, path: str, kind: str
) -> None:
    azure.team("ML leads", "Ada Bergström")

    refused = get(azure, path)

    assert (refused.status_code, refused.json()["typeKey"]) == (404, kind)


def test_builds_have_an_identity_that_is_no_address(azure: AzureDevOps) -> None:
    azure.push("change", {"README.md": "# Better\n"}, "Better")
    number = azure.open_pull_request("change", author="ml Build Service (contoso)")

    assert azure.pull_request(number)["createdBy"]["uniqueName"].startswith("Build\\")
