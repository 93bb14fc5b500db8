"""A client that has a version of a payment says so, and what it asks for is for that version."""

from typing import Any, Final

import httpx
import pytest

from schemas import identity
from schemas.commands import VALUE, CapturePayment
from tests.ingress.harness import PAYMENT, FakeStore, Log, assert_problem, keyed

pytestmark = pytest.mark.anyio

PAYMENT_ID: Final = identity.payment_id("acme", "order-1")
URL: Final = f"/v1/payments/{PAYMENT_ID}"
BODY: Final[dict[str, Any]] = {"amount": 5}


@pytest.fixture
def no_database() -> FakeStore:
    """An available, empty store: so the first request is known to be the first."""
    return FakeStore()


def _command(log: Log) -> CapturePayment:
    command = VALUE.validate_json(log.records[-1].value or b"")
    assert isinstance(command, CapturePayment)
    return command


async def _capture(client: httpx.AsyncClient, key: str, tag: str | None) -> httpx.Response:
    headers = keyed(key) if tag is None else {**keyed(key), "If-Match": tag}
    return await client.post(f"{URL}/capture", json=BODY, headers=headers)


@pytest.mark.parametrize(
    ("tag", "version"), [('"2"', 2), ('"2-quarantined"', 2), ('"0"', 0), ("*", None), (None, None)]
)
async def test_the_version_that_a_client_expects_is_in_the_command(
    acme: httpx.AsyncClient, log: Log, tag: str | None, version: int | None
) -> None:
    """As the ETag had it. Without one a command is what it was in every release before."""
    assert (await _capture(acme, "k", tag)).status_code == 202
    command = _command(log)
    assert command.expected_version == version
    if version is None:
        assert b"expected_version" not in (log.records[-1].value or b"")
        assert command.fingerprint == identity.fingerprint(BODY)


async def test_a_retry_repeats_the_version(acme: httpx.AsyncClient, log: Log) -> None:
    """With another one, or without, it is another request under the same key."""
    first = await _capture(acme, "k", '"2"')
    again = await _capture(acme, "k", '"2"')
    assert (again.status_code, again.json()) == (202, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert len(log.records) == 1
    for tag in ('"3"', None):
        assert_problem(await _capture(acme, "k", tag), 422, "idempotency-key-reused")
    assert len(log.records) == 1


@pytest.mark.parametrize(
    "tag", ['W/"2"', '"2", "3"', "2", '"two"', "", '"02"', '"-1"', '"2', '"1234567890"', '"\uff12"']
)
async def test_what_is_no_tag_of_a_payment_is_named(
    acme: httpx.AsyncClient, log: Log, tag: str
) -> None:
    """A condition that can't be read must not be taken for none."""
    headers = [(b"Idempotency-Key", b"k"), (b"If-Match", tag.encode())]
    response = await acme.post(f"{URL}/cancel", json={}, headers=headers)
    (error,) = assert_problem(response, 422, "invalid-fields")["errors"]
    assert error["field"] == "If-Match"
    assert log.records == []


async def test_the_version_is_no_field_of_a_body(acme: httpx.AsyncClient, log: Log) -> None:
    """It has one place."""
    body = {**BODY, "expected_version": 2}
    response = await acme.post(f"{URL}/capture", json=body, headers=keyed("k"))
    assert_problem(response, 422, "invalid-fields")
    assert log.records == []


async def test_a_create_expects_no_version(acme: httpx.AsyncClient, log: Log) -> None:
    """There is none yet."""
    headers = {**keyed("k"), "If-Match": '"2"'}
    assert (await acme.post("/v1/payments", json=PAYMENT, headers=headers)).status_code == 202
    assert b"expected_version" not in (log.records[0].value or b"")
