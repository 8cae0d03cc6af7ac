"""What programs say that were written for PyTorch's first versions, and wrappers that lean on its inner names."""

from __future__ import annotations

import importlib
from collections import OrderedDict, defaultdict
from typing import Any

import numpy as np
import pytest

import duograph.torch as torch
from duograph.graph.errors import ArgumentError
from duograph.torch.autograd import Variable
from duograph.torch.optim.lr_scheduler import _LRScheduler


@pytest.mark.parametrize("make", [torch.Tensor, torch.FloatTensor, torch.ones(1).new], ids=["Tensor", "Float", "new"])
def test_older_constructors_take_sizes_or_data(make: Any) -> None:
    assert make(2, 3).shape == (2, 3) and make(2, 3).dtype is torch.float32
    assert make(5).shape == (5,) and make(np.int64(4)).shape == (4,)
    assert make(torch.Size([2, 3])).shape == (2, 3)
    assert make(torch.ones(2, 4).shape).shape == (2, 4)
    assert make([2, 3]).tolist() == [2.0, 3.0] and make((2, 3)).tolist() == [2.0, 3.0]
    assert make(np.ones((2, 2))).dtype is torch.float32
    assert make().shape == (0,)


def test_other_types_have_their_dtypes() -> None:
    assert torch.LongTensor(2, 3).dtype is torch.int64 and torch.LongTensor([1, 2]).tolist() == [1, 2]
    assert torch.ones(2, dtype=torch.float64).new(3).dtype is torch.float64
    x = torch.ones(2, dtype=torch.float64)
    assert x.type(torch.FloatTensor).dtype is torch.float32
    assert x.type("torch.LongTensor").dtype is x.type(torch.int64).dtype is torch.int64


def test_dtypes_bear_the_names_that_programs_compare() -> None:
    assert str(torch.float32) == repr(torch.float32) == "torch.float32"
    assert f"{torch.ones(2).to(torch.bfloat16)}" == "tensor([1., 1.], dtype=torch.bfloat16)"


def test_a_variable_is_a_tensor_over_the_same_memory() -> None:
    data = torch.zeros(3)
    x = Variable(data, requires_grad=True)
    data[0] = 5
    assert x.tolist() == [5, 0, 0] and x.requires_grad and not data.requires_grad
    (x * x).sum().backward()
    assert x.grad.tolist() == [10, 0, 0] and data.grad is None
    assert isinstance(data, Variable) and not isinstance(1, Variable)
    assert not Variable(x * 2).requires_grad
    with pytest.warns(UserWarning, match="no_grad"):
        Variable(data, volatile=True)


def test_a_gradient_penalty_says_only_inputs() -> None:
    x = torch.tensor([3.0, 4.0], requires_grad=True)
    (slope,) = torch.autograd.grad(
        outputs=(x * x).sum(), inputs=x, create_graph=True, retain_graph=True, only_inputs=True
    )
    slope.norm().backward()
    torch.testing.assert_close(x.grad, 2 * x.detach() / 5)
    with pytest.raises(ArgumentError, match="backward"):
        torch.autograd.grad((x * x).sum(), x, only_inputs=False)


@pytest.mark.parametrize("backend", ["cpu", "cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp", "opt_einsum"])
def test_backends_are_modules_with_switches(backend: str) -> None:
    module = importlib.import_module(f"duograph.torch.backends.{backend}")
    assert module is getattr(torch.backends, backend)
    if hasattr(module, "is_available"):
        assert module.is_available() is False


def test_switches_of_backends_change_nothing() -> None:
    cudnn, cuda = torch.backends.cudnn, torch.backends.cuda
    cudnn.benchmark, cuda.matmul.allow_tf32 = True, True
    cudnn.benchmark, cuda.matmul.allow_tf32 = False, False
    with cudnn.flags(enabled=False, deterministic=True), cuda.sdp_kernel(enable_flash=False):
        assert cudnn.version() is None and not cudnn.is_acceptable(torch.ones(1))
    with pytest.raises(AttributeError, match="cudnn has no 'tuned'"):
        cudnn.tuned  # noqa: B018


def test_a_schedule_of_the_user_derives_from_the_older_name() -> None:
    class Halves(_LRScheduler):
        def get_lr(self) -> list[float]:
            return [base * 0.5**self.last_epoch for base in self.base_lrs]

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.8)
    schedule = Halves(optimizer)
    for _ in range(2):
        optimizer.step()
        schedule.step()
    assert schedule.get_last_lr() == [0.2]


