"""The file of the signing keys."""

from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, KeySet, OctKey

from mipres.oidc_keys import UnusableKeysError, fresh_key, read_keys, write_keys


@pytest.mark.parametrize(
    "key", [ECKey.generate_key("P-384", auto_kid=True), OctKey.generate_key(256, auto_kid=True)]
)
def test_only_keys_that_can_sign_are_read(tmp_path: Path, key: Any) -> None:
    file = tmp_path / "keys.json"
    write_keys(file, KeySet([fresh_key(), key]))
    with pytest.raises(UnusableKeysError, match="P-256"):
        read_keys(file)
    write_keys(file, KeySet([fresh_key()]))
    assert read_keys(file).algorithm == "RS256"


@pytest.mark.parametrize(
    "text", ["", "[]", '{"keys": 1}', '{"keys": [{"kty": "RSA", "n": 1}]}', "[" * 60_000]
)
def test_a_file_without_a_key_set_is_told_apart(tmp_path: Path, text: str) -> None:
    file = tmp_path / "keys.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UnusableKeysError, match="no se pudo leer"):
        read_keys(file)
