"""Which commands a process knows, and from which offset on it knows all of them."""

from typing import Final

import pytest

from ingress.following.window import CommandWindow

CREATE: Final = b'{"type":"create","event_id":"%s","more":[1,{"a":2}]}'


def create(number: int) -> bytes:
    """Returns a create's value."""
    return CREATE % f"cmd_{number}".encode()


def filled(window: CommandWindow, offsets: range) -> None:
    """Adds a create at each of these offsets of partition 0."""
    for offset in offsets:
        window.add(0, offset, f"pay_{offset}".encode(), create(offset))


def test_a_create_is_found_by_its_payment_and_by_its_event() -> None:
    """With its place in the log, and as it is."""
    window = CommandWindow()
    window.restart({0: 0, 3: 7})
    window.add(3, 7, b"pay_a", create(1))
    assert (window.create_of("pay_a"), window.command_of("cmd_1")) == ((3, 7), (3, 7))
    assert window.value(3, 7) == create(1)
    assert (window.create_of("pay_b"), window.command_of("cmd_2")) == (None, None)


def test_another_command_is_found_by_its_event_alone() -> None:
    """It makes no payment."""
    window = CommandWindow()
    window.restart({0: 0})
    window.add(0, 0, b"pay_a", b'{"type":"cancel","event_id":"cmd_1"}')
    assert (window.create_of("pay_a"), window.command_of("cmd_1")) == (None, (0, 0))


@pytest.mark.parametrize("entries_max", [4, 100])
def test_of_two_creates_of_a_payment_the_first_counts(entries_max: int) -> None:
    """As in the stream. A retry is published twice at times, and another body under the key."""
    window = CommandWindow(entries_max=entries_max)
    window.restart({0: 0})
    for offset in (0, 1, 2):  # a small window turns in between
        window.add(0, offset, b"pay_a", create(offset // 2))
    assert (window.create_of("pay_a"), window.command_of("cmd_0")) == ((0, 0), (0, 0))


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"type":"create"}',
        b'{"type":1,"event_id":"cmd_1"}',
        b'{"type":"release","event_id":"rel_1"}',
    ],
)
def test_what_is_no_command_of_a_client_is_passed_over(value: bytes) -> None:
    """Anything can stand on a topic; what comes after it is found."""
    window = CommandWindow()
    window.restart({0: 0})
    window.add(0, 0, b"pay_a", value)
    window.add(0, 1, None, create(2))
    window.add(0, 2, b"pay_a", create(3))
    assert window.create_of("pay_a") == (0, 2)
    assert (window.command_of("rel_1"), window.command_of("cmd_2")) == (None, None)


def test_what_is_evicted_lies_before_the_beginning() -> None:
    """From the beginning on everything is found, and at least half of what fits is kept."""
    window = CommandWindow(entries_max=20)
    window.restart({0: 0, 1: 5})
    for end in range(1, 101):
        filled(window, range(end - 1, end))
        begin = window.begin(0)
        assert all(window.create_of(f"pay_{offset}") for offset in range(begin, end))
        assert window.create_of(f"pay_{begin - 1}") is None
        assert end - begin <= 10
        assert end - begin >= min(end, 5)


def test_an_idle_partition_begins_where_it_was_read_to() -> None:
    """Nothing of it was evicted, as there was nothing."""
    window = CommandWindow(entries_max=20)
    window.restart({0: 0, 1: 5})
    filled(window, range(100))
    assert window.begin(1) == 5


def test_only_the_last_commands_are_kept_as_they_are() -> None:
    """Their bytes are limited; where the others are is known."""
    window = CommandWindow(values_bytes_max=10 * len(create(10)))
    window.restart({0: 0})
    filled(window, range(10, 60))
    kept = [offset for offset in range(10, 60) if window.value(0, offset) is not None]
    assert kept == list(range(60 - len(kept), 60))
    assert 5 <= len(kept) <= 10
    assert window.create_of("pay_10") == (0, 10)


def test_a_restart_forgets_everything() -> None:
    """The log may be another one."""
    window = CommandWindow()
    window.restart({0: 0})
    filled(window, range(5))
    window.restart({0: 40})
    assert (window.create_of("pay_1"), window.value(0, 1), window.begin(0)) == (None, None, 40)
