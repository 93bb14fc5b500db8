"""The shop's own table of orders. What is asked for is written down before it is sent."""

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Order:
    """One order: its number, and what it costs in minor units (1999 is 19.99 EUR)."""

    number: str
    amount: int
    currency: str


class Orders:
    """By order number: the terms that its payment was created with, and the payment's ID."""

    def __init__(self, path: str) -> None:
        """Opens the database, or makes it."""
        self._rows = sqlite3.connect(path, isolation_level=None)  # each statement commits
        self._rows.execute(
            "create table if not exists orders (number text primary key, terms text not null, "
            "payment_id text)"
        )

    def terms(self, order: Order, wanted: Json) -> Json:
        """Returns the terms of this order's payment: those of the first time, if there was one.

        A shop that crashed before it read the answer sends exactly the same again, though its
        customer chose another card since. That other card is a further attempt of one payment.
        """
        row = (order.number, json.dumps(wanted))
        self._rows.execute("insert or ignore into orders (number, terms) values (?, ?)", row)
        found: Json = json.loads(self._column("terms", order))
        return found

    def set_payment(self, order: Order, payment_id: str) -> None:
        """Keeps the ID of this order's payment."""
        self._rows.execute(
            "update orders set payment_id = ? where number = ?", (payment_id, order.number)
        )

    def payment_of(self, order: Order) -> str:
        """Returns the ID of this order's payment. Raises LookupError before the checkout."""
        return self._column("payment_id", order)

    def close(self) -> None:
        """Closes the database."""
        self._rows.close()

    def _column(self, name: str, order: Order) -> str:
        row = self._rows.execute(
            "select terms, payment_id from orders where number = ?", (order.number,)
        ).fetchone()
        found = None if row is None else row[("terms", "payment_id").index(name)]
        if found is None:
            raise LookupError(f"order {order.number} has no {name}")
        return str(found)
