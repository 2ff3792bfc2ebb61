"""Results as JSON, as a table, as a picture and in the documentation."""

import dataclasses
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.plot import Bar, Chart, svg_of
from bench.rounds import FLOOR, OURS, PEER, Round
from bench.sizes import SIZES
from bench.statistics import median, median_of_ratios, quantile

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results"
PAGE = ROOT / "docs" / "performance.md"
PICTURE = ROOT / "docs" / "images" / "performance.svg"

MOST_TIMES_PEER_OUTCOME = 1.0
LEAST_TIMES_PEER = 1.0
MOST_OWN_PROCESSOR_MS = 48.0
MOST_STATEMENTS = 30
MOST_EVENTS = 25
MOST_WORKFLOW_TASKS = 3
MOST_PAGE_MS = 5.0


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One contender at one concurrency.

    Medians over rounds, and ratios to the floor within each round.
    """

    concurrency: int
    contender: str
    registrations: int
    late: int
    failures: int
    reasons: Mapping[str, int] = field(default_factory=dict)
    outcome_p50_ms: float
    outcome_p95_ms: float
    whole_p50_ms: float
    per_second: float
    outcome_times_floor: float
    throughput_share_of_floor: float


@dataclass(frozen=True, kw_only=True)
class Target:
    """What is aimed at, and whether it was reached."""

    name: str
    measured: float
    bound: float
    at_most: bool

    @property
    def is_met(self) -> bool:
        return self.measured <= self.bound if self.at_most else self.measured >= self.bound


@dataclass(frozen=True, kw_only=True)
class Results:
    """One run."""

    size: str
    machine: Mapping[str, object]
    seconds: float
    comparisons: Sequence[Comparison]
    sequential_outcome_p50_ms: float
    sequential_outcome_p95_ms: float
    cost: Mapping[str, Any]
    page_p50_ms: Mapping[str, float]
    login_p50_ms: Mapping[str, float] = field(default_factory=dict)

    def of(self, contender: str, concurrency: int) -> Comparison | None:
        """The comparison, where that concurrency was measured."""
        return next(
            (
                item
                for item in self.comparisons
                if (item.contender, item.concurrency) == (contender, concurrency)
            ),
            None,
        )


def compare(concurrency: int, rounds: Mapping[str, list[Round]]) -> list[Comparison]:
    """Every contender of one concurrency."""
    floor = rounds[FLOOR]
    floor_outcomes = [median(item.outcomes) for item in floor]
    floor_rates = [item.per_second for item in floor]
    return [
        Comparison(
            concurrency=concurrency,
            contender=name,
            registrations=sum(len(item.wholes) for item in measured),
            late=sum(item.late for item in measured),
            failures=sum(item.failures for item in measured),
            reasons=dict(sum((Counter(item.reasons) for item in measured), Counter[str]())),
            outcome_p50_ms=_ms(median(median(item.outcomes) for item in measured)),
            outcome_p95_ms=_ms(median(quantile(item.outcomes, 0.95) for item in measured)),
            whole_p50_ms=_ms(median(median(item.wholes) for item in measured)),
            per_second=round(median(item.per_second for item in measured), 1),
            outcome_times_floor=round(
                median_of_ratios([median(item.outcomes) for item in measured], floor_outcomes), 2
            ),
            throughput_share_of_floor=round(
                median_of_ratios([item.per_second for item in measured], floor_rates), 2
            ),
        )
        for name, measured in rounds.items()
        if all(item.wholes for item in measured)
    ]


def targets(results: Results) -> list[Target]:
    """The targets that this run measured."""
    found = []
    for concurrency in sorted({item.concurrency for item in results.comparisons}):
        found += _beside_peer(results, concurrency)
    own = _own_processor_ms(results.cost)
    found.append(at_most("api + worker without the hash, processor ms", own, MOST_OWN_PROCESSOR_MS))
    found.append(at_most("SQL statements a registration", results.cost["statements"], MOST_STATEMENTS))
    history = results.cost["histories"][OURS]
    found.append(at_most("history events a registration", history["events"], MOST_EVENTS))
    found.append(at_most("workflow tasks a registration", history["workflow_tasks"], MOST_WORKFLOW_TASKS))
    slowest = max(results.page_p50_ms.values())
    found.append(at_most("slowest page without Temporal, p50 in ms", slowest, MOST_PAGE_MS))
    return found


def _beside_peer(results: Results, concurrency: int) -> list[Target]:
    ours, peer = results.of(OURS, concurrency), results.of(PEER, concurrency)
    if not (ours and peer):
        return []
    outcome = round(ours.outcome_p50_ms / peer.outcome_p50_ms, 2)
    rate = round(ours.per_second / peer.per_second, 2)
    name = f"times the peer, concurrency {concurrency}"
    return [
        at_most(f"submit → outcome p50, {name}", outcome, MOST_TIMES_PEER_OUTCOME),
        _at_least(f"whole registrations a second, {name}", rate, LEAST_TIMES_PEER),
    ]


def _own_processor_ms(cost: Mapping[str, Any]) -> float:
    """What our processes spend on a registration beside its one password hash."""
    parts = cost["processor_ms"]
    return float(round(parts["api"] + parts["worker"] - cost["password_hash_ms"], 1))


def table(results: Results) -> str:
    """What is printed, and what stands in the documentation: Markdown."""
    machine = results.machine
    lines = [
        (
            f"{machine['cores']} cores, {machine['processor']}, {machine['memory_gib']} GiB, {machine['system']}, "
            f"Python {machine['python']}; load average before and after: {machine['load_before_and_after']}; "
            f"{results.seconds} s; {machine['measured_at']}."
        ),
        "",
        "| concurrency | contender | outcome p50 ms | p95 ms | times floor | whole p50 ms | whole / s | share of floor | late | failures |",
        "|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|",
        *(_row(item) for item in results.comparisons),
        "",
        (
            f"Submit → outcome of {SIZES[results.size].sequential} sequential registrations through the JSON API: "
            f"p50 {results.sequential_outcome_p50_ms} ms, p95 {results.sequential_outcome_p95_ms} ms."
        ),
        "",
        *_cost_lines(results),
        "",
        "| target | measured | bound | met |",
        "|---|---:|---:|---|",
        *(target_row(target) for target in targets(results)),
    ]
    return "\n".join(lines)


def keep(results: Results, name: str) -> Path:
    """Write the JSON; its path below the repository."""
    return keep_plain(dataclasses.asdict(results), name)


def keep_plain(plain: Mapping[str, object], name: str) -> Path:
    """The same for what is plain already."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(plain, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path.relative_to(ROOT)


