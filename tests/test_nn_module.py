"""Module: attributes, the tree, state, hooks, copies, text."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from collections import OrderedDict

import numpy as np
import pytest

import duograph
import duograph.torch as torch
from duograph import nn
from duograph.graph import trace as tracing
from duograph.graph.errors import ArgumentError, GradientError, ShapeError
from duograph.nn.turns import LONG_TURN


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.norm = nn.BatchNorm1d(4)
        self.last = nn.Sequential(nn.ReLU(), nn.Linear(4, 2, bias=False))
        self.scale = nn.Parameter(torch.ones(1))
        self.register_buffer("seen", torch.zeros(2))
        self.register_buffer("scratch", torch.zeros(2), persistent=False)

    def forward(self, x):
        return self.last(self.norm(self.first(x))) * self.scale


NAMES = ["scale", "first.weight", "first.bias", "norm.weight", "norm.bias", "last.1.weight"]
STATE = ["scale", "seen", "first.weight", "first.bias", "norm.weight", "norm.bias", "norm.running_mean",
         "norm.running_var", "norm.num_batches_tracked", "last.1.weight"]  # fmt: skip


def test_names_of_the_tree():
    net = Net()
    assert [name for name, _ in net.named_parameters()] == NAMES
    assert list(net.state_dict()) == STATE
    assert [name for name, _ in net.named_modules()] == ["", "first", "norm", "last", "last.0", "last.1"]
    assert [name for name, _ in net.named_children()] == ["first", "norm", "last"]
    assert [n for n, _ in net.named_buffers()] == [
        "seen", "scratch", "norm.running_mean", "norm.running_var", "norm.num_batches_tracked",
    ]  # fmt: skip
    assert net.get_submodule("last.1") is net.last[1]
    assert net.get_parameter("last.1.weight") is net.last[1].weight
    assert net.get_buffer("norm.running_var") is net.norm.running_var
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        net.get_submodule("last.nothing")
    assert len(list(net.parameters(recurse=False))) == 1


def test_a_shared_parameter_is_named_once():
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    net[1].weight = net[0].weight
    assert [name for name, _ in net.named_parameters()] == ["0.weight", "0.bias", "1.bias"]
    assert len(list(net.named_parameters(remove_duplicate=False))) == 4
    assert len(net.state_dict()) == 4


def test_attributes_know_their_kind():
    net = Net()
    with pytest.raises(TypeError, match="first: expected a Module or None"):
        net.first = 3
    with pytest.raises(TypeError, match="scale: expected a Parameter or None"):
        net.scale = torch.ones(1)
    with pytest.raises(TypeError, match="seen: expected a Tensor or None"):
        net.seen = [1]
    net.seen = torch.ones(3)
    assert "seen" in net.state_dict()
    net.scale = None
    assert "scale" not in dict(net.named_parameters())
    net.scale = nn.Parameter(torch.zeros(2))
    assert "scale" in dict(net.named_parameters())
    net.seen = nn.Parameter(torch.zeros(2))
    assert "seen" in dict(net.named_parameters())
    assert "seen" not in dict(net.named_buffers())
    del net.first
    assert not hasattr(net, "first")
    assert "first.weight" not in net.state_dict()
    net.plain = 5
    assert net.plain == 5
    net.held = nn.Buffer(torch.ones(1), persistent=False)
    assert "held" in dict(net.named_buffers())
    assert "held" not in net.state_dict()


def test_init_must_be_called_first():
    class Forgot(nn.Module):
        def __init__(self):
            self.plain = 1  # allowed: ordinary values need no registry
            self.layer = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match=r"call super\(\).__init__\(\) before"):
        Forgot()


def test_registration_checks_names():
    net = nn.Module()
    with pytest.raises(KeyError, match="no dots"):
        net.register_buffer("a.b", None)
    with pytest.raises(KeyError, match="already"):
        net.register_parameter("forward", None)
    with pytest.raises(ArgumentError, match="must be a leaf"):
        parameter = nn.Parameter(torch.ones(1))
        made = parameter * 2
        made.__class__ = nn.Parameter
        net.register_parameter("made", made)
    net._parameters["direct"] = nn.Parameter(torch.ones(2))
    assert net.direct.shape == (2,)
    assert list(net._parameters) == ["direct"]


def test_state_goes_and_comes():
    net, other = Net(), Net()
    net(torch.randn(8, 3))
    assert str(other.load_state_dict(net.state_dict())) == "<All keys matched successfully>"
    for (name, mine), (_, theirs) in zip(net.state_dict().items(), other.state_dict().items(), strict=True):
        assert np.array_equal(mine.numpy(), theirs.numpy()), name
    assert other.norm.num_batches_tracked.item() == 1
    x = torch.randn(4, 3)
    assert np.array_equal(net.eval()(x).detach().numpy(), other.eval()(x).detach().numpy())


def test_loading_is_a_copy_and_keeps_identity():
    net = nn.Linear(2, 2)
    weight, array = net.weight, np.ones((2, 2), np.float32)
    net.load_state_dict({"weight": torch.from_numpy(array), "bias": torch.zeros(2)})
    array[:] = 7
    assert net.weight is weight
    assert weight.requires_grad
    assert weight.tolist() == [[1, 1], [1, 1]]


def test_assign_puts_the_tensors_in_place():
    given = torch.ones(2, 2)
    net = nn.Linear(2, 2, device="meta")
    with pytest.raises(ArgumentError, match="assign=True"):
        net.load_state_dict({"weight": given, "bias": torch.zeros(2)})
    net.load_state_dict({"weight": given, "bias": torch.zeros(2)}, assign=True)
    assert isinstance(net.weight, nn.Parameter)
    assert net(torch.ones(1, 2)).tolist() == [[2, 2]]


def test_what_does_not_fit_is_named():
    net = Net()
    state = net.state_dict()
    del state["norm.bias"]
    state["more"] = torch.zeros(1)
    state["first.deeper.weight"] = torch.zeros(1)
    state["first.weight"] = torch.zeros(4, 2)
    with pytest.raises(ArgumentError) as caught:
        net.load_state_dict(state)
    text = str(caught.value)
    assert "Missing keys: 'norm.bias'" in text
    assert "Unexpected keys: 'more', 'first.deeper.weight'" in text
    assert "first.weight: expected shape (4, 3). Received: (4, 2)" in text
    del state["first.weight"]
    result = net.load_state_dict(state, strict=False)
    assert result.missing_keys == ["first.weight", "norm.bias"]
    assert result.unexpected_keys == []
    with pytest.raises(TypeError, match="expected a dictionary"):
        net.load_state_dict([1])


def test_old_batch_norms_count_no_batches():
    net = nn.BatchNorm1d(2)
    state = net.state_dict()
    del state["num_batches_tracked"]
    state._metadata[""]["version"] = 1
    net.load_state_dict(state)


def test_extra_state():
    class Counted(nn.Module):
        count = 0

        def get_extra_state(self):
            return {"count": self.count}

        def set_extra_state(self, state):
            self.count = state["count"]

    net = nn.Sequential(Counted(), Counted())
    net[0].count = 3
    other = nn.Sequential(Counted(), Counted())
    other.load_state_dict(net.state_dict())
    assert other[0].count == 3
    assert list(net.state_dict()) == ["0._extra_state", "1._extra_state"]


def test_state_hooks():
    net, seen = nn.Linear(2, 2), []
    net.register_state_dict_pre_hook(lambda m, prefix, keep: seen.append(("before", prefix)))
    net.register_state_dict_post_hook(lambda m, state, prefix, meta: state.update({prefix + "note": 1}))
    handle = net.register_load_state_dict_pre_hook(lambda m, state, *_: state.pop("note"))
    net.register_load_state_dict_post_hook(lambda m, keys: seen.append(("after", list(keys.missing_keys))))
    state = net.state_dict()
    assert state["note"] == 1
    net.load_state_dict(state)
    assert seen == [("before", ""), ("after", [])]
    handle.remove()
    with pytest.raises(ArgumentError, match="Unexpected keys: 'note'"):
        net.load_state_dict(state)


def test_train_and_eval():
    net = Net().eval()
    assert not any(m.training for m in net.modules())
    assert net.train() is net
    assert all(m.training for m in net.modules())
    with pytest.raises(ArgumentError, match="expected True or False"):
        net.train("yes")


def test_freeze():
    net = Net().freeze()
    assert not any(p.requires_grad for p in net.parameters())
    assert not net(torch.randn(4, 3)).requires_grad
    assert all(p.requires_grad for p in net.unfreeze().parameters())


def test_dtypes():
    net = Net()
    weight = net.first.weight
    net(torch.randn(4, 3)).sum().backward()
    assert net.double() is net
    assert net.first.weight is weight
    assert weight.is_leaf
    assert weight.requires_grad
    assert {p.dtype for p in net.parameters()} == {torch.float64}
    assert weight.grad.dtype is torch.float64
    assert net.norm.running_mean.dtype is torch.float64
    assert net.norm.num_batches_tracked.dtype is torch.int64
    assert net(torch.randn(4, 3, dtype=torch.float64)).dtype is torch.float64
    assert net.to(torch.bfloat16).first.weight.dtype is torch.bfloat16
    assert net.to("cpu", torch.float32).first.weight.dtype is torch.float32
    assert net.half().first.weight.dtype is torch.float16
    with pytest.raises(TypeError, match="floating point dtype"):
        net.to(torch.int64)


def test_zero_grad():
    net = Net()
    net(torch.randn(4, 3)).sum().backward()
    net.zero_grad(set_to_none=False)
    assert net.first.weight.grad.tolist() == [[0.0] * 3] * 4
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_apply_goes_from_the_leaves_up():
    seen = []
    Net().apply(lambda m: seen.append(type(m).__name__))
    assert seen == ["Linear", "BatchNorm1d", "ReLU", "Linear", "Sequential", "Net"]


def test_text():
    assert repr(Net()) == (
        "Net(\n"
        "  (first): Linear(in_features=3, out_features=4, bias=True)\n"
        "  (norm): BatchNorm1d(4, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)\n"
        "  (last): Sequential(\n"
        "    (0): ReLU()\n"
        "    (1): Linear(in_features=4, out_features=2, bias=False)\n"
        "  )\n"
        ")"
    )
    assert repr(nn.Parameter(torch.ones(2))).startswith("Parameter containing:\ntensor([1., 1.], requires_grad=True)")
    with pytest.raises(AttributeError, match="'Net' object has no attribute 'nothing'"):
        Net().nothing  # noqa: B018


def test_copies_and_pickles():
    net = Net()
    net(torch.randn(4, 3)).sum().backward()
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert list(other.state_dict()) == STATE
        assert other.first.weight is not net.first.weight
        assert isinstance(other.first.weight, nn.Parameter)
        assert other.first.weight.requires_grad
        assert other.first.weight.tolist() == net.first.weight.tolist()
        with torch.no_grad():
            other.first.weight.zero_()
        assert net.first.weight.abs().sum().item() > 0
    assert copy.deepcopy(net).first.weight.grad is None
    shared = nn.ModuleList([nn.Linear(1, 1)])
    shared.append(shared[0])
    copied = copy.deepcopy(shared)
    assert copied[0].weight is copied[1].weight


def test_a_module_is_freed():
    net = Net()
    net(torch.randn(4, 3)).sum().backward()
    watched = weakref.ref(net.first.weight)
    del net
    gc.collect()
    assert watched() is None


def test_parameters_of_integers():
    with pytest.raises(GradientError, match="requires_grad=False"):
        nn.Parameter(torch.zeros(2, dtype=torch.int64))
    assert not nn.Parameter(torch.zeros(2, dtype=torch.int64), requires_grad=False).requires_grad
    with pytest.raises(TypeError, match="expected a Tensor"):
        nn.Parameter([1.0])


def test_calling_without_forward():
    with pytest.raises(NotImplementedError, match="has no forward"):
        nn.Module()(1)


def test_wrong_shapes_name_the_layer_and_the_line():
    with pytest.raises(ShapeError) as caught:
        nn.Linear(3, 4)(torch.zeros(2, 5))
    text = str(caught.value)
    assert "expected a last axis of 3" in text
    assert "Received: float32[2, 5]" in text
    assert "nn.Linear(3, 4)(torch.zeros(2, 5))" in text
    with pytest.raises(ShapeError, match="BatchNorm2d: expected 4 dimensions"):
        nn.BatchNorm2d(3)(torch.zeros(2, 3))


class TestHooks:
    def test_forward(self):
        net, seen = nn.Linear(2, 2), []
        before = net.register_forward_pre_hook(lambda m, args: (args[0] * 2,))
        after = net.register_forward_hook(lambda m, args, output: seen.append(args[0].tolist()) or output + 1)
        x = torch.ones(1, 2)
        changed = net(x)
        assert seen == [[[2, 2]]]
        before.remove()
        after.remove()
        np.testing.assert_allclose(changed.detach().numpy(), (net(2 * x) + 1).detach().numpy(), rtol=1e-6)

    def test_keywords(self):
        class Scale(nn.Module):
            def forward(self, x, *, by=1):
                return x * by

        net = Scale()
        net.register_forward_pre_hook(lambda m, args, kwargs: (args, {"by": kwargs["by"] + 1}), with_kwargs=True)
        net.register_forward_hook(lambda m, args, kwargs, output: output + kwargs["by"], with_kwargs=True)
        assert net(torch.ones(1), by=2).tolist() == [6]

    def test_order_and_always_call(self):
        seen = []

        class Fails(nn.Module):
            def forward(self, x):
                raise ValueError("no")

        net = Fails()
        net.register_forward_hook(lambda *_: seen.append("never"))
        net.register_forward_hook(lambda m, a, output: seen.append(output), always_call=True)
        with pytest.raises(ValueError, match="no"):
            net(1)
        assert seen == [None]
        net = nn.Identity()
        net.register_forward_hook(lambda *_: seen.append("second"))
        net.register_forward_hook(lambda *_: seen.append("first"), prepend=True)
        net(1)
        assert seen == [None, "first", "second"]

    def test_of_every_module(self):
        seen = []
        with nn.hooks.register_module_forward_hook(lambda m, a, o: seen.append(type(m).__name__)):
            nn.Sequential(nn.Identity(), nn.ReLU())(torch.ones(1))
        nn.Identity()(1)
        assert seen == ["Identity", "ReLU", "Sequential"]

    def test_backward(self):
        net, seen = nn.Linear(2, 3), []
        net.register_full_backward_hook(lambda m, into, out: seen.append((into, out)))
        x = torch.ones(4, 2, requires_grad=True)
        net(x).sum().backward()
        ((into,), (out,)) = seen[0]
        assert out.tolist() == [[1.0] * 3] * 4
        np.testing.assert_allclose(into.numpy(), x.grad.numpy())
        np.testing.assert_allclose(net.weight.grad.numpy(), np.full((3, 2), 4.0))

    def test_backward_hooks_replace_gradients(self):
        net = nn.Identity()
        net.register_full_backward_hook(lambda m, into, out: (into[0] * 10,))
        net.register_full_backward_pre_hook(lambda m, out: (out[0] + 1,))
        x = torch.ones(2, requires_grad=True)
        (net(x) * 3).sum().backward()
        assert x.grad.tolist() == [40, 40]

    def test_backward_without_gradient_for_the_input(self):
        net, seen = nn.Linear(2, 3), []
        net.register_full_backward_hook(lambda m, into, out: seen.append(into))
        net(torch.ones(4, 2)).sum().backward()
        assert seen == [(None,)]

    def test_hooked_training_does_not_grow_the_trace_tree(self):
        from duograph.graph.trace import tree

        net, sizes = nn.Linear(2, 3), []
        net.register_full_backward_hook(lambda m, into, out: None)
        for _ in range(5):
            net.zero_grad()
            x = torch.ones(4, 2, requires_grad=True)
            net(x).sum().backward()
            net.weight.grad.numpy()
            sizes.append(tree.size)
        assert sizes[2] == sizes[-1]


class TestContainers:
    def test_sequential(self):
        net = nn.Sequential(OrderedDict(a=nn.Linear(2, 3), b=nn.ReLU(), c=nn.Linear(3, 1)))
        assert net.a is net[0]
        assert net[-1] is net.c
        assert [name for name, _ in net[1:].named_children()] == ["b", "c"]
        assert len(net) == 3
        assert net(torch.ones(4, 2)).shape == (4, 1)
        plain = nn.Sequential(nn.ReLU(), nn.Tanh())
        plain.append(nn.Sigmoid()).insert(0, nn.Identity())
        assert [type(m).__name__ for m in plain] == ["Identity", "ReLU", "Tanh", "Sigmoid"]
        assert list(plain._modules) == ["0", "1", "2", "3"]
        del plain[1]
        assert [type(m).__name__ for m in plain] == ["Identity", "Tanh", "Sigmoid"]
        plain[0] = nn.ReLU()
        assert isinstance(plain[0], nn.ReLU)
        assert len(plain + nn.Sequential(nn.ReLU())) == 4
        with pytest.raises(IndexError):
            plain[5]

    def test_module_list(self):
        layers = nn.ModuleList([nn.Linear(1, 1), nn.ReLU()])
        layers.append(nn.Tanh()).extend([nn.Sigmoid()])
        layers.insert(1, nn.Identity())
        assert [type(m).__name__ for m in layers] == ["Linear", "Identity", "ReLU", "Tanh", "Sigmoid"]
        assert [type(m).__name__ for m in layers[1:3]] == ["Identity", "ReLU"]
        assert isinstance(layers.pop(), nn.Sigmoid)
        assert [n for n, _ in layers.named_parameters()] == ["0.weight", "0.bias"]
        with pytest.raises(NotImplementedError):
            layers(1)

    def test_module_dict(self):
        layers = nn.ModuleDict({"a": nn.Linear(1, 1), "b": nn.ReLU()})
        layers["c"] = nn.Tanh()
        layers.update([("d", nn.Sigmoid())])
        assert list(layers) == ["a", "b", "c", "d"]
        assert "c" in layers
        assert isinstance(layers.pop("c"), nn.Tanh)
        del layers["a"]
        assert list(layers.keys()) == ["b", "d"]
        layers.clear()
        assert len(layers) == 0

    def test_parameter_list(self):
        held = nn.ParameterList([torch.ones(1), nn.Parameter(torch.zeros(2))])
        held.append(torch.ones(3))
        assert all(isinstance(p, nn.Parameter) for p in held)
        assert [p.shape[0] for p in held] == [1, 2, 3]
        assert [n for n, _ in held.named_parameters()] == ["0", "1", "2"]
        held[0] = torch.ones(5)
        assert held[0].shape == (5,)
        assert len(held[1:]) == 2
        assert held.pop().shape == (3,)

    def test_parameter_dict_takes_any_text(self):
        held = nn.ParameterDict({"layer/kernel:0": torch.ones(1), "a.b": torch.zeros(2)})
        held["count"] = nn.Parameter(torch.zeros(1, dtype=torch.int64), requires_grad=False)
        assert "a.b" in held
        assert [n for n, _ in held.named_parameters()] == ["layer/kernel:0", "a.b", "count"]
        assert held.pop("a.b").shape == (2,)
        del held["count"]
        assert list(held.keys()) == ["layer/kernel:0"]
        assert held.get("none") is None
        assert held.setdefault("more", torch.ones(4)).shape == (4,)


@pytest.mark.parametrize("gradients", [False, True])
def test_a_loop_that_observes_nothing_ends_its_plan_where_it_calls_a_model(gradients):
    model = nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.Tanh(), nn.Linear(4, 3)))
    start = torch.ones(2, 3)

    def turns(count, observe):
        x, longest = start, 0
        with torch.set_grad_enabled(gradients):
            for _ in range(count):
                x = x - 0.01 * model(x)
                longest = max(longest, tracing.local.trace.step.length)
                if observe:
                    x.tolist()
        return x.detach(), longest

    seen, _ = turns(400, True)
    result, longest = turns(400, False)
    assert (longest > 2 * LONG_TURN) == gradients
    torch.testing.assert_close(result, seen)
    if not gradients:
        result.tolist()
        with duograph.debug.traces(echo=False) as report:
            turns(800, False)[0].tolist()
        assert report.count <= 1  # the turns after the last call that ended a plan


def test_a_list_says_once_what_looks_the_same():
    layers = nn.ModuleList([nn.Sequential(nn.ReLU()), nn.Sequential(nn.ReLU()), nn.Linear(1, 1)])
    assert repr(layers).splitlines() == [
        "ModuleList(",
        "  (0-1): 2 x Sequential(",
        "    (0): ReLU()",
        "  )",
        "  (2): Linear(in_features=1, out_features=1, bias=True)",
        ")",
    ]
    assert repr(nn.ModuleList()) == "ModuleList()"
