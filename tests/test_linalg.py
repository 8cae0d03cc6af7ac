"""Linear algebra under PyTorch's names: values against what they must satisfy, and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import duograph.torch as torch
from duograph.graph.errors import LinearAlgebraError, ShapeError

RNG = np.random.default_rng(3)
SQUARE = RNG.normal(size=(2, 4, 4))
TALL = RNG.normal(size=(2, 5, 3))
WIDE = RNG.normal(size=(3, 5))
DEFINITE = SQUARE @ SQUARE.swapaxes(-1, -2) + np.eye(4)


def close(received: Any, expected: Any, tolerance: float = 1e-10) -> None:
    np.testing.assert_allclose(received.detach().numpy(), expected, rtol=tolerance, atol=tolerance)


def test_solve_takes_vectors_matrices_and_batches() -> None:
    a, b = torch.tensor(SQUARE), torch.tensor(TALL[0, :4])
    close(a @ torch.linalg.solve(a, b), np.broadcast_to(TALL[0, :4], (2, 4, 3)))
    v = torch.tensor(WIDE[0, :4])
    close(torch.linalg.solve(a[0], v), np.linalg.solve(SQUARE[0], WIDE[0, :4]))
    close(torch.linalg.solve(a, b.mT, left=False) @ a, np.broadcast_to(TALL[0, :4].T, (2, 3, 4)))
    close(torch.linalg.inv(a) @ a, np.broadcast_to(np.eye(4), (2, 4, 4)))


@pytest.mark.parametrize("array", [SQUARE, TALL, WIDE], ids=["square", "tall", "wide"])
def test_decompositions_multiply_to_the_matrix(array: np.ndarray) -> None:
    a = torch.tensor(array)
    q, r = torch.linalg.qr(a)
    close(q @ r, array)
    close(q.mT @ q, np.broadcast_to(np.eye(q.shape[-1]), (*q.shape[:-2], q.shape[-1], q.shape[-1])))
    for full in (True, False):
        u, s, vh = torch.linalg.svd(a, full_matrices=full)
        size = s.shape[-1]
        close(u[..., :size] * s.unsqueeze(-2) @ vh[..., :size, :], array)
    p, lower, upper = torch.linalg.lu(a)
    close(p @ lower @ upper, array)
    close(a @ torch.linalg.pinv(a) @ a, array)


def test_cholesky_and_eigh_read_one_triangle() -> None:
    lower, upper = torch.tensor(np.tril(DEFINITE)), torch.tensor(np.triu(DEFINITE))
    factor = torch.linalg.cholesky(lower)
    close(factor @ factor.mT, DEFINITE)
    close(torch.linalg.cholesky(upper, upper=True), np.linalg.cholesky(DEFINITE).swapaxes(-1, -2))
    values, vectors = torch.linalg.eigh(lower)
    close(vectors * values.unsqueeze(-2) @ vectors.mT, DEFINITE)
    close(torch.linalg.eigvalsh(upper, "U"), np.linalg.eigvalsh(DEFINITE))


def test_determinants() -> None:
    a = torch.tensor(SQUARE, requires_grad=True)
    close(torch.linalg.det(a), np.linalg.det(SQUARE))
    sign, size = torch.linalg.slogdet(a)
    close(sign * size.exp(), np.linalg.det(SQUARE))
    close(torch.logdet(torch.tensor(DEFINITE)), np.linalg.slogdet(DEFINITE)[1])
    singular = torch.ones(2, 2, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(torch.linalg.det(singular), singular)
    close(gradient, np.array([[1.0, -1], [-1, 1]]))


def test_powers_and_exponentials() -> None:
    a = torch.tensor(SQUARE)
    close(torch.linalg.matrix_power(a, 5), np.linalg.matrix_power(SQUARE, 5), 1e-8)
    close(torch.linalg.matrix_power(a, -2) @ a @ a, np.broadcast_to(np.eye(4), (2, 4, 4)), 1e-8)
    turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
    close(torch.matrix_exp(turn * 2), np.array([[np.cos(2), -np.sin(2)], [np.sin(2), np.cos(2)]]))


@pytest.mark.parametrize("ord", ["fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf])
def test_matrix_norms(ord: Any) -> None:
    close(torch.linalg.matrix_norm(torch.tensor(WIDE), ord), np.linalg.norm(WIDE, ord))
    close(torch.linalg.cond(torch.tensor(SQUARE[0]), ord), np.linalg.cond(SQUARE[0], ord), 1e-8)


def test_least_squares_and_rank() -> None:
    a, b = TALL[0], TALL[1]
    found = torch.linalg.lstsq(torch.tensor(a), torch.tensor(b))
    close(found.solution, np.linalg.lstsq(a, b, rcond=None)[0])
    assert int(torch.linalg.matrix_rank(torch.tensor(np.outer(WIDE[0], WIDE[1])))) == 1


def test_a_product_of_many_is_taken_in_the_order_of_least_work() -> None:
    arrays = [RNG.normal(size=s) for s in [(2, 9), (9, 3), (3, 8), (8, 1)]]
    close(torch.linalg.multi_dot([torch.tensor(a) for a in arrays]), np.linalg.multi_dot(arrays))


def test_gradients_by_finite_differences() -> None:
    def value(x: Any) -> Any:
        _, r = torch.linalg.qr(x)
        _, s, vh = torch.linalg.svd(x, full_matrices=False)
        return r.sum() + (s * torch.arange(4.0, dtype=x.dtype)).sum() + (vh * vh * vh).sum() + torch.linalg.inv(x).sum()

    a = torch.tensor(SQUARE[0], requires_grad=True)
    (gradient,) = torch.autograd.grad(value(a), a)
    direction = RNG.normal(size=(4, 4))
    ahead, behind = (float(value(torch.tensor(SQUARE[0] + step * direction))) for step in (1e-6, -1e-6))
    assert float((gradient.numpy() * direction).sum()) == pytest.approx((ahead - behind) / 2e-6, rel=1e-5)


def test_what_is_refused() -> None:
    with pytest.raises(LinearAlgebraError, match="solve: singular matrix"):
        torch.linalg.inv(torch.zeros(2, 2)).numpy()
    with pytest.raises(torch.linalg.LinAlgError, match="cholesky"):
        torch.linalg.cholesky(-torch.eye(2)).numpy()
    with pytest.raises(ShapeError, match="square"):
        torch.linalg.det(torch.zeros(2, 3))
    with pytest.raises(ShapeError, match="eig: expected square"):
        torch.linalg.eig(torch.zeros(2, 3))
