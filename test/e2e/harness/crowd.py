"""Many clients at once, in one thread: raw protocol over asyncio."""

import asyncio
import struct

from .wire import ServerError, message, query_message, row_values, startup_packet


class Guest:
    """One client of the crowd."""

    def __init__(self, address, **params):
        self.address, self.params = address, {"user": "app", "database": "app", **params}
        self.reader = self.writer = None

    async def connect(self):
        self.reader, self.writer = await asyncio.open_connection(*self.address)
        self.writer.write(startup_packet(**self.params))

    async def _until_ready(self):
        rows = []
        while True:
            kind, size = struct.unpack("!ci", await self.reader.readexactly(5))
            body = await self.reader.readexactly(size - 4)
            if kind == b"E":
                raise ServerError(body)
            if kind == b"D":
                rows.append(row_values(body))
            if kind == b"Z":
                return rows

    async def logged_in(self):
        await self._until_ready()
        return self

    async def query(self, sql="select 1"):
        self.writer.write(query_message(sql))
        return await self._until_ready()

    def leave(self):
        if self.writer:
            self.writer.write(message(b"X"))
            self.writer.close()

    def vanish(self):
        if self.writer:
            self.writer.transport.abort()

    async def visit(self, connected, sql):
        """Connects, logs in, asks, leaves; returns the rows."""
        await self.connect()
        connected.append(self)
        await self.logged_in()
        rows = await self.query(sql)
        self.leave()
        return rows


def visit_all(guests, sql="select 1", when_all_connected=None, seconds=120):
    """Everybody connects at once; returns rows or the exception of each, in order."""
    async def crowd():
        connected = []
        tasks = [asyncio.ensure_future(g.visit(connected, sql)) for g in guests]
        if when_all_connected:
            while len(connected) < len(guests) and not all(t.done() for t in tasks):
                await asyncio.sleep(0.005)
            when_all_connected()
        return await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), seconds)
    return asyncio.run(crowd())
