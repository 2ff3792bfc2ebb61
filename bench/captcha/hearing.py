"""Solve the recording with the repository's own voices.

It lays the spectrogram of every voice, at several paces, over the spectrogram of the recording.
"""

import io
import wave
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.captcha.candidates import Candidate, likeliest_code
from mipres.captcha.recording import SAMPLE_RATE, voices

Spectrogram = NDArray[np.float32]

_WINDOW, _STEP, _BANDS = 256, 160, 20
_LOWEST_HZ, _HIGHEST_HZ = 150, 3900
_PACES = (0.88, 0.96, 1.04, 1.12)
# Ears and programs compare loudness rather than energy.
_LOUDNESS = 0.5
_CONSTANT_TALK = 0.2
_BEST_OF_EACH = 8
_SILENCE = 128


def solve_recording(recording: bytes) -> str:
    """Guess the code that a recording spells."""
    with wave.open(io.BytesIO(recording), "rb") as reader:
        samples = np.frombuffer(reader.readframes(reader.getnframes()), np.uint8)
    heard = _spectrogram(samples.astype(float) - _SILENCE)
    # What is always there belongs to the background.
    heard = np.maximum(heard - np.quantile(heard, _CONSTANT_TALK, axis=0), 0)
    scale = heard.std(axis=0) + 1e-9
    return likeliest_code(
        candidate for symbol, known in _known() for candidate in _found(heard / scale, known / scale, symbol)
    )


def _found(heard: Spectrogram, known: Spectrogram, symbol: str) -> Iterator[Candidate]:
    length = len(known)
    if length >= len(heard):
        return
    wanted = known.ravel() - known.mean()
    parts = np.lib.stride_tricks.sliding_window_view(heard, (length, _BANDS))[:, 0].reshape(-1, wanted.size)
    parts = parts - parts.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(parts, axis=1) * np.linalg.norm(wanted) + 1e-9
    likeness = parts @ wanted / norms
    for place in np.argsort(likeness)[-_BEST_OF_EACH:]:
        yield Candidate(float(likeness[place]), int(place), length, symbol)


@cache
def _known() -> tuple[tuple[str, Spectrogram], ...]:
    return tuple(
        (symbol, _spectrogram(_paced(np.frombuffer(voice, np.uint8).astype(float) - _SILENCE, pace)))
        for symbol, spoken in voices().items()
        for voice in spoken
        for pace in _PACES
    )


def _paced(samples: NDArray[Any], pace: float) -> NDArray[Any]:
    places = np.arange(int(len(samples) / pace)) * pace
    return np.asarray(np.interp(places, np.arange(len(samples)), samples))


def _spectrogram(samples: NDArray[Any]) -> Spectrogram:
    windows = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_STEP] * np.hanning(_WINDOW)
    energy = np.abs(np.fft.rfft(windows, axis=1)) ** 2
    return np.asarray((energy @ _filters().T) ** _LOUDNESS, dtype=np.float32)


@cache
def _filters() -> NDArray[Any]:
    """Return triangular bands, as wide as the ear's."""
    edges = np.linspace(_mel(_LOWEST_HZ), _mel(_HIGHEST_HZ), _BANDS + 2)
    pitches = _mel(np.fft.rfftfreq(_WINDOW, 1 / SAMPLE_RATE))
    rising = (pitches - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - pitches) / (edges[2:] - edges[1:-1])[:, None]
    return np.asarray(np.clip(np.minimum(rising, falling), 0, None))


def _mel(hertz: Any) -> Any:
    return 2595 * np.log10(1 + np.asarray(hertz) / 700)
