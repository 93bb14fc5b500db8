"""What one process remembers of operations: the latest ones, and no more than it may."""

from ingress.idempotency import OperationMemory, Remembered
from tests.ingress.harness import NOW


def memory(*names: str, capacity: int = 2) -> OperationMemory:
    """A memory that was given these operations, one after the other."""
    made = OperationMemory(capacity)
    for name in names:
        made.keep(name, Remembered(name, NOW))
    return made


def known(made: OperationMemory, *names: str) -> list[str]:
    """Those of them that are remembered."""
    return [name for name in names if made.find(name) is not None]


def test_the_oldest_is_forgotten_first() -> None:
    """The newest is what its client may just be trying again."""
    assert known(memory("a", "b", "c", "d"), "a", "b", "c", "d") == ["c", "d"]


def test_what_is_asked_for_counts_as_new() -> None:
    """A client that goes on trying is recognised as long as it does."""
    made = memory("a", "b")
    assert made.find("a") is not None
    made.keep("c", Remembered("c", NOW))
    assert known(made, "a", "b", "c") == ["a", "c"]


def test_what_was_accepted_is_not_forgotten_by_a_twin_that_failed() -> None:
    """Nor is what stands in its place by now; and forgetting twice is no error."""
    made = memory("a", "b")
    accepted, failed = Remembered("a", NOW, accepted=True), Remembered("b", NOW)
    made.keep("a", accepted)
    made.forget("a", accepted)
    made.forget("b", failed)
    assert known(made, "a", "b") == ["a", "b"]
    made.keep("b", failed)
    made.forget("b", failed)
    made.forget("b", failed)
    assert known(made, "a", "b") == ["a"]
