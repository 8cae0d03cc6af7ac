"""The short ways through calls of Keras's layers and models do what the long ones do."""

from __future__ import annotations

import traceback

import numpy as np
import pytest

from duograph.tf import keras
from duograph.tf.keras_calls import FACTS, ROUTE

layers = keras.layers
X = np.random.default_rng(0).normal(size=(3, 5)).astype("float32")


def is_short(layer):
    return bool(vars(layer).get(FACTS))


class Telling(layers.Layer):
    """Notes what its calls are told."""

    def __init__(self, inner=None, **keywords):
        super().__init__(**keywords)
        self.inner = inner
        self.told = []

    def call(self, x, training=None):
        self.told.append(training)
        return x if self.inner is None else self.inner(x)


class ByDefault(Telling):
    def call(self, x, training=True):
        self.told.append(training)
        return x


class Untold(Telling):
    def call(self, x):
        return self.inner(x)


def test_a_layer_is_short_from_its_second_call():
    layer = layers.Dense(2)
    first = layer(X)
    assert is_short(layer)
    np.testing.assert_array_equal(layer(X), first)
    layer.units = 2
    assert FACTS not in vars(layer)
    np.testing.assert_array_equal(layer(X), first)
    assert is_short(layer)


def test_layers_that_do_more_go_the_long_way():
    class Own(layers.Dense):
        def _open_name_scope(self):
            return super()._open_name_scope()

    class Registered(Telling):
        def __init__(self):
            super().__init__()
            self._register_call_context_args("mode")

    class OfTwo(layers.Layer):
        def call(self, x, weights=(1, 2)):
            return x

    dtypes = keras.dtype_policies.DTypePolicyMap()
    for layer in (Own(2), Registered(), OfTwo(), layers.Dense(2, activity_regularizer="l2"), Telling(dtype=dtypes)):
        for _ in range(2):
            layer(X)
        assert not is_short(layer)


def test_training():
    """Said by the caller, by the layer around, or by the signature, in this order."""
    inner = Telling()
    outer, between, default = Telling(inner), Untold(inner), ByDefault()
    for layer in (outer, between, default):
        layer(X)  # builds
        layer.told.clear()
    inner.told.clear()
    for told in (True, False, None, True):
        outer(X, training=told)
        between(X, training=told)
        default(X, training=told)
    assert inner.told == [True, True, False, False, None, None, True, True]
    assert outer.told == default.told == [True, False, None, True]
    for layer in (outer, between, default):
        layer(X)
        assert is_short(layer)
    assert inner.told[-2:] == [None, None]
    assert default.told[-1] is True
    keras.Sequential([Untold(outer)])(X, training=True)
    assert inner.told[-1] is outer.told[-1] is True


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int32", "bool", "complex64"])
def test_inputs_are_cast_as_in_the_first_call(dtype):
    for layer in (Telling(), Telling(autocast=False), Telling(dtype="float64"), Telling(dtype="mixed_float16")):
        for x in (X.astype(dtype), keras.ops.convert_to_tensor(X.astype(dtype))):
            layer.inner = None  # the next call is long
            first, second = layer(x), layer(x)
            assert first.dtype == second.dtype
            np.testing.assert_array_equal(first, second)


def test_variables_are_cast_in_layers_of_mixed_precision():
    layer = layers.Dense(2, dtype="mixed_float16")
    model = keras.Sequential([keras.Input((5,)), layer, layers.Dense(2), layers.Dense(2, autocast=False)])
    first = model(X)
    assert keras.backend.standardize_dtype(layer(X).dtype) == "float16"
    np.testing.assert_array_equal(model(X), first)
    np.testing.assert_array_equal(model.predict(X, verbose=0), first)


def test_an_input_that_does_not_fit_is_refused_each_time():
    layer, conv = layers.Dense(2), layers.Conv2D(2, 2)
    model = keras.Model(inputs := keras.Input((5,)), layers.Dense(2)(inputs))
    fitting = [(layer, X), (conv, np.ones((1, 4, 4, 3), "float32")), (model, X)]
    for each, x in fitting:
        each(x)
        for _ in range(2):
            each(x)
            with pytest.raises(ValueError, match="is incompatible with the layer"):
                each(x[..., :2])
    with pytest.raises(ValueError, match="expected min_ndim=2, found ndim=1"):
        layer(X[0])
    with pytest.raises(ValueError, match="expected min_ndim=4, found ndim=3"):
        conv(X[None])


