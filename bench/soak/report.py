"""A day as a table, as JSON and as a picture."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import report
from bench.plot import Curve, svg_of
from bench.soak.day import Lived
from bench.soak.growth import Growth, judge

PICTURE = report.ROOT / "docs" / "images" / "soak.svg"
_DRAWN = {
    "Memory of its own, MiB": ("api memory MiB", "worker memory MiB", "postgres memory MiB"),
    "Open files": ("api files", "worker files", "postgres files"),
    "PostgreSQL connections": ("connections",),
    "WAL folder, MiB": ("WAL folder MiB",),
    "Failed attempts, %": ("failed attempts %",),
    "Submit → outcome, p50 in ms": ("outcome p50 ms",),
}


@dataclass(frozen=True, kw_only=True)
class Soak:
    """One run.

    Attributes:
        is_judged: Whether it was long enough to tell growth from noise.
    """

    machine: Mapping[str, object]
    minutes: float
    lived: Lived
    done: Mapping[str, int]
    failures: Mapping[str, int]
    unfinished: Sequence[str]
    is_judged: bool

    @property
    def growths(self) -> list[Growth]:
        return judge(self.lived.samples, seconds=self.minutes * 60)

    @property
    def is_good(self) -> bool:
        is_growing = self.is_judged and any(growth.is_growing for growth in self.growths)
        return not self.unfinished and not is_growing


def table(soak: Soak) -> str:
    """What is printed and documented."""
    machine, lived = soak.machine, soak.lived
    lines = [
        (
            f"{machine['cores']} cores, {machine['processor']}, Python {machine['python']}; load average before and "
            f"after: {machine['load_before_and_after']}; {soak.minutes:g} minutes; {machine['measured_at']}."
        ),
        "",
        (
            f"Capacity {lived.capacity:g} people a second; {lived.people} came, {lived.rate:g} a second. "
            f"Done: {_counted(soak.done)}. Not finished: {len(soak.unfinished)}."
        ),
        "",
        f"Attempts that failed and were repeated: {_counted(soak.failures) or 'none'}.",
        "",
        "| | second third | last third | an hour | growing |",
        "|---|---:|---:|---:|---|",
        *(_row(growth, is_judged=soak.is_judged) for growth in soak.growths),
    ]
    return "\n".join([*lines, *(f"- {line}" for line in soak.unfinished[:5])])


def keep(soak: Soak) -> list[Path]:
    """Write the JSON, the picture and the documentation's table; their paths."""
    plain = dataclasses.asdict(soak) | {"growths": [dataclasses.asdict(item) for item in soak.growths]}
    kept = report.ROOT / report.keep_plain(plain, "soak")
    PICTURE.write_text(picture(soak), encoding="utf-8")
    page = report.PAGE.read_text(encoding="utf-8")
    report.PAGE.write_text(report.with_block(page, "soak", table(soak)), encoding="utf-8")
    return [kept, PICTURE, report.PAGE]


def picture(soak: Soak) -> str:
    """What was looked at, over the minutes of the day."""
    return svg_of(
        [
            Curve(
                title=title,
                series={
                    name: [
                        (sample["at"] / 60, sample[name]) for sample in soak.lived.samples if name in sample
                    ]
                    for name in names
                },
                end=soak.minutes,
            )
            for title, names in _DRAWN.items()
        ]
    )


def _counted(things: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(things.items()))


def _row(growth: Growth, *, is_judged: bool) -> str:
    cells = (growth.name, growth.second, growth.last, growth.an_hour, _verdict(growth, is_judged=is_judged))
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _verdict(growth: Growth, *, is_judged: bool) -> str:
    if growth.bound is None:
        return "not judged"
    if not is_judged:
        return "too short"
    return "**yes**" if growth.is_growing else "no"
