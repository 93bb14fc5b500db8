"""The charts of a kind's results, and their file names."""

from collections.abc import Mapping, Sequence
from math import nan
from typing import Final

from bench.figures.plots import bars
from bench.load.samples import Sample, Samples, Spread, spread

Ratios = Mapping[tuple[str, str], Spread]

NONE: Final = Spread(nan, nan, nan)
#: Latencies, drawn if any benchmark of the kind has them.
LATENCIES: Final = {"p50": "p50_ms", "p99": "p99_ms"}


def charts(kind: str, ratios: Mapping[str, Ratios], samples: Samples) -> dict[str, str]:
    """SVG by file name, without empty charts.

    ``ratios`` are by figure; each has the same pairs.
    """
    pairs = list(next(iter(ratios.values())))
    found: dict[str, str] = {}
    if pairs:
        name = f"{kind}-ratios"
        series = {legend: [each[pair] for pair in pairs] for legend, each in ratios.items()}
        rows = [f"{row} / {other}" for row, other in pairs]
        found[f"{name}.svg"] = bars(name, f"{kind}: ratios", rows, series, 2)
    name = f"{kind}-per-second"
    rates = [spread([turn.per_second for turn in turns]) for turns in samples.values()]
    found[f"{name}.svg"] = bars(name, f"{kind}: per second", list(samples), {"": rates}, 0)
    timed = [row for row, turns in samples.items() if any("p99_ms" in t.others for t in turns)]
    if timed:
        name = f"{kind}-latency"
        latencies = {
            legend: [_spread_of(samples[row], figure) for row in timed]
            for legend, figure in LATENCIES.items()
        }
        found[f"{name}.svg"] = bars(name, f"{kind}: latency, ms", timed, latencies, 0)
    return found


def _spread_of(turns: Sequence[Sample], figure: str) -> Spread:
    found = [turn.others[figure] for turn in turns if figure in turn.others]
    return spread(found) if found else NONE
