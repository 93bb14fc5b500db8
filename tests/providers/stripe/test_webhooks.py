"""Stripe's webhooks: the signature over the raw bytes, then the fields that routing needs."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.call_key import CallKey
from ports.provider import MalformedWebhookError, SignatureError, Translated, Webhook
from providers.stripe.webhooks import read
from schemas import identity
from tests.providers.stripe.builders import (
    INTENT,
    OLD_SECRET,
    PAYMENT,
    SECRET,
    TOLERANCE_S,
    dispute,
    event,
    intent,
    reader,
    refund,
    signed,
    translator,
)

#: Hypothesis's deadline would fail on a busy machine.
unhurried = settings(deadline=None)

BODY = event("payment_intent.succeeded")
WEBHOOK = Webhook("evt_1", INTENT, PAYMENT)
ANOTHER = identity.payment_id("shop", "order-2")
KEYS = (
    CallKey.create(ANOTHER),
    CallKey.capture(ANOTHER, 1),
    CallKey.refund(ANOTHER, identity.refund_id(ANOTHER, "refund-1")),
)


def caused(key: str) -> dict[str, str]:
    """Returns an event's ``request``: the call with this idempotency key."""
    return {"id": "req_1", "idempotency_key": key}


def test_a_webhook_signed_with_our_secret_is_read() -> None:
    """The result has the event ID, the payment object and our payment ID."""
    assert reader().verify(BODY, signed(BODY)) == WEBHOOK


@pytest.mark.parametrize("event_id", ["cmd_1", "res_1", "rel_1", "evt_1@provider-webhooks/0/17"])
def test_no_event_has_an_id_of_ours(event_id: str) -> None:
    """Who can sign could use up the ID of a command, of a result, or of a refused record."""
    body = event("payment_intent.succeeded", id=event_id)
    with pytest.raises(MalformedWebhookError):
        reader().verify(body, signed(body))
    with pytest.raises(MalformedWebhookError):
        translator().translate(body)


@pytest.mark.parametrize("secret", [SECRET, OLD_SECRET])
def test_any_of_several_secrets_is_accepted(secret: str) -> None:
    """During a rotation, either secret may have signed."""
    assert reader(SECRET, OLD_SECRET).verify(BODY, signed(BODY, secret)) == WEBHOOK


@pytest.mark.parametrize("known", [SECRET, OLD_SECRET])
def test_any_of_several_signatures_in_the_header_is_accepted(known: str) -> None:
    """During a rotation, Stripe signs with both secrets in one header."""
    first = signed(BODY, SECRET)["stripe-signature"]
    second = signed(BODY, OLD_SECRET)["stripe-signature"].partition(",")[2]
    header = f"{first},v0=0000,{second}"
    assert reader(known).verify(BODY, {"stripe-signature": header}) == WEBHOOK


def test_the_signature_covers_the_raw_bytes() -> None:
    """The same JSON with different white space needs another signature."""
    spaced = json.dumps(json.loads(BODY), indent=2).encode()
    assert reader().verify(spaced, signed(spaced)) == WEBHOOK
    with pytest.raises(SignatureError):
        reader().verify(spaced, signed(BODY))


@pytest.mark.parametrize("age_s", [0, TOLERANCE_S - 10])
def test_a_signature_is_valid_within_the_tolerance(age_s: int) -> None:
    """An older webhook is accepted up to the tolerance."""
    assert reader().verify(BODY, signed(BODY, age_s=age_s)) == WEBHOOK


@pytest.mark.parametrize("ahead_s", [TOLERANCE_S + 10, 86_400])
def test_a_signature_from_the_future_is_refused(ahead_s: int) -> None:
    """Its replays would stay valid until that time. A small clock difference is tolerated."""
    assert reader().verify(BODY, signed(BODY, age_s=-10)) == WEBHOOK
    with pytest.raises(SignatureError):
        reader().verify(BODY, signed(BODY, age_s=-ahead_s))


