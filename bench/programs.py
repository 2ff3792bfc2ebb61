"""What the programs that are measured beside the product have in common.

They say ready, and end on a signal.
"""

import asyncio
import signal

from dev.private_stack import READY_LINE


async def serve() -> None:
    """Say that measuring may begin, then wait for SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print(READY_LINE, flush=True)
    await stop.wait()
