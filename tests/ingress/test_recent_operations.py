"""A process keeps its most recently used operations, up to a capacity."""

from ingress.idempotency import RecentOperation, RecentOperations
from tests.ingress.harness import NOW


def recent_operations(*names: str, capacity: int = 2) -> RecentOperations:
    """Returns a map with these operations, inserted in order."""
    recent = RecentOperations(capacity)
    for name in names:
        recent.put(name, RecentOperation(event_id=name, received_at=NOW))
    return recent


def kept(recent: RecentOperations, *names: str) -> list[str]:
    """Returns those of the operations that are still there."""
    return [name for name in names if recent.find(name) is not None]


def test_the_oldest_is_evicted_first() -> None:
    """A client is most likely to retry what it sent last."""
    assert kept(recent_operations("a", "b", "c", "d"), "a", "b", "c", "d") == ["c", "d"]


def test_an_operation_that_is_found_counts_as_recent() -> None:
    """The operation of a client that keeps retrying is never evicted."""
    recent = recent_operations("a", "b")
    assert recent.find("a") is not None
    recent.put("c", RecentOperation(event_id="c", received_at=NOW))
    assert kept(recent, "a", "b", "c") == ["a", "c"]


def test_a_failed_request_discards_only_its_own_entry() -> None:
    """It discards neither an accepted entry nor another request's; discarding twice is no error."""
    recent = recent_operations("a", "b")
    accepted, failed = (
        RecentOperation(event_id="a", received_at=NOW, accepted=True),
        RecentOperation(event_id="b", received_at=NOW),
    )
    recent.put("a", accepted)
    recent.discard("a", accepted)
    recent.discard("b", failed)
    assert kept(recent, "a", "b") == ["a", "b"]
    recent.put("b", failed)
    recent.discard("b", failed)
    recent.discard("b", failed)
    assert kept(recent, "a", "b") == ["a"]
