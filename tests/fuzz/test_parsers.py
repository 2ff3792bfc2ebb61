"""Everything that reads what strangers write, fed with what strangers may write.

An answer or the one error, never another.
"""

import base64
import string
import uuid
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import FormData
from starlette.requests import Request
from temporalio.api.common.v1 import Payload

from api.clients import client_of, network_of
from api.errors import in_words
from api.forms import REGISTRATION_FIELDS, raw_submission, typed_in
from api.security import Cookies, FormTokens, FormTokenState, api_key_in, is_cross_site
from mipres.captcha.challenges import CaptchaChallenges
from mipres.clock import SystemClock
from mipres.domain.audit import ReasonRefusedError, checked_reason
from mipres.domain.documents import DOCUMENT_RULES, DocumentType, parse_document
from mipres.domain.errors import FieldError, InvalidSubmissionError
from mipres.domain.outcomes import mask_email
from mipres.domain.passwords import PasswordContext, PasswordPolicy, normalise_password, unmet_rules
from mipres.domain.radicado import is_radicado
from mipres.domain.submissions import UserType, check_submission
from mipres.keys import LinkTokens
from mipres.temporal.codec import REFUSED_ENCODING, EncryptionCodec, UntrustedPayloadError
from tests.fuzz.sizes import cases

# Digits and letters of documents among everything else, so that not every case ends at the first character.
anything = st.one_of(
    st.text(max_size=60),
    st.text(alphabet=string.digits + " .-" + string.ascii_letters, max_size=45),
    st.sampled_from(
        ["", "\x00", "\ud800", "' OR 1=1 --", "<svg onload=alert(1)>", "{{7*7}}", "%0d%0a", "9" * 600]
    ),
)
FIELDS = (
    *("tipo_entidad", "regimen", "tiene_nit", "nit", "departamento", "municipio", "tipo_documento"),
    *("numero_documento", "registro_profesional", "acepta_datos", "captcha", "otro"),
)
likely = st.one_of(
    anything,
    st.sampled_from(
        ["CC", "CE", "PA", "IPS", "EPS", "PROVEEDOR", "SI", "NO", "11", "11001", "1020304050", "900123456"]
    ),
)


def request(**headers: str) -> Request:
    raw = [
        (name.replace("_", "-").encode(), value.encode("latin-1", "replace"))
        for name, value in headers.items()
    ]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": raw, "client": ("10.0.0.1", 1)})


@cases(400, long=4_000)
@given(st.sampled_from([*DocumentType, "XX", ""]), anything)
def test_documents(type_code: str, number: str) -> None:
    try:
        document = parse_document(type_code, number)
    except (KeyError, ValueError):
        return
    assert DOCUMENT_RULES[document.type].pattern.fullmatch(document.number)
    assert parse_document(document.type, document.number) == document


@cases(500, long=5_000)
@given(st.sampled_from(UserType), st.dictionaries(st.sampled_from(FIELDS), likely, max_size=12))
def test_submissions(user_type: UserType, fields: dict[str, str]) -> None:
    raw = raw_submission(user_type, typed_in(FormData(list(fields.items())), REGISTRATION_FIELDS))
    errors: tuple[FieldError, ...] = ()
    try:
        assert check_submission(raw).user_type is user_type
    except InvalidSubmissionError as error:
        errors = error.errors
    assert all(item.message for item in errors)
    assert raw.terms_accepted or errors


@cases(300, long=3_000)
@given(st.one_of(anything, st.binary(max_size=80).map(lambda raw: base64.urlsafe_b64encode(raw).decode())))
def test_tokens(token: str) -> None:
    assert LinkTokens(b"k" * 32).link_id_of(token) is None
    assert CaptchaChallenges(None, key=b"k" * 32, clock=SystemClock()).code_of(token) is None  # type: ignore[arg-type]
    tokens = FormTokens(b"k" * 32, cookies=Cookies(https=False))
    assert tokens.state(request(cookie="mipres_visita=v"), token) is FormTokenState.WRONG
    assert not is_radicado(token) or token.startswith("RM-")
    assert not api_key_in(token, ("k" * 32,))
    assert not api_key_in(f"Bearer {token}", ("k" * 32,))


@cases(100, long=1_000)
@given(st.uuids(), st.integers(0, 63), st.characters(codec="ascii"))
def test_a_changed_link_is_no_link(link_id: uuid.UUID, place: int, char: str) -> None:
    tokens = LinkTokens(b"k" * 32)
    token = tokens.token_of(link_id)
    changed = token[:place] + char + token[place + 1 :]
    assert tokens.link_id_of(changed) == (link_id if changed == token else None)


@cases(300, long=3_000)
@given(anything, anything, anything)
def test_headers(forwarded: str, origin: str, host: str) -> None:
    asked = request(x_forwarded_for=forwarded, origin=origin, host=host)
    client = client_of(asked, (ip_network("10.0.0.0/8"),))
    assert network_of(client)
    is_cross_site(asked, public_url="https://mipres.example")


@cases(300, long=3_000)
@given(st.text(max_size=200), anything, anything)
def test_passwords(password: str, login: str, name: str) -> None:
    owner = PasswordContext(login=login, full_name=name)
    for policy in PasswordPolicy:
        unmet = unmet_rules(normalise_password(password), policy, owner)
        assert len(password) <= 128 or unmet


@cases(100, long=1_000)
@given(anything)
def test_sentences(text: str) -> None:
    mask_email(text)
    try:
        assert checked_reason(text).isprintable()
    except ReasonRefusedError:
        return


@cases(100, long=500)
@given(st.integers(1, 10**6))
def test_waits(seconds: int) -> None:
    assert in_words(seconds).partition(" ")[0].isdecimal()


@cases(150, long=1_000)
@given(st.binary(max_size=120), st.sampled_from([b"test", b"", b"other", b"\xff"]))
async def test_payloads(data: bytes, key_id: bytes) -> None:
    codec = EncryptionCodec({"test": bytes(32)}, active="test")
    forged = Payload(metadata={"encoding": b"binary/encrypted", "encryption-key-id": key_id}, data=data)
    with pytest.raises(UntrustedPayloadError):
        codec.open(forged)
    [marked] = await codec.decode([forged])
    assert marked.metadata["encoding"] == REFUSED_ENCODING


@cases(40, long=500)
@given(
    st.recursive(
        st.none() | st.booleans() | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    )
)
async def test_what_is_encrypted_comes_back(value: Any) -> None:
    codec = EncryptionCodec({"test": bytes(32)}, active="test")
    payload = Payload(data=repr(value).encode(errors="replace"))
    assert await codec.decode(await codec.encode([payload])) == [payload]
