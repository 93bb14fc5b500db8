"""Metrics that several programs share."""

from collections.abc import Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

#: Histogram buckets for durations, in seconds.
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


def foreign_events(name: str, registry: CollectorRegistry) -> Counter:
    """Returns a counter of events of another account, or of another mode (live or test)."""
    return Counter(
        name,
        "Events of another account or mode, ignored.",
        ["provider"],
        registry=registry,
    )


def unread_versions(registry: CollectorRegistry) -> Counter:
    """Returns a counter of events of an API version that is not read, wherever they come to.

    One that waits for its payment is counted when it begins to wait, and again when it ends.
    """
    return Counter(
        "payments_unread_version_total",
        "Events of an API version that is not read, when they are ignored or begin to wait.",
        ["provider", "kind"],
        registry=registry,
    )


class UnknownAccountRows:
    """A gauge of what waits for an account that is not in this process's file of accounts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._gauge = Gauge(
            "payments_unknown_account_rows",
            "Rows that wait because this process does not know their account, by account and kind. "
            "Absent: none.",
            ["provider", "kind"],
            registry=registry,
        )
        self._shown: frozenset[tuple[str, str]] = frozenset()

    def show(self, waiting: Mapping[tuple[str, str], int]) -> None:
        """Shows how many wait by account and kind, and nothing of any other."""
        for labels, count in waiting.items():
            self._gauge.labels(*labels).set(count)
        for labels in self._shown - waiting.keys():
            self._gauge.remove(*labels)
        self._shown = frozenset(waiting)
