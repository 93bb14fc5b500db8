"""Everything that reaches inside Faust, with its reason. faust-streaming is pinned because of it.

* ``noack_take`` is the only iteration that lets us acknowledge after our own commit, but it runs
  our code with no current event, and a table refuses to be used without one. ``as_current``
  sets it.
"""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from faust.streams import _current_event
from faust.types import EventT


@contextmanager
def as_current(event: EventT[Any]) -> Iterator[None]:
    """Table reads and writes inside go to the partition this event came from."""
    token = _current_event.set(weakref.ref(event))
    try:
        yield
    finally:
        _current_event.reset(token)
