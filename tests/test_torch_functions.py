"""Functions under PyTorch's names that are made of others, against formulas in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import duograph.torch as torch
from duograph.graph.errors import ArgumentError, ShapeError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 5))


def close(received: Any, expected: Any) -> None:
    np.testing.assert_allclose(received.numpy(), expected, rtol=1e-9, atol=1e-12)


def test_common_divisors_and_multiples() -> None:
    x, y = RNG.integers(-60, 60, (2, 50, 1)), RNG.integers(-60, 60, 40)
    for dtype in (np.int8, np.int16, np.int64):
        a, b = x[0].astype(dtype), y.astype(dtype)
        np.testing.assert_array_equal(torch.gcd(torch.tensor(a), torch.tensor(b)).numpy(), np.gcd(a, b))
        with np.errstate(over="ignore"):
            expected = np.lcm(a // 6, b // 6)
        np.testing.assert_array_equal(torch.lcm(torch.tensor(a // 6), torch.tensor(b // 6)).numpy(), expected)
    least = torch.tensor([np.iinfo(np.int64).min, 0, -4])
    assert torch.gcd(least, torch.tensor([6, 0, 0])).tolist() == [2, 0, 4]
    with pytest.raises(TypeError, match="kind int"):
        torch.gcd(torch.tensor(1.0), torch.tensor(2.0))


def test_results_are_written_where_asked() -> None:
    x, index = torch.tensor(X), torch.tensor([[3, 0], [1, 1]])
    for ask in (
        lambda out: torch.gather(x, 1, index, out=out), lambda out: torch.take(x, index, out=out),
        lambda out: torch.index_select(x, 0, index[0], out=out), lambda out: torch.masked_select(x, x > 0, out=out),
    ):  # fmt: skip
        out = torch.empty(0, dtype=torch.float64)
        assert ask(out) is out
        np.testing.assert_array_equal(out.numpy(), ask(None).numpy())
    outs = torch.empty(4, dtype=torch.float64), torch.empty(4, dtype=torch.int64)
    assert torch.kthvalue(x, 2, out=outs).values is outs[0]
    close(outs[0], np.sort(X, 1)[:, 1])
    drawn = torch.empty(0, dtype=torch.int64)
    assert torch.multinomial(torch.tensor([0.0, 1.0]), 1, out=drawn).tolist() == [1] == drawn.tolist()


def test_a_group_of_one_process() -> None:
    dist, x = torch.distributed, torch.ones(2)
    with pytest.raises(ValueError, match="init_process_group"):
        dist.get_rank()
    with pytest.raises(NotImplementedError, match="world_size 1"):
        dist.init_process_group(world_size=2, rank=0)
    dist.init_process_group("gloo")
    try:
        assert (dist.get_rank(), dist.get_world_size(), dist.get_backend()) == (0, 1, "gloo")
        dist.all_reduce(x)
        dist.barrier()
        found = [torch.zeros(2)]
        assert dist.all_gather(found, x, async_op=True).wait() and found[0].tolist() == x.tolist() == [1, 1]
        layer = torch.nn.Linear(2, 3)
        assert torch.nn.parallel.DistributedDataParallel(layer).module is layer
    finally:
        dist.destroy_process_group()
    assert dist.is_available() and not dist.is_initialized()


def test_futures() -> None:
    first, second = torch.futures.Future(), torch.futures.Future()
    both = torch.futures.collect_all([first, second]).then(lambda f: sum(x.value() for x in f.value()))
    first.set_result(1)
    assert not both.done()
    with pytest.raises(RuntimeError, match="wait"):
        both.value()
    second.set_result(2)
    assert both.wait() == 3 and torch.futures.wait_all([first, second]) == [1, 2]


def test_mode_is_the_least_of_the_most_frequent() -> None:
    x = torch.tensor([[3, 1, 3, 1, 2], [5, 5, 5, 0, 0]])
    values, places = torch.mode(x)
    assert values.tolist() == [1, 5]
    assert x.gather(1, places.unsqueeze(1)).squeeze(1).tolist() == [1, 5]
    assert torch.mode(x, 0, keepdim=True).values.tolist() == [[3, 1, 3, 0, 0]]


def test_quantiles_leave_nan_out() -> None:
    x = X.copy()
    x[0, 1] = x[2, 2] = x[2, 4] = np.nan
    close(torch.nanquantile(torch.tensor(x), 0.3, 1), np.nanquantile(x, 0.3, 1))
    q = torch.tensor([0.1, 0.9], dtype=torch.float64)
    close(
        torch.nanquantile(torch.tensor(x), q, 1, interpolation="lower"),
        np.nanquantile(x, [0.1, 0.9], 1, method="lower"),
    )
    assert torch.nanmedian(torch.tensor([1.0, float("nan"), 3.0, 2.0])).item() == 2.0
    assert torch.nanmedian(torch.tensor([[float("nan")] * 3])).isnan().item()


@pytest.mark.parametrize(("reduce", "ufunc"), [("prod", np.multiply), ("amax", np.maximum), ("amin", np.minimum)])
def test_index_reduce(reduce: str, ufunc: Any) -> None:
    index, source = np.array([1, 1, 3]), RNG.normal(size=(3, 5))
    expected = X.copy()
    ufunc.at(expected, index, source)
    close(torch.tensor(X).index_reduce(0, torch.tensor(index), torch.tensor(source), reduce), expected)


def test_the_gradient_of_a_product_by_index_takes_zeros() -> None:
    source = torch.tensor([0.0, 2.0, 0.0, 0.0, 5.0], requires_grad=True)
    start = torch.tensor([3.0, 1.0, 4.0], requires_grad=True)
    index = torch.tensor([0, 0, 1, 1, 2])
    result = start.scatter_reduce(0, index, source, "prod")
    assert result.tolist() == [0, 0, 20]
    found = torch.autograd.grad(result.sum(), (start, source))
    assert [g.tolist() for g in found] == [[0, 0, 5], [6, 0, 0, 0, 4]]


def test_put_and_unfold() -> None:
    x = torch.arange(6.0).reshape(2, 3)
    assert x.put(torch.tensor([0, -1, 0]), torch.tensor([1.0, 2.0, 3.0]), accumulate=True).tolist() == [
        [4, 1, 2],
        [3, 4, 7],
    ]
    close(torch.tensor(X).unfold(1, 3, 2), np.lib.stride_tricks.sliding_window_view(X, 3, 1)[:, ::2])
    with pytest.raises(ArgumentError, match="unfold"):
        x.unfold(1, 4, 1)


def test_gradient_by_differences() -> None:
    places = np.array([0.0, 0.5, 2.0, 3.0, 3.5])
    for order in (1, 2):
        rows, columns = torch.gradient(
            torch.tensor(X), spacing=[torch.arange(4.0), torch.tensor(places)], edge_order=order
        )
        for received, expected in zip(
            (rows, columns), np.gradient(X, np.arange(4.0), places, edge_order=order), strict=True
        ):
            close(received, expected)


def test_numbers_taken_apart() -> None:
    numbers = np.array([0.0, -3.0, 1e-310, 0.5, np.inf, 1e300])
    mantissa, exponent = torch.frexp(torch.tensor(numbers))
    expected = np.frexp(numbers)
    close(mantissa, expected[0])
    assert exponent.tolist()[:4] == expected[1].tolist()[:4]


def test_renorm_and_histograms() -> None:
    sizes = np.linalg.norm(X, axis=1)
    close(torch.tensor(X).renorm(2, 0, 1.5).norm(dim=1), np.minimum(sizes, 1.5 * sizes / (sizes + 1e-7)))
    counts, edges = torch.histogram(torch.tensor(X), 4, range=(-2, 2))
    expected = np.histogram(X, 4, (-2, 2))
    assert counts.tolist() == expected[0].tolist()
    assert edges.tolist() == expected[1].tolist()


def test_masked_reductions() -> None:
    mask = RNG.random((4, 5)) > 0.4
    held = np.ma.array(X, mask=~mask)
    x, m = torch.tensor(X), torch.tensor(mask)
    for name in ("sum", "prod", "mean", "var"):
        keywords = {"ddof": 1} if name == "var" else {}
        close(getattr(torch.masked, name)(x, 1, mask=m), getattr(held, name)(1, **keywords).filled(np.nan))
    close(torch.masked.softmax(x, 1, mask=m).sum(1), np.ones(4))
    close(torch.signal.windows.hann(7, dtype=torch.float64), np.hanning(7))


def test_embedding_divides_gradients_by_frequency() -> None:
    weight = torch.ones(3, 2, requires_grad=True)
    rows = torch.nn.functional.embedding(torch.tensor([0, 2, 2, 2]), weight, scale_grad_by_freq=True)
    (gradient,) = torch.autograd.grad(rows.sum(), weight)
    np.testing.assert_allclose(gradient.numpy(), [[1, 1], [0, 0], [1, 1]], rtol=1e-6)


def test_assert_close() -> None:
    torch.testing.assert_close(torch.ones(3), torch.ones(3) + 1e-7)
    with pytest.raises(AssertionError, match="1 of 3 elements differ"):
        torch.testing.assert_close(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 2.0, 4.0]))
    with pytest.raises(AssertionError, match="dtypes"):
        torch.testing.assert_close(torch.ones(2), torch.ones(2, dtype=torch.float64))


def test_distributions_by_formulas() -> None:
    normal = torch.distributions.Normal(torch.tensor(1.0), 2.0)
    assert normal.log_prob(torch.tensor(1.0)).item() == pytest.approx(-np.log(2 * np.sqrt(2 * np.pi)))
    chosen = torch.distributions.Categorical(probs=torch.tensor([1.0, 3.0]))
    assert chosen.log_prob(torch.tensor([0, 1])).exp().tolist() == pytest.approx([0.25, 0.75])
    assert tuple(chosen.sample((5, 2)).shape) == (5, 2)


def test_there_is_one_device_and_one_process() -> None:
    assert torch.accelerator.current_accelerator() is None
    assert not (torch.accelerator.is_available() or torch.xpu.is_available() or torch.jit.is_scripting())
    assert torch.jit.script(len) is len


def test_a_device_as_a_context() -> None:
    with torch.device("meta"):
        layer = torch.nn.Linear(3, 4)
        assert {str(t.device) for t in (layer.weight, torch.ones(2), torch.randn(2), torch.arange(3))} == {"meta"}
        with torch.device("cpu"):
            assert torch.ones(2).tolist() == [1, 1]
        assert torch.zeros_like(torch.ones(2, device="cpu")).tolist() == [0, 0]
    assert str(torch.get_default_device()) == str(torch.ones(1).device) == "cpu"


def test_bits_as_another_dtype() -> None:
    for name in ("int8", "uint16", "int32", "float32", "int64", "float64"):
        x = np.random.default_rng(1).integers(0, 2**62, (2, 8)).view(name)
        for other in ("uint8", "int16", "float16", "uint32", "float64"):
            close(torch.tensor(x).view(dtype=getattr(torch, other)).view(torch.uint8), x.view(other).view(np.uint8))
    with pytest.raises(ShapeError, match="multiple of 4"):
        torch.ones(2, 6, dtype=torch.int8).view(torch.int32)
    with pytest.raises(ShapeError, match="an axis"):
        torch.tensor(1.0).view(torch.int8)


def test_windows_powers_and_extremes() -> None:
    n = np.arange(6)
    close(torch.hann_window(6, dtype=torch.float64), 0.5 - 0.5 * np.cos(2 * np.pi * n / 6))
    close(torch.hamming_window(6, False, 0.6, 0.3, dtype=torch.float64), 0.6 - 0.3 * np.cos(2 * np.pi * n / 5))
    close(torch.bartlett_window(6, False, dtype=torch.float64), np.bartlett(6))
    close(torch.blackman_window(6, False, dtype=torch.float64), np.blackman(6))
    close(torch.kaiser_window(6, False, 5.0, dtype=torch.float64), np.kaiser(6, 5.0))
    for increasing in (False, True):
        close(torch.vander(torch.tensor([1, 2, 3]), 4, increasing), np.vander([1, 2, 3], 4, increasing))
    index = torch.tensor([0, 0, 1])
    start = torch.zeros(2, dtype=torch.int64)
    assert start.scatter_reduce(0, index, torch.tensor([3, 2, 5]), "min", include_self=False).tolist() == [2, 5]
    assert start.scatter_reduce(0, index, torch.tensor([3, 2, 5]), "max").tolist() == [3, 5]


def test_norms_that_vectors_do_not_have() -> None:
    for x, order, axes in ((X[0], "fro", None), (X[0], "nuc", 0), (X, "fro", 1), (X[None], 1, None), (X, 1, (0,) * 3)):
        with pytest.raises(ArgumentError):
            torch.linalg.norm(torch.tensor(x), order, axes)
    close(torch.linalg.norm(torch.tensor(X), "nuc"), np.linalg.norm(X, "nuc"))
    close(torch.linalg.norm(torch.tensor(X), 1, (1,)), np.linalg.norm(X, 1, 1))
    close(torch.linalg.norm(torch.tensor(X[None])), np.linalg.norm(X))


@pytest.mark.parametrize("sampled", [True, False])
def test_a_text_that_grows_is_planned_once(sampled: bool) -> None:
    """Generating one token at a time, with the whole text kept: nothing is planned anew for a longer text."""
    from duograph.runtime import execute

    torch.manual_seed(0)
    embedding, head = torch.nn.Embedding(7, 5), torch.nn.Linear(5, 7)
    block, text = 4, torch.zeros((1, 1), dtype=torch.int64)
    plans: list[int] = []
    execute.observers.append(lambda *_: plans.append(text.shape[1]))
    try:
        with torch.no_grad():
            for _ in range(20):
                logits = head(embedding(text[:, -block:]).mean(1))
                token = torch.multinomial(logits.softmax(-1), 1) if sampled else logits.argmax(-1, keepdim=True)
                text = torch.cat([text, token], 1)
    finally:
        execute.observers.pop()
    assert text.shape == (1, 21) and text.min() >= 0 and text.max() < 7
    assert max(plans) <= block + 1


def test_whole_numbers_put_to_others_keep_their_meaning() -> None:
    x = torch.tensor([[1, 2]])
    y = torch.cat([x, x + 1], 0)
    x[0, 0] = 9
    assert y.tolist() == [[1, 2], [2, 3]]
    assert torch.cat([x.int(), x], 1).dtype is torch.int64
    assert torch.cat([x > 1, x > 2]).tolist() == [[True, True], [True, False]]
