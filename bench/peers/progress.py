"""A measured program's progress, which it reports at ``/metrics``.

The benchmark reads it once, at the end, so no polling affects the figure.
"""

import time
from typing import Final

from prometheus_client import CollectorRegistry, Gauge

from runtime.health import Health
from runtime.health_server import serve
from schemas.settings import MetricsSettings, load

RECORDS: Final = "bench_records"
BYTES: Final = "bench_bytes"
LAST_AT: Final = "bench_last_at"


class Progress:
    """Counts the handled records and the last one's time; cheap enough for every record."""

    def __init__(self) -> None:
        self.records = 0
        self.bytes = 0
        self.last_at = 0.0

    def add(self, records: int, size: int) -> None:
        """Records that this many records, ``size`` bytes in total, were handled now."""
        self.records += records
        self.bytes += size
        self.last_at = time.time()


def serve_progress() -> tuple[Progress, Health]:
    """Serves on ``PAYMENTS_METRICS_PORT``; the program calls ``Health.update`` once it reads."""
    status, health, progress = load(MetricsSettings), Health(), Progress()
    registry = CollectorRegistry()
    for name, meaning, value in (
        (RECORDS, "Records handled.", lambda: progress.records),
        (BYTES, "Bytes of their values.", lambda: progress.bytes),
        (
            LAST_AT,
            "Time of the last one, in seconds since the epoch.",
            lambda: progress.last_at,
        ),
    ):
        Gauge(name, meaning, registry=registry).set_function(value)
    serve(status.metrics_host, status.metrics_port, registry, health)
    return progress, health
