"""`make bench`: measure, keep the results as JSON, print and draw them."""

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial

from temporalio.client import Client

from bench import costs, report, simulation
from bench.contenders import over_http, start_contenders
from bench.logins import login_times
from bench.machine import describe_machine, load_average
from bench.mailbox import Mailbox, open_mailbox
from bench.naive_workflow import NAMESPACE
from bench.pages import page_times
from bench.people import new_professionals
from bench.product import measured_stack
from bench.rounds import FLOOR, NAIVE, OURS, Contender, Round, interleave, run_round
from bench.sizes import Sizes, chosen_sizes
from bench.statistics import median, quantile
from bench.visits import Driver
from dev.private_stack import PrivateStack
from mipres.arguments import take_none

COST_CONCURRENCY = 10
_COMPLETED = "RegistrationStage = 'completed'"


async def measure(name: str, sizes: Sizes) -> report.Results:
    """Everything, on one fresh stack."""
    started = time.monotonic()
    loads = [load_average()]
    async with measured_stack() as stack, open_mailbox(stack.settings.mail_ui_port) as mailbox:
        contenders = await start_contenders(stack, mailbox)
        by_concurrency: dict[int, Mapping[str, list[Round]]] = {}
        for number, (concurrency, count) in enumerate(sizes.counts.items(), start=1):
            by_concurrency[concurrency] = await interleave(
                contenders,
                concurrency=concurrency,
                count=count,
                rounds=sizes.rounds,
                deadline=started + sizes.seconds * number / len(sizes.counts),
                tell=_say,
            )
        sequential = await _sequential_outcomes(stack, mailbox, sizes.sequential)
        cost = await _cost(stack, mailbox, sizes.cost, contenders)
        pages = await page_times(stack.settings.api_port, repetitions=sizes.pages)
        logins = await login_times(stack, mailbox, repetitions=sizes.pages)
    loads.append(load_average())
    return report.Results(
        size=name,
        machine=describe_machine() | {"load_before_and_after": loads},
        seconds=round(time.monotonic() - started, 1),
        comparisons=[
            comparison
            for concurrency, rounds in by_concurrency.items()
            for comparison in report.compare(concurrency, rounds)
        ],
        sequential_outcome_p50_ms=round(median(sequential) * 1000, 2),
        sequential_outcome_p95_ms=round(quantile(sequential, 0.95) * 1000, 2),
        cost=cost,
        page_p50_ms=_p50_ms(pages),
        login_p50_ms=_p50_ms(logins),
    )


def _p50_ms(times: Mapping[str, list[float]]) -> dict[str, float]:
    return {name: round(median(seconds) * 1000, 2) for name, seconds in times.items()}


async def _sequential_outcomes(stack: PrivateStack, mailbox: Mailbox, count: int) -> list[float]:
    visitor = Driver(stack.settings.api_port, mailbox)
    people = await new_professionals(stack.settings.registry_port, count)
    outcomes = []
    for person in people:
        began = time.perf_counter()
        await visitor.submit(person)
        outcomes.append(time.perf_counter() - began)
    visitor.close()
    return outcomes


async def _cost(
    stack: PrivateStack, mailbox: Mailbox, count: int, contenders: Sequence[Contender]
) -> dict[str, object]:
    """One more round of each, the product's with the database's books open too."""
    statements = costs.Statements(stack.database_url)
    ours = over_http(OURS, stack, mailbox, [stack.settings.api_port])
    await statements.reset()
    spent, done = await _processor_ms(stack, ours, count)
    top = await statements.top()
    others = [contender for contender in contenders if contender.name != OURS]
    connect = partial(Client.connect, stack.settings.temporal_address)
    histories = {
        OURS: await costs.newest_history(await connect(namespace="default"), _COMPLETED),
        NAIVE: await costs.newest_history(
            await connect(namespace=NAMESPACE), "ExecutionStatus = 'Completed'"
        ),
        FLOOR: await costs.newest_history(await connect(namespace="default"), "WorkflowType = 'Floor'"),
    }
    calls = sum(int(str(row["calls"])) for row in top)
    return {
        "histories": histories,
        "statements": round(calls / done, 1),
        "statement_ms": round(sum(float(str(row["ms"])) for row in top) / done, 2),
        "top_statements": [row | {"calls": round(int(str(row["calls"])) / done, 2)} for row in top[:12]],
        "processor_ms": spent,
        "processor_ms_of_others": {
            other.name: (await _processor_ms(stack, other, count))[0] for other in others
        },
        "password_hash_ms": await costs.password_hash_ms(),
    }


async def _processor_ms(
    stack: PrivateStack, contender: Contender, count: int
) -> tuple[dict[str, float], int]:
    """What each part spends on one of its registrations, and how many were done."""
    before = costs.processor_seconds(stack)
    measured = await run_round(contender, concurrency=COST_CONCURRENCY, count=count)
    done = len(measured.wholes)
    return costs.spent(contender.name, before, costs.processor_seconds(stack), done), done


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    take_none("python -m bench", __doc__)
    name, sizes = chosen_sizes()
    results = asyncio.run(measure(name, sizes))
    path = report.keep(results, f"bench-{name}" if name != "full" else "bench")
    if name == "full":
        report.publish(results)
        simulation.publish()
    print(report.table(results))
    print(f"\n{path}")


if __name__ == "__main__":
    main()
