"""MLflow's own webhooks: signed and fresh ones are read, others are refused, and nothing else ever
happens.
"""

import base64
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
from bot.webhooks import Ignored, mlflow
from tests.examples import percent

PAYLOADS = Path(__file__).parent.parent / "payloads" / "mlflow"
RECORDED = Path(__file__).parents[3] / "shared" / "payloads" / "mlflow"
SECRETS = ("old-secret", "new-secret")
RECORDED_WITH = ("s3cr3t-for-test",)
NOW = 1_772_442_611.0
ID = "0c0ffee0-1111-4222-8333-444455556666"

EXPECTED: dict[str, Model | str] = {
    "alias_created": Model("tide_model"),
    "alias_deleted": Model("tide_model"),
    "tag_that_accepts": Model("tide_model"),
    "version_created": "model_version.created cannot change",
    "tag_set": "model_version_tag.set cannot change",
    "registered_model_created": "registered_model.created cannot change",
    "test_call": "test event",
}
EXPECTED_OF_RECORDED: dict[str, Model | str] = {
    "mlflow_model_version.created__create_model_version": "cannot change",
    "mlflow_model_version.created__create_model_version_2": "cannot change",
    "mlflow_model_version_alias.created__move_alias": Model("churn"),
    "mlflow_model_version_alias.created__set_alias": Model("churn"),
    "mlflow_model_version_alias.created__set_alias_same_again": Model("churn"),
    "mlflow_model_version_alias.created__test_webhook_api": "test event",
    "mlflow_model_version_alias.deleted__delete_alias": Model("churn"),
    "mlflow_model_version_tag.deleted__delete_model_version_tag": "cannot change",
    "mlflow_model_version_tag.set__set_model_version_tag": "cannot change",
    "mlflow_registered_model.created__create_registered_model": "cannot change",
}


def sign(
    body: bytes, secret: str = SECRETS[0], delivery: str = ID, sent: str = f"{NOW:.0f}"
) -> dict[str, str]:
    made = hmac.new(secret.encode(), f"{delivery}.{sent}.".encode() + body, hashlib.sha256).digest()
    return {
        "X-MLflow-Delivery-Id": delivery,
        "X-MLflow-Timestamp": sent,
        "X-MLflow-Signature": "v1," + base64.b64encode(made).decode(),
    }


def read(raw: bytes, headers: dict[str, str] | None = None) -> Delivery | Ignored:
    return mlflow.read(sign(raw) if headers is None else headers, raw, secrets=SECRETS, now=NOW)


def raw_body(name: str) -> bytes:
    return (PAYLOADS / f"{name}.json").read_bytes()


def told(found: Delivery | Ignored) -> Model | str:
    if isinstance(found, Ignored):
        return found.reason
    assert isinstance(found.subject, Model)
    return found.subject


@pytest.mark.parametrize("name", sorted(path.stem for path in PAYLOADS.glob("*.json")))
def test_every_payload_names_its_model_or_why_it_is_ignored(name: str) -> None:
    found, expected = told(read(raw_body(name))), EXPECTED[name]
    assert found == expected or (isinstance(expected, str) and expected in str(found))


@pytest.mark.skipif(
    not RECORDED.is_dir(), reason="the recorded payloads in ../shared are not on this machine"
)
@pytest.mark.parametrize("name", EXPECTED_OF_RECORDED)
def test_every_recording_of_a_real_server_is_read_by_its_own_signature(name: str) -> None:
    recording: dict[str, Any] = json.loads((RECORDED / f"{name}.json").read_text())
    headers, sent = recording["headers"], float(recording["headers"]["X-MLflow-Timestamp"])
    raw = recording["body_raw"].encode()
    found, expected = (
        mlflow.read(headers, raw, secrets=RECORDED_WITH, now=sent + 2),
        EXPECTED_OF_RECORDED[name],
    )
    assert told(found) == expected or (isinstance(expected, str) and expected in str(told(found)))


