"""The report of a run: ratios, targets, figures and the machine, as tables and charts."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from statistics import median
from typing import Any, Final

from bench.figures import images
from bench.figures.targets import TARGETS, Judged, judge
from bench.load.samples import Benchmark, Sample, Samples, Spread, spread

Figure = Callable[[Sample], float]

PER_SECOND: Final = attrgetter("per_second")
PER_CPU_SECOND: Final = attrgetter("per_cpu_second")

RESULTS: Final = Path(__file__).parents[1] / "results"
#: Other figures, which have a column if any benchmark of the table has them.
COLUMNS: Final = {
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "cpu_us": "own CPU, µs each",
    "all_cpu_us": "all CPU, µs each",
    "rss_mib": "memory, MiB",
    "wal_bytes": "WAL, bytes each",
    "hot_percent": "HOT updates, %",
}
NOTES: Final = """\
Figures are medians of the rounds. A ratio is computed within each round. Latencies are the response
times at full load, in a closed loop. Latencies at a share of the capacity are from a webhook's
arrival to its record, in an open loop. Memory is the sum over all measured processes. Own CPU is
the benchmarked program's. All CPU adds that of Kafka and Postgres; ratios per CPU second use it,
because the machine's other load affects it far less than the wall clock."""


@dataclass(frozen=True)
class Report:
    """One kind's results. ``samples`` has each benchmark's turns, a round's at the same index."""

    kind: str
    benchmarks: Sequence[Benchmark]
    samples: Samples
    about: Mapping[str, Any]

    def ratios(self, figure: Figure = PER_SECOND) -> dict[tuple[str, str], Spread]:
        """Each benchmark's ratios to those it is compared with, within rounds."""
        return {
            (b.name, name): spread(
                [
                    figure(own) / figure(other)
                    for own, other in zip(self.samples[b.name], self.samples[name], strict=True)
                ]
            )
            for b in self.benchmarks
            for name in b.compared_with
        }

    def judged(self) -> list[Judged]:
        """The judged targets of these benchmarks, which may compare with another kind's."""
        names = {benchmark.name for benchmark in self.benchmarks}
        return judge(self.samples, [target for target in TARGETS if target.row in names])

    def images(self) -> dict[str, str]:
        """SVG by the name of its file."""
        ratios = {
            "per second": self.ratios(),
            "per CPU second": self.ratios(PER_CPU_SECOND),
        }
        return images.charts(
            self.kind, ratios, {b.name: self.samples[b.name] for b in self.benchmarks}
        )

    def as_markdown(self) -> str:
        """The report for people, in Markdown."""
        by_cpu = self.ratios(PER_CPU_SECOND)
        ratios = [
            [f"{a} / {b}", *_times(by_clock), *_times(by_cpu[a, b])]
            for (a, b), by_clock in self.ratios().items()
        ]
        parts = [
            f"# Benchmarks: {self.kind}",
            table(["ratio", "per second", "rounds", "per CPU second", "rounds"], ratios),
            self._targets(),
            "## Figures",
            self._figures(),
            NOTES,
            "\n".join(f"![{name.removesuffix('.svg')}]({name})" for name in self.images()),
            "\n".join(f"- {name}: {_text(value)}" for name, value in self.about.items()),
        ]
        return "\n\n".join(part for part in parts if part) + "\n"

    def _targets(self) -> str:
        rows = [
            [each.target.text, f"**{each.measured:,.4g}**", "met" if each.is_met else "not met"]
            for each in self.judged()
        ]
        found = table(["target", "measured", ""], rows)
        return found and f"## Targets\n\n{found}"

    def _figures(self) -> str:
        columns = [
            name
            for name in COLUMNS
            if any(name in s.others for b in self.samples.values() for s in b)
        ]
        rows = []
        for b in self.benchmarks:
            turns = self.samples[b.name]
            found = spread([turn.per_second for turn in turns])
            rows.append([
                b.name, f"**{found.median:,.0f}**", f"{found.least:,.0f} to {found.greatest:,.0f}",
                *(_median(turns, name) for name in columns), b.what,
            ])  # fmt: skip
        heads = ["benchmark", "per second", "rounds", *(COLUMNS[name] for name in columns), "what"]
        return table(heads, rows)

    def as_json(self) -> str:
        """The report for programs, in JSON, with every turn of every benchmark."""
        found = {
            "kind": self.kind,
            "about": self.about,
            "ratios": {
                name: {f"{a} / {b}": _rounded(r.median) for (a, b), r in self.ratios(f).items()}
                for name, f in (("per_second", PER_SECOND), ("per_cpu_second", PER_CPU_SECOND))
            },
            "targets": {
                each.target.text: {"measured": _rounded(each.measured), "met": each.is_met}
                for each in self.judged()
            },
            "benchmarks": {
                b.name: {
                    "what": b.what,
                    "per_second": _rounded(median(s.per_second for s in self.samples[b.name])),
                    "rounds": [
                        {"count": s.count, "seconds": _rounded(s.seconds)}
                        | {name: _rounded(value) for name, value in s.others.items()}
                        for s in self.samples[b.name]
                    ],
                }
                for b in self.benchmarks
            },
        }
        return json.dumps(found, indent=1) + "\n"

    def keep(self, folder: Path = RESULTS) -> list[Path]:
        """Writes all files, replacing older ones."""
        folder.mkdir(parents=True, exist_ok=True)
        written = {
            f"{self.kind}.md": self.as_markdown(),
            f"{self.kind}.json": self.as_json(),
            **self.images(),
        }
        for name, text in written.items():
            (folder / name).write_text(text, encoding="utf-8")
        return [folder / name for name in written]


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with aligned columns; empty without rows."""
    if not rows:
        return ""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    rule = ["-" * width for width in widths]
    return "\n".join(_line(cells, widths) for cells in (heads, rule, *rows))


def _line(cells: Iterable[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |"


def _times(ratio: Spread) -> tuple[str, str]:
    return f"**{ratio.median:.2f}**", f"{ratio.least:.2f} to {ratio.greatest:.2f}"


def _median(turns: Sequence[Sample], name: str) -> str:
    found = [turn.others[name] for turn in turns if name in turn.others]
    return f"{median(found):,.0f}" if found else ""


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {each}" for name, each in value.items())
    return str(value)


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
