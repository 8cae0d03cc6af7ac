"""Functions whose form in TensorFlow 1 was another one."""

from __future__ import annotations

from typing import Any

import duograph.torch as torch

from ... import dtypes, math, random
from ... import tensors as _tensors
from ...graph import GraphVariable, Operation, control_dependencies
from ...graph.dispatch import deferring

__all__ = [
    "argmax", "argmin", "assign", "assign_add", "assign_sub", "constant_initializer", "div", "expand_dims",
    "glorot_normal_initializer", "glorot_uniform_initializer", "group", "identity", "initializers", "log", "matmul",
    "multinomial", "no_op", "ones_initializer", "random_normal", "random_normal_initializer", "random_uniform",
    "random_uniform_initializer", "reduce_max", "reduce_mean", "reduce_min", "reduce_prod", "reduce_sum", "to_double",
    "to_float", "to_int32", "to_int64", "truncated_normal", "truncated_normal_initializer", "tuple",
    "variance_scaling_initializer", "zeros_initializer",
]  # fmt: skip


_TUPLE = tuple  # its name is one of TensorFlow's functions below


def _reduction(name: str) -> Any:
    function = getattr(math, name)

    def reduce(
        input_tensor: Any, axis: Any = None, keepdims: Any = None, name: str | None = None,
        reduction_indices: Any = None, keep_dims: Any = None,
    ) -> Any:  # fmt: skip
        axis = reduction_indices if axis is None else axis
        return function(input_tensor, axis=axis, keepdims=bool(keepdims or keep_dims))

    reduce.__name__, reduce.__doc__ = name, function.__doc__
    return deferring(reduce)


reduce_max, reduce_mean, reduce_min = map(_reduction, ("reduce_max", "reduce_mean", "reduce_min"))
reduce_prod, reduce_sum = map(_reduction, ("reduce_prod", "reduce_sum"))


def _arg(name: str) -> Any:
    function = getattr(math, name)

    def place(
        input: Any, axis: Any = None, name: str | None = None, dimension: Any = None, output_type: Any = None
    ) -> Any:
        axis = dimension if axis is None else axis
        found = function(input, axis=0 if axis is None else axis)
        return found if output_type is None else found.to(dtypes.as_dtype(output_type))

    place.__name__, place.__doc__ = name, function.__doc__
    return deferring(place)


argmax, argmin = _arg("argmax"), _arg("argmin")
log = deferring(math.log)
identity = deferring(_tensors.identity)
random_normal = deferring(random.normal)
random_uniform = deferring(random.uniform)
truncated_normal = deferring(random.truncated_normal)


@deferring
def matmul(
    a: Any, b: Any, transpose_a: bool = False, transpose_b: bool = False, name: str | None = None, **_: Any
) -> Any:
    """The product of matrices."""
    from ...linalg import matmul as product

    return product(a, b, transpose_a=transpose_a, transpose_b=transpose_b)


@deferring
def expand_dims(input: Any, axis: Any = None, name: str | None = None, dim: Any = None) -> Any:
    """A new axis of size 1."""
    return _tensors.convert_to_tensor(input).unsqueeze(int(dim if axis is None else axis))


@deferring
def div(x: Any, y: Any, name: str | None = None) -> Any:
    """The quotient; of integers its floor."""
    x = _tensors.convert_to_tensor(x)
    return x / y if x.dtype.is_floating_point else x // y


@deferring
def multinomial(logits: Any, num_samples: int, seed: Any = None, name: str | None = None) -> Any:
    """`num_samples` classes drawn for each row of logits."""
    return random.categorical(logits, num_samples, seed=seed)


def _to(dtype: Any) -> Any:
    def convert(x: Any, name: str | None = None) -> Any:
        return _tensors.cast(x, dtype)

    convert.__name__ = f"to_{dtype.name}"
    return deferring(convert)


to_float, to_double = _to(dtypes.float32), _to(dtypes.float64)
to_int32, to_int64 = _to(dtypes.int32), _to(dtypes.int64)


# -- operations that are run for what they do --------------------------------------------------------------------------
def assign(
    ref: GraphVariable, value: Any, validate_shape: Any = None, use_locking: Any = None, name: Any = None
) -> Any:
    """An operation that replaces the content of a variable."""
    return ref.assign(value, name=name)


def assign_add(ref: GraphVariable, value: Any, use_locking: Any = None, name: Any = None) -> Any:
    """An operation that adds to a variable."""
    return ref.assign_add(value, name=name)


def assign_sub(ref: GraphVariable, value: Any, use_locking: Any = None, name: Any = None) -> Any:
    """An operation that subtracts from a variable."""
    return ref.assign_sub(value, name=name)


