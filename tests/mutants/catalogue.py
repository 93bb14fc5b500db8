"""Every bug that is planted in the text of the program, an area a file."""

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
    words,
    worker,
)
from tests.mutants.planted import Bug

BUGS: Final[tuple[Bug, ...]] = (
    *adapters.BUGS,
    *binding.BUGS,
    *domain.BUGS,
    *ingress.BUGS,
    *messaging.BUGS,
    *ops.BUGS,
    *providers.BUGS,
    *refunds.BUGS,
    *seams.BUGS,
    *sql.BUGS,
    *statements.BUGS,
    *stream.BUGS,
    *stream_parts.BUGS,
    *words.BUGS,
    *worker.BUGS,
)