def load(path: Path) -> Results:
    """Read what `keep` wrote."""
    plain = json.loads(path.read_text(encoding="utf-8"))
    plain["comparisons"] = [Comparison(**item) for item in plain["comparisons"]]
    return Results(**plain)


def publish(results: Results) -> None:
    """Draw the picture and put the table into the documentation."""
    PICTURE.write_text(picture(results), encoding="utf-8")
    PAGE.write_text(with_block(PAGE.read_text(encoding="utf-8"), "bench", table(results)), encoding="utf-8")


def with_block(page: str, name: str, content: str) -> str:
    """The page with what stands between `<!-- name -->` and `<!-- /name -->` replaced."""
    opening, closing = f"<!-- {name} -->", f"<!-- /{name} -->"
    pattern = re.compile(f"{re.escape(opening)}.*?{re.escape(closing)}", re.DOTALL)
    if not pattern.search(page):
        raise ValueError(f"the page has no place for {name}")
    return pattern.sub(lambda _: f"{opening}\n{content}\n{closing}", page)


def picture(results: Results) -> str:
    """Latency and throughput by concurrency."""
    concurrencies = sorted({item.concurrency for item in results.comparisons})

    def grouped(value: str, unit: str) -> dict[str, list[Bar]]:
        return {
            f"{concurrency} at once": [
                Bar(
                    series=item.contender,
                    value=getattr(item, value),
                    label=f"{getattr(item, value):g} {unit}",
                )
                for item in results.comparisons
                if item.concurrency == concurrency
            ]
            for concurrency in concurrencies
        }

    processor = results.cost["processor_ms"]
    return svg_of(
        [
            Chart(title="Submit → outcome, p50", groups=grouped("outcome_p50_ms", "ms")),
            Chart(title="Whole registrations a second", groups=grouped("per_second", "/s")),
            Chart(
                title="Processor time a registration",
                groups={
                    "ours": [
                        Bar(series=part, value=value, label=f"{value:g} ms")
                        for part, value in processor.items()
                    ]
                },
            ),
        ]
    )


