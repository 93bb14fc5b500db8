"""Prints what a search found: a table of histories, or the shortest path to a violation."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from domain.inputs import (
    CallResult,
    Cancel,
    Capture,
    Confirm,
    Create,
    DisputeFact,
    Foreign,
    FraudWarningFact,
    Input,
    PaymentFact,
    Refund,
    RefundFact,
    Release,
    Unmodelled,
)
from tests.checker.orders import orders, with_repeats_and_crashes
from tests.checker.search import DisagreementError, Found
from tests.domain.histories.builders import at

_EXACT_BELOW = 10**9


def in_words(input_: Input) -> str:
    """Describe an input in one line, with times in seconds after the beginning."""
    match input_.body:
        case Create() as body:
            return f"create ({body.capture_method} capture, {body.max_attempts} attempts at most)"
        case Confirm():
            return "confirm: another payment method"
        case Capture() as body:
            return f"capture {body.amount}"
        case Cancel() as body:
            return "cancel, because nobody acted in time" if body.expired else "cancel"
        case Refund() as body:
            return f"refund {body.refund_id} of {body.amount}"
        case CallResult() as body:
            return f"result of {body.call_key}: {body.object_id or 'refused'}"
        case Unmodelled() | Foreign() as body:
            return f"an event of no effect: {body.kind}"
        case Release():
            return "an operator's release"
        case PaymentFact() | RefundFact() | DisputeFact() | FraudWarningFact() as body:
            return f"the provider reports {_described(body)}, {_when(body)}"


_Fact = PaymentFact | RefundFact | DisputeFact | FraudWarningFact


def _described(fact: _Fact) -> str:
    match fact:
        case PaymentFact():
            return f"{fact.status}{_details(fact)}"
        case RefundFact():
            claim = f", claims to be {fact.claims}" if fact.claims is not None else ""
            return f"refund {fact.refund_id} {fact.status}{claim}"
        case DisputeFact():
            appeal = ", an appeal" if fact.appeal else ""
            return f"dispute {fact.dispute_id} {fact.status}{appeal}"
        case FraudWarningFact():
            return f"fraud warning {fact.warning_id}, actionable: {fact.actionable}"


def _details(fact: PaymentFact) -> str:
    named = (
        ("attempt", fact.attempt_ref),
        ("captured", fact.captured or None),
        ("cause", "named" if fact.names_cause else None),
        ("by", fact.caused_by),
    )
    reported = ", ".join(f"{name} {value}" for name, value in named if value is not None)
    return f" ({reported})" if reported else ""


def _when(fact: _Fact) -> str:
    second = int((fact.occurred_at - at(0)).total_seconds())
    return f"at {second} s ({fact.event_id}, {fact.object_id})"


def counterexample(error: DisagreementError) -> str:
    """Describe the violation and the shortest path to it, one input a line."""
    lines = [f"{error.script.history.name}: {error.what}", "", "after:"]
    lines += (
        f"  {place}. {in_words(error.script.first[number].input)}"
        for place, number in enumerate(error.path, start=1)
    )
    return "\n".join(lines)


@dataclass(frozen=True)
class Row:
    """One history in numbers."""

    name: str
    inputs: int
    orders: int
    #: Orders in which each input comes one to three times and a crash may follow any of them.
    repeated: int
    states: int
    steps: int


def row_of(found: Found) -> Row:
    """Count what a search found."""
    return Row(
        name=found.script.history.name,
        inputs=len(found.script.first),
        orders=orders(found).total(),
        repeated=with_repeats_and_crashes(found),
        states=len(found.steps),
        steps=sum(len(steps) for steps in found.steps.values()),
    )


def table(rows: Sequence[Row]) -> Iterable[str]:
    """Yield the table, one line per history, and the sums in the last line."""
    line = "{:>6} {:>12} {:>22} {:>8} {:>8}  {}".format
    yield line("inputs", "orders", "with repeats, crashes", "states", "steps", "history")
    for row in rows:
        repeated, of_first = _number(row.repeated), _number(row.orders)
        yield line(row.inputs, of_first, repeated, row.states, row.steps, row.name)
    yield line(
        sum(row.inputs for row in rows),
        _number(sum(row.orders for row in rows)),
        _number(sum(row.repeated for row in rows)),
        sum(row.states for row in rows),
        sum(row.steps for row in rows),
        f"{len(rows)} histories",
    )


def _number(value: int) -> str:
    if value < _EXACT_BELOW:
        return f"{value:,}"
    digits = str(value)
    return f"{digits[0]}.{digits[1:3]}e{len(digits) - 1}"
