"""Tensors: indexing, views and in-place writes against NumPy; promotion; interchange; printing."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import duograph.torch as torch
from duograph.graph import dtype as dtypes
from duograph.graph.errors import ArgumentError, AxisError, DTypeError, IndexOutOfRange, ShapeError
from duograph.tensor.core import result_type

shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), shape=shapes)
def test_basic_indexing_is_numpys(data: st.DataObject, shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)
    key = data.draw(hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True))
    np.testing.assert_array_equal(torch.tensor(array)[key].numpy(), array[key])


@settings(max_examples=150, deadline=None)
@given(data=st.data(), shape=hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4))
def test_writing_through_a_basic_index_is_numpys(data: st.DataObject, shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)
    key = data.draw(hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True))
    tensor = torch.tensor(array)
    new = np.float32(-1) - np.arange(array[key].size, dtype=np.float32).reshape(array[key].shape)
    tensor[key] = torch.tensor(new)
    array[key] = new
    np.testing.assert_array_equal(tensor.numpy(), array)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), shape=hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4))
def test_index_arrays_are_numpys(data: st.DataObject, shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)
    count = data.draw(st.integers(1, len(shape)))
    broadcast = data.draw(hnp.array_shapes(min_dims=1, max_dims=2, max_side=3))
    key: list[object] = [
        data.draw(hnp.arrays(np.int64, broadcast, elements=st.integers(-n, n - 1))) for n in shape[:count]
    ]
    for place in range(len(key)):
        if data.draw(st.booleans()):
            key[place] = data.draw(st.sampled_from([slice(None), slice(1, None), slice(None, None, 2)]))
    reference = array[tuple(key)]
    ours = tuple(torch.tensor(k) if isinstance(k, np.ndarray) else k for k in key)
    np.testing.assert_array_equal(torch.tensor(array)[ours].numpy(), reference)
    tensor = torch.tensor(array)
    tensor[ours] = 7.0
    array[tuple(key)] = 7.0
    np.testing.assert_array_equal(tensor.numpy(), array)


def test_masks_read_and_write() -> None:
    array = np.arange(12.0, dtype=np.float32).reshape(3, 4)
    tensor = torch.tensor(array)
    np.testing.assert_array_equal(tensor[tensor > 5].numpy(), array[array > 5])
    rows = np.array([True, False, True])
    np.testing.assert_array_equal(tensor[torch.tensor(rows), 1:].numpy(), array[rows, 1:])
    tensor[tensor > 5] = 0
    array[array > 5] = 0
    np.testing.assert_array_equal(tensor.numpy(), array)
    tensor[torch.tensor(rows)] = torch.tensor([[1.0, 2, 3, 4], [5, 6, 7, 8]])
    array[rows] = [[1, 2, 3, 4], [5, 6, 7, 8]]
    np.testing.assert_array_equal(tensor.numpy(), array)


def test_index_errors_name_index_axis_and_line() -> None:
    x = torch.zeros(3, 4)
    with pytest.raises(IndexOutOfRange, match=r"index 5 .* axis 1 of size 4[\s\S]*test_tensor.py"):
        x[0, 5]
    with pytest.raises(AxisError, match="too many indices"):
        x[0, 0, 0]
    with pytest.raises(DTypeError, match="integers or bools"):
        x[torch.tensor([0.5])]
    with pytest.raises(IndexOutOfRange):
        x[torch.tensor([3])].numpy()


def test_writes_reach_base_and_siblings() -> None:
    x = torch.zeros(4, 4)
    row, column, flat, turned = x[1], x[:, 2], x.view(16), x.t()
    row += 1
    assert column.tolist() == [0, 1, 0, 0]
    assert flat[4:8].tolist() == [1, 1, 1, 1]
    turned[0, 3] = 9
    assert x[3, 0].item() == 9 and flat[12].item() == 9
    x.fill_(2)
    assert row.tolist() == [2, 2, 2, 2] and turned.sum().item() == 32
    detached = x.detach()
    detached.mul_(2)
    assert x.sum().item() == 64


def test_view_needs_one_run_of_memory_and_reshape_copies() -> None:
    x = torch.arange(6).view(2, 3).t()
    with pytest.raises(ShapeError, match="not one run"):
        x.view(6)
    assert x.reshape(6).tolist() == [0, 3, 1, 4, 2, 5]
    assert x.stride() == (1, 3) and not x.is_contiguous() and x.contiguous().stride() == (2, 1)
    with pytest.raises(ShapeError, match="6 elements"):
        x.reshape(4)


def test_expanded_tensors_cannot_be_written() -> None:
    with pytest.raises(ArgumentError, match=r"\.clone\(\)"):
        torch.zeros(1, 3).expand(2, 3).add_(1)


@pytest.mark.parametrize(
    ("operands", "expected"),
    [
        ((torch.ones(2, dtype=torch.int32), 1), torch.int32),
        ((torch.ones(2, dtype=torch.int32), 1.5), torch.float32),
        ((torch.ones(2, dtype=torch.bool), 1), torch.int64),
        ((torch.ones(2, dtype=torch.uint8), torch.ones(2, dtype=torch.int8)), torch.int16),
        ((torch.ones(2, dtype=torch.float16), torch.ones(2, dtype=torch.bfloat16)), torch.float32),
        ((torch.ones(2, dtype=torch.float32), torch.tensor(1.0, dtype=torch.float64)), torch.float32),
        ((torch.ones(2, dtype=torch.int64), torch.tensor(1.0, dtype=torch.float16)), torch.float16),
        ((torch.ones(2, dtype=torch.float32), torch.ones(2, dtype=torch.float64)), torch.float64),
    ],
)
def test_promotion(operands: tuple[object, object], expected: dtypes.DType) -> None:
    assert result_type(*operands) is expected
    a, b = operands
    assert (a + b).dtype is expected  # type: ignore[operator]


def test_division_of_integers_is_float_and_floor_division_floors() -> None:
    x = torch.tensor([-7, 7])
    assert (x / 2).tolist() == [-3.5, 3.5]
    assert (x // 2).tolist() == [-4, 3]
    assert (x % 3).tolist() == [2, 1]
    assert torch.div(x, 2, rounding_mode="trunc").tolist() == [-3, 3]


def test_numpy_shares_memory_both_ways() -> None:
    x = torch.zeros(3)
    array = x.numpy()
    array[0] = 5
    assert x.tolist() == [5, 0, 0]
    x.add_(1)
    assert array.tolist() == [6, 1, 1]
    source = np.ones(3, np.float32)
    y = torch.from_numpy(source)
    z = y * 2
    source[:] = 7
    assert z.tolist() == [2, 2, 2], "what was recorded saw the memory as it was"
    assert y.tolist() == [7, 7, 7]
    y[1] = 0
    assert source.tolist() == [7, 0, 7]


def test_dlpack_and_the_buffer_protocol() -> None:
    x = torch.arange(4.0)
    assert np.from_dlpack(x).tolist() == [0, 1, 2, 3]
    assert torch.from_dlpack(np.arange(3)).tolist() == [0, 1, 2]
    assert np.asarray(x).dtype == np.float32
    with pytest.raises(RuntimeError, match="detach"):
        torch.ones(2, requires_grad=True).numpy()


def test_construction_and_its_errors() -> None:
    assert torch.tensor([1, 2]).dtype is torch.int64
    assert torch.tensor([1.0, 2]).dtype is torch.float32
    assert torch.tensor([True]).dtype is torch.bool
    assert torch.tensor(np.float64(1)).dtype is torch.float64
    assert torch.tensor([torch.tensor(1.0), torch.tensor(2.0)]).tolist() == [1, 2]
    with pytest.raises(ArgumentError, match="equally long"):
        torch.tensor([[1, 2], [3]])
    with pytest.raises(DTypeError, match="numbers"):
        torch.tensor(["a"])
    with pytest.raises(DTypeError, match=r"expected one of bool.*Received: 'float33'"):
        torch.zeros(2, dtype="float33")


def test_repr() -> None:
    assert repr(torch.tensor([1.0, 2.5])) == "tensor([1.0000, 2.5000])"
    assert repr(torch.tensor([1.0, 2.0])) == "tensor([1., 2.])"
    assert repr(torch.tensor([1, 2], dtype=torch.int32)) == "tensor([1, 2], dtype=torch.int32)"
    assert repr(torch.tensor(1.0, requires_grad=True)) == "tensor(1., requires_grad=True)"
    assert repr(torch.arange(2000)) == "tensor([   0,    1,    2,  ..., 1997, 1998, 1999])"
    assert repr(torch.tensor([1.0, 1e6])) == "tensor([1.0000e+00, 1.0000e+06])"
    assert repr(torch.tensor([torch.nan, torch.inf, 1])) == "tensor([nan, inf, 1.])"
    assert repr(torch.tensor([10.0, 1, 0])) == "tensor([10.,  1.,  0.])"
    assert repr((torch.ones(2, requires_grad=True) * 2).sum()) == "tensor(4., grad_fn=<SumBackward0>)"
    assert f"{torch.tensor(1.25):.1f}" == "1.2"


def test_copies() -> None:
    x = torch.arange(4.0)
    for twin in (copy.deepcopy(x), pickle.loads(pickle.dumps(x)), x.clone()):
        twin.add_(1)
        assert x.tolist() == [0, 1, 2, 3] and twin.tolist() == [1, 2, 3, 4]
    leaf = torch.ones(2, requires_grad=True)
    assert copy.deepcopy(leaf).requires_grad and pickle.loads(pickle.dumps(leaf)).requires_grad


def test_truth_and_numbers() -> None:
    assert bool(torch.tensor(1)) and int(torch.tensor([3])) == 3 and float(torch.tensor(2.5)) == 2.5
    with pytest.raises(ArgumentError, match="ambiguous"):
        bool(torch.zeros(2))
    with pytest.raises(ArgumentError, match="one element"):
        torch.zeros(2).item()


def test_meta_tensors_have_no_content() -> None:
    x = torch.empty(3, 4, device="meta")
    y = x @ torch.empty(4, 5, device="meta")
    assert y.shape == (3, 5) and y.device.type == "meta"
    with pytest.raises(RuntimeError, match="no content"):
        y.numpy()
    with pytest.raises(RuntimeError, match="one device"):
        x + torch.ones(3, 4)
    with pytest.raises(RuntimeError, match="'cpu' or 'meta'"):
        torch.zeros(1, device="cuda")


@pytest.mark.parametrize("dtype", dtypes.ALL, ids=lambda d: d.name)
def test_every_dtype_round_trips(dtype: dtypes.DType) -> None:
    x = torch.tensor([0, 1, 1], dtype=dtype)
    assert x.dtype is dtype and x.to(torch.float64).tolist() == [0, 1, 1]
    assert (x == x).tolist() == [True] * 3
    assert torch.cat([x, x]).dtype is dtype
