"""The worker, to which a registration that waits for a second is stuck.

`python -m tests.product.hasty_worker`.
"""

import asyncio
from datetime import timedelta

import worker
from workflows import policies

if __name__ == "__main__":
    policies.STUCK_AFTER = timedelta(seconds=1)
    asyncio.run(worker.main())
