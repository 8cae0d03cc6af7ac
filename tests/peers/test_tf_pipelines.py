"""Input pipelines, files of images and fingerprints beside TensorFlow: the same values to the bit."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import duograph.tf as dt
from duograph.tf.farmhash import fingerprint64

from .tf_tools import tensorflow


def test_fingerprints_of_all_lengths() -> None:
    rng = np.random.default_rng(0)
    for length in range(301):
        text = rng.bytes(length)
        expected = tensorflow.fingerprint([text]).numpy().view("<u8").item()
        assert fingerprint64(text) == expected, length


@pytest.mark.parametrize(
    "data",
    [
        np.arange(6).reshape(2, 3), np.ones((3, 2, 2), np.float32), np.array([b"a", b"bc"], object),
        np.array([[b"a", b"bc"], [b"d", b""]], object),
    ],
)  # fmt: skip
def test_fingerprints_of_rows(data: Any) -> None:
    np.testing.assert_array_equal(dt.fingerprint(data).numpy(), tensorflow.fingerprint(data).numpy())


def test_hash_buckets() -> None:
    words = ["", "a", "duograph", "ein längerer Text", "x" * 200]
    for buckets in (1, 7, 10**9 + 7):
        ours, theirs = (tf.strings.to_hash_bucket_fast(words, buckets).numpy() for tf in (dt, tensorflow))
        np.testing.assert_array_equal(ours, theirs)

    def lookup(tf: Any, keys: Any, numbers: Any) -> Any:
        table = tf.lookup.KeyValueTensorInitializer(tf.constant(keys), tf.constant([0, 1], tf.int64))
        return tf.lookup.StaticVocabularyTable(table, 5).lookup(tf.constant(numbers)).numpy()

    for keys, asked in ((["a", "b"], words), (np.array([7, 9]), np.arange(20))):
        np.testing.assert_array_equal(lookup(dt, keys, asked), lookup(tensorflow, keys, asked))


def test_crossed_features() -> None:
    texts, numbers = np.array([[b"a", b"b"], [b"c", b"a longer text"]], object), np.array([[1, 2, 3], [-4, 5, 6]])
    places, few = [[0, 0], [1, 0], [1, 1]], [b"x", b"y", b"z"]

    def crossed(tf: Any) -> list[Any]:
        sparse = tf.SparseTensor(places, tf.constant(few), [2, 2])
        text, number = tf.constant(texts), tf.constant(numbers)
        made = [tf.sparse.cross_hashed([text, number, text], n, key) for n in (0, 100) for key in (None, 5)]
        return [*made, tf.sparse.cross_hashed([number, sparse], 10), tf.sparse.cross([sparse, number])]

    for ours, theirs in zip(crossed(dt), crossed(tensorflow), strict=True):
        for part in ("indices", "values", "dense_shape"):
            np.testing.assert_array_equal(getattr(ours, part).numpy(), getattr(theirs, part).numpy())


def pictures(size: int) -> list[np.ndarray]:
    rng = np.random.default_rng(size)
    steps = rng.normal(size=(4, size, size + 3, 3))
    smooth = np.clip(np.cumsum(np.cumsum(steps, 1), 2) + 128, 0, 255).astype(np.uint8)
    return [*smooth, *rng.integers(0, 256, (2, size, size + 3, 3), np.uint8)]


def encoded(picture: np.ndarray, kind: str, **options: Any) -> bytes:
    image = pytest.importorskip("PIL.Image")
    stream = io.BytesIO()
    image.fromarray(picture).save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    "options",
    [
        {}, {"channels": 1}, {"channels": 3}, {"ratio": 2}, {"ratio": 4}, {"ratio": 8}, {"fancy_upscaling": False},
        {"dct_method": "INTEGER_ACCURATE"}, {"dct_method": "INTEGER_FAST"},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("written", [{}, {"quality": 30}, {"subsampling": 0}, {"progressive": True}], ids=str)
def test_jpeg_files(written: dict[str, Any], options: dict[str, Any]) -> None:
    pytest.importorskip("simplejpeg")
    for size in (8, 33, 64):
        for picture in [*pictures(size), pictures(size)[0][..., 0]]:
            content = encoded(picture, "JPEG", **written)
            ours, theirs = (tf.io.decode_jpeg(content, **options).numpy() for tf in (dt, tensorflow))
            np.testing.assert_array_equal(ours, theirs)


def test_jpeg_files_without_the_fast_transform(monkeypatch: pytest.MonkeyPatch) -> None:
    from duograph.tf.image import codec

    monkeypatch.setattr(codec, "_jpeg_decoder", lambda required: None)
    for picture in pictures(40):
        content = encoded(picture, "JPEG")
        theirs = tensorflow.io.decode_jpeg(content, dct_method="INTEGER_ACCURATE").numpy()
        np.testing.assert_array_equal(dt.io.decode_jpeg(content).numpy(), theirs)


def records(tf: Any, path: str, decode: str) -> Any:
    description = {
        "image": tf.io.FixedLenFeature([], tf.string), "label": tf.io.FixedLenFeature([], tf.int64),
        "scale": tf.io.FixedLenFeature([2], tf.float32), "name": tf.io.FixedLenFeature([], tf.string, "none"),
    }  # fmt: skip

    def parse(record: Any) -> Any:
        example = tf.io.parse_single_example(record, description)
        if decode == "raw":
            image = tf.reshape(tf.io.decode_raw(example["image"], tf.uint8), [16, 19, 3])
        else:
            image = tf.io.decode_png(example["image"], channels=3)
        pixels = tf.cast(image, tf.float32) / 255.0 * example["scale"][0] + example["scale"][1]
        return {"x": pixels, "mean": tf.reduce_mean(pixels)}, example["label"], tf.strings.lower(example["name"])

    return tf.data.TFRecordDataset(path).map(parse, num_parallel_calls=tf.data.AUTOTUNE)


@pytest.mark.parametrize("decode", ["raw", "png"])
def test_records_parsed_and_decoded(decode: str, tmp_path: Path) -> None:
    path = str(tmp_path / "r")
    rng = np.random.default_rng(0)
    train = tensorflow.train
    with tensorflow.io.TFRecordWriter(path) as writer:
        for k, picture in enumerate([p for _ in range(20) for p in pictures(16)]):
            image = picture.tobytes() if decode == "raw" else encoded(picture, "PNG")
            feature = {
                "image": train.Feature(bytes_list=train.BytesList(value=[image])),
                "label": train.Feature(int64_list=train.Int64List(value=[k**5 * (-1) ** k])),
                "scale": train.Feature(float_list=train.FloatList(value=rng.normal(size=2))),
            }
            if k % 3:
                feature["name"] = train.Feature(bytes_list=train.BytesList(value=[b"Name %d" % k]))
            writer.write(train.Example(features=train.Features(feature=feature)).SerializeToString())
    ours, theirs = (list(records(tf, path, decode).batch(32).as_numpy_iterator()) for tf in (dt, tensorflow))
    assert len(ours) == len(theirs) == 4
    for (x, label, name), (x_, label_, name_) in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(x["x"], x_["x"], rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(x["mean"], x_["mean"], rtol=1e-5)
        np.testing.assert_array_equal(label, label_)
        np.testing.assert_array_equal(name, name_)
