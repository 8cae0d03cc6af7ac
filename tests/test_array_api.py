"""The core namespace beside the Python Array API standard, version 2024.12.

`STANDARD` is the standard's table of functions with their signatures; each is called and compared with NumPy's function
of that name, whose main namespace follows the same standard.
"""

from __future__ import annotations

import inspect
import operator
from typing import Any

import numpy as np
import pytest

import duograph as xp
from duograph.graph.errors import DTypeError


def each(names: str, value: Any) -> dict[str, Any]:
    return dict.fromkeys(names.split(), value)


STANDARD = {
    **each(
        "abs acos acosh asin asinh atan atanh bitwise_invert ceil conj cos cosh exp expm1 floor imag isfinite isinf "
        "isnan log log1p log2 log10 logical_not negative positive real reciprocal round sign signbit sin sinh square "
        "sqrt tan tanh trunc matrix_transpose nonzero unique_all unique_counts unique_inverse unique_values",
        "x, /",
    ),
    **each(
        "add atan2 bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor copysign divide equal "
        "floor_divide greater greater_equal hypot less less_equal logaddexp logical_and logical_or logical_xor maximum "
        "minimum multiply nextafter not_equal pow remainder subtract matmul",
        "x1, x2, /",
    ),
    **each("all any count_nonzero max mean min", "x, /, *, axis=None, keepdims=False"),
    **each("prod sum", "x, /, *, axis=None, dtype=None, keepdims=False"),
    **each("std var", "x, /, *, axis=None, correction=0.0, keepdims=False"),
    **each("argmax argmin", "x, /, *, axis=None, keepdims=False"),
    **each("argsort sort", "x, /, *, axis=-1, descending=False, stable=True"),
    **each("cumulative_prod cumulative_sum", "x, /, *, axis=None, dtype=None, include_initial=False"),
    **each("empty ones zeros", "shape, *, dtype=None, device=None"),
    **each("empty_like ones_like zeros_like", "x, /, *, dtype=None, device=None"),
    **each("tril triu", "x, /, *, k=0"),
    **each("finfo iinfo", "type, /"),
    "arange": "start, /, stop=None, step=1, *, dtype=None, device=None",
    "asarray": "obj, /, *, dtype=None, device=None, copy=None",
    "astype": "x, dtype, /, *, copy=True, device=None",
    "broadcast_arrays": "*arrays",
    "broadcast_to": "x, /, shape",
    "can_cast": "from_, to, /",
    "clip": "x, /, min=None, max=None",
    "concat": "arrays, /, *, axis=0",
    "diff": "x, /, *, axis=-1, n=1, prepend=None, append=None",
    "expand_dims": "x, /, axis",
    "eye": "n_rows, n_cols=None, /, *, k=0, dtype=None, device=None",
    "flip": "x, /, *, axis=None",
    "from_dlpack": "x, /, *, device=None, copy=None",
    "full": "shape, fill_value, *, dtype=None, device=None",
    "full_like": "x, /, fill_value, *, dtype=None, device=None",
    "isdtype": "dtype, kind",
    "linspace": "start, stop, /, num, *, dtype=None, device=None, endpoint=True",
    "meshgrid": "*arrays, indexing='xy'",
    "moveaxis": "x, source, destination, /",
    "permute_dims": "x, /, axes",
    "repeat": "x, repeats, /, *, axis=None",
    "reshape": "x, /, shape, *, copy=None",
    "result_type": "*arrays_and_dtypes",
    "roll": "x, /, shift, *, axis=None",
    "searchsorted": "x1, x2, /, *, side='left', sorter=None",
    "squeeze": "x, /, axis",
    "stack": "arrays, /, *, axis=0",
    "take": "x, indices, /, *, axis=None",
    "take_along_axis": "x, indices, /, *, axis=-1",
    "tensordot": "x1, x2, /, *, axes=2",
    "tile": "x, repetitions, /",
    "unstack": "x, /, *, axis=0",
    "vecdot": "x1, x2, /, *, axis=-1",
    "where": "condition, x1, x2, /",
    "__array_namespace_info__": "",
}


