"""The bot's own words for Azure DevOps, against the stand-in; and what happens when Azure DevOps
does not answer.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from pydantic import SecretStr
from scripted_server import Asked, Said, nobody, scripted, silent

from bot.config.environment import ServedRepository
from bot.errors import NotFound, ServiceError
from bot.services import azure_client, azure_devops
from bot.services.azure_client import Client
from bot.services.azure_devops import LONGEST_COMMENT, AzureDevOps
from sandbox.azure_devops import AzureDevOps as StandIn
from tests.openapi import MISSING, OpenApi, Watch

PROJECT, REPOSITORY = "ml team", "our models"
PNG = b"\x89PNG\r\n\x1a\n and more"


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[StandIn]:
    content = tmp_path / "content"
    content.mkdir()
    for number in range(5):
        (content / f"file_{number}.txt").write_text(f"{number}\n" * 20)
    people = {"pat-ada": "Ada Bergström", "pat-bo": "Bo Okafor"}
    stand_in = StandIn(
        tmp_path / "azure",
        project=PROJECT,
        repository=REPOSITORY,
        bot_token="pat-good",
        people=people,
    )
    with stand_in as started:
        started.seed(content)
        watch = None if MISSING else Watch(OpenApi.load())
        if watch is not None:
            started.observers.append(watch)
        yield started
    assert watch is None or watch.problems == []


@pytest.fixture
def service(azure: StandIn) -> AzureDevOps:
    return at(azure.organization_url)


def at(organization_url: str, *tokens: str) -> AzureDevOps:
    served = ServedRepository(
        f"contoso/{PROJECT}/{REPOSITORY}", organization_url, PROJECT, REPOSITORY, "main"
    )
    client = Client(organization_url, tuple(SecretStr(one) for one in tokens or ("pat-good",)))
    return AzureDevOps(served, client)


def opened(azure: StandIn, branch: str = "change") -> int:
    azure.push(branch, {"file_0.txt": f"changed on {branch}\n"}, "Change it")
    return azure.open_pull_request(branch, title=f"Change {branch}")


def test_a_comment_is_answered_where_it_was_made(azure: StandIn, service: AzureDevOps) -> None:
    number = opened(azure)
    thread = azure.comment(number, "/mlops retrain")
    azure.comment(number, "Not an answer to the second", thread)
    (second,) = (
        one["id"] for one in azure.threads(number)[-1]["comments"] if "Not an" in one["content"]
    )

    service.answer(number, thread, 1, "Done.")

    assert service.answers(number, thread, 1) == ["Not an answer to the second", "Done."]
    assert service.answers(number, thread, second) == []
    with pytest.raises(NotFound):
        service.answers(number, 999, 1)
    with pytest.raises(NotFound):
        service.answer(number, 999, 1, "Done.")


def test_a_pull_request_is_read_with_its_newest_iteration(
    azure: StandIn, service: AzureDevOps
) -> None:
    number = opened(azure)
    newest = azure.push("change", {"file_1.txt": "more\n"}, "More")

    head = service.pull_request(number)

    assert (head.number, head.source, head.target, head.open, head.fork) == (
        number,
        "change",
        "main",
        True,
        False,
    )
    assert (head.iteration, head.commit) == (2, newest)
    assert head.title == "Change change"
    assert head.author.replace("_", "").isalnum()
    assert head.author_id == azure.pull_request(number)["createdBy"]["id"]
    assert head.url == f"{azure.organization_url}/ml%20team/_git/our%20models/pullrequest/{number}"


def test_changed_paths_are_read_from_all_pages_and_on_both_sides_of_a_renaming(
    azure: StandIn, service: AzureDevOps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(azure_devops, "_PAGE", 2)
    moved = azure.read("file_4.txt")
    changes = {f"new {number}.txt": f"{number}" for number in range(5)} | {
        "file_4.txt": None,
        "moved.txt": moved,
    }
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
        page = [
            {"name": f"refs/heads/{name}", "objectId": "a" * 40}
            for name in names[start : start + 3]
        ]
        more = {"x-ms-continuationtoken": str(start + 3)} if start + 3 < len(names) else {}
        return Said({"value": page}, headers=more)

    with scripted(answer) as front:
        found = at(f"{front.url}/contoso").branches()

    assert list(found) == names
    assert len(front.asked) == 3


def test_the_tip_of_a_branch_is_not_that_of_one_whose_name_goes_on(
    azure: StandIn, service: AzureDevOps
) -> None:
    tip = azure.push("change", {"a.txt": "a"}, "A")
    azure.push("change_2", {"a.txt": "b"}, "B")

    assert service.tip("change") == tip
    with pytest.raises(NotFound):
        service.tip("chang")


def test_a_status_counts_for_its_iteration_and_the_newest_wins(
    azure: StandIn, service: AzureDevOps
) -> None:
    number = opened(azure)

    before = service.checks(number)
    service.set_status(number, 1, "pending", "waits", "http://127.0.0.1/x")
    service.set_status(number, 1, "failed", "no metric", "")
    service.set_status(number, 1, "succeeded", "passed", "", "train")
    azure.push("change", {"file_1.txt": "more\n"}, "More")
    service.set_status(number, 2, "pending", "waits", "")

    assert before == []
    assert sorted(
        (one.name, one.iteration, one.state, one.told) for one in service.checks(number)
    ) == [
        ("train", 1, "succeeded", "passed"),
        ("validate", 1, "failed", "no metric"),
        ("validate", 2, "pending", "waits"),
    ]


def test_what_somebody_else_posts_under_the_bots_name_does_not_hide_what_the_bot_posted(
    azure: StandIn, service: AzureDevOps
) -> None:
    number = opened(azure)
    service.set_status(number, 1, "failed", "no metric", "")
    ada = at(azure.organization_url, "pat-ada")
    ada.set_status(number, 1, "succeeded", "passed", "")

    mine, hers = sorted(service.checks(number), key=lambda check: check.state)

    assert (mine.state, mine.by) == ("failed", service.me())
    assert (hers.state, hers.by) == ("succeeded", ada.me())


def test_a_status_of_somebody_elses_is_not_ours(azure: StandIn, service: AzureDevOps) -> None:
    number = opened(azure)
    body = {
        "state": "succeeded",
        "context": {"genre": "sonar", "name": "validate"},
        "iterationId": 1,
    }
    service._call("POST", f"pullRequests/{number}/statuses", body=body)

    assert service.checks(number) == []


def test_each_iteration_tells_what_it_brought_and_a_merge_what_it_became(
    azure: StandIn, service: AzureDevOps
) -> None:
    number = opened(azure)
    first = service.pull_request(number)
    second = azure.push("change", {"file_1.txt": "more\n"}, "More")
    merged = azure.complete(number)
    head = service.pull_request(number)

    assert head.commits == (first.commit, second)
    assert (first.merge_commit, head.merge_commit) == ("", merged)
    assert first.pushed is not None
    assert head.pushed is not None
    assert first.pushed < head.pushed


def test_the_report_is_one_thread_that_is_found_again_edited_and_answered(
    azure: StandIn, service: AzureDevOps
) -> None:
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
    thread = service.open_thread(number, "words", "closed")
    azure.delete_comment(number, thread, 1, author="Signalman")

    assert service.thread(number) is None


def test_what_was_said_is_read_in_one_call_with_the_report_and_every_command(
    azure: StandIn, service: AzureDevOps
) -> None:
    number = opened(azure)
    me = service.me()
    report = service.open_thread(number, "the report", "closed")
    azure.comment(number, "Just talk", author="Bo Okafor")
    thread = azure.comment(number, "/mlops retry", author="Bo Okafor")
    service.like(number, thread, 1)
    service.like(number, thread, 1)
    service.answer(number, thread, 1, "`/mlops retry` ✅ for `a1b2c3d`: yes")
    before = len(azure.calls)

    found = service.discussion(number)

    assert len(azure.calls) == before + 1
    assert found.me == me
    assert found.report is not None
    assert (found.report.id, found.report.comments) == (report, ("the report",))
    asked, answer = found.comments
    assert (asked.thread, asked.id, asked.first, asked.content) == (thread, 1, True, "/mlops retry")
    assert (asked.author, asked.unique_name) == ("Bo Okafor", "bo.okafor@contoso.example")
    assert asked.liked_by == {me}
    assert (answer.author_id, answer.parent, answer.first) == (me, 1, False)
    assert asked.published <= answer.published
    assert asked.published.tzinfo is not None


def test_a_command_below_the_report_is_heard_too(azure: StandIn, service: AzureDevOps) -> None:
    number = opened(azure)
    report = service.open_thread(number, "the report", "closed")
    azure.comment(number, "/mlops status", report, author="Bo Okafor")

    found = service.discussion(number)

    assert [(one.content, one.first) for one in found.comments] == [
        ("the report", True),
        ("/mlops status", False),
    ]


def test_an_edited_or_deleted_command_is_read_as_it_is_now(
    azure: StandIn, service: AzureDevOps
) -> None:
    number = opened(azure)
    edited = azure.comment(number, "/mlops run", author="Bo Okafor")
    azure.edit_comment(number, edited, 1, "/mlops cancel", author="Bo Okafor")
    deleted = azure.comment(number, "/mlops run", author="Bo Okafor")
    service.answer(number, deleted, 1, "`/mlops run` ✅ for `a1b2c3d`: yes")
    azure.delete_comment(number, deleted, 1, author="Bo Okafor")

    first, gone, answer = service.discussion(number).comments

    assert (first.content, first.content_updated > first.published) == ("/mlops cancel", True)
    assert (gone.content, gone.deleted, gone.author) == ("", True, "Bo Okafor")
    assert answer.content.startswith("`/mlops run` ✅")


def test_a_thread_that_only_pretends_to_be_the_report_is_none(
    azure: StandIn, service: AzureDevOps
) -> None:
    number = opened(azure)
    stranger = at(azure.organization_url, "pat-bo")
    stranger.open_thread(number, "not the report", "active")
    assert service.discussion(number).report is None

    service.open_thread(number, "the report", "active")

    found = service.discussion(number).report
    assert found is not None
    assert found.comments == ("the report",)


def test_a_comment_opens_a_thread_of_its_own(azure: StandIn) -> None:
    number = opened(azure)
    thread = at(azure.organization_url, "pat-bo").comment(number, "/mlops run")

    (found,) = azure.threads(number)
    assert (found["id"], found["status"]) == (thread, "active")
    assert found["comments"][0]["author"]["displayName"] == "Bo Okafor"


def test_who_the_bot_is_is_asked_once(azure: StandIn, service: AzureDevOps) -> None:
    first = service.me()

    assert service.me() == first
    (call,) = (one for one in azure.calls if one.path.endswith("/connectionData"))
    assert call.query["api-version"] == "7.1-preview.1"


def test_the_members_of_a_team_are_read_from_all_pages(
    azure: StandIn, service: AzureDevOps
) -> None:
    azure.team("ML leads", *(f"Person {number}" for number in range(205)))
    azure.team("Nobody here")
    azure.team("A hundred", *(f"Person {number}" for number in range(100)))

    assert len(service.members("ML leads")) == 205
    assert service.members("nobody here") == frozenset()
    assert len(service.members("A hundred")) == 100
    assert azure.world.people.named("Person 7").id in service.members("ML leads")
    with pytest.raises(NotFound, match="does not exist"):
        service.members("ML laeds")


def test_what_is_said_in_a_thread_that_is_gone_is_not_found(
    azure: StandIn, service: AzureDevOps
) -> None:
    number = opened(azure)

    with pytest.raises(NotFound):
        service.answer(number, 4711, 1, "words")
    with pytest.raises(NotFound):
        service.like(number, 4711, 1)


def test_a_report_that_is_too_long_is_cut_and_not_refused(
    azure: StandIn, service: AzureDevOps
) -> None:
    number = opened(azure)

    service.open_thread(number, "x" * (LONGEST_COMMENT + 10_000), "closed")

    found = service.thread(number)
    assert found is not None
    assert len(found.comments[0]) == LONGEST_COMMENT


def test_a_merge_is_traced_to_its_pull_request_and_a_push_to_none(
    azure: StandIn, service: AzureDevOps
) -> None:
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
        service.open_thread(number, "words", "closed")

    assert (refused.value.status, refused.value.retry_after) == (429, 17)
    assert len(azure.calls) == before + 1


def test_an_answer_that_is_lost_is_not_asked_for_twice(
    azure: StandIn, service: AzureDevOps
) -> None:
    number = opened(azure)
    azure.trip(path="/threads", lose_answer=True)

    with pytest.raises(ServiceError, match="could not be reached"):
        service.open_thread(number, "words", "closed")

    assert (
        sum("signalman.thread" in (one["properties"] or {}) for one in azure.threads(number)) == 1
    )


def test_the_second_token_is_used_when_the_first_has_expired(azure: StandIn) -> None:
    number = opened(azure)
    service = at(azure.organization_url, "pat-expired", "pat-good")

    service.set_status(number, 1, "pending", "waits", "")
    before = len(azure.calls)
    service.set_status(number, 1, "succeeded", "passed", "")

    assert [call.status for call in azure.calls[before:]] == [200]
    assert [one.state for one in service.checks(number)] == ["succeeded"]


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
            body = {
                "status": "active",
                "sourceRefName": "refs/heads/x",
                "targetRefName": "refs/heads/main",
            }
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


def test_names_are_written_into_addresses_as_azure_devops_reads_them(
    azure: StandIn, service: AzureDevOps
) -> None:
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
    with (
        scripted(lambda _: Said([1, 2])) as front,
        pytest.raises(ServiceError, match="something else"),
    ):
        at(f"{front.url}/contoso").pull_request(1)


def test_what_azure_devops_says_of_an_error_is_passed_on_in_one_short_line() -> None:
    told = {"$id": "1", "message": "TF401027: You need\nthe permission. " + "x" * 5000}
    with scripted(lambda _: Said(told, 403)) as front, pytest.raises(ServiceError) as refused:
        at(f"{front.url}/contoso").pull_request(1)

    assert refused.value.status == 403
    assert "TF401027: You need the permission." in str(refused.value)
    assert len(str(refused.value)) < 500


# Attachments


def test_a_picture_is_attached_and_its_address_gives_it_back(
    azure: StandIn, service: AzureDevOps
) -> None:
    number = opened(azure)

    url = service.attach(number, "wine-6e99ba5-loss.png", PNG)

    found = requests.get(f"{url}?api-version=7.1", auth=("", "pat-good"), timeout=5)
    (sent,) = (call for call in azure.calls if call.method == "POST")
    assert (found.status_code, found.content) == (200, PNG)
    assert sent.request_headers["Content-Type"] == "application/octet-stream"
    assert url.startswith(azure.organization_url)


def test_a_picture_that_was_attached_before_is_found_and_not_attached_again(
    azure: StandIn, service: AzureDevOps
) -> None:
    number = opened(azure)
    service.attach(number, "another.png", PNG)
    first = service.attach(number, "loss.png", PNG)

    assert service.attach(number, "loss.png", PNG) == first
    assert [one["displayName"] for one in azure.attachments(number)] == ["another.png", "loss.png"]


def test_a_name_from_outside_stays_a_name(azure: StandIn, service: AzureDevOps) -> None:
    number = opened(azure)

    url = service.attach(number, "a b#c?d%é.png", PNG)

    assert requests.get(f"{url}?api-version=7.1", auth=("", "pat-good"), timeout=5).content == PNG


@pytest.mark.parametrize(
    ("status", "listed"), [(400, True), (409, True), (403, False), (413, False), (503, False)]
)
def test_a_refused_attachment_is_looked_for_only_where_its_name_may_be_taken(
    status: int, listed: bool
) -> None:
    def answer(asked: Asked) -> Said:
        return Said({"message": "No."}, status) if asked.method == "POST" else Said({"value": []})

    with scripted(answer) as front, pytest.raises(ServiceError, match=rf"{status}: No\."):
        at(front.url).attach(1, "loss.png", PNG)

    assert [asked.method for asked in front.asked] == (["POST", "GET"] if listed else ["POST"])