def test_an_error_tells_the_arguments_and_leaves_no_trace():
    class Refusing(layers.Layer):
        def call(self, x, training=None):
            if training:
                raise ValueError("no such thing")
            return x

    layer = Refusing()
    model = keras.Sequential([layer])
    model(X)
    model(X)
    assert is_short(layer)
    with pytest.raises(ValueError, match=r"(?s)calling Refusing.call.*no such thing.*\[3, 5\].*training=True") as e:
        model(X, training=True)
    files = [frame.filename for frame in traceback.extract_tb(e.value.__traceback__)]
    assert files[0] == files[-1] == __file__
    assert len(files) < 8
    inner = Telling()
    inner(X)
    inner(X)
    assert inner.told == [None, None]  # no layer is being called any more


def test_losses_are_those_of_the_last_call():
    class Adding(layers.Layer):
        def call(self, x):
            self.add_loss(keras.ops.sum(x))
            return x

    model = keras.Sequential([Adding(), layers.Dense(2, kernel_regularizer="l2")])
    for _ in range(3):
        model(X)
        assert len(model.losses) == 2


def test_what_is_made_in_a_call_has_its_path():
    made = []

    class Lazy(layers.Layer):
        def call(self, x):
            made.append(keras.Variable(1.0, name="v"))
            return x

    layer = Lazy(name="lazy")
    outer = Telling(layer, name="outer")
    for _ in range(3):
        outer(X)
    assert is_short(outer)
    assert is_short(layer)
    assert {v.path for v in made} == {"outer/lazy/v"}


def test_masks():
    embedding = layers.Embedding(4, 2, mask_zero=True)
    model = keras.Sequential([embedding, layers.Dropout(0.5), layers.LSTM(2)])
    x = np.array([[1, 2, 0], [3, 0, 0]])
    first = model(x)
    for _ in range(2):
        np.testing.assert_array_equal(embedding(x)._keras_mask, x != 0)
        np.testing.assert_allclose(model(x), first, rtol=1e-6)
    np.testing.assert_allclose(model(x[1:, :1]), first[1:], rtol=1e-6)


def test_hooks():
    layer, seen = layers.Dense(2), []
    layer(X)
    handle = layer.register_forward_hook(lambda *_: seen.append(1))
    layer(X)
    handle.remove()
    layer(X)
    assert seen == [1]


# -- models ------------------------------------------------------------------------------------------------------------
def test_a_model_with_branches():
    inputs = keras.Input((5,))
    shared = layers.Dense(4, activation="tanh")
    a, b = shared(inputs), shared(keras.ops.flip(inputs, -1))
    joined = layers.Dropout(0.5)(layers.Concatenate()([a, keras.ops.square(b) * 2.0, a + b]))
    inner = keras.Sequential([layers.Dense(3), layers.GaussianNoise(1.0)])
    model = keras.Model(inputs, inner(joined))
    first = model(X)
    assert vars(model)[ROUTE]
    np.testing.assert_array_equal(model(X), first)
    w, v = shared.get_weights(), inner.get_weights()
    a, b = np.tanh(X @ w[0] + w[1]), np.tanh(X[:, ::-1] @ w[0] + w[1])
    np.testing.assert_allclose(first, np.concatenate([a, b * b * 2, a + b], 1) @ v[0] + v[1], rtol=1e-4, atol=1e-6)
    assert np.abs(np.asarray(model(X, training=True) - first)).max() > 0.01


