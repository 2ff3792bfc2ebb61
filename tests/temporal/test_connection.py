"""What the SDK learns of our types is learnt once a process."""

from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema

from mipres.temporal.connection import data_converter


@dataclass(frozen=True)
class Lesson:
    """A type that counts how often pydantic learns it."""

    number: int
    times: ClassVar[int] = 0

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        cls.times += 1
        return handler(source)


async def test_every_converter_shares_what_one_has_learnt() -> None:
    for _ in range(3):
        converter = data_converter({"k": bytes(32)}, active="k")
        payloads = await converter.encode([Lesson(number=7), b"raw", None])
        assert await converter.decode(payloads, [Lesson, bytes, type(None)]) == [
            Lesson(number=7),
            b"raw",
            None,
        ]
    assert Lesson.times == 1
