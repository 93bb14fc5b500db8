"""Bytes become inputs, or dead letters with the reason."""

import json
from collections.abc import Mapping
from datetime import UTC
from typing import Any, Final

import pytest
from msgspec.structs import replace

from decisions.dead_letters import as_outgoing
from decisions.decode_failure import unforeseen
from domain.call_key import Operation
from domain.inputs import (
    CallResult,
    Cancel,
    Capture,
    Command,
    Confirm,
    Create,
    Failure,
    PaymentFact,
    Refund,
    Release,
    Unmodelled,
)
from domain.status import ProviderStatus
from ports.records import ConsumedRecord, DeadLetter, RecordOffset
from schemas import headers, identity
from schemas.topics import DEAD_LETTERS
from tests.support.builders import DECODER, NOW, Log, object_of, payment, received

PAYMENT: Final = payment("decoded")
OTHER: Final = payment("another")
COMMANDS: Final[Mapping[str, type[Command]]] = {
    "create": Create,
    "confirm": Confirm,
    "capture": Capture,
    "cancel": Cancel,
    "refund": Refund,
}


def command(**changes: Any) -> ConsumedRecord:
    """A cancel command."""
    return Log().command(PAYMENT, "cancel", **changes)


def webhook(**named: str | None) -> ConsumedRecord:
    """A valid webhook with these headers changed, or omitted where None."""
    record = Log().webhook(PAYMENT, "succeeded", "evt_1")
    changed = {**record.headers, **{name.replace("_", "-"): text for name, text in named.items()}}
    return replace(
        record, headers={name: text for name, text in changed.items() if text is not None}
    )


def result(**changes: Any) -> ConsumedRecord:
    """The provider's acknowledgement."""
    return Log().result(PAYMENT, **changes)


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_command_becomes_its_domain_type(kind: str) -> None:
    """Each kind has its own type, with the tenant and the operation it belongs to."""
    record = Log().command(PAYMENT, kind)
    sent = json.loads(record.value)
    got = received(record)
    body = got.input.body
    assert type(got.input.body) is COMMANDS[kind]
    assert isinstance(body, Command)
    assert (got.payment_id, got.event_id, got.kind) == (
        PAYMENT,
        sent["event_id"],
        f"command.{kind}",
    )
    assert (got.tenant, got.operation_id) == ("shop", sent["operation_id"])
    assert body.fingerprint == sent["fingerprint"]
    assert got.input.received_at == NOW


@pytest.mark.parametrize("cause", ["requested", "expired"])
def test_an_expiry_is_distinct_from_a_clients_cancel(cause: str) -> None:
    """An expiry applies only to an overdue payment without action; a client's cancel always."""
    body = received(Log().command(PAYMENT, "cancel", cause=cause)).input.body
    assert isinstance(body, Cancel)
    assert body.expired is (cause == "expired")


def test_a_release_has_no_tenant() -> None:
    """Its ID is that of the quarantine. Every reader of the payment sees it."""
    got = received(Log().release(PAYMENT))
    assert (got.payment_id, got.kind, got.tenant) == (PAYMENT, "operator.release", None)
    assert got.event_id == identity.release_event_id(PAYMENT, "evt_bad", NOW)
    assert got.input.body == Release()
    assert got.input.received_at == NOW


def test_a_webhook_is_a_fact_of_its_payment() -> None:
    """The key names the payment, the headers the event and its time. The body has the fact."""
    got = received(webhook(received_at="2026-03-01T13:00:00+01:00"))
    assert (got.payment_id, got.event_id, got.provider) == (PAYMENT, "evt_1", "stripe")
    assert got.kind == "stripe.payment_intent.succeeded"
    assert got.input.received_at == NOW
    assert got.input.received_at.tzinfo is UTC
    assert isinstance(got.input.body, PaymentFact)
    assert got.input.body.status is ProviderStatus.SUCCEEDED
    assert got.input.body.object_id == object_of(PAYMENT)


def test_an_event_without_effect_is_no_dead_letter() -> None:
    """It is decoded, so that it is recorded as ignored."""
    record = webhook()
    body = json.loads(record.value) | {"type": "customer.created"}
    assert isinstance(
        received(replace(record, value=json.dumps(body).encode())).input.body, Unmodelled
    )


def test_a_result_is_an_acknowledgement_or_a_refusal() -> None:
    """An acknowledgement names the provider's object, a refusal the reason."""
    acknowledged = received(result())
    assert acknowledged.kind == "result.create"
    assert acknowledged.provider == "stripe"
    assert acknowledged.input.body == CallResult(
        f"{PAYMENT}:create", Operation.CREATE, object_of(PAYMENT), None
    )
    refusal = {"code": "no", "message": "never"}
    refused = received(result(outcome="refused", object_id=None, refusal=refusal))
    assert refused.input.body == CallResult(
        f"{PAYMENT}:create", Operation.CREATE, None, Failure("no", "never")
    )


