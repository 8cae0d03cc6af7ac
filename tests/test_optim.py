"""Optimisers: groups, state, hooks, errors, and one trace for a training that goes on."""

from __future__ import annotations

import copy
import gc
import pickle
from pathlib import Path

import numpy as np
import pytest

import duograph.torch as torch
from duograph import nn, optim
from duograph.graph.errors import ArgumentError, NotSupported
from duograph.graph.trace import local, tree
from duograph.optim import lr_scheduler
from duograph.runtime import execute

NAMES = [
    "SGD",
    "Adam",
    "AdamW",
    "NAdam",
    "RAdam",
    "Adamax",
    "RMSprop",
    "Adagrad",
    "Adadelta",
    "Rprop",
    "ASGD",
    "Adafactor",
]


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))


def train(net, optimizer, steps, scheduler=None):
    x = torch.linspace(-1, 1, 24).reshape(8, 3)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = ((net(x) - 0.5) ** 2).mean()
        loss.backward()
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
        losses.append(loss)
    return losses


@pytest.mark.parametrize("name", NAMES)
def test_every_optimizer_lowers_the_loss(name):
    net = model()
    losses = train(net, getattr(optim, name)(net.parameters()), 30)
    assert losses[-1].item() < losses[0].item()


def resident_bytes():
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * 4096 if statm.exists() else 0


def test_ten_thousand_steps_are_one_trace_and_memory_stays_flat():
    weight = nn.Parameter(torch.ones(2))
    optimizer = optim.SGD([weight], lr=0.1)
    scheduler = lr_scheduler.LambdaLR(optimizer, lambda k: 1 / (1 + k))
    plans = []

    def observe(step, graph):
        plans.append(graph)

    def steps(count):
        for _ in range(count):
            optimizer.zero_grad()
            (weight * weight).sum().backward()
            optimizer.step()
            scheduler.step()

    execute.observers.append(observe)
    try:
        steps(3)
        size, first = tree.size, len(plans)
        steps(5_000)  # until then the allocator takes more memory from the system, which it keeps
        gc.collect()
        held, resident = len(gc.get_objects()), resident_bytes()
        steps(10_000)
        gc.collect()
        after = len(gc.get_objects())
    finally:
        execute.observers.remove(observe)
    assert tree.size == size
    assert len(plans) == first
    assert abs(after - held) < 100
    assert resident_bytes() - resident < 2**20


def test_a_step_leaves_nothing_pending():
    net = model()
    optimizer = optim.Adam(net.parameters())
    loss = train(net, optimizer, 1)[0]
    values = [loss._value, *(p._value for p in net.parameters())]
    values += [t._value for s in optimizer.state.values() for t in s.values()]
    assert all(v.buffer is not None for v in values)
    assert not local.trace.pending


def test_views_of_a_parameter_follow():
    weight = nn.Parameter(torch.ones(2, 2))
    with torch.no_grad():
        row = weight[0]
    optimizer = optim.SGD([weight], lr=1.0)
    weight.sum().backward()
    optimizer.step()
    assert row.tolist() == [0, 0]
    assert weight.is_leaf
    assert weight.requires_grad


def test_memory_shared_with_numpy_follows():
    array = np.ones(2, np.float32)
    weight = torch.from_numpy(array).requires_grad_()
    optimizer = optim.SGD([weight], lr=1.0)
    weight.sum().backward()
    optimizer.step()
    assert array.tolist() == [0, 0]


def test_a_gradient_through_an_updated_parameter_raises():
    weight = nn.Parameter(torch.ones(2))
    optimizer = optim.SGD([weight], lr=0.1)
    loss = (weight * weight).sum()
    loss.backward(retain_graph=True)
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified by an in-place operation"):
        loss.backward()


def test_parameters_without_gradient_are_left_alone():
    a, b = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
    optimizer = optim.Adam([a, b])
    (a * 1).sum().backward()
    optimizer.step()
    assert b.item() == 1
    assert b not in optimizer.state
    (b * 1).sum().backward()
    optimizer.step()
    assert [optimizer.state[p]["step"].item() for p in (a, b)] == [2, 1]
    assert b.item() == pytest.approx(0.999, abs=1e-6)


