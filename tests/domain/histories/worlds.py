"""Strategies: the facts that a consistent provider may report about one payment, and commands.

There is at most one end, one amount per refund and per movement of money, and one result per call.
Everything else is random: times tie, events repeat, facts of any attempt come in any order.
"""

from typing import Final

from hypothesis import strategies as st
from msgspec.structs import replace

from domain.inputs import (
    CallResult,
    Command,
    Create,
    DisputeFact,
    Failure,
    FraudWarningFact,
    Input,
    PaymentFact,
    RefundFact,
)
from domain.status import CancelCause, DisputeStatus, ProviderStatus, RefundStatus
from tests.domain.histories.builders import (
    EXPIRY,
    acknowledged,
    adjusted,
    at,
    cancel,
    canceled,
    capture,
    confirm,
    create,
    dispute_fact,
    failed,
    fraud_warning,
    key,
    payment_fact,
    received,
    refund,
    refund_fact,
    refused,
    reinstated,
    withdrawn,
)

_LIVE: Final = (
    ProviderStatus.OPEN,
    ProviderStatus.ACTION_NEEDED,
    ProviderStatus.PENDING,
    ProviderStatus.AUTHORIZED,
)
_CAUSES: Final = (
    None,
    key("create"),
    key("confirm:2"),
    key("confirm:2.1"),
    key("confirm:3"),
    key("capture:1"),
    "pay_other:confirm:9",
)
_REFUND_CAUSES: Final = (
    None,
    key("refund:re_1"),
    key("refund:re_1.2"),
    key("refund:re_7"),
    "pay_other:refund:re_4",
)
#: In total more than is captured: a refund that failed late may overlap with its replacement.
#: Two are of an amount that a capture of a part leaves.
_REFUND_AMOUNTS: Final = {"made_re_1": 100, "re_2": 500, "re_3": 400, "re_5": 1100, "re_6": 0}
#: The second in which each was made; two are of one second.
_MADE: Final = {"made_re_1": 1, "re_2": 0, "re_3": 2, "re_5": 2, "re_6": 3}
_MOVEMENTS: Final = (
    withdrawn("mv_1", 400),
    withdrawn("mv_2", 500, "USD"),
    reinstated("mv_3", 400),
    adjusted("mv_4", -30),
    adjusted("mv_5", 20, "USD"),
    reinstated("mv_6", 480, "USD"),
)
#: Each status, and whether it is that of an appeal.
_DISPUTE_STATUSES: Final = (
    *((status, False) for status in DisputeStatus),
    (DisputeStatus.NEEDS_RESPONSE, True),
    (DisputeStatus.UNDER_REVIEW, True),
)
_REFUND_STATUSES: Final = tuple(s for s in RefundStatus if s is not RefundStatus.REQUESTED)
_CALLS: Final = (
    "confirm:2",
    "confirm:3",
    "capture:1",
    "cancel:1",
    "cancel:exhausted",
    "refund:re_1",
    "refund:re_4",
    "refund:re_7",
)
_COMMANDS: Final[tuple[Command | Input, ...]] = (
    confirm(),
    confirm("op_confirm_again"),
    capture(500),
    capture("all", "op_capture_again"),
    cancel(),
    received(cancel("op_expire", expired=True), EXPIRY),
    refund("re_1", 100),
    refund("re_4", 50),
    refund("re_7"),
)

_seconds = st.integers(0, 4)
_ids = st.uuids().map(lambda drawn: f"evt_{drawn.hex[:12]}")


def creates() -> st.SearchStrategy[Create]:
    """Creates with one to three attempts."""
    return st.builds(
        lambda attempts, method: create(max_attempts=attempts, capture_method=method),
        st.integers(1, 3),
        st.sampled_from(["automatic", "manual"]),
    )


def _live_facts() -> st.SearchStrategy[PaymentFact]:
    return st.builds(
        lambda status, amount, second, cause, event_id: payment_fact(
            status, second, amount=amount, caused_by=cause, event_id=event_id,
            action_url=f"https://{event_id}",
        ),
        st.sampled_from(_LIVE),
        st.sampled_from([400, 1000, 1500]),
        _seconds,
        st.sampled_from(_CAUSES),
        _ids,
    )  # fmt: skip


def _failures() -> st.SearchStrategy[PaymentFact]:
    return st.builds(
        lambda attempt, second, cause, code, event_id: failed(
            attempt, second, caused_by=cause, event_id=event_id, failure=Failure(code, event_id)
        ),
        st.sampled_from([None, "at_1", "at_2", "at_3"]),
        _seconds,
        st.sampled_from(_CAUSES),
        st.sampled_from(["declined", "declined", "expired_card"]),
        _ids,
    )


