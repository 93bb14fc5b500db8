"""A shop on the client that a generator made: run with the service's URL and an API key.

Prints what became of a payment, of a declined one, and of a wrong request, as JSON.
"""

import json
import sys
import time
from typing import Any, Final
from uuid import uuid4

from payments_client import AuthenticatedClient
from payments_client.api.payments import create_payment, get_payment
from payments_client.models import (
    AcceptedPayment,
    CreateRequest,
    InvalidFieldsProblem,
    Payment,
    Status,
)

WITHIN_S: Final = 30.0
#: Shorter than httpx's own time-out. An answer that has not waited is possible, too.
WAIT: Final = "wait=3"
_ENDS: Final = {Status.SUCCEEDED, Status.FAILED, Status.CANCELED}


def _ended(client: AuthenticatedClient, payment_id: str) -> Payment:
    """Reads the payment until it has ended. A problem is no payment: nothing is known of it yet."""
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        found = get_payment.sync(payment_id, client=client, prefer=WAIT)
        if isinstance(found, Payment) and found.status in _ENDS:
            return found
        time.sleep(0.1)  # polling interval
    raise TimeoutError(payment_id)


def _buy(client: AuthenticatedClient, payment_method: str) -> Payment:
    body = CreateRequest(amount=1999, currency="EUR", payment_method=payment_method)
    accepted = create_payment.sync(client=client, body=body, idempotency_key=str(uuid4()))
    if not isinstance(accepted, AcceptedPayment):
        raise TypeError(f"not accepted: {accepted}")
    return _ended(client, accepted.id)


def _wrong(client: AuthenticatedClient) -> InvalidFieldsProblem:
    body = CreateRequest(amount=-1, currency="EUR", payment_method="pm_card_visa")
    answer = create_payment.sync(client=client, body=body, idempotency_key=str(uuid4()))
    if not isinstance(answer, InvalidFieldsProblem):
        raise TypeError(f"another problem: {answer}")
    return answer


def main(url: str, key: str) -> dict[str, Any]:
    """Plays the three courses."""
    client = AuthenticatedClient(base_url=url, token=key)
    paid, declined, wrong = _buy(client, "pm_card_visa"), _buy(client, DECLINED), _wrong(client)
    return {
        "paid": {"status": paid.status, "captured": paid.amounts.captured},
        "declined": {
            "status": declined.status,
            "code": declined.failure.code if declined.failure else None,
        },
        "wrong": {"type": wrong.type_, "fields": [each.field for each in wrong.errors]},
    }


DECLINED: Final = "pm_card_chargeDeclined"

if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(*sys.argv[1:])))
