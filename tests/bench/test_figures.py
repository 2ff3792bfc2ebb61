"""What is made of the measurements.

Statistics, comparison, table, picture, counted histories.
"""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent, MarkerRecordedEventAttributes

from bench import report
from bench.costs import count_history, spent
from bench.plot import Bar, Chart, svg_of
from bench.rounds import Round
from bench.statistics import median_of_ratios, quantile, ratio

ROOT = Path(__file__).parents[2]


def a_round(*, outcome: float, elapsed: float, count: int = 4) -> Round:
    return Round(elapsed=elapsed, outcomes=(outcome,) * count, wholes=(outcome * 3,) * count, failures=0)


def results(**changes: object) -> report.Results:
    rounds = {
        "floor": [a_round(outcome=0.010, elapsed=1), a_round(outcome=0.020, elapsed=2)],
        "ours": [a_round(outcome=0.015, elapsed=2), a_round(outcome=0.030, elapsed=4)],
        "peer": [a_round(outcome=0.020, elapsed=4), a_round(outcome=0.040, elapsed=8)],
    }
    history = {"events": 25, "workflow_tasks": 3, "history_bytes": 7000, "actions": {"start": 1}, "billed": 1}
    values = {
        "size": "smoke",
        "machine": {
            **dict.fromkeys(("processor", "system", "python", "measured_at"), "x"),
            "cores": 2,
            "memory_gib": 4,
            "load_before_and_after": [[0.1], [0.2]],
        },
        "seconds": 1.0,
        "comparisons": [item for number in (1, 4, 10, 50) for item in report.compare(number, rounds)],
        "sequential_outcome_p50_ms": 12.0,
        "sequential_outcome_p95_ms": 15.0,
        "cost": {
            "histories": {"ours": history},
            "statements": 9.0,
            "statement_ms": 1.0,
            "processor_ms": {"api": 30.0, "worker": 38.0},
            "processor_ms_of_others": {"floor": {"temporal": 25.0, "piso": 15.0}},
            "password_hash_ms": 20.0,
        },
        "page_p50_ms": {"/": 1.5},
        "login_p50_ms": {"login": 25.0, "code for tokens": 6.5},
    }
    return report.Results(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(("share", "expected"), [(0.5, 2), (0.95, 4), (1.0, 4), (0.01, 1)])
def test_a_quantile_is_a_measured_value(share: float, expected: float) -> None:
    assert quantile([4, 1, 3, 2], share) == expected


def test_nothing_measured_has_neither_quantile_nor_ratio() -> None:
    with pytest.raises(ValueError, match="nothing"):
        quantile([], 0.5)
    with pytest.raises(ValueError, match="base"):
        ratio(1, 0)


def test_ratios_are_taken_within_a_round_so_that_drift_cancels() -> None:
    assert median_of_ratios([10, 100, 1000], [5, 50, 500]) == 2


def test_a_comparison_is_to_the_floor_of_the_same_round() -> None:
    ours = results().of("ours", 10)
    assert ours is not None
    assert (ours.outcome_times_floor, ours.throughput_share_of_floor) == (1.5, 0.5)
    assert (ours.per_second, ours.registrations) == (1.5, 8)


def test_a_contender_that_finished_nothing_is_left_out() -> None:
    rounds = {
        "floor": [a_round(outcome=1, elapsed=1)],
        "ours": [Round(elapsed=1, outcomes=(), wholes=(), failures=3)],
    }
    assert [item.contender for item in report.compare(1, rounds)] == ["floor"]


def test_targets_are_told_apart() -> None:
    verdicts = {target.name: target.is_met for target in report.targets(results())}
    assert len(verdicts) == 13
    assert all(verdicts.values())
    slow = {target.name: target.is_met for target in report.targets(results(page_p50_ms={"/": 5.1}))}
    assert [name for name, met in slow.items() if not met] == ["slowest page without Temporal, p50 in ms"]
    assert "**no**" in report.table(results(page_p50_ms={"/": 5.1}))


def test_a_peer_that_is_faster_is_a_missed_target() -> None:
    rounds = {
        "floor": [a_round(outcome=0.010, elapsed=1)],
        "ours": [a_round(outcome=0.030, elapsed=4)],
        "peer": [a_round(outcome=0.020, elapsed=2)],
    }
    behind = report.targets(results(comparisons=report.compare(4, rounds)))
    assert {target.name: target.measured for target in behind if not target.is_met} == {
        "submit → outcome p50, times the peer, concurrency 4": 1.5,
        "whole registrations a second, times the peer, concurrency 4": 0.5,
    }


def test_a_registration_that_costs_more_than_its_bounds_misses_them() -> None:
    cost = {**results().cost, "statements": 30.1, "processor_ms": {"api": 30.0, "worker": 38.1}}
    missed = [target.name for target in report.targets(results(cost=cost)) if not target.is_met]
    assert missed == ["api + worker without the hash, processor ms", "SQL statements a registration"]


def test_results_survive_their_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "ROOT", tmp_path)
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results")
    kept = report.keep(results(), "bench")
    assert report.load(tmp_path / kept) == results()


