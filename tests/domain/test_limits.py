"""Everything that grows inside a payment has a limit: commands are rejected, no fact is lost."""

from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Final

import pytest
from msgspec.structs import replace

from domain import limits
from domain.facts.refunds import UNREQUESTED_IDS_MAX
from domain.inputs import Failure, Input, RefundFact
from domain.limits import LIMITS
from domain.payment import Dispute, Payment, ProviderRefund, RefundRequest
from domain.status import DisputeStatus, Outcome, ProviderStatus, RefundStatus
from domain.view import snapshot
from postgres.documents import encode_snapshot
from schemas.topics import SNAPSHOT_BYTES_MAX
from tests.domain.histories.builders import (
    cancel,
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
    requested_refund_fact,
    withdrawn,
)
from tests.domain.histories.history import seeded_random
from tests.domain.histories.replay import Replay
from tests.domain.histories.situations import replay_until

_REASON: Final = "requested_by_customer"
_PAID: Final = received(payment_fact(ProviderStatus.SUCCEEDED, 4))
_BY_WHAT: Final = {limit.what: limit for limit in LIMITS}
#: By what is limited: a situation, the inputs that add one, and the outcome of one too many.
_GROWTH: Final[dict[str, tuple[str, Callable[[int], Iterable[Input]], Outcome]]] = {
    "attempts": (
        "card awaited",
        lambda n: (
            received(confirm(f"op_{n}")),
            received(refused(f"confirm:{n + 2}")),
        ),
        Outcome.REJECTED,
    ),
    "operations": (
        "authorized",
        lambda n: (
            received(capture(500, f"op_{n}")),
            received(refused(f"capture:{n + 1}")),
        ),
        Outcome.REJECTED,
    ),
    "provider calls": (
        "authorized",
        lambda n: (
            received(cancel(f"op_{n}")),
            received(refused(f"cancel:{n + 1}")),
        ),
        Outcome.REJECTED,
    ),
    "facts about the payment": (
        "processing",
        lambda n: (received(failed(f"at_{n}", n)),),
        Outcome.QUARANTINED,
    ),
    "requested refunds": (
        "succeeded",
        lambda n: (received(refund(f"re_{n}", 1)),),
        Outcome.REJECTED,
    ),
    "refunds at the provider": (
        "succeeded",
        lambda n: (received(refund_fact(f"re_{n}", RefundStatus.PENDING, 9, 1)),),
        Outcome.QUARANTINED,
    ),
    "reported IDs of requested refunds": (
        "succeeded",
        lambda n: (
            received(refund(f"re_{n}", 1)),
            received(refund_fact("other", RefundStatus.PENDING, n, 9, claims=f"re_{n}")),
        ),
        Outcome.QUARANTINED,
    ),
    "disputes": (
        "succeeded",
        lambda n: (received(dispute_fact(f"dp_{n}", DisputeStatus.LOST, 9)),),
        Outcome.QUARANTINED,
    ),
    "fraud warnings": (
        "succeeded",
        lambda n: (received(fraud_warning(f"fw_{n}", 9)),),
        Outcome.QUARANTINED,
    ),
    "movements of money": (
        "succeeded",
        lambda n: (
            received(
                dispute_fact("dp_1", DisputeStatus.LOST, n, movements=(withdrawn(f"mv_{n}", 1),))
            ),
        ),
        Outcome.QUARANTINED,
    ),
}


@pytest.fixture
def low(monkeypatch: pytest.MonkeyPatch) -> int:
    """Lowers every limit, so that a test reaches it."""
    most = 9
    lowered = tuple(replace(limit, most=most) for limit in LIMITS)
    monkeypatch.setattr(limits, "LIMITS", lowered)
    return most


def test_every_limit_has_a_way_to_reach_it() -> None:
    """A new limit needs an entry in the table."""
    assert _GROWTH.keys() == _BY_WHAT.keys()


