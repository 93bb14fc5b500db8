"""In every state, each outcome has a one-sentence reason that names what the input lost to."""

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Final

import pytest

from domain.decide import decide
from domain.decision import Decision
from domain.facts.binding import UNCONFIRMED
from domain.facts.refunds import all_refunds
from domain.inputs import CallResult, DisputeFact, Input, PaymentFact, RefundFact
from domain.money import format_amount
from domain.payment import Payment
from domain.status import Outcome
from tests.checker.conftest import Searching
from tests.checker.histories import ALL_HISTORIES
from tests.checker.outcome_table import probes, standing
from tests.checker.outcome_table.probes import EARLIER, LATER
from tests.domain.histories.builders import PAYMENT

AnyFact = PaymentFact | RefundFact | DisputeFact
#: What a person can't read: Python's own words.
_NOT_PROSE: Final = re.compile(r"None|<|\(\)|datetime|Status\.|\n")
_LONGEST: Final = 200


def _known(payment: Payment) -> Iterator[AnyFact]:
    yield from payment.facts
    for refund in payment.provider_refunds:
        yield from refund.facts
    for dispute in payment.disputes:
        yield dispute.fact


def _names(fact: AnyFact, reason: str) -> bool:
    return f"{fact.status} at {fact.occurred_at.isoformat()} ({fact.event_id})" in reason


def _lost_to_a_later_word(payment: Payment, input_: Input, reason: str) -> bool:
    """A stale fact names itself and the fact that stands; a stale result, the call."""
    if isinstance(input_.body, CallResult):
        return input_.body.call_key in reason
    assert isinstance(input_.body, AnyFact)
    if not _names(input_.body, reason):
        return False
    others = (fact for fact in _known(payment) if fact.event_id != input_.event_id)
    return any(_names(fact, reason) for fact in others)


def _contradicts(payment: Payment, input_: Input, reason: str) -> bool:
    """A conflict names what is known: the object, the final fact, the amount, the call, the end."""
    amounts = (format_amount(r.amount, payment.currency) for r in all_refunds(payment))
    known = [payment.object_id, payment.currency, *amounts]
    if isinstance(input_.body, CallResult):
        known.append(input_.body.call_key)
    if payment.create_refusal is not None:
        known.append("refused to create")
    return any(each is not None and each in reason for each in known) or any(
        _names(fact, reason) for fact in _known(payment)
    )


def _forbidden(payment: Payment, _input: Input, reason: str) -> bool:
    """A rejection names the state, what is on its way, or what was used before."""
    named = (payment.status, "in progress", "Idempotency-Key", "exists", "no such payment")
    awaited = ("has to act", "responds to", "being cancelled", "is left", "expires at")
    return any(each in reason for each in (*named, *awaited))


def _any(_payment: Payment, _input: Input, _reason: str) -> bool:
    return True


NAMES: Final[dict[Outcome, Callable[[Payment, Input, str], bool]]] = {
    Outcome.APPLIED: _any,
    Outcome.DUPLICATE: lambda _payment, _input, reason: "already processed" in reason,
    Outcome.STALE: _lost_to_a_later_word,
    Outcome.REJECTED: _forbidden,
    Outcome.CONFLICT: _contradicts,
    Outcome.PARKED: lambda _payment, _input, reason: reason == UNCONFIRMED,
    Outcome.IGNORED: lambda _payment, _input, reason: "customer.updated" in reason,
}


@pytest.fixture(scope="module")
def reached(searched: Searching) -> list[Payment]:
    """Every payment that any history brings about, one for each way to stand."""
    payments: dict[str, Payment] = {}
    for history in ALL_HISTORIES:
        for payment in searched(history).reached.values():
            stands = [standing.of_payment(payment), *map(standing.of_refund, all_refunds(payment))]
            stands += [dispute.fact.status for dispute in payment.disputes]
            stands += [row for _, row in standing.of_calls(payment)]
            payments.setdefault(" | ".join(stands), payment)
    return list(payments.values())


def _tried(payment: Payment) -> Iterable[Input]:
    facts = [*probes.payment_facts(payment, LATER), *probes.payment_facts(payment, EARLIER)]
    for refund in all_refunds(payment):
        facts += probes.refund_facts(payment, refund, LATER)
        facts += probes.refund_facts(payment, refund, EARLIER)
    for dispute in payment.disputes:
        facts += probes.dispute_facts(payment, dispute.id, LATER)
        facts += probes.dispute_facts(payment, dispute.id, EARLIER)
    results = chain.from_iterable(
        probes.results(payment, call) for call, _ in standing.of_calls(payment)
    )
    tried = chain(probes.commands(), facts, probes.first_words(payment), results)
    return (input_ for _, input_ in tried)


def _decisions(payments: Iterable[Payment]) -> Iterator[tuple[Payment, Input, Decision]]:
    for payment in payments:
        for input_ in _tried(payment):
            yield payment, input_, decide(payment, input_, PAYMENT)


def test_every_outcome_says_why_in_one_sentence_that_names_what_it_lost_to(
    reached: list[Payment],
) -> None:
    """A reader of the timeline needs nothing else to understand it."""
    met = set[Outcome]()
    for payment, input_, decision in _decisions(reached):
        reason, outcome = decision.reason, decision.outcome
        met.add(outcome)
        reported = f"{outcome} in {payment.status}: {reason!r} for {input_.body}"
        assert 0 < len(reason) <= _LONGEST, reported
        assert not _NOT_PROSE.search(reason), reported
        assert NAMES[outcome](payment, input_, reason), reported
    assert met == NAMES.keys()


def test_what_comes_before_its_payment_says_what_it_waits_for() -> None:
    """Facts and results are parked, and say so."""
    for _, input_ in (*probes.payment_facts(None, LATER), *probes.results(None, "create")):
        decision = decide(None, input_, PAYMENT)
        assert decision.outcome is Outcome.PARKED
        assert decision.reason == "its payment does not exist yet"


#: What has a number in a reason and is no money.
_NO_MONEY: Final = re.compile(r"attempt \d+|\d+\.\d\d EUR")
_BARE_NUMBER: Final = re.compile(r"(?<![\w.:+-])-?\d+(?![\w.:+-])")


def test_every_amount_has_its_currencys_decimals(reached: list[Payment]) -> None:
    """No reason shows minor units: a number that stands alone is an attempt's."""
    shown_amounts = 0
    for _, _, decision in _decisions(reached):
        shown_amounts += " EUR" in decision.reason
        reported = _NO_MONEY.sub("", decision.reason)
        assert not _BARE_NUMBER.search(reported), decision.reason
    assert shown_amounts > 20
