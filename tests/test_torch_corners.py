"""PyTorch's smaller names: named results, aliases, attributes, the tape as an object, and what is refused."""

from __future__ import annotations

import math
import pickle
from typing import Any

import pytest

import duograph.torch as torch
from duograph.graph.errors import DeviceError, GradientError

F = torch.nn.functional
X = torch.tensor([[1.0, 4.0], [3.0, 2.0]])


@pytest.mark.parametrize(
    ("name", "ask"),
    [
        ("max", lambda x: torch.max(x, 0)), ("min", lambda x: x.min(1)), ("sort", torch.sort),
        ("topk", lambda x: x.topk(1)), ("kthvalue", lambda x: x.kthvalue(1)), ("median", lambda x: x.median(0)),
        ("nanmedian", lambda x: x.nanmedian(0)), ("mode", torch.mode), ("cummax", lambda x: x.cummax(0)),
        ("aminmax", torch.aminmax), ("slogdet", torch.slogdet), ("linalg_qr", torch.linalg.qr),
        ("linalg_eigh", lambda x: torch.linalg.eigh(x @ x.T)), ("linalg_eig", torch.linalg.eig),
        ("frexp", torch.frexp), ("svd", torch.svd), ("linalg_svd", torch.linalg.svd),
    ],
)  # fmt: skip
def test_results_have_names(name: str, ask: Any) -> None:
    found = ask(X)
    kind = getattr(torch.return_types, name)
    assert isinstance(found, kind) and type(found) is kind
    again = pickle.loads(pickle.dumps(found))
    assert type(again) is kind and torch.equal(again[0], found[0])


def test_named_results_print_as_such() -> None:
    assert repr(torch.max(X, 0)) == "torch.return_types.max(\nvalues=tensor([3., 4.]),\nindices=tensor([1, 0]))"
    values, indices = torch.max(X, 0)
    assert values.tolist() == [3, 4] and indices.tolist() == [1, 0]
    with pytest.raises(AttributeError, match="nearest names that are: .*topk"):
        torch.return_types.topkk  # noqa: B018


def test_functions_of_networks_stand_in_torch_too() -> None:
    x = torch.randn(2, 3, 8)
    weight = torch.randn(4, 3, 3)
    assert torch.equal(torch.conv1d(x, weight, padding=1), F.conv1d(x, weight, padding=1))
    assert torch.equal(torch.layer_norm(x, (8,)), F.layer_norm(x, (8,)))
    table = torch.randn(5, 2)
    assert torch.equal(torch.embedding(table, torch.tensor([3, 1])), table[[3, 1]])
    mean, variance = torch.zeros(3), torch.ones(3)
    normal = torch.batch_norm(x, None, None, mean, variance, True, 0.1, 1e-5)
    assert torch.allclose(normal, F.batch_norm(x, None, None, training=True)) and not torch.equal(mean, torch.zeros(3))
    assert torch.equal(torch.dropout(x, 0.5, False), x)
    assert torch.equal(torch._VF.add(x, 1), x + 1)
    assert pickle.loads(pickle.dumps(torch.conv2d)) is F.conv2d


def test_in_place_methods_are_functions_too() -> None:
    x = torch.tensor([-1.0, 4.0])
    assert torch.relu_(x) is x and x.tolist() == [0, 4]
    assert torch.sqrt_(x) is x and x.tolist() == [0, 2]
    assert torch.fill(x, 3).tolist() == [3, 3] and torch.fill_(x, 1) is x and torch.zero_(x).tolist() == [0, 0]
    assert torch.clamp_(torch.tensor([5.0]), max=2).tolist() == [2]


def test_ranges_include_their_end() -> None:
    assert torch.range(1, 4).tolist() == [1, 2, 3, 4] and torch.range(1, 4).dtype is torch.float32
    assert torch.range(0, 1, 0.25).tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert torch.range(0, 2.5).tolist() == [0, 1, 2] and torch.range(3, 1, -1).tolist() == [3, 2, 1]


def test_products_of_bytes_do_not_overflow() -> None:
    x = torch.full((2, 300), 127, dtype=torch.int8)
    made = torch._int_mm(x, x.T)
    assert made.dtype is torch.int32 and made[0, 1].item() == 127 * 127 * 300
    with pytest.raises(TypeError, match="int8"):
        torch._int_mm(x, x.T.to(torch.int32))


