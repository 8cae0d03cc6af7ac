"""TensorFlow's operators and texts, where they are not PyTorch's: this module speaks TensorFlow, and holds no torch."""

from __future__ import annotations

import operator
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import duograph.tf as tf

N, F = tf.constant([3, 2]), tf.constant([1.5, 2.0])
D, B = tf.constant([1.0, 2.0], tf.float64), tf.constant([True, False])
ARITHMETIC = (operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow)


def module(source: str) -> ModuleType:
    """A module of its own, by its text."""
    made = ModuleType("program")
    exec(source, made.__dict__)
    return made


@pytest.mark.parametrize("operate", [*ARITHMETIC, operator.lt, operator.ge, operator.eq, operator.ne])
@pytest.mark.parametrize("pair", [(N, F), (F, N), (F, D), (N, tf.constant([1, 2], tf.int64)), (F, B), (N, 1.5)])
def test_operators_do_not_mix_dtypes(operate: Any, pair: tuple[Any, Any]) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"dtype|tf\.cast"):
        operate(*pair)


@pytest.mark.parametrize("other", [np.array([1.0, 2.0]), np.float64(2), [1, 2], [1.5, 2], 2, 2.5, True])
@pytest.mark.parametrize("operate", [*ARITHMETIC, operator.lt, operator.eq])
def test_what_is_no_tensor_takes_the_tensors_dtype(operate: Any, other: Any) -> None:
    for x, y in ((F, other), (other, F)):
        found = operate(x, y)
        a, b = (np.asarray(v.numpy() if v is F else v, np.float32) for v in (x, y))
        np.testing.assert_allclose(found.numpy(), operate(a, b), rtol=1e-6)
        assert found.dtype is (tf.bool if operate in (operator.lt, operator.eq) else tf.float32)


def test_integers_divide_to_floats_that_hold_them() -> None:
    assert (N / 2).dtype is tf.float64
    assert (N / N).numpy().tolist() == [1.0, 1.0]
    assert (tf.constant([1], tf.int8) / tf.constant([2], tf.int8)).dtype is tf.float32


def test_operators_in_place_make_new_tensors() -> None:
    x = tf.constant([1.0, 2.0])
    y = x
    y += 1
    y **= 2
    assert x.numpy().tolist() == [1.0, 2.0]
    assert y.numpy().tolist() == [4.0, 9.0]
    n = tf.constant([4])
    n /= 8
    assert (n.dtype, n.numpy().tolist()) == (tf.float64, [0.5])


def test_shapes_that_do_not_fit_are_invalid_arguments() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="broadcast"):
        F + tf.constant([1.0, 2.0, 3.0])
    with pytest.raises(tf.errors.InvalidArgumentError):
        tf.ones([2, 3]) @ tf.ones([2, 3])


def test_bool_is_no_number() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="bool"):
        B + np.array([True, False])
    with pytest.raises(tf.errors.InvalidArgumentError, match="tf.cast"):
        B * 2
    assert (B & [True, True]).numpy().tolist() == [True, False]


def test_none_is_equal_to_no_tensor() -> None:
    assert (F == None) is False  # noqa: E711
    assert (F != None) is True  # noqa: E711


def test_constants_are_not_truncated() -> None:
    for value, dtype in ((1.5, tf.int32), ([1, 2.0], tf.int64), (1, tf.bool), (1j, tf.float32)):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"tf\.cast"):
            tf.constant(value, dtype)
    with pytest.raises(ValueError, match="None"):
        tf.constant(None, tf.float32)
    assert tf.constant(2**40).dtype is tf.int64
    assert tf.constant(np.array([1.7]), tf.int32).numpy().tolist() == [1]


def test_texts() -> None:
    assert str(F) == "tf.Tensor([1.5 2. ], shape=(2,), dtype=float32)"
    assert repr(N) == "<tf.Tensor: shape=(2,), dtype=int32, numpy=array([3, 2], dtype=int32)>"
    assert str(tf.ones([2, 1])) == "tf.Tensor(\n[[1.]\n [1.]], shape=(2, 1), dtype=float32)"
    assert f"{F} {tf.constant(1.25):.1f}" == "[1.5 2. ] 1.2"
    assert (str(F.shape), repr(F.shape)) == ("(2,)", "TensorShape([2])")
    assert (str(F.dtype), repr(F.dtype)) == ("<dtype: 'float32'>", "tf.float32")
    assert F.shape == [2]
    assert F.shape != [3]
    assert repr(tf.Variable(1, name="n")) == "<tf.Variable 'n:0' shape=() dtype=int32, numpy=1>"


OPERATE = "def add(x, y): return x + y\ndef write(x):\n    x += 1\n    return x\ndef text(x): return str(x)\n"


@pytest.mark.parametrize(
    "head", ["", "import duograph.torch as torch", "import duograph.torch as torch, duograph.tf as tf",
             "import duograph.tf as tf\nfrom duograph.torch.nn import Linear"]
)  # fmt: skip
def test_modules_with_pytorchs_names_promote(head: str) -> None:
    program = module(f"{head}\n{OPERATE}")
    assert program.add(N, F).dtype is tf.float32
    x = tf.constant([1.0])
    assert program.write(x) is x
    assert program.text(x) == "tensor([2.])"


@pytest.mark.parametrize(
    "head", ["import duograph.tf as tf", "from duograph.tf import constant", "from duograph.tf import keras",
             "from duograph.tf.keras.layers import Dense", "import duograph.keras as keras"]
)  # fmt: skip
def test_modules_with_tensorflows_names_do_not(head: str) -> None:
    program = module(f"{head}\n{OPERATE}")
    with pytest.raises(tf.errors.InvalidArgumentError, match="one dtype"):
        program.add(N, F)
    x = tf.constant([1.0])
    assert program.write(x) is not x
    assert program.text(x) == "tf.Tensor([1.], shape=(1,), dtype=float32)"


def test_a_graph_of_tensorflow_1_does_not_mix_dtypes() -> None:
    v1 = tf.compat.v1
    with tf.Graph().as_default():
        x = v1.placeholder(tf.float32, [2])
        whole = v1.placeholder(tf.int32, [2])
        with pytest.raises(tf.errors.InvalidArgumentError, match="one dtype"):
            _ = (x + whole).dtype
        with v1.Session() as session:
            feeds = {x: [1.0, 3.0], whole: [3, 2]}
            half, mean, shifted = session.run([x / 2, whole / 2, np.array([1.5, 2]) + x], feeds)
    assert half.dtype == np.float32
    assert (mean.dtype, mean.tolist()) == (np.float64, [1.5, 1.0])
    assert shifted.tolist() == [2.5, 5.0]
