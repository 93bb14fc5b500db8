"""Who cancelled a payment's object, as one report of the cancel says it."""

import pytest

from domain.facts.cancels import cause_of
from domain.inputs import PaymentFact
from domain.status import CancelCause, Outcome, ProviderStatus, Status
from domain.view import snapshot
from tests.domain.histories.builders import (
    acknowledged,
    canceled,
    create,
    failed,
    key,
    payment_fact,
    received,
)
from tests.domain.histories.replay import Replay
from tests.domain.histories.situations import SITUATIONS, replay_until

_BY_LAST = canceled(9, CancelCause.ATTEMPTS_EXHAUSTED)


@pytest.mark.parametrize(
    ("caused_by", "cause"),
    [
        (key("cancel:1"), CancelCause.REQUESTED),
        (key("cancel:exhausted"), CancelCause.ATTEMPTS_EXHAUSTED),
        (key("cancel:exhausted.1"), CancelCause.ATTEMPTS_EXHAUSTED),
        (key("capture:1"), CancelCause.PROVIDER),
        (key("create"), CancelCause.PROVIDER),
        ("a key of somebody else", CancelCause.PROVIDER),
        (None, CancelCause.PROVIDER),
    ],
)
def test_only_a_cancel_of_ours_cancels_for_us(caused_by: str | None, cause: CancelCause) -> None:
    """Another call of ours did not ask for it, so it is the provider that cancelled."""
    assert cause_of(canceled(9, CancelCause.PROVIDER, caused_by=caused_by)) is cause


def test_a_report_that_names_no_cause_has_none() -> None:
    """Such as a look-up."""
    assert cause_of(canceled(9, None)) is None


@pytest.mark.parametrize(
    "situation",
    [name for name in SITUATIONS if name not in {"attempts used up", "failed", "create refused"}],
)
def test_a_cancel_under_a_key_that_we_never_used_is_somebody_elses(situation: str) -> None:
    """Anybody who cancels can choose the key: before our own last cancel, it is no proof."""
    replay = replay_until(situation)
    has_object = replay.existing.object_id is not None
    decision = replay.deliver(received(_BY_LAST))
    if not has_object:
        assert decision.outcome is Outcome.PARKED
        replay.deliver(received(acknowledged()))
    published = snapshot(replay.existing)
    assert published.status is not Status.FAILED
    assert published.status in {Status.CANCELED, Status.SUCCEEDED}


@pytest.mark.parametrize("call", ["cancel:exhausted", "cancel:exhausted.1"])
def test_a_made_up_key_is_no_proof_after_the_failure_is_known_either(call: str) -> None:
    """The cancel was not ours when it was reported; what is read later does not make it ours."""
    forged = canceled(9, CancelCause.PROVIDER, caused_by=key(call))
    replay = Replay(received(body) for body in (create(), acknowledged(), forged))
    replay.deliver(received(failed("at_1", 2)))
    assert snapshot(replay.existing).status is Status.CANCELED
    before = snapshot(replay.existing)
    for again in (canceled(10, CancelCause.PROVIDER), canceled(11, None)):
        assert replay.deliver(received(again)).outcome is Outcome.APPLIED
    assert snapshot(replay.existing) == before


@pytest.mark.parametrize(
    "forged",
    [
        payment_fact(ProviderStatus.PENDING, 2, caused_by=key("confirm:9")),
        payment_fact(ProviderStatus.ACTION_NEEDED, 2, caused_by=key("confirm:2.1")),
    ],
)
def test_a_made_up_key_starts_no_attempt(forged: PaymentFact) -> None:
    """In the second of the failure it would seem to be a later attempt, and no confirm be taken."""
    replay = replay_until("card awaited")
    replay.deliver(received(forged))
    published = snapshot(replay.existing)
    assert published.status is Status.REQUIRES_ACTION
    assert published.next_action is not None
    assert published.next_action.type == "new_payment_method"


def test_made_up_keys_take_no_room() -> None:
    """Each attempt's latest fact is kept, so every key would otherwise fill the payment."""
    replay = replay_until("processing")
    for number in range(2, 300):
        fact = payment_fact(ProviderStatus.PENDING, number, caused_by=key(f"confirm:{number}"))
        assert replay.deliver(received(fact)).outcome is not Outcome.QUARANTINED
    assert len(replay.existing.facts) == 1
