"""What can't be read stops and hides nothing: texts of any kind, sizes and forms nobody foresaw."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import pytest

from sandbox.client import Json
from tests.cases.stripe_events import event, intent, new_id
from tests.cases.tampering import TamperingProxy
from tests.cases.world import AUTHORIZED, BODY, World, eventually

pytestmark = pytest.mark.anyio

#: Texts that PostgreSQL can't store, or that no record has room for, and how they are shown.
TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    "a NUL": ("Declined\0 (05)", "Declined\N{REPLACEMENT CHARACTER} (05)"),
    "half a character": ("Declined \ud83d", "Declined \N{REPLACEMENT CHARACTER}"),
    "the other half": ("\udc00 declined", "\N{REPLACEMENT CHARACTER} declined"),
    "a very long text": ("Declined. " * 7_000, "Declined. " * 100),
}


def _declined(payment: Json, text: str) -> Json:
    """An attempt that failed, with this text wherever Stripe lets somebody else write one."""
    error = {
        "code": "card_declined",
        "decline_code": "generic_decline",
        "message": text,
        "charge": new_id("ch"),
        "payment_method": {"id": new_id("pm"), "object": "payment_method"},
        "type": "card_error",
    }
    changes = {"last_payment_error": error, "description": text, "payment_method": None}
    about = intent(payment, "requires_payment_method", **changes)
    return event("payment_intent.payment_failed", about, at_s=5)


@pytest.mark.parametrize("what", TEXTS)
async def test_a_text_hides_no_failed_attempt(world: World, what: str) -> None:
    """The client is asked for another payment method, and sees what can be kept of the text."""
    text, shown = TEXTS[what]
    payment = await world.create("AUTHORIZED", **AUTHORIZED, max_attempts=2)
    await world.send(_declined(payment, text))
    found = await world.when(payment["id"], lambda p: bool(p["failure"]))
    assert found["failure"]["message"] == shown
    assert found["next_action"]["type"] == "new_payment_method"


@pytest.mark.parametrize("what", TEXTS)
async def test_a_text_hides_no_end_of_a_payment(world: World, what: str) -> None:
    """A terminal fact is applied whatever is written on its object; so is a refund's reason."""
    text, shown = TEXTS[what]
    payment = await world.create("AUTHORIZED", **AUTHORIZED)
    about = intent(payment, "succeeded", description=text, statement_descriptor=text)
    await world.send(event("payment_intent.succeeded", about, at_s=5))
    await world.when(payment["id"], lambda p: bool(p["status"] == "SUCCEEDED"))
    refund = {
        "id": new_id("re"), "object": "refund", "amount": 400, "currency": "eur",
        "payment_intent": payment["provider_object_id"], "status": "failed", "reason": text,
        "failure_reason": text, "metadata": {"note": text},
    }  # fmt: skip
    await world.send(event("refund.failed", refund, at_s=6))
    found = await world.when(payment["id"], lambda p: bool(p["refunds"]))
    (only,) = found["refunds"]
    assert (only["status"], only["reason"]) == ("FAILED", shown)
    assert (await world.states(payment["id"]))[-1]["refunds"] == [only]


#: Signed bodies of a form that nobody foresaw.
FORMS: Final[Mapping[str, bytes]] = {
    "nothing": b"",
    "no JSON": b"{",
    "a list": b"[]",
    "no ID": b'{"object": "event"}',
    "a thin event": json.dumps(
        {
            "id": "evt_test_65", "object": "v2.core.event", "type": "v2.core.account.updated",
            "livemode": False, "created": "2026-09-17T06:20:52.246Z",
            "related_object": {"id": "acct_1", "type": "account"},
        }
    ).encode(),
    "deep": b'{"id": "evt_deep", "data": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
async def test_a_signed_body_of_unforeseen_form_is_kept_and_listed(world: World, form: str) -> None:
    """It is answered 200, for only the provider signs, and is a dead letter as it came."""
    body = FORMS[form] + b" " * len(form)  # so that no other test sends the same
    response = await world.send_bytes(body)
    assert response.status_code == 200, response.text

    async def listed() -> bool | None:
        return any(letter.value == body for letter in await world.dead_letters()) or None

    await eventually(f"{form} is a dead letter", listed)


def _unforeseen(listed: Json) -> None:
    listed["created"] = "2026-09-17T06:20:52.246Z"
    listed["data"] = None


#: What an event of the list may be like, and the ID of the dead letter that it becomes, if it does.
ODD: Final[Mapping[str, tuple[Callable[[Json], Any], bool]]] = {
    "half a character": (lambda e: e["data"]["object"].update(description="cut \ud83d"), False),
    "a NUL": (lambda e: e["data"]["object"].update(description="\0"), False),
    "two megabytes": (lambda e: e["data"]["object"].update(pad="x" * 2_000_000), False),
    "two megabytes of small texts": (
        lambda e: e["data"]["object"].update(pad=["x" * 90] * 25_000),
        True,
    ),
    "an unforeseen form": (_unforeseen, True),
}


@contextmanager
def _lists_as(
    proxy: TamperingProxy, mark: str, change: Callable[[Json], Any]
) -> Iterator[set[str]]:
    """The list has events with this mark in this form. Yields their IDs, once they were listed."""
    listed: set[str] = set()

    def change_marked(each: Json) -> None:
        about = (each.get("data") or {}).get("object") or {}
        if (about.get("metadata") or {}).get("mark") == mark:
            listed.add(each["id"])
            change(each)

    with proxy.changing(change_marked):
        yield listed


@pytest.mark.parametrize("what", ODD)
async def test_an_odd_event_of_the_list_hides_no_later_one(
    world: World, proxy: TamperingProxy, what: str
) -> None:
    """A refund after it, whose webhook is lost, is found; the odd ones are kept and listed."""
    change, is_dead = ODD[what]
    payment = await world.create("SUCCEEDED")
    with _lists_as(proxy, what, change) as listed:
        await world.simulator.faults(drop=1.0)
        await world.stripe("POST", "/v1/payment_intents", **_of_others(metadata={"mark": what}))
        path = f"/payment_intents/{payment['provider_object_id']}/refund"
        await world.simulator.post(path, {"amount": 400})
        await world.when(payment["id"], lambda p: bool(p["amounts"]["refunded"] == 400))
    await world.simulator.faults()
    assert len(listed) == 2  # created and succeeded: of a charge, nothing is asked for

    async def kept() -> bool | None:
        if is_dead:
            return listed <= {letter.event_id for letter in await world.dead_letters()} or None
        rows = await world.rows(
            "select event_id from ignored_webhooks where event_id = any(%s)", list(listed)
        )
        return len(rows) == len(listed) or None

    await eventually(f"{what} is kept", kept)


def _of_others(**changes: Any) -> Json:
    """A payment intent of another application in the same account."""
    return {
        "amount": BODY["amount"], "currency": "eur", "payment_method": "pm_card_visa",
        "confirm": True, "allowed_payment_method_types": ["card"], **changes,
    }  # fmt: skip
