"""Amounts are what the provider reports, however much was asked for; a lost one is never zero."""

import inspect
from types import ModuleType
from typing import Final

import msgspec
import pytest
from msgspec import Struct
from msgspec.structs import replace

from domain import inputs, payment, terms
from domain.calls import amount_of
from domain.status import Outcome, ProviderStatus, RefundStatus
from domain.view import refundable, snapshot
from tests.domain.histories.builders import (
    acknowledged,
    capture,
    key,
    payment_fact,
    received,
    refund,
    refund_fact,
)
from tests.domain.histories.situations import replay_until

_PAID = payment_fact(ProviderStatus.SUCCEEDED, 20)
_HELD = payment_fact(ProviderStatus.AUTHORIZED, 20)

#: Field names that hold money, in minor units.
AMOUNTS: Final = frozenset({"amount", "captured", "currency"})
MODULES: Final[tuple[ModuleType, ...]] = (inputs, payment, terms)
STORED: Final = sorted(
    {
        each
        for module in MODULES
        for _, each in inspect.getmembers(module, inspect.isclass)
        if issubclass(each, Struct) and AMOUNTS & set(each.__struct_fields__)
    },
    key=lambda each: each.__name__,
)


@pytest.mark.parametrize("amount", [999, 1500])
def test_a_changed_amount_is_taken_in_and_the_asked_one_stays(amount: int) -> None:
    """``amount`` is what the client asked for; ``amounts`` are the provider's."""
    replay = replay_until("authorized")
    raised = replay.deliver(received(replace(_HELD, amount=amount)))
    assert raised.outcome is Outcome.APPLIED
    assert snapshot(replay.existing).amounts.authorized == amount
    paid = replay.deliver(received(replace(_PAID, amount=amount, captured=amount)))
    assert paid.outcome is Outcome.APPLIED
    published = snapshot(replay.existing)
    assert published.amount == 1000
    assert (published.amounts.authorized, published.amounts.captured) == (amount, amount)


def test_an_amount_captured_beyond_the_authorized_one_counts_as_both() -> None:
    """Captured is never more than authorized."""
    replay = replay_until("authorized")
    decision = replay.deliver(received(replace(_PAID, captured=1200)))
    assert decision.outcome is Outcome.APPLIED
    amounts = snapshot(replay.existing).amounts
    assert (amounts.authorized, amounts.captured) == (1200, 1200)


@pytest.mark.parametrize(
    ("asked", "outcome", "named"),
    [
        (1500, Outcome.APPLIED, "15.00 EUR"),
        ("all", Outcome.APPLIED, "15.00 EUR"),
        (1501, Outcome.REJECTED, "15.00 EUR is authorized"),
    ],
)
def test_a_client_captures_up_to_what_is_authorized(
    asked: int, outcome: Outcome, named: str
) -> None:
    """All is what the provider has authorized by then, not what was asked for."""
    replay = replay_until("authorized")
    replay.deliver(received(replace(_HELD, amount=1500)))
    decision = replay.deliver(received(capture(asked)))
    assert decision.outcome is outcome
    assert named in decision.reason
    assert [amount_of(call) for call in decision.provider_calls] == (
        [1500] if outcome is Outcome.APPLIED else []
    )


def test_what_is_captured_beyond_the_asked_amount_can_be_refunded() -> None:
    """All that is left is what the provider captured, less what was refunded."""
    replay = replay_until("processing")
    replay.deliver(received(replace(_PAID, captured=1500)))
    early = refund_fact("re_9", RefundStatus.SUCCEEDED, 21, 1100)
    assert replay.deliver(received(early)).outcome is Outcome.APPLIED
    decision = replay.deliver(received(refund("re_1")))
    assert [amount_of(call) for call in decision.provider_calls] == [400]


def test_what_only_a_total_reports_as_given_back_cannot_be_refunded_again() -> None:
    """Nobody has named those refunds yet, but their money is gone."""
    replay = replay_until("succeeded")
    total = refund_fact("total", RefundStatus.SUCCEEDED, 30, 400, is_total=True)
    assert replay.deliver(received(total)).outcome is Outcome.APPLIED
    assert replay.deliver(received(refund("re_1", 601))).outcome is Outcome.REJECTED
    decision = replay.deliver(received(refund("re_2")))
    assert [amount_of(call) for call in decision.provider_calls] == [600]


@pytest.mark.parametrize(("given", "left"), [(300, 300), (400, 200), (500, 100)])
def test_until_our_call_has_an_answer_a_total_with_its_key_is_reserved_too(
    given: int, left: int
) -> None:
    """Somebody may have given that much back under our key, and our own refund comes on top."""
    replay = replay_until("succeeded")
    replay.deliver(received(refund("re_1", 400)))
    total = refund_fact("total", RefundStatus.SUCCEEDED, 30, given, is_total=True)
    replay.deliver(received(replace(total, caused_by=key("refund:re_1"))))
    assert snapshot(replay.existing).amounts.refunded == given
    assert refundable(replay.existing) == left
    decision = replay.deliver(received(refund("re_2")))
    is_clear = given < 400
    assert decision.outcome is (Outcome.APPLIED if is_clear else Outcome.REJECTED)
    assert is_clear or "until the provider responds to refund re_1" in decision.reason
    replay.deliver(received(acknowledged("refund:re_1")))
    assert refundable(replay.existing) == (0 if is_clear else 1000 - given)


@pytest.mark.parametrize("amount", [0, 1001])
def test_no_refund_is_too_small_or_too_large_to_be_taken_in(amount: int) -> None:
    """One of nothing is shown; of one larger than the payment, no more counts than is captured."""
    replay = replay_until("processing")
    odd = refund_fact("re_9", RefundStatus.SUCCEEDED, 20, amount)
    assert replay.deliver(received(odd)).outcome is Outcome.APPLIED
    replay.deliver(received(_PAID))
    published = snapshot(replay.existing)
    assert [each.amount for each in published.refunds] == [amount]
    assert published.amounts.refunded == min(amount, 1000)
    rejected = replay.deliver(received(refund("re_1", 1001)))
    assert rejected.outcome is Outcome.REJECTED


def test_another_currency_stays_a_conflict() -> None:
    """No amount of another currency is one of this payment."""
    replay = replay_until("authorized")
    other = replace(_HELD, currency="USD", amount=1500)
    assert replay.deliver(received(other)).outcome is Outcome.CONFLICT
    assert replay.deliver(received(acknowledged("capture:1"))).outcome is Outcome.CONFLICT


@pytest.mark.parametrize("stored", STORED, ids=lambda each: each.__name__)
def test_an_amount_is_required(stored: type[Struct]) -> None:
    """Documents leave defaults out, so a default amount would look like a lost one."""
    for field in msgspec.structs.fields(stored):
        if field.name in AMOUNTS:
            assert field.required, f"{stored.__name__}.{field.name} has a default"
