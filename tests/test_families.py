"""Traces that differ in sizes alone share compiled graphs, and compute what each would by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import duograph
import duograph.torch as torch
from duograph.graph.trace import tree
from duograph.runtime import native
from duograph.torch import nn
from duograph.torch.nn import functional as F

SIZES = [(7, 5), (9, 4), (12, 6), (20, 9), (31, 11), (17, 17), (12, 6), (1, 3), (26, 8)]
"""Of two axes: what is computed for the third and later ones needs no graph of its own."""


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The graphs that are compiled; traces begin anew."""
    monkeypatch.setenv("DUOGRAPH_TIER", "compiled")
    tree.clear()
    found: list[Any] = []
    compile = native.Native.__init__

    def counted(self: Any, *arguments: Any) -> None:
        compile(self, *arguments)
        found.append(self)

    monkeypatch.setattr(native.Native, "__init__", counted)
    yield found
    tree.clear()


def interpreted(monkeypatch: pytest.MonkeyPatch, compute: Callable[[], np.ndarray]) -> np.ndarray:
    """The same by the reference interpreter, every operation a computation of its own."""
    with monkeypatch.context() as patch:
        patch.setenv("DUOGRAPH_TIER", "interpreted")
        tree.clear()
        try:
            return compute()
        finally:
            tree.clear()


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.tensor(np.random.default_rng([seed, *shape]).uniform(-1, 1, shape).astype(np.float32))


def indices(count: int, below: int) -> torch.Tensor:
    return torch.tensor(np.random.default_rng([count, below]).integers(0, below, count))


def with_gradients(function: Callable[..., torch.Tensor], *inputs: torch.Tensor) -> np.ndarray:
    """A result and its gradients in one row."""
    leaves = [x.requires_grad_() for x in inputs]
    result = function(*leaves)
    (result * numbers(*result.shape, seed=9)).sum().backward()
    parts = [result, *(x.grad for x in leaves if x.grad is not None)]
    return np.concatenate([p.detach().numpy().ravel() for p in parts])


