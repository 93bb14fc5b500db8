"""What has no effect on a payment is ignored. It keeps its event ID only if it was understood."""

import pytest

from domain.decide import decide, leaves_id_free
from domain.inputs import Foreign, Unmodelled
from domain.status import Outcome
from tests.domain.histories.builders import PAYMENT, received
from tests.domain.histories.situations import replay_until

_ORDINARY = Unmodelled("evt_1", "charge.updated", "has no effect")
_SITUATIONS = (None, "processing", "canceled")


def _ignored(situation: str | None, body: Unmodelled | Foreign) -> bool:
    """Whether the decision refuses it, which leaves its event ID to another rendering."""
    payment = None if situation is None else replay_until(situation).existing
    decision = decide(payment, received(body), PAYMENT)
    assert decision.outcome is Outcome.IGNORED
    assert decision.payment is payment
    assert not decision.provider_calls
    return decision.refused


@pytest.mark.parametrize("situation", _SITUATIONS)
@pytest.mark.parametrize(
    "body",
    [
        Unmodelled("evt_1", "refund.updated", "unknown status", unknown_status=True),
        Unmodelled("evt_1", "refund.updated", "unread version", unread_version=True),
        Unmodelled("evt_1", "charge.refunded", "another form", other_form=True),
        Foreign("evt_1", "refund.updated", "of another account"),
    ],
)
def test_what_was_not_understood_leaves_its_event_id_free(
    situation: str | None, body: Unmodelled | Foreign
) -> None:
    """The same event in another rendering may have an effect."""
    assert leaves_id_free(body)
    assert _ignored(situation, body)


@pytest.mark.parametrize("situation", _SITUATIONS)
def test_a_kind_without_effect_uses_up_its_event_id(situation: str | None) -> None:
    """No rendering of it has an effect."""
    assert not leaves_id_free(_ORDINARY)
    assert not _ignored(situation, _ORDINARY)
