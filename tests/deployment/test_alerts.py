"""Prometheus's own tool says when each alert fires and when it does not.

Alertmanager's mail arrives.
"""

import asyncio
import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
import yaml

from dev.probes import LOOPBACK, free_port, http_ok
from dev.process import SILENT, Part, supervisor_of
from tests.deployment.programs import program
from tests.deployment.watched import MONITORING, alerts, expressions
from tests.patience import PATIENCE_SECONDS


@dataclass(frozen=True, kw_only=True)
class Case:
    """One history of figures, a value an interval, and whether the alert fires."""

    alert: str
    why: str
    series: dict[str, str]
    minute: int
    fires: bool
    interval: str = "1m"


def waiting(what: str) -> str:
    return f'mipres_registrations_waiting{{waiting_on="{what}"}}'


def bucket(edge: str) -> str:
    return f'temporal_workflow_task_schedule_to_start_latency_seconds_bucket{{le="{edge}"}}'


CHECKING = 'mipres_registrations_running{stage="checking"}'
POLLS = "temporal_workflow_task_queue_poll_succeed_total"
UNAVAILABLE = 'mipres_submissions_total{outcome="unavailable"}'
LATE = 'mipres_submissions_total{outcome="in_progress"}'
PROMPT = 'mipres_submissions_total{outcome="registered"}'
NOT_ACCEPTED = 'mipres_mail_failures_total{kind="not_accepted"}'
REJECTED = 'mipres_mail_failures_total{kind="address_rejected"}'
SENT = 'mipres_mails_sent_total{template="link"}'
POLLERS = 'mipres_queue_pollers{task_queue="registrations"}'
FAILED = 'mipres_http_requests_total{status="503"}'
ANSWERED = 'mipres_http_requests_total{status="200"}'
SERVED = 'mipres_queue_pollers_served{task_queue="registrations"}'
BACKLOG_AGE = 'mipres_queue_backlog_age_seconds{task_queue="registrations"}'
GIVEN_UP = 'mipres_registrations_given_up_total{waiting_on="rethus"}'
REFUSED = 'mipres_payloads_refused_total{fault="tampered"}'
MAILS = "mipres_mail_delay_seconds_count"
MAILS_IN_TIME = 'mipres_mail_delay_seconds_bucket{le="60"}'
# Prometheus 3 writes the edge so, whatever a process calls it.
MAILS_IN_TIME_SINCE_3 = 'mipres_mail_delay_seconds_bucket{le="60.0"}'
PURGED = "mipres_last_purge_timestamp_seconds"
BACKED_UP = "mipres_last_backup_timestamp_seconds"
VERIFIED = "mipres_last_audit_verification_timestamp_seconds"
API, OTHER_API = 'up{job="api",instance="1"}', 'up{job="api",instance="2"}'
WORKER = 'up{job="worker",instance="1"}'


UNREADABLE = 'mipres_status_fallbacks_total{cause="query_failed"}'
SILENT_WORKER = 'mipres_status_fallbacks_total{cause="unanswered"}'
UNDECRYPTED = 'mipres_status_fallbacks_total{cause="unreadable"}'
PROBES = 'mipres_http_requests_total{route="/health/ready",status="200"}'
FAILED_PROBES = 'mipres_http_requests_total{route="/health/dependencies",status="503"}'

