import io
import wave
from importlib import resources

import pytest

from mipres.captcha import codes, recording
from tests.captcha.every_symbol import EVERY_SYMBOL_ONCE


def read(content: bytes) -> wave.Wave_read:
    return wave.open(io.BytesIO(content), "rb")


@pytest.mark.parametrize("code", EVERY_SYMBOL_ONCE)
def test_the_recording_is_a_wav_that_takes_a_person_a_few_seconds(code: str) -> None:
    with read(recording.speak(code)) as spoken:
        assert (spoken.getnchannels(), spoken.getsampwidth(), spoken.getframerate()) == (1, 1, 8000)
        assert 4 < spoken.getnframes() / spoken.getframerate() < 20


def test_a_code_is_spoken_differently_each_time() -> None:
    assert recording.speak("7KMXY") != recording.speak("7KMXY")


def test_the_recording_says_each_symbol() -> None:
    with read(recording.speak("22222")) as five, read(recording.speak("2")) as one:
        assert five.getnframes() > 3 * one.getnframes()


def test_the_voice_stands_out_of_the_noise() -> None:
    with read(recording.speak("9")) as spoken:
        samples = spoken.readframes(spoken.getnframes())
    middle = recording._VOICE_LIMIT + recording._BABBLE_LIMIT + recording._HISS_LIMIT
    swing = [abs(sample - middle) for sample in samples]
    before_the_voice = int(0.4 * recording.SAMPLE_RATE)
    assert max(swing) > 2 * max(swing[:before_the_voice])


def test_three_tracks_at_their_loudest_fit_into_a_sample() -> None:
    assert 2 * (recording._VOICE_LIMIT + recording._BABBLE_LIMIT + recording._HISS_LIMIT) <= 255


@pytest.mark.parametrize("symbol", codes.ALPHABET)
def test_every_symbol_has_two_voices_of_sensible_length(symbol: str) -> None:
    voices = recording.voices()[symbol]
    assert len(voices) == 2
    for voice in voices:
        assert 0.3 < len(voice) / recording.SAMPLE_RATE < 2


def test_every_voice_is_of_the_format_that_recordings_are_made_of() -> None:
    entries = list(resources.files("mipres.captcha").joinpath("voices").iterdir())
    assert {entry.name for entry in entries} == {
        f"{symbol}-{who}.wav" for symbol in codes.ALPHABET for who in "fm"
    }
    for entry in entries:
        with read(entry.read_bytes()) as voice:
            assert (voice.getnchannels(), voice.getsampwidth(), voice.getframerate()) == (1, 1, 8000)
    assert sum(len(entry.read_bytes()) for entry in entries) < 600_000


def test_a_symbol_without_a_voice_is_refused() -> None:
    with pytest.raises(KeyError):
        recording.speak("Ñ")
