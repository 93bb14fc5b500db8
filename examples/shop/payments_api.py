"""A client of the service: sends each request until it is answered, and waits for what it led to.

Every POST carries an Idempotency-Key that follows from the shop's own order. So a request may be
sent again after a time-out, a crash or a restart: it is the same payment and the same operation.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

Json = dict[str, Any]

#: How long an answer may wait for the outcome, in seconds. Without one by then it is a 202.
WAIT_S = 5
#: How long one step is waited for and repeated at most, in seconds.
PATIENCE_S = 60.0
#: Between two looks, in seconds. In the statuses below an answer waits by itself.
LOOK_EVERY_S = 0.2
#: Statuses in which neither the customer nor the shop has anything to do.
UNDER_WAY = frozenset({"CREATED", "PROCESSING"})
#: Statuses of an operation that never change.
FINAL = frozenset({"rejected", "done", "refused"})
#: The same request may succeed later: it was never judged, or its answer got lost.
LATER = frozenset({408, 429, 500, 502, 503, 504})


class RequestRefusedError(Exception):
    """The request is wrong (4xx): the same one is refused for ever. ``problem`` says why."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(f"{status} {problem.get('title')}: {problem.get('detail')}")
        self.status = status
        self.problem = problem


class RejectedError(Exception):
    """The service decided against a create. ``code`` says why, for programs."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class NoAnswerError(Exception):
    """Nothing is known yet. What was asked for may have happened: ask again with the same key."""


class PaymentsApi:
    """The service, as a client sees it. Every method raises RequestRefusedError, NoAnswerError."""

    def __init__(self, http: httpx.Client) -> None:
        """``http`` has the service's base URL and the API key."""
        self._http = http

    def create(self, key: str, terms: Json) -> Json:
        """Creates the payment of this key, or finds it. Returns it once it has left PROCESSING.

        Raises RejectedError.
        """
        accepted = self._request("POST", "/v1/payments", key, terms)
        operation = accepted["operation"]
        if operation["status"] == "rejected":
            raise RejectedError(operation["code"], operation["reason"])
        return self.settled(accepted["id"])

    def settled(self, payment_id: str) -> Json:
        """Returns a payment once the customer or the shop has something to do, or it has ended."""
        return self.wait_while(payment_id, lambda payment: payment["status"] in UNDER_WAY)

    def wait_while(self, payment_id: str, condition: Callable[[Json], bool]) -> Json:
        """Returns a payment once the condition does not hold any more; as it is, if that lasts."""
        deadline = time.monotonic() + PATIENCE_S
        while condition(payment := self._request("GET", f"/v1/payments/{payment_id}")):
            if time.monotonic() > deadline:
                break
            time.sleep(LOOK_EVERY_S)
        return payment

    def operate(self, payment_id: str, what: str, key: str, body: Json) -> Json:
        """Confirms, captures, cancels or refunds. Returns the operation, final if it is by then."""
        answer = self._request("POST", f"/v1/payments/{payment_id}/{what}", key, body)
        operation: Json = answer["operation"]
        deadline = time.monotonic() + PATIENCE_S
        while operation["status"] not in FINAL and time.monotonic() < deadline:
            operation = self._request("GET", f"/v1/operations/{operation['id']}")
        return operation

    def _request(self, method: str, path: str, key: str = "", body: Json | None = None) -> Json:
        """Sends a request until it is answered with 200, 202 or a refusal."""
        headers = {"Prefer": f"wait={WAIT_S}", **({"Idempotency-Key": key} if key else {})}
        deadline, pause_s = time.monotonic() + PATIENCE_S, 0.1
        while True:
            try:
                response = self._http.request(method, path, headers=headers, json=body)
            except httpx.TransportError as error:  # it may have arrived all the same
                reason = repr(error)
            else:
                if response.is_success:
                    answer: Json = response.json()
                    return answer
                if response.status_code not in LATER:
                    raise RequestRefusedError(response.status_code, response.json())
                reason = f"{response.status_code} {response.text[:200]}"
            if time.monotonic() > deadline:
                raise NoAnswerError(f"{method} {path}: {reason}")
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, 5.0)
