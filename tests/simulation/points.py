"""The table of crash points: every step of I/O at which a process may die, pause or be slow.

``before`` and ``after`` surround one statement in Postgres, ``send`` and ``sent`` a send to the
brokers.
"""

from collections.abc import Iterator
from typing import Final

_STATEMENTS: Final = (
    "unpublished", "mark_published",
    "claim", "freeze", "finish", "retry", "retry_with_new_key",
    "owners", "park", "ignore", "routable", "unrouted_expired", "delete_unrouted",
    "read_cursor", "write_cursor", "plan_looks", "due_looks", "note_looks", "end_looks",
    "owners_with_payments", "known_events",
    "payments_expired", "gauges",
)  # fmt: skip
_STEPS: Final = (
    # an ingress
    "ingress.received", "ingress.publish", "ingress.published",
    # a stream worker: its batch, its publication, its table, its partitions
    "batch.begin", "batch.load", "batch.locked", "batch.write", "batch.commit", "batch.committed",
    "state.fence", "state.fenced", "state.send", "state.commit", "state.committed",
    "table.write", "table.flush", "event.ack", "offsets.commit",
    "partitions.revoked", "partitions.assigned",
    "dead_letters.send", "dead_letters.sent",
    # a worker
    "provider.send", "provider.responded", "worker.send", "worker.sent",
    "router.poll", "router.commit", "router.revoked", "router.assigned", "reconciler.lead",
)  # fmt: skip


def _points() -> Iterator[str]:
    yield from _STEPS
    for statement in _STATEMENTS:
        yield f"{statement}.before"
        yield f"{statement}.after"


POINTS: Final = tuple(_points())
