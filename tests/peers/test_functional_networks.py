"""Normalisations, distances, attention and recurrent networks agree with PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
F = torch.nn.functional

from duograph.functional import attention, distance, normalization, recurrent
from tests.peers.functional_torch import compare, normal, uniform

SHAPES = pytest.mark.parametrize("shape", [(4, 3), (4, 3, 5), (4, 3, 5, 2)])
INF = float("inf")


@SHAPES
def test_batch_norm(shape: tuple[int, ...]) -> None:
    def train(x, weight, bias, mean, var):
        mean, var = mean.detach().clone(), var.detach().clone()
        return F.batch_norm(x, mean, var, weight, bias, True, 0.3, 1e-3), mean, var

    mean, var = normal(3, seed=3), uniform(3)
    scale = normal(3, seed=1), normal(3, seed=2)
    op = normalization.batch_norm_train
    compare(op, train, normal(*shape), *scale, mean, var, momentum=0.3, eps=1e-3, fixed=[3, 4])
    compare(op, lambda x: F.batch_norm(x, None, None, training=True), normal(*shape))

    def evaluate(x, mean, var, weight, bias):
        return F.batch_norm(x, mean, var, weight, bias)

    compare(normalization.batch_norm_eval, evaluate, normal(*shape), mean, var, *scale, fixed=[1, 2])


def test_batch_norm_averages_over_all_batches() -> None:
    layer = torch.nn.BatchNorm1d(3, momentum=None, affine=False).double()
    mean, var = np.zeros(3), np.ones(3)
    for k in range(3):
        x = normal(4, 3, seed=k)

        def train(x, mean, var, batches):
            layer.load_state_dict({"running_mean": mean, "running_var": var, "num_batches_tracked": batches - 1})
            return layer(x), layer.running_mean.clone(), layer.running_var.clone()

        from tests.functional_tools import outputs

        given = (x, None, None, mean, var, np.array(k + 1))
        expected = [t.detach().numpy() for t in train(*map(torch.tensor, (x, mean, var, np.array(k + 1))))]
        actual = outputs(normalization.batch_norm_train, given, momentum=None)
        for a, e in zip(actual, expected, strict=True):
            np.testing.assert_allclose(a, e, 1e-12, 1e-12)
        _, mean, var = expected


@SHAPES
def test_layer_and_rms_norm(shape: tuple[int, ...]) -> None:
    inner = shape[1:]
    compare(
        normalization.layer_norm,
        lambda x, w, b: F.layer_norm(x, inner, w, b),
        normal(*shape),
        normal(*inner, seed=1),
        normal(*inner, seed=2),
        normalized_shape=inner,
    )
    compare(
        normalization.rms_norm,
        lambda x, w: F.rms_norm(x, inner, w),
        normal(*shape),
        normal(*inner, seed=1),
        normalized_shape=inner,
    )
    last = shape[-1:]
    compare(
        normalization.rms_norm, lambda x: F.rms_norm(x, last, eps=0.1), normal(*shape), normalized_shape=last, eps=0.1
    )


@pytest.mark.parametrize("shape", [(4, 12), (2, 12, 5), (2, 12, 3, 4)])
def test_group_norm(shape: tuple[int, ...]) -> None:
    compare(
        normalization.group_norm,
        lambda x, w, b: F.group_norm(x, 3, w, b),
        normal(*shape),
        normal(12),
        normal(12, seed=1),
        groups=3,
    )


def test_instance_norm() -> None:
    def train(x, weight, bias, mean, var):
        mean, var = mean.detach().clone(), var.detach().clone()
        return F.instance_norm(x, mean, var, weight, bias, True, 0.3, 1e-3), mean, var

    arrays = normal(4, 3, 5), normal(3), normal(3, seed=1), normal(3, seed=2), uniform(3)
    compare(normalization.instance_norm, train, *arrays, momentum=0.3, eps=1e-3, fixed=[3, 4])
    compare(normalization.instance_norm, F.instance_norm, normal(4, 3, 5, 2))


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_local_response_norm(size: int) -> None:
    given = {"size": size, "alpha": 0.1, "beta": 0.6, "k": 2.0}
    compare(normalization.local_response_norm, lambda x: F.local_response_norm(x, **given), normal(2, 7, 3, 4), **given)


@pytest.mark.parametrize("p", [0.5, 1.0, 2.0, 3.0, INF])
def test_normalize(p: float) -> None:
    compare(normalization.normalize, lambda x: F.normalize(x, p, 1), normal(2, 3, 4), p=p, axis=1)


@pytest.mark.parametrize("p", [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, INF])
def test_distances(p: float) -> None:
    x, y = normal(3, 4), normal(3, 4, seed=1)
    compare(distance.pairwise_distance, lambda x, y: F.pairwise_distance(x, y, p), x, y, p=p)
    compare(distance.cdist, lambda x, y: torch.cdist(x, y, p), normal(2, 3, 4), normal(2, 5, 4), p=p)
    compare(distance.pdist, lambda x: torch.pdist(x, p), normal(6, 4), p=p)
    y[1] = 0  # where a norm has no slope
    compare(distance.vector_norm, lambda x: torch.linalg.vector_norm(x, p, 1), y, p=p, axis=1)
    compare(distance.vector_norm, lambda x: torch.linalg.vector_norm(x, p), x, p=p)


def test_cosine_similarity() -> None:
    compare(distance.cosine_similarity, F.cosine_similarity, normal(3, 4, 5), normal(4, 5))
    y = normal(3, 4)
    y[1] = 0
    compare(distance.cosine_similarity, F.cosine_similarity, normal(3, 4, seed=1), y)


QUERY, KEY, VALUE = normal(2, 3, 5, 4), normal(2, 3, 6, 4), normal(2, 3, 6, 7)
SOMEWHERE = uniform(2, 1, 5, 6) > 0.4
SOMEWHERE[0, 0, 2] = False
ADDED = normal(5, 6)
ADDED[1], ADDED[0, 2] = -INF, -INF


@pytest.mark.parametrize("mask", [None, SOMEWHERE, normal(5, 6), ADDED])
def test_attention(mask: np.ndarray | None) -> None:
    compare(attention.scaled_dot_product_attention, F.scaled_dot_product_attention, QUERY, KEY, VALUE, mask, fixed=[3])


@pytest.mark.parametrize(
    ("shapes", "attributes"),
    [
        (((2, 3, 5, 4), (2, 3, 5, 4), (2, 3, 5, 7)), {"is_causal": True}),
        (((5, 4), (6, 4), (6, 7)), {"is_causal": True, "scale": 0.3}),
        (((2, 6, 5, 4), (2, 2, 6, 4), (2, 2, 6, 7)), {"enable_gqa": True}),
    ],
)
def test_attention_with_attributes(shapes: tuple, attributes: dict) -> None:
    compare(
        attention.scaled_dot_product_attention,
        lambda *t: F.scaled_dot_product_attention(*t, **attributes),
        *(normal(*s) for s in shapes),
        **attributes,
    )


@pytest.mark.parametrize("bias", [False, True])
def test_cells(bias: bool) -> None:
    def weights(gates: int) -> list[np.ndarray]:
        biases = [normal(gates * 5), normal(gates * 5, seed=1)] if bias else []
        return [normal(gates * 5, 4), normal(gates * 5, 5), *biases]

    x, h, c = normal(3, 4), normal(3, 5), normal(3, 5, seed=1)
    compare(recurrent.rnn_cell, torch.rnn_tanh_cell, x, h, *weights(1))
    compare(recurrent.rnn_cell, torch.rnn_relu_cell, x, h, *weights(1), nonlinearity="relu")
    compare(recurrent.lstm_cell, lambda x, h, c, *w: torch.lstm_cell(x, (h, c), *w), x, h, c, *weights(4))
    compare(recurrent.gru_cell, torch.gru_cell, x, h, *weights(3))


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    ("kind", "layers", "bidirectional", "projection"),
    [
        ("RNN", 1, False, 0),
        ("RNN", 2, True, 0),
        ("GRU", 1, False, 0),
        ("GRU", 2, True, 0),
        ("LSTM", 1, False, 0),
        ("LSTM", 3, False, 0),
        ("LSTM", 2, True, 0),
        ("LSTM", 2, True, 3),
    ],
)
def test_sequences(kind: str, layers: int, bidirectional: bool, projection: int, bias: bool) -> None:
    extra = {"proj_size": projection} if projection else {}
    torch.manual_seed(0)
    module = getattr(torch.nn, kind)(4, 5, layers, bias=bias, bidirectional=bidirectional, **extra).double()
    names = [name for name, _ in module.named_parameters()]
    weights = [p.detach().numpy() for p in module.parameters()]
    count = layers * (1 + bidirectional)
    states = [normal(count, 2, projection or 5)] + ([normal(count, 2, 5, seed=1)] if kind == "LSTM" else [])

    def reference(x, *rest):
        first, given = rest[: len(states)], rest[len(states) :]
        state = first if kind == "LSTM" else first[0]
        result, last = torch.func.functional_call(module, dict(zip(names, given, strict=True)), (x, state))
        return (result, *last) if kind == "LSTM" else (result, last)

    attributes = {"layers": layers, "bidirectional": bidirectional, "biases": bias}
    attributes |= {"projected": True} if projection else {}
    op = getattr(recurrent, kind.lower())
    compare(op, reference, normal(6, 2, 4), *states, *weights, dtypes=[np.float64], **attributes)