def required(text: str) -> inspect.Signature:
    return inspect.signature(eval(f"lambda {text}: None"))


@pytest.mark.parametrize("name", STANDARD)
def test_signature(name: str) -> None:
    """Arguments given by position come at their place, those given by name have it and the standard's default."""
    ours = list(inspect.signature(getattr(xp, name)).parameters.values())
    by_name = {p.name: p for p in ours}
    for place, wanted in enumerate(required(STANDARD[name]).parameters.values()):
        if wanted.kind is wanted.POSITIONAL_ONLY:
            assert ours[place].kind in (wanted.POSITIONAL_ONLY, wanted.POSITIONAL_OR_KEYWORD)
        elif wanted.kind is wanted.VAR_POSITIONAL:
            assert ours[place].kind is wanted.kind
        else:
            assert by_name[wanted.name].kind is wanted.kind
    assert dir(xp).count(name) == 1


def test_constants_and_dtypes() -> None:
    assert (xp.e, xp.pi, xp.inf, xp.newaxis) == (np.e, np.pi, np.inf, None)
    assert xp.nan != xp.nan
    assert xp.__array_api_version__ == "2024.12"
    for name in each(
        "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 complex64 complex128", None
    ):
        dtype = getattr(xp, name)
        assert dtype == dtype and dtype != xp.bfloat16 and xp.zeros(2, dtype=dtype).dtype is dtype
    assert list(xp.__array_namespace_info__().dtypes()) == [
        "bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float32", "float64",
        "complex64", "complex128",
    ]  # fmt: skip


# -- values ------------------------------------------------------------------------------------------------------------
F = np.array([[-2.5, -1.0, -0.0, 0.5], [1.0, 2.0, 3.5, 100.0]])
POSITIVE = np.array([0.0, 0.25, 1.0, 7.5, np.inf])
UNIT = np.array([-1.0, -0.5, 0.0, 0.25, 1.0])
SPECIAL = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.0])
WHOLE = np.array([[3, -1, 0, 2], [7, 7, -5, 1]])
J = np.array([2, 3, 1, 4])
U = np.array([0, 1, 200, 255], np.uint8)
B = np.array([[True, False, True, True], [False, False, True, False]])

Call = tuple[tuple[Any, ...], dict[str, Any]]


def call(*arguments: Any, **keywords: Any) -> Call:
    return arguments, keywords


