"""Service hooks: every recorded shape is read, every forgery refused, and nothing else ever
happens.
"""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from payload_mutations import mutated

from bot.errors import RefusedHook
from bot.subjects import Branch, Delivery, PullRequest
from bot.webhooks import Ignored, azure_devops
from bot.webhooks.azure_devops import WatchedRepository
from tests.examples import percent

PAYLOADS = Path(__file__).parent.parent / "payloads" / "azure_devops"
RECORDED = Path(__file__).parents[3] / "shared" / "payloads" / "azure_devops"

KEY = "lighthouse/Tides and Currents/tide-forecast"
OURS = WatchedRepository(
    KEY, "https://dev.azure.com/lighthouse", "Tides and Currents", "tide-forecast"
)
CREDENTIALS = (("hooks", "first-of-two"), ("hooks", "second-of-two"))

EXPECTED: dict[str, PullRequest | Branch | str] = {
    "pull_request_created": PullRequest(KEY, 12),
    "pull_request_updated_by_push": PullRequest(KEY, 12),
    "pull_request_merge_conflicts": "only tried",
    "pull_request_completed": PullRequest(KEY, 14),
    "pull_request_of_a_fork": PullRequest(KEY, 16),
    "comment_created": PullRequest(KEY, 15),
    "comment_edited": PullRequest(KEY, 15),
    "comment_that_quotes_a_command": "does not begin with /mlops",
    "comment_of_the_system": "Azure DevOps itself",
    "comment_deleted": "does not begin with /mlops",
    "comment_of_version_1": "resource version 2.0",
    "push_to_target": Branch(KEY),
    "push_to_other_branch": "no target branch",
    "push_of_a_tag": "no target branch",
    "push_deletes_target": "no target branch",
    "build_completed": "build.complete",
    "pull_request_of_another_repository": "not one that Signalman serves",
    "pull_request_of_another_organization": "not one that Signalman serves",
    "portal_test": "test event",
}

WINE = "contoso/wine-mlops/wine-mlops"
CORE = "contoso/Core/wine-mlops"
CONTOSO = (
    WatchedRepository(WINE, "https://dev.azure.com/contoso", "wine-mlops", "wine-mlops"),
    WatchedRepository(CORE, "https://contoso.visualstudio.com", "core", "WINE-MLOPS"),
)
EXPECTED_OF_RECORDED: dict[str, PullRequest | Branch | str] = {
    "pr_created": PullRequest(WINE, 1),
    "pr_updated_push": PullRequest(WINE, 2),
    "pr_merged_event_but_conflicts": "only tried",
    "pr_updated_completed_no_messages": PullRequest(CORE, 22568),
    "push_branch_deleted": "no target branch",
    "push_new_branch_no_messages": "not one that Signalman serves",
    "comment_created": "does not begin with /mlops",
    "comment_v1_test_button": "resource version 2.0",
    "comment_v2_test_button": "test event",
    "pr_created_docs_sample": "test event",
    "pr_merged_docs_sample": "test event",
}


def signed(username: str = CREDENTIALS[0][0], password: str = CREDENTIALS[0][1]) -> dict[str, str]:
    return {
        "Authorization": "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
    }


def body(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text())
    return loaded


def read(event: object, served: tuple[WatchedRepository, ...] = (OURS,)) -> Delivery | Ignored:
    raw = event if isinstance(event, bytes) else json.dumps(event).encode()
    return azure_devops.read(signed(), raw, credentials=CREDENTIALS, served=served)


def assert_reads_as(found: Delivery | Ignored, expected: PullRequest | Branch | str) -> None:
    if isinstance(expected, str):
        assert isinstance(found, Ignored)
        assert expected in found.reason
    else:
        assert isinstance(found, Delivery)
        assert found.subject == expected


@pytest.mark.parametrize("name", sorted(path.stem for path in PAYLOADS.glob("*.json")))
def test_every_payload_names_its_subject_or_why_it_is_ignored(name: str) -> None:
    found = read((PAYLOADS / f"{name}.json").read_bytes())
    assert_reads_as(found, EXPECTED[name])


@pytest.mark.skipif(
    not RECORDED.is_dir(), reason="the recorded payloads in ../shared are not on this machine"
)
@pytest.mark.parametrize("name", EXPECTED_OF_RECORDED)
def test_every_recording_of_the_real_service_is_read(name: str) -> None:
    found = read((RECORDED / f"{name}.json").read_bytes(), CONTOSO)
    assert_reads_as(found, EXPECTED_OF_RECORDED[name])


