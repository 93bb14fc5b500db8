"""The table of performance targets, and their comparison with the measured figures.

Targets without a measured figure are not judged. A missed target fails a run only with
``--strict``, because a busy machine also misses it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isnan, nan
from statistics import median
from typing import Final, Literal

from bench.load.samples import Sample, Samples


@dataclass(frozen=True, slots=True)
class Target:
    """A bound for one figure, or for the ratio of two.

    Args:
        row: the benchmark's name.
        bound: whether the limit is a minimum or a maximum.
        limit: in the figure's unit; a ratio has none.
        compared_with: for a ratio, the other benchmark's name. A ratio is within one round.
        figure: ``per_second``, or a name of ``Sample.others``.
    """

    row: str
    bound: Literal["at least", "at most"]
    limit: float
    compared_with: str | None = None
    figure: str = "per_second"

    @property
    def text(self) -> str:
        """The target, for a reader."""
        over = f" / {self.compared_with}" if self.compared_with else ""
        name, _, unit = self.figure.rpartition("_")
        unit_text = f", {name}" if self.compared_with else f", {name} {unit}"
        unit_text = "" if self.figure == "per_second" else unit_text
        return f"{self.row}{over}{unit_text}: {self.bound} {self.limit:,g}"


TARGETS: Final = (
    Target("processor", "at least", 8.0, compared_with="idiomatic_faust"),
    Target("processor", "at least", 0.8, compared_with="quix"),
    Target("processor", "at least", 0.5, compared_with="faust_read"),
    Target("ingress", "at least", 3.0, compared_with="sync_fastapi"),
    Target("ingress", "at most", 1.0, compared_with="sync_fastapi", figure="p99_ms"),
    Target("service", "at least", 1.5, compared_with="sync_fastapi"),
    Target("burst", "at least", 3.0, compared_with="burst_sync"),
    Target("latency_50", "at most", 150.0, figure="p99_ms"),
    Target("full_store", "at least", 0.9, compared_with="one_worker"),
)


@dataclass(frozen=True, slots=True)
class Judged:
    """A target and the median over the rounds."""

    target: Target
    measured: float

    @property
    def is_met(self) -> bool:
        """Whether the median is within the limit, inclusive."""
        limit = self.target.limit
        if self.target.bound == "at least":
            return self.measured >= limit
        return self.measured <= limit


def judge(samples: Samples, targets: Iterable[Target] = TARGETS) -> list[Judged]:
    """The targets whose figure was measured in every round."""
    found = [Judged(target, _measured(target, samples)) for target in targets]
    return [each for each in found if not isnan(each.measured)]


def summary(judged: Sequence[Judged]) -> str:
    """One line with the number of met targets."""
    return f"targets: {sum(each.is_met for each in judged)} of {len(judged)} met"


def _measured(target: Target, samples: Samples) -> float:
    own = [_figure(sample, target.figure) for sample in samples.get(target.row, ())]
    if target.compared_with is not None:
        others = [
            _figure(sample, target.figure) for sample in samples.get(target.compared_with, ())
        ]
        if len(own) != len(others):
            return nan
        own = [figure / other for figure, other in zip(own, others, strict=True)]
    return median(own) if own and not any(map(isnan, own)) else nan


def _figure(sample: Sample, name: str) -> float:
    return sample.per_second if name == "per_second" else sample.others.get(name, nan)
