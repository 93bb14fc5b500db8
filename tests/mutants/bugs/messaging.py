"""Bugs of the producer that all programs share."""

from typing import Final

from tests.mutants.planted import Bug

_ROOM: Final = "tests/messaging/test_room.py::test_{}"

BUGS: Final = (
    Bug(
        "messaging",
        "messaging.room:Room.give_back",
        "self._bytes -= size",
        "self._bytes -= 0",
        "after 64 MiB in all every record is refused until a restart",
        (_ROOM.format("bytes_are_given_back"),),
    ),
    Bug(
        "messaging",
        "messaging.room:Room.give_back",
        "self._records -= 1",
        "self._records -= 0",
        "after 4096 records in all every record is refused until a restart",
        (_ROOM.format("bytes_are_given_back"),),
    ),
    Bug(
        "messaging",
        "messaging.room:Room.give_back",
        "self._freed.set()",
        "self._freed.clear()",
        "a sender that waits for room waits for ever",
        (_ROOM.format("who_waits_goes_on_when_there_is_room"),),
    ),
)
