"""Fakes: a provider with scripted responses, and a sender that records what it sends."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from domain.calls import ProviderCall
from ports.notices import Gap, NoGap
from ports.producer_record import ProducerRecord
from ports.provider import CallOutcome, FetchedEvent, PartPage, Refused, Unknown

T = TypeVar("T")


@dataclass
class RecordingSender:
    """A ``RecordSender`` that keeps the records, and fails on demand."""

    records: list[ProducerRecord] = field(default_factory=list)
    #: Raised by the next sends, one each; None lets one through.
    failures: list[Exception | None] = field(default_factory=list)

    async def send(self, records: Sequence[ProducerRecord]) -> None:
        """See ``Sending.send``."""
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure
        self.records += records


@dataclass
class Provider:
    """A ``ProviderClient`` with scripted responses. It records its calls."""

    name: str = "stripe"
    #: Responses to calls, in order. Without one, the outcome is unknown.
    responses: list[CallOutcome | BaseException] = field(default_factory=list)
    #: Responses to look-ups, in order.
    found: list[CallOutcome | Exception | None] = field(default_factory=list)
    #: Pages of its event list, oldest first. An error ends the list.
    pages: Sequence[Sequence[FetchedEvent] | Exception] = ()
    #: The current state of its objects, by object ID.
    objects: dict[str, FetchedEvent | Exception] = field(default_factory=dict)
    #: Pages of the parts of its objects, by object ID. An error ends the pages.
    parts: dict[str, Sequence[Sequence[FetchedEvent] | Exception]] = field(default_factory=dict)
    #: Pages of the refunds of all objects. Each goes on after its number.
    new_parts: Sequence[Sequence[FetchedEvent] | Exception] = ()
    part_kinds: Sequence[str] = ("refunds",)
    #: The same of parts of other kinds.
    other_parts: dict[str, Sequence[Sequence[FetchedEvent] | Exception]] = field(
        default_factory=dict
    )
    #: Calls wait until this is set.
    gate: asyncio.Event | None = None
    keys: list[str] = field(default_factory=list)
    #: The requests that came, and the release that prepares them.
    sent: list[bytes | None] = field(default_factory=list)
    release: str = "one"
    refuses: Refused | None = None
    looked_up: list[tuple[str, datetime]] = field(default_factory=list)
    last_tries: list[datetime | None] = field(default_factory=list)
    cursors: list[str | None] = field(default_factory=list)
    since: list[datetime | None] = field(default_factory=list)
    retrieved: list[str] = field(default_factory=list)
    parts_asked: list[str | datetime] = field(default_factory=list)
    parts_after: list[str | None] = field(default_factory=list)

    def prepare(self, call: ProviderCall) -> bytes | Refused:
        """See ``ProviderClient.prepare``."""
        return self.refuses or f"{self.release} {call.key}".encode()

    async def call(self, call: ProviderCall, key: str, request: bytes | None = None) -> CallOutcome:
        """See ``ProviderClient.call``."""
        assert call.provider == self.name
        self.sent.append(request)
        self.keys.append(key)
        if self.gate is not None:
            await self.gate.wait()
        if not self.responses:
            return Unknown("no answer")
        response = self.responses.pop(0)
        if isinstance(response, BaseException):
            raise response
        return response

    async def look_up(
        self,
        call: ProviderCall,
        first_tried_at: datetime,
        last_tried_at: datetime | None = None,
    ) -> CallOutcome | None:
        """See ``ProviderClient.look_up``."""
        self.looked_up.append((call.key, first_tried_at))
        self.last_tries.append(last_tried_at)
        return _returned(self.found.pop(0))

    async def retrieve(self, object_id: str) -> FetchedEvent:
        """See ``ProviderClient.retrieve``."""
        self.retrieved.append(object_id)
        return _returned(self.objects[object_id])

    async def parts_of(self, object_id: str) -> AsyncIterator[Sequence[FetchedEvent]]:
        """See ``ProviderClient.parts_of``."""
        self.parts_asked.append(object_id)
        for page in self.parts.get(object_id, ()):
            yield _returned(page)

    async def parts_since(
        self, kind: str, at: datetime, after: str | None = None
    ) -> AsyncIterator[PartPage]:
        """See ``ProviderClient.parts_since``."""
        self.parts_asked.append(at)
        self.parts_after.append(after)
        pages = self.new_parts if kind == "refunds" else self.other_parts[kind]
        for number in range(int(after or 0), len(pages)):
            is_last = number + 1 == len(pages)
            yield PartPage(_returned(pages[number]), None if is_last else str(number + 1))

    async def events_after(
        self, cursor: str | None, since: datetime | None = None
    ) -> AsyncIterator[Sequence[FetchedEvent]]:
        """See ``ProviderClient.events_after``."""
        self.cursors.append(cursor)
        self.since.append(since)
        for page in self.pages:
            yield _returned(page)

    async def close(self) -> None:
        """See ``ProviderClient.close``."""


@dataclass
class Finder:
    """A ``GapFinder`` with scripted answers. It records what it was asked for."""

    name: str = "stripe"
    #: By event ID, one answer for each time; the last one stays.
    contents: dict[str, list[Gap | NoGap | Exception]] = field(default_factory=dict)
    #: The payment objects of others, by object ID.
    owners: dict[str, str | Exception | None] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    resolved: list[str] = field(default_factory=list)

    async def gap(self, event_id: str, context: str | None) -> Gap | NoGap:
        """See ``GapFinder.gap``."""
        self.asked.append((event_id, context))
        answers = self.contents[event_id]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def payment_object(self, gap: Gap) -> str | None:
        """See ``GapFinder.payment_object``."""
        self.resolved.append(gap.object_id)
        return _returned(self.owners[gap.object_id])


def _returned(response: T | BaseException) -> T:
    if isinstance(response, BaseException):
        raise response
    return response
