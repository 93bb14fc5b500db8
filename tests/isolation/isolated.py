"""Isolates a test program like a test session."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from runtime import logs
from tests.isolation import environment
from tests.isolation.leftovers import Watch


@contextmanager
def isolated() -> Iterator[None]:
    """Clean the environment, handle SIGTERM like Ctrl-C, and leave no process running."""
    environment.clean(os.environ)
    logs.configure_structlog()
    watch = Watch(os.environ)
    signal.signal(signal.SIGTERM, handle_sigterm)
    try:
        yield
    finally:
        watch.close(0)


def handle_sigterm(_number: int, frame: FrameType | None) -> None:
    """Handle SIGTERM like Ctrl-C; a second one ends the process at once."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    on_ctrl_c = signal.getsignal(signal.SIGINT)  # an event loop may have its own
    if callable(on_ctrl_c):
        on_ctrl_c(signal.SIGINT, frame)
    else:  # a shell's background process ignores Ctrl-C
        raise KeyboardInterrupt
