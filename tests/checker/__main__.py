"""Searches every history and prints what was covered: ``make model``.

``python -m tests.checker outcomes`` prints the page of outcomes instead. If a rule is violated, it
prints the shortest path to the violation and exits with 1.
"""

import sys
from collections.abc import Sequence
from time import process_time

from domain.payment import Payment
from tests.checker.histories import ALL_HISTORIES
from tests.checker.outcome_table.outcomes import outcomes
from tests.checker.outcome_table.page import UnclearOutcomeError, page
from tests.checker.report import counterexample, row_of, table
from tests.checker.search import DisagreementError, search


def main(arguments: Sequence[str]) -> int:
    """Search every history. Returns the exit code."""
    rows, reached = [], dict[str, Payment]()
    try:
        for history in ALL_HISTORIES:
            found = search(history)
            rows.append(row_of(found))
            reached |= found.reached
        outcomes_page = page(outcomes(reached.values()))
    except DisagreementError as error:
        sys.stderr.write(f"{counterexample(error)}\n")
        return 1
    except UnclearOutcomeError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if list(arguments) == ["outcomes"]:
        sys.stdout.write(outcomes_page)
        return 0
    seconds = f"{process_time():.0f} s of processor time"
    covered = f"{len(reached)} different payments, all as the oracle computes them, in {seconds}"
    sys.stdout.write("\n".join([*table(rows), covered, ""]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