CASES: dict[str, list[Call]] = {
    **each(
        "asinh atan conj cos exp expm1 isfinite isinf isnan negative positive real sign signbit sin sinh square tan "
        "tanh",
        [call(F), call(SPECIAL), call(F.astype(np.float32))],
    ),
    **each("ceil floor round trunc", [call(F), call(SPECIAL), call(WHOLE), call(U)]),
    **each("log log1p log2 log10 sqrt reciprocal", [call(POSITIVE), call(POSITIVE.astype(np.float32))]),
    **each("acos asin atanh", [call(UNIT)]),
    "acosh": [call(POSITIVE + 1)],
    "cosh": [call(F / 10)],
    "abs": [call(F), call(WHOLE), call(U), call(SPECIAL)],
    "bitwise_invert": [call(WHOLE), call(U), call(B)],
    "logical_not": [call(B)],
    **each(
        "add subtract multiply maximum minimum equal not_equal less less_equal greater greater_equal",
        [call(F, F[::-1]), call(WHOLE, J), call(SPECIAL, SPECIAL[::-1]), call(U, J), call(F, np.float64(2))],
    ),
    **each("divide atan2 hypot copysign nextafter logaddexp", [call(F, F[::-1] + 0.25), call(F, np.array(2.0))]),
    **each("floor_divide remainder", [call(F, np.array([0.5, -2.0, 3.0, 7.0])), call(WHOLE, J), call(-WHOLE, -J)]),
    "pow": [call(np.abs(F), F[::-1] / 10), call(WHOLE, np.abs(J))],
    **each("bitwise_and bitwise_or bitwise_xor", [call(WHOLE, J), call(U, U[::-1]), call(B, B[::-1])]),
    **each("bitwise_left_shift bitwise_right_shift", [call(np.abs(WHOLE), J)]),
    **each("logical_and logical_or logical_xor", [call(B, B[::-1])]),
    "clip": [call(F, -1.0, 2.0), call(WHOLE, 0, 5), call(F, None, F[::-1])],
    "where": [call(B, F, F[::-1]), call(B, WHOLE, F), call(B, F.astype(np.float32), np.array(2.0))],
    **each("max min sum prod", [call(F), call(F, axis=0), call(F, axis=(0, 1), keepdims=True), call(WHOLE, axis=-1)]),
    **each("mean std var", [call(F), call(F, axis=0, keepdims=True), call(F, axis=())]),
    **each("all any", [call(B), call(F, axis=1), call(np.zeros((0, 3)), axis=0), call(F, axis=())]),
    "count_nonzero": [call(WHOLE), call(WHOLE, axis=1, keepdims=True)],
    "argmax": [call(F), call(F, axis=1), call(WHOLE, axis=1, keepdims=True)],
    "argmin": [call(F), call(F, axis=0)],
    "sort": [call(F), call(WHOLE, axis=0)],
    "argsort": [call(F), call(WHOLE, axis=0, stable=True)],
    **each(
        "cumulative_sum cumulative_prod",
        [call(F, axis=1), call(WHOLE, axis=0), call(J), call(F, axis=0, include_initial=True)],
    ),
    "diff": [call(F), call(F, n=2), call(F, axis=0, prepend=F[:1], append=F)],
    "nonzero": [call(WHOLE), call(B)],
    "searchsorted": [
        call(np.sort(J), WHOLE),
        call(np.sort(J), WHOLE, side="right"),
        call(J, WHOLE, sorter=np.argsort(J)),
    ],
    **each("unique_all unique_counts unique_inverse", [call(WHOLE), call(np.array(3.0))]),
    "take": [call(F, J % 2, axis=0), call(J, J - 1)],
    "take_along_axis": [call(F, WHOLE % 4), call(F, WHOLE % 2, axis=0)],
    "concat": [call([F, F]), call([F, WHOLE], axis=1), call([F, J], axis=None)],
    "stack": [call([F, F]), call([F, F], axis=-1)],
    "unstack": [call(F), call(F, axis=1)],
    "expand_dims": [call(F, axis=0), call(F, -1)],
    "squeeze": [call(F[:1, None], 0), call(F[:1, None], (0, 1))],
    "permute_dims": [call(F, (1, 0))],
    "moveaxis": [call(F[None], 0, -1), call(F[None], (0, 1), (1, 2))],
    "matrix_transpose": [call(F[None])],
    "flip": [call(F), call(F, axis=1)],
    "roll": [call(F, 3), call(F, 1, axis=(0, 1)), call(F, (1, -1), axis=(0, 1))],
    "reshape": [call(F, (4, 2)), call(F, (-1,), copy=True)],
    "broadcast_to": [call(J, (2, 4))],
    "broadcast_arrays": [call(F, J)],
    "repeat": [call(F, 2), call(F, J, axis=1), call(F, 0, axis=-1)],
    "tile": [call(F, (2, 1, 2)), call(F, (3,))],
    "tril": [call(F), call(F, k=1)],
    "triu": [call(F), call(F, k=-1)],
    "meshgrid": [call(J, U), call(J, U, indexing="ij"), call(J)],
    "matmul": [call(F, F.T), call(F, F[0]), call(np.stack([F, F]), F.T)],
    "tensordot": [call(F, F), call(F, F, axes=((0, 1), (0, 1))), call(F, J, axes=1)],
    "vecdot": [call(F, F[::-1]), call(F, F, axis=-2), call(WHOLE, J)],
    "zeros_like": [call(F), call(WHOLE)],
    "ones_like": [call(F), call(B)],
    "full_like": [call(F, 7)],
    "eye": [call(3, dtype="float64"), call(2, 4, k=1, dtype="int64")],
    "linspace": [call(0, 1, 5, dtype="float64"), call(2.0, -1.0, 4, endpoint=False, dtype="float64")],
    "arange": [call(5), call(5, 1, -2), call(1, 0), call(0.0, 2.0, 0.5, dtype="float64")],
    "zeros": [call((2, 3), dtype="float64"), call(4, dtype="bool")],
    "ones": [call((2, 0), dtype="int16")],
    "full": [call((2,), 3), call((), True), call(2, 1.5, dtype="float64")],
    "asarray": [call(F), call([[1, 2], [3, 4]]), call(True)],
}


