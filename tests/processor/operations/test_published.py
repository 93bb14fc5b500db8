"""Answers to operations on a real broker and Postgres: stored, and published after versions."""

from typing import Any, Final

import msgspec
import pytest
from aiokafka import ConsumerRecord

from messaging.log_reader import records
from schemas.headers import as_text
from schemas.identity import public_operation_id
from schemas.operations import Operation
from schemas.topics import PAYMENT_OPERATIONS, PAYMENT_STATE
from tests.support import database
from tests.support.builders import Log, payment, received
from tests.support.programs.stream_worker import Group

pytestmark = pytest.mark.anyio

STORED: Final = "select status, document::text, partition from operations where operation_id = %s"
Records = list[ConsumerRecord[bytes, bytes]]


async def _published(group: Group, payment_id: str) -> Records:
    topic = records(group.bootstrap, PAYMENT_OPERATIONS)
    return [record async for record in topic if record.key == payment_id.encode()]


def _statuses(found: Records) -> list[tuple[str, str, int | None]]:
    values = [msgspec.json.decode(record.value or b"") for record in found]
    return [(value["type"], value["status"], value["version"]) for value in values]


async def test_each_change_is_published_once_with_the_version_it_led_to(group: Group) -> None:
    """Applied, done; refused with the provider's code; rejected with ours, and no version."""
    log, mine = Log(), payment()
    async with group.worker(0) as worker:
        await worker.process(log.create(mine), log.command(mine, "refund"))
        await worker.process(log.result(mine))
    found = await _published(group, mine)
    assert _statuses(found) == [
        ("create", "applied", 1), ("refund", "rejected", 1), ("create", "done", 2),
    ]  # fmt: skip
    (applied, rejected, done) = [Operation.model_validate_json(r.value or b"") for r in found]
    assert (applied.code, applied.payment_id, applied.id) == (None, mine, done.id)
    assert (rejected.code, rejected.refund_id is None) == ("wrong_status", False)
    assert rejected.reason == "refund needs a payment in SUCCEEDED; it is CREATED"
    headers = as_text(found[-1].headers)
    assert headers["ce_id"] == f"{done.id}:done"
    assert (headers["ce_subject"], headers["ce_type"]) == (mine, "payments.payment.operation.v1")


async def test_the_table_has_what_was_published_last(group: Group) -> None:
    """To the byte: it is what the API returns."""
    log, mine = Log(), payment()
    create = log.create(mine)
    id_ = public_operation_id(mine, received(create).event_id)
    async with group.worker(0) as worker:
        await worker.process(create, log.result(mine))
    ((status, document, partition),) = await database.rows(group.pool, STORED, id_)
    found = await _published(group, mine)
    assert (status, document.encode(), partition) == ("done", found[-1].value, 0)
    assert [s for _, s, _ in _statuses(found)] == ["applied", "done"]
    waiting = await database.rows(group.pool, "select * from unpublished_operations")
    assert waiting == []


async def test_a_change_is_in_the_transaction_of_its_version_and_sent_after_it(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader of both topics that knows of the answer can know the version."""
    sent: list[Any] = []
    log, mine = Log(), payment()
    async with group.worker(0) as worker:
        (producer,) = worker.publisher._producers.values()
        send, commit = producer.send_batch, producer.commit_transaction

        async def note(batch: Any, topic: str, **partition: Any) -> Any:
            sent.append(topic)
            return await send(batch, topic, **partition)

        async def committed() -> None:
            sent.append("commit")
            await commit()

        monkeypatch.setattr(producer, "send_batch", note)
        monkeypatch.setattr(producer, "commit_transaction", committed)
        await worker.process(log.create(mine))
    assert sent == [PAYMENT_STATE, PAYMENT_OPERATIONS, "commit"]


@pytest.mark.parametrize("kind", ["create", "cancel"])
async def test_a_crash_before_the_publishing_is_repaired(group: Group, kind: str) -> None:
    """Also of a command that made no version, because there is no such payment."""
    log, mine = Log(), payment()
    command = log.command(mine, kind)
    async with group.worker(0, republish=False) as crashed:
        await crashed.committed(command)
    assert await _published(group, mine) == []
    async with group.worker(0, republish=False) as worker:
        await worker.process(command)
        await worker.process(command)
    statuses = [status for _, status, _ in _statuses(await _published(group, mine))]
    assert statuses == ["applied" if kind == "create" else "rejected"]


async def test_a_new_owner_publishes_what_the_former_one_left(group: Group) -> None:
    """At its assignment, of its partitions alone."""
    one, two = payment(), payment()
    await database.process(group.pool, Log(0).command(one, "cancel"), Log(1).command(two, "cancel"))
    async with group.worker(0):
        assert [status for _, status, _ in _statuses(await _published(group, one))] == ["rejected"]
        assert await _published(group, two) == []


async def test_a_quarantine_announced_beside_an_answer_leaves_the_answer(group: Group) -> None:
    """The publication of a rejected command stays until it is published."""
    log, mine, other = Log(), payment(), payment()
    async with group.worker(0) as worker:
        await worker.process(log.create(mine))
    await database.process(group.pool, log.command(other, "cancel"))
    bad = log.webhook(mine, "succeeded")
    plan = await database.plan_of(group.pool, bad)
    plan.announced[mine] = 0
    await database.write(group.pool, plan)
    async with group.worker(0):
        assert [s for _, s, _ in _statuses(await _published(group, other))] == ["rejected"]


async def test_a_final_answer_can_not_be_changed(group: Group) -> None:
    """Postgres refuses it, whatever our code says."""
    log, mine = Log(), payment()
    await database.process(group.pool, log.command(mine, "cancel"))
    undo = "update operations set status = 'applied' returning 1"
    with pytest.raises(Exception, match="final; it can't become applied"):
        await database.rows(group.pool, undo)
