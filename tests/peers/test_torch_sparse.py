"""Sparse tensors beside PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import duograph.torch as ours

pytestmark = pytest.mark.filterwarnings("ignore:Sparse invariant checks")
FRAMEWORKS = (torch, ours)
PLACES = np.array([[0, 2, 2, 1, 0], [1, 0, 3, 3, 1]])
VALUES = np.array([1.0, -2.0, 3.0, 4.0, 5.0])
DENSE = np.random.default_rng(0).standard_normal((4, 3))


def dense(tc: Any, x: Any) -> np.ndarray:
    if not isinstance(x, tc.Tensor) or x.is_sparse:
        x = x.to_dense()
    return x.detach().numpy()


def both(call: Callable[..., Any]) -> None:
    """A call of the framework, a sparse matrix, its values and a dense matrix, and the gradients of what it gives."""
    found = []
    for tc in FRAMEWORKS:
        v, d = tc.tensor(VALUES, requires_grad=True), tc.tensor(DENSE, requires_grad=True)
        s = tc.sparse_coo_tensor(tc.tensor(PLACES), v, (3, 4))
        made = call(tc, s, d)
        arrays = [dense(tc, made)]
        whole = made if isinstance(made, tc.Tensor) and not made.is_sparse else made.to_dense()
        grads = tc.autograd.grad((whole * whole).sum(), (v, d), allow_unused=True)
        arrays += [np.zeros(0) if g is None else g.numpy() for g in grads]
        found.append(arrays)
    for theirs, mine in zip(*found, strict=True):
        np.testing.assert_allclose(mine, theirs, 1e-9)


def test_products() -> None:
    both(lambda tc, s, d: s @ d)
    both(lambda tc, s, d: tc.sparse.mm(s, d))
    both(lambda tc, s, d: tc.mm(s, d))
    both(lambda tc, s, d: tc.spmm(s, d))
    both(lambda tc, s, d: tc.matmul(s, d))
    both(lambda tc, s, d: s.matmul(d[:, 0]))
    both(lambda tc, s, d: s.t() @ (s @ d))
    both(lambda tc, s, d: tc.sparse.addmm(tc.ones(3, 3, dtype=tc.float64), s, d, beta=0.5, alpha=2.0))


def test_sums_and_factors() -> None:
    both(lambda tc, s, d: s.coalesce())
    both(lambda tc, s, d: s.to_dense())
    both(lambda tc, s, d: s * 3)
    both(lambda tc, s, d: s + s * 2)
    both(lambda tc, s, d: tc.sparse.sum(s))
    both(lambda tc, s, d: tc.sparse.sum(s, 1))
    both(lambda tc, s, d: s.t().coalesce())
    both(lambda tc, s, d: s.transpose(0, 1).to_dense() + d[:, :3])


@pytest.mark.parametrize("dim", [0, 1])
def test_softmax(dim: int) -> None:
    both(lambda tc, s, d: tc.sparse.softmax(s.coalesce(), dim))
    both(lambda tc, s, d: tc.sparse.log_softmax(s.coalesce(), dim))


def test_what_they_are() -> None:
    texts = []
    for tc in FRAMEWORKS:
        s = tc.sparse_coo_tensor(PLACES.tolist(), VALUES.tolist())
        made = s.coalesce()
        facts = [tuple(s.shape), s.size(0), s.dim(), s.sparse_dim(), s.dense_dim(), s._nnz(), made._nnz(), s.is_sparse]
        facts += [s.is_coalesced(), made.is_coalesced(), made.indices().tolist(), made.values().tolist(), s.numel()]
        facts += [str(s.layout) == str(tc.sparse_coo), str(tc.ones(1).layout) == str(tc.strided), str(made)]
        facts += [dense(tc, s.double()).dtype, s.float().dtype == tc.float32, s.requires_grad]
        again = tc.tensor([[0.0, 2.0], [0.0, 0.0], [1.0, 3.0]]).to_sparse()
        facts += [again.indices().tolist(), again.values().tolist(), again.is_coalesced()]
        part = tc.tensor([[0.0, 2.0], [0.0, 0.0], [1.0, 3.0]]).to_sparse(1)
        facts += [part.indices().tolist(), part.values().tolist(), part.dense_dim()]
        facts += [tc.ones(3, 4).sparse_mask(made).to_dense().tolist()]
        facts += [tc.sparse_coo_tensor(tc.tensor([[1, 1]]), tc.ones(2, 2), (3, 2)).to_dense().tolist()]
        texts.append(facts)
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    "call",
    [
        lambda tc: tc.sparse_coo_tensor([[5], [0]], [1.0], (2, 3), check_invariants=True),
        lambda tc: tc.sparse_coo_tensor([[0], [0]], [1.0, 2.0]),
        lambda tc: tc.sparse_coo_tensor([[0, 0], [1, 1]], [1.0, 2.0]).indices(),
        lambda tc: tc.sparse_coo_tensor([[0], [0]], [1.0], (2, 3)) @ tc.ones(4, 2),
        lambda tc: tc.sparse_coo_tensor([[-1], [0]], [1.0], (2, 3), check_invariants=True),
        lambda tc: tc.sparse_coo_tensor([[0], [0]], [1.0], (2, 3, 4)),
    ],
)  # fmt: skip
def test_refusals(call: Any) -> None:
    for tc in FRAMEWORKS:
        with pytest.raises(RuntimeError):
            call(tc)