def _without(record: ConsumedRecord, name: str) -> ConsumedRecord:
    body = json.loads(record.value)
    del body[name]
    return replace(record, value=json.dumps(body).encode())


_NAIVE: Final = "2026-03-01T12:00:00"
_COMMAND, _WEBHOOK, _RESULT = command(), webhook(), result()
#: By defect: a record that has it, and what the error must contain.
UNDECODABLE: Final[Mapping[str, tuple[ConsumedRecord, tuple[str, ...]]]] = {
    "command: no JSON": (replace(_COMMAND, value=b"\x00{"), ("not a command", "JSON")),
    "command: a tombstone": (replace(_COMMAND, value=b""), ("not a command",)),
    "command: an unknown kind": (command(type="steal"), ("type", "'cancel'")),
    "command: no tenant": (_without(_COMMAND, "tenant"), ("tenant", "required")),
    "command: an unknown field": (command(surprise=1), ("(a name)", "not permitted")),
    "command: a fractional amount": (Log().create(PAYMENT, amount=9.99), ("amount", "integer")),
    "command: a malformed payment ID": (
        Log().command("pay_1", "cancel"),
        ("payment_id", "pattern"),
    ),
    "command: naive time": (command(received_at=_NAIVE), ("received_at", "timezone")),
    "command: no key": (replace(_COMMAND, key=None), ("key", "payment ID")),
    "command: another payment's key": (replace(_COMMAND, key=OTHER.encode()), ("key", "value")),
    "webhook: no key": (replace(_WEBHOOK, key=None), ("key", "no payment ID")),
    "webhook: a key of random bytes": (replace(_WEBHOOK, key=b"\xff" * 100), ("no payment ID",)),
    "webhook: nearly a payment's key": (
        replace(_WEBHOOK, key=PAYMENT.encode() + b"\n"),
        ("no payment ID",),
    ),
    "webhook: no headers": (replace(_WEBHOOK, headers={}), (headers.PROVIDER, "missing")),
    "webhook: no event ID": (webhook(event_id=None), (headers.EVENT_ID, "missing")),
    "webhook: an empty event ID": (webhook(event_id=""), (headers.EVENT_ID, "empty")),
    "webhook: a very long event ID": (webhook(event_id="e" * 501), (headers.EVENT_ID, "too long")),
    "webhook: another event's ID": (webhook(event_id="evt_2"), (headers.EVENT_ID, "value")),
    "webhook: no time": (webhook(received_at=None), (headers.RECEIVED_AT, "missing")),
    "webhook: naive time": (webhook(received_at=_NAIVE), ("no time zone",)),
    "webhook: a malformed time": (webhook(received_at="soon"), ("ISO 8601",)),
    "webhook: no account's name": (webhook(provider="a.bank"), (headers.PROVIDER, "no name")),
    "webhook: an unknown account, no time": (
        webhook(provider="bank", received_at=None),
        (headers.RECEIVED_AT, "missing"),
    ),
    "webhook: no JSON": (replace(_WEBHOOK, value=b"garbage"), ("not a Stripe event",)),
    "webhook: a tombstone": (replace(_WEBHOOK, value=b""), ("not a Stripe event",)),
    "result: no JSON": (replace(_RESULT, value=b"]"), ("not a provider result", "JSON")),
    "result: a tombstone": (replace(_RESULT, value=b""), ("not a provider result",)),
    "result: another payment's key": (replace(_RESULT, key=OTHER.encode()), ("key", "value")),
    "result: an acknowledgement of nothing": (result(object_id=None), ("object_id",)),
    "result: a refusal without a reason": (
        result(outcome="refused", object_id=None),
        ("send refusal if and only if",),
    ),
    "result: naive time": (result(received_at=_NAIVE), ("received_at", "timezone")),
}


@pytest.mark.parametrize("what", UNDECODABLE)
def test_an_undecodable_record_is_a_dead_letter_with_the_reason(what: str) -> None:
    """It has the unchanged record and an error that names the defect."""
    record, named = UNDECODABLE[what]
    dead_letter = DECODER.decode(record)
    assert isinstance(dead_letter, DeadLetter)
    assert dead_letter.record == record
    assert [word for word in named if word not in dead_letter.error] == [], dead_letter.error


