import itertools

import pytest

from mipres.captcha import codes


@pytest.mark.parametrize(
    "alike", ["0OQD", "1I", "2Z", "4A", "5S", "6G", "7T", "8B", "UVW", "CG", "EF", "MN", "BVPTCDEG"]
)
def test_of_symbols_that_look_or_sound_alike_one_is_used_at_most(alike: str) -> None:
    assert len(set(alike) & set(codes.ALPHABET)) <= 1


@pytest.mark.parametrize(
    "typed", ["7KMXY", "7kmxy", " 7 k m\tx y ", "7KM\u00a0XY", "\uff17\uff2b\uff2d\uff38\uff39", "7kḿxý"]
)
def test_case_accents_width_and_spaces_of_an_answer_do_not_count(typed: str) -> None:
    assert codes.normalise_answer(typed) == codes.normalise_answer("7KMXY")


@pytest.mark.parametrize(
    ("shown", "typed"),
    [
        ("22222", "zzzzz"),
        ("58687", "SB6BT"),
        ("5864L", "sbGa1"),
        ("LLLLL", "1IliL"),
        ("FMFMF", "ENENE"),
        ("MMMMM", "ñÑnNm"),
    ],
)
def test_letters_that_look_alike_count_as_each_other(shown: str, typed: str) -> None:
    assert codes.normalise_answer(typed) == codes.normalise_answer(shown)


@pytest.mark.parametrize("alike", ["O0Q", "I1L", "S5", "B8", "Z2"])
def test_look_alikes_are_the_same_in_every_pair(alike: str) -> None:
    assert len({codes.normalise_answer(symbol) for symbol in alike + alike.lower()}) == 1


def test_no_two_symbols_of_the_alphabet_count_as_each_other() -> None:
    for one, other in itertools.combinations(codes.ALPHABET, 2):
        assert codes.normalise_answer(one) != codes.normalise_answer(other)
