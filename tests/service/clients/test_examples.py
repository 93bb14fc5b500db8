"""Every example of a request that the document shows ends well against the running service."""

import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

import httpx
import pytest

from tests.service.stack import Stack

Json = dict[str, Any]
CREATE: Final = "/v1/payments"
WITHIN_S: Final = 30.0
#: The status after each example of a create.
CREATED: Final = {"at_once": "SUCCEEDED", "reserved": "AUTHORIZED", "one_attempt": "SUCCEEDED"}
_DECLINED: Final = {"payment_method": "pm_card_chargeDeclined"}
_AGAIN: Final = "new_payment_method"
#: By the last word of the path: what the payment is made with, what it is then, and how it ends.
LATER: Final[Mapping[str, tuple[str, Json, str, str]]] = {
    "confirm": ("at_once", _DECLINED, _AGAIN, "SUCCEEDED"),
    "capture": ("reserved", {}, "AUTHORIZED", "SUCCEEDED"),
    "cancel": ("reserved", {}, "AUTHORIZED", "CANCELED"),
    "refunds": ("at_once", {}, "SUCCEEDED", "SUCCEEDED"),
}


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    """A client of the service."""
    headers = {"Authorization": f"Bearer {stack.api_key}"}
    with httpx.Client(base_url=stack.url, headers=headers, timeout=10) as made:
        yield made


def _examples(client: httpx.Client, path: str) -> dict[str, Json]:
    document = client.get("/openapi.json").json()
    content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    return {name: each["value"] for name, each in content["examples"].items()}


def _send(client: httpx.Client, path: str, body: Json) -> Json:
    headers = {"Idempotency-Key": f"example {time.monotonic_ns()}"}
    answer = client.post(path, json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    found: Json = answer.json()
    return found


def _wait(client: httpx.Client, payment_id: str, status: str) -> Json:
    """Returns the payment once it has this status, or waits for this action of the client's."""
    deadline = time.monotonic() + WITHIN_S
    payment: Json = {}
    while time.monotonic() < deadline:
        answer = client.get(f"{CREATE}/{payment_id}")
        if answer.is_success:
            payment = answer.json()
            action = payment["next_action"] or {}
            if status in {payment["status"], action.get("type")}:
                return payment
        time.sleep(0.1)  # polling interval
    raise AssertionError(f"not {status}: {payment}")


def test_every_example_of_a_create_ends_well(client: httpx.Client) -> None:
    """The money is taken, or reserved where that is what the example shows."""
    examples = _examples(client, CREATE)
    assert examples.keys() == CREATED.keys()
    for name, body in examples.items():
        _wait(client, _send(client, CREATE, body)["id"], CREATED[name])


def test_the_examples_of_filters_find_the_example_of_a_payment(client: httpx.Client) -> None:
    """The page fills its form with all of them at once."""
    created = _send(client, CREATE, _examples(client, CREATE)["at_once"])
    _wait(client, created["id"], "SUCCEEDED")
    document = client.get("/openapi.json").json()
    sent = {}
    for each in document["paths"][CREATE]["get"]["parameters"]:
        shown = each.get("example", *each["schema"].get("examples", [None])[:1])
        if isinstance(shown, dict):
            ((key, shown),) = shown.items()
            sent[f"{each['name']}[{key}]"] = shown
        elif shown is not None:
            sent[each["name"]] = shown
    assert sent
    page = client.get(CREATE, params=sent).json()
    assert created["id"] in {payment["id"] for payment in page["data"]}


@pytest.mark.parametrize("operation", LATER)
def test_every_example_of_a_later_operation_ends_well(client: httpx.Client, operation: str) -> None:
    """On a payment that is ready for it."""
    name, change, before, after = LATER[operation]
    created = _examples(client, CREATE)[name]
    for body in _examples(client, f"/v1/payments/{{id}}/{operation}").values():
        payment_id = _send(client, CREATE, {**created, **change})["id"]
        _wait(client, payment_id, before)
        answer = _send(client, f"{CREATE}/{payment_id}/{operation}", body)
        payment = _wait(client, payment_id, after)
        amount = body.get("amount", "all")
        if operation == "capture":
            assert payment["amounts"]["captured"] == (1999 if amount == "all" else amount)
        if operation == "refunds":
            _wait_for_refund(client, payment_id, answer["refund_id"])


def _wait_for_refund(client: httpx.Client, payment_id: str, refund_id: str) -> None:
    deadline = time.monotonic() + WITHIN_S
    refunds: Json = {}
    while time.monotonic() < deadline and refunds.get(refund_id) != "SUCCEEDED":
        payment = client.get(f"{CREATE}/{payment_id}").json()
        refunds = {each["id"]: each["status"] for each in payment["refunds"]}
        time.sleep(0.1)  # polling interval
    assert refunds[refund_id] == "SUCCEEDED"
