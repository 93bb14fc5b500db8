"""Plants a bug and lets the search or the simulation look for it."""

from itertools import chain
from typing import Final

import pytest

from tests.checker.histories import ALL_HISTORIES
from tests.checker.search import DisagreementError, search
from tests.mutants.table import InTheDomain, InThePipeline
from tests.simulation.run import Report, Runner

#: Tried after the seeds that are known to find a bug: what a seed meets changes with the program.
SEEDS: Final = range(1, 401)

_HISTORIES: Final = {history.name: history for history in ALL_HISTORIES}


def by_search(mutant: InTheDomain) -> DisagreementError | None:
    """What the search of its history says; None where it sees nothing wrong."""
    with pytest.MonkeyPatch.context() as patch:
        mutant.plant(patch)
        try:
            search(_HISTORIES[mutant.history])
        except DisagreementError as error:
            return error
    return None


def by_seeds(mutant: InThePipeline) -> Report | None:
    """The first seed's report that finds it; None where none does."""
    runner = Runner(mutant.parts)
    tried = chain(mutant.seeds, SEEDS)
    return next((report for seed in tried if (report := runner.run(seed)).violations), None)
