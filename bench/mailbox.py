"""Waits for mails through the catcher's API.

One reader for all visitors, however many wait.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from bench.http import Connection, expect
from dev.citizen import link_in

_POLL_SECONDS = 0.01
_PAGE = 50


class Mailbox:
    """Ids of mails by address, in the order of their arrival."""

    def __init__(self, port: int, *, poll_seconds: float = _POLL_SECONDS) -> None:
        self.port = port
        self._poll_seconds = poll_seconds
        self._seen = 0
        self._mails: defaultdict[str, list[str]] = defaultdict(list)
        self._news = asyncio.Condition()
        self._somebody_waits = asyncio.Event()
        self._waiting = 0

    async def link(self, address: str, connection: Connection) -> str:
        """Path of the link in the first mail to an address."""
        identifier = await self._mail(address, 1)
        answer = expect(await connection.get(f"/api/v1/message/{identifier}"), 200)
        link = link_in(answer.text)
        if link is None:
            raise LookupError(address)
        return link

    async def newest_link(self, address: str, connection: Connection, *, besides: str = "") -> str:
        """Path of the newest link to an address, once there is one beside another."""
        seen = 0
        while True:
            seen = await self.arrived(address, seen + 1)
            for identifier in reversed(self._mails[address]):
                answer = expect(await connection.get(f"/api/v1/message/{identifier}"), 200)
                link = link_in(answer.text)
                if link == besides:
                    break
                if link:
                    return link

    async def arrived(self, address: str, count: int) -> int:
        """Wait for so many mails to an address; how many have come."""
        await self._mail(address, count)
        return len(self._mails[address])

    def forget(self, address: str) -> None:
        """Keep nothing of an address whose person is done."""
        self._mails.pop(address, None)

    async def confirmation(self, address: str) -> None:
        """Wait for the second mail, which tells that the password has been created."""
        await self._mail(address, 2)
        del self._mails[address]

    async def read_for_ever(self) -> None:
        """Look for new mails while somebody waits for one."""
        connection = Connection(port=self.port)
        try:
            while True:
                await self._somebody_waits.wait()
                # A catcher that is being started again has kept its mails, and is asked once more.
                with suppress(OSError, asyncio.IncompleteReadError):
                    await self._look(connection)
                await asyncio.sleep(self._poll_seconds)
        finally:
            connection.close()

    async def _look(self, connection: Connection) -> None:
        listing = await _listing(connection, _PAGE)
        if listing["total"] - self._seen > _PAGE:
            # Some more, because others arrive between the two questions.
            listing = await _listing(connection, listing["total"] - self._seen + _PAGE * 20)
        new = listing["total"] - self._seen
        if not new:
            return
        for message in reversed(listing["messages"][:new]):
            self._mails[message["To"][0]["Address"]].append(message["ID"])
        self._seen += new
        async with self._news:
            self._news.notify_all()

    async def _mail(self, address: str, count: int) -> str:
        self._waiting += 1
        self._somebody_waits.set()
        try:
            async with self._news:
                await self._news.wait_for(lambda: len(self._mails[address]) >= count)
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._somebody_waits.clear()
        return self._mails[address][count - 1]


async def _listing(connection: Connection, limit: int) -> dict[str, Any]:
    return expect(await connection.get(f"/api/v1/messages?limit={limit}"), 200).json()


@asynccontextmanager
async def open_mailbox(port: int, *, poll_seconds: float = _POLL_SECONDS) -> AsyncIterator[Mailbox]:
    """A mailbox that is read while the block runs."""
    mailbox = Mailbox(port, poll_seconds=poll_seconds)
    reading = asyncio.create_task(mailbox.read_for_ever())
    try:
        yield mailbox
    finally:
        reading.cancel()
        await asyncio.wait({reading})
