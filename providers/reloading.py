"""A mapping that follows the files it was made from, so that a program needs no restart.

At most once a second a look-up asks the file system whether a file has changed. A file that is
wrong then changes nothing: what was right before stays, and the log says why.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from time import monotonic
from typing import Final, TypeVar

from runtime.logs import get_logger
from schemas.settings import SettingsError

log = get_logger(__name__)

EVERY_S: Final = 1.0
T = TypeVar("T")
#: A file's modification time in nanoseconds, its size and its inode; None if it is not there.
_Stamp = tuple[int, int, int] | None
#: A mapping, and the files that it was made from.
Made = tuple[Mapping[str, T], tuple[Path, ...]]


class Reloading(Mapping[str, T]):
    """What ``make`` returns: made again once one of the files that it was made from has changed.

    Args:
        make: returns the mapping, and the files it stands on. Raises SettingsError.
        now: seconds of a clock that never goes back.
        looks_for_unknown: an unknown name is looked for in the files at once. Not for names that
            anybody can send: each would cost a look at every file.
    """

    def __init__(
        self,
        make: Callable[[], Made[T]],
        now: Callable[[], float] = monotonic,
        *,
        looks_for_unknown: bool = False,
    ) -> None:
        self._make, self._now = make, now
        self._looks_for_unknown = looks_for_unknown
        #: Why the file is not followed at the moment; it is read again every second.
        self._refused = ""
        self._current, self._files, self._stamps = self._made()
        self._next_at = now() + EVERY_S

    def __getitem__(self, name: str) -> T:
        """Returns the value of the name. Raises KeyError."""
        if self._looks_for_unknown and name not in self._latest():
            self._next_at = min(self._next_at, self._now())
        return self._latest()[name]

    def __iter__(self) -> Iterator[str]:
        """Yields the names."""
        return iter(self._latest())

    def __len__(self) -> int:
        """Returns the number of names."""
        return len(self._latest())

    def _latest(self) -> Mapping[str, T]:
        if self._files and self._now() >= self._next_at:
            self._next_at = self._now() + EVERY_S
            if _stamps(self._files) != self._stamps:
                self._reload()
        return self._current

    def _reload(self) -> None:
        try:
            self._current, self._files, self._stamps = self._made()
        except SettingsError as error:
            if self._refused != str(error):
                log.error("accounts.not_reloaded", reason=str(error))  # noqa: TRY400  # says it all
            self._refused = str(error)
            return
        self._refused = ""
        log.info("accounts.reloaded", names=sorted(self._current))

    def _made(self) -> tuple[Mapping[str, T], tuple[Path, ...], tuple[_Stamp, ...]]:
        """Makes it twice: which files there are is known after the first time only."""
        _, files = self._make()
        stamps = _stamps(files)  # before they are read, so that no change is missed
        current, files = self._make()
        return current, files, stamps


def _stamps(files: Iterable[Path]) -> tuple[_Stamp, ...]:
    return tuple(_stamp(file) for file in files)


def _stamp(file: Path) -> _Stamp:
    try:
        found = file.stat()
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
