"""The captcha's two faces: a picture of the code, and a recording that spells it in Spanish.

Both cost some milliseconds of CPU and no I/O after the first call, so callers run them in a thread. Who keeps
the codes, and lets each answer once, is none of this module's business.
"""

import io
import operator
import secrets
import wave
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Final

from captcha.image import ImageCaptcha
from PIL import ImageOps

# Without look-alikes (0 O Q D, 1 I, 2 Z, 4 A, 5 S, 6 G, 7 T, 8 B, U V W, C G, E F, M N) and without letters whose
# Spanish names sound alike (be ce de e ge pe te ve, eme ene, efe ese): of each group one is left at most.
ALPHABET: Final = "23456789FHJKLMPRXY"
CODE_LENGTH: Final = 5

IMAGE_WIDTH: Final = 280
IMAGE_HEIGHT: Final = 90
# The package paints a symbol the paler the darker its colour is, so it paints white on black here, and the colours
# that people see are put in afterwards: always dark on nearly white, for eyes that need contrast.
_WHITE: Final = (255, 255, 255, 255)
_BLACK: Final = (0, 0, 0)
_PAPER: Final = (247, 249, 252)

SAMPLE_RATE: Final = 8000
_SILENCE: Final = 128
# A recording adds up three tracks of unsigned samples. Each swings around its own limit, between 0 and twice that,
# so their sum stays in a byte and nothing has to be clipped sample by sample.
_VOICE_LIMIT: Final = 98
_BABBLE_LIMIT: Final = 25
_HISS_LIMIT: Final = 4
_BABBLE_LEVEL: Final = 0.2

_random: Final = secrets.SystemRandom()


def new_code(length: int = CODE_LENGTH) -> str:
    """A code that nobody can foresee."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def normalise_answer(text: str) -> str:
    """What was typed, without the differences that do not count: case, and spaces between the symbols."""
    return "".join(text.split()).upper()


def draw_image(code: str) -> bytes:
    """The code as a PNG of IMAGE_WIDTH by IMAGE_HEIGHT, different each time."""
    stencil = (
        _Painter(width=IMAGE_WIDTH, height=IMAGE_HEIGHT).generate_image(code, _BLACK, _WHITE).convert("L")
    )
    picture = ImageOps.colorize(stencil, black=_PAPER, white=_dark_colour())
    target = io.BytesIO()
    picture.save(target, format="PNG")
    return target.getvalue()


def speak(code: str) -> bytes:
    """The code spelt in Spanish as a WAV of 8 kHz, different each time. KeyError for a symbol without a voice.

    The package's own AudioCaptcha is not used: it loops over every sample many times (some 325 ms of CPU for five
    symbols), leaves up to three seconds between symbols, and begins and ends with loud beeps.
    """
    speech = _speech(code)
    length = len(speech)
    tracks = map(operator.add, speech, map(operator.add, _babble(length), _hiss(length)))
    return _as_wav(bytes(tracks))


class _Painter(ImageCaptcha):
    # The package's sizes are made for an image of 60 pixels; its turns and overlaps leave some codes unreadable.
    character_rotate = (-22, 22)
    character_warp_dx = (0.05, 0.2)
    character_warp_dy = (0.05, 0.25)
    word_offset_dx = 0.06

    def __init__(self, *, width: int, height: int) -> None:
        super().__init__(width=width, height=height, font_sizes=(54, 60, 66))


def _dark_colour() -> tuple[int, int, int]:
    return (_random.randrange(100), _random.randrange(100), _random.randrange(100))


def _speech(code: str) -> bytes:
    parts = [_pause(0.4, 0.8)]
    for symbol in code:
        voice = secrets.choice(_voices()[symbol])
        parts += [_at_speed(voice, _random.uniform(0.93, 1.07)), _pause(0.5, 0.9)]
    return b"".join(parts).translate(_volume(_random.uniform(0.85, 1.0), _VOICE_LIMIT))


def _babble(length: int) -> bytes:
    # Faint voices played backwards: to a person plainly no symbol, to a programme that looks for pauses no pause.
    played = bytearray()
    while len(played) < length:
        played += secrets.choice(_voices()[secrets.choice(ALPHABET)])[::-1]
    return bytes(played[:length]).translate(_volume(_BABBLE_LEVEL, _BABBLE_LIMIT))


def _hiss(length: int) -> Iterator[int]:
    spread = bytes(value % (2 * _HISS_LIMIT + 1) for value in range(256))
    return iter(secrets.token_bytes(length).translate(spread))


def _pause(shortest: float, longest: float) -> bytes:
    return bytes([_SILENCE]) * round(SAMPLE_RATE * _random.uniform(shortest, longest))


def _at_speed(voice: bytes, speed: float) -> bytes:
    return bytes(voice[int(sample * speed)] for sample in range(int(len(voice) / speed)))


def _volume(level: float, limit: int) -> bytes:
    """Table for bytes.translate: samples at that volume, around the limit instead of around 128."""
    swings = (round((value - _SILENCE) * level) for value in range(256))
    return bytes(limit + max(-limit, min(limit, swing)) for swing in swings)


@cache
def _voices() -> Mapping[str, tuple[bytes, ...]]:
    recordings = resources.files("mipres.captcha").joinpath("voices")
    names = sorted(entry.name for entry in recordings.iterdir() if entry.name.endswith(".wav"))
    return {
        symbol: tuple(
            _samples(recordings.joinpath(name).read_bytes())
            for name in names
            if name.startswith(f"{symbol}-")
        )
        for symbol in ALPHABET
    }


def _samples(recording: bytes) -> bytes:
    with wave.open(io.BytesIO(recording), "rb") as reader:
        return reader.readframes(reader.getnframes())


def _as_wav(samples: bytes) -> bytes:
    target = io.BytesIO()
    with wave.open(target, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(1)
        writer.setframerate(SAMPLE_RATE)
        writer.writeframes(samples)
    return target.getvalue()