@pytest.mark.skipif(
    not RECORDED.is_dir(), reason="the recorded payloads in ../shared are not on this machine"
)
def test_no_recorded_webhook_is_left_out_of_the_table() -> None:
    assert {path.stem for path in RECORDED.glob("*.json")} == set(EXPECTED_OF_RECORDED)


@pytest.mark.parametrize("secret", SECRETS)
def test_both_secrets_are_accepted_while_one_is_being_replaced(secret: str) -> None:
    raw = raw_body("alias_created")
    assert isinstance(read(raw, sign(raw, secret)), Delivery)


ALIAS = raw_body("alias_created")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        sign(ALIAS) | {"X-MLflow-Signature": ""},
        sign(ALIAS) | {"X-MLflow-Signature": "v1,é\ud800"},
        sign(ALIAS)
        | {"X-MLflow-Signature": sign(ALIAS)["X-MLflow-Signature"].replace("v1,", "v2,")},
        sign(ALIAS) | {"X-MLflow-Signature": sign(ALIAS)["X-MLflow-Signature"].removeprefix("v1,")},
        sign(ALIAS) | {"X-MLflow-Delivery-Id": "another"},
        sign(ALIAS) | {"X-MLflow-Timestamp": f"{NOW + 1:.0f}"},
        sign(b"another body"),
        sign(ALIAS, "another secret"),
        sign(ALIAS, delivery=""),
    ],
    ids=range(10),
)
def test_a_webhook_with_another_signature_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(RefusedHook) as refused:
        read(ALIAS, headers)
    assert refused.value.status == 401


@pytest.mark.parametrize("secrets", [(), ("",)[:0]])
def test_without_a_configured_secret_every_webhook_is_refused(secrets: tuple[str, ...]) -> None:
    with pytest.raises(RefusedHook) as refused:
        mlflow.read(sign(ALIAS, ""), ALIAS, secrets=secrets, now=NOW)
    assert refused.value.status == 401


@pytest.mark.parametrize(
    "sent", ["", "soon", "-1", "1e9", "9" * 5000, "٣", f"{NOW + 301:.0f}", f"{NOW - 301:.0f}"]
)
def test_a_webhook_of_another_time_is_refused(sent: str) -> None:
    with pytest.raises(RefusedHook) as refused:
        read(ALIAS, sign(ALIAS, sent=sent))
    assert refused.value.status == 401


@pytest.mark.parametrize("away", [-300, 0, 300])
def test_a_webhook_within_five_minutes_is_fresh(away: int) -> None:
    assert isinstance(read(ALIAS, sign(ALIAS, sent=f"{NOW + away:.0f}")), Delivery)


def test_the_delivery_id_is_the_key() -> None:
    found = read(ALIAS)
    assert isinstance(found, Delivery)
    assert found.key == f"mlflow-{ID}"


@pytest.mark.parametrize("strange", ["a b", "é", "x" * 5000, "../.."])
def test_a_strange_delivery_id_makes_a_plain_key(strange: str) -> None:
    found = read(ALIAS, sign(ALIAS, delivery=strange))
    assert isinstance(found, Delivery)
    assert found.key.isascii()
    assert len(found.key) < 100


@pytest.mark.parametrize("field", ["entity", "action", "data", "data.name"])
def test_a_field_that_is_missing_is_named(field: str) -> None:
    event: dict[str, Any] = json.loads(ALIAS)
    *way, last = field.split(".")
    del (event[way[0]] if way else event)[last]
    with pytest.raises(RefusedHook) as refused:
        read(json.dumps(event).encode())
    assert refused.value.status == 400
    assert f"{field} is missing" in refused.value.reason


@settings(max_examples=percent(200))
@given(st.data(), st.sampled_from(sorted(EXPECTED)))
def test_no_mutation_of_a_payload_does_more_than_be_refused(data: st.DataObject, name: str) -> None:
    raw = data.draw(mutated(json.loads(raw_body(name))))
    found: object
    try:
        found = read(raw)
    except RefusedHook as refused:
        found = refused.status
    assert found == 400 or isinstance(found, Delivery | Ignored)
