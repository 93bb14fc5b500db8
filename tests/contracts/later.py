"""What Stripe added to its API after the version of stripe-mock's description."""

from collections.abc import Mapping
from typing import Any, Final

#: Statuses added after stripe-mock's API version, and the version that added each.
ADDED_LATER: Final[Mapping[str, dict[str, str]]] = {
    "dispute": {
        "appeal_needs_response": "2026-10-28.endive",
        "appeal_under_review": "2026-10-28.endive",
    },
}


def as_described(value: Any) -> Any:
    """Returns a value with another status where Stripe added its own after the description."""
    if isinstance(value, dict):
        later = ADDED_LATER.get(str(value.get("object")), {})
        known = {name: as_described(part) for name, part in value.items()}
        return {**known, "status": "lost"} if value.get("status") in later else known
    return [as_described(each) for each in value] if isinstance(value, list) else value
