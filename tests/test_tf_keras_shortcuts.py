"""The short ways through Keras give what Keras gives, and a compiled step outlives the call of `fit` it was made in."""

import inspect

import numpy as np
import pytest

import duograph.replay
from duograph.tf import keras
from duograph.tf.keras_shortcuts import _bound

X = np.random.default_rng(0).normal(size=(24, 5)).astype("float32")
Y = np.arange(24) % 3


def model():
    keras.utils.set_random_seed(0)
    made = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4, activation="relu"), keras.layers.Dense(3)])
    made.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return made


@pytest.fixture
def captures(monkeypatch):
    made = []
    capture = duograph.replay.capture

    def counted(*arguments):
        made.append(arguments)
        return capture(*arguments)

    monkeypatch.setattr(duograph.replay, "capture", counted)
    return made


def test_a_second_fit_replays_the_step_of_the_first(captures):
    trained = model()
    trained.fit(X, Y, batch_size=8, epochs=2, verbose=0)
    before = len(captures)
    history = trained.fit(X, Y, batch_size=8, epochs=2, verbose=0)
    assert len(captures) == before
    assert trained.history is history


def test_train_on_batch_is_replayed(captures):
    trained = model()
    losses = [trained.train_on_batch(X[:8], Y[:8])[0] for _ in range(8)]
    assert len(captures) == 2
    assert sorted(losses, reverse=True) == losses


def test_a_replayed_step_equals_an_eager_one():
    compiled, eager = model(), model()
    eager.compile(eager.optimizer, eager.loss, metrics=["accuracy"], run_eagerly=True)
    for _ in range(2):
        ours = compiled.fit(X, Y, batch_size=8, epochs=3, verbose=0, shuffle=False).history
        theirs = eager.fit(X, Y, batch_size=8, epochs=3, verbose=0, shuffle=False).history
        for name, values in theirs.items():
            np.testing.assert_allclose(ours[name], values, rtol=1e-5)


def test_a_new_layer_list_is_noticed(captures):
    trained = model()
    trained.fit(X, Y, batch_size=8, epochs=2, verbose=0)
    first = trained.layers[0].kernel.numpy().copy()
    trained.layers[0].trainable = False
    trained.compile("sgd", trained.loss)
    trained.fit(X, Y, batch_size=8, epochs=2, verbose=0)
    np.testing.assert_array_equal(trained.layers[0].kernel, first)


def _one(x, training=None, mask=None):
    pass


def _two(x, y=3, *, z=None):
    pass


def _keyword_only(*, x):
    pass


def _rest(x, *rest, **more):
    pass


@pytest.mark.parametrize("keywords", [{}, {"training": True}, {"mask": None}, {"y": 2}, {"z": 1, "y": 0}, {"x": 1}])
@pytest.mark.parametrize("function", [_one, _two, _keyword_only, _rest])
def test_arguments_are_bound_as_by_inspect(function, keywords):
    signature = inspect.signature(function)
    found = _bound(signature.parameters, ("first",), keywords)
    try:
        expected = signature.bind("first", **keywords)
    except TypeError:
        assert found is None
    else:
        expected.apply_defaults()
        assert found == expected.arguments or (function is _rest and found is None)


def test_arguments_that_may_hold_tensors_are_left_to_inspect():
    parameters = inspect.signature(_two).parameters
    assert _bound(parameters, ("first",), {"y": [1, 2]}) is None
    assert _bound(parameters, ("first",), {"y": np.ones(2)}) is None


def test_names_of_dtypes():
    name = keras.backend.standardize_dtype
    for _ in range(2):  # the second time they are known
        assert name("float32") == name(np.float32) == name(np.dtype("float32")) == name(float) == "float32"
        assert name(bool) == "bool"
        with pytest.raises(ValueError, match="Invalid dtype"):
            name("float31")
    keras.config.set_floatx("float64")
    try:
        assert name(None) == "float64"
    finally:
        keras.config.set_floatx("float32")
    assert name(None) == "float32"


def test_an_error_in_a_layer_tells_its_arguments():
    class Refusing(keras.layers.Layer):
        def call(self, x, factor=2):
            raise ValueError("no such thing")

    with pytest.raises(ValueError, match=r"(?s)calling Refusing.call.*no such thing.*factor=3"):
        Refusing()(X, factor=3)


def test_an_array_is_copied():
    array = np.ones((2, 3), "float32")
    tensor = keras.ops.convert_to_tensor(array)
    transposed = keras.ops.convert_to_tensor(array.T)
    array[:] = 5
    np.testing.assert_array_equal(tensor, np.ones((2, 3)))
    np.testing.assert_array_equal(transposed, np.ones((3, 2)))


def test_a_variable_within_scopes():
    variable = keras.Variable(np.ones(2, "float32"))
    with keras.src.backend.AutocastScope("float16"):
        assert keras.backend.standardize_dtype(variable.value.dtype) == "float16"
    with keras.StatelessScope([(variable, keras.ops.zeros(2))]):
        np.testing.assert_array_equal(variable.value, np.zeros(2))
    with keras.device("meta"):
        assert variable.value.device.type == "meta"
    np.testing.assert_array_equal(variable.value, np.ones(2))


def test_flags_that_stay_are_not_tracked_and_others_are():
    layer = keras.layers.Dense(2)
    layer.flag = True
    layer.flag = True
    layer.flag = 1
    assert layer.flag == 1
    assert type(layer.flag) is int
    layer.trainable = False
    layer.build((None, 3))
    layer.trainable = False
    assert layer.trainable_weights == []
