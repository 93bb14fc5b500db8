"""Events that Stripe never made: its report has the payment looked at, long before its turn.

No webhook brings them, and the event list does not have them.
"""

from collections.abc import Iterator
from typing import Any, Final

import httpx
import psycopg
import pytest

from providers.stripe.client import StripeApi
from sandbox.client import PaymentsClient, SimulatorControl
from tests.providers.stripe.builders import signed
from tests.providers.stripe.notices.test_reading import thin
from tests.service import evidence
from tests.service.stack import PROGRAMS, QUICK, Stack, running_service
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

SECRET: Final = "whsec_of_notices"  # noqa: S105  # a test value
PATH: Final = "/webhooks/stripe/notices"
BODY: Final = {"amount": 1000, "currency": "EUR", "payment_method": "pm_card_visa"}
#: The lists of parts are read once a day, the looks begin after an hour.
RARE: Final = {
    **QUICK,
    "PAYMENTS_UNFINISHED_AFTER_S": "3600",
    "PAYMENTS_NOTICES_EVERY_S": "1",
    "PAYMENTS_STRIPE_NOTICE_SECRETS": SECRET,
}
WITHIN_S: Final = 15.0
#: The lists of all parts; each is read when the worker begins.
LISTS: Final = 'payments_sweep_completed_timestamp_seconds{sweep="parts/stripe/'


@pytest.fixture(scope="module")
def rare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A service that looks at nothing by itself for as long as a test takes."""
    with running_service(tmp_path_factory.mktemp("lost_events"), PROGRAMS, RARE) as running:
        yield running


def outcomes(stack: Stack) -> list[tuple[str, int]]:
    """What became of all notices, and how many of each."""
    with psycopg.connect(stack.infrastructure.database_url) as connection:
        return connection.execute(
            "select coalesce(outcome, 'due'), count(*)::integer from notices group by 1 order by 1"
        ).fetchall()


async def has_listed_parts(stack: Stack) -> bool:
    """Whether the worker has read the lists of parts, as once a day."""
    url = stack.programs["worker"].ready.replace("/readyz", "/metrics")
    async with httpx.AsyncClient() as http:
        lines = (await http.get(url)).text.splitlines()
    return sum(line.startswith(LISTS) for line in lines) == len(StripeApi.part_kinds)


async def is_followed(stack: Stack) -> bool:
    """Whether no notice is left to be followed."""
    return "due" not in dict(outcomes(stack))


async def test_what_was_never_reported_is_right_within_seconds_of_the_notice(rare: Stack) -> None:
    """A refund and a dispute of a payment that has ended, and an authorization that was cancelled.

    Each notice comes twice, and is followed once.
    """
    async with (
        PaymentsClient(rare.url, rare.api_key) as client,
        SimulatorControl(rare.simulator_url) as simulator,
    ):
        paid = await client.create(BODY)
        held = await client.create({**BODY, "capture_method": "manual"})
        paid_intent = await _object_of(client, paid, "SUCCEEDED")
        held_intent = await _object_of(client, held, "AUTHORIZED")
        await until(lambda: has_listed_parts(rare), within_s=30)
        await simulator.post("/lost_events/begin")
        refund = await simulator.post(f"/payment_intents/{paid_intent}/refund", {"amount": 300})
        await simulator.post(f"/payment_intents/{paid_intent}/dispute")
        await simulator.post(f"/payment_intents/{held_intent}/cancel")
        await until(lambda: _is_settled(simulator, refund["id"]), within_s=30)
        before = {each: await client.get(f"/v1/payments/{each}") for each in (paid, held)}
        assert before[paid]["refunds"] == before[paid]["disputes"] == []
        assert before[held]["status"] == "AUTHORIZED"
        report = {"url": f"{rare.url}{PATH}", "secret": SECRET, "times": 2}
        reported = await simulator.post("/lost_events/report", report)
        assert set(reported["statuses"]) == {200}
        lost = {each["data"]["impact"]["event_type"] for each in reported["events"]}
        assert {"refund.created", "charge.dispute.created", "payment_intent.canceled"} <= lost

        def is_right(payment: dict[str, Any]) -> bool:
            refunds = [each["status"] for each in payment["refunds"]]
            return refunds == ["SUCCEEDED"] and len(payment["disputes"]) == 1

        found = await client.wait_for(paid, is_right, within_s=WITHIN_S)
        assert found["amounts"]["refunded"] == 300
        await client.wait_for(held, lambda p: bool(p["status"] == "CANCELED"), within_s=WITHIN_S)
        await until(lambda: is_followed(rare), within_s=WITHIN_S)
    assert sum(count for _, count in outcomes(rare)) == len(reported["events"])
    assert set(dict(outcomes(rare))) <= {"looked", "ignored"}
    evidence.check(await evidence.at_rest(rare))


async def _object_of(client: PaymentsClient, payment_id: str, status: str) -> str:
    """The payment's object at Stripe, once it has this status."""
    payment = await client.wait_for(payment_id, lambda p: bool(p["status"] == status))
    return str(payment["provider_object_id"])


async def _is_settled(simulator: SimulatorControl, refund_id: str) -> bool:
    refunds = (await simulator.get("/objects"))["refunds"]
    return bool({each["id"]: each["status"] for each in refunds}[refund_id] == "succeeded")


async def test_other_notices_end_as_ignored_and_none_is_a_dead_letter(rare: Stack) -> None:
    """Of another kind, of another account, of live mode; and a forged one is refused."""
    sent = {
        "evt_kind": thin(id="evt_kind", type="v2.core.event_destination.ping"),
        "evt_account": thin(id="evt_account", context="acct_nobody"),
        "evt_mode": thin(id="evt_mode", livemode=True),
    }
    followed = outcomes(rare)
    async with httpx.AsyncClient(base_url=rare.url) as http:
        for body in sent.values():
            response = await http.post(PATH, content=body, headers=signed(body, SECRET))
            assert response.status_code == 200
        forged = thin(id="evt_forged")
        response = await http.post(PATH, content=forged, headers=signed(forged, "whsec_forged"))
        assert response.status_code == 400
    found = await evidence.at_rest(rare)
    assert list(found.dead_letters) == []
    with psycopg.connect(rare.infrastructure.database_url) as connection:
        ignored = connection.execute(
            "select event_id from ignored_webhooks where event_id = any(%s)",
            [[*sent, "evt_forged"]],
        ).fetchall()
    assert {event_id for (event_id,) in ignored} == set(sent)
    assert outcomes(rare) == followed
    evidence.check(found)
