"""A small writer of bars and curves as SVG, drawn from the results alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Protocol

_WIDTH, _LEFT, _TOP, _BAR, _GAP, _GROUP_GAP = 760, 170, 44, 18, 4, 20
_RIGHT = 96
COLOURS: Mapping[str, str] = {"floor": "#8a94a6", "ours": "#1f6feb", "naive": "#d29922", "peer": "#8957e5"}
_OTHER = "#57606a"
_PLOT_HEIGHT, _PLOT_GAP, _KEY_WIDTH = 120, 44, 145
_PALETTE = ("#1f6feb", "#d29922", "#8957e5", "#8a94a6")


class Drawing(Protocol):
    """One part of a picture."""

    @property
    def height(self) -> int: ...

    def lines(self, offset: int) -> list[str]: ...


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


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Values over minutes, from zero at the bottom, each in its own colour."""

    title: str
    series: Mapping[str, Sequence[tuple[float, float]]]
    end: float

    @property
    def height(self) -> int:
        return _TOP + _PLOT_HEIGHT + _PLOT_GAP

    def lines(self, offset: int) -> list[str]:
        """SVG elements, `offset` pixels from the top."""
        highest = max((value for points in self.series.values() for _, value in points), default=0) or 1
        top, bottom = offset + _TOP, offset + _TOP + _PLOT_HEIGHT
        drawn = [
            _text(0, offset + 22, self.title, size=16, weight="bold"),
            _text(_LEFT - 8, top + 10, f"{highest:g}", size=12, anchor="end"),
            _text(_LEFT - 8, bottom, "0", size=12, anchor="end"),
            _text(_WIDTH - _RIGHT, bottom + 17, f"{self.end:g} min", size=12, anchor="end"),
            f'<path d="M{_LEFT} {top}V{bottom}H{_WIDTH - _RIGHT}" fill="none" stroke="{_OTHER}"/>',
        ]
        for number, (name, points) in enumerate(self.series.items()):
            colour = _PALETTE[number % len(_PALETTE)]
            x = _LEFT + number * _KEY_WIDTH
            drawn.append(f'<rect x="{x}" y="{bottom + 8}" width="9" height="9" fill="{colour}"/>')
            drawn.append(_text(x + 13, bottom + 17, name, size=12))
            drawn.append(_polyline(points, colour, bottom=bottom, end=self.end, highest=highest))
        return drawn


def svg_of(charts: Sequence[Drawing]) -> str:
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


def _polyline(
    points: Sequence[tuple[float, float]], colour: str, *, bottom: int, end: float, highest: float
) -> str:
    width = _WIDTH - _LEFT - _RIGHT
    places = " ".join(
        f"{_LEFT + width * minute / end:.1f},{bottom - _PLOT_HEIGHT * value / highest:.1f}"
        for minute, value in points
    )
    return f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="1.5"/>'


def _text(
    x: float, y: float, content: str, *, size: int, anchor: str = "start", weight: str = "normal"
) -> str:
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}" font-weight="{weight}"'
        f' fill="#1f2328">{escape(content)}</text>'
    )
