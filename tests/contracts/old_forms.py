"""How events of older API versions differ from the newest: Stripe publishes only that description.

The rows are written down from Stripe's changelog, and not from the simulator or the adapter.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Json = dict[str, Any]

_CHANGELOG: Final = "https://docs.stripe.com/changelog"
EVENT: Final = "event"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What was otherwise in one kind of object before a version.

    Args:
        before: the version since which the object has the newest form.
        kind: the object; ``event`` is the event around it.
        source: Stripe's page on it.
        gone: the fields that only the older form has.
        new: the fields that only the newest form has.
        values: by field, the older values by their newest ones.
    """

    before: str
    kind: str
    source: str
    gone: frozenset[str] = frozenset()
    new: frozenset[str] = frozenset()
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


DIFFERENCES: Final = (
    Difference(
        before="2017-05-25",
        kind=EVENT,
        source=f"{_CHANGELOG}/2017-05-25/events-specify-request-id-idempotency-key",
        gone=frozenset({"request"}),
        new=frozenset({"request"}),
    ),
    Difference(
        before="2019-02-11",
        kind="payment_intent",
        source=f"{_CHANGELOG}/2019-02-11/renames-next-source-action-next-action",
        gone=frozenset({"next_source_action"}),
        new=frozenset({"next_action"}),
        values={
            "status": {
                "requires_payment_method": "requires_source",
                "requires_action": "requires_source_action",
            }
        },
    ),
    Difference(
        before="2022-11-15",
        kind="payment_intent",
        source=f"{_CHANGELOG}/2022-11-15/deprecates-charges-auto-expand",
        gone=frozenset({"charges"}),
        new=frozenset({"latest_charge"}),
    ),
    Difference(
        before="2022-11-15",
        kind="charge",
        source=f"{_CHANGELOG}/2022-11-15/deprecates-charges-auto-expand",
        gone=frozenset({"refunds"}),
    ),
)
#: The types of event that a version does not have, and the page that says since when there are.
NO_REFUND_EVENTS: Final = (
    "2024-10-28",
    ("refund.created", "refund.updated", "refund.failed"),
    f"{_CHANGELOG}/acacia/2024-10-28/refund-webhook-update",
)


def has_type(version: str, kind: str) -> bool:
    """Whether endpoints of a version get events of this type."""
    since, types, _ = NO_REFUND_EVENTS
    return version >= since or kind not in types


def differing(version: str, kind: str) -> tuple[Difference, ...]:
    """The differences of one kind of object in a version."""
    return tuple(row for row in DIFFERENCES if version < row.before and kind == row.kind)


def without_differences(newest: Json, old: Json, kind: str, version: str) -> tuple[Json, Json]:
    """Both forms without what may differ. Raises AssertionError where a difference is missing."""
    newest, old = dict(newest), dict(old)
    for row in differing(version, kind):
        for form, fields, others in ((old, row.gone, row.new), (newest, row.new, row.gone)):
            assert fields <= form.keys(), (row.source, fields - form.keys())
            assert not (others - fields) & form.keys(), (row.source, others)
        for name in row.gone:
            del old[name]
        for name in row.new:
            del newest[name]
        for name, by_newest in row.values.items():
            newest[name] = by_newest.get(newest[name], newest[name])
    return newest, old
