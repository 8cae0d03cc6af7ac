"""nn.functional and nn.utils beside PyTorch's: signatures, and what layers do not reach."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import duograph.torch as dtorch
import duograph.torch.nn.functional as ours

theirs = torch.nn.functional
BOTH = (torch, dtorch)


def described(function):
    return {name: (p.kind, p.default) for name, p in inspect.signature(function).parameters.items()}


def signatures():
    for name in ours.__all__:
        try:
            expected = described(getattr(theirs, name))
        except ValueError:  # built in: PyTorch does not say
            continue
        if "args" not in expected:
            yield name


@pytest.mark.parametrize("name", sorted(signatures()))
def test_signature(name):
    expected, found = described(getattr(theirs, name)), described(getattr(ours, name))
    extra = {"batch_norm": ["batches"]}.get(name, [])
    assert [n for n in found if n != "out" or n in expected] == list(expected) + extra
    for argument, (kind, default) in expected.items():
        assert found[argument][0] == kind or kind == inspect.Parameter.POSITIONAL_ONLY, argument
        assert found[argument][1] == default or default is inspect.Parameter.empty, argument


def test_initialisers_have_pytorchs_names_and_bounds():
    for name in ("uniform_", "normal_", "trunc_normal_", "constant_", "ones_", "zeros_", "eye_", "dirac_", "sparse_",
                 "xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_", "orthogonal_",
                 "calculate_gain"):  # fmt: skip
        assert list(described(getattr(dtorch.nn.init, name))) == list(described(getattr(torch.nn.init, name))), name
    for framework in BOTH:
        framework.manual_seed(0)  # the greatest of some thousand numbers is far out at times
    for shape in ((40, 50), (16, 12, 3, 3)):
        for name, keywords in (
            ("xavier_uniform_", {"gain": 2.0}), ("xavier_normal_", {}), ("kaiming_uniform_", {"a": 5**0.5}),
            ("kaiming_normal_", {"mode": "fan_out", "nonlinearity": "relu"}), ("trunc_normal_", {"std": 0.02}),
            ("trunc_normal_", {"a": -0.5, "b": 1.0}), ("uniform_", {"a": -1, "b": 3}), ("normal_", {"mean": 1.0}),
            ("orthogonal_", {"gain": 2.0}),
        ):  # fmt: skip
            e, f = (getattr(framework.nn.init, name)(framework.empty(*shape), **keywords).numpy() for framework in BOTH)
            assert f.std() == pytest.approx(e.std(), rel=0.1), name
            assert np.abs(f).max() == pytest.approx(np.abs(e).max(), rel=0.3), name
    for e, f in zip(
        *(
            [framework.nn.init.dirac_(framework.empty(4, 2, 3), 2), framework.nn.init.eye_(framework.empty(3, 4))]
            for framework in BOTH
        ),
        strict=True,
    ):
        assert np.array_equal(e.numpy(), f.numpy())
    q = dtorch.nn.init.orthogonal_(dtorch.empty(3, 5)).numpy()
    np.testing.assert_allclose(q @ q.T, np.eye(3), atol=1e-6)
    for kind in ("linear", "conv2d", "sigmoid", "tanh", "relu", "selu", "leaky_relu"):
        assert dtorch.nn.init.calculate_gain(kind) == torch.nn.init.calculate_gain(kind)


@pytest.mark.parametrize("name", ["Linear", "Conv2d", "LSTM", "MultiheadAttention", "Embedding", "Bilinear"])
def test_first_weights_are_spread_as_pytorchs(name):
    arguments = {"Linear": (300, 200), "Conv2d": (20, 30, 5), "LSTM": (60, 50), "MultiheadAttention": (64, 4),
                 "Embedding": (200, 50), "Bilinear": (20, 30, 10)}[name]  # fmt: skip
    e, f = (getattr(framework.nn, name)(*arguments).state_dict() for framework in BOTH)
    for key in e:
        if e[key].numel() > 500:
            assert f[key].numpy().std() == pytest.approx(e[key].numpy().std(), rel=0.1), key
            assert abs(f[key].numpy().mean()) < 0.2 * e[key].numpy().std() + 1e-3, key


def packed(framework, sorted_):
    rng = np.random.default_rng(0)
    lengths = [5, 3, 3, 1] if sorted_ else [3, 5, 1, 3]
    x = framework.tensor(rng.standard_normal((4, 5, 3))).requires_grad_()
    return x, lengths


@pytest.mark.parametrize("sorted_", [True, False])
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_packed_sequences(kind, sorted_):
    found, state = [], None
    for framework in BOTH:
        rnn = framework.nn.utils.rnn
        net = getattr(framework.nn, kind)(3, 4, num_layers=2, bidirectional=True).double()
        if state is None:
            state = {k: v.numpy() for k, v in net.state_dict().items()}
        net.load_state_dict({k: framework.tensor(v) for k, v in state.items()})
        x, lengths = packed(framework, sorted_)
        sequence = rnn.pack_padded_sequence(x, framework.tensor(lengths), batch_first=True, enforce_sorted=sorted_)
        output, last = net(sequence)
        padded, sizes = rnn.pad_packed_sequence(output, batch_first=True, padding_value=-1.0, total_length=6)
        states = last if isinstance(last, tuple) else (last,)
        (padded.sin().sum() + sum(s.cos().sum() for s in states)).backward()
        found.append([t.detach().numpy() for t in (
            sequence.data, sequence.batch_sizes, padded, sizes, *states, x.grad, net.weight_hh_l0.grad
        )])  # fmt: skip
    for e, f in zip(*found, strict=True):
        np.testing.assert_allclose(f, e, rtol=1e-9, atol=1e-12)


def test_padding_sequences():
    found = []
    for framework in BOTH:
        rnn = framework.nn.utils.rnn
        rows = [framework.arange(float(n)) for n in (3, 1, 2)]
        sequence = rnn.pack_sequence(rows, enforce_sorted=False)
        back = rnn.unpack_sequence(sequence)
        padded = [rnn.pad_sequence(rows, True), rnn.pad_sequence(rows, False, 7.0, "left")]
        unpadded = rnn.unpad_sequence(padded[0], framework.tensor([3, 1, 2]), batch_first=True)
        found.append([t.numpy() for t in (sequence.data, *back, *padded, *unpadded)])
    for e, f in zip(*found, strict=True):
        assert np.array_equal(e, f)


def same_layer(framework, kind, state, *arguments):
    net = getattr(framework.nn, kind)(*arguments).double()
    net.load_state_dict({k: framework.tensor(v) for k, v in state.items()})
    return net


@pytest.mark.parametrize("style", ["hooks", "parametrization"])
@pytest.mark.parametrize("dim", [0, 1, None])
def test_weight_norm(style, dim):
    state = {k: v.numpy() for k, v in torch.nn.Linear(3, 4).double().state_dict().items()}
    found = []
    for framework in BOTH:
        net = same_layer(framework, "Linear", state, 3, 4)
        utils = framework.nn.utils
        with pytest.warns(FutureWarning) if style == "hooks" and framework is torch else nothing():
            (utils if style == "hooks" else utils.parametrizations).weight_norm(net, dim=dim)
        x = framework.linspace(-1, 1, 6, dtype=framework.float64).reshape(2, 3)
        net(x).sin().sum().backward()
        found.append((list(net.state_dict()), [net(x).detach().numpy(), *(p.grad.numpy() for p in net.parameters())]))
        if style == "hooks":
            utils.remove_weight_norm(net)
        else:
            utils.parametrize.remove_parametrizations(net, "weight")
        assert sorted(net.state_dict()) == ["bias", "weight"]
        np.testing.assert_allclose(net.weight.detach().numpy(), state["weight"], rtol=1e-12)
    assert found[0][0] == found[1][0]
    for e, f in zip(found[0][1], found[1][1], strict=True):
        np.testing.assert_allclose(f, e, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("style", ["hooks", "parametrization"])
def test_spectral_norm(style):
    state = {k: v.numpy() for k, v in torch.nn.Conv2d(2, 4, 3).double().state_dict().items()}
    found, vectors = [], None
    for framework in BOTH:
        net = same_layer(framework, "Conv2d", state, 2, 4, 3)
        utils = framework.nn.utils
        (utils if style == "hooks" else utils.parametrizations).spectral_norm(net, n_power_iterations=2)
        names = list(net.state_dict())
        if vectors is None:
            vectors = {k: v.numpy() for k, v in net.state_dict().items()}
        for k, v in vectors.items():  # not load_state_dict: PyTorch solves for vectors anew in a state without versions
            module, _, name = k.rpartition(".")
            getattr(net.get_submodule(module), name).data = framework.tensor(v)
        x = framework.linspace(-1, 1, 32, dtype=framework.float64).reshape(1, 2, 4, 4)
        for _ in range(3):
            net(x)
        net(x).sin().sum().backward()
        gradients = [p.grad.numpy() for p in net.parameters()]
        found.append((names, [net.eval()(x).detach().numpy(), *gradients, *(b.numpy() for b in net.buffers())]))
    assert found[0][0] == found[1][0]
    for e, f in zip(found[0][1], found[1][1], strict=True):
        np.testing.assert_allclose(f, e, rtol=1e-8, atol=1e-12)


def test_parametrisation_of_ones_own():
    found = []
    for framework in BOTH:

        class Symmetric(framework.nn.Module):
            def forward(self, x):
                return x.triu() + x.triu(1).transpose(-1, -2)

            def right_inverse(self, a):
                return a.triu()

        class Doubled(framework.nn.Module):
            def forward(self, x):
                return x * 2

            def right_inverse(self, x):
                return x / 2

        parametrize = framework.nn.utils.parametrize
        net = same_layer(framework, "Linear", {"weight": np.arange(9.0).reshape(3, 3), "bias": np.zeros(3)}, 3, 3)
        parametrize.register_parametrization(net, "weight", Symmetric())
        parametrize.register_parametrization(net, "weight", Doubled())
        assert parametrize.is_parametrized(net, "weight")
        assert type(net).__name__ == "ParametrizedLinear"
        assert parametrize.type_before_parametrizations(net) is framework.nn.Linear
        names, weight = list(net.state_dict()), net.weight.detach().numpy()
        net.weight = framework.ones(3, 3, dtype=framework.float64)
        with parametrize.cached():
            assert net.weight is net.weight
        net(framework.ones(1, 3, dtype=framework.float64)).sum().backward()
        original = net.parametrizations.weight.original
        found.append((names, [weight, net.weight.detach().numpy(), original.grad.numpy(), original.detach().numpy()]))
        parametrize.remove_parametrizations(net, "weight")
        assert type(net) is framework.nn.Linear
        assert isinstance(net.weight, framework.nn.Parameter)
    assert found[0][0] == found[1][0]
    for e, f in zip(found[0][1], found[1][1], strict=True):
        np.testing.assert_allclose(f, e, rtol=1e-12)


@pytest.mark.filterwarnings("ignore:Lazy modules")
@pytest.mark.parametrize(
    ("name", "arguments", "shape"),
    [
        ("LazyLinear", (4,), (2, 3)), ("LazyConv1d", (4, 3), (2, 3, 5)), ("LazyConv2d", (4, 3), (3, 5, 5)),
        ("LazyConvTranspose2d", (4, 3), (2, 3, 5, 5)), ("LazyBatchNorm2d", (), (2, 3, 5, 5)),
        ("LazyInstanceNorm1d", (), (2, 3, 5)),
    ],
)  # fmt: skip
def test_lazy_layers(name, arguments, shape):
    texts, states = [], []
    for framework in BOTH:
        net = getattr(framework.nn, name)(*arguments)
        before, waiting = repr(net), net.has_uninitialized_params()
        net(framework.ones(*shape))
        texts.append((before, repr(net), waiting))
        states.append({k: tuple(v.shape) for k, v in net.state_dict().items()})
        loaded = getattr(framework.nn, name)(*arguments)
        loaded.load_state_dict(net.state_dict())
        assert not loaded.has_uninitialized_params()
    assert texts[0] == texts[1]
    assert states[0] == states[1]


def test_adaptive_softmax():
    state, found = None, []
    for framework in BOTH:
        net = framework.nn.AdaptiveLogSoftmaxWithLoss(8, 20, [4, 10], div_value=2.0, head_bias=True).double()
        state = state or {k: v.numpy() for k, v in net.state_dict().items()}
        net.load_state_dict({k: framework.tensor(v) for k, v in state.items()})
        x = framework.tensor(np.random.default_rng(0).standard_normal((6, 8))).requires_grad_()
        output, loss = net(x, framework.tensor([0, 3, 4, 9, 12, 19]))
        loss.backward()
        tail = net.tail[1][0].weight.grad
        results = (output, loss, x.grad, net.head.weight.grad, tail, net.log_prob(x), net.predict(x))
        found.append([t.detach().numpy() for t in results])
    for e, f in zip(*found, strict=True):
        np.testing.assert_allclose(f, e, rtol=1e-9, atol=1e-12)


def test_functional_call():
    found = []
    for framework in BOTH:
        net = framework.nn.Sequential(framework.nn.Linear(2, 2), framework.nn.BatchNorm1d(2))
        weight = framework.ones(2, 2, requires_grad=True)
        call = framework.func.functional_call if framework is torch else framework.nn.utils.stateless.functional_call
        x = framework.tensor([[1.0, 2.0], [3.0, 5.0]])
        before = net[0].weight
        y = call(net, {"0.weight": weight, "0.bias": framework.zeros(2)}, (x,))
        y.sin().sum().backward()
        assert net[0].weight is before
        assert before.grad is None
        found.append([y.detach().numpy(), weight.grad.numpy(), net[1].running_mean.numpy()])
        with pytest.raises((ValueError, RuntimeError, KeyError)):
            call(net, {"nothing": weight}, (x,), strict=True)
    for e, f in zip(*found, strict=True):
        np.testing.assert_allclose(f, e, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["swa", "ema"])
def test_averaged_models(kind):
    rates, states = [], []
    for framework in BOTH:
        swa = framework.optim.swa_utils
        net = framework.nn.Sequential(framework.nn.Linear(2, 2), framework.nn.BatchNorm1d(2)).double()
        net.load_state_dict({k: framework.ones(v.shape, dtype=v.dtype) for k, v in net.state_dict().items()})
        keywords = {} if kind == "swa" else {"multi_avg_fn": swa.get_ema_multi_avg_fn(0.9)}
        average = swa.AveragedModel(net, **keywords)
        optimizer = framework.optim.SGD(net.parameters(), lr=0.5)
        scheduler = swa.SWALR(optimizer, 0.05, 3)
        x = framework.tensor([[1.0, 2.0], [3.0, 5.0], [-1.0, 0.0]], dtype=framework.float64)
        for _ in range(5):
            optimizer.zero_grad()
            net(x).sin().sum().backward()
            optimizer.step()
            average.update_parameters(net)
            scheduler.step()
            rates.append(optimizer.param_groups[0]["lr"])
        swa.update_bn([x, x + 1], average)
        states.append({k: v.numpy() for k, v in average.state_dict().items()})
    np.testing.assert_allclose(rates[5:], rates[:5], rtol=1e-12)
    assert list(states[0]) == list(states[1])
    for name, expected in states[0].items():
        np.testing.assert_allclose(states[1][name], expected, rtol=1e-9, atol=1e-12, err_msg=name)


class nothing:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None
