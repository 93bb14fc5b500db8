"""Start-up of a worker process: garbage collection and the limit on connections."""

import gc
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from ingress import bootstrap
from ingress.serve import FACTORY

ROOT = Path(__file__).parents[3]


@pytest.fixture
def collector() -> Iterator[None]:
    """Unfreezes all objects; restores the collector's thresholds after the test."""
    thresholds = gc.get_threshold()
    gc.unfreeze()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


@pytest.mark.usefixtures("collector")
def test_garbage_collection_skips_objects_from_start_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scanning them would pause requests."""
    made, garbage = FastAPI(), FastAPI()
    gone = weakref.ref(garbage)
    monkeypatch.setattr(bootstrap, "application", lambda: made)
    del garbage  # it is in a reference cycle
    assert bootstrap.worker_application() is made
    everything = gc.get_freeze_count()
    assert everything > 10_000
    gc.collect()
    assert len(gc.get_objects()) < everything / 10
    assert gone() is None
    assert gc.get_threshold()[0] > 10_000


def test_every_worker_starts_this_way() -> None:
    """Uvicorn is given the name of this factory."""
    module, name = FACTORY.split(":")
    assert (module, getattr(bootstrap, name)) == (bootstrap.__name__, bootstrap.worker_application)


LIMITS = """
import resource, sys
from ingress.http import open_files
from schemas.settings import IngressSettings, SettingsError
from ingress.bootstrap import connection_limits
soft, hard, wanted = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
settings = IngressSettings(api_keys={"0" * 64: "acme"}, max_connections=wanted)
try:
    limits = connection_limits(settings)
except SettingsError as error:
    print(error)
else:
    print(limits.connections, limits.open_files, resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "printed"),
    [
        (256, 1024, 4096, "896 1024 (1024, 1024)"),
        (256, 1024, 500, "500 628 (628, 1024)"),
        (100, 100, 4096, "this process may open 100 files, but needs at least 144"),
    ],
)
def test_connections_stay_below_the_limit_of_open_files(
    soft: int, hard: int, wanted: int, printed: str
) -> None:
    """The soft limit is raised as needed; the remaining files limit the connections."""
    command = (sys.executable, "-c", LIMITS, *map(str, (soft, hard, wanted)))
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)  # noqa: S603  # our own
    assert done.stdout.startswith(printed)