COUNTED_BEFORE_THE_FIRST_LOOK = (
    ("RegistrationsGivenUp", GIVEN_UP, 60),
    ("MailAddressesRejected", REJECTED, 15),
    ("SubmissionsNotAccepted", UNAVAILABLE, 5),
    ("StatusNotReadable", UNREADABLE, 10),
    ("PayloadsRefused", REFUSED, 10),
)
"""Alerts that count what came before a first scrape too, with their minutes."""
OF_FIGURES = {
    "NothingAdvances": {CHECKING: 3},
    "NoCurrentBuild": {POLLERS: 2, SERVED: 0},
    "BacklogTooOld": {BACKLOG_AGE: 90},
    "StuckUnseen": {"mipres_registrations_unseen": 1},
    "RegistryDown": {waiting("rethus"): 1},
    "RegistrationStuckForHours": {"mipres_oldest_stuck_seconds": 18000},
    "MailDown": {waiting("mail"): 1},
    "DatabaseDown": {waiting("database"): 4},
    "NoWorker": {POLLERS: 0},
    "BrokenCode": {"mipres_workflows_broken": 2},
    "AccessReviewStopped": {"mipres_reviews_stopped": 1},
}
"""Alerts about what Temporal knows, with figures that make them fire."""
ONE_EVENT = {
    "QueueWaits": {bucket("5"): "0x99", bucket("10"): "0x9 1x90", bucket("+Inf"): "0x9 1x90"},
    "AnswersTooLate": {LATE: "0x9 1x90", PROMPT: "0x99"},
    "MailDown": {NOT_ACCEPTED: "0x9 1x90", SENT: "0x99"},
    "MailAddressesRejected": {REJECTED: "0x9 1x90", SENT: "0x99"},
    "ServerErrors": {FAILED: "0x9 1x2 2x90", ANSWERED: "0x99"},
    "AnswersBurnBudget": {LATE: "0x9 1x90", PROMPT: "0x99"},
    "PagesBurnBudget": {FAILED: "0x9 1x2 2x90", ANSWERED: "0x99"},
    "MailsBurnBudget": {MAILS: "0x9 1x90", MAILS_IN_TIME: "0x99"},
}
"""What one event looks like to alerts that are about a share."""


def case(alert: str, why: str, series: dict[str, str], *, minute: int, fires: bool) -> Case:
    return Case(alert=alert, why=why, series=series, minute=minute, fires=fires)


def over_four_days(alert: str, why: str, series: dict[str, str], *, fires: bool) -> Case:
    """A value each half hour: promtool looks at every rule at every value."""
    return Case(alert=alert, why=why, series=series, minute=94 * 60, fires=fires, interval="30m")


