"""Operations from a real Postgres: as published, or what the inbox says of their commands."""

import json

import httpx
import pytest

from schemas import identity
from schemas.operations import Operation
from tests.ingress.harness import assert_problem
from tests.ingress.store import Store, StoredPayment

pytestmark = pytest.mark.anyio


def event_of(payment: StoredPayment) -> str:
    """Returns the event ID of a command about this payment."""
    return identity.command_event_id(payment.id, "body")


def operation_id(payment: StoredPayment) -> str:
    """Returns the public ID of that command's operation."""
    return identity.public_operation_id(payment.id, event_of(payment))


def insert(payment: StoredPayment, tenant: str = "") -> str:
    """Stores the operation as the stream does. Returns its document."""
    document = json.dumps({"id": operation_id(payment), "status": "rejected"})
    payment.operation(operation_id(payment), document, "rejected", tenant)
    return document


async def test_an_operation_is_its_document(store: Store, acme: httpx.AsyncClient) -> None:
    """The response is the JSON text that was published, also if the inbox has its command."""
    payment = store("a")
    payment.inbox(event_of(payment), 1, tenant=payment.tenant, kind="command.cancel")
    document = insert(payment)
    response = await acme.get(f"/v1/operations/{operation_id(payment)}")
    assert (response.status_code, response.text) == (200, document)
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("outcome", "status"), [("applied", "applied"), ("stale", "applied"), ("rejected", "rejected")]
)
async def test_an_operation_of_an_earlier_release_is_its_commands_outcome(
    store: Store, acme: httpx.AsyncClient, outcome: str, status: str
) -> None:
    """That release stored no document: there is a reason, and no code."""
    payment = store("a")
    payment.version("CREATED", "cmd_0")
    payment.inbox(
        event_of(payment),
        7,
        tenant=payment.tenant,
        kind="command.capture",
        outcome=outcome,
        reason="why",
        version=1,
    )
    response = await acme.get(f"/v1/operations/{operation_id(payment)}")
    found = Operation.model_validate(response.json())
    assert (found.id, found.payment_id) == (operation_id(payment), payment.id)
    assert (found.type, found.status, found.code, found.reason) == ("capture", status, None, "why")
    assert (found.version, (found.updated_at - found.received_at).seconds) == (1, 7)


@pytest.mark.parametrize(
    ("outcome", "where", "reason"),
    [
        ("parked", "", "its payment is quarantined"),
        (
            "quarantined",
            "@payment-commands/1/17",
            "an unforeseen error; it waits for an operator",
        ),
    ],
)
async def test_a_command_that_waits_is_an_accepted_operation(
    store: Store, acme: httpx.AsyncClient, outcome: str, where: str, reason: str
) -> None:
    """With the reason for which it waits, without the text of an unforeseen error."""
    payment = store("a")
    payment.inbox(
        event_of(payment) + where,
        7,
        tenant=payment.tenant,
        kind="command.cancel",
        outcome=outcome,
        reason="ZeroDivisionError" if outcome == "quarantined" else reason,
        value=b"{}",
    )
    response = await acme.get(f"/v1/operations/{operation_id(payment)}")
    found = Operation.model_validate(response.json())
    assert (found.type, found.status, found.reason) == ("cancel", "accepted", reason)
    assert found.updated_at == found.received_at


async def test_an_operation_of_another_tenant_or_none_is_404(
    store: Store, acme: httpx.AsyncClient
) -> None:
    """By the payment's ID in it, and by the tenant of the row."""
    own, others, foreign = store("a"), store("b"), store("c", tenant="globex")
    insert(others, foreign.tenant)
    insert(foreign)
    for path in (operation_id(others), operation_id(foreign), operation_id(own), "op_1"):
        assert_problem(await acme.get(f"/v1/operations/{path}"), 404, "unknown-operation")