def test_groups():
    net = model()
    optimizer = optim.SGD(
        [{"params": net[0].parameters()}, {"params": net[2].parameters(), "lr": 0.0}], lr=0.1, momentum=0.9
    )
    before = net[2].weight.tolist()
    train(net, optimizer, 2)
    assert net[2].weight.tolist() == before
    assert [g["lr"] for g in optimizer.param_groups] == [0.1, 0.0]
    extra = nn.Parameter(torch.ones(1))
    optimizer.add_param_group({"params": extra, "lr": 1.0})
    assert optimizer.param_groups[2]["momentum"] == 0.9
    with pytest.raises(ArgumentError, match="another group"):
        optimizer.add_param_group({"params": [extra]})
    with pytest.raises(ArgumentError, match="twice"):
        optim.SGD([extra, extra])
    with pytest.raises(ArgumentError, match="leaf tensors"):
        optim.SGD([extra * 2])
    with pytest.raises(TypeError, match="fixed order"):
        optim.SGD([{"params": {extra}}])
    named = optim.SGD(net.named_parameters(), lr=0.1)
    assert named.param_groups[0]["param_names"] == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_what_is_wrong_is_said():
    weight = nn.Parameter(torch.ones(1))
    with pytest.raises(
        TypeError, match=r"Adam: expected the parameters to train\. Received: nothing; write Adam\(model.p"
    ):
        optim.Adam()
    with pytest.raises(TypeError, match=r"such as model.parameters\(\). Received: a Tensor"):
        optim.SGD(weight)
    with pytest.raises(ArgumentError, match="an empty list"):
        optim.SGD([])
    with pytest.raises(ArgumentError, match="lr: expected a number of at least 0. Received: -1"):
        optim.SGD([weight], lr=-1)
    with pytest.raises(ArgumentError, match="betas"):
        optim.Adam([weight], betas=(0.9, 1.0))
    with pytest.raises(ArgumentError, match="nesterov"):
        optim.SGD([weight], nesterov=True)
    with pytest.raises(NotSupported, match="differentiable"):
        optim.SGD([weight], differentiable=True)
    with pytest.raises(ArgumentError, match="matrices"):
        optim.Muon([weight])
    with pytest.raises(TypeError, match="expected a closure"):
        optim.LBFGS([weight]).step()
    with pytest.raises(TypeError, match="expected an Optimizer"):
        lr_scheduler.StepLR(weight, 1)


def test_closure():
    weight = nn.Parameter(torch.ones(1))
    optimizer = optim.SGD([weight], lr=0.5)

    def closure():
        optimizer.zero_grad()
        loss = (weight * weight).sum()
        loss.backward()
        return loss

    with torch.no_grad():
        assert optimizer.step(closure).item() == 1
    assert weight.item() == 0


@pytest.mark.parametrize("name", NAMES)
def test_state_goes_and_comes(name, monkeypatch):
    monkeypatch.setenv("DUOGRAPH_TIER", "compiled")  # to the last bit only where one tier computes both
    net = model()
    optimizer = getattr(optim, name)(net.parameters())
    train(net, optimizer, 3)
    other = copy.deepcopy(net)
    again = getattr(optim, name)(other.parameters())
    again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    a, b = train(net, optimizer, 3), train(other, again, 3)
    assert [x.item() for x in a] == [x.item() for x in b]


def test_state_that_does_not_fit():
    net = model()
    optimizer = optim.Adam(net.parameters())
    with pytest.raises(ArgumentError, match="expected 1 groups. Received: 2"):
        optimizer.load_state_dict({"state": {}, "param_groups": [{"params": []}, {"params": []}]})
    with pytest.raises(ArgumentError, match="expected 4 parameters in group 0. Received: 1"):
        optimizer.load_state_dict({"state": {}, "param_groups": [{"params": [0]}]})


def test_copies_and_pickles():
    net = model()
    optimizer = optim.Adam(net.parameters(), lr=0.1)
    train(net, optimizer, 2)
    for other in (copy.deepcopy((net, optimizer)), pickle.loads(pickle.dumps((net, optimizer)))):
        copied, again = other
        assert again.param_groups[0]["params"][0] is copied[0].weight
        train(copied, again, 1)
    assert "lr: 0.1" in repr(optimizer)


def test_hooks():
    net, seen = model(), []
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    optimizer.register_step_pre_hook(lambda o, args, kwargs: seen.append("before"))
    handle = optimizer.register_step_post_hook(lambda o, args, kwargs: seen.append("after"))
    optimizer.register_state_dict_post_hook(lambda o, state: {**state, "note": 1})
    optimizer.register_load_state_dict_pre_hook(lambda o, state: seen.append(state.pop("note")))
    train(net, optimizer, 1)
    handle.remove()
    train(net, optimizer, 1)
    optimizer.load_state_dict(optimizer.state_dict())
    assert seen == ["before", "after", "before", 1]