def test_memory_with_the_buffer_protocol() -> None:
    memory = bytearray(b"\x01\x00\x02\x00\x03\x00")
    x = torch.frombuffer(memory, dtype=torch.int16, offset=2)
    memory[2] = 9
    assert x.tolist() == [9, 3] and torch.frombuffer(memory, dtype=torch.int16, count=1).tolist() == [1]


def test_types_by_name() -> None:
    assert isinstance(torch.ShortTensor([1]), torch.ShortTensor) and torch.CharTensor(2).shape == (2,)
    assert torch.typename(torch.zeros(1)) == "torch.FloatTensor" and torch.typename(1) == "int"
    assert isinstance(torch.strided, torch.layout) and isinstance(torch.channels_last, torch.memory_format)
    torch.set_default_tensor_type(torch.DoubleTensor)
    try:
        assert torch.zeros(1).dtype is torch.float64
    finally:
        torch.set_default_tensor_type("torch.FloatTensor")
    with pytest.raises(TypeError, match="HalfTensor"):
        torch.set_default_tensor_type("torch.LongTensor")


def test_attributes() -> None:
    x = torch.zeros(3, 3)
    assert x.is_cpu and not (x.is_mps or x.is_nested or x.is_mkldnn) and x.to_dense() is x
    assert x.fill_diagonal_(2).tolist() == [[2, 0, 0], [0, 2, 0], [0, 0, 2]]
    assert torch.zeros(5, 2).fill_diagonal_(1, wrap=True).tolist() == [[1, 0], [0, 1], [0, 0], [1, 0], [0, 1]]
    assert torch.is_nonzero(torch.tensor(2)) and not torch.tensor([0.0]).is_nonzero()
    assert x.is_same_size(x + 1) and torch.is_signed(x) and not torch.zeros(1, dtype=torch.uint8).is_signed()
    assert x.new(2, 1).shape == (2, 1) and x.new([1, 2]).tolist() == [1, 2]
    assert x.swapaxes_(0, 1) is x and torch.allclose(X.inverse() @ X, torch.eye(2), atol=1e-6)
    assert torch.tensor([1.0, 2.0]).apply_(lambda v: v * 3).tolist() == [3, 6]
    assert torch.tensor([1.0, 2.0]).map_(torch.tensor([10.0, 20.0]), lambda a, b: a + b).tolist() == [11, 22]
    assert torch.tensor([4.0], dtype=torch.float64).float_power_(0.5).tolist() == [2]

    class Mine(torch.Tensor):
        pass

    assert type(x.as_subclass(Mine)) is Mine
    with pytest.raises(DeviceError, match="cuda"):
        x.cuda()
    with pytest.raises(ValueError, match="one element"):
        torch.is_nonzero(x)


def test_an_attribute_that_is_missing_says_what_to_do() -> None:
    for name, said in (("to_mkldnn", "one layout"), ("int_repr", "quantised"), ("sofmax", "softmax")):
        with pytest.raises(AttributeError, match=said):
            getattr(X, name)
    assert not hasattr(X, "nothing_like_it")


def test_the_tape_can_be_looked_at() -> None:
    x, y = torch.ones(2, requires_grad=True), torch.ones(2)
    z = x * y
    total = z.sum()
    assert x.grad_fn is None and y.grad_fn is None and z.grad_fn == z.grad_fn != total.grad_fn
    assert z.grad_fn.name() == "MulBackward0" and "MulBackward0" in repr(z.grad_fn)
    ((behind, index),) = total.grad_fn.next_functions
    assert behind == z.grad_fn and index == 0
    (leaf, _), (nothing, _) = behind.next_functions
    assert leaf.variable is x and nothing is None and leaf.next_functions == ()
    with torch.no_grad():
        assert (x * 2).grad_fn is None


def test_hooks_after_a_gradient_is_complete() -> None:
    x = torch.ones(2, requires_grad=True)
    seen: list[Any] = []
    handle = x.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad.tolist()))
    (x * 3).sum().backward()
    (x * 3).sum().backward()
    handle.remove()
    (x * 3).sum().backward()
    assert seen == [[3, 3], [6, 6]]
    with pytest.raises(GradientError, match="leaf"):
        (x * 2).register_post_accumulate_grad_hook(seen.append)


def test_detaching_in_place() -> None:
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    assert y.detach_() is y and not y.requires_grad and y.tolist() == [2, 2]
    with pytest.raises(GradientError, match="view"):
        (x * 2)[0].detach_()


def test_random_numbers_of_a_block_leave_no_trace() -> None:
    torch.manual_seed(1)
    with torch.random.fork_rng():
        torch.randn(3)
    after = torch.randn(2).tolist()
    torch.manual_seed(1)
    assert torch.randn(2).tolist() == after