def _cost_lines(results: Results) -> list[str]:
    lines = [
        "| | history events | workflow tasks | history bytes | Temporal Cloud actions |",
        "|---|---:|---:|---:|---|",
    ]
    for name, cost in results.cost["histories"].items():
        kinds = ", ".join(f"{count} {kind}" for kind, count in cost["actions"].items())
        lines.append(
            f"| {name} | {cost['events']} | {cost['workflow_tasks']} | {cost['history_bytes']} | {cost['billed']} ({kinds}) |"
        )
    return [
        *lines,
        "",
        (
            f"SQL a registration: {results.cost['statements']} statements, {results.cost['statement_ms']} ms in PostgreSQL."
        ),
        "",
        *_processor_lines(results),
        "",
        "Pages without Temporal, p50: "
        + ", ".join(f"`{page}` {value} ms" for page, value in results.page_p50_ms.items())
        + ".",
        *_login_lines(results),
    ]


def _login_lines(results: Results) -> list[str]:
    if not results.login_p50_ms:
        return []
    each = ", ".join(f"{name} {value} ms" for name, value in results.login_p50_ms.items())
    return ["", f"Logins, p50, beside one password hash of {results.cost['password_hash_ms']} ms: {each}."]


def _processor_lines(results: Results) -> list[str]:
    """Who spends what, and how far that alone bounds the throughput."""
    cost, cores = results.cost, int(str(results.machine["cores"]))
    lines = [
        f"| | processor time a registration | at most a second on {cores} cores | of which |",
        "|---|---:|---:|---|",
    ]
    for name, parts in {OURS: cost["processor_ms"], **cost["processor_ms_of_others"]}.items():
        whole = sum(parts.values())
        each = ", ".join(
            f"{part} {value}" for part, value in sorted(parts.items(), key=lambda item: -item[1])
        )
        lines.append(f"| {name} | {whole:.1f} ms | {cores * 1000 / whole:.1f} | {each} |")
    floor, hashing = sum(cost["processor_ms_of_others"][FLOOR].values()), cost["password_hash_ms"]
    return [
        *lines,
        "",
        (
            f"One password hash: {hashing} ms. The floor's work and that hash alone, with nothing else done at all, "
            f"allow {floor / (floor + hashing):.2f} of the floor's throughput; as much as half of it leaves "
            f"{max(0.0, floor - hashing):.1f} ms for everything else."
        ),
    ]


def _row(item: Comparison) -> str:
    cells = (
        item.concurrency,
        item.contender,
        item.outcome_p50_ms,
        item.outcome_p95_ms,
        item.outcome_times_floor,
        item.whole_p50_ms,
        item.per_second,
        item.throughput_share_of_floor,
        item.late,
        item.failures,
    )
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def target_row(target: Target) -> str:
    """A line of the targets' table."""
    sign = "≤" if target.at_most else "≥"
    return f"| {target.name} | {target.measured:g} | {sign} {target.bound:g} | {'yes' if target.is_met else '**no**'} |"


def at_most(name: str, measured: float, bound: float) -> Target:
    """A target that is met by what is small."""
    return Target(name=name, measured=measured, bound=bound, at_most=True)


def _at_least(name: str, measured: float, bound: float) -> Target:
    return Target(name=name, measured=measured, bound=bound, at_most=False)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