_PERSON: Final = "jane@example.com"
_NOT_UTF_8: Final = b"\xff" + _PERSON.encode()
#: Undecodable records that name a person in different places.
PERSONAL: Final[Mapping[str, ConsumedRecord]] = {
    "command: a key": replace(_COMMAND, key=_PERSON.encode()),
    "command: a type": command(type=_PERSON),
    "command: a field": command(**{_PERSON: 1}),
    "command: a payment ID": Log().command(_PERSON, "cancel"),
    "command: a time": command(received_at=_PERSON),
    "command: no JSON": replace(_COMMAND, value=_PERSON.encode()),
    "command: no UTF-8": replace(_COMMAND, value=_NOT_UTF_8),
    "command: a key of metadata": Log().create(PAYMENT, metadata={_PERSON: 7}),
    "command: a long key of metadata": Log().create(PAYMENT, metadata={_PERSON * 9: "x"}),
    "command: a text as amount": Log().create(PAYMENT, amount=_PERSON),
    "command: a currency": Log().create(PAYMENT, currency=_PERSON),
    "command: a way to capture": Log().create(PAYMENT, capture_method=_PERSON),
    "webhook: a key": replace(_WEBHOOK, key=_PERSON.encode()),
    "webhook: a provider": webhook(provider=_PERSON),
    "webhook: an event ID": webhook(event_id=_PERSON),
    "webhook: a time": webhook(received_at=_PERSON),
    "webhook: no JSON": replace(_WEBHOOK, value=_PERSON.encode()),
    "webhook: no UTF-8": replace(_WEBHOOK, value=b'{"id": "' + _NOT_UTF_8),
    "webhook: a text as livemode": replace(_WEBHOOK, value=b'{"livemode": "jane@example.com"}'),
    "result: a field": result(**{_PERSON: 1}),
    "result: an operation": result(operation=_PERSON),
    "result: an outcome": result(outcome=_PERSON),
    "result: a field of a refusal": result(
        outcome="refused", object_id=None, refusal={"code": "no", "message": "", _PERSON: 1}
    ),
}


@pytest.mark.parametrize("what", PERSONAL)
def test_an_error_repeats_nothing_of_the_record(what: str) -> None:
    """It is in the log and in the list of dead letters; only ``--show`` prints content."""
    dead_letter = DECODER.decode(PERSONAL[what])
    assert isinstance(dead_letter, DeadLetter)
    assert "jane" not in dead_letter.error
    assert "example" not in dead_letter.error


def test_an_unforeseen_error_of_a_dead_letter_has_no_text() -> None:
    """The text may repeat what the code failed on."""
    lost = unforeseen(replace(_WEBHOOK, key=None), f"KeyError: '{_PERSON}'")
    assert isinstance(lost, DeadLetter)
    assert lost.error == "our own code failed: KeyError"


def test_a_dead_letter_is_published_unchanged() -> None:
    """Key, value and headers are unchanged. Added headers have its position and the error."""
    error = "the reason " * 200
    failed = replace(_WEBHOOK, position=RecordOffset("provider-webhooks", 3, 41))
    (sent,) = as_outgoing([DeadLetter(failed, error)])
    assert (sent.topic, sent.key, sent.value) == (DEAD_LETTERS, _WEBHOOK.key, _WEBHOOK.value)
    assert headers.as_text(sent.headers) == {
        **_WEBHOOK.headers,
        headers.ORIGINAL_TOPIC: "provider-webhooks",
        headers.ORIGINAL_PARTITION: "3",
        headers.ORIGINAL_OFFSET: "41",
        headers.ORIGINAL_TIMESTAMP: str(_WEBHOOK.timestamp_ms),
        headers.ERROR: error[:1000],
    }


@pytest.mark.parametrize(
    ("message", "stored"),
    [
        ("a\0b", "a\N{REPLACEMENT CHARACTER}b"),
        (r"a\u0000b", r"a\u0000b"),
        ("cut \ud83d", "cut \N{REPLACEMENT CHARACTER}"),
        ("\ud83d\ude00 whole", "\N{GRINNING FACE} whole"),
        (r"C:\ud83d", r"C:\ud83d"),
        ("x" * 2_000_000, "x" * 1_000),
    ],
    ids=["NUL", "its spelled escape", "half a character", "two halves", "spelled half", "long"],
)
def test_a_text_that_cant_be_stored_hides_no_fact(message: str, stored: str) -> None:
    """It is replaced or cut, and the fact is what it is. A spelled escape is ordinary text."""
    why = {"code": message, "message": message, "charge": f"ch_{message}"}
    record = Log().webhook(PAYMENT, "requires_payment_method", last_payment_error=why)
    fact = received(record).input.body
    assert isinstance(fact, PaymentFact)
    assert fact.status is ProviderStatus.ATTEMPT_FAILED
    assert fact.failure == Failure(stored, stored)
    assert fact.attempt_ref == f"ch_{stored}"[:1_000]


def test_the_beginning_of_a_long_address_is_no_address() -> None:
    """A customer who is sent to it would find nothing."""
    url = "https://shop.example/" + "a" * 9_000
    action = {"type": "redirect_to_url", "redirect_to_url": {"url": url}}
    record = Log().webhook(PAYMENT, "requires_action", next_action=action)
    fact = received(record).input.body
    assert isinstance(fact, PaymentFact)
    assert fact.action_url is None
