"""The bot's own words for Azure DevOps, against the stand-in; and what happens when Azure DevOps does not answer."""

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr
from scripted_server import Asked, Said, nobody, scripted, silent

from bot.errors import NotFound, ServiceError
from bot.sandbox.azure_devops import AzureDevOps as StandIn
from bot.services import azure_client, azure_devops
from bot.services.azure_client import Client
from bot.services.azure_devops import LONGEST_COMMENT, AzureDevOps
from bot.settings import Served

PROJECT, REPOSITORY = "ml team", "our models"


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[StandIn]:
    content = tmp_path / "content"
    content.mkdir()
    for number in range(5):
        (content / f"file_{number}.txt").write_text(f"{number}\n" * 20)
    stand_in = StandIn(tmp_path / "azure", project=PROJECT, repository=REPOSITORY, bot_token="pat-good")
    with stand_in as started:
        started.seed(content)
        yield started


@pytest.fixture
def service(azure: StandIn) -> AzureDevOps:
    return at(azure.organization_url)


def at(organization_url: str, *tokens: str) -> AzureDevOps:
    served = Served(f"contoso/{PROJECT}/{REPOSITORY}", organization_url, PROJECT, REPOSITORY, "main")
    client = Client(organization_url, tuple(SecretStr(one) for one in tokens or ("pat-good",)))
    return AzureDevOps(served, client)


def opened(azure: StandIn, branch: str = "change") -> int:
    azure.push(branch, {"file_0.txt": f"changed on {branch}\n"}, "Change it")
    return azure.open_pull_request(branch, title=f"Change {branch}")


def test_a_comment_is_answered_where_it_was_made(azure: StandIn, service: AzureDevOps) -> None:
    number = opened(azure)
    thread = azure.comment(number, "/mlops retrain")
    azure.comment(number, "Not an answer to the second", thread)
    (second,) = (one["id"] for one in azure.threads(number)[-1]["comments"] if "Not an" in one["content"])

    service.answer(number, thread, 1, "Done.")

    assert service.answers(number, thread, 1) == ["Not an answer to the second", "Done."]
    assert service.answers(number, thread, second) == []
    with pytest.raises(NotFound):
        service.answers(number, 999, 1)
    with pytest.raises(NotFound):
        service.answer(number, 999, 1, "Done.")


def test_a_pull_request_is_read_with_its_newest_iteration(azure: StandIn, service: AzureDevOps) -> None:
    number = opened(azure)
    newest = azure.push("change", {"file_1.txt": "more\n"}, "More")

    head = service.pull_request(number)

    assert (head.number, head.source, head.target, head.open, head.fork) == (number, "change", "main", True, False)
    assert (head.iteration, head.commit) == (2, newest)
    assert head.title == "Change change"
    assert head.author.replace("_", "").isalnum()
    assert head.url == f"{azure.organization_url}/ml%20team/_git/our%20models/pullrequest/{number}"


