"""`tf.data` pipelines that are computed for many elements together: recorded functions, records, files of images."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import duograph.tf as tf
from duograph.events.records import framed
from duograph.runtime import jit, records, targets
from duograph.tf.data.mapping import Mapped
from duograph.tf.data.program import COURSES, Program
from duograph.tf.farmhash import fingerprint64

Dataset = tf.data.Dataset
DESCRIPTION = {"image": tf.io.FixedLenFeature([], tf.string), "label": tf.io.FixedLenFeature([], tf.int64)}


def example(image: bytes, label: int) -> bytes:
    feature = {
        "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[image])),
        "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
    }
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def write(path: Path, contents: list[bytes]) -> str:
    with tf.io.TFRecordWriter(str(path)) as writer:
        for content in contents:
            writer.write(content)
    return str(path)


def pixels(count: int = 150) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, 4, 5), np.uint8)


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often functions were called for single elements, which a recorded one never is."""
    single: list[int] = []
    call = Mapped.__call__
    monkeypatch.setattr(Mapped, "__call__", lambda self, element: (single.append(1), call(self, element))[1])
    return single


def parse(record: Any) -> Any:
    read = tf.io.parse_single_example(record, DESCRIPTION)
    image = tf.reshape(tf.io.decode_raw(read["image"], tf.uint8), [4, 5])
    return tf.cast(image, tf.float32) / 255.0, read["label"]


# -- recorded functions ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("stage", ["each", "batch", "shuffle", "shuffle and batch"])
def test_records_are_parsed_and_decoded_together(stage: str, tmp_path: Path, recorded: list[int]) -> None:
    images, labels = pixels(), np.arange(150) * 3 - 200
    path = write(tmp_path / "r", [example(x.tobytes(), int(y)) for x, y in zip(images, labels, strict=True)])
    calls = []

    def traced(record: Any) -> Any:
        calls.append(1)
        return parse(record)

    dataset = tf.data.TFRecordDataset(path).map(traced, num_parallel_calls=tf.data.AUTOTUNE)
    if "shuffle" in stage:
        dataset = dataset.shuffle(40, seed=3)
    if "batch" in stage:
        dataset = dataset.batch(64)
    for _ in range(2):
        found = list(dataset.as_numpy_iterator())
        if "batch" in stage:
            assert [len(y) for _, y in found] == [64, 64, 22]
        stack = np.concatenate if "batch" in stage else np.stack
        x, y = (stack([element[k] for element in found]) for k in (0, 1))
        order = np.argsort(y)
        assert ("shuffle" in stage) == (order != np.arange(150)).any()
        np.testing.assert_array_equal(y[order], labels)
        np.testing.assert_array_equal(x[order], images.astype(np.float32) / np.float32(255))
    assert len(calls) == 1
    assert not recorded


def test_the_order_is_that_of_the_elements_shuffled_afterwards() -> None:
    """Of a recorded function the arguments are shuffled, of one that runs as Python the results."""

    def plain(x: Any) -> Any:
        return x * 2 if int(x) >= 0 else x

    def staged(dataset: Any) -> list[int]:
        stages = dataset.shuffle(20, seed=5).skip(3).shard(2, 1).take(30).repeat(2)
        return [int(x) for x in stages]

    source = Dataset.from_tensor_slices(np.arange(100))
    both = staged(source.map(lambda x: x * 2)), staged(source.map(plain))
    assert both[0] == both[1]
    assert len(both[0]) == 60


def test_maps_of_maps_are_gathered_from_rows(recorded: list[int]) -> None:
    rows = Dataset.from_tensor_slices({"a": pixels(), "b": (np.arange(150), np.arange(150.0))})
    dataset = rows.map(lambda e: (e["a"], e["b"][0])).map(lambda x, y: {"y": (y + 1, y), "x": tf.cast(x, tf.int32) - 5})
    for batch in dataset.shuffle(150, seed=1).batch(32, drop_remainder=True):
        assert batch["x"].shape == (32, 4, 5)
        places = batch["y"][1].numpy()
        np.testing.assert_array_equal(batch["y"][0].numpy(), places + 1)
        np.testing.assert_array_equal(batch["x"].numpy(), pixels()[places].astype(np.int32) - 5)
    assert not recorded