def convert(x: Any) -> Any:
    if isinstance(x, np.ndarray | np.float64):
        return xp.asarray(np.array(x))
    return [convert(v) for v in x] if isinstance(x, list) else x


def compare(ours: Any, theirs: Any) -> None:
    if isinstance(theirs, tuple | list):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            compare(a, b)
        return
    theirs = np.asarray(theirs)
    assert isinstance(ours, xp.Tensor)
    assert (ours.dtype.numpy, tuple(ours.shape)) == (theirs.dtype, theirs.shape)
    tight = 4e-7 if theirs.dtype == np.float32 else 1e-15
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=tight, atol=tight, strict=True)


@pytest.mark.parametrize(("name", "case"), [(name, k) for name, cases in CASES.items() for k in range(len(cases))])
def test_value(name: str, case: int) -> None:
    arguments, keywords = CASES[name][case]
    theirs = {k: v for k, v in keywords.items() if not (name == "argsort" and k == "stable")}
    with np.errstate(all="ignore"):
        expected = getattr(np, name)(*arguments, **theirs)
    dtype = {"dtype": getattr(xp, keywords["dtype"])} if "dtype" in keywords else {}
    found = getattr(xp, name)(*map(convert, arguments), **{k: convert(v) for k, v in keywords.items()} | dtype)
    compare(found, expected)


def test_every_function_has_a_value_tested() -> None:
    elsewhere = {
        "astype", "can_cast", "empty", "empty_like", "finfo", "from_dlpack", "iinfo", "imag", "isdtype", "result_type",
        "unique_values", "__array_namespace_info__",
    }  # fmt: skip
    assert STANDARD.keys() - CASES.keys() == elsewhere


def test_distinct_values_and_descending_orders() -> None:
    assert sorted(xp.unique_values(xp.asarray(WHOLE)).tolist()) == [-5, -1, 0, 1, 2, 3, 7]
    x = xp.asarray([2.0, 3.0, 1.0, 3.0])
    assert xp.sort(x, descending=True).tolist() == [3, 3, 2, 1]
    assert xp.argsort(x, descending=True).tolist() == [1, 3, 0, 2]


# -- dtypes ------------------------------------------------------------------------------------------------------------
KINDS = {
    "bool": "bool",
    "signed integer": "int8 int16 int32 int64",
    "unsigned integer": "uint8 uint16 uint32 uint64",
    "real floating": "float32 float64",
}


def test_promotion_of_functions_is_the_standards() -> None:
    names = " ".join(list(KINDS.values())[1:3]).split()
    for a in names:
        for b in names:
            if "uint64" in (a, b) and "int" in (a.strip("0123456789"), b.strip("0123456789")):
                continue
            expected = np.result_type(a, b)
            for shape in ((), (2,)):  # tensors without axes count like others
                x, y = xp.ones(shape, dtype=getattr(xp, a)), xp.ones(2, dtype=getattr(xp, b))
                assert xp.add(x, y).dtype.numpy == xp.result_type(x, y).numpy == expected
    assert xp.multiply(xp.ones((), dtype=xp.float64), xp.ones(2)).dtype is xp.float64
    assert xp.add(xp.ones(2, dtype=xp.int8), 1).dtype is xp.int8
    assert xp.result_type(xp.int8, 1, xp.uint8) is xp.int16
    assert xp.can_cast(xp.int8, xp.int16) and not xp.can_cast(xp.float32, xp.int64)