CASES = (
    case("Watchdog", "always", {}, minute=1, fires=True),
    case("ApiGone", "a total outage leaves nothing to compare", {}, minute=3, fires=True),
    case("ApiGone", "all are down", {API: "0x9", OTHER_API: "0x9"}, minute=3, fires=True),
    case("ApiGone", "one of two still answers", {API: "0x9", OTHER_API: "1x9"}, minute=9, fires=False),
    case("ApiGone", "a restart takes a minute", {API: "1 1 1 0 1 1"}, minute=4, fires=False),
    case("WorkerGone", "a total outage leaves nothing to compare", {}, minute=3, fires=True),
    case("WorkerGone", "it answers", {WORKER: "1x9"}, minute=9, fires=False),
    case(
        "FiguresMissing",
        "the API answers without figures",
        {"mipres_temporal_up": "1x9"},
        minute=6,
        fires=True,
    ),
    case("FiguresMissing", "they are there", {POLLERS: "2x9"}, minute=9, fires=False),
    case(
        "FiguresMissing",
        "Temporal has an alert of its own",
        {"mipres_temporal_up": "0x9"},
        minute=9,
        fires=False,
    ),
    case("NothingAdvances", "no build is current", {CHECKING: "3x20", POLLS: "7x20"}, minute=12, fires=True),
    case("NothingAdvances", "workers never got a task", {CHECKING: "3x20"}, minute=12, fires=True),
    case("NothingAdvances", "a busy hour", {CHECKING: "3x20", POLLS: "0+60x20"}, minute=15, fires=False),
    case("NothingAdvances", "a quiet night", {CHECKING: "0x20", POLLS: "7x20"}, minute=15, fires=False),
    case(
        "QueueWaits",
        "too few workers",
        {bucket("5"): "0x30", bucket("10"): "0+60x30", bucket("+Inf"): "0+60x30"},
        minute=20,
        fires=True,
    ),
    case(
        "QueueWaits",
        "tasks start at once",
        {bucket("5"): "0+60x30", bucket("10"): "0+60x30", bucket("+Inf"): "0+60x30"},
        minute=20,
        fires=False,
    ),
    case("NoCurrentBuild", "none of two is current", {POLLERS: "2x9", SERVED: "0x9"}, minute=3, fires=True),
    case("NoCurrentBuild", "the old build drains", {POLLERS: "2x9", SERVED: "1x9"}, minute=9, fires=False),
    case("BacklogTooOld", "too few workers", {BACKLOG_AGE: "90x20"}, minute=6, fires=True),
    case("BacklogTooOld", "a busy minute", {BACKLOG_AGE: "90x2 5x20"}, minute=9, fires=False),
    case("StuckUnseen", "one", {"mipres_registrations_unseen": "1x9"}, minute=2, fires=True),
    case("StuckUnseen", "none", {"mipres_registrations_unseen": "0x9"}, minute=9, fires=False),
    case("RegistrationsGivenUp", "the first", {GIVEN_UP: "0x5 1x60"}, minute=10, fires=True),
    case("RegistrationsGivenUp", "long ago", {GIVEN_UP: "0x5 1x90"}, minute=80, fires=False),
    case(
        "RegistrationsGivenUp",
        "a worker that returns after a week begins with them",
        {GIVEN_UP: "_x9 3x30"},
        minute=11,
        fires=True,
    ),
    case("RegistrationsGivenUp", "a new worker", {GIVEN_UP: "_x9 0x30"}, minute=12, fires=False),
    case("AnswersTooLate", "half of them", {LATE: "0+5x30", PROMPT: "0+5x30"}, minute=25, fires=True),
    case("AnswersTooLate", "one in ten", {LATE: "0+1x30", PROMPT: "0+9x30"}, minute=25, fires=False),
    case(
        "AnswersTooLate",
        "two visitors at night",
        {LATE: "0 1 2 2x30", PROMPT: "0x30"},
        minute=10,
        fires=False,
    ),
    case("RegistryDown", "ten minutes", {waiting("rethus"): "1x20"}, minute=11, fires=True),
    case("RegistryDown", "a hiccup", {waiting("rethus"): "1x5 0x15"}, minute=11, fires=False),
    case(
        "RegistrationStuckForHours",
        "five hours",
        {"mipres_oldest_stuck_seconds": "18000x9"},
        minute=6,
        fires=True,
    ),
    case(
        "RegistrationStuckForHours",
        "one hour",
        {"mipres_oldest_stuck_seconds": "3600x9"},
        minute=9,
        fires=False,
    ),
    case("MailDown", "one mail waits", {waiting("mail"): "1x40"}, minute=16, fires=True),
    # Attempts of one mail every five minutes: it fires once and stays.
    case(
        "MailDown",
        "one mail waits, and fails now and then",
        {waiting("mail"): "1x60", NOT_ACCEPTED: "1x4 2x4 3x4 4x4 5x4 6x40"},
        minute=59,
        fires=True,
    ),
    case("MailDown", "taken at the second attempt", {waiting("mail"): "1x4 0x30"}, minute=12, fires=False),
    case("MailDown", "recoveries fail and nothing is sent", {NOT_ACCEPTED: "0+1x60"}, minute=45, fires=True),
    case(
        "MailDown", "some fail, others go", {NOT_ACCEPTED: "0+1x60", SENT: "0+9x60"}, minute=45, fires=False
    ),
    case("MailAddressesRejected", "a blocked sender", {REJECTED: "0+1x70"}, minute=65, fires=True),
    case("MailAddressesRejected", "a typing mistake", {REJECTED: "0x30 1x40"}, minute=65, fires=False),
    case(
        "MailAddressesRejected",
        "a wrong relay in a quiet hour",
        {REJECTED: "0x10 0+1x5 5x20", SENT: "40x40"},
        minute=20,
        fires=True,
    ),
    case(
        "MailAddressesRejected",
        "the first refusals make the counter",
        {REJECTED: "_x9 5x9", SENT: "40x40"},
        minute=11,
        fires=True,
    ),
    case(
        "MailAddressesRejected",
        "a few mistakes among many mails",
        {REJECTED: "0x10 0+1x5 5x20", SENT: "0+9x40"},
        minute=20,
        fires=False,
    ),
    case("DatabaseUnanswered", "frozen or gone", {"mipres_database_up": "0x9"}, minute=2, fires=True),
    case("DatabaseUnanswered", "it answers", {"mipres_database_up": "1x9"}, minute=9, fires=False),
    case("DatabaseUnfit", "a replica", {"mipres_database_writable": "0x9"}, minute=3, fires=True),
    case("DatabaseUnfit", "an older schema", {"mipres_schema_fits": "0x9"}, minute=3, fires=True),
    case(
        "DatabaseUnfit",
        "all fits",
        {"mipres_database_writable": "1x9", "mipres_schema_fits": "1x9"},
        minute=9,
        fires=False,
    ),
    case("PayloadsRefused", "one", {REFUSED: "0x5 1x9"}, minute=7, fires=True),
    case(
        "PayloadsRefused",
        "before the first look at a new process",
        {REFUSED: "_x9 2x9"},
        minute=11,
        fires=True,
    ),
    case("PayloadsRefused", "a new process", {REFUSED: "_x9 0x9"}, minute=11, fires=False),
    case("PayloadsRefused", "none", {REFUSED: "0x20"}, minute=15, fires=False),
    # promtool's time begins with 1970, so a moment of before is negative.
    case("RetentionFailing", "four hours", {PURGED: "-14400x130"}, minute=125, fires=True),
    case("RetentionFailing", "just now", {PURGED: "0x130"}, minute=125, fires=False),
    case("BackupOld", "seventy minutes, and more", {BACKED_UP: "-4200x15"}, minute=12, fires=True),
    case("BackupOld", "an hour", {BACKED_UP: "-3000x15"}, minute=12, fires=False),
    case("AuditNotVerified", "nine days", {VERIFIED: "-777600x70"}, minute=65, fires=True),
    case("AuditNotVerified", "a week", {VERIFIED: "-604800x70"}, minute=65, fires=False),
    case("AnswersBurnBudget", "one in three", {LATE: "0+1x90", PROMPT: "0+2x90"}, minute=70, fires=True),
    case(
        "AnswersBurnBudget",
        "one in two hundred",
        {LATE: "0+1x90", PROMPT: "0+199x90"},
        minute=70,
        fires=False,
    ),
    case("AnswersBurnBudget", "a few at night", {LATE: "0 1 2 2x90", PROMPT: "0x90"}, minute=30, fires=False),
    case("PagesBurnBudget", "one in ten", {FAILED: "0+1x90", ANSWERED: "0+9x90"}, minute=70, fires=True),
    case(
        "PagesBurnBudget",
        "one in two thousand",
        {FAILED: "0+1x90", ANSWERED: "0+1999x90"},
        minute=70,
        fires=False,
    ),
    case(
        "MailsBurnBudget",
        "half of them late",
        {MAILS: "0+4x90", MAILS_IN_TIME: "0+2x90"},
        minute=70,
        fires=True,
    ),
    case(
        "MailsBurnBudget",
        "half of them late, by Prometheus 3",
        {MAILS: "0+4x90", MAILS_IN_TIME_SINCE_3: "0+2x90"},
        minute=70,
        fires=True,
    ),
    case(
        "MailsBurnBudget", "all in time", {MAILS: "0+4x90", MAILS_IN_TIME: "0+4x90"}, minute=70, fires=False
    ),
    over_four_days("AnswersBurnBudget", "one in fifty", {LATE: "0+3x192", PROMPT: "0+147x192"}, fires=True),
    over_four_days(
        "AnswersBurnBudget", "one in two hundred", {LATE: "0+1x192", PROMPT: "0+199x192"}, fires=False
    ),
    over_four_days(
        "PagesBurnBudget", "two in a thousand", {FAILED: "0+2x192", ANSWERED: "0+998x192"}, fires=True
    ),
    over_four_days(
        "MailsBurnBudget", "two in a hundred", {MAILS: "0+100x192", MAILS_IN_TIME: "0+98x192"}, fires=True
    ),
    over_four_days(
        "MailsBurnBudget",
        "a bad day that is over",
        {MAILS: "0+100x192", MAILS_IN_TIME: "0+97x96 9412+100x96"},
        fires=False,
    ),
    case("DatabaseDown", "two minutes", {waiting("database"): "4x9"}, minute=3, fires=True),
    case("DatabaseDown", "a failover", {waiting("database"): "4 4 0x9"}, minute=4, fires=False),
    case("NoWorker", "no worker asks", {POLLERS: "0x9"}, minute=3, fires=True),
    case("NoWorker", "two do", {POLLERS: "2x9"}, minute=9, fires=False),
    case("TemporalDown", "no answer", {"mipres_temporal_up": "0x9"}, minute=2, fires=True),
    case("TemporalDown", "an answer", {"mipres_temporal_up": "1x9"}, minute=9, fires=False),
    case(
        "SubmissionsNotAccepted",
        "the first burst makes the counter",
        {UNAVAILABLE: "_x9 5x9"},
        minute=11,
        fires=True,
    ),
    case("SubmissionsNotAccepted", "more of them", {UNAVAILABLE: "5x10 9x9"}, minute=12, fires=True),
    case("SubmissionsNotAccepted", "long ago", {UNAVAILABLE: "_x2 5x30"}, minute=20, fires=False),
    case("BrokenCode", "after a deploy", {"mipres_workflows_broken": "2x9"}, minute=2, fires=True),
    case("BrokenCode", "none", {"mipres_workflows_broken": "0x9"}, minute=9, fires=False),
    case(
        "AccessReviewStopped",
        "the guard stopped one",
        {"mipres_reviews_stopped": "1x9"},
        minute=2,
        fires=True,
    ),
    case("AccessReviewStopped", "none waits", {"mipres_reviews_stopped": "0x9"}, minute=9, fires=False),
    case("ProcessGone", "one of two", {API: "0x9", OTHER_API: "1x9"}, minute=3, fires=True),
    case("ProcessGone", "all answer", {API: "1x9", WORKER: "1x9"}, minute=9, fires=False),
    case("StatusNotReadable", "a build that does not fit", {UNREADABLE: "0x9 4x9"}, minute=12, fires=True),
    case(
        "StatusNotReadable",
        "a new process begins with it",
        {UNREADABLE: "_x9 4x9"},
        minute=11,
        fires=True,
    ),
    case(
        "StatusNotReadable",
        "nobody answers, which is another alert",
        {SILENT_WORKER: "0x9 4x9"},
        minute=12,
        fires=False,
    ),
    case("ServerErrors", "one in five", {FAILED: "0+2x30", ANSWERED: "0+8x30"}, minute=12, fires=True),
    case("ServerErrors", "one in a hundred", {FAILED: "0+1x30", ANSWERED: "0+99x30"}, minute=12, fires=False),
    case(
        "ServerErrors",
        "visitors fail among many probes",
        {FAILED: "0+2x30", ANSWERED: "0+8x30", PROBES: "0+900x30"},
        minute=12,
        fires=True,
    ),
    case(
        "ServerErrors",
        "a probe is answered with 503",
        {FAILED_PROBES: "0+9x30", ANSWERED: "0+9x30"},
        minute=12,
        fires=False,
    ),
    case(
        "PagesBurnBudget",
        "visitors fail among many probes",
        {FAILED: "0+1x90", ANSWERED: "0+9x90", PROBES: "0+9000x90"},
        minute=70,
        fires=True,
    ),
    case(
        "PagesBurnBudget",
        "a probe is answered with 503",
        {FAILED_PROBES: "0+1x90", ANSWERED: "0+9x90"},
        minute=70,
        fires=False,
    ),
    case("StatusNotReadable", "a key is missing", {UNDECRYPTED: "0x9 4x9"}, minute=12, fires=True),
    *(
        case(
            alert,
            "a scrape failed, long after the events",
            {series: f"9x60 stale 9x{minutes + 9}"},
            minute=61 + minutes,
            fires=False,
        )
        for alert, series, minutes in COUNTED_BEFORE_THE_FIRST_LOOK
    ),
    *(
        case(
            alert,
            "a process returns under its name and begins with some",
            {series: f"9x9 stale _x{minutes + 9} 5x{minutes}"},
            minute=minutes + 22,
            fires=True,
        )
        for alert, series, minutes in COUNTED_BEFORE_THE_FIRST_LOOK
    ),
)