def test_tracing_is_compiling() -> None:
    layer = torch.nn.Linear(2, 2)
    traced = torch.jit.trace(layer, torch.ones(1, 2))
    assert torch.equal(traced(torch.ones(3, 2)), layer(torch.ones(3, 2)))
    assert torch.jit.freeze(traced) is traced and not isinstance(layer, torch.jit.ScriptModule)
    with pytest.raises(ValueError, match="forward alone"):
        torch.jit.trace_module(layer, {"other": torch.ones(1)})


def test_what_asks_for_a_gpu_is_refused() -> None:
    assert not torch.cuda.is_initialized() and torch.cuda.memory_stats() == {}
    for name in ("Event", "Stream", "current_stream", "mem_get_info"):
        with pytest.raises(DeviceError, match=name):
            getattr(torch.cuda, name)()


def test_results_are_not_written_into_arguments() -> None:
    x = torch.arange(6.0)
    places = torch.tensor([0, 1])
    for ask in (
        lambda: torch.gather(x, 0, places, out=x[1:3]), lambda: torch.take(x, places, out=x[:2]),
        lambda: torch.index_select(x, 0, places, out=x[4:]), lambda: torch.cat([x[:3], x[3:]], out=x),
        lambda: torch.masked_select(x, x > 3, out=x[:2]), lambda: torch.kthvalue(x, 1, out=(x[0], places[0])),
        lambda: torch.gather(x, 0, places, out=torch.zeros(1).expand(2)),
        lambda: torch.take(x, places, out=torch.zeros(1).expand(3)),
    ):  # fmt: skip
        with pytest.raises(RuntimeError, match=r"memory|overlap"):
            ask()
    assert torch.gather(x[:3], 0, places, out=x[4:]).tolist() == [0, 1] and x.tolist() == [0, 1, 2, 3, 0, 1]


@pytest.mark.parametrize(
    ("ask", "kind"),
    [
        (lambda: torch.gather(X, 0, torch.tensor([[0]]), out=torch.empty(0, dtype=torch.float64)), RuntimeError),
        (lambda: torch.aminmax(X, out=(torch.empty(0, dtype=torch.float64), torch.empty(0))), RuntimeError),
        (lambda: torch.multinomial(X, 1, out=torch.empty(0)), RuntimeError),
        (lambda: torch.index_add(X, 0, torch.tensor([0]), torch.ones(1, 3)), RuntimeError),
        (lambda: torch.linalg.cross(torch.ones(3), torch.ones(1, 3)), RuntimeError),
        (lambda: torch.linspace(0, 1, 2.5), TypeError), (lambda: torch.cat(X), TypeError),
        (lambda: torch.roll(torch.tensor(1.0), 1, 0), IndexError),
        (lambda: torch.amax(torch.ones(2, 0), 1), IndexError), (lambda: torch.ones([1] * 65), RuntimeError),
        (lambda: torch.arange(0, 9, 0.5, out=torch.empty(0, dtype=torch.int64)), ValueError),
    ],
)  # fmt: skip
def test_what_pytorch_refuses_is_refused(ask: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        ask()


@pytest.mark.parametrize(
    ("name", "options"),
    [("SGD", {"lr": 0.1, "momentum": 0.9}), ("Adam", {"amsgrad": True}), ("RMSprop", {"centered": True}),
     ("Adagrad", {"initial_accumulator_value": 0.1}), ("Rprop", {}), ("LBFGS", {})],
)  # fmt: skip
def test_complex_parameters_are_trained_as_pairs(name: str, options: dict[str, Any]) -> None:
    start, target = torch.randn(3, dtype=torch.complex128), torch.randn(3, dtype=torch.complex128)
    whole = torch.nn.Parameter(start.clone())
    pairs = torch.nn.Parameter(torch.view_as_real(start.clone()))
    for parameter, numbers in ((whole, lambda p: p), (pairs, torch.view_as_complex)):
        optimizer = getattr(torch.optim, name)([parameter], **options)

        def closure(p: Any = parameter, numbers: Any = numbers, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = (numbers(p) - target).abs().square().sum()
            loss.backward()
            return loss

        for _ in range(5):
            optimizer.step(closure)
    assert torch.allclose(torch.view_as_real(whole.detach()), pairs.detach(), rtol=1e-12, atol=1e-14)
    assert not math.isclose(whole[0].real.item(), start[0].real.item())
    with pytest.raises(RuntimeError, match="real parameters"):
        torch.optim.Adafactor([whole])
