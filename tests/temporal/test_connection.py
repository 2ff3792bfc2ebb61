"""What the SDK learns of our types is learnt once a process."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema
from temporalio.converter import WorkflowSerializationContext

from mipres.temporal.codec import UntrustedPayloadError
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


async def test_a_place_has_one_converter_and_shares_it_with_no_other() -> None:
    converter = data_converter({"k": bytes(32)}, active="k")
    own, another = (
        WorkflowSerializationContext(namespace="default", workflow_id=name) for name in ("RM-1", "RM-2")
    )
    placed = converter.with_context(own)
    assert converter.with_context(replace(own)) is placed
    sealed = await placed.encode([Lesson(number=7)])
    assert await placed.decode(sealed, [Lesson]) == [Lesson(number=7)]
    with pytest.raises(UntrustedPayloadError):
        await converter.with_context(another).decode(sealed, [Lesson])
    stranger = data_converter({"k": bytes(31) + b"x"}, active="k")
    with pytest.raises(UntrustedPayloadError):
        await stranger.with_context(own).decode(sealed, [Lesson])
