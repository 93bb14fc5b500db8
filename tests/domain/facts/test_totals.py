"""Totals: what is kept of a report of all that was given back."""

from msgspec.structs import replace

from domain.decide import decide
from domain.facts.refund_totals import range_with
from domain.status import Outcome, ProviderStatus, RefundStatus
from domain.view import snapshot
from tests.domain.histories.builders import payment_fact, received, refund_fact
from tests.domain.histories.situations import replay_until

_SUCCEEDED = RefundStatus.SUCCEEDED


def test_a_total_is_kept_without_the_refunds_that_it_lists() -> None:
    """They are kept as the refunds of the provider; each total of many lists all of them."""
    listed = (refund_fact("re_1", _SUCCEEDED, 9, 100), refund_fact("re_2", _SUCCEEDED, 10, 200))
    total = refund_fact("all", _SUCCEEDED, 10, 300, ref="ch_1", is_total=True, listed=listed)
    replay = replay_until("succeeded")
    replay.deliver(received(total))
    payment = replay.existing
    assert payment.refund_total is not None
    assert (payment.refund_total.amount, payment.refund_total.listed) == (300, ())
    assert [refund.amount for refund in payment.provider_refunds] == [100, 200]


def test_a_total_beyond_what_was_captured_makes_a_version() -> None:
    """The refunded amount stays the captured one, but the refund that is shown changes."""
    replay = replay_until("succeeded")
    shown = list[tuple[int, int, int]]()
    for second, amount in ((9, 1000), (10, 1200)):
        total = refund_fact("all", _SUCCEEDED, second, amount, ref="ch_1", is_total=True)
        assert replay.deliver(received(total)).outcome is Outcome.APPLIED
        published = snapshot(replay.existing)
        (unnamed,) = published.refunds
        shown.append((published.version, published.amounts.refunded, unnamed.amount))
    (version, *before), (next_version, *after) = shown
    assert next_version == version + 1
    assert (before, after) == ([1000, 1000], [1000, 1200])


def test_the_range_of_totals_begins_with_the_one_that_was_stored_without_a_range() -> None:
    """An earlier release kept only the latest one."""
    first, second = (
        refund_fact("all", _SUCCEEDED, at, amount, ref="ch_1", is_total=True, may_be_release=True)
        for at, amount in ((9, 300), (10, 500))
    )
    replay = replay_until("succeeded")
    replay.deliver(received(first))
    older = replace(replay.existing, refund_total_range=None)
    after = decide(older, received(second), older.id).payment
    assert after is not None
    assert after.refund_total_range == (300, 500)
    assert range_with(older, second) == range_with(replay.existing, second) == (300, 500)
    sure = replace(older, refund_total=replace(first, may_be_release=False))
    assert range_with(sure, second) == (500, 500)


def test_nothing_was_let_go_of_a_payment_of_which_more_was_captured_than_authorized() -> None:
    """A total beyond the captured amount is shown as it is."""
    replay = replay_until("authorized")
    replay.deliver(received(payment_fact(ProviderStatus.SUCCEEDED, 9, captured=1200)))
    total = refund_fact("all", _SUCCEEDED, 20, 1300, is_total=True, may_be_release=True)
    replay.deliver(received(total))
    (shown,) = snapshot(replay.existing).refunds
    assert shown.amount == 1300


def test_what_only_a_total_reports_has_no_reason() -> None:
    """A total's reason is that of one of the refunds in it, nobody knows of which."""
    replay = replay_until("succeeded")
    total = refund_fact("all", _SUCCEEDED, 20, 300, is_total=True, reason="fraudulent")
    replay.deliver(received(total))
    (shown,) = snapshot(replay.existing).refunds
    assert (shown.amount, shown.reason) == (300, None)
