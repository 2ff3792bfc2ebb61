import dataclasses

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import ActivitySerializationContext, WorkflowSerializationContext

from mipres.temporal.codec import (
    ENCODING,
    KEY_ID,
    OPERATOR_ENCODING,
    REFUSED_ENCODING,
    SCOPE,
    EncryptionCodec,
    Fault,
    UnknownPayloadKeyError,
    UntrustedPayloadError,
)

OLD, NEW = bytes(32), bytes(range(32))
PLAIN = Payload(metadata={"encoding": b"json/plain", "messageType": b"Persona"}, data=b'{"n":"1020304050"}')
TEXT = Payload(metadata={"encoding": b"json/plain"}, data=b'"porque lo pidi\xc3\xb3"')
CODEC = EncryptionCodec({"new": NEW, "old": OLD}, active="new")


def of_workflow(name: str, codec: EncryptionCodec = CODEC) -> EncryptionCodec:
    return codec.with_context(WorkflowSerializationContext(namespace="default", workflow_id=name))


def of_activity(name: str, activity_type: str) -> EncryptionCodec:
    return CODEC.with_context(
        ActivitySerializationContext(
            namespace="default",
            workflow_id=name,
            workflow_type="Registration",
            activity_type=activity_type,
            activity_id=None,
            activity_task_queue=None,
            is_local=False,
        )
    )


async def encrypted(codec: EncryptionCodec = CODEC) -> Payload:
    return (await codec.encode([PLAIN]))[0]


async def fault_of(codec: EncryptionCodec, payload: Payload) -> Fault:
    [marked] = await codec.decode([payload])
    assert marked.metadata["encoding"] == REFUSED_ENCODING
    return Fault(marked.data.decode())


async def test_what_was_encrypted_is_read_again() -> None:
    assert await CODEC.decode([await encrypted()]) == [PLAIN]


async def test_nothing_of_a_payload_can_be_read_without_the_key() -> None:
    stored = (await encrypted()).SerializeToString()
    assert b"1020304050" not in stored
    assert b"Persona" not in stored
    assert b"json/plain" not in stored


async def test_the_active_key_encrypts_and_is_named_beside_the_scope() -> None:
    stored = await encrypted(of_workflow("registration/RM-1"))
    assert stored.metadata == {"encoding": ENCODING, KEY_ID: b"new", SCOPE: b"default/registration/RM-1"}


async def test_an_id_that_a_stranger_chose_is_no_activity_of_another_workflow() -> None:
    of_step = of_activity("registration/RM-1", "check_person")
    disguised = of_workflow("registration/RM-1#check_person")
    assert await fault_of(of_step, await encrypted(disguised)) is Fault.MOVED
    assert await fault_of(disguised, await encrypted(of_step)) is Fault.MOVED
    of_other = of_activity("registration/RM-1#", "check_person")
    assert (
        await fault_of(of_other, await encrypted(of_workflow("registration/RM-1##check_person")))
        is Fault.MOVED
    )


async def test_the_same_payload_never_looks_the_same_twice() -> None:
    assert (await encrypted()).data != (await encrypted()).data


async def test_every_payload_of_a_call_is_treated_and_keeps_its_place() -> None:
    payloads = [Payload(data=bytes([number])) for number in range(5)]
    assert await CODEC.decode(await CODEC.encode(payloads)) == payloads


async def test_a_key_that_was_retired_still_reads() -> None:
    stored = await encrypted(EncryptionCodec({"old": OLD}, active="old"))
    assert await CODEC.decode([stored]) == [PLAIN]


async def test_a_key_that_is_gone_is_named_with_the_setting() -> None:
    stored = await encrypted()
    with pytest.raises(UnknownPayloadKeyError, match=r"MIPRES_PAYLOAD_KEYS has no key 'new'"):
        EncryptionCodec({"old": OLD}, active="old").open(stored)


def test_an_active_key_that_is_not_there_is_noticed_at_once() -> None:
    with pytest.raises(UnknownPayloadKeyError, match="new"):
        EncryptionCodec({"old": OLD}, active="new")


@pytest.mark.parametrize("position", [0, 11, 12, -1])
async def test_data_that_was_changed_is_refused(position: int) -> None:
    stored = await encrypted()
    data = bytearray(stored.data)
    data[position] ^= 1
    stored.data = bytes(data)
    assert await fault_of(CODEC, stored) is Fault.TAMPERED


@pytest.mark.parametrize(("name", "value"), [(KEY_ID, b"b"), (SCOPE, b"default/registration/RM-2")])
async def test_a_payload_cannot_be_relabelled_even_where_two_ids_have_one_key(
    name: str, value: bytes
) -> None:
    codec = EncryptionCodec({"a": NEW, "b": NEW}, active="a")
    stored = await encrypted(of_workflow("registration/RM-1", codec))
    stored.metadata[name] = value
    assert await fault_of(codec, stored) is Fault.TAMPERED


