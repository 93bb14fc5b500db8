"""Signatures cover the raw bytes, need one of our secrets, and expire."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ports.provider import MalformedWebhookError, SignatureError, Webhook
from tests.conformance.kit.adapter import Adapter
from tests.conformance.kit.calls import PAYMENT
from tests.conformance.kit.rows import ADAPTERS

#: The machine may be busy, so an example has no deadline.
without_deadline = settings(deadline=None)
every_adapter = pytest.mark.parametrize("name", ADAPTERS)


def test_a_body_signed_with_our_secret_is_read(kind: type[Adapter]) -> None:
    """The webhook has the event ID, the provider's object and our payment ID."""
    body = kind.payment_event(payment_id=PAYMENT)
    webhook = kind.reader(kind.secrets[0]).verify(body, kind.signed(body, kind.secrets[0]))
    assert webhook.event_id
    assert webhook.object_id
    assert webhook.payment_id == PAYMENT


@pytest.mark.parametrize("number", [0, 1])
def test_each_of_several_secrets_is_accepted(kind: type[Adapter], number: int) -> None:
    """While one secret replaces another, both are valid."""
    body = kind.payment_event()
    assert kind.reader(*kind.secrets).verify(body, kind.signed(body, kind.secrets[number]))


@pytest.mark.parametrize("age_s", [290, 0, -290])
def test_a_signature_is_valid_within_the_tolerance(kind: type[Adapter], age_s: int) -> None:
    """It may be a little old, or from a clock that is ahead of ours."""
    body, secret = kind.payment_event(), kind.secrets[0]
    assert kind.reader(secret).verify(body, kind.signed(body, secret, age_s))


def _altered(alter: Callable[[str], str]) -> Callable[[type[Adapter], bytes], dict[str, str]]:
    """Valid headers with each value altered."""
    return lambda kind, body: {
        name: alter(value) for name, value in kind.signed(body, kind.secrets[0]).items()
    }


WRONG: dict[str, Callable[[type[Adapter], bytes], dict[str, str]]] = {
    "missing": lambda _, __: {},
    "empty": _altered(lambda _: ""),
    "nonsense": _altered(lambda _: "nonsense"),
    "no ASCII": _altered(lambda value: f"{value}\N{SNOWMAN}"),
    "cut off": _altered(lambda value: value[:-4]),
    "of another secret": lambda kind, body: kind.signed(body, kind.secrets[1]),
    "of other bytes": lambda kind, body: kind.signed(body + b" ", kind.secrets[0]),
    "stale": lambda kind, body: kind.signed(body, kind.secrets[0], 310),
    "of the future": lambda kind, body: kind.signed(body, kind.secrets[0], -310),
}


@pytest.mark.parametrize("case", WRONG)
def test_any_other_signature_is_refused(kind: type[Adapter], case: str) -> None:
    """The error is the one for signatures, and contains no secret."""
    body = kind.payment_event()
    with pytest.raises(SignatureError) as refused:
        kind.reader(kind.secrets[0]).verify(body, WRONG[case](kind, body))
    assert not any(secret[6:] in str(refused.value) for secret in kind.secrets)


def test_each_header_is_needed(kind: type[Adapter]) -> None:
    """Without any one of them the signature is refused."""
    body, secret = kind.payment_event(), kind.secrets[0]
    headers = kind.signed(body, secret)
    for missing in headers:
        rest = {name: value for name, value in headers.items() if name != missing}
        with pytest.raises(SignatureError):
            kind.reader(secret).verify(body, rest)


@pytest.mark.parametrize("position", [0, 0.3, 0.6, 0.999])
def test_a_body_with_one_altered_bit_is_refused(kind: type[Adapter], position: float) -> None:
    """This holds anywhere in the body."""
    body, secret = kind.payment_event(), kind.secrets[0]
    headers, altered = kind.signed(body, secret), bytearray(body)
    altered[int(position * len(body))] ^= 1
    with pytest.raises(SignatureError):
        kind.reader(secret).verify(bytes(altered), headers)


def test_the_bytes_are_signed_not_their_meaning(kind: type[Adapter]) -> None:
    """The same JSON with other white space is another body."""
    body, secret = kind.payment_event(), kind.secrets[0]
    headers, spaced = kind.signed(body, secret), body.replace(b": ", b":  ", 1)
    with pytest.raises(SignatureError):
        kind.reader(secret).verify(spaced, headers)
    assert kind.reader(secret).verify(spaced, kind.signed(spaced, secret))


def test_without_a_secret_every_webhook_is_refused(kind: type[Adapter]) -> None:
    """An empty list of secrets does not turn the check off."""
    body = kind.payment_event()
    with pytest.raises(SignatureError):
        kind.reader().verify(body, kind.signed(body, kind.secrets[0]))


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"{}", b'{"id": 1}', b"[" * 100_000, b'{"id": "x"}']
)
def test_a_signed_body_that_is_no_event_is_malformed(kind: type[Adapter], body: bytes) -> None:
    """Its error differs from that of a wrong signature, and is counted separately."""
    headers = kind.signed(body, kind.secrets[0])
    with pytest.raises(MalformedWebhookError):
        kind.reader(kind.secrets[0]).verify(body, headers)


def test_bytes_that_are_not_text_are_refused(kind: type[Adapter]) -> None:
    """They are malformed, or unsigned if the provider signs text."""
    headers = kind.signed(b"\xff", kind.secrets[0])
    with pytest.raises((MalformedWebhookError, SignatureError)):
        kind.reader(kind.secrets[0]).verify(b"\xff", headers)


@every_adapter
@without_deadline
@given(body=st.binary(), data=st.data())
def test_any_unsigned_webhook_is_a_signature_error(
    name: str, body: bytes, data: st.DataObject
) -> None:
    """No body and no header raise another error."""
    kind = ADAPTERS[name]
    headers = {
        header: data.draw(st.text(st.characters(codec="latin-1")))
        for header in kind.signed(b"{}", kind.secrets[0])
    }
    with pytest.raises(SignatureError):
        kind.reader(*kind.secrets).verify(body, headers)


@every_adapter
@without_deadline
@given(value=st.text(max_size=400))
def test_an_event_id_is_printable_and_short(name: str, value: str) -> None:
    """It becomes a header and a row, so any other is malformed."""
    kind = ADAPTERS[name]
    body = kind.payment_event(event_id=value)
    reader = kind.reader(kind.secrets[0])
    try:
        webhook = reader.verify(body, _signed_for(kind, body, value))
    except (MalformedWebhookError, SignatureError):
        return
    assert isinstance(webhook, Webhook)
    assert webhook.event_id.isascii()
    assert webhook.event_id.isprintable()
    assert 0 < len(webhook.event_id) < 500


def _signed_for(kind: type[Adapter], body: bytes, value: str) -> dict[str, str]:
    """The headers as a server passes them on; placeholders if a header can't carry the ID."""
    headers = kind.signed(body, kind.secrets[0])
    printable = value.isascii() and value.isprintable()
    return headers if printable else dict.fromkeys(headers, "none")


def test_event_ids_of_different_providers_differ() -> None:
    """Dedup uses the ID alone, so two providers' events with one ID get different ones."""
    ids = {
        kind.translator().translate(kind.payment_event(event_id="1")).fact.event_id
        for kind in ADAPTERS.values()
    }
    assert len(ids) == len(ADAPTERS)
