"""Targets: which ones are judged, and when a target is met."""

import pytest

from bench import __main__ as program
from bench.benchmarks import BY_NAME
from bench.figures.targets import TARGETS, Judged, Target, judge, summary
from bench.load.samples import Sample

RATIO = Target("ours", "at least", 2.0, compared_with="theirs")
P99 = Target("ours", "at most", 150.0, figure="p99_ms")
P99_RATIO = Target("ours", "at most", 1.0, compared_with="theirs", figure="p99_ms")
SAMPLES = {
    "ours": [Sample(200, 1.0, {"p99_ms": p99}) for p99 in (100.0, 140.0, 900.0)],
    "theirs": [Sample(n, 1.0, {"p99_ms": 200.0}) for n in (100, 50, 400)],
}


def test_the_median_round_is_judged() -> None:
    """The median over the rounds counts, of ratios and of figures."""
    measured = [each.measured for each in judge(SAMPLES, (RATIO, P99, P99_RATIO))]
    assert measured == [2.0, 140.0, 0.7]


@pytest.mark.parametrize(
    ("target", "measured", "met"),
    [
        (RATIO, 2.0, True),
        (RATIO, 1.99, False),
        (P99, 150.0, True),
        (P99, 150.1, False),
    ],
)
def test_the_limit_is_inclusive(target: Target, measured: float, met: bool) -> None:  # noqa: FBT001
    """This holds for minimum and maximum."""
    assert Judged(target, measured).is_met is met


@pytest.mark.parametrize(
    "target",
    [
        Target("nobody", "at least", 1.0),
        Target("ours", "at least", 1.0, compared_with="nobody"),
        Target("ours", "at most", 1.0, figure="p98_ms"),
    ],
)
def test_a_missing_figure_is_not_judged(target: Target) -> None:
    """It is neither met nor missed."""
    assert judge(SAMPLES, (target,)) == []


def test_a_figure_that_a_round_lacks_is_not_judged() -> None:
    """A figure must be measured in every round to be judged."""
    samples = {"ours": [*SAMPLES["ours"], Sample(1, 1.0)]}
    assert judge(samples, (P99,)) == []


def test_the_summary_counts_met_targets() -> None:
    """It is one line."""
    judged = [Judged(RATIO, 3.0), Judged(RATIO, 1.0), Judged(P99, 1.0)]
    assert summary(judged) == "targets: 2 of 3 met"


@pytest.mark.parametrize(
    ("arguments", "measured", "code"),
    [([], 1.0, 0), (["--strict"], 1.0, 1), (["--strict"], 2.0, 0)],
)
def test_a_missed_target_fails_a_strict_run_only(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    measured: float,
    code: int,
) -> None:
    """In either case the last line counts the met targets."""
    judged = [Judged(RATIO, measured)]
    monkeypatch.setattr(program, "_run_all", lambda *_, **__: judged)
    assert program.main(arguments) == code
    assert capsys.readouterr().out.splitlines()[-1] == summary(judged)


def test_the_text_of_a_target() -> None:
    """A ratio has no unit; a figure has."""
    assert RATIO.text == "ours / theirs: at least 2"
    assert P99.text == "ours, p99 ms: at most 150"
    assert P99_RATIO.text == "ours / theirs, p99: at most 1"


@pytest.mark.parametrize("target", TARGETS, ids=lambda each: each.text)
def test_a_ratio_with_a_target_is_measured(target: Target) -> None:
    """Both benchmarks run in the same round."""
    if target.row in BY_NAME and target.compared_with is not None:
        assert target.compared_with in BY_NAME[target.row].compared_with
