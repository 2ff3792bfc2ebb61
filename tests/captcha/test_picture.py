import io
import wave
from importlib import resources

import pytest
from PIL import Image

from mipres.captcha import picture as captcha

EVERY_SYMBOL_ONCE = [
    captcha.ALPHABET[start : start + 5].ljust(5, "2") for start in range(0, len(captcha.ALPHABET), 5)
]


def read(recording: bytes) -> wave.Wave_read:
    return wave.open(io.BytesIO(recording), "rb")


def test_codes_are_of_the_alphabet_and_the_length_asked_for() -> None:
    codes = {captcha.new_code() for _ in range(50)}
    assert len(codes) > 45
    assert all(len(code) == 5 and set(code) <= set(captcha.ALPHABET) for code in codes)
    assert len(captcha.new_code(8)) == 8


def test_codes_use_the_whole_alphabet() -> None:
    assert set(captcha.new_code(2000)) == set(captcha.ALPHABET)


@pytest.mark.parametrize(
    "alike", ["0OQD", "1I", "2Z", "4A", "5S", "6G", "7T", "8B", "UVW", "CG", "EF", "MN", "BVPTCDEG"]
)
def test_of_symbols_that_look_or_sound_alike_one_is_used_at_most(alike: str) -> None:
    assert len(set(alike) & set(captcha.ALPHABET)) <= 1


@pytest.mark.parametrize("typed", ["7KMXY", "7kmxy", " 7 k m\tx y ", "7KM\u00a0XY"])
def test_case_and_spaces_of_an_answer_do_not_count(typed: str) -> None:
    assert captcha.normalise_answer(typed) == "7KMXY"


@pytest.mark.parametrize("code", EVERY_SYMBOL_ONCE)
def test_the_image_is_a_png_of_the_size_promised(code: str) -> None:
    with Image.open(io.BytesIO(captcha.draw_image(code))) as image:
        image.load()
        assert image.format == "PNG"
        assert image.size == (captcha.IMAGE_WIDTH, captcha.IMAGE_HEIGHT)


@pytest.mark.parametrize("code", EVERY_SYMBOL_ONCE)
def test_the_symbols_are_dark_on_light_paper(code: str) -> None:
    with Image.open(io.BytesIO(captcha.draw_image(code))) as image:
        shades = image.convert("L").histogram()
    dark, light = sum(shades[:100]), sum(shades[230:])
    assert dark > 0.03 * image.width * image.height
    assert light > 0.5 * image.width * image.height


def test_a_code_is_drawn_differently_each_time() -> None:
    assert captcha.draw_image("7KMXY") != captcha.draw_image("7KMXY")


@pytest.mark.parametrize("code", EVERY_SYMBOL_ONCE)
def test_the_recording_is_a_wav_that_takes_a_person_a_few_seconds(code: str) -> None:
    with read(captcha.speak(code)) as recording:
        assert (recording.getnchannels(), recording.getsampwidth(), recording.getframerate()) == (1, 1, 8000)
        assert 4 < recording.getnframes() / recording.getframerate() < 20


def test_a_code_is_spoken_differently_each_time() -> None:
    assert captcha.speak("7KMXY") != captcha.speak("7KMXY")


def test_the_recording_says_each_symbol() -> None:
    with read(captcha.speak("22222")) as five, read(captcha.speak("2")) as one:
        assert five.getnframes() > 3 * one.getnframes()


def test_the_voice_stands_out_of_the_noise() -> None:
    with read(captcha.speak("9")) as recording:
        samples = recording.readframes(recording.getnframes())
    middle = captcha._VOICE_LIMIT + captcha._BABBLE_LIMIT + captcha._HISS_LIMIT
    swing = [abs(sample - middle) for sample in samples]
    before_the_voice = int(0.4 * captcha.SAMPLE_RATE)
    assert max(swing) > 2 * max(swing[:before_the_voice])


def test_three_tracks_at_their_loudest_fit_into_a_sample() -> None:
    assert 2 * (captcha._VOICE_LIMIT + captcha._BABBLE_LIMIT + captcha._HISS_LIMIT) <= 255


@pytest.mark.parametrize("symbol", captcha.ALPHABET)
def test_every_symbol_has_two_voices_of_sensible_length(symbol: str) -> None:
    voices = captcha._voices()[symbol]
    assert len(voices) == 2
    for voice in voices:
        assert 0.3 < len(voice) / captcha.SAMPLE_RATE < 2


def test_every_voice_is_of_the_format_that_recordings_are_made_of() -> None:
    entries = list(resources.files("mipres.captcha").joinpath("voices").iterdir())
    assert {entry.name for entry in entries} == {
        f"{symbol}-{who}.wav" for symbol in captcha.ALPHABET for who in "fm"
    }
    for entry in entries:
        with read(entry.read_bytes()) as voice:
            assert (voice.getnchannels(), voice.getsampwidth(), voice.getframerate()) == (1, 1, 8000)
    assert sum(len(entry.read_bytes()) for entry in entries) < 600_000


def test_a_symbol_without_a_voice_is_refused() -> None:
    with pytest.raises(KeyError):
        captcha.speak("Ñ")
