"""A small writer of bar charts as SVG, drawn from the results alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _LEFT, _TOP, _BAR, _GAP, _GROUP_GAP = 760, 170, 44, 18, 4, 20
_RIGHT = 96
COLOURS: Mapping[str, str] = {"floor": "#8a94a6", "ours": "#1f6feb", "naive": "#d29922", "peer": "#8957e5"}
_OTHER = "#57606a"


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One bar, with the text at its end."""

    series: str
    value: float
    label: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Groups of bars below one title."""

    title: str
    groups: Mapping[str, Sequence[Bar]]

    @property
    def height(self) -> int:
        bars = sum(len(group) for group in self.groups.values())
        return _TOP + bars * (_BAR + _GAP) + len(self.groups) * _GROUP_GAP

    def lines(self, offset: int) -> list[str]:
        """SVG elements, `offset` pixels from the top."""
        longest = max((bar.value for group in self.groups.values() for bar in group), default=0) or 1
        drawn, y = [_text(0, offset + 22, self.title, size=16, weight="bold")], offset + _TOP
        for name, bars in self.groups.items():
            drawn.append(_text(0, y + 14, name, size=13))
            for bar in bars:
                drawn += _bar(bar, y, longest)
                y += _BAR + _GAP
            y += _GROUP_GAP
        return drawn


def svg_of(charts: Sequence[Chart]) -> str:
    """One picture with the charts one below the other, for light and dark pages."""
    height = sum(chart.height for chart in charts)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" role="img" font-family="sans-serif">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    offset = 0
    for chart in charts:
        lines += chart.lines(offset)
        offset += chart.height
    return "\n".join([*lines, "</svg>", ""])


def _bar(bar: Bar, y: int, longest: float) -> list[str]:
    width = round((_WIDTH - _LEFT - _RIGHT) * bar.value / longest, 1)
    colour = COLOURS.get(bar.series, _OTHER)
    return [
        _text(_LEFT - 8, y + 14, bar.series, size=12, anchor="end"),
        f'<rect x="{_LEFT}" y="{y}" width="{width}" height="{_BAR}" fill="{colour}"/>',
        _text(_LEFT + width + 6, y + 14, bar.label, size=12),
    ]


def _text(
    x: float, y: float, content: str, *, size: int, anchor: str = "start", weight: str = "normal"
) -> str:
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}" font-weight="{weight}"'
        f' fill="#1f2328">{escape(content)}</text>'
    )
