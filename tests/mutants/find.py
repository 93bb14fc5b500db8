"""Plants a bug, and looks for it with the model checker or the simulation."""

from itertools import chain
from typing import Final

import pytest

from tests.checker.histories import ALL_HISTORIES
from tests.checker.search import DisagreementError, search
from tests.mutants.table import DomainBug, PipelineBug
from tests.simulation.run import Report, Runner

#: Seeds to try after the known ones, because a change of the program changes what a seed covers.
SEEDS: Final = range(1, 401)

_HISTORIES: Final = {history.name: history for history in ALL_HISTORIES}


def by_search(mutant: DomainBug) -> DisagreementError | None:
    """The model checker's disagreement on the bug's history; None if there is none."""
    with pytest.MonkeyPatch.context() as patch:
        mutant.plant(patch)
        try:
            search(_HISTORIES[mutant.history])
        except DisagreementError as error:
            return error
    return None


def by_seeds(mutant: PipelineBug) -> Report | None:
    """The report of the first seed that finds it; None if none does."""
    runner = Runner(mutant.parts)
    tried = chain(mutant.seeds, SEEDS)
    return next((report for seed in tried if (report := runner.run(seed)).violations), None)