@pytest.mark.parametrize("what", _GROWTH)
def test_one_too_many_changes_nothing_and_names_the_limit(
    monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """A command is rejected; a fact quarantines the payment and is not dropped."""
    monkeypatch.setattr(limits, "LIMITS", (replace(_BY_WHAT[what], most=9),))
    situation, grow, outcome = _GROWTH[what]
    replay = replay_until(situation)
    for number in range(20):
        for input_ in grow(number):
            before = replay.existing
            decision = replay.deliver(input_)
            if f"at most 9 {what}" in decision.reason:
                assert decision.outcome is outcome
                assert replay.existing == before
                assert _BY_WHAT[what].count(before) == 9
                return
            assert decision.outcome in {Outcome.APPLIED, Outcome.STALE}, decision
    pytest.fail("the limit was never reached")


def test_the_limits_are_the_documented_ones() -> None:
    """The page has each limit and the outcome of one too many."""
    page = (Path(__file__).parents[2] / "docs" / "semantics.md").read_text()
    rejected, quarantined = "the client's command is rejected", "the payment is quarantined"
    for limit in LIMITS:
        becomes = rejected if _GROWTH[limit.what][2] is Outcome.REJECTED else quarantined
        assert f"| {limit.most} | {limit.what} | {becomes} |" in page


def test_a_payment_at_its_limit_goes_on(low: int) -> None:
    """An input that adds nothing is applied: one of the refunds succeeds."""
    replay = replay_until("succeeded")
    for number in range(low):
        fact = refund_fact(f"re_{number}", RefundStatus.PENDING, 9, 1)
        assert replay.deliver(received(fact)).outcome is Outcome.APPLIED
    done = received(refund_fact("re_0", RefundStatus.SUCCEEDED, 10, 1))
    assert replay.deliver(done).outcome is Outcome.APPLIED


def test_a_lowered_limit_does_not_block_a_payment_above_it(
    low: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A payment already above the limit goes on; only inputs that add more are quarantined."""
    replay = replay_until("succeeded")
    for number in range(low):
        replay.deliver(received(refund_fact(f"re_{number}", RefundStatus.PENDING, 9, 1)))
    monkeypatch.setattr(limits, "LIMITS", tuple(replace(each, most=2) for each in LIMITS))
    done = received(refund_fact("re_0", RefundStatus.SUCCEEDED, 10, 1))
    assert replay.deliver(done).outcome is Outcome.APPLIED
    more = received(refund_fact("re_more", RefundStatus.PENDING, 9, 1))
    assert replay.deliver(more).outcome is Outcome.QUARANTINED


def test_a_payment_at_its_limits_can_be_published() -> None:
    """A payment at its limits, with texts of usual length, fits into one record."""
    payment = _full()
    assert [limit.what for limit in LIMITS if limit.count(payment) < limit.most] == [
        "attempts", "operations", "provider calls", "facts about the payment",
        "reported IDs of requested refunds",
    ]  # fmt: skip
    assert len(encode_snapshot(snapshot(payment))) < SNAPSHOT_BYTES_MAX


def _full() -> Payment:
    metadata = {f"key_{n:035}": "v" * 500 for n in range(40)}
    replay = Replay([received(create(metadata=metadata, description="d" * 500)), _PAID])
    failure = Failure("expired_or_canceled_card", "The refund did not reach the customer.")
    reported = refund_fact("", RefundStatus.FAILED, 9, 1, failure=failure, reason=_REASON)
    disputed = dispute_fact("", DisputeStatus.WARNING_NEEDS_RESPONSE, 9, reason=_REASON)
    disputes = _BY_WHAT["disputes"].most
    moved = _BY_WHAT["movements of money"].most // disputes
    return replace(
        replay.existing,
        refunds=tuple(
            RefundRequest(id=f"ref_a{n:025}", amount=1, reason=_REASON, refusal=failure)
            for n in range(_BY_WHAT["requested refunds"].most)
        ),
        provider_refunds=tuple(
            ProviderRefund(ref=f"re_{n}", id=f"ref_b{n:025}", amount=1, facts=(reported,))
            for n in range(_BY_WHAT["refunds at the provider"].most)
        ),
        disputes=tuple(
            Dispute(
                f"dis_{n:026}",
                disputed,
                tuple(withdrawn(f"txn_{n}_{each}", 1, f"X{each:02}") for each in range(moved)),
            )
            for n in range(disputes)
        ),
        fraud_warnings=tuple(
            fraud_warning(f"fw_{n:026}", 9, type="fraudulent_card_application")
            for n in range(_BY_WHAT["fraud warnings"].most)
        ),
    )


def test_refunds_and_disputes_are_counted() -> None:
    """A requested refund may be one at the provider, so the two count once."""
    replay = replay_until("succeeded")
    for input_ in (
        received(refund("re_1", 100)),
        received(refund_fact("re_2", RefundStatus.SUCCEEDED, 5, 100)),
        received(dispute_fact("du_1", DisputeStatus.NEEDS_RESPONSE, 6)),
    ):
        replay.deliver(input_)
    assert replay.existing.parts == 2


_PENDING: Final = RefundStatus.PENDING
#: By how an ID of ours comes with a report: a report with this ID, and the IDs that are kept.
_NAMING: Final[
    dict[str, tuple[Callable[[str, int], RefundFact], Callable[[Payment], Collection[str]]]]
] = {
    "its call key": (
        lambda refund_id, n: refund_fact(
            "other", _PENDING, n, 300, caused_by=key(f"refund:{refund_id}")
        ),
        lambda payment: payment.provider_refunds[0].key_refund_ids,
    ),
    "its metadata": (
        lambda refund_id, n: refund_fact("other", _PENDING, n, 300, claims=refund_id),
        lambda payment: payment.provider_refunds[0].claims,
    ),
    "a total's call key": (
        lambda refund_id, n: refund_fact(
            "all", _PENDING, n, 300, is_total=True, caused_by=key(f"refund:{refund_id}")
        ),
        lambda payment: payment.echoed_refunds,
    ),
}


@pytest.mark.parametrize("where", _NAMING)
def test_made_up_ids_take_no_room_and_push_out_no_requested_one(where: str) -> None:
    """Any number of them is possible, in any order, and each requested one is kept among them."""
    report, kept = _NAMING[where]
    sides = ("a", "z")  # before all that is made up, and after it
    asked = [f"re_{side}{number}" for side in sides for number in range(UNREQUESTED_IDS_MAX)]
    made_up = [f"re_m{number:02}" for number in range(90)]
    reports = [received(report(each, n)) for n, each in enumerate([*asked, *made_up])]
    ends = []
    for order in (reports, reports[::-1], seeded_random().sample(reports, len(reports))):
        replay = replay_until("succeeded")
        for refund_id in asked:
            replay.deliver(received(refund(refund_id, 30)))
        for each in order:
            assert replay.deliver(each).outcome in {Outcome.APPLIED, Outcome.STALE}
        end = replay.existing
        assert set(kept(end)) == {*asked, *made_up[:UNREQUESTED_IDS_MAX]}
        ends.append(replace(end, version=0, updated_at=end.created_at))
    assert ends[1:] == ends[:-1]


def test_each_id_that_a_report_names_is_counted_where_it_is_kept() -> None:
    """One ID in a refund's call key, in its metadata and in a total's key takes three places."""
    replay = replay_until("succeeded")
    replay.deliver(received(refund("re_z", 300)))
    count = _BY_WHAT["reported IDs of requested refunds"].count
    counted = []
    for number, (report, _) in enumerate(_NAMING.values()):
        replay.deliver(received(report("re_z", number)))
        counted.append(count(replay.existing))
    assert counted == [1, 2, 3]


def test_made_up_keys_prove_no_refund_that_they_do_not_name() -> None:
    """However many they are, the refund of somebody else is not the requested one."""
    replay = replay_until("succeeded")
    replay.deliver(received(refund("re_z", 300)))
    for second in range(2 * UNREQUESTED_IDS_MAX):
        fact = requested_refund_fact("re_m", RefundStatus.SUCCEEDED, second, 300)
        caused_by = key(f"refund:re_m{second:02}")
        replay.deliver(received(replace(fact, caused_by=caused_by, claims=None)))
    shown = {each.id: each.status for each in snapshot(replay.existing).refunds}
    assert shown.pop("re_z") is RefundStatus.REQUESTED
    assert list(shown.values()) == [RefundStatus.SUCCEEDED]


def test_made_up_keys_leave_our_refund_proven() -> None:
    """Our own call's key is kept among them, however many there are."""
    replay = replay_until("succeeded")
    replay.deliver(received(refund("re_z", 300)))
    keys = [key("refund:re_z"), *(key(f"refund:re_{number}") for number in range(100))]
    for second, caused_by in enumerate(keys):
        fact = requested_refund_fact("re_z", RefundStatus.SUCCEEDED, second, 300)
        replay.deliver(received(replace(fact, caused_by=caused_by, claims=None)))
    assert [each.id for each in snapshot(replay.existing).refunds] == ["re_z"]
