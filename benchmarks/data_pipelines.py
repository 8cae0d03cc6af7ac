"""Input pipelines of `tf.data`, written once: Duograph and TensorFlow run the same lines, only the `tf` given differs.

An epoch is timed. A batch is touched when it arrives, as a training step would; the next ones are made meanwhile.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

BATCH = 64
RECORDS, PICTURES, PHOTOS, ROWS = 6400, 3200, 960, 12800


def _digits(count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, 28, 28), np.uint8), rng.integers(0, 10, count)


def _photos(count: int, size: int) -> np.ndarray:
    """Smooth pictures, which files of pictures are made for."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (count, size // 8, size // 8, 3), np.uint8)
    return np.repeat(np.repeat(coarse, 8, 1), 8, 2)


def _encoded(pictures: np.ndarray, kind: str) -> list[bytes]:
    from PIL import Image

    files = []
    for picture in pictures:
        stream = io.BytesIO()
        Image.fromarray(picture).save(stream, kind)
        files.append(stream.getvalue())
    return files


def write_records(path: Path, contents: list[bytes], labels: np.ndarray) -> None:
    """A TFRecord file of examples with an `image` of bytes and a `label`."""
    import duograph.tf as tf

    with tf.io.TFRecordWriter(str(path)) as writer:
        for content, label in zip(contents, labels, strict=True):
            feature = {
                "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[content])),
                "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[int(label)])),
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())


def _parsed(tf: Any, decode: Callable[[Any], Any]) -> Callable[[Any], Any]:
    description = {"image": tf.io.FixedLenFeature([], tf.string), "label": tf.io.FixedLenFeature([], tf.int64)}

    def parse(record: Any) -> Any:
        example = tf.io.parse_single_example(record, description)
        return tf.cast(decode(example["image"]), tf.float32) / 255.0, example["label"]

    return parse


def _from_records(tf: Any, folder: Path, name: str, decode: Callable[[Any], Any]) -> Any:
    records = tf.data.TFRecordDataset(str(folder / f"{name}.tfrecord"))
    return records.map(_parsed(tf, decode), num_parallel_calls=tf.data.AUTOTUNE).shuffle(1000, seed=0)


def records(tf: Any, folder: Path) -> Any:
    return _from_records(tf, folder, "raw", lambda b: tf.reshape(tf.io.decode_raw(b, tf.uint8), [28, 28, 1]))


def batched_records(tf: Any, folder: Path) -> Any:
    description = {"image": tf.io.FixedLenFeature([], tf.string), "label": tf.io.FixedLenFeature([], tf.int64)}

    def parse(batch: Any) -> Any:
        examples = tf.io.parse_example(batch, description)
        pixels = tf.reshape(tf.io.decode_raw(examples["image"], tf.uint8), [-1, 28, 28, 1])
        return tf.cast(pixels, tf.float32) / 255.0, examples["label"]

    raw = tf.data.TFRecordDataset(str(folder / "raw.tfrecord"))
    return raw.shuffle(1000, seed=0).batch(BATCH).map(parse, num_parallel_calls=tf.data.AUTOTUNE)


def png(tf: Any, folder: Path) -> Any:
    return _from_records(tf, folder, "png", lambda b: tf.io.decode_png(b, channels=3))


def jpeg(tf: Any, folder: Path) -> Any:
    return _from_records(tf, folder, "jpeg", lambda b: tf.io.decode_jpeg(b, channels=3))


def rows(tf: Any, folder: Path) -> Any:
    images, labels = _digits(ROWS)
    return tf.data.Dataset.from_tensor_slices((images, labels)).shuffle(ROWS, seed=0)


def mapped_rows(tf: Any, folder: Path) -> Any:
    images, labels = _digits(ROWS)
    dataset = tf.data.Dataset.from_tensor_slices((images, labels))
    return dataset.map(lambda x, y: (tf.cast(x, tf.float32) / 255.0, tf.one_hot(y, 10))).shuffle(2000, seed=0)


def augmented(tf: Any, folder: Path) -> Any:
    images = _photos(PICTURES, 32)

    def change(x: Any) -> Any:
        x = tf.image.random_flip_left_right(tf.image.convert_image_dtype(x, tf.float32))
        return tf.image.random_brightness(x, 0.2)

    return tf.data.Dataset.from_tensor_slices(images).map(change, num_parallel_calls=tf.data.AUTOTUNE)


@dataclass(frozen=True)
class Pipeline:
    """A data set made of what is in a folder: `count` samples, in batches if `is_batched`.

    `is_random` says that each run gives other numbers.
    """

    name: str
    title: str
    build: Callable[[Any, Path], Any]
    count: int
    is_batched: bool = False
    is_random: bool = False

    def start(self, tf: Any, folder: Path) -> tuple[dict[str, Any], Callable[[int], None]]:
        """Run an epoch. Returns what it gave, in short, and a function that runs some more."""
        dataset = self.build(tf, folder)
        dataset = (dataset if self.is_batched else dataset.batch(BATCH)).prefetch(tf.data.AUTOTUNE)

        def inputs() -> Any:
            for batch in dataset:
                yield (batch[0] if isinstance(batch, tuple) else batch).numpy()

        def run(calls: int) -> None:
            for _ in range(calls):
                if sum(map(len, inputs())) != self.count:
                    raise AssertionError(f"{self.name}: an epoch without all samples")

        values = np.concatenate([x.reshape(len(x), -1).mean(1, np.float64) for x in inputs()])
        return {"outputs": [] if self.is_random else [len(values), values.mean(), values.std()]}, run


PIPELINES = {
    pipeline.name: pipeline
    for pipeline in (
        Pipeline("records", "raw records, parsed one by one", records, RECORDS),
        Pipeline("batched-records", "raw records, parsed in batches", batched_records, RECORDS, is_batched=True),
        Pipeline("png", "PNG of 32×32", png, PICTURES),
        Pipeline("jpeg", "JPEG of 128×128", jpeg, PHOTOS),
        Pipeline("rows", "rows, shuffled", rows, ROWS),
        Pipeline("mapped-rows", "rows, mapped and shuffled", mapped_rows, ROWS),
        Pipeline("augmented", "pictures, augmented", augmented, PICTURES, is_random=True),
    )
}


def prepare(folder: Path) -> None:
    """Write the files that the pipelines read."""
    images, labels = _digits(RECORDS)
    write_records(folder / "raw.tfrecord", [image.tobytes() for image in images], labels)
    for kind, count, size in (("png", PICTURES, 32), ("jpeg", PHOTOS, 128)):
        write_records(folder / f"{kind}.tfrecord", _encoded(_photos(count, size), kind), labels[:count])
