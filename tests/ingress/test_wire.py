"""A worker's process is made for serving."""

import gc
import weakref
from collections.abc import Iterator

import pytest
from fastapi import FastAPI

from ingress import wire
from ingress.__main__ import FACTORY


@pytest.fixture
def collector() -> Iterator[None]:
    """Nothing is frozen yet; garbage is looked for as before, after the test."""
    thresholds = gc.get_threshold()
    gc.unfreeze()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


@pytest.mark.usefixtures("collector")
def test_what_is_there_for_good_is_no_garbage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests would stand still while all that was imported is gone through for garbage."""
    made, garbage = FastAPI(), FastAPI()
    gone = weakref.ref(garbage)
    monkeypatch.setattr(wire, "application", lambda: made)
    del garbage  # it refers to itself
    assert wire.worker() is made
    everything = gc.get_freeze_count()
    assert everything > 10_000
    gc.collect()
    assert len(gc.get_objects()) < everything / 10
    assert gone() is None
    assert gc.get_threshold()[0] > 10_000


def test_every_worker_is_made_so() -> None:
    """The factory that uvicorn is told, by name."""
    module, name = FACTORY.split(":")
    assert (module, getattr(wire, name)) == (wire.__name__, wire.worker)
