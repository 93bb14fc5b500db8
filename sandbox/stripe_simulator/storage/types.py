"""The type of a decoded JSON object."""

from typing import Any

JsonObject = dict[str, Any]
"""A decoded JSON object: a Stripe object, a request's nested parameters, an event."""
