"""In every state, each outcome has a one-sentence reason that names what decided it."""

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Final

import pytest

from domain.decide import decide
from domain.decision import Decision
from domain.facts.binding import UNCONFIRMED
from domain.facts.cancels import UNEXPLAINED
from domain.facts.refunds import all_refunds
from domain.inputs import CallResult, DisputeFact, Input, PaymentFact, RefundFact
from domain.money import format_amount
from domain.payment import Payment
from domain.status import Outcome
from tests.checker.conftest import Searching
from tests.checker.histories import ALL_HISTORIES
from tests.checker.outcome_table import probes, states
from tests.checker.outcome_table.probes import EARLIER, LATER
from tests.domain.histories.builders import PAYMENT

AnyFact = PaymentFact | RefundFact | DisputeFact
#: Python's representations, which do not belong in a reason.
_NOT_PROSE: Final = re.compile(r"None|<|\(\)|datetime|Status\.|\n")
_LONGEST: Final = 200


def _known(payment: Payment) -> Iterator[AnyFact]:
    yield from payment.facts
    for refund in payment.provider_refunds:
        yield from refund.facts
    if payment.refund_total is not None:
        yield payment.refund_total
    for dispute in payment.disputes:
        yield dispute.fact


def _names(fact: AnyFact, reason: str) -> bool:
    return f"{fact.status} at {fact.occurred_at.isoformat()} ({fact.event_id})" in reason


def _names_the_later_fact(payment: Payment, input_: Input, reason: str) -> bool:
    """A stale fact's reason names it and the fact that counts; a stale result's, the call."""
    if isinstance(input_.body, CallResult):
        return input_.body.call_key in reason
    assert isinstance(input_.body, AnyFact)
    if not _names(input_.body, reason):
        return False
    others = (fact for fact in _known(payment) if fact.event_id != input_.event_id)
    return any(_names(fact, reason) for fact in others)


def _names_the_contradiction(payment: Payment, input_: Input, reason: str) -> bool:
    """A conflict's reason names the known object, final fact, amount, call or refusal."""
    amounts = (format_amount(r.amount, payment.currency) for r in all_refunds(payment))
    known = [payment.object_id, payment.currency, *amounts]
    if isinstance(input_.body, CallResult):
        known.append(input_.body.call_key)
    if payment.create_refusal is not None:
        known.append("refused to create")
    return any(each is not None and each in reason for each in known) or any(
        _names(fact, reason) for fact in _known(payment)
    )


def _names_the_obstacle(payment: Payment, _input: Input, reason: str) -> bool:
    """A rejection's reason names the state, what is in flight, or what was used before."""
    named = (payment.status, "in progress", "Idempotency-Key", "exists", "no such payment")
    awaited = ("has to act", "responds to", "being cancelled", "is left", "expires at")
    return any(each in reason for each in (*named, *awaited))


def _any(_payment: Payment, _input: Input, _reason: str) -> bool:
    return True


NAMES: Final[dict[Outcome, Callable[[Payment, Input, str], bool]]] = {
    Outcome.APPLIED: _any,
    Outcome.DUPLICATE: lambda _payment, _input, reason: "already processed" in reason,
    Outcome.STALE: _names_the_later_fact,
    Outcome.REJECTED: _names_the_obstacle,
    Outcome.CONFLICT: _names_the_contradiction,
    Outcome.PARKED: lambda _payment, _input, reason: reason in {UNCONFIRMED, UNEXPLAINED},
    Outcome.IGNORED: lambda _payment, _input, reason: "customer.updated" in reason,
}


@pytest.fixture(scope="module")
def reached(searched: Searching) -> list[Payment]:
    """The payments that the histories reach, one for each combination of rows."""
    payments: dict[str, Payment] = {}
    for history in ALL_HISTORIES:
        for payment in searched(history).reached.values():
            rows = [states.of_payment(payment), *map(states.of_refund, all_refunds(payment))]
            rows += [states.of_dispute(dispute) for dispute in payment.disputes]
            rows += [row for _, row in states.of_calls(payment)]
            payments.setdefault(" | ".join(rows), payment)
    return list(payments.values())


def _tried(payment: Payment) -> Iterable[Input]:
    facts = [*probes.payment_facts(payment, LATER), *probes.payment_facts(payment, EARLIER)]
    for refund in all_refunds(payment):
        facts += probes.refund_facts(payment, refund, LATER)
        facts += probes.refund_facts(payment, refund, EARLIER)
    if payment.refund_total is not None:
        facts += probes.totals(payment, LATER, EARLIER)
    for dispute in payment.disputes:
        facts += probes.dispute_facts(payment, dispute.id, LATER)
        facts += probes.dispute_facts(payment, dispute.id, EARLIER)
    results = chain.from_iterable(
        probes.results(payment, call) for call, _ in states.of_calls(payment)
    )
    tried = chain(probes.commands(), facts, probes.first_facts(payment), results)
    return (input_ for _, input_ in tried)


def _decisions(payments: Iterable[Payment]) -> Iterator[tuple[Payment, Input, Decision]]:
    for payment in payments:
        for input_ in _tried(payment):
            yield payment, input_, decide(payment, input_, PAYMENT)


def test_every_outcome_has_a_one_sentence_reason_that_names_what_decided_it(
    reached: list[Payment],
) -> None:
    """The reason alone explains the outcome in the timeline."""
    met = set[Outcome]()
    for payment, input_, decision in _decisions(reached):
        reason, outcome = decision.reason, decision.outcome
        met.add(outcome)
        reported = f"{outcome} in {payment.status}: {reason!r} for {input_.body}"
        assert 0 < len(reason) <= _LONGEST, reported
        assert not _NOT_PROSE.search(reason), reported
        assert NAMES[outcome](payment, input_, reason), reported
    assert met == NAMES.keys()


def test_an_input_before_its_payment_is_parked_with_a_reason() -> None:
    """This holds for facts and results."""
    for _, input_ in (*probes.payment_facts(None, LATER), *probes.results(None, "create")):
        decision = decide(None, input_, PAYMENT)
        assert decision.outcome is Outcome.PARKED
        assert decision.reason == "its payment does not exist yet"


#: Amounts and attempts in a reason; no other number may be there.
_KNOWN_NUMBERS: Final = re.compile(r"attempt \d+|max_attempts is \d+|\d+\.\d\d EUR")
_BARE_NUMBER: Final = re.compile(r"(?<![\w.:+-])-?\d+(?![\w.:+-])")


def test_every_amount_has_its_currencys_decimals(reached: list[Payment]) -> None:
    """No reason shows minor units: a number without decimals is an attempt's."""
    shown_amounts = 0
    for _, _, decision in _decisions(reached):
        shown_amounts += " EUR" in decision.reason
        reported = _KNOWN_NUMBERS.sub("", decision.reason)
        assert not _BARE_NUMBER.search(reported), decision.reason
    assert shown_amounts > 20
