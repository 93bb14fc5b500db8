"""Every bug that is planted in the text of the program, an area a file."""

from typing import Final

from tests.mutants.bugs import (
    domain,
    ingress,
    messaging,
    ops,
    providers,
    refunds,
    sql,
    stream,
    stream_parts,
    worker,
)
from tests.mutants.planted import Bug

BUGS: Final[tuple[Bug, ...]] = (
    *domain.BUGS,
    *ingress.BUGS,
    *messaging.BUGS,
    *ops.BUGS,
    *providers.BUGS,
    *refunds.BUGS,
    *sql.BUGS,
    *stream.BUGS,
    *stream_parts.BUGS,
    *worker.BUGS,
)
