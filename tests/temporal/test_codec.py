import dataclasses

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import pydantic_data_converter

from mipres.temporal.codec import ENCODING, EncryptionCodec, UnknownPayloadKeyError

OLD, NEW = bytes(32), bytes(range(32))
PLAIN = Payload(metadata={"encoding": b"json/plain", "messageType": b"Persona"}, data=b'{"n":"1020304050"}')
CODEC = EncryptionCodec({"new": NEW, "old": OLD}, active="new")


async def encrypted(codec: EncryptionCodec = CODEC) -> Payload:
    return (await codec.encode([PLAIN]))[0]


async def test_what_was_encrypted_is_read_again() -> None:
    assert await CODEC.decode([await encrypted()]) == [PLAIN]


async def test_nothing_of_a_payload_can_be_read_without_the_key() -> None:
    stored = (await encrypted()).SerializeToString()
    assert b"1020304050" not in stored
    assert b"Persona" not in stored
    assert b"json/plain" not in stored


async def test_the_active_key_encrypts_and_is_named() -> None:
    assert (await encrypted()).metadata == {"encoding": ENCODING, "encryption-key-id": b"new"}


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
        await EncryptionCodec({"old": OLD}, active="old").decode([stored])


def test_an_active_key_that_is_not_there_is_noticed_at_once() -> None:
    with pytest.raises(UnknownPayloadKeyError, match="new"):
        EncryptionCodec({"old": OLD}, active="new")


@pytest.mark.parametrize("position", [0, 11, 12, -1])
async def test_data_that_was_changed_is_refused(position: int) -> None:
    stored = await encrypted()
    data = bytearray(stored.data)
    data[position] ^= 1
    stored.data = bytes(data)
    with pytest.raises(UnknownPayloadKeyError, match="does not open"):
        await CODEC.decode([stored])


async def test_a_payload_cannot_be_relabelled_even_where_two_ids_have_one_key() -> None:
    codec = EncryptionCodec({"a": NEW, "b": NEW}, active="a")
    stored = await encrypted(codec)
    stored.metadata["encryption-key-id"] = b"b"
    with pytest.raises(UnknownPayloadKeyError, match="does not open"):
        await codec.decode([stored])


@pytest.mark.parametrize("data", [b"", b"short", bytes(12), bytes(27)])
async def test_data_too_short_to_be_encrypted_is_refused(data: bytes) -> None:
    stored = Payload(metadata={"encoding": ENCODING, "encryption-key-id": b"new"}, data=data)
    with pytest.raises(UnknownPayloadKeyError):
        await CODEC.decode([stored])


@pytest.mark.parametrize("key_id", [b"", b"\xff\xfe"])
async def test_an_encrypted_payload_without_a_proper_key_id_is_refused(key_id: bytes) -> None:
    stored = await encrypted()
    stored.metadata["encryption-key-id"] = key_id
    with pytest.raises(UnknownPayloadKeyError, match="has no key"):
        await CODEC.decode([stored])


async def test_what_was_never_encrypted_passes_through() -> None:
    assert await CODEC.decode([PLAIN]) == [PLAIN]


async def test_a_converter_with_the_codec_brings_values_there_and_back() -> None:
    converter = dataclasses.replace(pydantic_data_converter, payload_codec=CODEC)
    stored = await converter.encode(["ñandú", None])
    assert all(payload.metadata["encoding"] == ENCODING for payload in stored)
    assert await converter.decode(stored) == ["ñandú", None]
