"""Strategies: the facts that a consistent provider may report about one payment, and commands.

There is at most one end, one amount per refund and per movement of money, and one result per call.
Everything else is random: times tie, events repeat, facts of any attempt come in any order.
"""

from typing import Final

from hypothesis import strategies as st

from domain.inputs import (
    CallResult,
    Command,
    Create,
    DisputeFact,
    Failure,
    Input,
    Movement,
    PaymentFact,
    RefundFact,
)
from domain.status import CancelCause, DisputeStatus, ProviderStatus, RefundStatus
from tests.domain.histories.builders import (
    EXPIRY,
    acknowledged,
    cancel,
    capture,
    confirm,
    create,
    dispute_fact,
    failed,
    key,
    payment_fact,
    received,
    refund,
    refund_fact,
    refused,
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
#: In total more than is captured: a refund that failed late may overlap with its replacement.
_REFUND_AMOUNTS: Final = {"made_re_1": 100, "re_2": 500, "re_3": 600}
_MOVEMENTS: Final = (Movement("mv_1", 400), Movement("mv_2", 500), Movement("mv_3", -400))
_REFUND_STATUSES: Final = tuple(s for s in RefundStatus if s is not RefundStatus.REQUESTED)
_CALLS: Final = (
    "confirm:2",
    "confirm:3",
    "capture:1",
    "cancel:1",
    "cancel:exhausted",
    "refund:re_1",
    "refund:re_4",
)
_COMMANDS: Final[tuple[Command | Input, ...]] = (
    confirm(),
    confirm("op_confirm_again"),
    capture(500),
    capture(None, "op_capture_again"),
    cancel(),
    received(cancel("op_expire", expired=True), EXPIRY),
    refund("re_1", 100),
    refund("re_4", 50),
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
        lambda status, second, cause, event_id: payment_fact(
            status, second, caused_by=cause, event_id=event_id, action_url=f"https://{event_id}"
        ),
        st.sampled_from(_LIVE),
        _seconds,
        st.sampled_from(_CAUSES),
        _ids,
    )


def _failures() -> st.SearchStrategy[PaymentFact]:
    return st.builds(
        lambda attempt, second, event_id: failed(
            attempt, second, event_id=event_id, failure=Failure("declined", event_id)
        ),
        st.sampled_from([None, "at_1", "at_2", "at_3"]),
        _seconds,
        _ids,
    )


@st.composite
def _end(draw: st.DrawFn) -> list[PaymentFact]:
    """Nothing, or one end reported by one or two events."""
    status = draw(st.sampled_from([None, ProviderStatus.SUCCEEDED, ProviderStatus.CANCELED]))
    if status is None:
        return []
    won = status is ProviderStatus.SUCCEEDED
    captured = draw(st.sampled_from([600, 1000])) if won else 0
    cause = None if won else draw(st.sampled_from([None, *CancelCause]))
    return [
        payment_fact(status, second, event_id=event_id, captured=captured, cancel_cause=cause)
        for second, event_id in draw(st.lists(st.tuples(_seconds, _ids), min_size=1, max_size=2))
    ]


def _refund_facts() -> st.SearchStrategy[RefundFact]:
    """Each may claim to be a requested refund; only one is, and some of its events prove it."""
    return st.builds(
        lambda refund_id, status, second, event_id, claims, echoes: refund_fact(
            refund_id, status, second, _REFUND_AMOUNTS[refund_id], event_id=event_id,
            claims=claims, caused_by=echoes if refund_id == "made_re_1" else None,
        ),
        st.sampled_from(sorted(_REFUND_AMOUNTS)),
        st.sampled_from(_REFUND_STATUSES),
        _seconds,
        _ids,
        st.sampled_from([None, "re_1", "re_4"]),
        st.sampled_from([None, key("refund:re_1"), key("refund:re_1.2"), "pay_other:refund:re_4"]),
    )  # fmt: skip


def _dispute_facts() -> st.SearchStrategy[DisputeFact]:
    return st.builds(
        lambda dispute_id, status, second, moved, event_id: dispute_fact(
            dispute_id, status, second, movements=tuple(moved), event_id=event_id
        ),
        st.sampled_from(["dp_1", "dp_2"]),
        st.sampled_from(DisputeStatus),
        _seconds,
        st.lists(st.sampled_from(_MOVEMENTS), unique=True, max_size=3),
        _ids,
    )


@st.composite
def facts(draw: st.DrawFn) -> list[Input]:
    """The facts that a provider reported about one payment, in no particular order."""
    reported: list[PaymentFact | RefundFact | DisputeFact] = [
        *draw(st.lists(_live_facts(), max_size=5)),
        *draw(st.lists(_failures(), max_size=4)),
        *draw(_end()),
        *draw(st.lists(_refund_facts(), max_size=4)),
        *draw(st.lists(_dispute_facts(), max_size=3)),
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
