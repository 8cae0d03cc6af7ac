"""`tf.signal`, `tf.audio`, `tf.bitwise`, `tf.sets` and errors against TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import duograph.tf as dt

from .tf_tools import Case, agree, tensorflow

RNG = np.random.default_rng(0)

CASES: dict[str, Case] = {}


def add(label: str, case: Any) -> None:
    CASES[label] = case


X = RNG.normal(size=(2, 64)).astype("f")
for n in ["rfft", "dct"]:
    add(n, lambda tf, n=n: getattr(tf.signal, n)(X))
add("fft", lambda tf: tf.signal.fft(tf.cast(X, "complex64")))
add("fft2d", lambda tf: tf.signal.fft2d(tf.cast(X, "complex64")))
add("irfft", lambda tf: tf.signal.irfft(tf.signal.rfft(X)))
add("rfftl", lambda tf: tf.signal.rfft(X, [100]))
add("frame", lambda tf: tf.signal.frame(X, 16, 5))
add("framep", lambda tf: tf.signal.frame(X, 16, 5, pad_end=True, pad_value=1.0))
add("ola", lambda tf: tf.signal.overlap_and_add(tf.signal.frame(X, 16, 5), 4))
add("stft", lambda tf: tf.abs(tf.signal.stft(X, 20, 5)))
add("stftp", lambda tf: tf.signal.stft(X, 20, 5, fft_length=64, pad_end=True))
add(
    "istft",
    lambda tf: tf.signal.inverse_stft(tf.signal.stft(X, 20, 5), 20, 5, window_fn=tf.signal.inverse_stft_window_fn(5)),
)
for w in ["hann_window", "hamming_window", "kaiser_window", "vorbis_window"]:
    for n in (1, 7, 8):
        add(w + str(n), lambda tf, w=w, n=n: getattr(tf.signal, w)(n))
add("hs", lambda tf: tf.signal.hann_window(8, periodic=False))
add("kbd", lambda tf: tf.signal.kaiser_bessel_derived_window(8))
add("hs7", lambda tf: tf.signal.hann_window(7, periodic=False))
for ty in (1, 2, 3, 4):
    for nm in (None, "ortho"):
        if ty == 1 and nm:
            continue
        add(f"dct{ty}{nm}", lambda tf, ty=ty, nm=nm: tf.signal.dct(X, ty, norm=nm))
        add(f"idct{ty}{nm}", lambda tf, ty=ty, nm=nm: tf.signal.idct(X, ty, norm=nm))
add("mel", lambda tf: tf.signal.linear_to_mel_weight_matrix(20, 129, 8000))
add("mfcc", lambda tf: tf.signal.mfccs_from_log_mel_spectrograms(X))
add("shift", lambda tf: tf.signal.fftshift(X))
WAV = tensorflow.audio.encode_wav(np.clip(X.T * 0.2, -1, 1), 8000).numpy()
add("wav", lambda tf: list(tf.audio.decode_wav(WAV)))
add("ewav", lambda tf: tf.audio.encode_wav(np.clip(X.T * 0.2, -1, 1), 8000))
add("and", lambda tf: tf.bitwise.bitwise_and(tf.constant([5, 3]), tf.constant([6, 1])))
add("inv", lambda tf: tf.bitwise.invert(tf.constant([5, 3])))
add("sets", lambda tf: tf.sparse.to_dense(tf.sets.union([[1, 2], [3, 3]], [[2, 5], [1, 3]])))
add("ssz", lambda tf: tf.sets.size(tf.sets.union([[1, 2], [3, 3]], [[2, 5], [1, 3]])))


@pytest.mark.parametrize("label", CASES)
def test_agrees_with_tensorflow(label: str) -> None:
    agree(CASES[label])


def errors(case: Case, tf: Any) -> str:
    try:
        case(tf)
    except Exception as error:
        return " ".join(kind.__name__ for kind in type(error).__mro__)
    return "none"


@pytest.mark.parametrize(
    "case",
    [
        lambda tf: tf.debugging.assert_equal([1, 2], [1, 3]),
        lambda tf: tf.debugging.assert_rank([1], 2),
        lambda tf: tf.debugging.assert_positive([1, -1]),
        lambda tf: tf.debugging.assert_shapes([([1, 2], ("N",)), ([1], ("N",))]),
        lambda tf: tf.debugging.check_numerics([float("nan")], "x"),
        lambda tf: tf.debugging.assert_type([1], tf.float32),
        lambda tf: tf.matmul(tf.zeros([2, 3]), tf.zeros([2, 3])),
        lambda tf: tf.reshape(tf.zeros([3]), [2]),
        lambda tf: tf.add(tf.constant(1), tf.constant(1.0)),
        lambda tf: tf.concat([tf.zeros([1, 2]), tf.zeros([1, 3])], 0),
        lambda tf: tf.io.read_file("/there/is/none"),
        lambda tf: tf.strings.to_number("x"),
        lambda tf: tf.constant([1, "a"]),
        lambda tf: tf.image.resize(tf.zeros([2]), [1, 1]),
        lambda tf: tf.io.parse_single_example(b"zz", {"a": tf.io.FixedLenFeature([], tf.int64)}),
    ],
)
def test_raises_what_tensorflow_raises(case: Case) -> None:
    theirs = errors(case, tensorflow).split()[0]
    assert theirs != "none"
    assert theirs in errors(case, dt).split()
