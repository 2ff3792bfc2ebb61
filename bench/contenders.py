"""The four that are compared.

The floor, the product, the naive registration and the peer.
"""

import itertools
from collections.abc import Sequence

from temporalio.client import Client

from bench import floor, naive
from bench.mailbox import Mailbox
from bench.naive_workflow import NAMESPACE
from bench.people import new_professionals
from bench.product import stop_purges
from bench.rounds import FLOOR, NAIVE, OURS, PEER, Contender, Register
from bench.visits import Driver, Timed
from dev.private_stack import PrivateStack

PEER_PROCESSES = 2
"""As many as the product has Python processes: an API and a worker."""


async def start_contenders(stack: PrivateStack, mailbox: Mailbox) -> list[Contender]:
    """Start what the product itself does not bring.

    All stand by while one is measured.
    """
    client = await floor.connect(stack.settings)
    await stop_purges(client)
    await naive.create_namespace(client)
    await stack.start_program("piso", "bench.floor")
    await stack.start_program("ingenuo", "bench.naive", temporal_namespace=NAMESPACE)
    naive_port = await stack.start_api("api-ingenua", "api.main:app", temporal_namespace=NAMESPACE)
    peer_ports = [
        await stack.start_api(
            f"par-{number}", "bench.peer:create_peer", "--factory", BENCH_PEER_EXECUTOR=f"peer-{number}"
        )
        for number in range(PEER_PROCESSES)
    ]
    return [
        _floor(client),
        over_http(OURS, stack, mailbox, [stack.settings.api_port]),
        over_http(NAIVE, stack, mailbox, [naive_port]),
        over_http(PEER, stack, mailbox, peer_ports),
    ]


def over_http(name: str, stack: PrivateStack, mailbox: Mailbox, ports: Sequence[int]) -> Contender:
    """A contender behind the product's API and pages.

    Visitors take its processes in turn.
    """

    async def prepare(concurrency: int, count: int) -> Sequence[Register]:
        people = iter(await new_professionals(stack.settings.registry_port, count))
        turns = itertools.cycle(ports)
        visitors = [Driver(next(turns), mailbox) for _ in range(concurrency)]

        def register_with(visitor: Driver) -> Register:
            async def register() -> Timed:
                return await visitor.register(next(people))

            return register

        return [register_with(visitor) for visitor in visitors]

    return Contender(name=name, prepare=prepare)


def _floor(client: Client) -> Contender:
    async def prepare(concurrency: int, _count: int) -> Sequence[Register]:
        return [floor.FloorDriver(client).register] * concurrency

    return Contender(name=FLOOR, prepare=prepare)
