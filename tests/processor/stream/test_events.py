"""What Faust hands over becomes a record, whatever is missing in it."""

from msgspec.structs import replace

from ports.records import Unreadable
from processor.stream.events import as_record
from tests.support.builders import Log, payment
from tests.support.fake_faust import event


def test_an_event_is_its_record() -> None:
    """Position, key, value, headers and time."""
    record = Log(partition=2).webhook(payment("one"), "succeeded")
    assert as_record(event(record)) == record


def test_an_empty_value_that_is_unreadable_stays_unreadable() -> None:
    """The reason says which offsets of the log were lost in the same batch."""
    record = replace(Log().create(payment("one")), value=Unreadable(b"", "offsets 3 to 7"))
    value = as_record(event(record)).value
    assert isinstance(value, Unreadable)
    assert value.why == "offsets 3 to 7"
