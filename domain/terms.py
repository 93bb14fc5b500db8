"""The terms of a payment: what its client fixed by creating it.

They are declared here alone. The create command, the payment and its snapshot inherit them, so a
new term is one line here; ``docs/glossary.md`` has the words.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct


class PublishedTerms(Struct, frozen=True, kw_only=True):
    """The terms that the payment's snapshot publishes."""

    provider: str
    #: Minor units of ``currency``.
    amount: int
    #: ISO 4217, upper case.
    currency: str
    capture_method: str
    max_attempts: int
    description: str | None
    metadata: Mapping[str, str]
    expires_at: datetime
    #: The client's own; left out of documents and snapshots where there is none.
    order_reference: str | None = None


class PaymentTerms(PublishedTerms, frozen=True, kw_only=True):
    """All terms, with those that only the provider needs."""

    return_url: str | None


def published_terms(source: PublishedTerms) -> dict[str, Any]:
    """The values of the published terms by name, as keyword arguments of another struct."""
    return {name: getattr(source, name) for name in PublishedTerms.__struct_fields__}


def payment_terms(source: PaymentTerms) -> dict[str, Any]:
    """The values of all terms by name, as keyword arguments of another struct."""
    return {name: getattr(source, name) for name in PaymentTerms.__struct_fields__}
