"""`autocast` and `GradScaler` beside PyTorch's: in which dtype operations run, what they give, and a training run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import duograph.torch as ours

X = np.random.default_rng(0).standard_normal((4, 6, 8)).astype(np.float32)
IMAGE = np.random.default_rng(1).standard_normal((2, 6, 8, 8)).astype(np.float32)

OPERATIONS = {
    "matmul": lambda t, x, i: x @ x.mT,
    "mm": lambda t, x, i: torch_of(t).mm(x[0], x[1].T),
    "bmm": lambda t, x, i: torch_of(t).bmm(x, x.mT),
    "addmm": lambda t, x, i: torch_of(t).addmm(x[0, :, :6], x[0], x[1].T),
    "baddbmm": lambda t, x, i: torch_of(t).baddbmm(x[:, :, :6], x, x.mT),
    "einsum": lambda t, x, i: torch_of(t).einsum("bij,bkj->bik", x, x),
    "linear": lambda t, x, i: t.nn.functional.linear(x, x[0]),
    "conv2d": lambda t, x, i: t.nn.functional.conv2d(i, i[:, :, :3, :3]),
    "conv_transpose2d": lambda t, x, i: t.nn.functional.conv_transpose2d(i, i[:, :, :3, :3].repeat(3, 1, 1, 1)),
    "attention": lambda t, x, i: t.nn.functional.scaled_dot_product_attention(x, x, x),
    "softmax of a product": lambda t, x, i: (x @ x.mT).softmax(-1),
    "sum of a product": lambda t, x, i: (x @ x.mT).sum(),
    "product and float": lambda t, x, i: (x @ x.mT) + x[:, :, :6],
    "layer norm": lambda t, x, i: t.nn.functional.layer_norm(x @ x.mT, (6,), x[0, 0, :6], x[0, 1, :6]),
    "batch norm": lambda t, x, i: t.nn.functional.batch_norm(
        t.nn.functional.conv2d(i, i[:, :, :3, :3]), None, None, x[0, 0, :2], x[0, 1, :2], training=True
    ),
    "cross entropy": lambda t, x, i: t.nn.functional.cross_entropy((x @ x.mT)[0], t.arange(6)),
    "mse": lambda t, x, i: t.nn.functional.mse_loss(x @ x.mT, x[:, :, :6]),
    "cat": lambda t, x, i: t.cat([x @ x.mT, x], -1),
    "stack": lambda t, x, i: t.stack([x @ x.mT, x[:, :, :6]]),
    "exp": lambda t, x, i: x.exp(),
    "relu of a product": lambda t, x, i: (x @ x.mT).relu(),
    "float64": lambda t, x, i: x.double() @ x.double().mT,
}


def torch_of(t: Any) -> Any:
    return t


@pytest.mark.parametrize("half", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", list(OPERATIONS))
def test_an_operation_runs_in_the_same_precision(name: str, half: str) -> None:
    """Values agree to two units in the last place of the half precision."""
    results = []
    for t in (torch, ours):
        x, image = t.tensor(X), t.tensor(IMAGE)
        with t.autocast("cpu", dtype=getattr(t, half)):
            results.append(OPERATIONS[name](t, x, image))
    theirs, mine = results
    assert mine.dtype.name == str(theirs.dtype).removeprefix("torch.")
    eps = {"bfloat16": 2**-7, "float16": 2**-10}[half]
    expected = theirs.float().numpy()
    np.testing.assert_allclose(mine.float().numpy(), expected, rtol=2 * eps, atol=2 * eps * np.abs(expected).max())


def network(t: Any) -> Any:
    t.manual_seed(0)
    model = t.nn.Sequential(
        t.nn.Conv2d(6, 8, 3), t.nn.BatchNorm2d(8), t.nn.ReLU(), t.nn.Flatten(), t.nn.Linear(288, 16), t.nn.Tanh(),
        t.nn.LayerNorm(16), t.nn.Linear(16, 3),
    )  # fmt: skip
    state = {
        name: t.tensor(np.random.default_rng(k).standard_normal(tuple(value.shape)).astype(np.float32) / 8)
        for k, (name, value) in enumerate(model.state_dict().items())
        if "num_batches" not in name and "running" not in name
    }
    model.load_state_dict(state, strict=False)
    return model


@pytest.mark.parametrize("scaled", [False, True])
def test_a_network_trains_alike(scaled: bool) -> None:
    """bfloat16 has 8 bits: losses agree to 2 per cent over ten steps, and parameters stay in float32."""
    losses: list[list[float]] = []
    for t in (torch, ours):
        model = network(t)
        optimizer = t.optim.SGD(model.parameters(), lr=0.05)
        scaler = t.amp.GradScaler("cpu", enabled=scaled)
        found = []
        for _ in range(10):
            optimizer.zero_grad()
            with t.autocast("cpu", dtype=t.bfloat16):
                loss = t.nn.functional.cross_entropy(model(t.tensor(IMAGE)), t.tensor([0, 2]))
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            found.append(loss.item())
        assert all(p.dtype == t.float32 and p.grad.dtype == t.float32 for p in model.parameters())
        losses.append(found)
    np.testing.assert_allclose(losses[1], losses[0], rtol=0.02)
    assert losses[1][-1] < losses[1][0]


def test_the_scale_moves_alike() -> None:
    """An overflow leaves out the step and halves the scale; steps without let it grow."""
    seen: list[list[Any]] = []
    for t in (torch, ours):
        w = t.nn.Parameter(t.tensor([1.0, 2.0]))
        optimizer = t.optim.SGD([w], lr=0.1)
        scaler = t.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2)
        found: list[Any] = []
        for factor in (1.0, 1.0, float("inf"), 1.0, 1.0):
            optimizer.zero_grad()
            scaler.scale((w * factor).sum()).backward()
            scaler.unscale_(optimizer)
            found.append([float(g) for g in w.grad])
            scaler.step(optimizer)
            scaler.update()
            found.append((scaler.get_scale(), w.tolist()))
        found.append(scaler.state_dict())
        seen.append(found)
    assert seen[1] == seen[0]
