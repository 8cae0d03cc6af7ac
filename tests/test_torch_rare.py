"""Layers and optimisers that few programs use, by what they have to do."""

from __future__ import annotations

import numpy as np

import duograph.torch as torch


def test_sparse_adam_leaves_rows_without_gradient() -> None:
    torch.manual_seed(0)
    table = torch.nn.Embedding(5, 3, sparse=True)
    before = table.weight.detach().clone()
    optimizer = torch.optim.SparseAdam(table.parameters(), lr=0.1)
    table(torch.tensor([1, 3])).sum().backward()
    optimizer.step()
    moved = (table.weight.detach() - before).numpy()
    np.testing.assert_allclose(moved[[1, 3]], -0.1, rtol=1e-4)  # the first step of Adam is the rate itself
    assert not moved[[0, 2, 4]].any()


def test_fractional_max_pool_takes_largest_elements() -> None:
    x = torch.arange(49.0).reshape(1, 1, 7, 7)
    values, places = torch.nn.FractionalMaxPool2d(2, output_size=4, return_indices=True)(x)
    assert tuple(values.shape) == (1, 1, 4, 4)
    assert x.flatten()[places.flatten()].tolist() == values.flatten().tolist()
    assert values[0, 0, -1, -1].item() == 48 and (values[0, 0].diff(dim=0) > 0).all()


def test_linear_cross_entropy_is_that_of_the_product() -> None:
    torch.manual_seed(0)
    loss = torch.nn.LinearCrossEntropyLoss(6, 4)
    x, classes = torch.randn(5, 6, requires_grad=True), torch.tensor([0, 3, 1, 1, 2])
    found = loss(x, classes)
    (weight,) = loss.parameters()
    expected = torch.nn.functional.cross_entropy(x @ weight.T, classes)
    np.testing.assert_allclose(found.item(), expected.item(), rtol=1e-5)
    for mine, other in zip(
        torch.autograd.grad(found, [x, weight]), torch.autograd.grad(expected, [x, weight]), strict=True
    ):
        np.testing.assert_allclose(mine.numpy(), other.numpy(), rtol=1e-4, atol=1e-6)
