"""A program of the tests, apart from the machine it runs on: as a test session is."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from runtime import logs
from tests.isolation import environment
from tests.isolation.leftovers import Watch


@contextmanager
def apart() -> Iterator[None]:
    """Clean the environment, end on SIGTERM as on Ctrl-C, and leave no process behind."""
    environment.clean(os.environ)
    logs.configure_structlog()
    watch = Watch(os.environ)
    signal.signal(signal.SIGTERM, end_in_good_order)
    try:
        yield
    finally:
        watch.close(0)


def end_in_good_order(_number: int, frame: FrameType | None) -> None:
    """What SIGTERM does: end as Ctrl-C does; the next one ends at once."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    on_ctrl_c = signal.getsignal(signal.SIGINT)  # an event loop may have its own
    if callable(on_ctrl_c):
        on_ctrl_c(signal.SIGINT, frame)
    else:  # where a shell runs this in the background, Ctrl-C is ignored
        raise KeyboardInterrupt
