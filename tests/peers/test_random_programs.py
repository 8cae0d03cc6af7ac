"""Random programs in PyTorch's dialect give what PyTorch gives: operations, views, in-place writes, branches on values.

A program is a list of instructions over a pool of tensors. Both frameworks run it, ours lazily and in `eager()`; all
tensors of the pool and the gradients of the leaves must agree: values to 1e-5 relative plus 1e-5 of the largest element
(float32), shapes and dtypes exactly.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import duograph
import duograph.torch as ours

torch = pytest.importorskip("torch")

UNARY = ("exp", "tanh", "sin", "sigmoid", "abs", "neg", "square", "relu", "floor", "log1p_abs")
BINARY = ("add", "sub", "mul", "maximum", "minimum", "where")
VIEWS = ("t", "row", "column", "step", "flat", "expand", "chunk", "diagonal", "unsqueeze")
WRITES = ("add_", "mul_", "zero_", "copy_", "set_row", "set_index", "masked", "fill_view")
REDUCE = ("sum", "mean", "max", "cumsum", "softmax", "std")

instruction = st.one_of(
    st.tuples(st.just("unary"), st.sampled_from(UNARY), st.integers(0, 9)),
    st.tuples(st.just("binary"), st.sampled_from(BINARY), st.integers(0, 9), st.integers(0, 9)),
    st.tuples(st.just("number"), st.sampled_from(("add", "mul", "rsub", "div", "pow")), st.integers(0, 9),
              st.sampled_from((0, 1, 2, -1.5, 0.25, True))),
    st.tuples(st.just("view"), st.sampled_from(VIEWS), st.integers(0, 9)),
    st.tuples(st.just("write"), st.sampled_from(WRITES), st.integers(0, 9), st.integers(0, 9)),
    st.tuples(st.just("reduce"), st.sampled_from(REDUCE), st.integers(0, 9), st.integers(-1, 1)),
    st.tuples(st.just("matmul"), st.integers(0, 9), st.integers(0, 9)),
    st.tuples(st.just("branch"), st.integers(0, 9)),
    st.tuples(st.just("detach"), st.integers(0, 9)),
    st.tuples(st.just("cat"), st.integers(0, 9), st.integers(0, 9)),
)  # fmt: skip


class Refused(Exception):
    """The framework refused the instruction."""


def step(tc: Any, pool: list[Any], inst: tuple[Any, ...]) -> Any:
    """Run one instruction; a new tensor for the pool, or None."""
    kind = inst[0]
    x = pool[(inst[2] if kind not in ("matmul", "branch", "detach", "cat") else inst[1]) % len(pool)]
    if kind == "unary":
        return tc.log1p(x.abs()) if inst[1] == "log1p_abs" else getattr(tc, inst[1])(x)
    if kind == "binary":
        y = pool[inst[3] % len(pool)]
        return tc.where(x > 0, x, y) if inst[1] == "where" else getattr(tc, inst[1])(x, y)
    if kind == "number":
        n = inst[3]
        return {"add": lambda: x + n, "mul": lambda: n * x, "rsub": lambda: float(n) - x, "div": lambda: x / (n or 3),
                "pow": lambda: x**2 if n else x**3}[inst[1]]()  # fmt: skip
    if kind == "view":
        return {
            "t": lambda: x.transpose(0, -1), "row": lambda: x[0], "column": lambda: x[..., -1], "step": lambda: x[::2],
            "flat": lambda: x.reshape(-1), "expand": lambda: x.unsqueeze(0).expand(2, *x.shape),
            "chunk": lambda: x.chunk(2, -1)[0], "diagonal": lambda: x.diagonal(0, 0, -1),
            "unsqueeze": lambda: x.unsqueeze(-1),
        }[inst[1]]()  # fmt: skip
    if kind == "write":
        y = pool[inst[3] % len(pool)]
        if inst[1] == "add_":
            x.add_(1.5)
        elif inst[1] == "mul_":
            x.mul_(y)
        elif inst[1] == "zero_":
            x.zero_()
        elif inst[1] == "copy_":
            x.copy_(y)
        elif inst[1] == "set_row":
            x[0] = 0.5
        elif inst[1] == "set_index":
            x[tc.tensor([0, -1])] = 2.0
        elif inst[1] == "masked":
            x[x > 0.3] = -0.25
        else:
            x.reshape(-1)[:1].fill_(3.0)
        return None
    if kind == "reduce":
        dim = inst[3]
        if inst[1] == "max":
            return x.max(dim).values
        return getattr(tc, inst[1])(x, dim)
    if kind == "matmul":
        return x @ pool[inst[2] % len(pool)]
    if kind == "branch":
        return x + 1 if x.sum() > 0 else x * 2
    if kind == "detach":
        return x.detach()
    return tc.cat([x, pool[inst[2] % len(pool)]], 0)


def run(tc: Any, program: list[tuple[Any, ...]], taped: bool) -> tuple[list[Any], list[Any], list[bool]]:
    rng = np.random.default_rng(0)
    leaves = [
        tc.tensor(rng.uniform(-1, 1, s).astype(np.float32), requires_grad=taped) for s in ((3, 4), (4, 3), (3, 3))
    ]
    pool = [leaf * 1 for leaf in leaves]
    done = []
    for inst in program:
        try:
            made = step(tc, pool, inst)
        except (RuntimeError, IndexError, TypeError, ValueError):
            done.append(False)
            continue
        done.append(True)
        if made is not None and made.numel() <= 200:
            pool.append(made)
    gradients: list[Any] = []
    total = None
    for x in pool:
        if x.dtype.is_floating_point and (x.requires_grad or not taped):
            total = x.sum() if total is None else total + x.sum()
    if taped and total is not None:
        try:
            total.backward()
            gradients = [leaf.grad for leaf in leaves]
        except RuntimeError:
            gradients = ["refused"]
    return pool, gradients, done


def compare(a: Any, b: Any) -> None:
    if a is None or b is None:
        other = b if a is None else a
        assert other is None or not np.any(np.asarray(other.detach().numpy())), "no gradient is a zero gradient"
        return
    assert tuple(a.shape) == tuple(b.shape)
    assert str(a.dtype).split(".")[-1] == str(b.dtype).split(".")[-1]
    want = b.detach().numpy().astype(np.float64)
    if not np.isfinite(want).all() or (want.size and np.abs(want).max() > 1e20):
        return  # overflow: the order of additions decides between inf and nan
    tolerance = 1e-5 * max(1.0, np.abs(want).max(initial=0))
    np.testing.assert_allclose(a.detach().numpy().astype(np.float64), want, rtol=1e-5, atol=tolerance)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(program=st.lists(instruction, min_size=1, max_size=12), taped=st.booleans())
def test_random_programs_agree(program: list[tuple[Any, ...]], taped: bool) -> None:
    expected = run(torch, program, taped)
    lazy = run(ours, program, taped)
    with duograph.eager():
        eager = run(ours, program, taped)
    for found in (lazy, eager):
        assert found[2] == expected[2], "the same instructions are refused"
        for a, b in zip(found[0], expected[0], strict=True):
            compare(a, b)
        if expected[1] == ["refused"]:
            continue  # we may still know the gradient: a value that was zeroed has none, whatever was saved for it
        assert found[1] != ["refused"]
        for a, b in zip(found[1], expected[1], strict=True):
            compare(a, b)
    for a, b in zip(lazy[0], eager[0], strict=True):  # to rounding: what is fused may add in another order
        compare(a, b)
