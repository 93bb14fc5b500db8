"""What Postgres refuses from any client: the last guard, should every other one fail."""

from typing import Final, LiteralString

import pytest
from psycopg import errors

from domain.status import Status
from domain.transitions import TRANSITIONS, is_final
from postgres.stores import Pool
from tests.support import database
from tests.support.builders import NOW, Log, object_of
from tests.support.programs.folding import ONE, TWO

pytestmark = pytest.mark.anyio

_VERSION: Final = """
    insert into payment_versions (payment_id, version, previous_status, status, event_id, at)
    select payment_id, {}, {}, {}, 'evt', now()
    from payment_versions where payment_id = %(two)s and version = 1"""
_INBOX: Final = """
    insert into inbox (event_id, payment_id, kind, topic, partition, "offset", received_at,
        recorded_at, outcome, reason)
    values ({}, %(one)s, 'kind', 'topic', 0, 0, %(now)s, %(now)s, {}, 'because')"""
_CALL: Final = """
    insert into provider_calls (call_key, payment_id, provider, operation, request, state,
        outcome, next_attempt_at, created_at)
    values ({}, %(one)s, 'stripe', {}, '{{}}', {}, {}, now(), now())"""
_REFUND: Final = """
    insert into refunds (payment_id, refund_id, status, amount, reversed, updated_at)
    values (%(one)s, 'ref_1', 'PENDING', 1, false, now())"""
_REFUND_ROW: Final = "(%(one)s, 'ref_1', 'FAILED', 2, false, now())"
_DISPUTE: Final = """
    insert into disputes (payment_id, dispute_id, status, amount, currency, funds, updated_at)
    values (%(one)s, 'dis_1', 'LOST', 1, 'EUR', '[]', now())"""
_DISPUTE_ROW: Final = "(%(one)s, 'dis_1', 'WON', 1, 'EUR', '[]', now())"
_DEADLINE: Final = """
    insert into disputes (payment_id, dispute_id, status, amount, currency, respond_by, funds,
        updated_at)
    values (%(one)s, 'dis_2', {}, 1, 'EUR', now(), '[]', now())"""
_ONE: Final = "update payments set {} where payment_id = %(one)s"
_TWO: Final = "update payments set {} where payment_id = %(two)s"
_NAMED: Final = {"one": ONE, "two": TWO, "object": object_of(ONE), "now": NOW}