@pytest.mark.skipif(
    not RECORDED.is_dir(), reason="the recorded payloads in ../shared are not on this machine"
)
def test_no_recorded_webhook_is_left_out_of_the_table() -> None:
    webhooks = {path.stem for path in RECORDED.glob("*.json") if not path.stem.startswith("rest_")}
    assert webhooks == set(EXPECTED_OF_RECORDED)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Basic"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic aG9va3M="},
        {"Authorization": "Basic é"},
        {"Authorization": "Bearer first-of-two"},
        signed(password="first-of-tw"),
        signed(password="first-of-two "),
        signed(password="föörst"),
        signed(username="hook"),
        signed(username="", password=""),
    ],
)
def test_a_webhook_with_other_credentials_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(RefusedHook) as refused:
        azure_devops.read(headers, b"{}", credentials=CREDENTIALS, served=(OURS,))
    assert refused.value.status == 401


def test_without_configured_credentials_every_webhook_is_refused() -> None:
    with pytest.raises(RefusedHook) as refused:
        azure_devops.read(signed("", ""), b"{}", credentials=(), served=(OURS,))
    assert refused.value.status == 401


def test_both_passwords_are_accepted_while_one_is_being_replaced() -> None:
    event = json.dumps(body("pull_request_created")).encode()
    for _, password in CREDENTIALS:
        found = azure_devops.read(
            signed(password=password), event, credentials=CREDENTIALS, served=(OURS,)
        )
        assert isinstance(found, Delivery)


def test_credentials_beyond_ascii_work() -> None:
    event = json.dumps(body("pull_request_created")).encode()
    pairs = (("häger", "grünspecht"),)
    found = azure_devops.read(signed(*pairs[0]), event, credentials=pairs, served=(OURS,))
    assert isinstance(found, Delivery)


def test_header_names_are_read_in_any_case() -> None:
    event = json.dumps(body("pull_request_created")).encode()
    headers = {"AUTHORIZATION": signed()["Authorization"].replace("Basic", "basic")}
    assert isinstance(
        azure_devops.read(headers, event, credentials=CREDENTIALS, served=(OURS,)), Delivery
    )


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("pull_request_created", "eventType"),
        ("pull_request_created", "resource"),
        ("pull_request_created", "resource.pullRequestId"),
        ("pull_request_created", "resource.repository"),
        ("pull_request_created", "resource.repository.project"),
        ("comment_created", "resource.pullRequest.pullRequestId"),
        ("comment_created", "resource.pullRequest.repository"),
        ("push_to_target", "resource.refUpdates"),
        ("push_to_target", "resource.refUpdates.0.name"),
        ("push_to_target", "resource.refUpdates.0.newObjectId"),
    ],
)
@pytest.mark.parametrize(
    "wrong",
    ["missing", None, [[]], {"a": 1}.items(), True, 1e400, -1, "\ud800", "a\nb", "", "x" * 801],
)
def test_a_field_that_is_missing_or_of_another_kind_is_named(
    name: str, path: str, wrong: object
) -> None:
    event = body(name)
    *way, last = path.split(".")
    part: Any = event
    for step in way:
        part = part[int(step)] if step.isdigit() else part[step]
    if wrong == "missing":
        del part[last]
    else:
        part[last] = [wrong] if isinstance(wrong, type({}.items())) else wrong
    with pytest.raises(RefusedHook) as refused:
        read(json.dumps(event, default=list).encode())
    assert refused.value.status == 400
    assert path.replace(".0", "[0]") in refused.value.reason


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"12",
        b"{",
        b"\xff\xfe{\x00}\x00",
        b"\x00",
        b'{"a": "\xff"}',
        b"[" * 100_000,
        b'{"a":' * 10_000,
        b'{"eventType": ' + b"9" * 5000 + b"}",
        b"NaN",
    ],
    ids=range(13),
)
def test_a_body_that_is_no_json_object_is_refused(raw: bytes) -> None:
    with pytest.raises(RefusedHook) as refused:
        read(raw)
    assert refused.value.status == 400


def test_a_body_may_begin_with_a_byte_order_mark() -> None:
    assert isinstance(read(b"\xef\xbb\xbf" + json.dumps(body("push_to_target")).encode()), Delivery)


def test_project_and_repository_may_be_configured_by_id() -> None:
    event = body("pull_request_created")
    repository = event["resource"]["repository"]
    by_id = WatchedRepository(
        KEY,
        OURS.organization_url + "/",
        repository["project"]["id"].upper(),
        repository["id"].upper(),
    )
    assert_reads_as(read(event, (by_id,)), PullRequest(KEY, 12))


