"""Figures of a store in use are judged, and kept part by part."""

from pathlib import Path
from typing import Any

import pytest

from bench.errors import BenchError
from bench.in_use import figures
from bench.in_use.figures import Figure, Result
from bench.in_use.hot import Hot
from bench.in_use.reads import CLIENTS, _Clients, _read_times


def _result(value: float) -> Result:
    return Result([Figure("audit", "s", value, at_most=180)], ["a table"], {"measured at": "now"})


def test_a_figure_is_met_up_to_its_limit() -> None:
    """One without a limit always is."""
    assert Figure("audit", "s", 180, at_most=180).is_met
    assert not Figure("audit", "s", 181, at_most=180).is_met
    assert Figure("audit", "s", 181).is_met


def test_parts_are_kept_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that were not measured again stay as they are; the order is always the same."""
    monkeypatch.setattr(figures, "RESULTS", tmp_path)
    assert figures._kept() == {}
    first, second = list(figures.PARTS)[:2]
    figures._keep({second: _result(200), first: _result(100)})
    kept = figures._kept()
    assert list(kept) == [first, second]
    figures._keep({**kept, first: _result(170)})
    assert figures._kept() == {first: _result(170), second: _result(200)}
    report = (tmp_path / "year.md").read_text()
    lines = [[cell.strip() for cell in line.split("|")] for line in report.splitlines()]
    found = [cells[2:5] for cells in lines if cells[1:2] == ["audit"]]
    assert found == [["**170** s", "180", "met"], ["**200** s", "180", "not met"]]


def test_ends_of_a_hot_payment_are_medians() -> None:
    """One slow batch is no trend."""
    found = Hot([1.0, 9.0, 2.0, 5.0, 3.0, 30.0, 4.0], 100)
    assert (found.first_ms, found.last_ms) == (2.0, 4.0)


def test_response_times_are_percentiles() -> None:
    """In milliseconds."""
    found = _read_times("page", [n / 1000 for n in range(101)])
    assert (found.p50_ms, found.p99_ms) == (50.0, 99.0)


@pytest.mark.anyio
async def test_each_client_has_one_request_at_a_time() -> None:
    """All requests are sent, and an answer other than 200 is an error."""
    sent: list[Any] = []

    class Sent:
        def send(self, request: bytes) -> None:
            sent.append(request)

    connections: list[Any] = [Sent() for _ in range(CLIENTS)]
    clients = _Clients([b"%d" % n for n in range(CLIENTS + 1)])
    for connection in connections:
        clients.begin(connection)
    assert len(sent) == CLIENTS
    for connection in (*connections, connections[0]):
        clients.answered(connection, b"200", 0.01)
    await clients.done
    assert len(sent) == len(clients.seconds) == CLIENTS + 1
    broken = _Clients([b"1"])
    broken.answered(connections[0], b"503", 0.01)
    with pytest.raises(BenchError, match="503"):
        await broken.done
