"""A look at the provider's object is published if it says something new, and only then."""

import pytest
from msgspec.structs import replace

from decisions.news import is_news
from domain.decide import decide
from domain.inputs import Fact, PaymentFact, Unmodelled
from domain.status import DisputeStatus, Outcome, ProviderStatus, RefundStatus
from domain.view import snapshot
from tests.domain.histories.builders import (
    dispute_fact,
    failed,
    payment_fact,
    received,
    refund_fact,
)
from tests.domain.histories.situations import SITUATIONS, replay_until

#: What a look may find, in the last second of a situation or after it.
_FOUND: tuple[Fact, ...] = (
    *(payment_fact(status, second) for status in ProviderStatus for second in (2, 90)),
    failed("at_1", 90),
    failed("at_9", 90),
    *(refund_fact("re_9", status, 90, 100) for status in RefundStatus),
    *(dispute_fact("dp_9", status, 90) for status in DisputeStatus),
    payment_fact(ProviderStatus.OPEN, 90, object_id="obj_other"),
    payment_fact(ProviderStatus.OPEN, 90, currency="USD"),
    Unmodelled("evt_unmodelled", "payment_intent.retrieved", "status 'unheard_of' is not known"),
)


@pytest.mark.parametrize("situation", SITUATIONS)
def test_what_is_no_news_changes_nothing_that_is_published(situation: str) -> None:
    """Left out, it leaves the payment as it would be, without a call, a conflict or a wait."""
    before = replay_until(situation).payment
    assert before is not None
    found = {True: 0, False: 0}
    for fact in _FOUND:
        decision = decide(before, received(fact), before.id)
        news = is_news(before, received(fact))
        found[news] += 1
        if news:
            continue
        assert decision.outcome in {Outcome.APPLIED, Outcome.STALE, Outcome.DUPLICATE}, fact
        assert decision.payment is not None
        assert snapshot(decision.payment) == snapshot(before), fact
        assert not decision.provider_calls
        assert decision.urgent_call is None
    assert found[True]


@pytest.mark.parametrize("situation", SITUATIONS)
def test_what_changes_the_payment_is_news(situation: str) -> None:
    """So is what contradicts it, and what it can't read."""
    before = replay_until(situation).payment
    assert before is not None
    for fact in _FOUND:
        decision = decide(before, received(fact), before.id)
        assert decision.payment is not None
        is_other = snapshot(decision.payment) != snapshot(before)
        if is_other or decision.outcome not in {Outcome.APPLIED, Outcome.STALE, Outcome.DUPLICATE}:
            assert is_news(before, received(fact)), fact


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_state_that_is_known_is_no_news(situation: str) -> None:
    """However the payment learnt it: a look has another event ID, a later time and no cause."""
    before = replay_until(situation).payment
    assert before is not None
    known = [fact for fact in before.facts if fact.status is not ProviderStatus.ATTEMPT_FAILED]
    latest = max(known, key=lambda fact: fact.occurred_at, default=None)
    if latest is None or before.status in {"FAILED", "CANCELED"}:
        return
    later = max(fact.occurred_at for fact in before.facts)
    looked = replace(
        latest, event_id="obj_1.digest", occurred_at=later, caused_by=None, names_cause=False
    )
    assert isinstance(looked, PaymentFact)
    assert not is_news(before, received(looked))


def test_a_failure_that_is_not_known_is_news_although_nothing_shows_it_yet() -> None:
    """It counts, so with the next one the attempts may be used up."""
    replayed = replay_until("next attempt begun")
    replayed.deliver(received(payment_fact(ProviderStatus.ACTION_NEEDED, 50)))
    before = replayed.payment
    assert before is not None
    unknown, known = failed("at_9", 40), failed("at_1", 2, event_id="obj_1.digest")
    assert decide(before, received(unknown), before.id).outcome is Outcome.STALE
    assert is_news(before, received(unknown))
    assert not is_news(before, received(known))


def test_a_refund_that_is_not_known_is_news_although_nothing_shows_it_yet() -> None:
    """Until the payment's end is known it may be a release. Nothing asks for it again soon."""
    replayed = replay_until("processing")
    found = refund_fact("re_9", RefundStatus.SUCCEEDED, 90, 100, may_be_release=True)
    before = replayed.existing
    after = decide(before, received(found), before.id).payment
    assert after is not None
    assert snapshot(after) == snapshot(before)
    assert is_news(before, received(found))
    assert not is_news(after, received(replace(found, event_id="re_9.digest")))
    failed_since = replace(found, event_id="re_9.failed", status=RefundStatus.FAILED)
    assert is_news(after, received(failed_since))
