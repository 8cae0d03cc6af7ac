"""`torch.nn.utils` beside PyTorch's: pruning, orthogonal weights, normalisation taken into weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.utils.prune  # PyTorch loads it only then

import duograph.torch as ours

WEIGHT = np.random.default_rng(3).standard_normal((6, 4)).astype(np.float32)
SCORES = np.random.default_rng(4).standard_normal((6, 4)).astype(np.float32)
FRAMEWORKS = (torch, ours)


def linear(tc: Any, weight: np.ndarray = WEIGHT) -> Any:
    layer = tc.nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    layer.load_state_dict({"weight": tc.tensor(weight)})
    return layer


def same(theirs: Any, mine: Any, tolerance: float = 1e-5) -> None:
    a, b = theirs.state_dict(), mine.state_dict()
    assert list(a) == list(b)
    for name, value in a.items():
        np.testing.assert_allclose(b[name].numpy(), value.numpy(), tolerance, tolerance, err_msg=name)


@pytest.mark.parametrize(
    "steps",
    [
        [("identity", ())],
        [("l1_unstructured", (0.3,))],
        [("l1_unstructured", (5,)), ("l1_unstructured", (0.5,))],
        [("ln_structured", (0.5, 2, 0)), ("l1_unstructured", (3,))],
        [("ln_structured", (1, 1, 1)), ("ln_structured", (0.5, float("inf"), 0)), ("l1_unstructured", (2,))],
        [("l1_unstructured", (0,)), ("ln_structured", (0, 2, -1))],
        [("custom_from_mask", (SCORES > 0,)), ("l1_unstructured", (2,))],
    ],
)
def test_pruning_leaves_the_same(steps: list[tuple[str, tuple[Any, ...]]]) -> None:
    layers = []
    for tc in FRAMEWORKS:
        prune, layer = tc.nn.utils.prune, linear(tc)
        for name, arguments in steps:
            given = [tc.tensor(a) if isinstance(a, np.ndarray) else a for a in arguments]
            getattr(prune, name)(layer, "weight", *given)
        layers.append(layer)
    theirs, mine = layers
    same(theirs, mine)
    gradients = []
    for tc, layer in zip(FRAMEWORKS, layers, strict=True):
        layer(tc.tensor(SCORES)).square().sum().backward()
        gradients.append(layer.weight_orig.grad.numpy())
        assert tc.nn.utils.prune.is_pruned(tc.nn.Sequential(layer))
        tc.nn.utils.prune.remove(layer, "weight")
        assert not tc.nn.utils.prune.is_pruned(layer) and isinstance(layer.weight, tc.nn.Parameter)
    np.testing.assert_allclose(gradients[1], gradients[0], 1e-4, 1e-4)
    same(theirs, mine)


def test_importances_decide() -> None:
    layers = []
    for tc in FRAMEWORKS:
        layer = linear(tc)
        tc.nn.utils.prune.l1_unstructured(layer, "weight", 7, importance_scores=tc.tensor(SCORES))
        tc.nn.utils.prune.ln_structured(layer, "weight", 1, 2, 0, importance_scores=tc.tensor(SCORES))
        layers.append(layer)
    same(*layers)


@pytest.mark.parametrize("scored", [False, True])
def test_pruning_of_a_whole_model(scored: bool) -> None:
    models = []
    for tc in FRAMEWORKS:
        model = tc.nn.Sequential(linear(tc), tc.nn.ReLU(), linear(tc, WEIGHT.T * 0.5))
        pairs = [(model[0], "weight"), (model[2], "weight")]
        given = {pairs[0]: tc.tensor(SCORES)} if scored else None
        prune = tc.nn.utils.prune
        for _ in range(2):
            prune.global_unstructured(pairs, prune.L1Unstructured, importance_scores=given, amount=0.3)
        models.append(model)
    same(*models)


@pytest.mark.parametrize(
    ("name", "arguments", "keywords"),
    [
        ("l1_unstructured", ("weight", 1.5), {}), ("l1_unstructured", ("weight", -1), {}),
        ("l1_unstructured", ("weight", "all"), {}), ("l1_unstructured", ("weight", 100), {}),
        ("l1_unstructured", ("nothing", 1), {}), ("remove", ("weight",), {}),
        ("ln_structured", ("weight", 1, 2, 5), {}), ("random_structured", ("bias", 1, 0), {}),
    ],
)  # fmt: skip
def test_pruning_refuses(name: str, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
    kinds = []
    for tc in FRAMEWORKS:
        layer = tc.nn.Linear(4, 6)
        with pytest.raises(Exception) as caught:  # noqa: PT011
            getattr(tc.nn.utils.prune, name)(layer, *arguments, **keywords)
        kinds.append(caught.type)
        assert isinstance(layer.weight, tc.nn.Parameter) and sorted(layer.state_dict()) == ["bias", "weight"]
    assert issubclass(kinds[1], kinds[0])


def test_methods_of_ones_own_and_containers() -> None:
    masks = []
    for tc in FRAMEWORKS:
        prune = tc.nn.utils.prune

        class EverySecond(prune.BasePruningMethod):  # type: ignore[misc, name-defined]
            PRUNING_TYPE = "unstructured"

            def compute_mask(self, t: Any, default_mask: Any) -> Any:
                mask = default_mask.clone()
                mask.view(-1)[::2] = 0
                return mask

        layer = linear(tc)
        prune.l1_unstructured(layer, "weight", 4)
        EverySecond.apply(layer, "weight")
        (hook,) = layer._forward_pre_hooks.values()
        container = getattr(hook, "function", hook)
        assert isinstance(container, prune.PruningContainer) and len(container) == 2
        assert isinstance(container[1], EverySecond)
        pruned = prune.L1Unstructured(amount=2).prune(tc.tensor(WEIGHT))
        masks.append((layer.weight_mask.numpy(), pruned.numpy()))
    for mine, theirs in zip(masks[1], masks[0], strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("trivial", [True, False])
@pytest.mark.parametrize("kind", ["matrix_exp", "cayley", "householder"])
@pytest.mark.parametrize("shape", [(4, 4), (6, 3), (3, 6), (2, 5, 3)])
def test_orthogonal_weights(shape: tuple[int, ...], kind: str, trivial: bool) -> None:
    start = np.random.default_rng(1).standard_normal(shape)
    step = np.random.default_rng(2).standard_normal(shape) * 0.1
    made = []
    for tc in FRAMEWORKS:
        module = tc.nn.Module()
        module.weight = tc.nn.Parameter(tc.tensor(start))
        tc.nn.utils.parametrizations.orthogonal(module, "weight", kind, use_trivialization=trivial)
        made.append(module)
    theirs, mine = made
    square = shape[-1] == shape[-2]
    if trivial and not square:  # the rest of the base is random
        mine.load_state_dict({name: ours.tensor(value.numpy()) for name, value in theirs.state_dict().items()})
    same(theirs, mine, 1e-9)
    weights, gradients = [], []
    for tc, module in zip(FRAMEWORKS, made, strict=True):
        original = module.parametrizations.weight.original
        with tc.no_grad():
            moved = tc.tensor(step)
            if kind == "householder":
                moved.diagonal(dim1=-2, dim2=-1).zero_()
            original.add_(moved)
        (module.weight * tc.tensor(start)).sum().backward()
        weights.append(module.weight.detach().numpy())
        gradients.append(original.grad.numpy())
    np.testing.assert_allclose(weights[1], weights[0], 1e-8, 1e-8)
    np.testing.assert_allclose(gradients[1], gradients[0], 1e-7, 1e-7)
    tall = weights[1] if shape[-2] >= shape[-1] else weights[1].swapaxes(-1, -2)
    identity = np.broadcast_to(np.eye(tall.shape[-1]), (*tall.shape[:-2], *2 * (tall.shape[-1],)))
    np.testing.assert_allclose(tall.swapaxes(-1, -2) @ tall, identity, 0, 1e-9)
    if trivial and square:
        for tc, module in zip(FRAMEWORKS, made, strict=True):
            module.weight = tc.tensor(start + step)
        same(theirs, mine, 1e-9)


@pytest.mark.parametrize(
    ("shape", "keywords"),
    [((3,), {}), ((3, 3), {"orthogonal_map": "polar"}), ((3, 3), {"name": "nothing"})],
)
def test_orthogonal_refuses(shape: tuple[int, ...], keywords: dict[str, Any]) -> None:
    for tc in FRAMEWORKS:
        module = tc.nn.Module()
        module.weight = tc.nn.Parameter(tc.ones(shape))
        with pytest.raises(ValueError, match=r"matri|has no parameter"):
            tc.nn.utils.parametrizations.orthogonal(module, **keywords)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("layer", ["Conv1d", "Conv2d", "ConvTranspose2d", "Linear"])
def test_batch_normalisation_in_the_weights(layer: str, affine: bool, bias: bool) -> None:
    axes = 0 if layer == "Linear" else int(layer[-2])
    if layer == "Linear" and not affine:
        pytest.skip("PyTorch wants weights there")
    results, states = [], []
    state: dict[str, Any] = {}
    for tc in FRAMEWORKS:
        sizes = (3, 5) if layer == "Linear" else (3, 5, 3)
        first = getattr(tc.nn, layer)(*sizes, bias=bias)
        norm = getattr(tc.nn, f"BatchNorm{max(axes, 1)}d")(5, affine=affine)
        whole = tc.nn.Sequential(first, norm).eval()
        if not state:
            rng = np.random.default_rng(0)
            state = {
                name: (rng.random(tuple(v.shape)) + 0.5).astype(np.float32) for name, v in whole.state_dict().items()
            }
            state["1.num_batches_tracked"] = np.array(3)
        whole.load_state_dict({name: tc.tensor(value) for name, value in state.items()})
        utils = tc.nn.utils
        fused = (
            utils.fuse_linear_bn_eval(first, norm) if layer == "Linear"
            else utils.fuse_conv_bn_eval(first, norm, layer.startswith("ConvTranspose"))
        )  # fmt: skip
        x = tc.tensor(np.random.default_rng(1).standard_normal((2, 3, *[6] * axes)).astype(np.float32))
        np.testing.assert_allclose(fused(x).detach().numpy(), whole(x).detach().numpy(), 1e-4, 1e-4)
        results.append(fused(x).detach().numpy())
        states.append({name: (v.requires_grad, v.detach().numpy()) for name, v in fused.named_parameters()})
        first.train()
        with pytest.raises(AssertionError):
            utils.fuse_conv_bn_eval(first, norm)
    np.testing.assert_allclose(results[1], results[0], 1e-4, 1e-5)
    for name, (trained, value) in states[0].items():
        assert states[1][name][0] == trained
        np.testing.assert_allclose(states[1][name][1], value, 1e-5, 1e-5)


def test_modules_that_are_not_initialised() -> None:
    for tc in FRAMEWORKS:
        made = tc.nn.utils.skip_init(tc.nn.Linear, 2, 3, bias=False)
        assert made.weight.shape == (3, 2) and made.weight.device.type == "cpu" and made.bias is None
        with pytest.raises(RuntimeError):
            tc.nn.utils.skip_init(tc.nn.ReLU)
