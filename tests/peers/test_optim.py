"""Optimisers and schedules beside PyTorch's: the same weights, the same state, exchanged both ways."""

from __future__ import annotations

import inspect
import math
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import duograph.torch as dtorch

STEPS = 20
CASES = [
    ("SGD", {}),
    ("SGD", {"lr": 0.01, "momentum": 0.9}),
    ("SGD", {"lr": 0.01, "momentum": 0.9, "dampening": 0.1, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.01, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"lr": 1e-5, "maximize": True}),
    ("Adam", {}),
    ("Adam", {"amsgrad": True, "weight_decay": 0.1}),
    ("Adam", {"betas": (0.8, 0.99), "eps": 1e-3, "maximize": True}),
    ("AdamW", {}),
    ("AdamW", {"amsgrad": True}),
    ("NAdam", {}),
    ("NAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RAdam", {"lr": 0.01}),
    ("RAdam", {"weight_decay": 0.1}),
    ("Adamax", {"weight_decay": 0.1}),
    ("RMSprop", {}),
    ("RMSprop", {"momentum": 0.9, "weight_decay": 0.1}),
    ("RMSprop", {"centered": True}),
    ("RMSprop", {"centered": True, "momentum": 0.5}),
    ("Adagrad", {"lr_decay": 0.1, "initial_accumulator_value": 0.5}),
    ("Adadelta", {"weight_decay": 0.1}),
    ("Rprop", {}),
    ("ASGD", {}),
    ("ASGD", {"t0": 5, "lambd": 0.01}),
    ("Adafactor", {}),
    ("Adafactor", {"weight_decay": 0.1, "lr": 0.05}),
    ("LBFGS", {"max_iter": 4, "lr": 0.3}),
    ("LBFGS", {"max_iter": 4, "line_search_fn": "strong_wolfe"}),
    ("Muon", {}),
]


def identifier(case):
    return f"{case[0]}-{'-'.join(f'{k}={v}' for k, v in case[1].items())}"


def problem(framework, dtype=np.float64, matrices=False):
    rng = np.random.default_rng(0)
    shapes = [(5, 4), (4, 3)] if matrices else [(5, 4), (4,)]
    parameters = [framework.nn.Parameter(framework.tensor(rng.standard_normal(s).astype(dtype))) for s in shapes]
    x = framework.tensor(rng.standard_normal((8, 5)).astype(dtype))

    def loss():
        y = x @ parameters[0]
        y = (y @ parameters[1] if matrices else y + parameters[1]).tanh()
        return ((y - 0.3) ** 2).mean()

    return parameters, loss


def train(optimizer, loss, steps=STEPS, after=None):
    def closure():
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    for k in range(steps):
        optimizer.step(closure)
        if after is not None:
            after(k)


def close(found, expected, rtol=1e-9):
    np.testing.assert_allclose(found.detach().numpy(), expected.detach().numpy(), rtol=rtol, atol=1e-12)


@pytest.mark.parametrize("case", CASES, ids=identifier)
def test_optimizer_agrees_with_pytorch(case):
    name, keywords = case
    matrices = name == "Muon"
    # Muon multiplies in bfloat16, and PyTorch keeps the counters of NAdam and ASGD in float32
    rtol = {"Muon": 0.05, "NAdam": 1e-5, "ASGD": 1e-7, "Adafactor": 1e-5}.get(name, 1e-9)
    theirs, their_loss = problem(torch, matrices=matrices)
    ours, our_loss = problem(dtorch, matrices=matrices)
    a = getattr(torch.optim, name)(theirs, **keywords)
    b = getattr(dtorch.optim, name)(ours, **keywords)
    steps = 3 if name == "LBFGS" else STEPS  # which then has converged, and rounding decides
    train(a, their_loss, steps)
    train(b, our_loss, steps)
    for x, y in zip(theirs, ours, strict=True):
        close(y, x, rtol)
    expected, found = a.state_dict(), b.state_dict()
    assert [list(g) for g in found["param_groups"]] == [list(g) for g in expected["param_groups"]]
    if name == "LBFGS":
        return
    assert {k: list(s) for k, s in found["state"].items()} == {k: list(s) for k, s in expected["state"].items()}
    for k, state in expected["state"].items():
        for entry, value in state.items():
            assert found["state"][k][entry].shape == value.shape, entry
            close(found["state"][k][entry].double(), value.double(), max(rtol, 1e-6))


@pytest.mark.parametrize("case", [c for c in CASES if c[0] not in ("LBFGS", "Muon")], ids=identifier)
def test_state_moves_between_the_frameworks(case):
    name, keywords = case
    theirs, their_loss = problem(torch)
    a = getattr(torch.optim, name)(theirs, **keywords)
    train(a, their_loss, 5)
    ours, our_loss = problem(dtorch)
    for x, y in zip(theirs, ours, strict=True):
        y.data = dtorch.tensor(x.detach().numpy())
    b = getattr(dtorch.optim, name)(ours, **keywords)

    def convert(value):
        if isinstance(value, torch.Tensor):
            return dtorch.tensor(value.numpy())
        return {k: convert(v) for k, v in value.items()} if isinstance(value, dict) else value

    b.load_state_dict(convert(a.state_dict()))
    train(a, their_loss, 5)
    train(b, our_loss, 5)
    for x, y in zip(theirs, ours, strict=True):
        close(y, x, 1e-5 if name in ("NAdam", "Adafactor") else 1e-9)


