"""The kit's adapter of Stripe and its simulator."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Self

from pydantic import SecretStr

from domain.inputs import PaymentFact, RefundFact
from ports.rate_budget import UNLIMITED, RequestBudget
from providers.stripe.client import StripeApi
from providers.stripe.disputes import DISPUTE_STATUS
from providers.stripe.refunds import REFUND_STATUS
from providers.stripe.translate import PAYMENT_STATUS
from providers.stripe.webhooks import StripeTranslator, StripeWebhooks
from sandbox.stripe_simulator.webhooks.signing import signature_header
from schemas.settings import StripeSettings
from tests import accounts
from tests.conformance.kit.adapter import Adapter, Objects, Tokens
from tests.conformance.kit.receiver import Receiver, receiving
from tests.simulator import harness


def now() -> datetime:
    """The real clock."""
    return datetime.now(UTC)


class StripeAdapter(Adapter):
    """Objects carry our IDs as metadata; disputes carry none and name their payment's object."""

    name = "stripe"
    tokens = Tokens("pm_card_visa", "pm_card_chargeDeclined", "pm_card_authenticationRequired")
    secrets = ("whsec_of_the_conformance_kit", "whsec_that_replaces_it")
    carries_our_id = frozenset({PaymentFact, RefundFact})
    statuses = frozenset({*PAYMENT_STATUS, *REFUND_STATUS, *DISPUTE_STATUS})

    def __init__(self, simulator: harness.Simulator, receiver: Receiver) -> None:
        self._simulator = simulator
        self.receiver = receiver
        self.address = simulator.base_url

    @classmethod
    def reader(cls, *secrets: str) -> StripeWebhooks:
        """See ``Adapter.reader``."""
        return StripeWebhooks([SecretStr(secret) for secret in secrets], 300, now)

    @classmethod
    def translator(cls) -> StripeTranslator:
        """See ``Adapter.translator``."""
        return StripeTranslator(accounts.STRIPE)

    @classmethod
    def signed(cls, body: bytes, secret: str, age_s: int = 0) -> dict[str, str]:
        """See ``Adapter.signed``."""
        return {"stripe-signature": signature_header(body, secret, int(time.time()) - age_s)}

    @classmethod
    def payment_event(cls, event_id: str = "event-1", payment_id: str | None = None) -> bytes:
        """See ``Adapter.payment_event``."""
        intent = {
            "id": "pi_1",
            "object": "payment_intent",
            "status": "succeeded",
            "amount": 1234,
            "amount_received": 1234,
            "currency": "eur",
            "metadata": {} if payment_id is None else {"payment_id": payment_id},
        }
        kind, at = "payment_intent.succeeded", 1_767_225_600
        event = {
            "id": event_id,
            "type": kind,
            "created": at,
            "livemode": False,
            "data": {"object": intent},
        }
        return json.dumps(event).encode()

    @classmethod
    def foreign(cls, body: bytes) -> Mapping[str, bytes]:
        """See ``Adapter.foreign``."""
        event = json.loads(body)
        return {
            "another account": json.dumps({**event, "account": "acct_other"}).encode(),
            "the other mode": json.dumps({**event, "livemode": True}).encode(),
        }

    @classmethod
    def with_status(cls, body: bytes, status: str) -> bytes:
        """See ``Adapter.with_status``."""
        event = json.loads(body)
        event["data"]["object"]["status"] = status
        return json.dumps(event).encode()

    @classmethod
    def with_amount(cls, body: bytes, amount: Any) -> bytes:
        """See ``Adapter.with_amount``."""
        event = json.loads(body)
        event["data"]["object"]["amount"] = amount
        return json.dumps(event).encode()

    @classmethod
    def of_another_kind(cls, body: bytes) -> bytes:
        """See ``Adapter.of_another_kind``."""
        return json.dumps({**json.loads(body), "type": "payment_intent.pondered"}).encode()

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[Self]:
        """See ``Adapter.running``."""
        with (
            receiving() as receiver,
            harness.serving(
                harness.Receiver(),
                webhook_url=receiver.url,
                webhook_secret=cls.secrets[0],
                retry_base_delay_s=0.05,
                settlement_delay_s=0,
            ) as simulator,
        ):
            yield cls(simulator, receiver)

    def client(
        self,
        address: str | None = None,
        api_key: str | None = None,
        timeout_s: float = 20.0,
        budget: RequestBudget = UNLIMITED,
    ) -> StripeApi:
        """See ``Adapter.client``."""
        settings = StripeSettings(
            stripe_api_key=SecretStr(api_key or harness.API_KEY),
            stripe_timeout_s=timeout_s,
        )
        return StripeApi(settings, address or self.address, budget=budget, is_live=False)

    def objects(self) -> Objects:
        """See ``Adapter.objects``."""
        found = self._simulator.read("objects")
        kinds = ("payment_intents", "refunds")
        return Objects(*(tuple(str(item["id"]) for item in found[kind]) for kind in kinds))

    def undelivered(self) -> int:
        """See ``Adapter.undelivered``."""
        return int(self._simulator.read("stats")["pending_deliveries"])

    def reset(self) -> None:
        """See ``Adapter.reset``."""
        self._simulator.control("reset")

    def customer(self, object_id: str, *, passes: bool) -> None:
        """See ``Adapter.customer``."""
        self._act(object_id, "complete_action", outcome="succeed" if passes else "fail")

    def refund_elsewhere(self, object_id: str, amount: int) -> None:
        """See ``Adapter.refund_elsewhere``."""
        self._act(object_id, "refund", amount=amount)

    def capture_elsewhere(self, object_id: str, amount: int) -> None:
        """See ``Adapter.capture_elsewhere``."""
        self._act(object_id, "capture", amount=amount)

    def bounce(self, refund: str) -> None:
        """See ``Adapter.bounce``."""
        self._simulator.control(f"refunds/{refund}/settle", {"status": "failed"})

    def dispute(self, object_id: str) -> str:
        """See ``Adapter.dispute``."""
        return str(self._act(object_id, "dispute")["id"])

    def decide(self, dispute: str, *, won: bool) -> None:
        """See ``Adapter.decide``."""
        self._simulator.control(f"disputes/{dispute}/close", {"status": "won" if won else "lost"})

    def become_unreachable(self) -> None:
        """See ``Adapter.become_unreachable``."""
        self._simulator.set_faults(reset_before=1.0)

    def lose_responses(self) -> None:
        """See ``Adapter.lose_responses``."""
        self._simulator.set_faults(reset_after=1.0)

    def clear_faults(self) -> None:
        """See ``Adapter.clear_faults``."""
        self._simulator.set_faults()

    def _act(self, object_id: str, action: str, **body: Any) -> Any:
        return self._simulator.control(f"payment_intents/{object_id}/{action}", body)
