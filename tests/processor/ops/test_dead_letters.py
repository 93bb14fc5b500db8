"""Dead letters are listed without their content, sent again, and applied once decodable."""

import uuid
from dataclasses import replace
from typing import Final

import pytest

from ports.errors import PublishError
from ports.producer_record import ProducerRecord
from ports.records import ConsumedRecord, DeadLetter
from processor.ops import dead_letters
from processor.ops.dead_letters import DeadLetterRecord
from schemas import headers
from schemas.topics import DEAD_LETTERS, PAYMENT_COMMANDS
from tests.support.builders import Log, payment
from tests.support.fakes import RecordingSender
from tests.support.programs.operating import ALL, Operating
from tests.support.programs.stream_worker import Worker

pytestmark = pytest.mark.anyio

#: Text that a client wrote, which no list shows.
PRIVATE: Final = "4242"


class _DecodesNothing:
    """The decoder of a release that can decode no record."""

    def decode(self, record: ConsumedRecord) -> DeadLetter:
        """Returns a dead letter for every record."""
        return DeadLetter(record, "a release that can decode nothing")


def _of_a_newer_release(log: Log, payment_id: str) -> ConsumedRecord:
    """A create with a field that this release doesn't know."""
    return log.create(payment_id, description=PRIVATE, colour="red")


async def _dead_letter(operating: Operating, worker: Worker, payment_id: str) -> DeadLetterRecord:
    """Processes a record that becomes a dead letter, and returns that."""
    await operating.process(worker, _of_a_newer_release(Log(), payment_id))
    (dead_letter,) = await operating.dead_letters(payment_id.encode())
    return dead_letter


async def test_a_dead_letter_is_listed_without_its_content(operating: Operating) -> None:
    """The list has position, origin, size and error. The content is shown only on request."""
    mine = payment()
    async with operating.group.worker(*ALL) as worker:
        (record,) = await operating.process(worker, _of_a_newer_release(Log(), mine))
    (dead_letter,) = await operating.dead_letters(mine.encode())
    at = record.position
    line = dead_letters.describe(dead_letter, None)
    partition, offset = dead_letter.position
    assert line.startswith(
        f"{partition}:{offset}  from {PAYMENT_COMMANDS} {at.partition}:{at.offset}, "
        f"{len(record.value)} bytes\n"
    )
    assert "colour" not in line  # what it names may be personal too
    assert "not permitted" in line
    assert PRIVATE not in line
    whole = "\n".join(dead_letters.describe_in_full(dead_letter))
    assert record.value.decode() in whole
    assert mine in whole
    assert dead_letters.parse_position(f"{partition}:{offset}") == dead_letter.position


def test_a_dead_letter_cannot_control_the_terminal() -> None:
    """Whatever of it is shown, control characters are escaped; its lines stay lines."""
    escape = "\x1b[2J"
    dead_letter = DeadLetterRecord(
        position=(0, 1),
        key=escape.encode(),
        value=f"{escape}\n\tvalue\x9b".encode(),
        headers=[(f"a{escape}", escape.encode())],
        added=dict.fromkeys(
            (headers.ORIGINAL_TOPIC, headers.ORIGINAL_OFFSET, headers.ERROR, headers.ALTERED),
            f"{escape}\n0:2  from a forged line",
        ),
    )
    lines = list(dead_letters.describe_in_full(dead_letter))
    assert all(c.isprintable() or c in "\n\t" for c in "".join(lines))
    assert lines[0].count("\n") == 2
    assert lines[-1] == "\\x1b[2J\n\tvalue\\x9b"


async def test_a_record_that_still_cannot_be_decoded_is_a_new_dead_letter(
    operating: Operating,
) -> None:
    """The new dead letter has a new position. The first one is recorded as sent."""
    mine = payment()
    async with operating.group.worker(*ALL) as worker:
        dead_letter = await _dead_letter(operating, worker, mine)
        assert (await operating.replay_dead_letters(dead_letter.position)).sent == 1
        (again,) = await operating.new_records()
        assert (again.position.topic, again.key, again.value) == (
            PAYMENT_COMMANDS, dead_letter.key, dead_letter.value,
        )  # fmt: skip
        await worker.process(again)
    first, second = await operating.dead_letters(mine.encode())
    assert first.position == dead_letter.position
    assert second.added["original-offset"] == str(again.position.offset)
    assert second.headers == dead_letter.headers
    sent = await dead_letters.replayed(operating.database_url)
    assert sent.keys() == {first.position}
    assert "sent again 2026-03-01 12:00:00Z" in dead_letters.describe(first, sent[first.position])


