"""Databricks registry webhooks: signed ones are read, others are refused, and nothing else ever
happens.
"""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from payload_mutations import mutated

from bot.errors import RefusedHook
from bot.subjects import Delivery, Model
from bot.webhooks import Ignored, databricks
from tests.examples import percent

PAYLOADS = Path(__file__).parent.parent / "payloads" / "databricks"
RECORDED = Path(__file__).parents[3] / "shared" / "payloads" / "databricks"
SECRETS = ("old-secret", "new-secret")

EXPECTED: dict[str, Model | str] = {
    "transitioned_stage": Model("tide_model"),
    "transitioned_to_archived": Model("tide_model"),
    "transitioned_to_production": Model("tide_model"),
    "transition_requested": Model("tide_model"),
    "transition_to_production_requested": Model("tide_model"),
    "tag_that_accepts": Model("tide_model"),
    "version_created": "until it is moved to a stage",
    "comment_created": "cannot change which version",
    "tag_set": "cannot change which version",
    "registered_model_created": "cannot change which version",
    "test_call_that_names_nothing": "a test of the webhook",
}
EXPECTED_OF_DOCUMENTED: dict[str, Model | str] = {
    "databricks_webhook_MODEL_VERSION_TRANSITIONED_STAGE": Model("Airline_Delay_SparkML"),
    "databricks_webhook_MODEL_VERSION_TAG_SET": "cannot change which version",
    "databricks_webhook_COMMENT_CREATED": "cannot change which version",
    # Sent by jobs, not by the registry, and of another shape.
    "databricks_job_notification_webhook": "event is missing",
}


def sign(body: bytes, secret: str = SECRETS[0]) -> dict[str, str]:
    return {"X-Databricks-Signature": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


def read(event: dict[str, Any] | bytes) -> Delivery | Ignored:
    raw = event if isinstance(event, bytes) else json.dumps(event).encode()
    return databricks.read(sign(raw), raw, secrets=SECRETS)


def body(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text())
    return loaded


def outcome(raw: bytes) -> Model | str:
    try:
        found = read(raw)
    except RefusedHook as refused:
        return refused.reason
    if isinstance(found, Ignored):
        return found.reason
    assert isinstance(found.subject, Model)
    return found.subject


@pytest.mark.parametrize("name", sorted(path.stem for path in PAYLOADS.glob("*.json")))
def test_every_payload_names_its_model_or_why_it_is_ignored(name: str) -> None:
    found, expected = outcome((PAYLOADS / f"{name}.json").read_bytes()), EXPECTED[name]
    assert found == expected or (isinstance(expected, str) and expected in str(found))


@pytest.mark.skipif(
    not RECORDED.is_dir(), reason="the documented payloads in ../shared are not on this machine"
)
@pytest.mark.parametrize("name", EXPECTED_OF_DOCUMENTED)
def test_every_documented_webhook_is_read(name: str) -> None:
    found, expected = (
        outcome((RECORDED / f"{name}.json").read_bytes()),
        EXPECTED_OF_DOCUMENTED[name],
    )
    assert found == expected or (isinstance(expected, str) and expected in str(found))


@pytest.mark.parametrize("secret", SECRETS)
def test_both_secrets_are_accepted_while_one_is_being_replaced(secret: str) -> None:
    raw = (PAYLOADS / "transitioned_stage.json").read_bytes()
    assert isinstance(databricks.read(sign(raw, secret), raw, secrets=SECRETS), Delivery)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Databricks-Signature": ""},
        {"X-Databricks-Signature": "0" * 64},
        {"X-Databricks-Signature": "sha256=" + "0" * 64},
        {"X-Databricks-Signature": "é\ud800"},
        sign(b"another body"),
        sign((PAYLOADS / "transitioned_stage.json").read_bytes(), "another secret"),
    ],
    ids=range(7),
)
def test_a_webhook_with_another_signature_is_refused(headers: dict[str, str]) -> None:
    raw = (PAYLOADS / "transitioned_stage.json").read_bytes()
    with pytest.raises(RefusedHook) as refused:
        databricks.read(headers, raw, secrets=SECRETS)
    assert refused.value.status == 401


def test_without_a_configured_secret_every_webhook_is_refused() -> None:
    raw = (PAYLOADS / "transitioned_stage.json").read_bytes()
    for headers in ({}, sign(raw, "")):
        with pytest.raises(RefusedHook) as refused:
            databricks.read(headers, raw, secrets=())
        assert refused.value.status == 401


def test_one_changed_byte_breaks_the_signature() -> None:
    raw = (PAYLOADS / "transitioned_stage.json").read_bytes()
    with pytest.raises(RefusedHook):
        databricks.read(sign(raw), raw.replace(b"Production", b"productioN"), secrets=SECRETS)


@pytest.mark.parametrize("field", ["event", "model_name", "event_timestamp"])
def test_a_field_that_is_missing_is_named(field: str) -> None:
    event = body("transitioned_stage")
    del event[field]
    with pytest.raises(RefusedHook) as refused:
        read(event)
    assert refused.value.status == 400
    assert f"{field} is missing" in refused.value.reason


def test_a_redelivery_has_the_same_key_and_a_later_transition_another() -> None:
    event = body("transitioned_stage")
    keys = {found.key for _ in range(2) if isinstance(found := read(event), Delivery)}
    for field, value in [
        ("event_timestamp", 1),
        ("model_name", "x"),
        ("version", "5"),
        ("to_stage", "None"),
    ]:
        found = read(event | {field: value})
        assert isinstance(found, Delivery)
        keys.add(found.key)
    assert len(keys) == 5


def test_a_long_name_still_makes_a_short_key() -> None:
    found = read(body("transitioned_stage") | {"model_name": "é" * 300})
    assert isinstance(found, Delivery)
    assert len(found.key) < 200


@settings(max_examples=percent(200))
@given(st.data(), st.sampled_from(sorted(EXPECTED)))
def test_no_mutation_of_a_payload_does_more_than_be_refused(data: st.DataObject, name: str) -> None:
    assert isinstance(outcome(data.draw(mutated(body(name)))), Model | str)
