from pathlib import Path

import pytest

from mipres.key_rings import (
    fresh_key,
    in_base64,
    only_active,
    replace_in,
    with_another_key,
    with_second_active,
    written,
)
from mipres.settings.values import _keys_by_id

OLD = in_base64({"k1": b"1" * 32, "old": b"0" * 32})


def test_a_new_key_decrypts_before_it_encrypts() -> None:
    key_id, keys = with_another_key(OLD, fresh_key)
    assert (key_id, list(keys)) == ("k2", ["k1", "k2", "old"])
    assert {name: keys[name] for name in OLD} == OLD
    assert with_another_key(OLD, fresh_key)[1]["k2"] != keys["k2"]


def test_the_second_key_becomes_the_first() -> None:
    _, keys = with_another_key(OLD, fresh_key)
    activated = with_second_active(keys)
    assert activated is not None
    assert (activated[0], list(activated[1])) == ("k2", ["k2", "k1", "old"])
    assert activated[1] == keys
    assert with_second_active({"k1": OLD["k1"]}) is None


def test_what_is_written_is_what_the_setting_reads() -> None:
    _, keys = with_another_key(OLD, fresh_key)
    read = _keys_by_id(written(keys))
    assert isinstance(read, dict)
    assert in_base64(read) == keys


@pytest.mark.parametrize(
    ("ids", "fresh"), [(["a1"], "a2"), (["k9", "k10"], "k11"), (["one"], "k1"), (["7"], "8")]
)
def test_a_new_key_is_named_after_the_others(ids: list[str], fresh: str) -> None:
    assert with_another_key(dict.fromkeys(ids, "x"), fresh_key)[0] == fresh


def test_the_older_keys_go_at_last() -> None:
    assert only_active(OLD) == ("k1", {"k1": OLD["k1"]})
    assert only_active({"k1": OLD["k1"]}) is None


def test_a_file_is_changed_only_where_it_holds_the_old_values(tmp_path: Path) -> None:
    file = tmp_path / "secrets.env"
    old, new = {"KEY": "a", "PREVIOUS": ""}, {"KEY": "a", "PREVIOUS": "b"}
    assert not replace_in(file, old=old, new=new)
    file.write_text("# mine\nOTHER=1=2\nKEY=a\n")
    assert not replace_in(file, old={"KEY": "x"}, new=new)
    assert replace_in(file, old=old, new=new)
    assert file.read_text() == "# mine\nOTHER=1=2\nKEY=a\nPREVIOUS=b\n"
    assert file.stat().st_mode & 0o077 == 0