_V1 = signed(BODY)["stripe-signature"].partition("v1=")[2]
_NOW = int(time.time())
REFUSED = {
    "of another secret": signed(BODY, "whsec_of_somebody_else"),
    "of an empty secret": signed(BODY, ""),
    "of other bytes": signed(BODY + b" "),
    "stale": signed(BODY, age_s=TOLERANCE_S + 10),
    "stale for years": signed(BODY, age_s=_NOW),
    "missing": {},
    "empty": {"stripe-signature": ""},
    "in a header of another name": {"x-signature": signed(BODY)["stripe-signature"]},
    "nonsense": {"stripe-signature": "nonsense"},
    "only commas": {"stripe-signature": ",,,"},
    "without a time": {"stripe-signature": f"v1={_V1}"},
    "without a signature": {"stripe-signature": f"t={_NOW}"},
    "at no time": {"stripe-signature": f"t=now,v1={_V1}"},
    "at a time of 5000 digits": {"stripe-signature": f"t={'9' * 5000},v1={_V1}"},
    "with a new date": {"stripe-signature": f"t={_NOW + 1000},v1={_V1}"},
    "of another scheme": {"stripe-signature": signed(BODY)["stripe-signature"].replace("v1", "v0")},
    "cut off": {"stripe-signature": signed(BODY)["stripe-signature"][:-1]},
    "not ASCII": {"stripe-signature": f"t={_NOW},v1=\xe9\xff"},
    "not ASCII in its time": {"stripe-signature": f"t=\u0661,v1={_V1}"},
    "not ASCII after the right one": {
        "stripe-signature": signed(BODY)["stripe-signature"] + ",v1=\xe9"
    },
}


@pytest.mark.parametrize("case", REFUSED)
def test_any_other_signature_is_refused(case: str) -> None:
    """Every invalid header raises the same error, which contains no secret."""
    with pytest.raises(SignatureError) as refusal:
        reader(SECRET, OLD_SECRET).verify(BODY, REFUSED[case])
    assert SECRET not in str(refusal.value)
    assert OLD_SECRET not in str(refusal.value)