@st.composite
def _end(draw: st.DrawFn) -> list[PaymentFact]:
    """Nothing, or one end reported by one or two events."""
    won = ProviderStatus.SUCCEEDED
    status = draw(st.sampled_from([won, None, ProviderStatus.CANCELED, won]))
    if status is None:
        return []
    has_won = status is won
    amount = draw(st.sampled_from([1000, 1500]))
    captured = draw(st.sampled_from([600, 1000, 1200, amount - 400])) if has_won else 0
    cause = draw(st.sampled_from(CancelCause))
    # the first report names the cause; a report of our own cancel comes after the call was made
    names_cause = st.just(True) if cause is CancelCause.ATTEMPTS_EXHAUSTED else st.booleans()
    reports = draw(st.lists(st.tuples(_seconds, _ids, names_cause), min_size=1, max_size=2))
    capturer = draw(st.sampled_from([None, key("capture:1"), key("capture:1.2"), "somebody"]))
    return [
        payment_fact(
            status, second, amount=amount, event_id=event_id, captured=captured,
            names_cause=named, caused_by=capturer if named else None,
        )
        if has_won
        else canceled(second, cause if named or not n else None, event_id=event_id)
        for n, (second, event_id, named) in enumerate(reports)
    ]  # fmt: skip


def _refund_facts() -> st.SearchStrategy[RefundFact]:
    """Each may claim to be a requested refund, or echo its key; few are of its amount.

    Some are of a form in which a release looks like a refund.
    """
    return st.builds(
        lambda refund_id, status, second, event_id, claims, echoes, open_: refund_fact(
            refund_id, status, second, _REFUND_AMOUNTS[refund_id], event_id=event_id,
            claims=claims, caused_by=echoes,
            made_at=at(_MADE[refund_id]), may_be_release=open_,
        ),
        st.sampled_from(sorted(_REFUND_AMOUNTS)),
        st.sampled_from(_REFUND_STATUSES),
        _seconds,
        _ids,
        st.sampled_from([None, "re_1", "re_4"]),
        st.sampled_from(_REFUND_CAUSES),
        st.sampled_from([True, False, True]),
    )  # fmt: skip


def _totals() -> st.SearchStrategy[RefundFact]:
    """What was given back in all, of a charge; some list a refund, some prove our own."""
    return st.builds(
        lambda amount, second, event_id, cause, listed, open_: refund_fact(
            "total", RefundStatus.SUCCEEDED, second, amount, event_id=event_id, caused_by=cause,
            is_total=True, may_be_release=open_,
            listed=tuple(replace(each, event_id=event_id) for each in listed),
        ),
        st.sampled_from([0, 100, 400, 600, 700, 1000]),
        _seconds,
        _ids,
        st.sampled_from([*_REFUND_CAUSES, key("refund:re_4")]),
        st.lists(_refund_facts(), max_size=2, unique_by=lambda fact: fact.ref),
        st.booleans(),
    )  # fmt: skip


def _dispute_facts() -> st.SearchStrategy[DisputeFact]:
    return st.builds(
        lambda dispute_id, status, second, currency, moved, event_id: dispute_fact(
            dispute_id, status[0], second, currency=currency, movements=tuple(moved),
            event_id=event_id, appeal=status[1], respond_by=at(100 + second),
        ),
        st.sampled_from(["dp_1", "dp_2"]),
        st.sampled_from(_DISPUTE_STATUSES),
        _seconds,
        st.sampled_from(["EUR", "USD"]),
        st.lists(st.sampled_from(_MOVEMENTS), unique=True, max_size=3),
        _ids,
    )  # fmt: skip


def _fraud_warnings() -> st.SearchStrategy[FraudWarningFact]:
    return st.builds(
        lambda warning_id, second, actionable, event_id: fraud_warning(
            warning_id, second, actionable=actionable, event_id=event_id
        ),
        st.sampled_from(["fw_1", "fw_2"]),
        _seconds,
        st.booleans(),
        _ids,
    )


@st.composite
def facts(draw: st.DrawFn) -> list[Input]:
    """The facts that a provider reported about one payment, in no particular order."""
    reported: list[PaymentFact | RefundFact | DisputeFact | FraudWarningFact] = [
        *draw(st.lists(_live_facts(), max_size=5)),
        *draw(st.lists(_failures(), max_size=4)),
        *draw(_end()),
        *draw(st.lists(_refund_facts(), max_size=4)),
        *draw(st.lists(_totals(), max_size=2)),
        *draw(st.lists(_dispute_facts(), max_size=3)),
        *draw(st.lists(_fraud_warnings(), max_size=2)),
    ]
    return [received(fact) for fact in reported]


def _results(name: str) -> st.SearchStrategy[CallResult]:
    return st.sampled_from([acknowledged(name), refused(name)])


@st.composite
def commands_and_results(draw: st.DrawFn) -> list[Input]:
    """Commands, and the results of the calls that they lead to."""
    commands = draw(st.lists(st.sampled_from(_COMMANDS), unique_by=id, max_size=len(_COMMANDS)))
    named = draw(st.lists(st.sampled_from(_CALLS), unique=True, max_size=3))
    results = [draw(_results(name)) for name in named]
    if draw(st.booleans()):
        refusing = draw(st.integers(0, 5)) == 0
        results.append(refused("create") if refusing else acknowledged())
    records = [c if isinstance(c, Input) else received(c) for c in commands]
    return [*records, *(received(result) for result in results)]
