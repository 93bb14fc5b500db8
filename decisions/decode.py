"""Decodes records into inputs. An undecodable record becomes a dead letter with the reason."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from decisions.decode_failure import of_unknown_account, unforeseen
from decisions.fact_texts import with_storable_texts
from domain.inputs import (
    CallResult,
    Cancel,
    Capture,
    Command,
    Confirm,
    Create,
    Failure,
    Input,
    Refund,
    Release,
)
from ports.errors import UndecodableRecordError
from ports.failures import describe_error
from ports.provider import MalformedWebhookError, Translator
from ports.records import ConsumedRecord, DeadLetter, DecodedInput, Unreadable, without_effect
from ports.texts import storable, utc_time
from runtime.logs import get_logger
from runtime.tasks import ANY_ERROR
from schemas import commands, headers
from schemas.accounts.provider_accounts import NAME
from schemas.identity import is_payment_id
from schemas.results import ProviderResult, Refusal
from schemas.topics import PAYMENT_COMMANDS, PROVIDER_RESULTS, PROVIDER_WEBHOOKS

log = get_logger(__name__)

#: The kind of an operator's release, as the inbox and the timeline name it.
RELEASE: Final = "operator.release"


class Decoder:
    """Decodes records, webhooks with their provider's translator."""

    def __init__(self, translators: Mapping[str, Translator]) -> None:
        self._translators = translators
        self._by_topic: Mapping[str, Callable[[ConsumedRecord], DecodedInput]] = {
            PAYMENT_COMMANDS: _command,
            PROVIDER_WEBHOOKS: self._webhook,
            PROVIDER_RESULTS: _result,
        }

    def decode(self, record: ConsumedRecord) -> DecodedInput | DeadLetter:
        """Returns the record's input, or a dead letter with the reason. Never raises."""
        if isinstance(record.value, Unreadable):
            return DeadLetter(record, storable(record.value.why))
        try:
            received = self._by_topic[record.position.topic](record)
            _check_key(record, received)
        except UndecodableRecordError as error:
            return DeadLetter(record, storable(str(error)))
        except ANY_ERROR as error:  # no I/O here: the defect is ours
            at = record.position
            log.exception(
                "record.not_decoded", topic=at.topic, partition=at.partition, offset=at.offset
            )
            return unforeseen(record, describe_error(error))
        return received

    def _webhook(self, record: ConsumedRecord) -> DecodedInput:
        key = (record.key or b"").decode("utf-8", "replace")
        if not is_payment_id(key):
            raise UndecodableRecordError("the key is no payment ID")
        provider = _header(record, headers.PROVIDER)
        event_id = _header(record, headers.EVENT_ID)
        translator = self._translators.get(provider)
        if translator is None:
            if not re.fullmatch(NAME, provider):
                raise UndecodableRecordError(f"header {headers.PROVIDER} is no name of an account")
            received_at = utc_time(_header(record, headers.RECEIVED_AT))
            return of_unknown_account(record, key, event_id, provider, received_at)
        try:
            return _translated(record, key, event_id, provider, translator)
        except UndecodableRecordError as error:
            if headers.AGAIN not in record.headers:
                raise
            # beside it may wait what can be decoded
            return without_effect(record, key, provider, storable(str(error)))


def _translated(
    record: ConsumedRecord, key: str, event_id: str, provider: str, translator: Translator
) -> DecodedInput:
    """Returns the input of a webhook's record. Raises UndecodableRecordError."""
    try:
        translated = translator.translate(record.value)
    except MalformedWebhookError as error:
        raise UndecodableRecordError(str(error)) from error
    fact = with_storable_texts(translated.fact)
    if fact.event_id != event_id:
        raise UndecodableRecordError(f"header {headers.EVENT_ID} is not the ID in the value")
    received_at = utc_time(_header(record, headers.RECEIVED_AT))
    return DecodedInput(
        record=record,
        payment_id=key,
        event_id=event_id,
        kind=f"{provider}.{translated.kind}",
        input=Input(event_id, received_at, fact),
        provider=provider,
    )


def _check_key(record: ConsumedRecord, received: DecodedInput) -> None:
    """Raises UndecodableRecordError if the key is not the payment's: its order would break."""
    if record.key != received.payment_id.encode():
        raise UndecodableRecordError("the key is not the payment ID in the value")


def _header(record: ConsumedRecord, name: str) -> str:
    value = record.headers.get(name)
    if not value or len(value) > headers.ID_CHARS_MAX:
        raise UndecodableRecordError(f"header {name} is missing, empty or too long")
    return value


def _explain(error: ValidationError) -> str:
    """Says what is wrong with which fields. It repeats nothing that came, value or name."""
    problems = error.errors(include_input=False, include_url=False)
    return "; ".join(f"{_place(p['loc'])}: {_problem(p)}" for p in problems[:5])


def _place(location: Sequence[str | int]) -> str:
    shown = (
        str(part) if isinstance(part, int) or part in _NAMES else "(a name)" for part in location
    )
    return ".".join(shown) or "value"


def _problem(problem: ErrorDetails) -> str:
    if problem["type"] == "union_tag_invalid":
        return f"{problem['ctx']['discriminator']} is none of: {problem['ctx']['expected_tags']}"
    return problem["msg"]


_IN_THE_DOMAIN: Final[Mapping[type[commands.CommandBase], type[Command]]] = {
    commands.CreatePayment: Create,
    commands.ConfirmPayment: Confirm,
    commands.CapturePayment: Capture,
    commands.CancelPayment: Cancel,
    commands.RefundPayment: Refund,
}
_MODELS: Final[tuple[type[BaseModel], ...]] = (
    *_IN_THE_DOMAIN,
    commands.ReleasePayment,
    ProviderResult,
    Refusal,
)
#: The names in a problem's place that are ours: fields, and tags of commands.
_NAMES: Final = frozenset(
    {name for model in _MODELS for name in model.model_fields}
    | {str(model.model_fields["type"].default) for model in _MODELS if "type" in model.model_fields}
)


def _command(record: ConsumedRecord) -> DecodedInput:
    try:
        command = commands.VALUE.validate_json(record.value)
    except ValidationError as error:
        raise UndecodableRecordError(f"not a command: {_explain(error)}") from error
    if isinstance(command, commands.ReleasePayment):
        asked = Input(command.event_id, command.received_at, Release())
        return DecodedInput(
            record=record,
            payment_id=command.payment_id,
            event_id=command.event_id,
            kind=RELEASE,
            input=asked,
        )
    return DecodedInput(
        record=record,
        payment_id=command.payment_id,
        event_id=command.event_id,
        kind=f"command.{command.type}",
        input=Input(command.event_id, command.received_at, to_domain(command)),
        tenant=command.tenant,
        operation_id=command.operation_id,
    )


def to_domain(command: commands.Command) -> Command:
    """The command in the domain's types, field by field of the same name."""
    return msgspec.convert(command, _IN_THE_DOMAIN[type(command)], from_attributes=True)


def _result(record: ConsumedRecord) -> DecodedInput:
    try:
        result = ProviderResult.model_validate_json(record.value)
    except ValidationError as error:
        raise UndecodableRecordError(f"not a provider result: {_explain(error)}") from error
    refusal = result.refusal
    body = CallResult(
        call_key=result.call_key,
        operation=result.operation,
        object_id=result.object_id,
        refusal=Failure(refusal.code, refusal.message) if refusal is not None else None,
    )
    return DecodedInput(
        record=record,
        payment_id=result.payment_id,
        event_id=result.event_id,
        kind=f"result.{result.operation}",
        input=Input(result.event_id, result.received_at, body),
        provider=result.provider,
    )