@pytest.mark.parametrize("name", sorted({c[0] for c in CASES}))
def test_arguments_have_pytorchs_names(name):
    theirs = inspect.signature(getattr(torch.optim, name).__init__).parameters
    ours = inspect.signature(getattr(dtorch.optim, name).__init__).parameters
    assert list(ours) == list(theirs)
    for argument in list(theirs)[2:]:
        assert ours[argument].default == theirs[argument].default, argument
        assert ours[argument].kind == theirs[argument].kind, argument


SCHEDULES = [
    ("LambdaLR", lambda S, o: S.LambdaLR(o, lambda e: 0.9**e)),
    ("MultiplicativeLR", lambda S, o: S.MultiplicativeLR(o, lambda e: 0.95)),
    ("StepLR", lambda S, o: S.StepLR(o, 3, 0.5)),
    ("MultiStepLR", lambda S, o: S.MultiStepLR(o, [2, 5, 5, 9], 0.5)),
    ("ConstantLR", lambda S, o: S.ConstantLR(o, 0.25, 4)),
    ("LinearLR", lambda S, o: S.LinearLR(o, 0.25, 0.8, 4)),
    ("ExponentialLR", lambda S, o: S.ExponentialLR(o, 0.9)),
    ("PolynomialLR", lambda S, o: S.PolynomialLR(o, 7, 2.0)),
    ("CosineAnnealingLR", lambda S, o: S.CosineAnnealingLR(o, 5, 0.001)),
    ("CosineAnnealingWarmRestarts", lambda S, o: S.CosineAnnealingWarmRestarts(o, 3, 2, 0.001)),
    ("CyclicLR", lambda S, o: S.CyclicLR(o, 0.01, 0.1, 3, 4, "triangular2")),
    ("CyclicLR exp", lambda S, o: S.CyclicLR(o, 0.01, 0.1, 3, mode="exp_range", gamma=0.9, cycle_momentum=False)),
    ("OneCycleLR", lambda S, o: S.OneCycleLR(o, 0.1, 25)),
    ("OneCycleLR 3", lambda S, o: S.OneCycleLR(o, 0.1, 25, three_phase=True, anneal_strategy="linear")),
    ("SequentialLR", lambda S, o: S.SequentialLR(o, [S.ConstantLR(o, 0.1, 3), S.ExponentialLR(o, 0.9)], [4])),
    ("ChainedScheduler", lambda S, o: S.ChainedScheduler([S.ConstantLR(o, 0.1, 3), S.ExponentialLR(o, 0.9)])),
]


@pytest.mark.parametrize("case", SCHEDULES, ids=lambda c: c[0])
def test_schedule_agrees_with_pytorch(case):
    _, make = case
    rates = []
    for framework in (torch, dtorch):
        parameters, _ = problem(framework)
        optimizer = framework.optim.SGD(
            [{"params": parameters[:1]}, {"params": parameters[1:], "lr": 0.2}], lr=0.05, momentum=0.9
        )
        scheduler = make(framework.optim.lr_scheduler, optimizer)
        seen = []
        for k in range(20):
            optimizer.step()
            seen.append([(g["lr"], g["momentum"]) for g in optimizer.param_groups])
            assert scheduler.get_last_lr() == [g["lr"] for g in optimizer.param_groups]
            scheduler.step()
            if k == 10:
                state, now = scheduler.state_dict(), [(g["lr"], g["momentum"]) for g in optimizer.param_groups]
                scheduler = make(framework.optim.lr_scheduler, optimizer)
                for group, (rate, momentum) in zip(optimizer.param_groups, now, strict=True):
                    group["lr"], group["momentum"] = rate, momentum
                scheduler.load_state_dict(state)
        rates.append(seen)
    np.testing.assert_allclose(rates[1], rates[0], rtol=1e-12)


@pytest.mark.parametrize("keywords", [{}, {"mode": "max", "threshold_mode": "abs", "cooldown": 2}, {"min_lr": 0.01}])
def test_plateau_agrees_with_pytorch(keywords):
    rates = []
    for framework in (torch, dtorch):
        parameters, _ = problem(framework)
        optimizer = framework.optim.SGD(parameters, lr=0.1)
        scheduler = framework.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=2, **keywords)
        seen = []
        for k in range(30):
            scheduler.step(math.cos(k / 3) / (k + 1))
            seen.append(optimizer.param_groups[0]["lr"])
        rates.append(seen)
    assert rates[0] == rates[1]


def test_epoch_argument_agrees_with_pytorch():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rates = []
        for framework in (torch, dtorch):
            parameters, _ = problem(framework)
            optimizer = framework.optim.SGD(parameters, lr=0.1)
            S = framework.optim.lr_scheduler
            warm = S.CosineAnnealingWarmRestarts(optimizer, 3, 2)
            seen = []
            for epoch in (0, 0.5, 2.5, 3.0, 7.25, 9.0, 20.5):
                warm.step(epoch)
                seen.append(optimizer.param_groups[0]["lr"])
            step = S.StepLR(optimizer, 2)
            for epoch in (1, 5, 3):
                step.step(epoch)
                seen.append(optimizer.param_groups[0]["lr"])
            rates.append(seen)
        np.testing.assert_allclose(rates[1], rates[0], rtol=1e-12)
