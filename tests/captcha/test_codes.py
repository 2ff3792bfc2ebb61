import pytest

from mipres.captcha import codes


@pytest.mark.parametrize(
    "alike", ["0OQD", "1I", "2Z", "4A", "5S", "6G", "7T", "8B", "UVW", "CG", "EF", "MN", "BVPTCDEG"]
)
def test_of_symbols_that_look_or_sound_alike_one_is_used_at_most(alike: str) -> None:
    assert len(set(alike) & set(codes.ALPHABET)) <= 1


@pytest.mark.parametrize("typed", ["7KMXY", "7kmxy", " 7 k m\tx y ", "7KM\u00a0XY"])
def test_case_and_spaces_of_an_answer_do_not_count(typed: str) -> None:
    assert codes.normalise_answer(typed) == "7KMXY"