@pytest.mark.parametrize("kind", ["command", "webhook"])
async def test_a_record_that_can_be_decoded_now_is_processed_as_usual(
    operating: Operating, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """It keeps its original headers. Sent a second time, it is a duplicate."""
    mine, log = payment(), Log()
    broken = log.create(mine) if kind == "command" else log.webhook(mine, "succeeded")
    async with operating.group.worker(*ALL) as worker:
        with monkeypatch.context() as defect:
            defect.setattr(worker.processor, "_decoder", _DecodesNothing())
            (first,) = await operating.process(worker, broken)
        (dead_letter,) = await operating.dead_letters(mine.encode())
        await operating.replay_dead_letters(dead_letter.position)
        (again,) = await operating.new_records()
        assert again.headers == broken.headers
        await worker.process(again)
        became = "applied" if kind == "command" else "parked"
        assert await operating.group.outcomes(first, again) == [None, became]
        await operating.replay_dead_letters(dead_letter.position, again=True)
        (third,) = await operating.new_records()
        await worker.process(third)
        assert await operating.group.outcomes(again, third) == [became, None]
        assert worker.count("payments_inputs_total", outcome="duplicate", kind=_kind(kind)) == 1


def _kind(kind: str) -> str:
    return "command.create" if kind == "command" else "stripe.payment_intent.succeeded"


async def test_nothing_is_sent_twice_by_accident(operating: Operating) -> None:
    """Dead letters already sent are left out and counted, unless ``again`` is set."""
    mine = payment()
    async with operating.group.worker(*ALL) as worker:
        dead_letter = await _dead_letter(operating, worker, mine)
    assert (await operating.replay_dead_letters(dead_letter.position)).sent == 1
    second = await operating.replay_dead_letters(dead_letter.position)
    assert (second.sent, second.already_sent, second.is_done) == (0, 1, True)
    assert "1 left out: they were sent before" in "\n".join(dead_letters.describe_replay(second))
    assert len(await operating.new_records()) == 1
    assert (await operating.replay_dead_letters(dead_letter.position, again=True)).sent == 1


async def test_many_dead_letters_are_sent_in_chunks_and_each_once(
    operating: Operating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last chunk may be smaller than the others."""
    monkeypatch.setattr(dead_letters, "CHUNK_RECORDS", 2)
    mine = [payment() for _ in range(5)]
    async with operating.group.worker(*ALL) as worker:
        places = [(await _dead_letter(operating, worker, one)).position for one in mine]
    assert (await operating.replay_dead_letters(*places)).sent == 5
    assert sorted(record.key or b"" for record in await operating.new_records()) == sorted(
        one.encode() for one in mine
    )


async def test_an_unacknowledged_dead_letter_is_not_recorded_as_sent(operating: Operating) -> None:
    """The next replay sends it."""
    async with operating.group.worker(*ALL) as worker:
        dead_letter = await _dead_letter(operating, worker, payment())
    outbox = RecordingSender(failures=[PublishError("no acknowledgement")])
    with pytest.raises(PublishError):
        await dead_letters.replay(
            operating.group.bootstrap, operating.database_url, outbox, {dead_letter.position},
            operating.clock,
        )  # fmt: skip
    assert await dead_letters.replayed(operating.database_url) == {}
    assert (await operating.replay_dead_letters(dead_letter.position)).sent == 1


async def test_a_part_of_a_record_is_never_sent_as_the_record(operating: Operating) -> None:
    """The header says what was cut. The log has the whole record."""
    key = uuid.uuid4().hex.encode()
    origin = [(headers.ORIGINAL_TOPIC, PAYMENT_COMMANDS.encode()), (headers.ALTERED, b"it is cut")]
    await operating.sender.send([ProducerRecord(DEAD_LETTERS, key, b"{}", origin)])
    (dead_letter,) = await operating.dead_letters(key)
    found = await operating.replay_dead_letters(dead_letter.position)
    assert (found.sent, found.altered, found.is_done) == (0, 1, False)
    assert "1 left out: they are not the whole record" in "\n".join(
        dead_letters.describe_replay(found)
    )
    assert "not the whole original record: it is cut" in dead_letters.describe(dead_letter, None)


async def test_unknown_origins_and_missing_positions_are_reported(operating: Operating) -> None:
    """One record on the topic has no origin headers; one position has no dead letter."""
    key = uuid.uuid4().hex.encode()
    await operating.sender.send([ProducerRecord(DEAD_LETTERS, key, b"{}", ())])
    (dead_letter,) = await operating.dead_letters(key)
    nowhere = replace(dead_letter, position=(0, 10**9)).position
    sent = await operating.replay_dead_letters(dead_letter.position, nowhere)
    assert (sent.sent, sent.unknown_origin, sent.missing, sent.is_done) == (0, 1, (nowhere,), False)
    text = "\n".join(dead_letters.describe_replay(sent))
    assert "1 left out: their original topic is unknown" in text
    assert "0:1000000000 is not on the topic" in text


@pytest.mark.parametrize("text", ["", "1", "a:b", "1:"])
def test_a_malformed_position_is_refused(text: str) -> None:
    """The only format is PARTITION:OFFSET."""
    with pytest.raises(ValueError, match="not PARTITION:OFFSET"):
        dead_letters.parse_position(text)
