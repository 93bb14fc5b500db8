"""The last commands of the log: where each payment's create and each operation's command is.

Two generations of entries: once the younger one is full, it becomes the older one, and the former
older one is dropped. So between half of the capacity and all of it is kept, without an order of all
entries, and from a known offset of each partition on nothing is missing.
"""

from collections.abc import Mapping
from typing import Final, Generic, TypeVar

import msgspec

#: Most entries: a create has two, any other command one. An entry takes about 160 bytes.
ENTRIES_MAX: Final = 200_000
#: Most bytes of commands kept as they are. Any other command of the window is read from the log.
VALUES_BYTES_MAX: Final = 8 * 1024 * 1024
_OFFSET_BITS: Final = 48

K = TypeVar("K")
V = TypeVar("V")


class _Head(msgspec.Struct, gc=False):
    """The two fields of a command that the window needs; all others are skipped."""

    type: str
    event_id: str


_HEAD: Final = msgspec.json.Decoder(_Head)
#: The commands of clients. An operator's release is none.
_COMMANDS: Final = frozenset({"create", "confirm", "capture", "cancel", "refund"})


class _Generations(Generic[K, V]):
    """A map of two generations. An entry that is there is not replaced."""

    def __init__(self) -> None:
        self.young: dict[K, V] = {}
        self.old: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        found = self.old.get(key)
        return self.young.get(key) if found is None else found

    def put(self, key: K, value: V) -> None:
        if key not in self.old:
            self.young.setdefault(key, value)

    def turn(self) -> None:
        self.old, self.young = self.young, {}


class CommandWindow:
    """Which commands the log has, from some offset of each partition on to what was added last."""

    def __init__(
        self, entries_max: int = ENTRIES_MAX, values_bytes_max: int = VALUES_BYTES_MAX
    ) -> None:
        self._half = max(1, entries_max // 2)
        self._values_half = values_bytes_max // 2
        #: The offset after what was added last, by partition.
        self._next: dict[int, int] = {}
        self._begins: dict[int, int] = {}
        self._begins_of_young: dict[int, int] = {}
        self._clear()

    def _clear(self) -> None:
        self._creates = _Generations[bytes, int]()
        self._commands = _Generations[str, int]()
        self._values = _Generations[int, bytes]()
        self._values_bytes = 0

    @property
    def commands_max(self) -> int:
        """How many creates it keeps in any case."""
        return self._half // 2

    def restart(self, begins: Mapping[int, int]) -> None:
        """Forgets everything. What is added next begins at these offsets, by partition."""
        self._clear()
        self._next, self._begins = dict(begins), dict(begins)
        self._begins_of_young = dict(begins)

    def begin(self, partition: int) -> int:
        """Returns the offset from which on nothing of this partition is missing."""
        return self._begins[partition]

    def add(self, partition: int, offset: int, payment_id: bytes | None, value: bytes) -> None:
        """Adds a record, unless it is no command. Of two with one event ID the first counts."""
        if len(self._creates.young) + len(self._commands.young) >= self._half:
            self._turn()
        self._next[partition] = offset + 1
        try:
            head = _HEAD.decode(value)
        except (msgspec.DecodeError, UnicodeError):
            return
        if payment_id is None or head.type not in _COMMANDS:
            return
        position = partition << _OFFSET_BITS | offset
        if head.type == "create":
            self._creates.put(payment_id, position)
        self._commands.put(head.event_id, position)
        self._keep(position, value)

    def create_of(self, payment_id: str) -> tuple[int, int] | None:
        """Returns partition and offset of the payment's first create."""
        return _at(self._creates.get(payment_id.encode()))

    def command_of(self, event_id: str) -> tuple[int, int] | None:
        """Returns partition and offset of the first command with this event ID."""
        return _at(self._commands.get(event_id))

    def value(self, partition: int, offset: int) -> bytes | None:
        """Returns the command at this place, if it is one of the last."""
        return self._values.get(partition << _OFFSET_BITS | offset)

    def _turn(self) -> None:
        self._creates.turn()
        self._commands.turn()
        self._begins, self._begins_of_young = self._begins_of_young, dict(self._next)

    def _keep(self, position: int, value: bytes) -> None:
        self._values_bytes += len(value)
        if self._values_bytes > self._values_half:
            self._values.turn()
            self._values_bytes = len(value)
        self._values.put(position, value)


def _at(position: int | None) -> tuple[int, int] | None:
    return None if position is None else divmod(position, 1 << _OFFSET_BITS)
