"""Inserts the rows that the processor would write into the real store."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from schemas import identity
from tests.ingress.harness import NOW


@dataclass
class StoredPayment:
    """A payment of a tenant and its rows; each call writes at once."""

    connection: Connection[Any]
    tenant: str
    key: str
    created_at: datetime = NOW
    provider: str = "stripe"
    currency: str = "EUR"
    document: dict[str, Any] = field(default_factory=dict)
    versions: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The payment's ID."""
        return identity.payment_id(self.tenant, self.key)

    def version(self, status: str, event_id: str, **more: Any) -> dict[str, Any]:
        """Inserts the next version, with more fields if needed; returns its snapshot."""
        previous = self.versions[-1] if self.versions else None
        self.versions.append(status)
        number = len(self.versions)
        snapshot = {"id": self.id, "version": number, "status": status, "tenant": self.tenant}
        snapshot |= more
        if previous is None:
            self.connection.execute(
                """insert into payments (payment_id, tenant, provider, status, version, amount,
                       currency, authorized, captured, refunded, expires_at, created_at,
                       updated_at, document, snapshot, publication_id)
                   values (%s, %s, %s, %s, %s, 1999, %s, 0, 0, 0, now(), %s, now(), %s, %s, 1)
                """,
                (
                    self.id,
                    self.tenant,
                    self.provider,
                    status,
                    number,
                    self.currency,
                    self.created_at,
                    json.dumps(self.document),
                    json.dumps(snapshot),
                ),
            )
        else:
            self.connection.execute(
                """update payments set status = %s, version = %s, snapshot = %s
                   where payment_id = %s""",
                (status, number, json.dumps(snapshot), self.id),
            )
        self.connection.execute(
            """insert into payment_versions (payment_id, version, previous_status, status,
                   event_id, at)
               values (%s, %s, %s, %s, %s, now())""",
            (self.id, number, previous, status, event_id),
        )
        return snapshot

    def inbox(self, event_id: str, second: int, **columns: Any) -> None:
        """Inserts an input recorded ``second`` seconds after the payment's creation."""
        row = {
            "event_id": event_id,
            "payment_id": self.id,
            "tenant": None,
            "operation_id": None,
            "kind": "payment_intent.succeeded",
            "topic": "provider-webhooks",
            "partition": 0,
            "offset": second,
            "received_at": self.created_at,
            "recorded_at": self.created_at + timedelta(seconds=second),
            "outcome": "applied",
            "reason": "because",
            "version": None,
            **columns,
        }
        names = ", ".join(f'"{name}"' for name in row)
        values = ", ".join(f"%({name})s" for name in row)
        self.connection.execute(f"insert into inbox ({names}) values ({values})", row)  # noqa: S608  # the names are constants

    def duplicate(self, event_id: str, second: int, offset: int | None = None) -> None:
        """Inserts a duplicate of an event."""
        self.connection.execute(
            """insert into duplicates (topic, partition, "offset", event_id, payment_id,
                   received_at, recorded_at)
               values (%s, 0, %s, %s, %s, %s, %s)""",
            (
                f"provider-webhooks-{self.tenant}",
                second if offset is None else offset,
                event_id,
                self.id,
                self.created_at,
                self.created_at + timedelta(seconds=second),
            ),
        )

    def call(self, name: str, **columns: Any) -> None:
        """Inserts a provider call."""
        row = {
            "call_key": f"{self.id}:{name}",
            "payment_id": self.id,
            "provider": "stripe",
            "operation": name,
            "request": "{}",
            "next_attempt_at": self.created_at,
            "created_at": self.created_at,
            **columns,
        }
        names = ", ".join(row)
        values = ", ".join(f"%({column})s" for column in row)
        self.connection.execute(f"insert into provider_calls ({names}) values ({values})", row)  # noqa: S608  # see above

    def open_matter(self) -> None:
        """Marks the payment as one with a dispute or a warning that somebody has to answer."""
        self.connection.execute(
            "insert into open_matters values (%s, %s, %s)",
            (self.tenant, self.created_at, self.id),
        )

    def operation(self, operation_id: str, document: str, status: str, tenant: str = "") -> None:
        """Inserts an operation."""
        self.connection.execute(
            """insert into operations (operation_id, payment_id, tenant, status, document,
                   partition, recorded_at)
               values (%s, %s, %s, %s, %s, 0, now())""",
            (operation_id, self.id, tenant or self.tenant, status, document),
        )

    def quarantine(self, event_id: str, error: str) -> None:
        """Quarantines the payment because of an event."""
        self.connection.execute(
            "insert into quarantines values (%s, %s, %s, %s)",
            (self.id, event_id, error, self.created_at),
        )


#: Stores a tenant's payment, by its key.
Store = Callable[..., StoredPayment]
