"""`tf.audio`: WAV files of 16 bits."""

from __future__ import annotations

import io
import wave
from typing import Any, NamedTuple

import numpy as np

from . import dtypes
from .errors import InvalidArgumentError
from .missing import missing
from .tensors import Tensor, convert_to_tensor
from .text import StringTensor, as_bytes


class DecodeWav(NamedTuple):
    """Samples, float32 of shape (samples, channels) in [-1, 1), and how many of them a second has."""

    audio: Tensor
    sample_rate: Tensor


def decode_wav(
    contents: Any, desired_channels: int = -1, desired_samples: int = -1, name: str | None = None
) -> DecodeWav:
    """The content of a WAV file of 16 bits; with `desired_samples` cut, or filled up with zeros.

    Raises InvalidArgumentError for other files.
    """
    try:
        with wave.open(io.BytesIO(as_bytes(contents)[()])) as file:
            channels, width, rate, count = file.getparams()[:4]
            raw = file.readframes(count)
    except (wave.Error, EOFError) as error:
        raise InvalidArgumentError(f"decode_wav expected a WAV file: {error}") from error
    if width != 2:
        raise InvalidArgumentError(f"decode_wav reads files of 16 bits. Received: {8 * width} bits")
    samples = np.frombuffer(raw, "<i2").reshape(-1, channels).astype(np.float32) / 32768
    if desired_channels > 0 and desired_channels != channels:
        shared = min(desired_channels, channels)
        samples = np.concatenate([samples[:, :shared]] + [samples[:, -1:]] * (desired_channels - shared), axis=1)
    if desired_samples >= 0:
        samples = np.pad(samples[:desired_samples], [[0, max(desired_samples - len(samples), 0)], [0, 0]])
    return DecodeWav(convert_to_tensor(samples), convert_to_tensor(rate, dtypes.int32))


def encode_wav(audio: Any, sample_rate: Any, name: str | None = None) -> StringTensor:
    """The bytes of a WAV file of 16 bits, of samples (samples, channels) in [-1, 1]."""
    samples = convert_to_tensor(audio).numpy()
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(int(sample_rate))
        file.writeframes(np.clip(np.rint(samples * 32768), -32768, 32767).astype("<i2").tobytes())
    return StringTensor(buffer.getvalue())


__getattr__ = missing(__name__, globals())