def test_an_optimizer_may_wrap_another_and_make_nothing_of_its_own() -> None:
    class Twice(torch.optim.Optimizer):
        def __init__(self, optimizer: Any) -> None:
            self.optimizer, self.param_groups, self.state = optimizer, optimizer.param_groups, defaultdict(dict)
            self._optimizer_step_pre_hooks: OrderedDict[int, Any] = OrderedDict()

        def step(self, closure: Any = None) -> Any:
            self.optimizer.step(closure)
            return self.optimizer.step(closure)

    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = Twice(torch.optim.SGD([weight], lr=0.25))
    for _ in range(2):
        optimizer.zero_grad()
        weight.sum().backward()
        optimizer.step()
    assert weight.tolist() == [0.0, 0.0]


def test_a_detached_tensor_may_become_a_leaf_of_its_own() -> None:
    """As in attacks and in Langevin dynamics, which move their input through `.data`."""
    x = (torch.ones(3) * 2).detach()
    x.requires_grad = True
    for _ in range(2):
        (x * x).sum().backward()
        x.data.add_(x.grad, alpha=-0.25)
        assert x.requires_grad and x.is_leaf
        x.grad.zero_()
    assert x.tolist() == [0.5, 0.5, 0.5]
    with torch.no_grad():
        x[0] = 7
    assert x.requires_grad and x.tolist() == [7, 0.5, 0.5]


@pytest.mark.parametrize(
    "write",
    [lambda x: x.add_(1), lambda x: x[0].mul_(2), lambda x: x.view(-1).zero_(), lambda x: x.__setitem__(0, 1)],
    ids=["itself", "element", "view", "index"],
)
def test_and_then_cannot_be_written_on_the_tape(write: Any) -> None:
    x = torch.ones(3).detach().requires_grad_()
    with pytest.raises(RuntimeError, match="leaf tensor"):
        write(x)


def test_a_view_that_became_a_leaf_stays_one_when_its_base_is_written() -> None:
    base = torch.zeros(4)
    view = base[1:3].requires_grad_()
    base.add_(2)
    assert view.requires_grad and view.tolist() == [2, 2]
    (view * view).sum().backward()
    assert view.grad.tolist() == [4, 4] and base.grad is None


def test_arguments_bear_the_names_that_methods_have() -> None:
    x = torch.arange(12.0).reshape(3, 4)
    assert [tuple(part.shape) for part in x.split(split_size=3, dim=1)] == [(3, 3), (3, 1)]
    assert x.tensor_split(indices=(1,))[1].shape == (2, 4) and torch.tensor_split(x, sections=3)[0].shape == (1, 4)
    assert x.hsplit(sections=2)[1].shape == (3, 2) and x.vsplit(indices=(1, 2))[2].shape == (1, 4)
    assert x[:, :1].expand(size=(3, 2)).shape == (3, 2) and x.repeat(repeats=(2, 1)).shape == (6, 4)
    assert x.clone().unsqueeze_(dim=0).squeeze_(dim=0).transpose_(dim0=0, dim1=1).shape == (4, 3)
    assert x[0].dot(tensor=x[1]).item() == 38
    for name in ("det", "inverse", "logdet", "slogdet", "matrix_exp", "cholesky_inverse"):
        getattr(torch, name)(input=torch.eye(2))


def test_fake_quantization_rounds_and_lets_gradients_through_in_range() -> None:
    x = torch.tensor([-9.0, -0.26, -0.05, 0.024, 0.026, 6.3, torch.inf], requires_grad=True)
    y = torch.fake_quantize_per_tensor_affine(x, 0.05, 3, -128, 127)
    y.sum().backward()
    np.testing.assert_allclose(y.tolist(), [-6.55, -0.25, -0.05, 0.0, 0.05, 6.2, 6.2], rtol=1e-6)
    assert x.grad.tolist() == [0, 1, 1, 1, 1, 0, 0]
    rows = torch.tensor([[-6.0, 1.4], [-6.0, 1.4]], requires_grad=True)
    scale, zero = torch.tensor([0.5, 2.0]), torch.zeros(2, dtype=torch.int32)
    y = torch.fake_quantize_per_channel_affine(rows, scale, zero, 0, -4, 3)
    y.sum().backward()
    assert y.tolist() == [[-2, 1.5], [-6, 2]] and rows.grad.tolist() == [[0, 1], [1, 1]]
    with pytest.raises(RuntimeError, match="scale and zero_point of shape"):
        torch.fake_quantize_per_channel_affine(rows, scale[:1], zero, 0, -4, 3)