def test_elements_of_several_shapes_are_computed_in_their_order(recorded: list[int]) -> None:
    def rows() -> Any:
        for k in range(200):
            yield b"ab" * (k % 3 + 1)

    texts = Dataset.from_generator(rows, output_signature=tf.TensorSpec((), tf.string))
    numbers = texts.map(lambda s: tf.cast(tf.io.decode_raw(s, tf.uint8), tf.int32) + 1, num_parallel_calls=2)
    for k, found in enumerate(numbers.as_numpy_iterator()):
        np.testing.assert_array_equal(found, [98, 99] * (k % 3 + 1))
    assert not recorded


def test_functions_of_very_many_shapes_run_one_by_one(recorded: list[int]) -> None:
    sizes = [k % (COURSES + 5) + 1 for k in range(3 * COURSES)]
    texts = Dataset.from_tensor_slices([b"a" * n for n in sizes])
    found = texts.map(lambda s: tf.reduce_sum(tf.cast(tf.io.decode_raw(s, tf.uint8), tf.int32)))
    assert [int(x) for x in found] == [97 * n for n in sizes]
    assert recorded


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * 2 if int(x) % 2 else x,
        lambda x: tf.numpy_function(lambda a: a + 1, [x], tf.int64),
        lambda x: tf.strings.split(tf.strings.as_string(x), ".").to_tensor() if x.shape else x + 1,
    ],
)
def test_functions_that_read_values_run_as_python(function: Callable[..., Any]) -> None:
    found = [int(x) for x in Dataset.range(100).map(function, num_parallel_calls=1)]
    assert found == [int(function(tf.constant(k, tf.int64))) for k in range(100)]


def test_what_is_known_is_given_as_it_is_and_twice_in_memory_of_its_own() -> None:
    for dataset in (Dataset.from_tensor_slices(np.zeros((80, 3))).map(lambda x: (x, x)),):
        for x, y in [*dataset.batch(16), *dataset]:
            x += 1.0
            assert not y.numpy().any()


def test_constants_are_read_from_outside(recorded: list[int]) -> None:
    mean, table = tf.constant([1.0, 2.0]), np.array([3.0, 4.0], np.float32)
    rows = np.arange(200, dtype=np.float32).reshape(100, 2)
    found = np.stack([*Dataset.from_tensor_slices(rows).map(lambda x: (x - mean) / table).as_numpy_iterator()])
    np.testing.assert_array_equal(found, (rows - np.float32([1, 2])) / table)
    assert not recorded


@pytest.mark.parametrize(
    "function",
    [
        tf.image.per_image_standardization,
        lambda x: tf.reduce_sum(tf.cast(x, tf.float32)[:, :, 0] ** 2, 0),
        lambda x: tf.matmul(tf.cast(x[..., 0], tf.float32), tf.cast(x[..., 1], tf.float32), transpose_b=True),
        lambda x: tf.image.resize(x, (3, 3)),
        lambda x: tf.sort(tf.cast(x[0], tf.int32), axis=0),
    ],
)
def test_elements_have_the_same_bits_alone_and_together(function: Callable[..., Any]) -> None:
    images = np.random.default_rng(2).integers(0, 256, (130, 6, 7, 3), np.uint8)
    alone = Program(function)
    from duograph.tf.data.columns import Columns

    expected = [alone(Columns.of([image])).elements()[0] for image in images]
    dataset = Dataset.from_tensor_slices(images).map(function)
    for k, found in enumerate(dataset.as_numpy_iterator()):
        assert found.tobytes() == expected[k].tobytes()
        np.testing.assert_allclose(found, function(tf.constant(images[k])).numpy(), rtol=2e-6, atol=1e-6)
    together = np.concatenate([*dataset.batch(50).as_numpy_iterator()])
    assert together.tobytes() == b"".join(e.tobytes() for e in expected)


# -- random numbers ----------------------------------------------------------------------------------------------------
def noisy(x: Any) -> Any:
    return tf.cast(x, tf.float32) * 0 + tf.random.uniform([2]), tf.random.normal([])


def drawn(dataset: Any) -> np.ndarray:
    return np.stack([np.concatenate([a.ravel(), b.ravel()]) for a, b in dataset.as_numpy_iterator()])


