"""The model checker or the simulation finds every bug that replaces a function."""

import pytest

from tests.checker.histories import ALL_HISTORIES
from tests.checker.report import counterexample
from tests.checker.search import search
from tests.mutants.find import by_search, by_seeds
from tests.mutants.table import DOMAIN_BUGS, PIPELINE_BUGS, DomainBug, PipelineBug
from tests.simulation.run import Runner


@pytest.mark.parametrize("mutant", DOMAIN_BUGS, ids=lambda mutant: mutant.name)
def test_the_model_checker_finds_the_bug_by_its_shortest_path(mutant: DomainBug) -> None:
    """The path has no unnecessary input, and is described in words."""
    found = by_search(mutant)
    assert found is not None
    text = counterexample(found)
    assert len(found.path) == mutant.inputs, text
    assert mutant.reported in text
    assert text.splitlines()[-1].startswith(f"  {mutant.inputs}. "), text


@pytest.mark.parametrize("mutant", PIPELINE_BUGS, ids=lambda mutant: mutant.name)
def test_a_seed_finds_the_bug(mutant: PipelineBug) -> None:
    """The report names the seed, which repeats the run."""
    found = by_seeds(mutant)
    assert found is not None
    assert f"SEED={found.seed}" in str(found)


def test_without_a_bug_nothing_is_found() -> None:
    """The same histories and seeds find nothing in the unchanged program."""
    histories = {mutant.history for mutant in DOMAIN_BUGS}
    for history in ALL_HISTORIES:
        if history.name in histories:
            search(history)
    runner = Runner()
    for seed in sorted({seed for mutant in PIPELINE_BUGS for seed in mutant.seeds}):
        assert not runner.run(seed).violations