def test_changed_paths_are_read_from_all_pages_and_on_both_sides_of_a_renaming(
    azure: StandIn, service: AzureDevOps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(azure_devops, "_PAGE", 2)
    moved = azure.read("file_4.txt")
    changes = {f"new {number}.txt": f"{number}" for number in range(5)} | {"file_4.txt": None, "moved.txt": moved}
    azure.push("many", changes, "Many")
    number = azure.open_pull_request("many")

    found = service.changed(number, 1)

    assert set(found) == set(changes)
    assert sum("/changes" in call.path for call in azure.calls) >= 3


def test_open_pull_requests_are_read_from_all_pages(azure: StandIn, service: AzureDevOps) -> None:
    azure.push("release", {"other.txt": "x"}, "Release")
    numbers = [opened(azure, f"change_{number}") for number in range(102)]
    azure.abandon(numbers[3])
    azure.push("to_release", {"other.txt": "y"}, "Fix", base="release")
    azure.open_pull_request("to_release", "release")

    found = service.active("main")

    assert sorted(found) == sorted(set(numbers) - {numbers[3]})
    assert len(found) == len(set(found)) == 101


def test_branches_are_read_from_all_pages() -> None:
    names = [f"branch {number}" for number in range(7)]

    def answer(asked: Asked) -> Said:
        start = int(parse_qs(urlsplit(asked.path).query).get("continuationToken", ["0"])[0])
        page = [{"name": f"refs/heads/{name}", "objectId": "a" * 40} for name in names[start : start + 3]]
        more = {"x-ms-continuationtoken": str(start + 3)} if start + 3 < len(names) else {}
        return Said({"value": page}, headers=more)

    with scripted(answer) as front:
        found = at(f"{front.url}/contoso").branches()

    assert list(found) == names
    assert len(front.asked) == 3


def test_the_tip_of_a_branch_is_not_that_of_one_whose_name_goes_on(azure: StandIn, service: AzureDevOps) -> None:
    tip = azure.push("change", {"a.txt": "a"}, "A")
    azure.push("change_2", {"a.txt": "b"}, "B")

    assert service.tip("change") == tip
    with pytest.raises(NotFound):
        service.tip("chang")


def test_a_status_counts_for_its_iteration_and_the_newest_wins(azure: StandIn, service: AzureDevOps) -> None:
    number = opened(azure)

    before = service.verdict(number, 1)
    service.set_status(number, 1, "pending", "waits", "http://127.0.0.1/x")
    service.set_status(number, 1, "failed", "no metric", "")
    azure.push("change", {"file_1.txt": "more\n"}, "More")

    assert before is None
    assert service.verdict(number, 1) == "failed"
    assert service.verdict(number, 2) is None


def test_the_report_is_one_thread_that_is_found_again_edited_and_answered(azure: StandIn, service: AzureDevOps) -> None:
    number = opened(azure)
    azure.comment(number, "Somebody else's thread")
    assert service.thread(number) is None

    thread = service.open_thread(number, "first words", "active")
    service.edit_report(number, thread, "second words")
    service.reply(number, thread, "a reply")
    service.set_thread_status(number, thread, "closed")

    found = service.thread(number)
    assert found is not None
    assert (found.id, found.comments) == (thread, ("second words", "a reply"))
    (shown,) = (one for one in azure.threads(number) if one["id"] == thread)
    assert shown["status"] == "closed"


def test_a_report_that_somebody_deleted_is_not_found(azure: StandIn, service: AzureDevOps) -> None:
    number = opened(azure)
    thread = service.open_thread(number, "words", None)
    azure.delete_comment(number, thread, 1, author="Signalman")

    assert service.thread(number) is None


def test_a_report_that_is_too_long_is_cut_and_not_refused(azure: StandIn, service: AzureDevOps) -> None:
    number = opened(azure)

    service.open_thread(number, "x" * (LONGEST_COMMENT + 10_000), None)

    found = service.thread(number)
    assert found is not None
    assert len(found.comments[0]) == LONGEST_COMMENT


def test_a_merge_is_traced_to_its_pull_request_and_a_push_to_none(azure: StandIn, service: AzureDevOps) -> None:
    number = opened(azure)
    merged = azure.complete(number)
    pushed = azure.push("main", {"direct.txt": "x"}, "Directly", base="main")

    assert service.merged_as([pushed, merged]) == {merged: number}


def test_what_is_not_there_is_not_found(service: AzureDevOps) -> None:
    with pytest.raises(NotFound):
        service.pull_request(4711)


def test_a_call_is_made_once_and_its_wait_handed_on(azure: StandIn, service: AzureDevOps) -> None:
    number = opened(azure)
    before = len(azure.calls)
    azure.trip(429, path="/threads", retry_after=17)

    with pytest.raises(ServiceError) as refused:
        service.open_thread(number, "words", None)

    assert (refused.value.status, refused.value.retry_after) == (429, 17)
    assert len(azure.calls) == before + 1


def test_an_answer_that_is_lost_is_not_asked_for_twice(azure: StandIn, service: AzureDevOps) -> None:
    number = opened(azure)
    azure.trip(path="/threads", lose_answer=True)

    with pytest.raises(ServiceError, match="could not be reached"):
        service.open_thread(number, "words", None)

    assert sum("signalman.thread" in (one["properties"] or {}) for one in azure.threads(number)) == 1


def test_the_second_token_is_used_when_the_first_has_expired(azure: StandIn) -> None:
    number = opened(azure)
    service = at(azure.organization_url, "pat-expired", "pat-good")

    service.set_status(number, 1, "pending", "waits", "")
    before = len(azure.calls)
    service.set_status(number, 1, "succeeded", "passed", "")

    assert [call.status for call in azure.calls[before:]] == [200]
    assert service.verdict(number, 1) == "succeeded"


@pytest.mark.parametrize(
    "answer",
    [
        Said("<html>Sign in to your account</html>", 203),
        Said("<html>Sign in to your account</html>", 200),
        Said("", 302, {"Location": "https://spsprodeus21.vssps.visualstudio.com/_signin"}),
        Said({"message": "TF400813"}, 401),
    ],
)
def test_an_expired_token_is_told_with_the_name_of_its_variable(answer: Said) -> None:
    with (
        scripted(lambda _: answer) as front,
        pytest.raises(ServiceError, match="AZURE_DEVOPS_TOKEN") as refused,
    ):
        at(f"{front.url}/contoso", "pat-one", "pat-two").active("main")

    assert len(front.asked) == 2
    assert "pat-" not in str(refused.value)


def test_nobody_is_called_but_the_organisation() -> None:
    with scripted(lambda _: Said()) as elsewhere:

        def answer(asked: Asked) -> Said:
            if "changes" in asked.path:
                return Said("gone", 307, {"Location": elsewhere.url + asked.path})
            links = {"self": {"href": elsewhere.url}, "next": {"href": elsewhere.url}}
            commit = {"commitId": "a" * 40, "url": elsewhere.url}
            iteration = {"id": 1, "sourceRefCommit": commit, "_links": links}
            body = {"status": "active", "sourceRefName": "refs/heads/x", "targetRefName": "refs/heads/main"}
            body |= {"url": elsewhere.url, "_links": links, "repository": {"url": elsewhere.url}}
            headers = {"Link": f'<{elsewhere.url}>; rel="next"', "Content-Location": elsewhere.url}
            return Said({**body, "value": [iteration]}, headers=headers)

        with scripted(answer) as front:
            service = at(f"{front.url}/contoso")
            head = service.pull_request(1)
            with pytest.raises(ServiceError):
                service.changed(1, 1)

    assert elsewhere.asked == []
    assert head.url.startswith(front.url)
    assert all(asked.headers["Host"] in front.url for asked in front.asked)


def test_names_are_written_into_addresses_as_azure_devops_reads_them(azure: StandIn, service: AzureDevOps) -> None:
    service.branches("feature/a b+c&d")

    (call,) = (call for call in azure.calls if call.path.endswith("/refs"))
    assert "/ml%20team/_apis/git/repositories/our%20models/" in call.path
    assert call.query["filter"] == "heads/feature/a b+c&d"
    assert call.query["api-version"] == "7.1"


def test_an_azure_devops_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(azure_client, "_TIMEOUT", (0.5, 0.5))
    with silent() as mute:
        for address in (mute, nobody()):
            begun = time.monotonic()
            with pytest.raises(ServiceError, match="could not be reached"):
                at(f"{address}/contoso").active("main")
            assert time.monotonic() - begun < 5


def test_an_answer_that_is_no_answer_is_told() -> None:
    with scripted(lambda _: Said([1, 2])) as front, pytest.raises(ServiceError, match="something else"):
        at(f"{front.url}/contoso").pull_request(1)


def test_what_azure_devops_says_of_an_error_is_passed_on_in_one_short_line() -> None:
    told = {"$id": "1", "message": "TF401027: You need\nthe permission. " + "x" * 5000}
    with scripted(lambda _: Said(told, 403)) as front, pytest.raises(ServiceError) as refused:
        at(f"{front.url}/contoso").pull_request(1)

    assert refused.value.status == 403
    assert "TF401027: You need the permission." in str(refused.value)
    assert len(str(refused.value)) < 500
