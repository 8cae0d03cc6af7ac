"""What programs do around TensorFlow: NumPy's functions of tensors, scalars, Python's functions, variables as tensors.

This module speaks TensorFlow, and holds no torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import duograph.tf as tf

X = np.array([[1.0, 2.5, 3.0], [4.0, -5.0, 6.0]], np.float32)
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    **{
        name: getattr(np, name)
        for name in ["mean", "std", "var", "sum", "prod", "max", "min", "argmax", "cumsum", "sort", "squeeze", "shape"]
    },
    "size": np.size,
    "clip": lambda x: np.clip(x, 0, 4),
    "percentile": lambda x: np.percentile(x, 30),
    "nonzero": lambda x: np.nonzero(x)[0],
    "concatenate": lambda x: np.concatenate([x, x], axis=-1),
    "keywords": lambda x: np.mean(a=x, axis=0, keepdims=True),
}


@pytest.mark.parametrize("make", [tf.constant, tf.Variable], ids=["tensor", "variable"])
@pytest.mark.parametrize("array", [X, X.astype(np.int32)], ids=["float32", "int32"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_numpys_functions_see_arrays(name: str, array: np.ndarray, make: Callable[[Any], Any]) -> None:
    found, expected = FUNCTIONS[name](make(array)), FUNCTIONS[name](array)
    assert type(found) is type(expected)
    np.testing.assert_array_equal(found, expected)
    assert np.asarray(found).dtype == np.asarray(expected).dtype


def test_a_scalar_is_one_of_numpys() -> None:
    metric = tf.keras.metrics.Mean()
    metric.update_state([1.0, 2.0])
    scalars = [
        tf.constant(3), tf.Variable(3.0), tf.reduce_sum(tf.constant(X)), tf.keras.Variable(1.0), metric.result(),
        *tf.data.Dataset.range(1), tf.keras.optimizers.SGD().learning_rate,
    ]  # fmt: skip
    assert all(isinstance(x.numpy(), np.generic) for x in scalars)
    assert {tf.constant(3).numpy(): "three"}[3] == "three"
    assert isinstance(tf.constant([3]).numpy(), np.ndarray)


def test_products_with_lists() -> None:
    w = tf.Variable([[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_array_equal([[1.0, 2.0]] @ w, [[7, 10]])
    np.testing.assert_array_equal(tf.constant(X) @ [[1], [0], [2]], X @ [[1], [0], [2]])


def test_a_variable_as_a_tensor_is_not_changed_by_later_assignments() -> None:
    for variable in (tf.Variable([1.0]), tf.keras.Variable([1.0])):
        before = tf.convert_to_tensor(variable)
        variable.assign([2.0])
        assert not isinstance(before, tf.Variable)
        assert before.numpy().tolist() == [1.0]


def test_functions_of_python_by_decorators() -> None:
    @tf.numpy_function(Tout=[tf.float32, tf.int64])
    def root(x: Any) -> Any:
        return np.sqrt(x), x.size

    @tf.py_function(Tout=tf.string)
    def spelled(x: Any) -> str:
        return f"<{x.numpy()}>"

    found, size = root(tf.constant([4.0, 9.0]))
    assert found.numpy().tolist() == [2, 3]
    assert size.dtype is tf.int64
    assert spelled(tf.constant(3)).numpy() == b"<3>"


def test_patterns_are_of_characters() -> None:
    texts = tf.constant(["¿Qué hora?", "a\u0301b", "no"])
    stripped = tf.strings.regex_replace(texts, "[^ a-z?¿]", "")
    assert [s.decode() for s in stripped.numpy()] == ["¿u hora?", "ab", "no"]
    assert tf.strings.regex_replace(texts[0], "[¿?]", r" \0 ").numpy().decode() == " ¿ Qué hora ? "
    assert tf.strings.regex_full_match(texts, "..").numpy().tolist() == [False, False, True]
    assert tf.strings.regex_full_match(texts[:1], r"\W+Qu\w+.*").numpy().tolist() == [False]  # \w is ASCII's
    assert tf.strings.regex_replace(b"\xff1", "[0-9]", "x").numpy() == b"\xffx"


def test_what_is_found_has_names() -> None:
    found = tf.math.top_k(tf.constant([1.0, 5.0, 3.0]), k=2)
    assert found.values.numpy().tolist() == [5, 3]
    assert found.indices.numpy().tolist() == [1, 2]


def test_float_is_float32() -> None:
    assert tf.as_dtype("float") is tf.as_dtype(float) is tf.float32
    assert tf.as_dtype(np.float64) is tf.float64


def test_names_of_checkpoints_begin_as_they_were_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    checkpoint = tf.train.Checkpoint(v=tf.Variable(1.0))
    assert checkpoint.save("./saved/ckpt") == "./saved/ckpt-1"
    assert tf.train.latest_checkpoint("./saved") == "./saved/ckpt-1"
    manager = tf.train.CheckpointManager(checkpoint, "./kept", max_to_keep=1)
    assert manager.save() == "./kept/ckpt-2"
    assert manager.checkpoints == ["./kept/ckpt-2"]


def test_numpy_elements_by_a_method() -> None:
    elements = tf.data.Dataset.range(2).as_numpy_iterator()
    assert [elements.next(), next(elements)] == [0, 1]
    with pytest.raises(StopIteration):
        elements.next()


def test_sizes_that_vary_do_so_after_a_map() -> None:
    batches = tf.data.Dataset.from_tensor_slices((np.zeros((10, 6)), np.zeros(10))).batch(4)
    mapped = batches.map(lambda x, y: {"x": x[:, :2], "sum": tf.reduce_sum(y), "w": tf.ones((3, 2))})
    spec = mapped.element_spec
    assert [tuple(spec[name].shape) for name in ("x", "sum", "w")] == [(None, 2), (), (3, 2)]
    assert tuple(batches.take(1).map(lambda x, y: x).element_spec.shape) == (None, 6)
    fixed = tf.data.Dataset.range(8).batch(4, drop_remainder=True).map(lambda x: x + 1)
    assert tuple(fixed.element_spec.shape) == (4,)


TEXTS = ["the good film", "a bad film", "good good", "bad plot"] * 4
TARGETS = np.array([1, 0, 1, 0] * 4)


def model_of_texts(*first: Any) -> Any:
    layers = tf.keras.layers
    look_up = layers.TextVectorization(max_tokens=20, output_sequence_length=4)
    look_up.adapt(TEXTS)
    rest = [layers.Embedding(20, 4), layers.GlobalAveragePooling1D(), layers.Dense(1, activation="sigmoid")]
    model = tf.keras.Sequential([*first, look_up, *rest])
    model.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
    return model


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("kind", ["tensor", "array", "data set"])
def test_a_model_of_strings(kind: str, declared: bool) -> None:
    model = model_of_texts(*([tf.keras.Input((1,), dtype="string")] if declared else []))
    x: Any = tf.constant(TEXTS) if kind == "tensor" else np.array(TEXTS, object)
    data = (tf.data.Dataset.from_tensor_slices((TEXTS, TARGETS)).batch(4),) if kind == "data set" else (x, TARGETS)
    losses = model.fit(*data, epochs=4, batch_size=None if kind == "data set" else 4, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    loss, _ = model.evaluate(*data, verbose=0)
    predicted = model.predict(data[0], verbose=0)
    np.testing.assert_allclose(predicted, model(tf.constant(TEXTS)), rtol=1e-5)
    p = predicted[:, 0]
    expected = -np.mean(TARGETS * np.log(p) + (1 - TARGETS) * np.log(1 - p))
    assert math.isclose(loss, expected, rel_tol=1e-4)


def test_ragged_tokens() -> None:
    layer = tf.keras.layers.TextVectorization(ragged=True, standardize=lambda text: tf.strings.lower(text))
    layer.adapt(TEXTS)
    tokens = layer(tf.constant(["Good film", "plot"]))
    assert isinstance(tokens, tf.RaggedTensor)
    words = [[layer.get_vocabulary()[i] for i in row] for row in tokens.to_list()]
    assert words == [["good", "film"], ["plot"]]


class Pair(tf.keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.one = tf.keras.Sequential([tf.keras.layers.Dense(3), tf.keras.layers.Dense(2)])
        self.two = tf.keras.layers.Dense(1)

    def call(self, x: Any) -> Any:
        return self.two(self.one(x))


@pytest.mark.parametrize(("rows", "size"), [(10, None), (8, 4)])
def test_a_model_is_built_for_what_all_batches_have(rows: int, size: int | None) -> None:
    x = np.ones((rows, 6), np.float32)
    for data in ((x, x[:, :1]), (tf.data.Dataset.from_tensor_slices((x, x[:, :1])).batch(4, drop_remainder=not size),)):
        if len(data) == 1:
            size = None if size else 4
        model = Pair()
        model.compile("sgd", "mse")
        model.fit(*data, batch_size=4 if len(data) == 2 else None, verbose=0)
        assert model.one.output_shape == (size, 2)
        assert model.one.input_shape == (size, 6)
    model = Pair()
    assert model(x).shape == (rows, 1)
    assert model.one.output_shape == (rows, 2)


def test_losses_of_drawn_classes() -> None:
    rng = np.random.default_rng(0)
    w, b, x = (rng.normal(size=s).astype(np.float32) for s in ((9, 4), (9,), (3, 4)))
    labels, sampled = np.array([[1], [7], [0]]), np.array([2, 7, 5])
    counts = rng.random((3, 1), np.float32), rng.random(3, np.float32)
    of_true = np.sum(x * w[labels[:, 0]], 1) + b[labels[:, 0]] - np.log(counts[0][:, 0])
    of_sampled = x @ w[sampled].T + b[sampled] - np.log(counts[1])
    found = tf.nn.nce_loss(w, b, labels, x, 3, 9, sampled_values=(sampled, *counts))
    expected = np.log1p(np.exp(-of_true)) + np.sum(np.log1p(np.exp(of_sampled)), 1)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    found = tf.nn.sampled_softmax_loss(w, b, labels, x, 3, 9, sampled_values=(sampled, *counts))
    of_sampled[1, 1] = -np.inf  # the label itself was drawn
    expected = np.log(np.exp(of_true) + np.sum(np.exp(of_sampled), 1)) - of_true
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_candidates() -> None:
    tf.random.set_seed(0)
    times = np.zeros(10)
    for _ in range(200):
        drawn, _, expected = tf.random.log_uniform_candidate_sampler([[0]], 1, 4, True, 10)
        assert len(set(drawn.numpy())) == 4
        times[drawn.numpy()] += 1
    assert drawn.dtype is tf.int64
    assert expected.shape == (4,)
    assert times[0] > times[2] > times[9] > 0
    drawn, of_true, expected = tf.random.uniform_candidate_sampler([[0, 1]], 2, 4, False, 10)
    np.testing.assert_allclose(of_true, [[0.4, 0.4]], rtol=1e-6)
    np.testing.assert_allclose(expected, [0.4] * 4, rtol=1e-6)
    with pytest.raises(tf.errors.InvalidArgumentError, match="unique"):
        tf.random.uniform_candidate_sampler([[0]], 1, 11, True, 10)


def test_groups_of_a_graph() -> None:
    import duograph.tf.compat.v1 as v1

    with v1.Graph().as_default(), v1.Session() as session:
        x, w = v1.placeholder("float"), v1.Variable(0.5)
        both = tf.group(w.assign(2.0), w.initializer)
        session.run(v1.global_variables_initializer())
        assert session.run(both) is None
        assert session.run(v1.multiply(x, w), {x: np.float64(3)}).dtype == np.float32
