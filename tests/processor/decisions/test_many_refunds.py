"""A payment with many refunds: an input costs what it changes."""

from collections.abc import Sequence

import pytest

from decisions.fold import fold
from domain import view
from domain.facts.refunds import RefundRecord
from domain.payment import Payment
from ports.batch import PARTS_MAX, ReadSet, WriteSet
from ports.records import ConsumedRecord
from tests.support.builders import Log, received
from tests.support.programs.folding import ONE

AMOUNT = 1_000_000


@pytest.fixture
def log() -> Log:
    """The log."""
    return Log()


def folded(payment: Payment | None, records: Sequence[ConsumedRecord]) -> WriteSet:
    """The write set of these records."""
    payments = {} if payment is None else {payment.id: payment}
    nothing = ReadSet(payments=payments, known={}, quarantined=frozenset(), parked={}, owners={})
    return fold(nothing, [received(record) for record in records])


def with_refunds(log: Log, count: int) -> Payment:
    """A payment that was captured and refunded this often."""
    paid = log.webhook(ONE, "succeeded", amount=AMOUNT, amount_received=AMOUNT)
    begun = [log.create(ONE, amount=AMOUNT), paid]
    return folded(None, [*begun, *refunds(log, 0, count)]).payments[ONE]


def refunds(log: Log, first: int, count: int) -> list[ConsumedRecord]:
    """Webhooks of this many more refunds."""
    numbers = range(first, first + count)
    return [log.refund_event(ONE, f"re_{number:04}", "succeeded", 10) for number in numbers]


def test_every_version_of_an_ordinary_payment_is_published(log: Log) -> None:
    """Also where one batch makes many of them."""
    plan = folded(with_refunds(log, 2), refunds(log, 2, PARTS_MAX - 2))
    assert plan.published == plan.versions
    assert len(plan.versions) == PARTS_MAX - 2


def test_of_many_versions_with_many_refunds_the_last_one_is_published(log: Log) -> None:
    """Each is stored. The last one has all that the others have."""
    plan = folded(with_refunds(log, PARTS_MAX), refunds(log, PARTS_MAX, 20))
    assert len(plan.versions) == 20
    (last,) = plan.published
    assert last == plan.versions[-1]
    assert last.payment == plan.payments[ONE]


def test_an_input_looks_at_the_refunds_that_it_changes(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many others there are: a webhook costs as much on the last day as on the first."""
    seen = list[RefundRecord]()
    look = view._refund_view

    def watched(refund: RefundRecord) -> view.RefundView:
        seen.append(refund)
        return look(refund)

    payment = with_refunds(log, 500)
    monkeypatch.setattr(view, "_refund_view", watched)
    states = ("pending", "canceled")
    changes = [log.refund_event(ONE, "re_0500", state, 10) for state in states]
    plan = folded(payment, changes)
    assert [v.payment.version for v in plan.versions] == [payment.version + 1, payment.version + 2]
    assert len(seen) <= 4
