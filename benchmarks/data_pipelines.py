"""`python -m benchmarks.data_pipelines`: samples per second of `tf.data` pipelines, Duograph's and TensorFlow's.

Each measurement is a process of its own, and the two frameworks take turns; the median of the rounds counts. Of a
process the best of some epochs after the first counts, since the first traces and compiles. A batch is touched when it
arrives, as a training step would.
"""

from __future__ import annotations

import argparse
import importlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

FRAMEWORKS = {"duograph": "duograph.tf", "tensorflow": "tensorflow"}
BATCH = 64


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
    images, labels = _digits(12800)
    return tf.data.Dataset.from_tensor_slices((images, labels)).shuffle(12800, seed=0)


def mapped_rows(tf: Any, folder: Path) -> Any:
    images, labels = _digits(12800)
    dataset = tf.data.Dataset.from_tensor_slices((images, labels))
    return dataset.map(lambda x, y: (tf.cast(x, tf.float32) / 255.0, tf.one_hot(y, 10))).shuffle(2000, seed=0)


def augmented(tf: Any, folder: Path) -> Any:
    images = _photos(3200, 32)

    def change(x: Any) -> Any:
        x = tf.image.random_flip_left_right(tf.image.convert_image_dtype(x, tf.float32))
        return tf.image.random_brightness(x, 0.2)

    return tf.data.Dataset.from_tensor_slices(images).map(change, num_parallel_calls=tf.data.AUTOTUNE)


PIPELINES: dict[str, Callable[[Any, Path], Any]] = {
    "raw records, parsed one by one": records,
    "raw records, parsed in batches": batched_records,
    "PNG of 32x32": png,
    "JPEG of 128x128": jpeg,
    "rows, shuffled": rows,
    "rows, mapped and shuffled": mapped_rows,
    "pictures, augmented": augmented,
}


def prepare(folder: Path) -> None:
    """Write the files that the pipelines read."""
    images, labels = _digits(6400)
    write_records(folder / "raw.tfrecord", [image.tobytes() for image in images], labels)
    for kind, count, size in (("png", 3200, 32), ("jpeg", 960, 128)):
        write_records(folder / f"{kind}.tfrecord", _encoded(_photos(count, size), kind), labels[:count])


def measure(framework: str, pipeline: str, folder: Path, epochs: int = 3) -> float:
    """Samples per second of the best epoch after the first."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    tf = importlib.import_module(FRAMEWORKS[framework])
    dataset = PIPELINES[pipeline](tf, folder)
    if pipeline != "raw records, parsed in batches":
        dataset = dataset.batch(BATCH)
    dataset = dataset.prefetch(tf.data.AUTOTUNE)
    best = 0.0
    for epoch in range(epochs + 1):
        start, samples = time.perf_counter(), 0
        for batch in dataset:
            x = batch[0] if isinstance(batch, tuple) else batch
            samples += len(x.numpy())
        if epoch:
            best = max(best, samples / (time.perf_counter() - start))
    return best


def main() -> None:
    """Measure each pipeline and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.data_pipelines", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=list(PIPELINES), default=list(PIPELINES))
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        framework, pipeline, folder = arguments.one
        print(json.dumps(measure(framework, pipeline, Path(folder))))
        return
    print(f"{'samples per second':34}{'duograph':>12}{'tensorflow':>12}{'ratio':>8}")
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        for pipeline in arguments.only:
            rates: dict[str, list[float]] = {framework: [] for framework in FRAMEWORKS}
            for _ in range(arguments.rounds):
                for framework in FRAMEWORKS:
                    command = [sys.executable, "-m", "benchmarks.data_pipelines", "--one", framework, pipeline, folder]
                    rates[framework].append(json.loads(subprocess.check_output(command, stderr=subprocess.DEVNULL)))
            ours, theirs = (statistics.median(rates[framework]) for framework in FRAMEWORKS)
            print(f"{pipeline:34}{ours:12.0f}{theirs:12.0f}{ours / theirs:8.2f}", flush=True)


if __name__ == "__main__":
    main()
