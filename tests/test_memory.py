"""Memory for results: at a cache line, and NumPy's own in every other respect."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import duograph.torch as torch
from duograph.runtime import memory
from duograph.runtime.buffer import Buffer
from duograph.runtime.outputs import Outputs

pytestmark = pytest.mark.skipif(memory._handler() is None, reason="this machine's arrays lie where NumPy puts them")


def address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


@pytest.mark.parametrize("shape", [(1024,), (33, 77, 5), (1100, 1100)])  # the last has large pages
def test_arrays_begin_at_a_cache_line(shape: tuple[int, ...]) -> None:
    for dtype in (np.float32, np.complex64, np.int64):
        array = memory.empty(shape, np.dtype(dtype))
        assert address(array) % memory.LINE == 0
        assert array.shape == shape
        assert array.dtype == dtype
        assert array.flags.owndata
        assert array.base is None
        array[...] = 1
        assert array.sum() == array.size


def test_the_allocator_is_used_for_nothing_else() -> None:
    before = np._core.multiarray.get_handler_name()
    array = memory.empty((4096,), np.dtype(np.float32))
    assert np._core.multiarray.get_handler_name(array) == "duograph"
    assert np._core.multiarray.get_handler_name() == before
    with pytest.raises(MemoryError):
        memory.empty((1 << 60,), np.dtype(np.uint8))
    assert np._core.multiarray.get_handler_name() == before


def test_an_array_can_be_resized_and_copied() -> None:
    array = memory.empty((2048,), np.dtype(np.float32))
    array[:] = np.arange(2048)
    array.resize((4096,), refcheck=False)
    np.testing.assert_array_equal(array[:2048], np.arange(2048))
    turned = array.reshape(64, 64).T
    copy = memory.copied(turned)
    assert copy.flags.c_contiguous
    np.testing.assert_array_equal(copy, turned)
    assert memory.is_placed(copy)


@pytest.mark.parametrize("tier", ["compiled", "interpreted"])
def test_results_lie_so(monkeypatch: pytest.MonkeyPatch, tier: str) -> None:
    monkeypatch.setenv("DUOGRAPH_TIER", tier)
    x = torch.ones(50, 50)
    for result in (x + 1, x.clone(), torch.cat((x, x)), x.T.contiguous()):
        assert address(result.numpy()) % memory.LINE == 0


def test_arrays_outlive_the_interpreters_modules() -> None:
    program = """
import sys, numpy as np, duograph.torch as torch
sys.kept = (torch.randn(1000, 1000) * 2).numpy()
print(sys.kept.shape)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "(1000, 1000)\n"), done.stderr


def a_buffer() -> Buffer:
    return Buffer(np.ones(5000, np.float32))


def test_a_result_lies_where_the_last_one_was_if_its_operand_is_held() -> None:
    outputs = Outputs([((5000,), np.dtype(np.float32))], donations=[(0, 0)])
    held = a_buffer()
    (first,) = outputs.place([held], 1, keep=True)
    place = first.address
    (second,) = outputs.place([held], 1, keep=True)
    assert len({place, second.address, held.address}) == 3, "the first result is still wanted"
    place = second.address
    del second
    (third,) = outputs.place([held], 1, keep=True)
    assert third.address == place


def test_memory_that_is_kept_may_be_overwritten_as_a_leaf() -> None:
    outputs = Outputs([((5000,), np.dtype(np.float32))], donations=[(0, 0)])
    held = a_buffer()
    leaves = outputs.place([held], 1, keep=True)
    place = leaves[0].address
    for _ in range(3):
        leaves = outputs.place(leaves, 1, keep=True)
        assert leaves[0].address == place
    leaves = [a_buffer()]
    outputs.place([held], 1, keep=True)
    place = leaves[0].address
    assert outputs.place(leaves, 1, keep=True)[0].address == place, "what is kept does not come first"
