"""Shows on standard error how far a long command is, at which rate, and how long it will take."""

import sys
from collections.abc import Callable
from time import monotonic
from typing import Final, TextIO

from ports.texts import printable

#: Seconds between two texts: where a person watches, and in a log.
WATCHED_S: Final = 0.5
LOGGED_S: Final = 30.0
_CLEAR: Final = "\r\x1b[K"


class Progress:
    """One line that is written again and again on a terminal; a line now and then elsewhere."""

    def __init__(
        self, stream: TextIO | None = None, clock: Callable[[], float] = monotonic
    ) -> None:
        self._stream, self._clock = stream or sys.stderr, clock
        self._is_watched = self._stream.isatty()
        self._what = ""
        self._first = 0
        self._begun = self._shown = clock()

    def __call__(self, what: str, done: int, total: int, at: str = "") -> None:
        """See ``processor.ops.progress.Report``."""
        now = self._clock()
        if what != self._what:
            self._what, self._first, self._begun = what, done, now
        if now - self._shown < (WATCHED_S if self._is_watched else LOGGED_S):
            return
        self._shown = now
        text = f"{done:,} of {total:,} {what}{self._pace(done, total, now)}"
        if self._is_watched:
            self._write(f"{_CLEAR}{text}")
        else:
            self.say(f"{text}; goes on with --from {at}" if at else text)

    def _pace(self, done: int, total: int, now: float) -> str:
        rate = (done - self._first) / max(now - self._begun, 1e-9)
        if rate <= 0:
            return ""
        return f", {rate:,.0f} a second, {_duration((total - done) / rate)} left"

    def say(self, text: str) -> None:
        """Writes a line that stays."""
        self.close()
        self._write(printable(text) + "\n")

    def close(self) -> None:
        """Removes the line from the terminal."""
        if self._is_watched:
            self._write(_CLEAR)

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def _duration(seconds: float) -> str:
    whole = max(0, round(seconds))
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {whole % 60:02} s" if minutes else f"{whole} s"