def test_an_optimizer_of_ones_own():
    class Signs(optim.Optimizer):
        def __init__(self, params, lr=0.1):
            super().__init__(params, {"lr": lr})

        @torch.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        self.state[p]["count"] = self.state[p].get("count", 0) + 1
                        p.add_(p.grad.sign(), alpha=-group["lr"])

    net = model()
    optimizer = Signs(net.parameters())
    scheduler = lr_scheduler.StepLR(optimizer, 1, 0.5)
    seen = []
    optimizer.register_step_post_hook(lambda *_: seen.append(1))
    losses = train(net, optimizer, 5, scheduler)
    assert losses[-1].item() < losses[0].item()
    assert not local.trace.pending
    assert len(seen) == 5
    assert optimizer.state[net[0].weight]["count"] == 5


def test_a_rate_that_is_a_tensor():
    net = model()
    rate = torch.tensor(0.1)
    optimizer = optim.Adam(net.parameters(), lr=rate)
    scheduler = lr_scheduler.ExponentialLR(optimizer, 0.5)
    train(net, optimizer, 2, scheduler)
    assert rate.item() == pytest.approx(0.025)


def test_momentum_that_changes_is_one_trace():
    weight = nn.Parameter(torch.ones(2))
    optimizer = optim.SGD([weight], lr=0.1, momentum=0.9)
    scheduler = lr_scheduler.OneCycleLR(optimizer, 0.1, 50)
    sizes = []
    for _ in range(40):
        optimizer.zero_grad()
        (weight * weight).sum().backward()
        optimizer.step()
        scheduler.step()
        sizes.append(tree.size)
    assert sizes[3] == sizes[-1]


def test_scheduler_before_optimizer_warns():
    optimizer = optim.SGD([nn.Parameter(torch.ones(1))], lr=0.1)
    scheduler = lr_scheduler.StepLR(optimizer, 1)
    with pytest.warns(UserWarning, match="before optimizer.step"):
        scheduler.step()


class TestClipping:
    def gradients(self):
        a, b = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1))
        a.grad, b.grad = torch.tensor([3.0, 0.0]), torch.tensor([4.0])
        return a, b

    def test_norm(self):
        a, b = self.gradients()
        held = a.grad
        norm = nn.utils.clip_grad_norm_([a, b, nn.Parameter(torch.zeros(1))], 1.0)
        assert norm.item() == 5
        np.testing.assert_allclose([*a.grad.tolist(), *b.grad.tolist()], [0.6, 0, 0.8], rtol=1e-6)
        assert a.grad is held
        assert nn.utils.clip_grad_norm_([a, b], 10.0, norm_type=float("inf")).item() == pytest.approx(0.8)
        assert nn.utils.clip_grad_norm_([nn.Parameter(torch.zeros(1))], 1.0).item() == 0
        a.grad = torch.tensor([float("nan"), 0.0])
        with pytest.raises(ArgumentError, match="not finite"):
            nn.utils.clip_grad_norm_([a], 1.0, error_if_nonfinite=True)

    def test_value(self):
        a, b = self.gradients()
        nn.utils.clip_grad_value_([a, b], 3.5)
        assert (a.grad.tolist(), b.grad.tolist()) == ([3, 0], [3.5])

    def test_in_training_is_one_trace(self):
        net = model()
        optimizer = optim.SGD(net.parameters(), lr=0.1)
        x, sizes = torch.ones(4, 3), []
        for _ in range(5):
            optimizer.zero_grad()
            net(x).sum().backward()
            nn.utils.clip_grad_norm_(net.parameters(), 0.5)
            optimizer.step()
            sizes.append(tree.size)
        assert sizes[1] == sizes[-1]

    def test_vectors(self):
        net = model()
        vector = nn.utils.parameters_to_vector(net.parameters())
        assert vector.shape == (21,)
        nn.utils.vector_to_parameters(torch.arange(21.0), net.parameters())
        assert net[2].bias.tolist() == [20]
        assert net[0].weight.is_leaf
        with pytest.raises(ArgumentError, match="21 elements"):
            nn.utils.vector_to_parameters(torch.zeros(3), net.parameters())
