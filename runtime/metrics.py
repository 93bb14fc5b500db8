"""Metrics that several programs share."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter

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