@pytest.mark.parametrize(
    ("said", "same"),
    [
        ("https://dev.azure.com/lighthouse/", True),
        ("https://DEV.azure.com:443/Lighthouse", True),
        ("https://someone@dev.azure.com/lighthouse/", True),
        ("https://lighthouse.visualstudio.com/", True),
        ("https://lighthouse.visualstudio.com/DefaultCollection/", True),
        ("https://dev.azure.com/lighthouse-two/", False),
        ("https://dev.azure.com/light", False),
        ("https://dev.azure.com.evil.example/lighthouse/", False),
        ("https://dev.azure.com:8443/lighthouse/", False),
        ("https://[::1", False),
        ("https://dev.azure.com:port/lighthouse", False),
        ("lighthouse", False),
    ],
)
def test_an_organization_is_known_by_each_of_its_addresses_and_no_other(
    said: str, same: bool
) -> None:
    event = body("pull_request_created")
    event["resourceContainers"]["collection"]["baseUrl"] = said
    assert isinstance(read(event), Delivery) is same


def test_an_event_without_containers_is_placed_by_its_repository() -> None:
    event = body("pull_request_created")
    del event["resourceContainers"]
    assert_reads_as(read(event), PullRequest(KEY, 12))


def test_an_unusable_organization_address_serves_nobody() -> None:
    broken = WatchedRepository(KEY, "https://[", OURS.project, OURS.repository)
    assert isinstance(read(body("pull_request_created"), (broken,)), Ignored)


def test_of_several_refs_in_a_push_the_target_counts() -> None:
    event = body("push_to_other_branch")
    event["resource"]["refUpdates"] += body("push_to_target")["resource"]["refUpdates"]
    assert_reads_as(read(event), Branch(KEY))


def test_the_target_branches_of_a_repository_are_configured() -> None:
    release = WatchedRepository(
        KEY,
        OURS.organization_url,
        OURS.project,
        OURS.repository,
        targets=("refs/heads/spring-tide",),
    )
    assert_reads_as(read(body("push_to_other_branch"), (release,)), Branch(KEY))
    assert isinstance(read(body("push_to_target"), (release,)), Ignored)


def test_a_redelivery_has_the_same_key_and_another_notification_another() -> None:
    first, again, later = (
        body("pull_request_created"),
        body("pull_request_created"),
        body("pull_request_created"),
    )
    again["createdDate"], again["message"] = "2026-03-02T09:12:00Z", None
    later["notificationId"] += 1
    keys = [
        found.key for event in (first, again, later) if isinstance(found := read(event), Delivery)
    ]
    assert keys[0] == keys[1] != keys[2]
    assert keys[0] == f"azure-{first['subscriptionId']}-{first['notificationId']}"


@pytest.mark.parametrize(
    ("content", "heard"),
    [
        ("/mlops", True),
        ("/MLOps Run", True),
        ("/mlops rnu", True),
        ("/mlops run\n\nplease", True),
        (" /mlops run", False),
        ("Please /mlops run", False),
        ("```\n/mlops run\n```", False),
        ("    /mlops run", False),
        ("", False),
        (None, False),
        (["/mlops run"], False),
        ("/mlop", False),
    ],
)
def test_only_a_comment_that_begins_as_a_command_is_news(content: object, heard: bool) -> None:
    event = body("comment_created")
    event["resource"]["comment"]["content"] = content
    assert isinstance(read(event), Delivery) is heard


@pytest.mark.parametrize("comment", [None, [], "text", {}, {"content": "x" * 200_000}])
def test_a_comment_event_without_a_comment_is_no_news(comment: object) -> None:
    event = body("comment_created")
    event["resource"]["comment"] = comment
    assert_reads_as(read(event), "does not begin with /mlops")


@pytest.mark.parametrize(
    ("status", "heard"), [("active", False), ("completed", True), ("abandoned", True), (7, True)]
)
def test_a_merge_that_was_tried_is_news_only_of_a_closed_pull_request(
    status: object, heard: bool
) -> None:
    event = body("pull_request_merge_conflicts")
    event["resource"]["status"] = status
    assert isinstance(read(event), Delivery) is heard


def test_an_event_without_subscription_is_known_by_its_own_id() -> None:
    event = body("pull_request_created")
    del event["subscriptionId"]
    found = read(event)
    assert isinstance(found, Delivery)
    assert found.key == f"azure-{event['id']}-git.pullrequest.created"


@settings(max_examples=percent(400))
@given(st.data(), st.sampled_from(sorted(EXPECTED)))
def test_no_mutation_of_a_payload_does_more_than_be_refused(data: st.DataObject, name: str) -> None:
    event = data.draw(mutated(body(name)))
    found: object
    try:
        found = read(event)
    except RefusedHook as refused:
        found = refused.status
    assert found == 400 or isinstance(found, Delivery | Ignored)