def test_random_numbers_are_of_the_seed_and_of_nothing_else(recorded: list[int]) -> None:
    def made(disturbed: bool, **stages: int) -> np.ndarray:
        tf.random.set_seed(11)
        dataset = Dataset.from_tensor_slices(np.zeros(90)).map(noisy, num_parallel_calls=tf.data.AUTOTUNE)
        found = []
        for a, b in dataset.prefetch(2) if disturbed else dataset:
            found.append(np.append(a.numpy(), b.numpy()))
            if disturbed:
                tf.random.uniform([3]).numpy()
        return np.stack(found)

    first = made(disturbed=False)
    assert len(np.unique(first)) == first.size
    np.testing.assert_array_equal(first, made(disturbed=True))
    tf.random.set_seed(11)
    batches = Dataset.from_tensor_slices(np.zeros(90)).map(noisy).batch(32)
    together = [np.concatenate([a, b[:, None]], 1) for a, b in batches.as_numpy_iterator()]
    np.testing.assert_array_equal(first, np.concatenate(together))
    again = [np.concatenate([a, b[:, None]], 1) for a, b in batches.as_numpy_iterator()]
    assert not np.isin(np.concatenate(again), first).any()
    assert not recorded


def test_the_numbers_of_a_seed_of_the_call_go_on_from_element_to_element(recorded: list[int]) -> None:
    draw = lambda x: tf.random.uniform([], seed=7) + tf.cast(x, tf.float32) * 0  # noqa: E731
    found = [float(x) for x in Dataset.from_tensor_slices(np.zeros(70)).map(draw)]
    assert len(set(found)) == 70
    assert found == [float(x) for x in Dataset.from_tensor_slices(np.zeros(70)).map(draw)]
    assert not recorded


def test_seeds_that_are_elements_fix_their_numbers(recorded: list[int]) -> None:
    seeds = np.stack([np.arange(100), np.arange(100) // 3], 1).astype(np.int32)
    images = np.random.default_rng(0).uniform(size=(100, 4, 4, 3)).astype(np.float32)

    def change(x: Any, seed: Any) -> Any:
        x = tf.image.stateless_random_crop(tf.image.stateless_random_flip_left_right(x, seed), (2, 3, 3), seed)
        return tf.image.stateless_random_brightness(x, 0.3, seed)

    found = Dataset.from_tensor_slices((images, seeds)).map(change).shuffle(100, seed=2).batch(30)
    order = [int(x[0]) for x in Dataset.from_tensor_slices(seeds).shuffle(100, seed=2)]
    together = np.concatenate([*found.as_numpy_iterator()])
    assert not recorded
    for place, k in enumerate(order):
        alone = change(tf.constant(images[k]), tf.constant(seeds[k])).numpy()
        np.testing.assert_array_equal(together[place], alone)


# -- images ------------------------------------------------------------------------------------------------------------
def encoded(pictures: list[np.ndarray], kind: str) -> list[bytes]:
    image = pytest.importorskip("PIL.Image")
    files = []
    for picture in pictures:
        stream = io.BytesIO()
        image.fromarray(picture).save(stream, kind)
        files.append(stream.getvalue())
    return files


@pytest.mark.parametrize(("kind", "decode"), [("PNG", tf.io.decode_png), ("JPEG", tf.io.decode_jpeg)])
def test_images_of_several_sizes(kind: str, decode: Any, tmp_path: Path, recorded: list[int]) -> None:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (8 + 8 * (k % 3), 16, 3), np.uint8) for k in range(100)]
    files = encoded(pictures, kind)
    names = [tmp_path / f"{k:03}" for k in range(100)]
    for name, content in zip(names, files, strict=True):
        name.write_bytes(content)

    def load(name: Any) -> Any:
        return tf.image.resize(decode(tf.io.read_file(name), channels=3), (4, 4))

    dataset = Dataset.from_tensor_slices([str(name) for name in names]).map(load, num_parallel_calls=tf.data.AUTOTUNE)
    found = np.concatenate([*dataset.batch(24).as_numpy_iterator()])
    assert not recorded
    for picture, content, made in zip(pictures, files, found, strict=True):
        image = decode(content, channels=3)
        if kind == "PNG":
            np.testing.assert_array_equal(image.numpy(), picture)
        np.testing.assert_allclose(made, tf.image.resize(image, (4, 4)).numpy(), rtol=1e-6)


