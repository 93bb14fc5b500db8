"""Postgres agrees with the pure core: the same histories go through both, step by step.

A history's records come in any batches, in any order and repeatedly; some batches are rolled back.
At each step the loaded read set, the plan and the written rows equal those of the pure core, which
keeps its plans in dictionaries.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Final

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from psycopg_pool import AsyncConnectionPool

from decisions.fold import fold
from ports.batch import ReadSet, WriteSet
from ports.records import ConsumedRecord, DecodedInput, RecordOffset, refusal_id
from postgres.documents import decode_payment
from postgres.stores import Pool, PostgresBatches
from tests.checker.histories import ALL_HISTORIES
from tests.checker.space.script import script_of
from tests.domain.histories.builders import PAYMENT
from tests.domain.histories.history import History
from tests.support import database
from tests.support.builders import NOW
from tests.support.programs.folding import stored

#: How many histories run; more of them find more.
RUNS: Final = int(os.environ.get("PAYMENTS_TEST_LOCKSTEP", "40"))
STEPS: Final = 12


class _RolledBackError(Exception):
    """The transaction of a batch ends without a commit."""


class Lockstep(RuleBasedStateMachine):
    """One history, through the pure core and through the store."""

    def __init__(self, runner: asyncio.Runner, pool: Pool) -> None:
        super().__init__()
        self._runner = runner
        self._pool = pool
        self._records: tuple[DecodedInput, ...] = ()
        self._by_position: Mapping[RecordOffset, DecodedInput] = {}
        self._plans: list[WriteSet] = []

    @initialize(history=st.sampled_from(ALL_HISTORIES))
    def begin(self, history: History) -> None:
        """An empty store, and a history's records: each input twice, under one event ID."""
        script = script_of(history)
        self._records = (*script.first, *script.second)
        self._by_position = {each.record.position: each for each in self._records}
        self._runner.run(database.empty(self._pool))

    @rule(data=st.data())
    def batch(self, data: st.DataObject) -> None:
        """A batch of any records: both make the same plan, and write it."""
        self._runner.run(self._batch(self._some(data), commit=True))

    @precondition(lambda self: self._plans)
    @rule(data=st.data())
    def lost_batch(self, data: st.DataObject) -> None:
        """A crash before the commit: the store has written nothing."""
        self._runner.run(self._batch(self._some(data), commit=False))

    @invariant()
    def rows_agree(self) -> None:
        """The payment and its versions are those of the pure core, to the last field."""
        if self._plans:
            self._runner.run(self._rows_agree())

    def _some(self, data: st.DataObject) -> list[DecodedInput]:
        return data.draw(st.lists(st.sampled_from(self._records), min_size=1, max_size=4))

    async def _batch(self, batch: Sequence[DecodedInput], *, commit: bool) -> None:
        store = PostgresBatches(self._pool, self._received)
        known = stored(*self._plans)
        try:
            async with store.transaction() as transaction:
                loaded = await transaction.load(batch)
                _agree(loaded, known, batch)
                plan = fold(loaded, batch)
                expected = fold(known, batch)
                assert plan.inbox == expected.inbox
                assert plan.versions == expected.versions
                assert plan.payments == expected.payments
                assert plan.calls == expected.calls
                assert plan.duplicates == expected.duplicates
                await transaction.write(plan, NOW)
                _roll_back_unless(commit)
        except _RolledBackError:
            return
        self._plans.append(expected)

    def _received(self, record: ConsumedRecord) -> DecodedInput:
        return self._by_position[record.position]

    async def _rows_agree(self) -> None:
        known = stored(*self._plans)
        documents = await database.rows(self._pool, "select document::text from payments")
        assert [decode_payment(text) for (text,) in documents] == list(known.payments.values())
        versions = await database.rows(
            self._pool,
            "select version, previous_status, status, event_id from payment_versions order by 1",
        )
        assert versions == [
            (v.payment.version, v.previous_status, v.payment.status, v.event_id)
            for plan in self._plans
            for v in plan.versions
        ]
        calls = await database.rows(self._pool, "select call_key from provider_calls")
        assert {key for (key,) in calls} == {c.key for plan in self._plans for c in plan.calls}


def _roll_back_unless(commit: bool) -> None:  # noqa: FBT001  # its name says what it means
    if not commit:
        raise _RolledBackError


def _agree(loaded: ReadSet, known: ReadSet, batch: Sequence[DecodedInput]) -> None:
    """The store loads for a batch what the pure core has of it."""
    looked_up = {received.event_id for received in batch} | {refusal_id(each) for each in batch}
    assert loaded.payments == known.payments
    assert {event_id: (each.position, each.outcome) for event_id, each in loaded.known.items()} == {
        event_id: (each.position, each.outcome)
        for event_id, each in known.known.items()
        if event_id in looked_up
    }
    if PAYMENT in loaded.parked:
        assert loaded.parked[PAYMENT] == known.parked[PAYMENT]
    assert loaded.quarantined == known.quarantined == frozenset()


def test_the_store_and_the_pure_core_agree_step_by_step(own_database: str) -> None:
    """Read set, plan and rows are equal for any batches."""
    with asyncio.Runner() as runner:
        pool: Pool = AsyncConnectionPool(own_database, min_size=1, max_size=1, open=False)
        runner.run(pool.open())
        try:
            run_state_machine_as_test(
                lambda: Lockstep(runner, pool),  # type: ignore[arg-type]  # any factory will do
                settings=settings(
                    max_examples=RUNS,
                    stateful_step_count=STEPS,
                    derandomize=True,
                    deadline=None,
                    phases=[Phase.explicit, Phase.generate],  # runs are short enough to read
                ),
            )
        finally:
            runner.run(pool.close())