def test_every_edge_of_a_bucket_is_found_however_prometheus_writes_it() -> None:
    edges = [edge for text in expressions() for edge in re.findall(r'\ble[=!~]+"[^"]*"', text)]
    assert edges
    assert [edge for edge in edges if not re.fullmatch(r'le=~"\d+\(\\\\\.0\)\?"', edge)] == []


def test_every_alert_is_tried_for_firing_and_for_not_firing() -> None:
    fire = {one.alert for one in CASES if one.fires}
    rest = {one.alert for one in CASES if not one.fires}
    names = {rule["alert"] for rule in alerts()}
    assert fire == names
    assert rest == names - {"Watchdog"}


def rule_alone(directory: Path, alert: str) -> str:
    """Write a file with one rule alone: promtool evaluates every rule of a file."""
    [rule] = [rule for rule in alerts() if rule["alert"] == alert]
    path = directory / f"{alert}.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": alert, "rules": [rule]}]}), encoding="utf-8")
    return str(path)


def expectation(alert: str, minute: int, *, fires: bool) -> dict[str, object]:
    return {
        "expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) > bool 0',
        "eval_time": f"{minute}m",
        "exp_samples": [{"labels": "{}", "value": 1}] if fires else [],
    }


def promtool_test(one: Case, expected: list[dict[str, object]]) -> dict[str, object]:
    return {
        "name": f"{one.alert}: {one.why}",
        "interval": one.interval,
        "input_series": [{"series": name, "values": values} for name, values in one.series.items()],
        "promql_expr_test": expected,
    }


