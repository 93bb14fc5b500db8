"""The kit's adapter of ExamplePay and its simulator."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any, Self

import httpx
import uvicorn
from pydantic import SecretStr

from domain.inputs import DisputeFact, PaymentFact, RefundFact
from ports.rate_budget import UNLIMITED, RequestBudget
from providers.examplepay.client import ExamplePayApi
from providers.examplepay.translate import CHARGEBACK_STATUS, PAYMENT_STATUS, REFUND_STATUS
from providers.examplepay.webhooks import ExamplePayTranslator, ExamplePayWebhooks
from sandbox.examplepay_simulator.app import create_app
from sandbox.examplepay_simulator.webhook_delivery import signature_headers
from tests import accounts
from tests.conformance.kit.adapter import Adapter, Objects, Tokens
from tests.conformance.kit.receiver import Receiver, receiving
from tests.simulator.harness import listen, served

API_KEY = "key-of-the-conformance-kit"


class ExamplePayAdapter(Adapter):
    """Requested refunds and chargebacks carry the payment's reference, which is our ID."""

    name = "examplepay"
    tokens = Tokens("tok_good", "tok_declined", "tok_customer")
    secrets = (
        "whsec_dGhlIGZpcnN0IHNlY3JldCBvZiB0aGUgdGVzdCBraXQ=",
        "whsec_dGhlIHNlY29uZCBvbmUsIHdoaWNoIHJlcGxhY2VzIGl0",
    )
    carries_our_id = frozenset({PaymentFact, RefundFact, DisputeFact})
    statuses = frozenset({*PAYMENT_STATUS, *REFUND_STATUS, *CHARGEBACK_STATUS})

    def __init__(self, http: httpx.Client, receiver: Receiver) -> None:
        self._http = http
        self.receiver = receiver
        self.address = str(http.base_url).rstrip("/")

    @classmethod
    def reader(cls, *secrets: str) -> ExamplePayWebhooks:
        """See ``Adapter.reader``."""
        hidden = [SecretStr(secret) for secret in secrets]
        return ExamplePayWebhooks(hidden, 300, lambda: datetime.now(UTC))

    @classmethod
    def translator(cls) -> ExamplePayTranslator:
        """See ``Adapter.translator``."""
        return ExamplePayTranslator(accounts.EXAMPLEPAY)

    @classmethod
    def signed(cls, body: bytes, secret: str, age_s: int = 0) -> dict[str, str]:
        """See ``Adapter.signed``: the signed ID is the body's, if it has one."""
        try:
            message_id = str(json.loads(body)["id"])
        except (ValueError, TypeError, LookupError, RecursionError):
            message_id = "none"
        return signature_headers(message_id, body, secret, int(time.time()) - age_s)

    @classmethod
    def payment_event(cls, event_id: str = "event-1", payment_id: str | None = None) -> bytes:
        """See ``Adapter.payment_event``."""
        at = "2026-01-01T00:00:00.000001Z"
        payment = {
            "id": "payment-1",
            "state": "paid",
            "amount": {"value": "12.34", "currency": "EUR"},
            "captured": "12.34",
            "changed_at": at,
            "reference": payment_id,
        }
        event = {
            "id": event_id,
            "name": "payment/paid",
            "occurred_at": at,
            "merchant": accounts.EXAMPLEPAY.name,
            "trial": True,
            "subject": payment,
        }
        return json.dumps(event).encode()

    @classmethod
    def foreign(cls, body: bytes) -> Mapping[str, bytes]:
        """See ``Adapter.foreign``."""
        event = json.loads(body)
        return {
            "another account": json.dumps({**event, "merchant": "merchant-2"}).encode(),
            "the other mode": json.dumps({**event, "trial": False}).encode(),
        }

    @classmethod
    def with_status(cls, body: bytes, status: str) -> bytes:
        """See ``Adapter.with_status``."""
        event = json.loads(body)
        event["subject"]["state"] = status
        return json.dumps(event).encode()

    @classmethod
    def with_amount(cls, body: bytes, amount: Any) -> bytes:
        """See ``Adapter.with_amount``."""
        event = json.loads(body)
        event["subject"]["amount"] = amount
        return json.dumps(event).encode()

    @classmethod
    def of_another_kind(cls, body: bytes) -> bytes:
        """See ``Adapter.of_another_kind``."""
        return json.dumps({**json.loads(body), "name": "payout/sent"}).encode()

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[Self]:
        """See ``Adapter.running``."""
        with receiving() as receiver, closing(listen()) as sock:
            app = create_app(API_KEY, receiver.url, cls.secrets[0], accounts.EXAMPLEPAY.name)
            config = uvicorn.Config(app, log_level="error", access_log=False)
            address = f"http://127.0.0.1:{sock.getsockname()[1]}"
            with (
                served(uvicorn.Server(config), sock),
                httpx.Client(base_url=address, timeout=10) as http,
            ):
                yield cls(http, receiver)

    def client(
        self,
        address: str | None = None,
        api_key: str | None = None,
        timeout_s: float = 20.0,
        budget: RequestBudget = UNLIMITED,
    ) -> ExamplePayApi:
        """See ``Adapter.client``."""
        key = SecretStr(api_key or API_KEY)
        return ExamplePayApi(address or self.address, key, timeout_s, budget)

    def objects(self) -> Objects:
        """See ``Adapter.objects``."""
        found = self._look()
        kinds = ("payment", "refund")
        return Objects(*(tuple(str(item["id"]) for item in found[kind]) for kind in kinds))

    def undelivered(self) -> int:
        """See ``Adapter.undelivered``."""
        return int(self._look()["undelivered"])

    def reset(self) -> None:
        """See ``Adapter.reset``."""
        self._act("reset")

    def customer(self, object_id: str, *, passes: bool) -> None:
        """See ``Adapter.customer``."""
        course = "accepted" if passes else "declined"
        self._act("go_on", payment_id=object_id, course=course)

    def refund_elsewhere(self, object_id: str, amount: int) -> None:
        """See ``Adapter.refund_elsewhere``."""
        money = _euros(amount)
        self._act("refund", payment=object_id, amount=money, reference="order 7, second item")

    def capture_elsewhere(self, object_id: str, amount: int) -> None:
        """See ``Adapter.capture_elsewhere``."""
        self._act("capture", payment_id=object_id, amount=_euros(amount))

    def bounce(self, refund: str) -> None:
        """See ``Adapter.bounce``."""
        self._act("bounce", refund_id=refund)

    def dispute(self, object_id: str) -> str:
        """See ``Adapter.dispute``."""
        return str(self._act("charge_back", payment_id=object_id)["id"])

    def decide(self, dispute: str, *, won: bool) -> None:
        """See ``Adapter.decide``."""
        state = "overturned" if won else "upheld"
        self._act("decide", chargeback_id=dispute, state=state)

    def become_unreachable(self) -> None:
        """See ``Adapter.become_unreachable``."""
        self._act("faults", unreachable=True)

    def lose_responses(self) -> None:
        """See ``Adapter.lose_responses``."""
        self._act("faults", lose_responses=True)

    def clear_faults(self) -> None:
        """See ``Adapter.clear_faults``."""
        self._act("faults")

    def _act(self, action: str, **body: Any) -> Any:
        return self._http.post(f"/_control/{action}", json=body).raise_for_status().json()

    def _look(self) -> Any:
        return self._http.get("/_control/objects").raise_for_status().json()


def _euros(cents: int) -> dict[str, str]:
    return {"value": f"{cents // 100}.{cents % 100:02d}", "currency": "EUR"}
