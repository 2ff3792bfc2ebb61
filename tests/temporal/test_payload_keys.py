from pathlib import Path

from mipres.settings import _payload_keys
from mipres.temporal.payload_keys import replace_in, with_another_key, with_second_active, written

OLD = {"k1": b"1" * 32, "old": b"0" * 32}


def test_a_new_key_decrypts_before_it_encrypts() -> None:
    key_id, keys = with_another_key(OLD)
    assert (key_id, list(keys)) == ("k2", ["k1", "k2", "old"])
    assert {name: keys[name] for name in OLD} == OLD
    assert len(keys["k2"]) == 32
    assert with_another_key(OLD)[1]["k2"] != keys["k2"]


def test_the_second_key_becomes_the_first() -> None:
    _, keys = with_another_key(OLD)
    activated = with_second_active(keys)
    assert activated is not None
    assert (activated[0], list(activated[1])) == ("k2", ["k2", "k1", "old"])
    assert activated[1] == keys
    assert with_second_active({"k1": OLD["k1"]}) is None


def test_what_is_written_is_what_the_setting_reads() -> None:
    _, keys = with_another_key(OLD)
    assert _payload_keys(written(keys)) == keys


def test_a_file_is_changed_only_where_it_holds_the_old_value(tmp_path: Path) -> None:
    file = tmp_path / "secrets.env"
    assert not replace_in(file, "KEYS", old="a", new="b")
    file.write_text("OTHER=1\nKEYS=a\n")
    assert not replace_in(file, "KEYS", old="x", new="b")
    assert replace_in(file, "KEYS", old="a", new="b")
    assert file.read_text() == "OTHER=1\nKEYS=b\n"
    assert file.stat().st_mode & 0o077 == 0