@pytest.mark.parametrize("position", [0, len(BODY) // 2, len(BODY) - 1])
def test_one_bit_altered_is_refused(position: int) -> None:
    """The altered bit may be anywhere in the body."""
    altered = bytearray(BODY)
    altered[position] ^= 1
    with pytest.raises(SignatureError):
        reader().verify(bytes(altered), signed(BODY))


def test_without_a_secret_every_webhook_is_refused() -> None:
    """A missing secret does not disable the check."""
    without_secrets = reader()
    without_secrets._secrets = ()
    with pytest.raises(SignatureError):
        without_secrets.verify(BODY, signed(BODY))


_DEEP = b'{"a":' * 5_000 + b"1" + b"}" * 5_000
NO_EVENTS = {
    "nothing": b"",
    "white space": b"  ",
    "no JSON": b"{",
    "more than JSON": BODY + b"}",
    "a list": b"[]",
    "null": b"null",
    "an event without an object": b'{"id": "evt_1", "type": "x", "created": 1, "data": {}}',
    "an object that is a list": BODY.replace(json.dumps(intent()).encode(), b"[1]"),
    "an ID that is a number": event("x", id=1),
    "an empty ID": event("x", id=""),
    "an ID with NUL": event("x", id="evt_\0"),
    "an ID with a line feed": event("x", id="evt_1\n"),
    "an ID of 256 characters": event("x", id="e" * 256),
    "a type with NUL": event("x\0"),
    "a time that is true": event("x", created=True),
    "a time with a fraction": event("x", created=1.5),
    "a negative time": event("x", created=-1),
    "a time after the year 9999": event("x", created=253_402_300_800),
    "a time over 64 bits": event("x", created=10**30),
    "a time near 64 bits": event("x", created=2**62),
    "half a surrogate": BODY.replace(b"evt_1", rb"evt_\ud800"),
    "deep nesting": event("x", {}).replace(b'{"object": {}}', b'{"object": %b}' % _DEEP),
}


@pytest.mark.parametrize("case", NO_EVENTS)
def test_a_signed_body_that_is_no_event_is_malformed(case: str) -> None:
    """The ingress's reader and the stream's translator both refuse it."""
    body = NO_EVENTS[case]
    with pytest.raises(MalformedWebhookError):
        reader().verify(body, signed(body))
    with pytest.raises(MalformedWebhookError):
        translator().translate(body)


def test_a_body_that_is_not_utf8_is_a_signature_error() -> None:
    """Stripe signs only UTF-8."""
    body = BODY.replace(b"evt_1", b"evt_\xff")
    with pytest.raises(SignatureError):
        reader().verify(body, signed(body))
    with pytest.raises(MalformedWebhookError):
        translator().translate(body)


ROUTED: dict[str, tuple[dict[str, Any], str | None, str | None]] = {
    "our payment intent": (intent(), INTENT, PAYMENT),
    "a charge of our payment": (
        {"id": "ch_1", "payment_intent": INTENT, "metadata": {"payment_id": PAYMENT}},
        INTENT,
        PAYMENT,
    ),
    "our refund": (refund(), INTENT, PAYMENT),
    "a refund from the Dashboard": (refund(metadata={}), INTENT, None),
    "a refund without metadata": (refund(metadata=None), INTENT, None),
    "a dispute": (dispute(), INTENT, None),
    "an object without an ID": ({"object": "balance"}, None, None),
    "an object with a user-defined ID": ({"id": "25 %\u00fc"}, None, None),
    "an object with an expanded payment intent": (
        {"id": "ch_1", "payment_intent": intent()},
        "ch_1",
        None,
    ),
    "an object whose payment ID is no text": (
        {"id": "x", "metadata": {"payment_id": 7}},
        "x",
        None,
    ),
    "an object with invalid metadata": ({"id": "x", "metadata": "none"}, "x", None),
}


@pytest.mark.parametrize("case", ROUTED)
def test_any_stripe_object_is_routed_by_its_content(case: str) -> None:
    """It is routed by our payment ID if present, else by the object; no event is refused."""
    about, object_id, payment_id = ROUTED[case]
    body = event("some.event", about)
    webhook = reader().verify(body, signed(body))
    assert (webhook.object_id, webhook.payment_id) == (object_id, payment_id)
    assert webhook.event_id == "evt_1"


@pytest.mark.parametrize("request_", [None, "req_1", {"id": "req_1"}, caused("order-7:create")])
def test_an_event_that_no_call_of_ours_caused_is_routed_by_its_metadata(request_: Any) -> None:
    """Before 2017-05-25 it names no key, and others have keys of their own."""
    body = event("payment_intent.succeeded", intent(), request=request_)
    assert read(body).payment_id == PAYMENT


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("about", [intent(), intent(metadata={}), refund()])
def test_an_event_that_our_call_caused_is_routed_by_its_key(
    key: CallKey, about: dict[str, Any]
) -> None:
    """The key is the call's own; anybody can write another payment's ID on the object."""
    webhook = read(event("some.event", about, request=caused(str(key))))
    assert (webhook.object_id, webhook.payment_id) == (INTENT, ANOTHER)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
_FIELDS = ("id", "type", "created", "data", "request")
_ABOUT = (*intent(), *refund(), *dispute(), "charge", "code")


@unhurried
@given(body=st.binary() | st.text().map(str.encode), header=st.text() | st.none())
def test_any_unsigned_webhook_is_a_signature_error(body: bytes, header: str | None) -> None:
    """No body and no header raise another error."""
    with pytest.raises(SignatureError):
        reader().verify(body, {} if header is None else {"stripe-signature": header})


@unhurried
@given(
    changes=st.dictionaries(st.sampled_from(_FIELDS), _JSON, max_size=3),
    about=st.dictionaries(st.sampled_from(_ABOUT), _JSON, max_size=4),
    kind=st.sampled_from(
        ["payment_intent.payment_failed", "refund.updated", "charge.dispute.closed", "customer.new"]
    ),
    base=st.sampled_from([intent(), intent("requires_payment_method"), refund(), dispute()]),
)
def test_any_signed_webhook_is_read_or_malformed(
    changes: dict[str, Any], about: dict[str, Any], kind: str, base: dict[str, Any]
) -> None:
    """Any value in any field is read or refused as malformed; no other error is raised."""
    body = event(kind, {**base, **about}, **changes)
    try:
        webhook = reader().verify(body, signed(body))
        translated = translator().translate(body)
    except MalformedWebhookError:
        return
    assert isinstance(translated, Translated)
    assert translated.fact.event_id == webhook.event_id


@unhurried
@given(body=st.binary())
def test_any_bytes_from_the_log_are_malformed(body: bytes) -> None:
    """The stream may read bytes that were never verified."""
    with pytest.raises(MalformedWebhookError):
        translator().translate(body)
