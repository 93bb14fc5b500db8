"""Every input has one documented outcome in each state of a payment, a refund or a dispute."""

from difflib import unified_diff
from typing import cast, get_args

import pytest
from msgspec.structs import fields

from domain.decide import decide
from domain.inputs import Command, Fact, Input, Unmodelled
from domain.payment import Payment
from domain.status import DisputeStatus, ProviderStatus, RefundStatus, Status
from tests.checker.conftest import Searching
from tests.checker.histories import ALL_HISTORIES
from tests.checker.outcome_table import probes
from tests.checker.outcome_table.outcomes import COMMANDS, DISPUTES, REFUNDS, Cells, outcomes
from tests.checker.outcome_table.page import PAGE, UnclearOutcomeError, page
from tests.checker.outcome_table.probes import LATER
from tests.domain.histories.builders import PAYMENT, at


@pytest.fixture(scope="module")
def cells(searched: Searching) -> Cells:
    """The outcomes in every state that the histories reach."""
    reached: dict[str, Payment] = {}
    for history in ALL_HISTORIES:
        reached |= searched(history).reached
    return outcomes(reached.values())


def test_every_outcome_is_the_documented_one(cells: Cells) -> None:
    """Each row has one outcome per input, and the page has the same."""
    difference = unified_diff(
        PAGE.read_text().splitlines(),
        page(cells).splitlines(),
        "documented",
        "now",
        lineterm="",
        n=0,
    )
    changed = "\n".join(difference)
    assert not changed, (
        f"an outcome is not the documented one, or not documented yet. If it is intended, update "
        f"the page with ``python -m tests.checker outcomes > docs/outcomes.md``:\n{changed}"
    )


@pytest.mark.parametrize("title", [REFUNDS, DISPUTES, COMMANDS])
def test_histories_reach_every_status(cells: Cells, title: str) -> None:
    """They reach each status of a payment, a refund and a dispute."""
    statuses = {REFUNDS: RefundStatus, DISPUTES: DisputeStatus, COMMANDS: Status}[title]
    for status in statuses:
        assert any(name.startswith(status) for name in cells[title]), (
            f"no history reaches {status}: add one to tests/domain/histories, and "
            f"its row to tests/checker/outcome_table/states.py"
        )


def test_every_kind_of_input_is_tried() -> None:
    """The probes have each command, each fact and each status of a fact."""
    facts = [*probes.payment_facts(None, LATER), *probes.first_facts(None)]
    tried = [input_.body for _, input_ in (*probes.commands(), *facts)]
    for kind in (*get_args(Command), *get_args(Fact)):
        assert kind in map(type, tried), (
            f"{kind.__name__} is new: add one of it to tests/checker/outcome_table/probes.py"
        )
    reported = {body.status for body in tried if hasattr(body, "status")}
    for status in (*ProviderStatus, *RefundStatus, *DisputeStatus):
        assert status in reported, f"{status!r} is new: add a probe with it to probes.py"
    for kind in get_args(Fact):
        same = [body for body in tried if isinstance(body, kind)]
        for form in (f.name for f in fields(kind) if f.type is bool):
            met = {getattr(body, form) for body in same}
            assert met == {True, False}, f"add a {kind.__name__} of the other {form} to probes.py"


def test_two_outcomes_in_one_row_are_an_error(cells: Cells) -> None:
    """The message names the row and says what to do."""
    row = cells[COMMANDS]["CREATED"]
    unclear = {**cells, COMMANDS: {"CREATED": {**row, "cancel": row["cancel"] + row["confirm"]}}}
    with pytest.raises(UnclearOutcomeError, match="'cancel' has the outcomes applied and rejected"):
        page(unclear)


def test_another_object_than_an_input_is_refused() -> None:
    """``decide`` takes only inputs; anything else is a defect, and quarantines the payment."""
    body = cast("Unmodelled", object())
    with pytest.raises(AssertionError):
        decide(None, Input("evt_1", at(0), body), PAYMENT)