Check, Foreign, Unique = errors.CheckViolation, errors.ForeignKeyViolation, errors.UniqueViolation
#: Payment one has succeeded (version 2), payment two was created (version 1).
REFUSED: Final[dict[str, tuple[LiteralString, type[errors.IntegrityError]]]] = {
    "a final status becomes another": (_ONE.format("status = 'FAILED'"), Check),
    "a final status becomes an open one": (_ONE.format("status = 'PROCESSING'"), Check),
    "a version goes back": (_ONE.format("version = 1"), Check),
    "an unknown status": (_TWO.format("status = 'LOST'"), Foreign),
    "refunded above captured": (_ONE.format("refunded = captured + 1"), Check),
    "captured above authorized": (_ONE.format("authorized = captured - 1"), Check),
    "a negative refund": (_ONE.format("refunded = -1"), Check),
    "a payment of zero": (_ONE.format("amount = 0"), Check),
    "a currency in lower case": (_ONE.format("currency = 'eur'"), Check),
    "a payment under another ID": (_ONE.format("payment_id = 'pay_1'"), Check),
    "two payments with one object": (_TWO.format("object_id = %(object)s"), Unique),
    "a transition that is not in the table": (
        _VERSION.format("3", "'PROCESSING'", "'CREATED'"),
        Foreign,
    ),
    "a transition out of a final status": (
        _VERSION.format("3", "'SUCCEEDED'", "'FAILED'"),
        Foreign,
    ),
    "a version twice": (_VERSION.format("1", "null", "'CREATED'"), Unique),
    "a later version without a previous status": (_VERSION.format("2", "null", "'CREATED'"), Check),
    "an unknown outcome": (_INBOX.format("'evt'", "'lost'"), Check),
    "a parked record without its bytes": (_INBOX.format("'evt'", "'parked'"), Check),
    "an event twice": (_INBOX.format("'evt_taken'", "'stale'"), Unique),
    "a done call without an outcome": (
        _CALL.format("%(one)s || ':key'", "'refund'", "'done'", "null"),
        Check,
    ),
    "a due call with an outcome": (
        _CALL.format("%(one)s || ':key'", "'refund'", "'due'", "'acknowledged'"),
        Check,
    ),
    "a call of an unknown operation": (
        _CALL.format("%(one)s || ':key'", "'steal'", "'due'", "null"),
        Check,
    ),
    "a call under another payment's key": (
        _CALL.format("%(two)s || ':refund:1'", "'refund'", "'due'", "null"),
        Check,
    ),
    "another object than the payment's": (_ONE.format("object_id = 'pi_another'"), Check),
    "a payment that loses its object": (_ONE.format("object_id = null"), Check),
    "a refund twice": (f"{_REFUND}, {_REFUND_ROW}", Unique),
    "a refund of no payment": (_REFUND.replace("%(one)s", "'pay_1'"), Foreign),
    "a lost dispute with a deadline": (_DEADLINE.format("'LOST'"), Check),
    "a dispute whose funds are no list": (_DISPUTE.replace("'[]'", "'{}'"), Check),
    "a dispute twice": (f"{_DISPUTE}, {_DISPUTE_ROW}", Unique),
    "a key longer than a provider accepts": (
        _CALL.format("rpad(%(one)s || ':', 256, 'k')", "'refund'", "'due'", "null"),
        Check,
    ),
    "a call twice": (
        _CALL.format("%(one)s || ':create'", "'create'", "'due'", "null"),
        Unique,
    ),
}


@pytest.fixture
async def two_payments(pool: Pool) -> Pool:
    """Payment one has succeeded, payment two was created."""
    log = Log()
    paid = log.webhook(ONE, "succeeded", "evt_taken")
    await database.process(pool, log.create(ONE), paid, log.create(TWO))
    return pool


@pytest.mark.parametrize("what", REFUSED)
async def test_postgres_refuses_a_wrong_row(two_payments: Pool, what: str) -> None:
    """A statement that bypasses our code fails and changes no row."""
    statement, error = REFUSED[what]
    before = await database.everything(two_payments)
    with pytest.raises(error):
        async with two_payments.connection() as connection:
            await connection.execute(statement, _NAMED)
    assert await database.everything(two_payments) == before


async def test_right_values_are_not_refused(two_payments: Pool) -> None:
    """The same statements succeed with right values, so the test above can fail."""
    async with two_payments.connection() as connection:
        for statement in (
            _ONE.format("refunded = captured, version = 3"),
            _TWO.format("object_id = 'pi_another', status = 'PROCESSING'"),
            _VERSION.format("2", "'CREATED'", "'PROCESSING'"),
            _VERSION.format("3", "'PROCESSING'", "'PROCESSING'"),
            _INBOX.format("'evt'", "'stale'"),
            _CALL.format("rpad(%(one)s || ':', 255, 'k')", "'refund'", "'done'", "'acknowledged'"),
            _REFUND,
            _REFUND.replace("%(one)s", "%(two)s"),
            _DISPUTE,
            _DEADLINE.format("'NEEDS_RESPONSE'"),
            _DEADLINE.format("'WARNING_NEEDS_RESPONSE'").replace("dis_2", "dis_3"),
            _DISPUTE.replace("%(one)s", "%(two)s"),
        ):
            await connection.execute(statement, _NAMED)


async def test_the_tables_of_the_state_machine_equal_the_code(pool: Pool) -> None:
    """Statuses and transitions in Postgres are those of ``domain/transitions.py``."""
    statuses = await database.rows(pool, "select status, final from payment_statuses")
    assert dict(statuses) == {status: is_final(status) for status in Status}
    allowed = await database.rows(pool, "select source, target from allowed_transitions")
    assert sorted(allowed) == sorted((edge.source, edge.target) for edge in TRANSITIONS)
