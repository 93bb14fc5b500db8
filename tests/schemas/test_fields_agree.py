"""A payment's terms are declared once per boundary; these tests hold the boundaries together."""

from typing import Any

import msgspec
import pytest

from decisions.decode import to_domain
from domain import inputs
from domain.terms import PaymentTerms, PublishedTerms
from domain.view import Snapshot
from ingress.command_builders import accepted_payment
from schemas import commands
from schemas.http import AcceptedPayment, CreateRequest
from schemas.model import Model
from schemas.state import PaymentState
from tests.schemas.examples import COMMANDS

#: What the service adds to the terms that a client sends.
ADDED = {"provider", "expires_at"}
#: A client's term that belongs to the first attempt, not to the payment.
OF_THE_ATTEMPT = {"payment_method"}

PAIRS: list[tuple[type[commands.CommandBase], type[Any]]] = [
    (commands.CreatePayment, inputs.Create),
    (commands.ConfirmPayment, inputs.Confirm),
    (commands.CapturePayment, inputs.Capture),
    (commands.CancelPayment, inputs.Cancel),
    (commands.RefundPayment, inputs.Refund),
]


def fields(model: type[Model]) -> set[str]:
    """The names of a model's fields."""
    return set(model.model_fields)


def test_the_terms_a_client_sends_are_the_terms_the_domain_keeps() -> None:
    """A term that is missing on one side would be dropped without an error."""
    kept = set(PaymentTerms.__struct_fields__)
    assert fields(commands.PaymentTerms) - OF_THE_ATTEMPT == kept - ADDED


def test_a_request_has_the_terms_and_may_name_a_provider() -> None:
    """The rest of a command is derived."""
    assert fields(CreateRequest) == fields(commands.PaymentTerms) | {"provider"}


@pytest.mark.parametrize(("model", "struct"), PAIRS)
def test_a_command_has_every_field_that_the_domain_takes(
    model: type[commands.CommandBase], struct: type[Any]
) -> None:
    """Decoding goes by name; what only the envelope needs stays behind."""
    envelope = fields(commands.CommandBase) - {"tenant", "operation_id", "fingerprint"}
    properties = {"expired"} if model is commands.CancelPayment else set()
    left_behind = {"type", *envelope, *({"cause"} if properties else ())}
    assert (fields(model) | properties) - left_behind == set(struct.__struct_fields__)


@pytest.mark.parametrize("command", COMMANDS, ids=repr)
def test_a_decoded_command_has_the_values_that_were_sent(command: commands.Command) -> None:
    """Field by field, in the domain's types."""
    decoded = to_domain(command)
    for name in decoded.__struct_fields__:
        assert getattr(decoded, name) == getattr(command, name), name


def test_the_published_terms_are_published() -> None:
    """The snapshot's struct and its contract have the same fields."""
    assert set(Snapshot.__struct_fields__) == fields(PaymentState)
    assert set(PublishedTerms.__struct_fields__) < fields(PaymentState)


def test_the_answer_repeats_every_accepted_term() -> None:
    """A client compares what it meant with what was accepted."""
    created = next(c for c in COMMANDS if isinstance(c, commands.CreatePayment))
    answer = accepted_payment(created)
    for name in fields(commands.PaymentTerms):
        assert getattr(answer, name) == getattr(created, name), name
    assert fields(AcceptedPayment) == fields(commands.PaymentTerms) | {
        "id", "status", "expires_at", "event_id",
    }  # fmt: skip


def test_a_wrong_type_is_refused_when_decoded() -> None:
    """A model that was built past its validation does not reach the domain."""
    created = next(c for c in COMMANDS if isinstance(c, commands.CreatePayment))
    with pytest.raises(msgspec.ValidationError):
        to_domain(created.model_copy(update={"amount": "1999"}))