@pytest.mark.parametrize("data", [b"", b"short", bytes(12), bytes(27)])
async def test_data_too_short_to_be_encrypted_is_refused(data: bytes) -> None:
    stored = Payload(metadata={"encoding": ENCODING, KEY_ID: b"new"}, data=data)
    assert await fault_of(CODEC, stored) is Fault.TAMPERED


@pytest.mark.parametrize("key_id", [b"", b"\xff\xfe"])
async def test_an_encrypted_payload_without_a_proper_key_id_is_refused(key_id: bytes) -> None:
    stored = await encrypted()
    stored.metadata[KEY_ID] = key_id
    assert await fault_of(CODEC, stored) is Fault.UNKNOWN_KEY


@pytest.mark.parametrize("codec", [CODEC, of_workflow("registration/RM-1")], ids=["server", "workflow"])
async def test_what_was_never_encrypted_is_refused(codec: EncryptionCodec) -> None:
    assert await fault_of(codec, PLAIN) is Fault.PLAINTEXT
    with pytest.raises(UntrustedPayloadError):
        codec.open(PLAIN)


@pytest.mark.parametrize("mark", [REFUSED_ENCODING, OPERATOR_ENCODING])
async def test_a_mark_cannot_be_sent_from_outside(mark: bytes) -> None:
    assert await fault_of(CODEC, Payload(metadata={"encoding": mark}, data=b"plaintext")) is Fault.PLAINTEXT


async def test_ciphertext_of_another_workflow_or_activity_is_refused() -> None:
    mine = of_workflow("registration/RM-1")
    assert await fault_of(of_workflow("registration/RM-2"), await encrypted(mine)) is Fault.MOVED
    checked = of_activity("registration/RM-1", "check_person")
    assert await checked.decode([await encrypted(checked)]) == [PLAIN]
    assert (
        await fault_of(of_activity("registration/RM-1", "check_profession"), await encrypted(checked))
        is Fault.MOVED
    )
    assert await fault_of(mine, await encrypted(checked)) is Fault.MOVED
    assert (
        await fault_of(of_activity("registration/RM-2", "check_person"), await encrypted(checked))
        is Fault.MOVED
    )


async def test_the_codec_server_reads_what_belongs_anywhere() -> None:
    assert CODEC.open(await encrypted(of_workflow("registration/RM-1"))) == PLAIN


async def test_each_refusal_is_noticed_with_its_place() -> None:
    noticed: list[tuple[Fault, str]] = []
    codec = EncryptionCodec({"new": NEW}, active="new", on_refused=lambda *what: noticed.append(what))
    await of_workflow("registration/RM-1", codec).decode([PLAIN, await encrypted(of_workflow("x"))])
    assert noticed == [
        (Fault.PLAINTEXT, "default/registration/RM-1"),
        (Fault.MOVED, "default/registration/RM-1"),
    ]


ROUND = "access-notices-2026-11-26T09:20:00Z"


@pytest.mark.parametrize(
    ("written_in", "forged", "noticed"),
    [
        ("access-notices-2026-11-26T09:10:00Z", False, False),
        ("access-notices-2026-11-26T09:10:00Z", True, True),
        ("retention-2026-11-26T09:00:00Z", False, True),
        ("access-notices", False, True),
    ],
)
async def test_what_a_schedule_hands_on_is_refused_without_an_alarm(
    written_in: str, *, forged: bool, noticed: bool
) -> None:
    """Temporal gives each round the result of the one before.

    Otherwise a critical alert would never end.
    """
    faults: list[Fault] = []
    codec = EncryptionCodec({"new": NEW}, active="new", on_refused=lambda fault, _scope: faults.append(fault))
    payload = await encrypted(of_workflow(written_in, codec))
    if forged:
        payload.data = payload.data[:-1] + bytes([payload.data[-1] ^ 1])
    assert await fault_of(of_workflow(ROUND, codec), payload) is Fault.MOVED
    assert bool(faults) is noticed


async def test_an_operators_reason_is_marked_as_such_for_every_workflow() -> None:
    sealed = CODEC.seal_for_operator(TEXT, actor="ana.rojas", lifetime_seconds=60)
    [marked] = await of_workflow("registration/RM-1").decode([sealed])
    assert marked.metadata["encoding"] == OPERATOR_ENCODING
    assert marked.data == TEXT.data
    sealed.metadata[SCOPE] = sealed.metadata[SCOPE].replace(b"ana", b"eva")
    assert await fault_of(of_workflow("registration/RM-1"), sealed) is Fault.TAMPERED


@pytest.mark.parametrize("data", [b"{}", b"null", b"7", b'["a"]'])
def test_an_operator_seals_texts_alone(data: bytes) -> None:
    with pytest.raises(ValueError, match="text"):
        CODEC.seal_for_operator(Payload(data=data), actor="ana", lifetime_seconds=60)


async def test_a_converter_with_the_codec_brings_values_there_and_back() -> None:
    converter = dataclasses.replace(pydantic_data_converter, payload_codec=CODEC)
    stored = await converter.encode(["ñandú", None])
    assert all(payload.metadata["encoding"] == ENCODING for payload in stored)
    assert await converter.decode(stored) == ["ñandú", None]
