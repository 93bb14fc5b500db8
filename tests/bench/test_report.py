"""The report of a run: ratios, targets, figures."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.benchmarks import BENCHMARKS, BY_NAME, chosen
from bench.figures.report import PER_CPU_SECOND, Report, table
from bench.load.samples import Benchmark, Sample


async def _never(*_: Any) -> Sample:
    raise AssertionError("a report runs nothing")


OURS = Benchmark("ours", "our work", _never, compared_with=("theirs",))
THEIRS = Benchmark("theirs", "their work", _never)
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


def test_a_ratio_is_computed_within_a_round() -> None:
    """The figure is the median of the rounds' ratios, not the ratio of the medians."""
    ratio = REPORT.ratios()["ours", "theirs"]
    assert (ratio.least, ratio.median, ratio.greatest) == (2.0, 6.0, 30.0)


def test_less_cpu_time_is_more_per_cpu_second() -> None:
    """Twice the CPU time for the same work is half the work per CPU second."""
    ratio = REPORT.ratios(PER_CPU_SECOND)["ours", "theirs"]
    assert (ratio.least, ratio.median, ratio.greatest) == pytest.approx((1.5, 2.0, 9.0))


def test_ratios_come_before_figures() -> None:
    """The comparison comes first, then the figures, then the machine."""
    text = REPORT.as_markdown()
    positions = [
        text.index(part) for part in ("ours / theirs", "our work", "commit: abc", "kafka 4")
    ]
    assert positions == sorted(positions)


def test_a_column_exists_if_any_benchmark_has_its_figure() -> None:
    """The other benchmarks' cells are empty."""
    text = REPORT.as_markdown()
    assert "p50 ms" in text
    assert "p99 ms" not in text


def test_results_replace_the_last_ones(tmp_path: Path) -> None:
    """Each run writes the same files of its kind."""
    REPORT.keep(tmp_path)
    REPORT.keep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "speed-per-second.svg",
        "speed-ratios.svg",
        "speed.json",
        "speed.md",
    ]
    kept = json.loads((tmp_path / "speed.json").read_text())
    assert kept["ratios"]["per_second"] == {"ours / theirs": 6.0}
    assert kept["ratios"]["per_cpu_second"] == {"ours / theirs": 2.0}
    assert [r["count"] for r in kept["benchmarks"]["ours"]["rounds"]] == [100, 300, 900]


def test_every_image_is_shown(tmp_path: Path) -> None:
    """The Markdown links every stored image, and no other."""
    kept = {path.name for path in REPORT.keep(tmp_path)}
    shown = set(re.findall(r"\]\((.*?)\)", (tmp_path / "speed.md").read_text()))
    assert shown == {name for name in kept if name.endswith(".svg")}


def test_targets_come_after_the_ratios_of_their_kind() -> None:
    """A target has its measured value and whether it is met. Other kinds' targets are left out."""
    processor = replace(OURS, name="processor", compared_with=("quix",))
    quix = replace(THEIRS, name="quix")
    samples = {
        "processor": SAMPLES["ours"],
        "quix": SAMPLES["theirs"],
        "service": SAMPLES["ours"],
        "sync_fastapi": SAMPLES["theirs"],
    }
    report = Report("speed", (processor, quix), samples, {})
    text = report.as_markdown()
    assert re.search(r"processor / quix: at least 0.8 *\| \*\*6\*\* *\| met", text)
    assert "service / sync_fastapi" not in text
    assert text.index("per CPU second") < text.index("## Targets") < text.index("our work")
    (kept,) = json.loads(report.as_json())["targets"].values()
    assert kept == {"measured": 6.0, "met": True}


def test_a_report_without_targets_has_no_section_for_them() -> None:
    """No target was judged."""
    assert "Targets" not in REPORT.as_markdown()


def test_a_table_has_aligned_columns() -> None:
    """A person can read it in a terminal."""
    assert table(["a", "long"], [["wide cell", "b"]]).splitlines() == [
        "| a         | long |",
        "| --------- | ---- |",
        "| wide cell | b    |",
    ]


@pytest.mark.parametrize("benchmark", BENCHMARKS, ids=lambda b: b.name)
def test_compared_benchmarks_run_too(benchmark: Benchmark) -> None:
    """A chosen benchmark adds those that it is compared with. They are of the same kind."""
    names = {each.name for each in chosen([benchmark.name])}
    assert {benchmark.name, *benchmark.compared_with} <= names
    assert {BY_NAME[name].kind for name in benchmark.compared_with} <= {benchmark.kind}
