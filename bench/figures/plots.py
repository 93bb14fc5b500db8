"""Bar charts in SVG: the median of the rounds, and a line from the least to the greatest.

Equal figures make equal files. The files need no external resources.
"""

import sys
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, Final
from xml.etree.ElementTree import Element

import pygal
from pygal.etree import etree
from pygal.style import Style

from bench.load.samples import Spread

# pygal's search for plug-ins fails with current importers, and there are no plug-ins.
sys.meta_path[:] = [each for each in sys.meta_path if hasattr(each, "find_spec")]

WIDTH: Final = 1000
BAR_HEIGHT: Final = 17
ROW_GAP: Final = 14
#: Title, axis and legend.
AROUND_BARS: Final = 150


def bars(
    name: str, title: str, rows: Sequence[str], series: Mapping[str, Sequence[Spread]], digits: int
) -> str:
    """A group of horizontal bars per row, one bar per series, from top to bottom.

    Args:
        name: makes the image's identifiers unique on a page.
        title: the bars' meaning and unit.
        rows: the labels of the groups.
        series: by legend, a figure per row; an infinite or NaN figure has no bar.
        digits: decimal places on the axis and in tooltips.
    """
    chart = pygal.HorizontalBar(
        style=_style(),
        js=[],
        disable_xml_declaration=True,
        explicit_size=True,
        width=WIDTH,
        height=AROUND_BARS + len(rows) * (ROW_GAP + BAR_HEIGHT * len(series)),
        title=title,
        show_legend=len(series) > 1,
        legend_at_bottom=True,
        truncate_label=-1,
        truncate_legend=-1,
        range=(0, max(_ends(series), default=1)),
        value_formatter=lambda value: f"{value:,.{digits}f}",
    )
    chart.uuid = name
    chart.add_xml_filter(_without_metadata)
    # pygal draws from bottom to top.
    chart.x_labels = list(reversed(rows))
    for legend, spreads in series.items():
        chart.add(legend, [_bar(spread) for spread in reversed(spreads)])
    return f"{chart.render(is_unicode=True)}\n"


def _ends(series: Mapping[str, Sequence[Spread]]) -> list[float]:
    found = [spread.greatest for spreads in series.values() for spread in spreads]
    return [end for end in found if isfinite(end)]


def _bar(spread: Spread) -> dict[str, Any] | None:
    if not isfinite(spread.median):
        return None
    return {"value": spread.median, "ci": {"low": spread.least, "high": spread.greatest}}


def _style() -> Style:
    return Style(
        background="white",
        plot_background="white",
        font_family="sans-serif",
        title_font_size=16,
        label_font_size=12,
        major_label_font_size=12,
        legend_font_size=12,
        guide_stroke_color="#ddd",
        major_guide_stroke_color="#ddd",
        guide_stroke_dasharray="0",
        major_guide_stroke_dasharray="0",
        colors=("#2b6cb0", "#a0c4e8"),
        opacity=".9",
    )


def _without_metadata(root: Element) -> Element:
    """Removes comments (date, the library's address) and the script's configuration."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in {etree.Comment, "script"}:
                parent.remove(child)
    return root
