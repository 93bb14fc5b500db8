"""``make mutants``: plants every bug and says what found it; 1 where one lives."""

import sys

from tests.mutants.find import by_search, by_seeds
from tests.mutants.table import IN_THE_DOMAIN, IN_THE_PIPELINE, InTheDomain, InThePipeline


def _search(planted: InTheDomain) -> str | None:
    error = by_search(planted)
    return f"the search, after {len(error.path)} inputs: {error.what}" if error else None


def _seeds(planted: InThePipeline) -> str | None:
    report = by_seeds(planted)
    if report is None:
        return None
    violation = report.violations[0]
    return f"seed {report.seed}, {violation.code}: {violation.what}"


def main() -> int:
    """Searches histories, then tries seeds. Returns the exit code."""
    found = [(planted.name, _search(planted)) for planted in IN_THE_DOMAIN]
    found += [(planted.name, _seeds(planted)) for planted in IN_THE_PIPELINE]
    for name, by in found:
        sys.stdout.write(f"{name:<36} {by or 'LIVES'}"[:160] + "\n")
    alive = sum(by is None for _, by in found)
    sys.stdout.write(f"{len(found)} planted bugs, {alive} alive\n")
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main())
