"""Every form of a signature header that Stripe or somebody else may send.

Source: https://docs.stripe.com/webhooks/signatures .
"""

import json
from collections.abc import Callable, Mapping
from typing import Final

import pytest

from tests.cases.stripe_events import event, new_id
from tests.cases.world import WEBHOOKS, World

pytestmark = pytest.mark.anyio

TOLERANCE_S: Final = 300
OTHER: Final = "whsec_of_somebody_else"
V0: Final = "v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39"


def _valid(world: World, body: bytes, age_s: int = 0) -> tuple[str, str]:
    """The time and the ``v1`` of a valid header, each with its name."""
    at, _, v1 = world.signature(body, age_s).partition(",")
    return at, v1


def _several(world: World, body: bytes) -> str:
    """While a secret is replaced there is a ``v1`` of each; test mode adds a ``v0``."""
    at, v1 = _valid(world, body)
    _, _, other = world.signature(body, secret=OTHER).partition(",")
    return f"{at},{other},{v1},{V0}"


def _only_v0(world: World, body: bytes) -> str:
    at, v1 = _valid(world, body)
    return f"{at},v0={v1.removeprefix('v1=')}"


def _upper_case(world: World, body: bytes) -> str:
    at, v1 = _valid(world, body)
    return f"{at},v1={v1.removeprefix('v1=').upper()}"


#: What is accepted, and what is refused with 400.
ACCEPTED: Final[Mapping[str, Callable[[World, bytes], str]]] = {
    "plain": lambda world, body: world.signature(body),
    "several v1 and a v0": _several,
    "first v1 wrong": lambda world, body: "{},v1={},{}".format(
        _valid(world, body)[0], "0" * 64, _valid(world, body)[1]
    ),
    "old, within the tolerance": lambda world, body: world.signature(body, TOLERANCE_S - 20),
    "ahead, within the tolerance": lambda world, body: world.signature(body, 20 - TOLERANCE_S),
}
REFUSED: Final[Mapping[str, Callable[[World, bytes], str]]] = {
    "another's secret": lambda world, body: world.signature(body, secret=OTHER),
    "only v0": _only_v0,
    "upper-case digits": _upper_case,
    "too old": lambda world, body: world.signature(body, TOLERANCE_S + 2),
    "an hour ahead": lambda world, body: world.signature(body, -3600),
    "no time": lambda world, body: _valid(world, body)[1],
    "a time in words": lambda world, body: f"t=now,{_valid(world, body)[1]}",
    "no signature": lambda world, body: _valid(world, body)[0],
    "garbage": lambda _world, _body: "banana",
    "empty": lambda _world, _body: "",
}


def _body() -> bytes:
    """An event that has no effect on any payment."""
    review = {"id": new_id("prv"), "object": "review", "payment_intent": new_id("pi")}
    return json.dumps(event("review.opened", review)).encode()


@pytest.mark.parametrize("form", ACCEPTED)
async def test_a_valid_signature_is_accepted_in_every_form(world: World, form: str) -> None:
    """The answer is 200, and the event is in the log and ends as ignored."""
    body = _body()
    response = await world.send_bytes(body, ACCEPTED[form](world, body))
    assert response.status_code == 200, response.text
    kind, _ = await world.ignored(json.loads(body)["id"])
    assert kind == "review.opened"


@pytest.mark.parametrize("form", REFUSED)
async def test_any_other_header_is_refused(world: World, form: str) -> None:
    """The answer is 400, and the refusal is counted."""
    refused = (
        'payments_ingress_rejected_webhooks_total{provider="stripe",reason="invalid-signature"}'
    )
    before, body = world.metric("ingress", refused), _body()
    response = await world.send_bytes(body, REFUSED[form](world, body))
    assert response.status_code == 400, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert world.metric("ingress", refused) == before + 1


async def test_the_headers_name_is_of_any_case_and_never_missing(world: World) -> None:
    """HTTP's names have no case. Without the header the webhook is refused."""
    body = _body()
    signed = await world.http.post(
        WEBHOOKS, content=body, headers={"STRIPE-SIGNATURE": world.signature(body)}
    )
    assert signed.status_code == 200, signed.text
    unsigned = await world.http.post(WEBHOOKS, content=body)
    assert unsigned.status_code == 400, unsigned.text
