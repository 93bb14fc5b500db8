"""A history as records: each input in a first record, and in a second with the same event ID."""

from dataclasses import dataclass

from domain.inputs import CallResult, Cancel, Capture, Command, Confirm, Create, Input, Refund
from ports.records import ConsumedRecord, DecodedInput, RecordOffset
from schemas.headers import EVENT_ID, RECEIVED_AT
from schemas.topics import PAYMENT_COMMANDS, PROVIDER_RESULTS, PROVIDER_WEBHOOKS
from tests.domain.histories.builders import PAYMENT, PROVIDER, key
from tests.domain.histories.history import History, Reported

#: The number of the create among a script's inputs; the story's steps follow.
CREATE = 0


@dataclass(frozen=True)
class Script:
    """The inputs of one payment. An input's number is its place in the history."""

    history: History
    #: By number: the first record of the input.
    first: tuple[DecodedInput, ...]
    #: By number: another record with the same event ID, as when a webhook is sent again.
    second: tuple[DecodedInput, ...]
    #: By number: the key of the call without which the input can't exist; empty if there is none.
    needs: tuple[str, ...]
    #: Numbers of the client's commands after the create, in their order.
    commands: tuple[int, ...]
    #: Numbers of everything that the provider reports.
    reported: tuple[int, ...]
    #: Numbers of the confirms.
    confirms: tuple[int, ...]
    #: Numbers of the create and of the reports that need no call.
    independent: frozenset[int]


def script_of(history: History) -> Script:
    """Return the records of a history."""
    numbered = list(enumerate(history.story, start=CREATE + 1))
    bodies = [input_.body for input_ in history.inputs]
    reported = tuple(n for n, step in numbered if isinstance(step, Reported))
    needs = ("", *(_needs(step) for step in history.story))
    return Script(
        history=history,
        first=tuple(_record(input_, 2 * n) for n, input_ in enumerate(history.inputs)),
        second=tuple(_record(input_, 2 * n + 1) for n, input_ in enumerate(history.inputs)),
        needs=needs,
        commands=tuple(n for n, step in numbered if not isinstance(step, Reported)),
        reported=reported,
        confirms=tuple(n for n, body in enumerate(bodies) if isinstance(body, Confirm)),
        independent=frozenset({CREATE, *(n for n in reported if not needs[n])}),
    )


def _needs(step: Reported | Command | Input) -> str:
    return key(step.needs) if isinstance(step, Reported) and step.needs else ""


def _record(input_: Input, offset: int) -> DecodedInput:
    match input_.body:
        case Create() | Confirm() | Capture() | Cancel() | Refund():
            topic, provider = PAYMENT_COMMANDS, None
        case CallResult():
            topic, provider = PROVIDER_RESULTS, PROVIDER
        case _:
            topic, provider = PROVIDER_WEBHOOKS, PROVIDER
    return DecodedInput(
        record=ConsumedRecord(
            position=RecordOffset(topic, 0, offset),
            key=PAYMENT.encode(),
            value=b"",
            headers={EVENT_ID: input_.event_id, RECEIVED_AT: input_.received_at.isoformat()},
            timestamp_ms=0,
        ),
        payment_id=PAYMENT,
        event_id=input_.event_id,
        kind=topic,
        input=input_,
        provider=provider,
    )