def group(*inputs: Any, name: str | None = None) -> Operation:
    """An operation that runs others."""
    flat = [i for part in inputs for i in (part if isinstance(part, list | _TUPLE) else [part])]
    return Operation(flat, name or "group_deps")


def no_op(name: str | None = None) -> Operation:
    """An operation that does nothing, after what it depends on."""
    return group(name=name or "NoOp")


def tuple(tensors: Any, name: str | None = None, control_inputs: Any = None) -> list[Any]:
    """The tensors, each given once all are there."""
    with control_dependencies([*tensors, *(control_inputs or [])]):
        return [identity(t) for t in tensors]


# -- initialisers ------------------------------------------------------------------------------------------------------
def glorot_uniform(shape: Any, dtype: Any = dtypes.float32) -> Any:
    """Uniform numbers whose spread fits the sizes of the layer."""
    fan_in, fan_out = _fans(shape)
    limit = (6.0 / (fan_in + fan_out)) ** 0.5
    return random.uniform(shape, -limit, limit, dtype=dtype)


def _fans(shape: Any) -> Any:
    sizes = [int(n) for n in shape]
    if len(sizes) < 2:
        return (sizes or [1])[0], (sizes or [1])[0]
    field = 1
    for n in sizes[:-2]:
        field *= n
    return field * sizes[-2], field * sizes[-1]


class _Initializer:
    """Makes initial values of a shape."""

    def __init__(self, make: Any, dtype: Any) -> None:
        self._make, self._dtype = make, dtype

    def __call__(self, shape: Any, dtype: Any = None, **_: Any) -> Any:
        return self._make([int(n) for n in shape], dtypes.as_dtype(dtype or self._dtype))


def zeros_initializer(dtype: Any = dtypes.float32) -> Any:
    return _Initializer(lambda shape, d: torch.zeros(shape, dtype=d), dtype)


def ones_initializer(dtype: Any = dtypes.float32) -> Any:
    return _Initializer(lambda shape, d: torch.ones(shape, dtype=d), dtype)


def constant_initializer(value: Any = 0, dtype: Any = dtypes.float32, verify_shape: bool = False) -> Any:
    return _Initializer(lambda shape, d: _tensors.constant(value, d, shape), dtype)


def random_normal_initializer(mean: Any = 0.0, stddev: Any = 1.0, seed: Any = None, dtype: Any = dtypes.float32) -> Any:
    return _Initializer(lambda shape, d: random.normal(shape, mean, stddev, dtype=d, seed=seed), dtype)


def truncated_normal_initializer(
    mean: Any = 0.0, stddev: Any = 1.0, seed: Any = None, dtype: Any = dtypes.float32
) -> Any:
    return _Initializer(lambda shape, d: random.truncated_normal(shape, mean, stddev, dtype=d, seed=seed), dtype)


def random_uniform_initializer(minval: Any = 0, maxval: Any = 1, seed: Any = None, dtype: Any = dtypes.float32) -> Any:
    return _Initializer(lambda shape, d: random.uniform(shape, minval, maxval, dtype=d, seed=seed), dtype)


def variance_scaling_initializer(
    scale: float = 1.0, mode: str = "fan_in", distribution: str = "truncated_normal", seed: Any = None,
    dtype: Any = dtypes.float32,
) -> Any:  # fmt: skip
    def make(shape: Any, d: Any) -> Any:
        fans = dict(zip(("fan_in", "fan_out"), _fans(shape), strict=True))
        spread = scale / max(1.0, sum(fans.values()) / 2 if mode == "fan_avg" else fans[mode])
        if distribution == "uniform":
            limit = (3 * spread) ** 0.5
            return random.uniform(shape, -limit, limit, dtype=d, seed=seed)
        if distribution == "untruncated_normal":
            return random.normal(shape, 0.0, spread**0.5, dtype=d, seed=seed)
        return random.truncated_normal(shape, 0.0, spread**0.5 / 0.87962566103423978, dtype=d, seed=seed)

    return _Initializer(make, dtype)


def glorot_uniform_initializer(seed: Any = None, dtype: Any = dtypes.float32) -> Any:
    return variance_scaling_initializer(1.0, "fan_avg", "uniform", seed, dtype)


def glorot_normal_initializer(seed: Any = None, dtype: Any = dtypes.float32) -> Any:
    return variance_scaling_initializer(1.0, "fan_avg", "truncated_normal", seed, dtype)


class initializers:
    """Initialisers under their names in `tf.initializers`."""

    zeros, ones, constant = zeros_initializer, ones_initializer, constant_initializer
    random_normal, random_uniform = random_normal_initializer, random_uniform_initializer
    truncated_normal, variance_scaling = truncated_normal_initializer, variance_scaling_initializer
    glorot_uniform, glorot_normal = glorot_uniform_initializer, glorot_normal_initializer
