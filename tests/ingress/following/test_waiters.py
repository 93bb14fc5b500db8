"""What ends a wait, and how many requests may wait."""

import asyncio
import json
from typing import Any, Final

import pytest
from aiokafka import ConsumerRecord

from ingress.following.waiters import Waiter, Waiters
from ingress.metrics import Metrics
from schemas.topics import PAYMENT_OPERATIONS, PAYMENT_STATE

pytestmark = pytest.mark.anyio

PAYMENT: Final = "pay_a"
OPERATION: Final = "op_a_1"


def record(topic: str, value: Any, headers: Any = (), key: str = PAYMENT) -> Any:
    """Returns a record as a consumer hands it over."""
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return ConsumerRecord(
        topic, 0, 0, 0, 0, key.encode(), content, None, 0, len(content), tuple(headers)
    )


def operation(status: str, version: int | None = None, name: str = OPERATION) -> Any:
    """Returns a record of ``payment-operations``."""
    return record(PAYMENT_OPERATIONS, {"id": name, "status": status, "version": version})


def version(number: int, status: str, headers: Any = ()) -> Any:
    """Returns a record of ``payment-state``."""
    return record(PAYMENT_STATE, {"version": number, "status": status}, headers)


@pytest.fixture
def waiters(metrics: Metrics) -> Waiters:
    """Room for two."""
    return Waiters(metrics, 2)


def of_create(waiters: Waiters) -> Waiter:
    """Returns the waiter of a create."""
    waiter = waiters.add(PAYMENT, OPERATION, for_payment=True)
    assert waiter is not None
    return waiter


def of_capture(waiters: Waiters) -> Waiter:
    """Returns the waiter of another operation."""
    waiter = waiters.add(PAYMENT, OPERATION, for_payment=False)
    assert waiter is not None
    return waiter


@pytest.mark.parametrize("status", ["REQUIRES_ACTION", "AUTHORIZED", "SUCCEEDED", "FAILED"])
async def test_a_create_waits_until_its_payment_has_left_created_and_processing(
    waiters: Waiters, status: str
) -> None:
    """The operation is the one of that moment, in either order of the two topics."""
    waiter = of_create(waiters)
    waiters.take([version(1, "CREATED"), operation("applied", 1), version(2, "PROCESSING")])
    assert not waiter.over.done()
    waiters.take([version(3, status)])
    assert not waiter.over.done(), "what belongs to this version may come a moment later"
    waiters.take([operation("done", 3)])
    assert waiter.over.result() is True
    assert (waiter.payment_status, json.loads(waiter.operation or "")["status"]) == (status, "done")


async def test_a_payment_that_left_ends_a_creates_wait_though_its_operation_is_not_final(
    waiters: Waiters,
) -> None:
    """A webhook may be here before the answer to our own call."""
    waiter = of_create(waiters)
    waiters.take([operation("applied", 1), version(2, "SUCCEEDED")])
    assert await asyncio.wait_for(waiter.over, 5)
    assert json.loads(waiter.operation or "")["status"] == "applied"


@pytest.mark.parametrize("status", ["rejected", "refused"])
async def test_a_create_that_is_rejected_or_refused_waits_no_longer(
    waiters: Waiters, status: str
) -> None:
    """A rejected one has no version; that of a refused one may come a moment later."""
    waiter = of_create(waiters)
    waiters.take([operation(status, None)])
    assert waiter.over.result() is True
    assert waiter.payment is None


async def test_a_refused_create_has_the_version_that_it_led_to(waiters: Waiters) -> None:
    """Whichever of the two comes first."""
    waiter = of_create(waiters)
    waiters.take([version(1, "CREATED"), operation("refused", 2)])
    assert not waiter.over.done()
    waiters.take([version(2, "FAILED")])
    assert waiter.over.result() is True
    assert waiter.payment_status == "FAILED"


async def test_a_done_create_goes_on_to_wait_for_its_payment(waiters: Waiters) -> None:
    """The provider has it, and works on it."""
    waiter = of_create(waiters)
    waiters.take([version(2, "PROCESSING"), operation("done", 2)])
    assert not waiter.over.done()
    waiters.take([version(3, "SUCCEEDED")])
    assert waiter.over.result() is True


@pytest.mark.parametrize("status", ["rejected", "done", "refused"])
async def test_another_operation_waits_until_it_is_final(waiters: Waiters, status: str) -> None:
    """No version of its payment ends the wait, and no other operation."""
    waiter = of_capture(waiters)
    waiters.take([version(9, "FAILED"), operation("applied"), operation("done", name="op_a_2")])
    assert not waiter.over.done()
    waiters.take([operation(status)])
    assert waiter.over.result() is True


async def test_a_final_operation_stays_what_it_is(waiters: Waiters) -> None:
    """After a crash what was published before may be published again, later."""
    waiter = of_create(waiters)
    waiters.take([operation("done", 1), operation("applied", 1)])
    assert json.loads(waiter.operation or "")["status"] == "done"


async def test_an_older_version_does_not_replace_a_newer_one(waiters: Waiters) -> None:
    """It may follow it after a crash."""
    waiter = of_create(waiters)
    waiters.take([version(3, "PROCESSING"), version(2, "REQUIRES_ACTION")])
    assert (waiter.payment_status, waiter.over.done()) == ("PROCESSING", False)


@pytest.mark.parametrize(("headers", "shown"), [((), False), ([("ce_quarantined", b"true")], True)])
async def test_a_version_is_as_the_api_returns_it(
    waiters: Waiters, headers: Any, *, shown: bool
) -> None:
    """With whether the payment is quarantined, which the topic has in a header."""
    waiter = of_create(waiters)
    waiters.take([version(1, "AUTHORIZED", headers)])
    assert json.loads(waiter.payment or "") == {
        "version": 1, "status": "AUTHORIZED", "quarantined": shown
    }  # fmt: skip


async def test_what_is_about_no_waiter_or_unreadable_is_passed_over(waiters: Waiters) -> None:
    """What comes after it wakes its waiter."""
    waiter = of_capture(waiters)
    other = record(PAYMENT_OPERATIONS, {"id": OPERATION, "status": "done"}, key="pay_b")
    broken = [record(topic, b"\xff{") for topic in (PAYMENT_OPERATIONS, PAYMENT_STATE)]
    waiters.take([other, *broken])
    assert not waiter.over.done()
    waiters.take([operation("done")])
    assert waiter.over.result() is True


async def test_no_more_requests_wait_than_there_is_room_for(waiters: Waiters) -> None:
    """A freed place is taken again, and both waiters of one payment are woken."""
    first, second = of_capture(waiters), of_create(waiters)
    assert waiters.add(PAYMENT, OPERATION, for_payment=False) is None
    assert not waiters.has_room
    waiters.take([operation("rejected")])
    assert first.over.result() is True
    assert second.over.result() is True
    waiters.remove(first)
    assert of_capture(waiters) is not first
    assert len(waiters) == 2


async def test_a_closing_process_ends_all_waits(waiters: Waiters) -> None:
    """Nobody waits longer than it runs, and nobody begins to."""
    waiter = of_capture(waiters)
    waiters.close()
    assert waiter.over.result() is False
    waiters.remove(waiter)
    assert waiters.add(PAYMENT, OPERATION, for_payment=False) is None
