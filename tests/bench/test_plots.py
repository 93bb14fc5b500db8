"""Charts are equal for equal figures, and self-contained."""

import re
from math import nan
from xml.etree import ElementTree as ET

import pytest

from bench.figures.plots import bars
from bench.load.samples import Spread

ROWS = ("a / b", "c / d")
SERIES = {"clock": (Spread(2.0, 1.0, 3.0), Spread(6.0, 5.0, 7.0))}
SVG = "{http://www.w3.org/2000/svg}"


def _chart(name: str = "some") -> ET.Element:
    return ET.fromstring(bars(name, "A title", ROWS, SERIES, 1))  # noqa: S314  # our own


def _lengths(shown: ET.Element) -> list[float]:
    return [
        float(bar.attrib["width"])
        for bar in shown.iter(f"{SVG}rect")
        if bar.attrib.get("class", "").startswith("rect ")
    ]


def test_equal_figures_make_equal_images() -> None:
    """A run with the same figures changes no file."""
    assert bars("some", "t", ROWS, SERIES, 1) == bars("some", "t", ROWS, SERIES, 1)


def test_a_chart_is_self_contained() -> None:
    """The file has no address except XML namespaces, no script and no date."""
    text = bars("some", "A title", ROWS, SERIES, 1)
    assert set(re.findall(r"https?://[^\"' <>]*", text)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert not re.search(r"<script|<!--|<\?|@import|url\(", text)


def test_a_bar_is_as_long_as_its_median() -> None:
    """A bar of six is three times as long as a bar of two."""
    lengths = _lengths(_chart())
    assert max(lengths) / min(lengths) == pytest.approx(3.0)
    assert len(lengths) == len(ROWS)


def test_a_line_shows_the_spread() -> None:
    """Each bar has a line from the minimum to the maximum."""
    shown = _chart()
    paths = [
        path.attrib["d"]
        for group in shown.iter(f"{SVG}g")
        if group.attrib.get("class") == "ci"
        for path in group.iter(f"{SVG}path")
    ]
    numbers = [[float(n) for n in re.findall(r"[ML](\S+) \S+", path)] for path in paths]
    spreads = [max(n) - min(n) for n in numbers]
    assert spreads == pytest.approx([min(_lengths(shown))] * 2, rel=1e-3)


def test_the_first_row_is_on_top() -> None:
    """Chart and table have the same order."""
    positions = {
        text.text: float(text.attrib["y"])
        for text in _chart().iter(f"{SVG}text")
        if text.text in ROWS
    }
    assert positions[ROWS[0]] < positions[ROWS[1]]


def test_a_missing_figure_has_no_bar() -> None:
    """Its row is shown, without a bar."""
    series = {"clock": (Spread(nan, nan, nan), Spread(6.0, 5.0, 7.0))}
    shown = bars("some", "t", ROWS, series, 1)
    assert shown.count('class="rect reactive') == 1
    assert "nan" not in shown
