"""What `make run` keeps, and what goes before it."""

from pathlib import Path

from dev.data_directory import DataDirectory


def test_a_secret_in_a_named_file_goes_before_the_generated_one(tmp_path: Path) -> None:
    data = DataDirectory(path=tmp_path)
    generated = data.secrets()
    (tmp_path / "own").write_text("mine\n", encoding="utf-8")
    named = {"MIPRES_SECRET_KEY_FILE": str(tmp_path / "own"), "MIPRES_API_PORT": "9000"}
    expected = {**generated, "MIPRES_SECRET_KEY": "mine", "MIPRES_API_PORT": "9000"}
    assert data.with_secrets(named) == expected
    both = {**named, "MIPRES_SECRET_KEY": "typed"}
    assert data.with_secrets(both) == {**expected, "MIPRES_SECRET_KEY": "typed"}