def test_promotion_of_operators_is_pytorchs() -> None:
    zero_d, vector = xp.ones((), dtype=xp.float64), xp.ones(2)
    assert (zero_d * vector).dtype is (vector / zero_d).dtype is xp.float32
    assert (zero_d * xp.ones(2, dtype=xp.int32)).dtype is xp.float64


def test_questions_about_dtypes() -> None:
    for kind, names in KINDS.items():
        for name in names.split():
            dtype = getattr(xp, name)
            assert xp.isdtype(dtype, kind) and xp.isdtype(dtype, (kind, xp.bool)) and xp.isdtype(dtype, dtype)
            assert xp.isdtype(dtype, "numeric") == (name != "bool")
            assert xp.isdtype(dtype, "integral") == ("int" in name)
    assert not xp.isdtype(xp.float32, "complex floating")
    with pytest.raises(ValueError, match=r"kind: expected one of .* Received: 'integer'"):
        xp.isdtype(xp.int8, "integer")
    info, single = xp.iinfo(xp.int16), xp.finfo(xp.ones(1))
    assert (info.bits, info.min, info.max, info.dtype) == (16, -32768, 32767, xp.int16)
    theirs = np.finfo(np.float32)
    assert (single.bits, single.eps, single.max, single.smallest_normal) == (32, theirs.eps, theirs.max, theirs.tiny)
    assert single.dtype is xp.float32


def test_astype_copies_unless_told_not_to() -> None:
    x = xp.ones(2)
    assert xp.astype(x, xp.float32, copy=False) is x
    copied = xp.astype(x, xp.float32)
    copied += 1
    assert x.tolist() == [1, 1] and xp.astype(x, xp.int8, device="cpu").dtype is xp.int8


def test_real_numbers_have_no_imaginary_part() -> None:
    with pytest.raises(DTypeError, match="imag: expected a complex dtype"):
        xp.imag(xp.ones(2))


# -- the tensor --------------------------------------------------------------------------------------------------------
def test_a_tensor_names_its_namespace() -> None:
    x = xp.ones(2)
    assert x.__array_namespace__() is x.__array_namespace__(api_version="2023.12") is xp
    with pytest.raises(ValueError, match=r"api_version: expected one of .*2024.12. Received: '2020.01'"):
        x.__array_namespace__(api_version="2020.01")
    assert x.to_device("cpu", stream=None).device == x.device == xp.__array_namespace_info__().default_device()


def test_transposes() -> None:
    x = xp.reshape(xp.arange(6), (1, 2, 3))
    assert tuple(x.mT.shape) == (1, 3, 2) and tuple(x[0].T.shape) == (3, 2)
    with pytest.raises(ValueError, match="mT: expected at least 2 dimensions"):
        _ = xp.ones(3).mT


