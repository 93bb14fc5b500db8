"""How far a long command is."""

from typing import Protocol


class Report(Protocol):
    """Shows a person, or a log, how far a command is."""

    def __call__(self, what: str, done: int, total: int, at: str = "") -> None:
        """Shows progress. Called often: not every call is to be seen.

        Args:
            what: what is counted, in the plural. A new one starts a new count.
            done: how many are done.
            total: how many there are.
            at: where to go on after an interruption.
        """


def ignore(what: str, done: int, total: int, at: str = "") -> None:
    """Shows nothing."""
