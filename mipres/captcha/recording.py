"""A captcha's code as a recording that spells it in Spanish.

It costs some milliseconds of CPU and no I/O after the first call, so callers run it in a thread.
"""

import io
import operator
import secrets
import wave
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Final

from mipres.captcha.codes import ALPHABET

SAMPLE_RATE: Final = 8000
_SILENCE: Final = 128
# A recording adds up three tracks of unsigned samples. Each swings around its own limit, between 0 and twice that,
# so their sum stays in a byte and nothing has to be clipped sample by sample.
_VOICE_LIMIT: Final = 98
_BABBLE_LIMIT: Final = 25
_HISS_LIMIT: Final = 4
_BABBLE_LEVEL: Final = 0.2
_HISS: Final = bytes(value % (2 * _HISS_LIMIT + 1) for value in range(256))

_random: Final = secrets.SystemRandom()


def speak(code: str) -> bytes:
    """Spell the code in Spanish as a WAV of 8 kHz, different each time.

    The package's own AudioCaptcha is not used: it loops over every sample many times (some 325 ms of CPU for five
    symbols), leaves up to three seconds between symbols, and begins and ends with loud beeps.

    Raises:
        KeyError: a symbol has no voice.
    """
    parts = [_pause(0.4, 0.8)]
    for symbol in code:
        voice = secrets.choice(voices()[symbol])
        speed = _random.uniform(0.93, 1.07)
        parts.append(bytes(voice[int(sample * speed)] for sample in range(int(len(voice) / speed))))
        parts.append(_pause(0.5, 0.9))
    speech = b"".join(parts).translate(_volume(_random.uniform(0.85, 1.0), _VOICE_LIMIT))
    hiss = secrets.token_bytes(len(speech)).translate(_HISS)
    tracks = map(operator.add, speech, map(operator.add, _babble(len(speech)), hiss))
    target = io.BytesIO()
    with wave.open(target, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(1)
        writer.setframerate(SAMPLE_RATE)
        writer.writeframes(bytes(tracks))
    return target.getvalue()


def _babble(length: int) -> bytes:
    # Faint voices played backwards: to a person plainly no symbol, to a program that looks for pauses no pause.
    played = bytearray()
    while len(played) < length:
        played += secrets.choice(voices()[secrets.choice(ALPHABET)])[::-1]
    return bytes(played[:length]).translate(_volume(_BABBLE_LEVEL, _BABBLE_LIMIT))


def _pause(shortest: float, longest: float) -> bytes:
    return bytes([_SILENCE]) * round(SAMPLE_RATE * _random.uniform(shortest, longest))


def _volume(level: float, limit: int) -> bytes:
    """Return a table for bytes.translate: samples at that volume, around the limit.

    The samples of a voice swing around 128 instead.
    """
    swings = (round((value - _SILENCE) * level) for value in range(256))
    return bytes(limit + max(-limit, min(limit, swing)) for swing in swings)


@cache
def voices() -> Mapping[str, tuple[bytes, ...]]:
    """The samples of every voice, by symbol."""
    folder = resources.files("mipres.captcha").joinpath("voices")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".wav"))
    samples: dict[str, list[bytes]] = {symbol: [] for symbol in ALPHABET}
    for name in names:
        with wave.open(io.BytesIO(folder.joinpath(name).read_bytes()), "rb") as reader:
            samples[name.partition("-")[0]].append(reader.readframes(reader.getnframes()))
    return {symbol: tuple(recordings) for symbol, recordings in samples.items()}