W, V = numbers(8, 6, seed=1), numbers(6, seed=2)
PROGRAMS: dict[str, Callable[[int, int], np.ndarray]] = {
    "linear": lambda n, m: with_gradients(lambda x: torch.relu(x @ W + V), numbers(n, 8)),
    "products of both": lambda n, m: with_gradients(lambda x, y: (x @ y).tanh(), numbers(n, m), numbers(m, 3)),
    "batches": lambda n, m: with_gradients(lambda x, y: torch.bmm(x, y), numbers(m, 4, n), numbers(m, n, 5)),
    "means": lambda n, m: with_gradients(lambda x: x.mean(0) + x.var(1).mean() + x.std(), numbers(n, m, seed=3)),
    "norms": lambda n, m: with_gradients(lambda x: F.layer_norm(x, (6,)) * x.norm(), numbers(n, 6)),
    "softmax": lambda n, m: with_gradients(lambda x: F.softmax(x, 1) + F.log_softmax(x, 0), numbers(n, m)),
    "cross entropy": lambda n, m: with_gradients(lambda x: F.cross_entropy(x, indices(n, 6))[None], numbers(n, 6)),
    "embedding": lambda n, m: with_gradients(lambda w: F.embedding(indices(n, 8), w) * 2, W.clone()),
    "convolution": lambda n, m: with_gradients(
        lambda x, w: F.conv2d(x, w, padding=1), numbers(2, 3, n, m + 2), numbers(4, 3, 3, 3)
    ),
    "strides and pools": lambda n, m: with_gradients(
        lambda x, w: F.avg_pool2d(F.max_pool2d(F.conv2d(x, w, stride=2, padding=2), 2, 1), 2),
        numbers(1, 4, n + 8, 2 * m + 8), numbers(5, 4, 3, 3),
    ),
    "adaptive pool": lambda n, m: with_gradients(lambda x: F.adaptive_avg_pool2d(x, 1), numbers(2, 3, n, m)),
    "batch norm": lambda n, m: with_gradients(
        lambda x: F.batch_norm(x, None, None, training=True), numbers(n + 1, 4, m, 3)
    ),
    "attention": lambda n, m: with_gradients(
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
        numbers(2, 2, n + 8, 4), numbers(2, 2, n + 8, 4, seed=1), numbers(2, 2, n + 8, 4, seed=2),
    ),
    "heads": lambda n, m: with_gradients(
        lambda x: x.view(n, m, 2, 4).transpose(1, 2).reshape(n * 2, m * 4).sum(1), numbers(n, m, 8)
    ),
    "pieces": lambda n, m: with_gradients(
        lambda x, y: torch.cat([x[1:], y, x[:, :2].repeat(1, m)[:, :m]], 0), numbers(n + 2, m), numbers(3, m)
    ),
    "steps and turns": lambda n, m: with_gradients(lambda x: x[::2].flip(0) + x[::2], numbers(n + 1, m)),
    "the last": lambda n, m: with_gradients(lambda x: x[-1] * x[n // 2], numbers(n + 2, m)),
    "sorted": lambda n, m: with_gradients(lambda x: x.sort(0).values + x.cumsum(0), numbers(n, m)),
    "best": lambda n, m: with_gradients(lambda x: x.topk(2, 1).values + x.amax(1, keepdim=True), numbers(n, m)),
    "gathered": lambda n, m: with_gradients(
        lambda x: x.gather(0, indices(n * m, n).view(n, m)).index_add(0, indices(3, n), numbers(3, m)), numbers(n, m)
    ),
    "masks": lambda n, m: with_gradients(
        lambda x: torch.where(torch.ones(n, m).tril() > 0, x, -1.0) * torch.arange(m), numbers(n, m)
    ),
    "outer": lambda n, m: with_gradients(lambda x, y: torch.einsum("i,j->ij", x, y).exp(), numbers(n), numbers(m)),
    "recurrence": lambda n, m: with_gradients(lambda x: LSTM(x)[0][:, -1], numbers(3, n, 4)),
    "recurrence of any batch": lambda n, m: with_gradients(lambda x: LSTM(x)[0][:, -1], numbers(m, n, 4)),
    "half": lambda n, m: with_gradients(lambda x: (x.bfloat16() @ W.bfloat16()).float(), numbers(n, 8)),
    "upsampled": lambda n, m: with_gradients(
        lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"), numbers(1, 2, n + 1, m)
    ),
    "whole numbers": lambda n, m: (indices(n * m, 50).view(n, m) // 7 % 3).sum(0).numpy(),
    "complex": lambda n, m: torch.view_as_real(
        (torch.complex(numbers(n, m), numbers(n, m, seed=1)) ** 2).sum(0)
    ).numpy(),
}  # fmt: skip

with torch.random.fork_rng():
    torch.manual_seed(0)
    LSTM = nn.LSTM(4, 5, batch_first=True)


@pytest.mark.parametrize("name", PROGRAMS)
def test_each_size_gives_what_the_interpreter_gives(
    name: str, made: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In float32 to 2e-5 of the largest number."""
    compute = PROGRAMS[name]
    found = [compute(*size) for size in SIZES]
    for size, one in zip(SIZES, found, strict=True):
        expected = interpreted(monkeypatch, lambda size=size: compute(*size))
        tolerance = 2e-2 if name == "half" else 2e-5
        np.testing.assert_allclose(one, expected, rtol=0, atol=tolerance * np.abs(expected).max(), err_msg=str(size))


def test_later_sizes_need_no_graph_of_their_own(made: list[Any]) -> None:
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
    optimizer = torch.optim.Adam(net.parameters())

    def step(n: int) -> float:
        optimizer.zero_grad()
        loss = F.cross_entropy(net(numbers(n, 8)), indices(n, 3))
        loss.backward()
        optimizer.step()
        return loss.item()

    for n in (20, 21, 30):
        step(n)
    known = len(made)
    assert all(np.isfinite(step(n)) for n in range(31, 60))
    assert len(made) == known


def test_a_report_says_what_serves_a_size(made: list[Any]) -> None:
    def compute(n: int) -> float:
        return (numbers(n, 8) @ W).sum().item()

    with duograph.debug.traces(echo=False) as report:
        for n in (8, 9, 9, 11):
            compute(n)
    first, second, third = report.reasons
    assert "not seen before" in first
    for n, sentence in ((9, second), (11, third)):
        assert f"operation 1 is input giving float32[{n}, 8], not input giving float32[" in sentence
        assert sentence.endswith("; what was compiled for other sizes serves it")


def test_the_log_shows_what_serves_many_sizes(made: list[Any]) -> None:
    """Sizes as expressions in graphs, and elsewhere those that it was compiled for."""
    with duograph.debug.plans("all") as seen:
        for n in (8, 9, 11):
            (numbers(n, 8) @ W).mean().item()
    assert seen.count == 2
    one, other = (r.text for r in seen.records if r.stage == "plans")
    assert "for other sizes too (1 symbol, here as compiled)" in other and "other sizes" not in one
    assert any("f32[(s0), 8]" in r.text for r in seen.records if r.stage == "graph")


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_loops_of_any_length_and_width_share_a_graph(axis: int, made: list[Any]) -> None:
    def compute(n: int) -> None:
        LSTM(numbers(*((n, 6), (5, n), (n, n))[axis], 4))[0].sum().item()

    for n in (8, 9, 11):
        compute(n)
    known = len(made)
    for n in range(12, 20):
        compute(n)
    assert len(made) == known


def test_sizes_far_from_each_other_are_compiled_apart(made: list[Any]) -> None:
    """What is chosen for few rows is not good for many."""

    def compute(n: int) -> float:
        return (numbers(n, 8) @ W).sum().item()

    for n in (8, 9, 10):
        compute(n)
    known = len(made)
    compute(12)
    assert len(made) == known
    compute(4000)
    assert len(made) == known + 1
    compute(3000)
    assert len(made) == known + 1


def test_a_size_of_one_or_a_coincidence_has_a_graph_of_its_own(
    made: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where one axis is as long as another, or has one element, broadcasting means something else."""

    def compute(n: int, m: int) -> np.ndarray:
        return (numbers(n, m).sum(0) + numbers(n, 1)).numpy()

    for size in [(5, 4), (6, 7), (9, 8), (4, 4), (1, 6), (6, 1), (1, 1), (10, 3)]:
        expected = interpreted(monkeypatch, lambda size=size: compute(*size))
        np.testing.assert_allclose(compute(*size), expected, rtol=1e-6)


def test_an_error_names_the_sizes_at_hand(made: list[Any]) -> None:
    """An index out of range is found by the interpreter, for the sizes of this run."""
    table = numbers(10, 3)
    for n in (5, 6, 7, 8):
        assert F.embedding(torch.arange(n), table).sum().isfinite()
    with pytest.raises(Exception, match="index 10"):
        F.embedding(torch.arange(14), table).numpy()
    assert F.embedding(torch.arange(9), table).shape == (9, 3)


@pytest.mark.parametrize("threads", [2, 5])
def test_the_same_bits_with_any_number_of_threads(threads: int, made: list[Any]) -> None:
    def compute(n: int) -> np.ndarray:
        return with_gradients(lambda x: (x @ x.T).softmax(1).sum(0), numbers(n, 40))

    counts = range(100, 220, 17)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = [compute(n) for n in counts]
        torch.set_num_threads(threads)
        together = [compute(n) for n in counts]
    finally:
        torch.set_num_threads(before)
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_results_of_other_sizes_are_not_held(made: list[Any]) -> None:
    """The memory of a result is kept for the next run of these sizes, not of each that ever was."""

    def compute(n: int) -> None:
        (numbers(n, 1000) * 2).numpy()

    for n in (100, 101, 102, 103):
        compute(n)
    [shared] = [m for m in made if m.symbols is not None]
    for n in range(104, 130):
        compute(n)
    held = [
        spare.array.shape for spares in (shared._outputs._last, shared._outputs._earlier) for spare in spares.values()
    ]
    assert set(held) <= {(129, 1000)}


MENU: list[Callable[..., torch.Tensor]] = [
    lambda x, y: x + y,
    lambda x, y: x * y - x,
    lambda x, y: (x / (y * y + 1)).tanh(),
    lambda x, y: x @ (y.T @ y),
    lambda x, y: x - y.mean(0),
    lambda x, y: x * y.sum(1, keepdim=True),
    lambda x, y: torch.where(x > y, x, y),
    lambda x, y: x.softmax(0) + y.softmax(1),
    lambda x, y: torch.cat([x[1:], y[:1]]),
    lambda x, y: torch.cat([x[:, -1:], y[:, :-1]], 1),
    lambda x, y: x.flip(0) + y.cumsum(1) / y.shape[1],
    lambda x, y: x.amax(0) - y,
    lambda x, y: x.reshape(-1).flip(0).reshape(y.shape),
    lambda x, y: F.pad(x, (0, 0, 1, 0))[:-1] + y,
    lambda x, y: x.T.contiguous().T * y.var(),
    lambda x, y: x.sort(1).values - y.roll(1, 0),
    lambda x, y: x.gather(1, y.argsort(1)),
    lambda x, y: x.exp().log1p() - y.norm(dim=0),
]
"""What a random program may do with two matrices of one shape."""


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, len(MENU) - 1), st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=7),
    st.lists(st.tuples(st.integers(2, 40), st.integers(2, 40)), min_size=3, max_size=6),
)
def test_random_programs(program: list[tuple[int, int, int]], shapes: list[tuple[int, int]]) -> None:
    """In float64 to 1e-9 of the largest number."""

    def compute(n: int, m: int) -> np.ndarray:
        found = [numbers(n, m).double(), numbers(n, m, seed=1).double()]
        for which, first, second in program:
            found.append(MENU[which](found[first % len(found)], found[second % len(found)]))
        return found[-1].numpy()

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DUOGRAPH_TIER", "compiled")
        tree.clear()
        found = [compute(*shape) for shape in shapes]
        for shape, one in zip(shapes, found, strict=True):
            expected = interpreted(patch, lambda shape=shape: compute(*shape))
            np.testing.assert_allclose(one, expected, rtol=0, atol=1e-9 * max(1.0, np.abs(expected).max()))
        tree.clear()
