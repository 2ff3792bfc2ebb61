"""A captcha's code as a recording that spells it in Spanish.

It costs some milliseconds of CPU and no I/O after the first call, so callers run it in a thread.
"""

import io
import operator
import wave
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from random import Random, SystemRandom
from typing import Final

from mipres.captcha.codes import ALPHABET

SAMPLE_RATE: Final = 8000
_SILENCE: Final = 128
# The voice that people listen to, and those that talk meanwhile, as parts of a sample's range. Four of these
# together are 2 dB below it, and each alone is 8 dB below.
_VOICE: Final = 0.60
_OTHER_VOICE: Final = 0.24
_OTHER_VOICES: Final = 4
_HISS: Final = 0.04
# Paces, in thousandths of the voice's own; one grain is 40 ms.
_STEADY: Final = 1000
_PACE: Final = (850, 1150)
_FLUTTER: Final = 50
_GRAIN: Final = SAMPLE_RATE // 25

_random: Final = SystemRandom()


def speak(code: str, *, random: Random = _random) -> bytes:
    """Spell the code in Spanish as a WAV of 8 kHz, different each time.

    The package's own AudioCaptcha is not used: it loops over every sample many times (some 325 ms of CPU for five
    symbols), leaves up to three seconds between symbols, and begins and ends with loud beeps.

    Raises:
        KeyError: a symbol has no voice.
    """
    speech = _speech(code, random)
    tracks = [speech, _hiss(len(speech), random)]
    tracks += [_other_voice(len(speech), random) for _ in range(_OTHER_VOICES)]
    target = io.BytesIO()
    with wave.open(target, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(1)
        writer.setframerate(SAMPLE_RATE)
        writer.writeframes(_mixed(tracks))
    return target.getvalue()


def _mixed(tracks: Sequence[bytes]) -> bytes:
    sums: Iterable[int] = tracks[0]
    for track in tracks[1:]:
        sums = map(operator.add, sums, track)
    return bytes(map(_within_a_sample(len(tracks)).__getitem__, sums))


def _speech(code: str, random: Random) -> bytes:
    parts = [_pause(0.4, 0.8, random)]
    for symbol in code:
        parts.append(_spoken(symbol, _VOICE, random))
        parts.append(_pause(0.4, 0.8, random))
    return b"".join(parts)


def _spoken(symbol: str, level: float, random: Random) -> bytes:
    voice, pace = random.choice(voices()[symbol]), random.randint(*_PACE)
    paced, begin = bytearray(), 0
    while begin < len(voice):
        # A wave that is never stretched evenly cannot be found by laying the known one over it.
        of_voice, stretched = _stretching(pace + random.randint(-_FLUTTER, _FLUTTER))
        grain = voice[begin : begin + of_voice].ljust(of_voice, bytes([_SILENCE]))
        paced += bytes(stretched(grain))
        begin += of_voice
    return bytes(paced).translate(_volume(level * random.uniform(0.9, 1.0)))


@cache
def _stretching(pace: int) -> tuple[int, Callable[[bytes], tuple[int, ...]]]:
    """Return how many samples of a voice make a grain at that pace, and which of them."""
    places = [sample * pace // _STEADY for sample in range(_GRAIN)]
    return places[-1] + 1, operator.itemgetter(*places)


def _other_voice(length: int, random: Random) -> bytes:
    """Somebody who says other symbols without a pause."""
    talk = bytearray()
    while len(talk) < length + SAMPLE_RATE:
        talk += _spoken(random.choice(ALPHABET), _OTHER_VOICE, random)
    begin = random.randrange(SAMPLE_RATE)
    return bytes(talk[begin : begin + length])


def _hiss(length: int, random: Random) -> bytes:
    return random.randbytes(length).translate(_volume(_HISS))


def _pause(shortest: float, longest: float, random: Random) -> bytes:
    return bytes([_SILENCE]) * round(SAMPLE_RATE * random.uniform(shortest, longest))


def _volume(level: float) -> bytes:
    """Return a table for bytes.translate: samples at that volume."""
    return bytes(_SILENCE + round((value - _SILENCE) * level) for value in range(256))


@cache
def _within_a_sample(tracks: int) -> Sequence[int]:
    """Return a table from the sum of so many samples to one, cut at its range."""
    middle = tracks * _SILENCE
    return tuple(max(0, min(255, total - middle + _SILENCE)) for total in range(tracks * 256))


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
