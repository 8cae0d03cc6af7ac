"""`torch.amp`: the precision of operations in a block, and the scale of losses. Beside PyTorch's: peers/test_amp.py."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest

import duograph.torch as torch
import duograph.torch.nn.functional as F
from duograph.autograd import autocast
from duograph.graph.composite import Composite
from duograph.graph.node import PRIMITIVES


def test_products_run_in_the_half_precision_and_losses_in_float32() -> None:
    x = torch.randn(4, 8)
    weight = torch.randn(8, 8, requires_grad=True)
    with torch.autocast("cpu"):
        product = x @ weight
        loss = F.mse_loss(product, x)
    assert (product.dtype, loss.dtype) == (torch.bfloat16, torch.float32)
    loss.backward()
    assert weight.grad.dtype is torch.float32
    expected = torch.mm(x.bfloat16(), weight.detach().bfloat16())
    assert torch.equal(product.detach(), expected)


def test_the_lists_name_operations() -> None:
    operations = {thing.name for thing in gc.get_objects() if isinstance(thing, Composite)} | set(PRIMITIVES)
    lists = (autocast.LOWER, autocast.FULL, autocast.WIDEST, autocast.NORMS)
    assert frozenset[str]().union(*lists) <= operations
    assert sum(map(len, lists)) == len(frozenset[str]().union(*lists))  # each operation has one rule


def test_blocks_nest_and_end() -> None:
    x = torch.ones(2, 2)
    with torch.autocast("cpu", dtype=torch.float16):
        assert torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") is torch.float16
        with torch.autocast("cpu", enabled=False):
            assert (x @ x).dtype is torch.float32
        assert (x @ x).dtype is torch.float16
    assert not torch.is_autocast_enabled("cpu")
    assert (x @ x).dtype is torch.float32


def test_it_decorates() -> None:
    @torch.autocast("cpu")
    def product(x: Any) -> Any:
        return x @ x

    assert product(torch.ones(2, 2)).dtype is torch.bfloat16


def test_a_compiled_function_knows_the_block_it_is_called_in() -> None:
    @torch.compile
    def product(x: Any) -> Any:
        return x @ x

    x = torch.ones(2, 2)
    for _ in range(5):
        assert product(x).dtype is torch.float32
        with torch.autocast("cpu"):
            assert product(x).dtype is torch.bfloat16


@pytest.mark.parametrize("layer", ["LSTM", "GRU", "RNN"])
def test_recurrent_layers_run_in_the_half_precision(layer: str) -> None:
    network = getattr(torch.nn, layer)(3, 5)
    x = torch.randn(4, 2, 3)
    expected, _ = network(x)
    with torch.autocast("cpu"):
        output, _ = network(x)
    assert output.dtype is torch.bfloat16
    np.testing.assert_allclose(output.float().detach().numpy(), expected.detach().numpy(), atol=0.02)


def test_a_transformer_runs() -> None:
    layer = torch.nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    x = torch.randn(2, 5, 8)
    expected = layer(x)
    with torch.autocast("cpu"):
        output = layer(x)
    np.testing.assert_allclose(output.float().detach().numpy(), expected.detach().numpy(), atol=0.1)
    output.float().sum().backward()


def test_functions_of_the_users_own_choose_their_precision() -> None:
    class Double(torch.autograd.Function):
        @staticmethod
        @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.float32)
        def forward(ctx: Any, x: Any) -> Any:
            assert not torch.is_autocast_enabled("cpu")
            return x * 2

        @staticmethod
        @torch.amp.custom_bwd(device_type="cpu")
        def backward(ctx: Any, gradient: Any) -> Any:
            return gradient * 2

    x = torch.ones(3, requires_grad=True)
    with torch.autocast("cpu"):
        y = Double.apply(x.bfloat16())
    assert y.dtype is torch.float32
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0, 2.0]


def test_other_dtypes_are_refused() -> None:
    with pytest.raises(ValueError, match="bfloat16"):
        torch.autocast("cpu", dtype=torch.float32)


def test_a_device_that_is_not_there_is_left_out_aloud() -> None:
    with pytest.warns(UserWarning, match="cuda"), torch.autocast("cuda"):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is torch.float32
    with pytest.warns(UserWarning, match="cuda"):
        scaler = torch.amp.GradScaler("cuda")
    assert not scaler.is_enabled() and scaler.state_dict() == {}


def test_a_step_whose_gradients_overflow_is_left_out() -> None:
    w = torch.nn.Parameter(torch.tensor([1.0]))
    optimizer = torch.optim.SGD([w], lr=1.0)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    scaler.scale((w * float("inf")).sum()).backward()
    scaler.step(optimizer)
    scaler.update()
    assert w.item() == 1.0 and scaler.get_scale() == 2.0
    with pytest.raises(RuntimeError, match="already"):
        scaler.scale(w.sum()).backward()
        scaler.unscale_(optimizer)
        scaler.unscale_(optimizer)
