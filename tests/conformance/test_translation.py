"""Translation is total: any bytes are a fact or malformed; unknown values change nothing."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.inputs import (
    DisputeFact,
    Fact,
    Foreign,
    FraudWarningFact,
    PaymentFact,
    RefundFact,
    Unmodelled,
)
from ports.provider import MalformedObjectError, MalformedWebhookError, Translated, Translator
from tests.conformance.kit.adapter import Adapter
from tests.conformance.kit.rows import over_http

pytestmark = over_http

Samples = dict[type[Fact], list[bytes]]
KINDS: tuple[type[Fact], ...] = (PaymentFact, RefundFact, DisputeFact)
every_kind = pytest.mark.parametrize("fact", KINDS)

without_deadline = settings(
    deadline=None,
    max_examples=300,
    suppress_health_check=[HealthCheck.too_slow],
)
EDGE_CASES = ("-1", "1e3", "12.345", "0.001", "9" * 30, "\0", "9999-12-31T23:59:59-12:00")
ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=12)
    | st.sampled_from(EDGE_CASES),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2)
    ),
    max_leaves=4,
)


def translated(translator: Translator, body: bytes) -> Translated | None:
    """The fact in the body after checking its types; None if the body is malformed."""
    try:
        found = translator.translate(body)
    except MalformedWebhookError:
        return None
    fact = found.fact
    assert fact.event_id
    if not isinstance(fact, Unmodelled | Foreign):
        assert fact.occurred_at.tzinfo is not None
    if isinstance(fact, PaymentFact | RefundFact | DisputeFact):
        assert type(fact.amount) is int
        assert fact.amount >= 0
    if isinstance(fact, PaymentFact):
        assert type(fact.captured) is int
    if isinstance(fact, DisputeFact):
        assert all(type(move.amount) is int for move in fact.movements)
    return found


@every_kind
def test_every_kind_of_fact_is_translated(
    kind: type[Adapter], samples: Samples, fact: type[Fact]
) -> None:
    """There are webhooks of a payment, a refund and a dispute, and each is a valid fact."""
    translator = kind.translator()
    for body in samples[fact]:
        assert translated(translator, body) is not None


@every_kind
def test_the_same_bytes_have_the_same_translation(
    kind: type[Adapter], samples: Samples, fact: type[Fact]
) -> None:
    """Two translators return the same fact with the same event ID."""
    for body in samples[fact]:
        assert kind.translator().translate(body) == kind.translator().translate(body)


def test_every_event_has_its_own_id(kind: type[Adapter], samples: Samples) -> None:
    """No two events share an ID."""
    bodies = [body for some in samples.values() for body in some]
    ids = {kind.translator().translate(body).fact.event_id for body in bodies}
    assert len(ids) == len(bodies)


@every_kind
@without_deadline
@given(value=ANY_JSON, choice=st.integers(0, 10_000))
def test_any_value_anywhere_is_a_fact_or_malformed(
    kind: type[Adapter], samples: Samples, fact: type[Fact], value: Any, choice: int
) -> None:
    """One value of a real event is replaced; no other error is raised."""
    event = json.loads(samples[fact][-1])
    places = list(_places(event))
    changed = copy.deepcopy(event)
    *path, last = places[choice % len(places)]
    at = changed
    for step in path:
        at = at[step]
    at[last] = value
    translated(kind.translator(), json.dumps(changed).encode())


def _places(value: Any) -> Iterator[tuple[Any, ...]]:
    """Every path in a JSON value."""
    steps: Any = ()
    if isinstance(value, dict):
        steps = value.items()
    elif isinstance(value, list):
        steps = enumerate(value)
    for step, inner in steps:
        yield (step,)
        yield from ((step, *path) for path in _places(inner))


@without_deadline
@given(body=st.binary() | ANY_JSON.map(lambda value: json.dumps(value).encode()))
def test_any_record_is_translated_or_malformed(kind: type[Adapter], body: bytes) -> None:
    """The log may have bytes that nobody verified."""
    translated(kind.translator(), body)


@every_kind
@pytest.mark.parametrize("status", ["in_limbo", "?", "a" * 1000])
def test_an_unknown_status_changes_nothing(
    kind: type[Adapter], samples: Samples, fact: type[Fact], status: str
) -> None:
    """It is translated as unmodelled, and the reason has the status, shortened."""
    reported = kind.translator().translate(kind.with_status(samples[fact][0], status)).fact
    assert isinstance(reported, Unmodelled)
    assert reported.unknown_status
    assert repr(status[:40]) in reported.why


@every_kind
@pytest.mark.parametrize("amount", [None, [], -1, "a lot"])
def test_an_event_says_whether_it_is_about_a_payment_object(
    kind: type[Adapter], samples: Samples, fact: type[Fact], amount: Any
) -> None:
    """Also where its status or its object is not read, so that others' payments don't wait."""
    body, is_payment = samples[fact][0], fact is PaymentFact
    translator = kind.translator()
    found = translator.translate(body)
    assert found.is_payment is is_payment
    assert translator.translate(kind.with_status(body, "in_limbo")).is_payment is is_payment
    with pytest.raises(MalformedObjectError) as raised:
        translator.translate(kind.with_amount(body, amount))
    assert (raised.value.kind, raised.value.is_payment) == (found.kind, is_payment)


@every_kind
def test_an_unknown_kind_of_event_changes_nothing(
    kind: type[Adapter], samples: Samples, fact: type[Fact]
) -> None:
    """It is translated as unmodelled, without looking at the object's status."""
    reported = kind.translator().translate(kind.of_another_kind(samples[fact][0])).fact
    assert isinstance(reported, Unmodelled)
    assert not reported.unknown_status


def test_every_status_is_mapped_to_the_domains(kind: type[Adapter], samples: Samples) -> None:
    """For each of the provider's statuses, the fact's status is one of the domain's."""
    for fact in KINDS:
        for status in kind.statuses:
            reported = kind.translator().translate(kind.with_status(samples[fact][0], status)).fact
            assert not isinstance(reported, Foreign)
            assert not isinstance(reported, FraudWarningFact)
            known = isinstance(reported, Unmodelled) or reported.status in type(reported.status)
            assert known


@every_kind
def test_an_event_of_another_account_or_mode_is_foreign(
    kind: type[Adapter], samples: Samples, fact: type[Fact]
) -> None:
    """It keeps its event ID, and the reason names both accounts or modes."""
    for body in samples[fact]:
        own = kind.translator().translate(body).fact
        for what, foreign in kind.foreign(body).items():
            reported = kind.translator().translate(foreign).fact
            assert isinstance(reported, Foreign), what
            assert reported.event_id == own.event_id
            assert "ours is" in reported.why or "we are in" in reported.why


@every_kind
@pytest.mark.parametrize("text", ["cut \ud83d", "\udc00", "a\0b"])
def test_a_broken_text_hides_no_fact(
    kind: type[Adapter], samples: Samples, fact: type[Fact], text: str
) -> None:
    """Half a character or a NUL, in a field that is not read: the fact is the same."""
    for body in samples[fact]:
        broken = json.dumps(json.loads(body) | {"note": text}).encode()
        assert kind.translator().translate(broken) == kind.translator().translate(body)
