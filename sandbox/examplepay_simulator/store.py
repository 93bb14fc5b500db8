"""ExamplePay's state: payments, refunds, chargebacks and their events. No I/O."""

import copy
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

Json = dict[str, Any]

#: The state in which an attempt with each test instrument ends.
INSTRUMENTS: Final[Mapping[str, str]] = {
    "tok_good": "accepted",
    "tok_declined": "declined",
    "tok_customer": "awaiting_customer",
    "tok_slow": "in_progress",
}
_DECLINE: Final = {"code": "card_refused", "text": "The card's bank said no."}
_BOUNCE: Final = {"code": "account_closed", "text": "The account is closed."}
#: Decimal places of the currencies that do not have two.
_PLACES: Final[Mapping[str, int]] = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"), 0),
    **dict.fromkeys(("RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
_NOTHING_BACK: Final = ("bounced", "dropped")


class RefusalError(Exception):
    """A request is refused; the body gives the reason."""

    def __init__(self, status: int, fault: str, explanation: str, state: str | None = None) -> None:
        super().__init__(explanation)
        self.status = status
        self.body = {"fault": fault, "explanation": explanation, "state": state}


class Store:
    """All objects by kind and ID. ``on_event`` is called with each listed event."""

    def __init__(
        self,
        clock: Callable[[], datetime],
        on_event: Callable[[Json], None],
        merchant: str,
        *,
        trial: bool,
    ) -> None:
        self._clock = clock
        self._on_event = on_event
        self._owner: Json = {"merchant": merchant, "trial": trial}
        self._made = 0
        self._last = datetime.min.replace(tzinfo=UTC)
        self.clear()

    def clear(self) -> None:
        """Removes all objects and events; IDs are not reused."""
        self.objects: dict[str, dict[str, Json]] = {"payment": {}, "refund": {}, "chargeback": {}}
        #: When each object was made.
        self.made_at: dict[str, datetime] = {}
        self.events: list[Json] = []
        #: By operation key: the request, the status and the body of the response.
        self.responses: dict[str, tuple[Json, int, Json]] = {}

    def get(self, kind: str, object_id: str) -> Json:
        """The object. Raises RefusalError."""
        found = self.objects[kind].get(object_id)
        if found is None:
            raise RefusalError(404, "not_found", f"There is no {kind} {object_id}.")
        return found

    def with_reference(self, kind: str, reference: str) -> list[Json]:
        """The objects with this reference."""
        return [o for o in self.objects[kind].values() if o["reference"] == reference]

    def of(self, kind: str, payment_id: str | None, since: datetime | None) -> list[Json]:
        """The objects of a payment, or those made since a time, oldest first."""
        return [
            each
            for each in self.objects[kind].values()
            if payment_id in (None, each["payment"])
            and (since is None or self.made_at[each["id"]] >= since)
        ]

    def create(self, body: Json, key: str) -> Json:
        """Creates a payment and its first attempt."""
        _known_instrument(body)
        amount = _money(body)
        payment = self._new("payment", {
            **self._owner,
            "state": "new", "amount": amount, "captured": "0", "attempts": [],
            "reference": body.get("reference"), "capture": body.get("capture", "at_once"),
            "customer_step": None, "tags": body.get("tags", {}),
            "void_reason": None, "void_key": None,
        })  # fmt: skip
        return self.attempt(payment["id"], body, key)

    def attempt(self, payment_id: str, body: Json, key: str) -> Json:
        """Starts another attempt."""
        payment = self._in_state(payment_id, "new", "declined")
        course = INSTRUMENTS[_known_instrument(body)]
        payment["attempts"].append({"id": self._id("try"), "operation_key": key, "decline": None})
        return self._go_on(payment, course)

    def go_on(self, payment_id: str, course: str) -> Json:
        """Ends a pending attempt as ``accepted`` or ``declined`` by the customer or the bank."""
        return self._go_on(self._in_state(payment_id, "awaiting_customer", "in_progress"), course)

    def _go_on(self, payment: Json, course: str) -> Json:
        step = {"url": f"https://bank.example/step/{payment['id']}"}
        payment["customer_step"] = step if course == "awaiting_customer" else None
        if course == "declined":
            payment["attempts"][-1]["decline"] = _DECLINE
        if course == "accepted" and payment["capture"] == "at_once":
            return self._change("payment", payment, "paid", captured=payment["amount"]["value"])
        return self._change("payment", payment, "held" if course == "accepted" else course)

    def capture(self, payment_id: str, body: Json, *, requested: bool = True) -> Json:
        """Captures an amount; the rest is released. Only the merchant's desk can capture more."""
        payment = self._in_state(payment_id, "held")
        amount = _money(body) if "amount" in body else payment["amount"]
        if requested and Decimal(amount["value"]) > Decimal(payment["amount"]["value"]):
            raise RefusalError(422, "too_much", "More than is authorized.")
        return self._change("payment", payment, "paid", captured=amount["value"])

    def void(self, payment_id: str, body: Json, key: str | None = None) -> Json:
        """Voids a payment of which nothing was captured; ``key`` is the request's, if any."""
        payment = self._in_state(payment_id, "new", "declined", "awaiting_customer", "held")
        why = {"void_reason": body.get("reason"), "void_key": key}
        return self._change("payment", payment, "voided", **why)

    def refund(self, body: Json, *, requested: bool) -> Json:
        """Refunds an amount; with ``requested`` the refund carries the payment's reference."""
        payment = self._in_state(str(body.get("payment")), "paid")
        amount = _money(body)
        given = sum(
            Decimal(refund["amount"]["value"])
            for refund in self.objects["refund"].values()
            if refund["payment"] == payment["id"] and refund["state"] not in _NOTHING_BACK
        )
        if Decimal(amount["value"]) + given > Decimal(payment["captured"]):
            raise RefusalError(422, "too_much", "More than is left of the captured amount.")
        refund = self._new("refund", {
            **self._owner,
            "state": "queued", "payment": payment["id"], "amount": amount, "bounce": None,
            "payment_reference": payment["reference"] if requested else None,
            "reference": body.get("reference"), "reason": body.get("reason"),
        })  # fmt: skip
        return self._change("refund", refund, "settled")

    def bounce(self, refund_id: str) -> Json:
        """The customer's bank returns a refund."""
        return self._change("refund", self.get("refund", refund_id), "bounced", bounce=_BOUNCE)

    def charge_back(self, payment_id: str) -> Json:
        """The cardholder opens a chargeback; the money is withdrawn at once."""
        payment = self._in_state(payment_id, "paid")
        taken = {"id": self._id("move"), "direction": "taken", "value": payment["captured"]}
        return self._new("chargeback", {
            **self._owner,
            "state": "opened", "payment": payment_id, "amount": payment["amount"],
            "payment_reference": payment["reference"], "reason": "goods_missing", "moves": [taken],
        })  # fmt: skip

    def decide(self, chargeback_id: str, state: str) -> Json:
        """The bank decides a chargeback: ``upheld``, or ``overturned``, which returns the money."""
        chargeback = self.get("chargeback", chargeback_id)
        if state == "overturned":
            back = {**chargeback["moves"][0], "id": self._id("move"), "direction": "returned"}
            chargeback["moves"].append(back)
        return self._change("chargeback", chargeback, state)

    def emit(self, kind: str, object_id: str, state: str) -> Json:
        """Emits an event with a state that the object is not in."""
        return self._event(kind, {**self.get(kind, object_id), "state": state})

    def _in_state(self, payment_id: str, *states: str) -> Json:
        payment = self.get("payment", payment_id)
        if payment["state"] not in states:
            explanation = f"The payment is {payment['state']}."
            raise RefusalError(409, "wrong_state", explanation, payment["state"])
        return payment

    def _id(self, prefix: str) -> str:
        self._made += 1
        return f"{prefix}-{self._made:08d}"

    def _new(self, kind: str, fields: Json) -> Json:
        made = {"id": self._id(kind), **fields}
        self.objects[kind][made["id"]] = made
        self._change(kind, made, made["state"])
        self.made_at[made["id"]] = self._last
        return made

    def _change(self, kind: str, changed: Json, state: str, **fields: Any) -> Json:
        # no two changes have the same time, so times alone give the order
        self._last = max(self._clock(), self._last + timedelta(microseconds=1))
        at = self._last.isoformat(timespec="microseconds").replace("+00:00", "Z")
        changed.update(fields, state=state, changed_at=at)
        self._event(kind, changed)
        return changed

    def _event(self, kind: str, subject: Json) -> Json:
        event = {
            "id": self._id("ntf"),
            "name": f"{kind}/{subject['state']}",
            "occurred_at": subject["changed_at"],
            **self._owner,
            "subject": copy.deepcopy(subject),
        }
        self.events.append(event)
        self._on_event(event)
        return event


def _known_instrument(body: Json) -> str:
    instrument = body.get("instrument")
    if instrument not in INSTRUMENTS:
        raise RefusalError(422, "unknown_instrument", f"There is no instrument {instrument!r}.")
    return str(instrument)


def _money(body: Json) -> Json:
    amount: Json = body.get("amount") or {}
    currency = str(amount.get("currency"))
    places = Decimal(1).scaleb(-_PLACES.get(currency, 2))
    try:
        value = Decimal(str(amount.get("value")))
        exact = value > 0 and value == value.quantize(places)
    except InvalidOperation:
        exact = False
    if not exact:
        raise RefusalError(422, "invalid_amount", f"{amount} is no amount of {currency}.")
    return {"value": str(value.quantize(places)), "currency": currency}