def test_models_whose_inputs_are_put_right_go_the_long_way():
    inputs = keras.Input((5, 1))
    model = keras.Model(inputs, layers.Flatten()(inputs))
    for x in (X, X[..., None], X.astype("int32")):
        np.testing.assert_array_equal(model(x), x.reshape(3, 5))
    several = keras.Model([inputs, inputs], [inputs, layers.Flatten()(inputs)])
    for _ in range(2):
        assert [y.shape for y in several([X[..., None], X[..., None]])] == [(3, 5, 1), (3, 5)]
    assert vars(several)[ROUTE] is False
    inputs = keras.Input((5, 1), name="x")
    named = keras.Model({"x": inputs}, {"y": layers.Flatten()(inputs)})
    for _ in range(2):
        assert named({"x": X[..., None]})["y"].shape == (3, 5)


def test_a_model_that_grows():
    model = keras.Sequential([keras.Input((5,)), layers.Dense(4)])
    for _ in range(2):
        assert model(X).shape == (3, 4)
    model.add(layers.Dense(2))
    for _ in range(2):
        assert model(X).shape == (3, 2)
    model.pop()
    assert model(X).shape == (3, 4)


def test_facts_are_no_part_of_what_is_saved(tmp_path):
    model = keras.Sequential([keras.Input((5,)), layers.Dense(4), layers.Dense(2)])
    model.save_weights(tmp_path / "before.weights.h5")
    first = model(X)
    model(X)
    model.save_weights(tmp_path / "after.weights.h5")
    again = keras.models.clone_model(model)
    again.load_weights(tmp_path / "before.weights.h5")
    np.testing.assert_array_equal(again(X), first)
    again.load_weights(tmp_path / "after.weights.h5")
    np.testing.assert_array_equal(again(X), first)


# -- images ------------------------------------------------------------------------------------------------------------
def channels_first(x, n):
    return np.moveaxis(x, -1, 1) if x.ndim == n + 2 else x


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize(
    "settings",
    [{}, {"strides": 2}, {"padding": "same"}, {"padding": "same", "strides": 2}, {"dilation_rate": 2}, {"groups": 2},
     {"padding": "same", "dilation_rate": 2}],
)  # fmt: skip
def test_convolution_as_with_channels_first(n, settings):
    convolution = (layers.Conv1D, layers.Conv2D, layers.Conv3D)[n - 1]
    x = np.random.default_rng(1).normal(size=(2, *(7, 6, 8)[:n], 4)).astype("float32")
    last, first = convolution(6, 2, **settings), convolution(6, 2, data_format="channels_first", **settings)
    y = last(x)
    first.build((2, 4, *x.shape[1:-1]))
    first.set_weights(last.get_weights())
    reference = first(np.moveaxis(x, -1, 1))
    np.testing.assert_allclose(np.moveaxis(np.asarray(y), -1, 1), reference, rtol=1e-4, atol=1e-5)
    found, expected = [], []
    for layer, output, into in ((last, y, found), (first, reference, expected)):
        keras.ops.sum(keras.ops.sin(output)).backward()
        into += [w.value.grad.numpy() for w in layer.trainable_weights]
    for mine, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("kind", ["MaxPooling", "AveragePooling"])
@pytest.mark.parametrize(
    "settings", [{"pool_size": 2}, {"pool_size": 3, "strides": 1}, {"pool_size": 3, "padding": "same"}]
)
def test_pooling_as_with_channels_first(n, kind, settings):
    pooling = getattr(layers, f"{kind}{n}D")
    x = np.random.default_rng(1).normal(size=(2, *(7, 6, 8)[:n], 4)).astype("float32")
    y = pooling(**settings)(x)
    reference = pooling(data_format="channels_first", **settings)(np.moveaxis(x, -1, 1))
    np.testing.assert_allclose(np.moveaxis(np.asarray(y), -1, 1), reference, rtol=1e-5, atol=1e-6)


def test_convolutions_that_do_not_fit():
    with pytest.raises(ValueError, match="must be divisible by"):
        keras.ops.conv(np.ones((1, 5, 5, 3), "float32"), np.ones((2, 2, 2, 4), "float32"))
    with pytest.raises(Exception, match="expected"):
        keras.ops.conv(np.ones((1, 1, 5, 3), "float32"), np.ones((2, 2, 3, 4), "float32"))
