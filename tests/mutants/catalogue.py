"""All bugs that are edits of the source."""

from typing import Final

from tests.mutants.bugs import (
    adapters,
    binding,
    domain,
    ingress,
    messaging,
    ops,
    providers,
    refunds,
    seams,
    sql,
    statements,
    stream,
    stream_parts,
    translation,
    worker,
)
from tests.mutants.bugs.rooms import audit, edges, log, moments, programs, rebuild, storing
from tests.mutants.planted import Bug

BUGS: Final[tuple[Bug, ...]] = (
    *adapters.BUGS,
    *audit.BUGS,
    *binding.BUGS,
    *domain.BUGS,
    *edges.BUGS,
    *ingress.BUGS,
    *log.BUGS,
    *messaging.BUGS,
    *moments.BUGS,
    *ops.BUGS,
    *programs.BUGS,
    *providers.BUGS,
    *rebuild.BUGS,
    *refunds.BUGS,
    *seams.BUGS,
    *sql.BUGS,
    *statements.BUGS,
    *storing.BUGS,
    *stream.BUGS,
    *stream_parts.BUGS,
    *translation.BUGS,
    *worker.BUGS,
)