@pytest.mark.parametrize("batch", [0, 32])
def test_what_is_slow_is_done_by_threads(batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading files always, decoding them where they are large: in their order, and with the sizes they have."""
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (80 + k % 2, 90, 3), np.uint8) for k in range(64)]
    names = [tmp_path / f"{k:03}" for k in range(64)]
    for name, content in zip(names, encoded(pictures, "PNG"), strict=True):
        name.write_bytes(content)
    threads = set()
    from PIL import Image

    opened = Image.open
    monkeypatch.setattr(Image, "open", lambda *a, **k: (threads.add(threading.get_ident()), opened(*a, **k))[1])

    def load(name: Any) -> Any:
        image = tf.io.decode_png(tf.io.read_file(name), channels=3)
        return tf.cast(image[:80], tf.int32) + 1

    dataset = Dataset.from_tensor_slices([str(name) for name in names]).map(load, num_parallel_calls=3)
    found = [*(dataset.batch(batch) if batch else dataset).as_numpy_iterator()]
    for picture, made in zip(pictures, np.concatenate(found) if batch else found, strict=True):
        np.testing.assert_array_equal(made, picture[:80].astype(np.int32) + 1)
    assert len(threads - {threading.get_ident()}) > 1


def test_a_damaged_image_is_refused_at_its_place(tmp_path: Path) -> None:
    files = encoded([*pixels(90)[..., None].repeat(3, -1)], "PNG")
    files[77] = b"\x89PNG, and then something else"
    dataset = Dataset.from_tensor_slices(files).map(tf.io.decode_png, num_parallel_calls=tf.data.AUTOTUNE)
    seen = 0
    with pytest.raises(tf.errors.InvalidArgumentError):
        for _ in dataset:
            seen += 1
    assert seen == 77


# -- records -----------------------------------------------------------------------------------------------------------
def contents() -> list[bytes]:
    rng = np.random.default_rng(0)
    sizes = [*range(40), 4096, records.BLOCK - 17, 0, records.BLOCK + 5, 3 * records.BLOCK, *[7] * (records.ROOM + 3)]
    return [rng.bytes(size) for size in sizes]


@pytest.mark.parametrize("compression", [None, "GZIP", "ZLIB"])
def test_records_of_all_sizes(compression: str | None, tmp_path: Path) -> None:
    written = contents()
    with tf.io.TFRecordWriter(str(tmp_path / "r"), compression) as writer:
        for content in written:
            writer.write(content)
    assert [*tf.data.TFRecordDataset(str(tmp_path / "r"), compression).as_numpy_iterator()] == written


@pytest.mark.parametrize(
    ("damage", "place"),
    [
        (lambda d: d[:-1], 99),
        (lambda d: d + b"\0", 100),
        (lambda d: d[: 50 * 26 + 3] + b"\1" + d[50 * 26 + 4 :], 50),
        (lambda d: d[: 50 * 26 + 15] + b"\1" + d[50 * 26 + 16 :], 50),
        (lambda d: d[: 50 * 26 + 24] + b"\1" + d[50 * 26 + 25 :], 50),
        (lambda d: framed(b"")[:8] * 2 + d, 0),
    ],
)
def test_damaged_records_are_refused_at_their_place(damage: Any, place: int, tmp_path: Path) -> None:
    (tmp_path / "r").write_bytes(damage(b"".join(framed(b"%010d" % k) for k in range(100))))
    for dataset in (tf.data.TFRecordDataset(str(tmp_path / "r")),):
        for mapped in (dataset, dataset.map(tf.strings.length, num_parallel_calls=2)):
            seen = 0
            with pytest.raises(tf.errors.DataLossError, match=f"record at {26 * place}"):
                for _ in mapped:
                    seen += 1
            assert seen == place


def test_records_are_checked_without_an_instruction_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = targets.named("baseline")
    assert not plain.has("sse4.2")
    image = jit.load(records.records_ir(plain))
    monkeypatch.setattr(records, "_image", lambda: image)
    monkeypatch.setattr(records, "_local", type("Local", (), {})())
    written = contents()[:42]
    assert [*records.read(io.BytesIO(b"".join(map(framed, written))))] == written
    with pytest.raises(records.DamagedError):
        list(records.read(io.BytesIO(framed(b"abc")[:-1] + b"\0")))


def test_aarch64_has_an_instruction_too() -> None:
    target = targets.cross("aarch64")
    for features in (target.features, "+neon,+crc"):
        assert jit.object_for(
            records.records_ir(replace(target, features=features)), replace(target, features=features)
        )


@pytest.mark.parametrize("labels", [[1, 2, 3], [-1, 0, 2**62], [300, 5, 127, 128], [2**63 - 1, -(2**63)]])
def test_examples_are_parsed_together(labels: list[int]) -> None:
    examples = [example(b"x" * (k % 2), label) for k, label in enumerate(labels)]
    both = tf.io.parse_example(examples, DESCRIPTION)
    assert both["label"].numpy().tolist() == labels
    assert both["image"].numpy().tolist() == [b"x" * (k % 2) for k in range(len(labels))]
    for one, label in zip(examples, labels, strict=True):
        assert int(tf.io.parse_single_example(one, DESCRIPTION)["label"]) == label


def test_examples_without_a_feature_have_its_default(recorded: list[int]) -> None:
    description = {"label": tf.io.FixedLenFeature([2], tf.float32, [1.5, 2.5]), "image": DESCRIPTION["image"]}
    examples = [example(b"%d" % k, k) for k in range(10)]
    read = Dataset.from_tensor_slices(examples).map(lambda e: tf.io.parse_single_example(e, description))
    with pytest.raises(tf.errors.InvalidArgumentError, match="float"):
        list(read)
    description["label"] = tf.io.FixedLenFeature([2], tf.float32, [1.5, 2.5])
    names = {"image": description["image"], "other": description["label"]}
    parsed = tf.io.parse_example(examples, names)
    np.testing.assert_array_equal(parsed["other"].numpy(), [[1.5, 2.5]] * 10)
    assert parsed["image"].numpy().tolist() == [b"%d" % k for k in range(10)]


# -- strings -----------------------------------------------------------------------------------------------------------
def test_fingerprints_of_all_kinds_of_lengths() -> None:
    """Values of TensorFlow's; `tests/peers` compares all lengths up to 300."""
    found = [fingerprint64(text) for text in (b"", b"a", b"abc" * 50)]
    assert found == [11160318154034397263, 12917804110809363939, 2999530846569638125]


def test_hashed_buckets_are_tensorflows() -> None:
    words = np.array([["A"], ["B"], ["C"], ["D"], [""]])
    Hashing = tf.keras.layers.Hashing
    assert Hashing(3)(words).numpy().tolist() == [[1], [0], [1], [1], [2]]
    assert Hashing(4, mask_value="")(words).numpy().tolist() == [[2], [1], [2], [2], [0]]
    assert Hashing(3)(np.array([3, 5, 7, 100])).numpy().tolist() == [0, 1, 1, 0]
    assert Hashing(4, output_mode="one_hot")(words).numpy().argmax(-1).tolist() == [0, 0, 3, 3, 3]
    crossing = tf.keras.layers.HashedCrossing(5)
    assert crossing((np.array(["A", "B"]), np.array([1, 2]))).numpy().tolist() == [0, 1]
    lookup = tf.keras.layers.StringLookup(vocabulary=["a", "b", "c"], num_oov_indices=3)
    assert lookup(np.array(["a", "zz", "yy", "q", "c"])).numpy().tolist() == [3, 1, 1, 2, 5]
    vocabulary = tf.lookup.KeyValueTensorInitializer(["a", "b"], tf.constant([0, 1], tf.int64))
    table = tf.lookup.StaticVocabularyTable(vocabulary, 5)
    assert table.lookup(tf.constant(["a", "x", "yy", "zzz"])).numpy().tolist() == [0, 2, 4, 2]


def test_strings_that_are_looked_up_are_a_tensor() -> None:
    layer = tf.keras.layers.StringLookup(vocabulary=["a", "b", "c"], invert=True)
    for given, expected in (
        ([1, 2, 3], [b"a", b"b", b"c"]), (np.array([[1], [0]]), [[b"a"], [b"[UNK]"]]), (tf.constant(2), b"b"),
    ):  # fmt: skip
        found = layer(given)
        assert found.dtype is tf.string
        assert found.numpy() == expected if isinstance(expected, bytes) else found.numpy().tolist() == expected
    assert [*Dataset.from_tensor_slices([1, 2]).map(layer).as_numpy_iterator()] == [b"a", b"b"]


def test_fingerprint_of_rows() -> None:
    assert tf.fingerprint(["", "a"]).numpy().view("<u8").ravel().tolist() == [fingerprint64(b""), fingerprint64(b"a")]
    rows = np.arange(6).reshape(2, 3)
    expected = [fingerprint64(row.tobytes()) for row in rows]
    assert tf.fingerprint(rows).numpy().view("<u8").ravel().tolist() == expected