def promtool_accepts(directory: Path, tests: Mapping[tuple[str, str], list[dict[str, object]]]) -> None:
    """Run the tests of all alerts and intervals in one call."""
    paths = []
    for (alert, interval), own in tests.items():
        document = {
            "rule_files": [rule_alone(directory, alert)],
            "evaluation_interval": interval,
            "tests": own,
        }
        paths.append(directory / f"{alert}_{interval}_test.yml")
        paths[-1].write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    command = [program("promtool"), "test", "rules", *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_fire_when_they_should_and_never_else(tmp_path: Path) -> None:
    tests = defaultdict(list)
    for one in CASES:
        expected = [expectation(one.alert, one.minute, fires=one.fires)]
        tests[one.alert, one.interval].append(promtool_test(one, expected))
    promtool_accepts(tmp_path, tests)


def test_one_waiting_mail_is_one_alert_and_not_many(tmp_path: Path) -> None:
    """From the minute at which MailDown fires to the hour's end it never stops."""
    attempts = {waiting("mail"): "1x60", NOT_ACCEPTED: "1x4 2x4 3x4 4x4 5x4 6x40"}
    one = case("MailDown", "one mail waits for an hour", attempts, minute=59, fires=True)
    expected = [expectation(one.alert, minute, fires=True) for minute in range(16, 60)]
    promtool_accepts(tmp_path, {(one.alert, one.interval): [promtool_test(one, expected)]})


def test_refusals_around_the_threshold_are_one_alert_that_ends(tmp_path: Path) -> None:
    """It neither ends between two bursts, nor goes on for hours after the last one."""
    bursts = {REJECTED: "0x10 0+1x4 4x20 5+1x4 9x10 10+1x4 14x90", SENT: "40x150"}
    one = case("MailAddressesRejected", "refusals come and go", bursts, minute=140, fires=False)
    expected = [expectation(one.alert, minute, fires=True) for minute in range(16, 75)]
    expected.append(expectation(one.alert, one.minute, fires=False))
    promtool_accepts(tmp_path, {(one.alert, one.interval): [promtool_test(one, expected)]})


@pytest.mark.parametrize("alert", OF_FIGURES)
def test_a_look_that_fails_ends_no_alert(alert: str, tmp_path: Path) -> None:
    """Temporal gives no figures for a moment: the alert neither ends nor waits again."""
    series = {name: f"{value}x30 stale {value}x30" for name, value in OF_FIGURES[alert].items()}
    one = case(alert, "a look fails", series, minute=40, fires=True)
    expected = [expectation(alert, minute, fires=True) for minute in range(20, 60)]
    promtool_accepts(tmp_path, {(alert, one.interval): [promtool_test(one, expected)]})


@pytest.mark.parametrize("alert", ONE_EVENT)
def test_one_event_in_a_quiet_night_is_no_alert(alert: str, tmp_path: Path) -> None:
    one = case(alert, "one event", ONE_EVENT[alert], minute=90, fires=False)
    expected = [expectation(alert, minute, fires=False) for minute in range(90)]
    promtool_accepts(tmp_path, {(alert, one.interval): [promtool_test(one, expected)]})


async def test_an_alert_arrives_by_mail(tmp_path: Path) -> None:
    """The shipped configuration, with this machine's mail server for compose's."""
    smtp, pages, port = free_port(), free_port(), free_port()
    text = (MONITORING / "alertmanager.yml").read_text(encoding="utf-8")
    assert "smtp_smarthost: mailpit:1025" in text
    # Half a minute of gathering is for people's sake.
    here = text.replace("mailpit:1025", f"{LOOPBACK}:{smtp}").replace("group_wait: 30s", "group_wait: 1s")
    (tmp_path / "alertmanager.yml").write_text(here, encoding="utf-8")
    catcher = Part(
        name="correo",
        command=(
            *(sys.executable, "-m", "dev.mail_catcher", "--smtp-port", str(smtp), "--ui-port", str(pages)),
            *("--dir", str(tmp_path / "mail")),
        ),
        is_ready=http_ok(pages, "/api/v1/messages"),
    )
    manager = Part(
        name="alertmanager",
        command=(
            program("prometheus-alertmanager"),
            f"--config.file={tmp_path / 'alertmanager.yml'}",
            f"--storage.path={tmp_path / 'data'}",
            f"--web.listen-address={LOOPBACK}:{port}",
            "--cluster.listen-address=",
        ),
        is_ready=http_ok(port, "/-/ready"),
    )
    [rule] = [rule for rule in alerts() if rule["alert"] == "ApiGone"]
    alert = {
        "labels": {"alertname": rule["alert"], **rule["labels"]},
        "annotations": rule["annotations"],
        "startsAt": datetime.now(UTC).isoformat(),
    }
    async with supervisor_of(SILENT) as supervisor:
        await supervisor.start(catcher)
        await supervisor.start(manager)
        async with httpx2.AsyncClient(trust_env=False) as client:
            sent = await client.post(f"http://{LOOPBACK}:{port}/api/v2/alerts", json=[alert])
            assert sent.status_code == 200, sent.text
            mails = f"http://{LOOPBACK}:{pages}/api/v1/message"
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not (listed := (await client.get(f"{mails}s")).json()["messages"]):
                    await asyncio.sleep(0.2)
            mail = (await client.get(f"{mails}/{listed[0]['ID']}")).json()
    assert listed[0]["Subject"] == "[ALERTA] ApiGone"
    assert [to["Address"] for to in listed[0]["To"]] == ["soporte@registro.example"]
    assert rule["annotations"]["summary"] in mail["Text"]
    assert "critical" in json.dumps(mail["Text"])
