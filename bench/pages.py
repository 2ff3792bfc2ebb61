"""How fast pages come that need no Temporal."""

import time

from bench.http import Connection, expect

PAGES = ("/", "/registro/profesional", "/registro/delegado", "/ingreso/mipres", "/contrasena/recuperar")


async def page_times(api_port: int, *, repetitions: int) -> dict[str, list[float]]:
    """Seconds of each page, asked for one after the other over one connection."""
    connection = Connection(port=api_port)
    times: dict[str, list[float]] = {page: [] for page in PAGES}
    for number in range(repetitions + 1):
        for page in PAGES:
            began = time.perf_counter()
            expect(await connection.get(page), 200)
            if number:
                times[page].append(time.perf_counter() - began)
    connection.close()
    return times
