"""The service's programs with a planted bug: ``python -m tests.chaos.planted <bug> <program>``.

The service's code is unchanged: each bug replaces a part or a statement.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, NoReturn

import pytest

from cli.main import run as cli_run
from messaging.transactional_publisher import ProducerFactory, fenced_producer
from ports.records import DecodedInput, RecordOffset
from ports.work_items import ClaimedCall, LookUpShare
from postgres import partitions
from postgres.batch import statements, transaction
from postgres.stores import PostgresOutbox
from processor.stream import app as worker
from processor.stream.bootstrap import run_stream
from processor.stream.dedup_table import DedupTable
from processor.worker.bootstrap import WorkerParts, run_worker
from tests.faults.failpoints import VARIABLE, Trap
from tests.faults.stream import parts as trapped
from tests.mutants.stream import AcknowledgesBeforePublishing

REAL_PARTS: Final = WorkerParts()


class EmptyTable(DedupTable):
    """The dedup table finds no event."""

    def lookup(self, batch: Sequence[DecodedInput]) -> list[RecordOffset | None]:
        """No position for any input."""
        return [None] * len(batch)


class NewKeyForEachTry(PostgresOutbox):
    """Each try of a call has another idempotency key."""

    async def claim(
        self,
        provider: str,
        limit: int,
        now: datetime,
        lease_until: datetime,
        look_ups: LookUpShare | None = None,
    ) -> list[ClaimedCall]:
        """Due calls, each with a new key."""
        claimed = await super().claim(provider, limit, now, lease_until, look_ups)
        return [replace(each, generation=each.attempts) for each in claimed]


def unfenced(bootstrap: str, group: str) -> ProducerFactory:
    """Producers that do not share a transactional ID with a former owner's."""
    return fenced_producer(bootstrap, f"{group}-{os.getpid()}")


def _nothing(_patch: pytest.MonkeyPatch) -> None:
    """Changes no statement."""


def _edit(patch: pytest.MonkeyPatch, name: str, old: str, new: str) -> None:
    """Replaces a part of a statement. Raises ValueError if the statement does not have it."""
    statement = getattr(statements, name)
    if old not in statement:
        raise ValueError(f"{name} has no {old!r}")
    patch.setattr(statements, name, statement.replace(old, new))


def _extend(patch: pytest.MonkeyPatch, name: str, end: str) -> None:
    """Adds an end to a statement."""
    patch.setattr(statements, name, f"{getattr(statements, name)} {end}")


def _no_dedup(patch: pytest.MonkeyPatch) -> None:
    """Nothing is known, and the inbox takes an event ID twice: also in partitions made later."""
    _extend(patch, "LOAD_KNOWN", "and false")
    _edit(patch, "INSERT_INBOX", "on conflict do nothing", "")
    made = [each.replace("create unique index", "create index") for each in partitions._MAKE]
    patch.setattr(partitions, "_MAKE", made)


def _no_guard(patch: pytest.MonkeyPatch) -> None:
    """A continued worker overwrites what others wrote meanwhile."""
    really = transaction._write_inbox

    async def no_limit(_connection: Any) -> None:
        pass

    async def unguarded(*arguments: Any) -> list[Any]:
        await really(*arguments)
        return []

    patch.setattr(worker, "limit_transactions", lambda _longest_s: no_limit)
    # its inbox rows are there by now
    patch.setattr(transaction, "_write_inbox", unguarded)
    patch.setattr(statements, "LOCK_PARTITIONS", "select unnest(%b::int[])")
    _edit(patch, "LOAD_PAYMENTS", "for update", "")
    _extend(patch, "INSERT_PAYMENTS", """
        on conflict (payment_id) do update set object_id = excluded.object_id,
            status = excluded.status, version = excluded.version,
            authorized = excluded.authorized, captured = excluded.captured,
            refunded = excluded.refunded, updated_at = excluded.updated_at,
            document = excluded.document, snapshot = excluded.snapshot""")  # fmt: skip
    _edit(patch, "UPDATE_PAYMENTS", "and p.version = n.expected", "")
    _extend(patch, "INSERT_VERSIONS", """
        on conflict (payment_id, version) do update set previous_status = excluded.previous_status,
            status = excluded.status, event_id = excluded.event_id""")  # fmt: skip
    _extend(patch, "INSERT_CALLS", "on conflict do nothing")


@dataclass(frozen=True, slots=True)
class Bug:
    """A bug: its replacements in the programs and in the database.

    Args:
        stream: replaced parts of the stream worker.
        worker: the worker's parts.
        plant: replaces statements.
        statements: SQL that drops constraints of the migrated database.
    """

    stream: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    worker: WorkerParts = REAL_PARTS
    plant: Callable[[pytest.MonkeyPatch], None] = _nothing
    statements: Sequence[str] = ()


#: The name of the unchanged programs.
NONE: Final = "none"
BUGS: Final[Mapping[str, Bug]] = {
    NONE: Bug(),
    "ack-before-publish": Bug(stream={"processor": AcknowledgesBeforePublishing}),
    "no-dedup": Bug(
        stream={"dedup": EmptyTable},
        plant=_no_dedup,
        statements=("drop index inbox_rest_event_id_idx",),
    ),
    "no-version-guard": Bug(
        plant=_no_guard,
        statements=(
            "drop trigger version_never_goes_back on payments",
            "drop trigger final_status_never_changes on payments",
            "drop trigger object_never_changes on payments",
            "drop trigger final_operation_never_changes on operations",
        ),
    ),
    "no-fence": Bug(stream={"producers": unfenced}),
    "new-key-on-retry": Bug(worker=replace(REAL_PARTS, outbox=NewKeyForEachTry)),
}


def run(name: str, program: str) -> NoReturn:
    """Runs a program with a planted bug, and exits with its code. Raises KeyError.

    A stream worker also has failpoints, at which a run can pause it.
    """
    bug = BUGS[name]
    bug.plant(pytest.MonkeyPatch())
    worker_name = Path(os.environ["PAYMENTS_DATA_DIR"]).name
    parts = trapped(Trap(Path(os.environ[VARIABLE]), worker_name))
    programs: dict[str, Callable[[], int | None]] = {
        "stream": partial(run_stream, replace(parts, **bug.stream)),
        "worker": partial(run_worker, bug.worker),
    }
    cli_run([program], {program: programs[program]})


if __name__ == "__main__":
    run(*sys.argv[1:])