OPERATORS = {
    "float64": "add sub mul truediv floordiv mod pow",
    "int64": "add sub mul floordiv mod and or xor lshift rshift",
    "bool": "and or xor",
}


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_with_their_reflections_and_in_place_forms(name: str) -> None:
    x, y = (np.array(v).astype(name) for v in ([[5, 1, 3], [2, 7, 1]], [[2, 1, 1], [4, 3, 2]]))
    for word in OPERATORS[name].split():
        function = getattr(operator, word + "_" if word in ("and", "or") else word)
        in_place = getattr(operator, "i" + word)
        compare(function(xp.asarray(x), xp.asarray(y)), function(x, y))
        number = True if name == "bool" else x.dtype.type(2).item()
        compare(function(xp.asarray(x), number), function(x, number))
        compare(function(number, xp.asarray(x)), function(number, x))
        ours, theirs = xp.asarray(x, copy=True), x.copy()
        kept = ours
        ours, theirs = in_place(ours, xp.asarray(y)), in_place(theirs, y)
        assert kept is ours
        compare(kept, theirs)
    for word in ("eq", "ne", "lt", "le", "gt", "ge"):
        compare(getattr(operator, word)(xp.asarray(x), xp.asarray(y)), getattr(operator, word)(x, y))
    assert xp.ones(1).__add__("text") is NotImplemented and (xp.ones(1) == "text") is False


def test_conversions_to_python() -> None:
    assert (bool(xp.asarray(0)), int(xp.asarray(7.9)), float(xp.asarray(2)), complex(xp.asarray(1.5))) == (
        False, 7, 2.0, 1.5 + 0j,
    )  # fmt: skip
    assert [10, 20, 30][xp.asarray(1)] == 20
    with pytest.raises(TypeError):
        operator.index(xp.asarray(1.0))
    assert (-xp.asarray([1]), +xp.asarray([1]), abs(xp.asarray([-1])), ~xp.asarray([True]))[3].tolist() == [False]


def test_dlpack_both_ways() -> None:
    x = xp.asarray(np.arange(6.0).reshape(2, 3), copy=True)
    assert x.__dlpack_device__() == (1, 0)
    seen = np.from_dlpack(x)
    seen[0, 0] = 9
    assert x[0, 0].item() == 9
    for keywords in ({}, {"max_version": (1, 0)}, {"dl_device": (1, 0), "copy": None, "stream": None}):
        assert "dltensor" in repr(x.__dlpack__(**keywords))
    assert not np.shares_memory(np.from_dlpack(x, copy=True), x.numpy())
    with pytest.raises(BufferError):
        x.__dlpack__(dl_device=(2, 0))
    back = xp.from_dlpack(np.arange(3), device="cpu")
    assert back.tolist() == [0, 1, 2]
    array = np.arange(3)
    copied = xp.from_dlpack(array, copy=True)
    shared = xp.from_dlpack(array)
    array[0] = 5
    assert (copied[0].item(), shared[0].item()) == (0, 5)


def test_asarray_copies_only_where_it_must() -> None:
    array = np.arange(3.0)
    shared, copied = xp.asarray(array, copy=False), xp.asarray(array, copy=True)
    array[0] = 5
    assert (shared[0].item(), copied[0].item()) == (5, 0)
    for source, keywords in (([1, 2], {}), (array, {"dtype": xp.float32}), (xp.ones(2), {"dtype": xp.int8})):
        with pytest.raises(ValueError, match="this needs a copy"):
            xp.asarray(source, copy=False, **keywords)
    array.flags.writeable = False
    private = xp.asarray(array)
    private += 1
    assert array.tolist() == [5, 1, 2] and private.tolist() == [6, 2, 3]
    assert xp.asarray(memoryview(array)).dtype is xp.float64
    assert xp.reshape(xp.ones((2, 3)), (6,), copy=False).shape == (6,)


def test_what_the_standard_forbids_raises() -> None:
    with pytest.raises(ValueError, match="expected size 1 for axis 1"):
        xp.squeeze(xp.ones((1, 2)), axis=1)
    with pytest.raises(IndexError, match="squeeze: expected an axis"):
        xp.squeeze(xp.ones((1, 2)), axis=2)
    with pytest.raises(ValueError, match="nonzero"):
        xp.nonzero(xp.ones(()))
    with pytest.raises(ValueError, match="expected an axis for 2 dimensions"):
        xp.cumulative_sum(xp.ones((2, 2)))
    with pytest.raises(AttributeError, match="has no attribute 'nothing_of_this_name'"):
        _ = xp.nothing_of_this_name
