"""What the codec refuses becomes few rows of the trail, and nothing personal."""

import itertools

from mipres.database import refused_payloads
from mipres.database.audit_queue import AuditQueue
from mipres.database.refused_payloads import EVERY_SECONDS, MOST_IN_THAT_TIME, RefusedPayloads
from mipres.temporal.codec import Fault
from tests.fakes import FakeAuditTrail

RADICADO = "RM-9TK0WVFK6AQB"
Row = tuple[str, str | None, object]


class Scene:
    def __init__(self) -> None:
        self.trail, self.time = FakeAuditTrail(), 0.0
        self.queue = AuditQueue(self.trail)
        self.refused = RefusedPayloads(self.queue, now=lambda: self.time)

    async def rows(self) -> list[Row]:
        await self.queue.finish()
        assert {(event.type.value, event.actor, event.login) for event in self.trail.events} <= {
            ("payload_refused", "product", None)
        }
        return [
            (str(event.details["fault"]), event.reference, event.details["times"])
            for event in self.trail.events
        ]


async def test_a_refused_payload_is_a_row_of_its_registration() -> None:
    scene = Scene()
    scene.refused.note(Fault.PLAINTEXT, f"default/registration/{RADICADO}")
    scene.refused.note(Fault.MOVED, f"default/registration/{RADICADO}#register_account")
    assert await scene.rows() == [("plaintext", RADICADO, 1), ("moved", RADICADO, 1)]


async def test_of_an_id_that_a_stranger_chose_nothing_is_kept() -> None:
    scene = Scene()
    for workflow_id in ("CC1020304050", "registration/CC1020304050", "ana@example", "", "registration/RM-1"):
        scene.refused.note(Fault.PLAINTEXT, f"default/{workflow_id}")
    scene.refused.flush()
    assert await scene.rows() == [("plaintext", None, 1), ("plaintext", None, 4)]


async def test_more_of_the_same_is_counted_and_not_lost() -> None:
    scene = Scene()
    for _ in range(50):
        scene.refused.note(Fault.PLAINTEXT, f"default/registration/{RADICADO}")
    assert await scene.rows() == [("plaintext", RADICADO, 1)]
    scene.time = EVERY_SECONDS
    scene.refused.note(Fault.PLAINTEXT, f"default/registration/{RADICADO}")
    assert await scene.rows() == [("plaintext", RADICADO, times) for times in (1, 49, 1)]


async def test_invented_registrations_do_not_fill_the_trail() -> None:
    scene = Scene()
    symbols = itertools.product("0123456789", repeat=4)
    sent = 10 * MOST_IN_THAT_TIME
    for four in itertools.islice(symbols, sent):
        scene.refused.note(Fault.PLAINTEXT, f"default/registration/RM-00000000{''.join(four)}")
    scene.refused.flush()
    rows = await scene.rows()
    assert len(rows) <= MOST_IN_THAT_TIME + len(Fault) + 1
    assert sum(int(str(times)) for _, _, times in rows) == sent
    assert refused_payloads.MOST_IN_THAT_TIME <= 100
