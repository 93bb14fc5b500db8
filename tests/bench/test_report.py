"""The tables of figures: ratios of one round's turns, first of all."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.benchmarks import BENCHMARKS, BY_NAME, chosen
from bench.report import PER_CPU_SECOND, Report, table
from bench.samples import Benchmark, Sample


async def _never(*_: Any) -> Sample:
    raise AssertionError("a report runs nothing")


OURS = Benchmark("ours", "what we do", _never, beside=("theirs",))
THEIRS = Benchmark("theirs", "what they do", _never)
SAMPLES = {
    "ours": [
        Sample(100, 1.0, {"all_cpu_us": 400.0}),
        Sample(300, 1.0, {"all_cpu_us": 100.0}),
        Sample(900, 3.0, {"all_cpu_us": 500.0}),
    ],
    "theirs": [
        Sample(100, 2.0, {"all_cpu_us": 600.0, "p50_ms": 4.0}),
        Sample(50, 1.0, {"all_cpu_us": 900.0}),
        Sample(10, 1.0, {"all_cpu_us": 1000.0}),
    ],
}
REPORT = Report("speed", (OURS, THEIRS), SAMPLES, {"commit": "abc", "versions": {"kafka": "4"}})


def test_a_ratio_is_taken_within_a_round() -> None:
    """The median of the rounds' ratios, not the ratio of the medians."""
    ratio = REPORT.ratios()["ours", "theirs"]
    assert (ratio.least, ratio.median, ratio.greatest) == (2.0, 6.0, 30.0)


def test_less_processor_time_is_more_per_cpu_second() -> None:
    """Twice the processor time for the same work is half as much per second of it."""
    ratio = REPORT.ratios(PER_CPU_SECOND)["ours", "theirs"]
    assert (ratio.least, ratio.median, ratio.greatest) == pytest.approx((1.5, 2.0, 9.0))


def test_ratios_come_before_figures() -> None:
    """A reader meets the comparison first, then what was measured, then on what."""
    text = REPORT.as_markdown()
    places = [
        text.index(part) for part in ("ours / theirs", "what we do", "commit: abc", "kafka 4")
    ]
    assert places == sorted(places)


def test_a_column_stands_where_anyone_has_its_figure() -> None:
    """Latency has a column as soon as one benchmark has it, and the others' cells are empty."""
    text = REPORT.as_markdown()
    assert "p50 ms" in text
    assert "p99 ms" not in text


def test_results_are_written_over_the_last_ones(tmp_path: Path) -> None:
    """One Markdown and one JSON file per kind, whatever the number of runs."""
    REPORT.keep(tmp_path)
    REPORT.keep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["speed.json", "speed.md"]
    kept = json.loads((tmp_path / "speed.json").read_text())
    assert kept["ratios"]["per_second"] == {"ours / theirs": 6.0}
    assert kept["ratios"]["per_cpu_second"] == {"ours / theirs": 2.0}
    assert [r["count"] for r in kept["benchmarks"]["ours"]["rounds"]] == [100, 300, 900]


def test_a_table_reads_as_one_in_a_terminal() -> None:
    """Its columns are aligned."""
    assert table(["a", "long"], [["wide cell", "b"]]).splitlines() == [
        "| a         | long |",
        "| --------- | ---- |",
        "| wide cell | b    |",
    ]


@pytest.mark.parametrize("benchmark", BENCHMARKS, ids=lambda b: b.name)
def test_whoever_is_compared_with_is_in_the_table_and_runs_too(benchmark: Benchmark) -> None:
    """A choice brings its comparisons along, which are of the same kind."""
    names = {each.name for each in chosen([benchmark.name])}
    assert {benchmark.name, *benchmark.beside} <= names
    assert {BY_NAME[name].kind for name in benchmark.beside} <= {benchmark.kind}
