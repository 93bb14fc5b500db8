"""Signatures: over the raw bytes, with one of our secrets, not long ago, before all reading."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ports.provider import MalformedWebhookError, SignatureError, Webhook
from tests.conformance.kit.adapter import Adapter
from tests.conformance.kit.rows import ADAPTERS
from tests.conformance.kit.story import PAYMENT

#: The machine may be busy: an example may take its time.
unhurried = settings(deadline=None)
every_adapter = pytest.mark.parametrize("name", ADAPTERS)


def test_what_our_secret_signed_is_read(kind: type[Adapter]) -> None:
    """Event ID, the provider's object and our payment ID: what keys and routes the record."""
    body = kind.payment_event(payment_id=PAYMENT)
    webhook = kind.reader(kind.secrets[0]).verify(body, kind.signed(body, kind.secrets[0]))
    assert webhook.event_id
    assert webhook.object_id
    assert webhook.payment_id == PAYMENT


@pytest.mark.parametrize("number", [0, 1])
def test_any_of_several_secrets_will_do(kind: type[Adapter], number: int) -> None:
    """While one secret replaces another, either may have signed."""
    body = kind.payment_event()
    assert kind.reader(*kind.secrets).verify(body, kind.signed(body, kind.secrets[number]))


@pytest.mark.parametrize("age_s", [290, 0, -290])
def test_a_signature_holds_for_the_tolerance(kind: type[Adapter], age_s: int) -> None:
    """A little old, or by a clock that is ahead of ours."""
    body, secret = kind.payment_event(), kind.secrets[0]
    assert kind.reader(secret).verify(body, kind.signed(body, secret, age_s))


def _spoiled(spoil: Callable[[str], str]) -> Callable[[type[Adapter], bytes], dict[str, str]]:
    """The right headers with each value spoiled."""
    return lambda kind, body: {
        name: spoil(value) for name, value in kind.signed(body, kind.secrets[0]).items()
    }


WRONG: dict[str, Callable[[type[Adapter], bytes], dict[str, str]]] = {
    "missing": lambda _, __: {},
    "empty": _spoiled(lambda _: ""),
    "nonsense": _spoiled(lambda _: "nonsense"),
    "no ASCII": _spoiled(lambda value: f"{value}\N{SNOWMAN}"),
    "cut off": _spoiled(lambda value: value[:-4]),
    "of another secret": lambda kind, body: kind.signed(body, kind.secrets[1]),
    "of other bytes": lambda kind, body: kind.signed(body + b" ", kind.secrets[0]),
    "stale": lambda kind, body: kind.signed(body, kind.secrets[0], 310),
    "of the future": lambda kind, body: kind.signed(body, kind.secrets[0], -310),
}


@pytest.mark.parametrize("case", WRONG)
def test_any_other_signature_is_refused(kind: type[Adapter], case: str) -> None:
    """Whatever is wrong, the error is the one for signatures, and contains no secret."""
    body = kind.payment_event()
    with pytest.raises(SignatureError) as refused:
        kind.reader(kind.secrets[0]).verify(body, WRONG[case](kind, body))
    assert not any(secret[6:] in str(refused.value) for secret in kind.secrets)


def test_each_header_is_needed(kind: type[Adapter]) -> None:
    """Without any one of them nothing is signed."""
    body, secret = kind.payment_event(), kind.secrets[0]
    headers = kind.signed(body, secret)
    for missing in headers:
        rest = {name: value for name, value in headers.items() if name != missing}
        with pytest.raises(SignatureError):
            kind.reader(secret).verify(body, rest)


@pytest.mark.parametrize("position", [0, 0.3, 0.6, 0.999])
def test_one_bit_altered_is_refused(kind: type[Adapter], position: float) -> None:
    """Anywhere in the body."""
    body, secret = kind.payment_event(), kind.secrets[0]
    headers, altered = kind.signed(body, secret), bytearray(body)
    altered[int(position * len(body))] ^= 1
    with pytest.raises(SignatureError):
        kind.reader(secret).verify(bytes(altered), headers)


def test_the_bytes_are_signed_not_what_they_mean(kind: type[Adapter]) -> None:
    """The same JSON with another white space is another body."""
    body, secret = kind.payment_event(), kind.secrets[0]
    headers, spaced = kind.signed(body, secret), body.replace(b": ", b":  ", 1)
    with pytest.raises(SignatureError):
        kind.reader(secret).verify(spaced, headers)
    assert kind.reader(secret).verify(spaced, kind.signed(spaced, secret))


def test_without_a_secret_nothing_is_genuine(kind: type[Adapter]) -> None:
    """No secret never means no check."""
    body = kind.payment_event()
    with pytest.raises(SignatureError):
        kind.reader().verify(body, kind.signed(body, kind.secrets[0]))


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"{}", b'{"id": 1}', b"[" * 100_000, b'{"id": "x"}']
)
def test_a_right_signature_makes_no_event_of_other_bytes(kind: type[Adapter], body: bytes) -> None:
    """Signed, and no event of this provider: malformed, which is counted apart."""
    headers = kind.signed(body, kind.secrets[0])
    with pytest.raises(MalformedWebhookError):
        kind.reader(kind.secrets[0]).verify(body, headers)


def test_bytes_that_are_no_text_are_refused(kind: type[Adapter]) -> None:
    """Malformed; or unsigned, where the provider signs text."""
    headers = kind.signed(b"\xff", kind.secrets[0])
    with pytest.raises((MalformedWebhookError, SignatureError)):
        kind.reader(kind.secrets[0]).verify(b"\xff", headers)


@every_adapter
@unhurried
@given(body=st.binary(), data=st.data())
def test_whatever_arrives_unsigned_is_a_signature_error(
    name: str, body: bytes, data: st.DataObject
) -> None:
    """No bytes and no header make anything else of it."""
    kind = ADAPTERS[name]
    headers = {
        header: data.draw(st.text(st.characters(codec="latin-1")))
        for header in kind.signed(b"{}", kind.secrets[0])
    }
    with pytest.raises(SignatureError):
        kind.reader(*kind.secrets).verify(body, headers)


@every_adapter
@unhurried
@given(value=st.text(max_size=400))
def test_an_event_id_fits_where_it_goes(name: str, value: str) -> None:
    """It becomes a header and a row: printable, not too long; any other is malformed."""
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
    """The headers, as a server would hand them on; nothing where none could carry the ID."""
    headers = kind.signed(body, kind.secrets[0])
    printable = value.isascii() and value.isprintable()
    return headers if printable else dict.fromkeys(headers, "none")


def test_an_event_id_is_told_apart_from_every_other_providers() -> None:
    """Events of all providers are known by ID alone: one that two of them use is two."""
    ids = {
        kind.translator().translate(kind.payment_event(event_id="1")).fact.event_id
        for kind in ADAPTERS.values()
    }
    assert len(ids) == len(ADAPTERS)
