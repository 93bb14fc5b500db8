"""A payment's terms are declared once per boundary; these tests compare the boundaries."""

from typing import Any

import msgspec
import pytest

from decisions.decode import to_domain
from domain import inputs
from domain.terms import PaymentTerms, PublishedTerms
from domain.view import Snapshot
from ingress.command_builders import accepted_payment
from schemas import commands, identity
from schemas.answers import AcceptedPayment
from schemas.http import CreateRequest
from schemas.model import Model
from schemas.state import PaymentState
from tests.schemas.examples import COMMANDS

#: The terms that the service adds to the client's.
ADDED = {"provider", "expires_at"}
#: A client's term that belongs to the first attempt, not to the payment.
ATTEMPT_TERMS = {"payment_method"}

PAIRS: list[tuple[type[commands.CommandBase], type[Any]]] = [
    (commands.CreatePayment, inputs.Create),
    (commands.ConfirmPayment, inputs.Confirm),
    (commands.CapturePayment, inputs.Capture),
    (commands.CancelPayment, inputs.Cancel),
    (commands.RefundPayment, inputs.Refund),
]


def fields(model: type[Model]) -> set[str]:
    """Returns the names of a model's fields."""
    return set(model.model_fields)


def test_commands_and_the_domain_have_the_same_terms() -> None:
    """A term that is missing on one side would be dropped without an error."""
    domain_terms = set(PaymentTerms.__struct_fields__)
    assert fields(commands.PaymentTerms) - ATTEMPT_TERMS == domain_terms - ADDED


def test_a_request_has_the_terms_and_a_provider() -> None:
    """All other fields of a command are derived."""
    assert fields(CreateRequest) == fields(commands.PaymentTerms) | {"provider"}


@pytest.mark.parametrize(("model", "struct"), PAIRS)
def test_a_command_has_every_field_of_the_domains_input(
    model: type[commands.CommandBase], struct: type[Any]
) -> None:
    """Decoding copies fields by name, except those that only the envelope needs."""
    envelope = fields(commands.CommandBase) - {"tenant", "operation_id", "fingerprint"}
    properties = {"expired"} if model is commands.CancelPayment else set()
    not_copied = {"type", *envelope, *({"cause"} if properties else ())}
    assert (fields(model) | properties) - not_copied == set(struct.__struct_fields__)


@pytest.mark.parametrize("command", COMMANDS, ids=repr)
def test_a_decoded_command_has_the_values_that_were_sent(command: commands.Command) -> None:
    """Every field of the domain's input equals the command's."""
    decoded = to_domain(command)
    for name in decoded.__struct_fields__:
        assert getattr(decoded, name) == getattr(command, name), name


def test_the_snapshot_and_its_contract_have_the_same_fields() -> None:
    """They include all published terms."""
    assert set(Snapshot.__struct_fields__) == fields(PaymentState)
    assert set(PublishedTerms.__struct_fields__) < fields(PaymentState)


def test_the_response_repeats_every_accepted_term() -> None:
    """A client can compare its terms with the accepted ones."""
    found = next(c for c in COMMANDS if isinstance(c, commands.CreatePayment))
    event_id = identity.command_event_id(found.operation_id, found.fingerprint)
    created = found.model_copy(update={"event_id": event_id})
    response = accepted_payment(created)
    for name in fields(commands.PaymentTerms):
        assert getattr(response, name) == getattr(created, name), name
    assert fields(AcceptedPayment) == fields(commands.PaymentTerms) | {
        "id", "status", "expires_at", "event_id", "operation",
    }  # fmt: skip


def test_a_wrong_type_is_refused_when_decoded() -> None:
    """Decoding also catches values that bypassed the model's validation."""
    created = next(c for c in COMMANDS if isinstance(c, commands.CreatePayment))
    with pytest.raises(msgspec.ValidationError):
        to_domain(created.model_copy(update={"amount": "1999"}))
