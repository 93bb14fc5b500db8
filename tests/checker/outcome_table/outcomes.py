"""The outcome of each kind of input in each state of payments, calls, refunds and disputes."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Final

from domain.decide import decide
from domain.decision import Decision
from domain.facts.refunds import all_refunds
from domain.payment import Payment
from tests.checker.outcome_table import probes, states
from tests.checker.outcome_table.probes import EARLIER, LATER, Probe
from tests.domain.histories.builders import PAYMENT

COMMANDS: Final = "A client's command"
FACTS: Final = "A fact about the payment's object, later than all known facts"
EARLY_FACTS: Final = "A fact about the payment's object, earlier than all known facts"
FIRST_FACTS: Final = "The first fact about a refund, dispute or warning, or an event of no effect"
RESULTS: Final = "The result of a call"
REFUNDS: Final = "A fact about a refund, later than all known facts about it"
EARLY_REFUNDS: Final = "A fact about a refund, earlier than all known facts about it"
TOTALS: Final = "A report of what was refunded in all, later or earlier than the known one"
DISPUTES: Final = "A fact about a dispute, later than all known facts about it"
EARLY_DISPUTES: Final = "A fact about a dispute, earlier than all known facts about it"
TITLES: Final = (
    COMMANDS, FACTS, EARLY_FACTS, FIRST_FACTS, RESULTS,
    REFUNDS, EARLY_REFUNDS, TOTALS, DISPUTES, EARLY_DISPUTES,
)  # fmt: skip

#: By column: how often each outcome occurred.
Row = dict[str, Counter[str]]
#: By title and row name.
Cells = dict[str, dict[str, Row]]
#: How often each kind of input is tried on the payments of one row.
_ENOUGH: Final = 25


def outcomes(payments: Iterable[Payment]) -> Cells:
    """Try every kind of input without a payment and on each of these, ``_ENOUGH`` times per row."""
    cells: Cells = {title: defaultdict(lambda: defaultdict(Counter)) for title in TITLES}
    for payment in (None, *payments):
        _try_payment(cells, payment)
        if payment is None:
            _try(cells[RESULTS][states.NOT_HERE], None, probes.results(None, "create"), _outcome)
            continue
        for call, row in states.of_calls(payment):
            _try(cells[RESULTS][row], payment, probes.results(payment, call), _outcome)
        for title, second in ((REFUNDS, LATER), (EARLY_REFUNDS, EARLIER)):
            _try_refunds(cells[title], payment, second)
        if payment.refund_total is not None:
            tried = probes.totals(payment, LATER, EARLIER)
            _try(cells[TOTALS][states.of_total(payment.refund_total)], payment, tried, _outcome)
        for title, second in ((DISPUTES, LATER), (EARLY_DISPUTES, EARLIER)):
            _try_disputes(cells[title], payment, second)
    return cells


def _try(
    row: Row,
    payment: Payment | None,
    tried: Iterable[Probe],
    label: Callable[[Payment | None, Decision], str],
) -> None:
    for name, input_ in tried:
        if row[name].total() < _ENOUGH:
            row[name][label(payment, decide(payment, input_, PAYMENT))] += 1


def _outcome(_before: Payment | None, decision: Decision) -> str:
    return str(decision.outcome)


def _status(before: Payment | None, decision: Decision) -> str:
    """Return the payment's new status if it changed, otherwise the outcome."""
    after = decision.payment
    if after is None or (before is not None and after.status is before.status):
        return str(decision.outcome)
    return f"→ {after.status}"


def _try_payment(cells: Cells, payment: Payment | None) -> None:
    row = states.NOT_HERE if payment is None else states.of_payment(payment)
    _try(cells[COMMANDS][row], payment, probes.commands(), _status)
    _try(cells[FACTS][row], payment, probes.payment_facts(payment, LATER), _status)
    _try(cells[EARLY_FACTS][row], payment, probes.payment_facts(payment, EARLIER), _status)
    _try(cells[FIRST_FACTS][row], payment, probes.first_facts(payment), _status)


def _try_refunds(table: dict[str, Row], payment: Payment, second: int) -> None:
    for refund in all_refunds(payment):
        before = states.of_refund(refund)

        def label(
            _: Payment | None, decision: Decision, before: str = before, refund_id: str = refund.id
        ) -> str:
            known = all_refunds(decision.payment) if decision.payment is not None else ()
            (after,) = (states.of_refund(r) for r in known if r.id == refund_id)
            return str(decision.outcome) if after == before else f"→ {after}"

        tried = probes.refund_facts(payment, refund, second)
        _try(table[before], payment, tried, label)


def _try_disputes(table: dict[str, Row], payment: Payment, second: int) -> None:
    for dispute in payment.disputes:
        before = states.of_dispute(dispute)

        def label(
            _: Payment | None,
            decision: Decision,
            before: str = before,
            dispute_id: str = dispute.id,
        ) -> str:
            known = decision.payment.disputes if decision.payment is not None else ()
            (after,) = (states.of_dispute(d) for d in known if d.id == dispute_id)
            return str(decision.outcome) if after == before else f"→ {after}"

        _try(table[before], payment, probes.dispute_facts(payment, dispute.id, second), label)