def test_a_block_of_a_page_is_replaced_and_nothing_else() -> None:
    page = "before\n<!-- a -->\nold\n<!-- /a -->\nafter\n"
    assert report.with_block(page, "a", r"new \1") == "before\n<!-- a -->\nnew \\1\n<!-- /a -->\nafter\n"
    with pytest.raises(ValueError, match="no place"):
        report.with_block(page, "b", "new")


def test_the_picture_is_well_formed_and_its_bars_are_to_scale() -> None:
    chart = Chart(
        title="A < B",
        groups={
            "g": [Bar(series="ours", value=2, label="2"), Bar(series="floor", value=1, label="1")],
            "empty": [],
        },
    )
    root = ET.fromstring(svg_of([chart, chart]))
    widths = [float(bar.attrib["width"]) for bar in root.iter("{http://www.w3.org/2000/svg}rect")][1:]
    assert widths[0] == pytest.approx(2 * widths[1])
    assert len(widths) == 4
    ET.fromstring(report.picture(results()))


def test_the_committed_picture_and_table_are_those_of_the_committed_results() -> None:
    kept = report.load(ROOT / "bench" / "results" / "bench.json")
    assert report.PICTURE.read_text(encoding="utf-8") == report.picture(kept)
    page = report.PAGE.read_text(encoding="utf-8")
    assert report.with_block(page, "bench", report.table(kept)) == page


def test_a_history_is_counted_as_temporal_cloud_bills_it() -> None:
    def marker(task: int) -> HistoryEvent:
        attributes = MarkerRecordedEventAttributes(
            marker_name="core_local_activity", workflow_task_completed_event_id=task
        )
        return HistoryEvent(
            event_type=EventType.EVENT_TYPE_MARKER_RECORDED, marker_recorded_event_attributes=attributes
        )

    kinds = [
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
        EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
        EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
        EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
    ]
    events = [HistoryEvent(event_type=kind) for kind in kinds] + [marker(2), marker(2), marker(4)]
    cost = count_history(events, history_bytes=100)
    assert (cost.events, cost.workflow_tasks) == (7, 2)
    assert cost.actions == {"start": 1, "activity": 1, "local activities": 2}
    assert cost.billed == 4


def test_parts_that_stood_by_cost_nothing() -> None:
    before, after = {"api": 1.0, "idle": 1.0, "gone": 1.0}, {"api": 1.5, "idle": 1.001}
    assert spent("ours", before, after, 10) == {"api": 50.0}


def test_what_belongs_to_another_contender_is_not_counted() -> None:
    before = {"temporal": 0.0, "worker": 0.0, "par-0": 0.0, "piso": 0.0}
    after = dict.fromkeys(before, 1.0)
    assert set(spent("ours", before, after, 10)) == {"temporal", "worker"}
    assert set(spent("peer", before, after, 10)) == {"temporal", "par-0"}
    assert set(spent("floor", before, after, 10)) == {"temporal", "piso"}


def test_the_table_tells_what_the_processors_alone_allow() -> None:
    told = report.table(results())
    assert "Logins, p50, beside one password hash of 20.0 ms: login 25.0 ms, code for tokens 6.5 ms." in told
    assert "| ours | 68.0 ms | 29.4 | worker 38.0, api 30.0 |" in told
    assert "| floor | 40.0 ms | 50.0 | temporal 25.0, piso 15.0 |" in told
    # Twice the floor's 40 ms, less the 40 and the 20 that have to be spent.
    assert "allow 0.67 of the floor's throughput; as much as half of it leaves 20.0 ms" in told
