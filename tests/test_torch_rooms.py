"""Rooms of `torch` that programs reach for beside their models: hub, timers, nests, groups of one, stubs."""

from __future__ import annotations

import hashlib
from collections import OrderedDict, namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import duograph.torch as torch
from duograph.graph.errors import NotSupported
from duograph.torch.utils import _pytree as pytree
from duograph.torch.utils import benchmark

Point = namedtuple("Point", "x y")


# -- storage -----------------------------------------------------------------------------------------------------------
def test_the_memory_of_tensors() -> None:
    x = torch.arange(6.0).reshape(2, 3)
    row, whole = x[1].untyped_storage(), x.untyped_storage()
    assert row == whole and row.data_ptr() == x.data_ptr() and len(whole) == whole.nbytes() == 24
    assert torch.is_storage(whole) and whole != torch.ones(6).untyped_storage() and whole[7] == 63
    numbers = x.storage()
    numbers[0] = 5.0
    assert x[0, 0].item() == 5 and numbers.tolist() == [5, 1, 2, 3, 4, 5] and numbers.dtype is torch.float32
    assert len(numbers) == 6 and numbers.element_size() == 4 and numbers.untyped() == whole
    copied = whole.clone().fill_(0)
    assert copied.tolist() == [0] * 24 and x[0, 1].item() == 1
    assert whole.copy_(copied) is whole and x.sum().item() == 0 and not whole.is_shared()
    assert torch.ones(2, dtype=torch.bfloat16).storage().tolist() == [1, 1]
    assert torch.UntypedStorage(3).tolist() == [0, 0, 0]
    with pytest.raises(NotSupported, match="untyped_storage"):
        torch.UntypedStorage([1, 2])


def test_tensors_take_other_memory() -> None:
    x, y = torch.arange(6.0), torch.empty(0)
    assert y.set_(x) is y and y.tolist() == x.tolist()
    x.add_(1)
    y.mul_(2)
    assert x.tolist() == y.tolist() == [2, 4, 6, 8, 10, 12]
    assert torch.empty(0).set_(x.storage(), 1, (2, 2), (2, 1)).tolist() == [[4, 6], [8, 10]]
    assert y.set_().shape == (0,)
    with pytest.raises(RuntimeError, match="float32"):
        torch.ones(1).set_(torch.ones(1, dtype=torch.float64))
    with pytest.raises(RuntimeError, match="require grad"):
        torch.ones(1, requires_grad=True).set_(x)
    held = torch.ones(3)
    part = held[1:]
    with pytest.raises(ValueError, match="views"):
        held.set_(x)
    assert part.tolist() == [1, 1]


def test_tensors_of_another_size() -> None:
    x = torch.arange(4.0)
    assert x.resize_(2, 3) is x and x.flatten()[:4].tolist() == [0, 1, 2, 3]
    assert x.resize_(2).tolist() == [0, 1] and torch.resize_as_(x, torch.ones(1, 2)).shape == (1, 2)
    with pytest.raises(NotSupported, match="views"):
        x[0].resize_(5)
    with pytest.raises(RuntimeError, match="resized"):
        torch.ones(2, requires_grad=True).resize_(3)
    with pytest.raises(RuntimeError, match="0 or more"):
        x.resize_(-1)


def test_strided_views() -> None:
    x = torch.arange(12.0).reshape(3, 4)
    part = x.as_strided((2, 2), (4, 1), 1)
    assert part.tolist() == [[1, 2], [5, 6]] and part.stride() == (4, 1) and part.storage_offset() == 1
    part.mul_(10)
    assert x.tolist() == [[0, 10, 20, 3], [4, 50, 60, 7], [8, 9, 10, 11]]
    x[0, 1] = -1
    assert part[0, 0].item() == -1
    windows = torch.as_strided(x.t()[1:], (3, 2), (1, 1))
    assert windows.tolist() == [[-1, 20], [20, 3], [3, 4]]
    with pytest.raises(ValueError, match="several"):
        windows.zero_()
    with pytest.raises(ValueError, match="need 13 elements"):
        x.as_strided((13,), (1,))
    with pytest.raises(ValueError, match="0 or more"):
        x.as_strided((1,), (-1,))
    leaf = torch.arange(4.0, requires_grad=True)
    ((leaf * 2).as_strided((3, 2), (1, 1)) ** 2).sum().backward()
    assert leaf.grad.tolist() == [0, 16, 32, 24]


# -- nests -------------------------------------------------------------------------------------------------------------
def test_nests_are_taken_apart_and_put_together() -> None:
    nest = {"b": [1, (2, None)], "a": Point(3, OrderedDict(z=4))}
    leaves, form = pytree.tree_flatten(nest)
    assert leaves == [1, 2, None, 3, 4] and form.num_leaves == 5 and form.type is dict and form.num_children == 2
    again = pytree.tree_unflatten([10, 20, 30, 40, 50], form)
    assert again == {"b": [10, (20, 30)], "a": Point(40, OrderedDict(z=50))} and type(again["a"]) is Point
    assert form == pytree.tree_structure(again) and form != pytree.tree_structure([1])
    paths = [pytree.keystr(path) for path, _ in pytree.tree_leaves_with_path(nest)]
    assert paths == ["['b'][0]", "['b'][1][0]", "['b'][1][1]", "['a'].x", "['a'].y['z']"]
    with pytest.raises(ValueError, match="5 leaves"):
        form.unflatten([1])


def test_functions_of_leaves() -> None:
    assert pytree.tree_map(lambda a, b: a + b, [1, {"k": 2}], [10, {"k": 20}]) == [11, {"k": 22}]
    assert pytree.tree_map_only(int, str, (1, 2.5, [3])) == ("1", 2.5, ["3"])
    assert pytree.tree_map(len, [[1, 2], [3]], is_leaf=lambda x: x != [[1, 2], [3]]) == [2, 1]
    assert pytree.tree_all(bool, [1, [2]]) and pytree.tree_any(bool, [0, [2]]) and not pytree.tree_all(bool, [0])
    assert pytree.tree_map_with_path(lambda path, leaf: (len(path), leaf), [1, [2]]) == [(1, 1), [(2, 2)]]
    with pytest.raises(ValueError, match="2 children"):
        pytree.tree_map(lambda a, b: a, [1, 2], [1])
    with pytest.raises(ValueError, match="list"):
        pytree.tree_map(lambda a, b: a, [1, 2], (1, 2))

    class Pair:
        def __init__(self, a: Any, b: Any) -> None:
            self.a, self.b = a, b

    pytree.register_pytree_node(Pair, lambda p: ([p.a, p.b], None), lambda parts, _: Pair(*parts))
    made = pytree.tree_map(lambda x: x * 2, Pair(1, [2]))
    assert made.a == 2 and made.b == [4]
    with pytest.raises(ValueError, match="already"):
        pytree.register_pytree_node(Pair, lambda p: ([], None), lambda parts, _: Pair(0, 0))


# -- hub ---------------------------------------------------------------------------------------------------------------
def test_models_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "hubconf.py").write_text(
        "dependencies = ['numpy']\nfrom helper import size\ndef net(width=2):\n    'A net.'\n    return size * width\n"
    )
    (tmp_path / "helper.py").write_text("size = 21\n")
    assert torch.hub.load(str(tmp_path), "net", source="local") == 42
    assert torch.hub.load(tmp_path, "net", width=1, source="local") == 21
    assert "net" in torch.hub.list(str(tmp_path), source="local")
    assert torch.hub.help(str(tmp_path), "net", source="local") == "A net."
    with pytest.raises(RuntimeError, match="'nothing'"):
        torch.hub.load(str(tmp_path), "nothing", source="local")
    with pytest.raises(NotSupported, match="source='local'"):
        torch.hub.load("pytorch/vision", "resnet18")


def test_weights_of_a_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save({"w": torch.ones(2)}, tmp_path / "net.pth")
    digest = hashlib.sha256((tmp_path / "net.pth").read_bytes()).hexdigest()[:8]
    (tmp_path / "net.pth").rename(tmp_path / f"net-{digest}.pth")
    url = (tmp_path / f"net-{digest}.pth").as_uri()
    monkeypatch.setattr(torch.hub, "_directory", None)
    torch.hub.set_dir(tmp_path / "kept")
    for _ in range(2):
        found = torch.hub.load_state_dict_from_url(url, check_hash=True, progress=False)
        assert found["w"].tolist() == [1, 1]
    assert (tmp_path / "kept" / "checkpoints" / f"net-{digest}.pth").exists()
    with pytest.raises(RuntimeError, match="hash"):
        torch.hub.download_url_to_file(url, tmp_path / "other", "0000")
    assert not (tmp_path / "other").exists()


# -- timers ------------------------------------------------------------------------------------------------------------
def test_timers() -> None:
    x = torch.randn(64, 64)
    timer = benchmark.Timer("x @ x", globals={"x": x}, label="product", sub_label="64", description="float32")
    once, several = timer.timeit(5), timer.blocked_autorange(min_run_time=0.01)
    assert once.number_per_run == 5 and len(once.raw_times) == 1 and once.median == once.raw_times[0] / 5
    assert sum(several.raw_times) >= 0.01 and several.mean > 0 and several.iqr >= 0
    assert "product: 64" in repr(several) and "float32" in repr(several)
    text = str(benchmark.Compare([once, benchmark.Timer("torch.ones(3).sum()", label="product").timeit(2)]))
    assert "product" in text and "64" in text and "torch.ones(3).sum()" in text
    assert timer.adaptive_autorange(max_run_time=0.05).median > 0
    with pytest.raises(ValueError, match="python"):
        benchmark.Timer("x", language="cpp")


# -- groups of one -----------------------------------------------------------------------------------------------------
def test_a_group_of_one() -> None:
    dist = torch.distributed
    dist.init_process_group("gloo", rank=0, world_size=1)
    try:
        x = torch.arange(4.0)
        into = [torch.zeros(4)]
        dist.gather(x, into)
        assert into[0].tolist() == x.tolist() and dist.new_group([0]).size() == 1
        out = torch.zeros(4)
        for call in (
            lambda: dist.scatter(out, [x]), lambda: dist.reduce_scatter(out, [x]), lambda: dist.all_to_all([out], [x]),
            lambda: dist.all_to_all_single(out, x), lambda: dist.all_gather_into_tensor(out, x),
        ):  # fmt: skip
            out.zero_()
            call()
            assert out.tolist() == x.tolist()
        assert dist.get_process_group_ranks() == [0] and dist.group.WORLD.rank() == 0
        with pytest.raises(ValueError, match="rank"):
            dist.new_group([0, 1])
    finally:
        dist.destroy_process_group()
    assert dist.group.WORLD is None and dist.Backend("GLOO") == "gloo"


# -- quantisation's stubs ----------------------------------------------------------------------------------------------
def test_models_that_could_be_quantised_run() -> None:
    nn, quantization = torch.nn, torch.ao.quantization

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.quant, self.dequant = quantization.QuantStub(), quantization.DeQuantStub()
            self.body = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU())
            self.add = nn.quantized.FloatFunctional()

        def forward(self, x: Any) -> Any:
            y = self.body(self.quant(x))
            return self.dequant(self.add.add(y, self.add.mul_scalar(y, 2.0)))

    net, x = Net(), torch.randn(2, 1, 5, 5)
    net(x)
    net.eval()
    fused = quantization.fuse_modules(net, [["body.0", "body.1", "body.2"]])
    assert torch.allclose(fused(x), net(x), atol=1e-5) and isinstance(fused.body[1], nn.Identity)
    assert isinstance(net.body[1], nn.BatchNorm2d)
    with pytest.raises(AssertionError, match="ReLU"):
        quantization.fuse_modules(net, ["body.2", "body.1"])
    with pytest.raises(AttributeError, match="not built here"):
        quantization.prepare  # noqa: B018


# -- others ------------------------------------------------------------------------------------------------------------
def test_control_flow_in_the_graph() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    for limit, factor in ((0.0, 2.0), (9.0, 3.0)):
        made = torch.cond(x.sum() > limit, lambda a: {"y": a * 2}, lambda a: {"y": a * 3}, (x,))["y"]
        (grad,) = torch.autograd.grad(made.sum(), x)
        assert grad.tolist() == [factor, factor]
    assert torch.cond(True, lambda: 1, lambda: 2) == 1
    count, total = torch.while_loop(lambda i, a: i < 4, lambda i, a: (i + 1, a * 2), (torch.tensor(0), torch.ones(2)))
    assert count.item() == 4 and total.tolist() == [16, 16]


def test_vectors_of_a_file(tmp_path: Path) -> None:
    np.arange(4, dtype=np.float32).tofile(tmp_path / "x")
    shared = torch.from_file(tmp_path / "x", shared=True, size=4)
    shared[0] = 7
    copied = torch.from_file(tmp_path / "x", size=4)
    copied[1] = 9
    assert np.fromfile(tmp_path / "x", np.float32).tolist() == [7, 1, 2, 3] and copied.tolist() == [7, 9, 2, 3]


def test_switches_that_change_nothing() -> None:
    torch.set_deterministic_debug_mode("warn")
    torch.set_warn_always(True)
    assert torch.get_deterministic_debug_mode() == 2 and not torch.is_warn_always_enabled()
    assert torch.get_autocast_cpu_dtype() is torch.bfloat16 and not torch.is_autocast_cpu_enabled()
    assert torch.cpu.device_count() == 1 and torch.cpu.is_available() and torch.cpu.synchronize() is None
    assert torch.sym_max(1, 2.0) == 2.0 and torch.sym_not(0) and torch.sym_sum([1, 2]) == 3 and torch.sym_int(2.5) == 2
    assert issubclass(torch.cuda.OutOfMemoryError, RuntimeError) and not torch.overrides.has_torch_function([1])
    assert torch.overrides.is_tensor_like(torch.ones(1))
    with pytest.raises(AttributeError, match="is_available"):
        torch.cuda.CUDAGraph  # noqa: B018


def test_questions_to_tensors() -> None:
    x = torch.arange(6.0).reshape(2, 3)
    assert 3.0 in x and 9 not in x and torch.tensor([0.0, 1.0, 2.0]) in x
    assert reversed(x).tolist() == [[3, 4, 5], [0, 1, 2]] and x.t().dim_order() == (1, 0)
    assert x.is_set_to(x.view(2, 3)) and not x.is_set_to(x.clone()) and not x.is_inference()
    with pytest.raises(RuntimeError, match="a number or a tensor"):
        "a" in x  # noqa: B015


def test_names_beside_others() -> None:
    mean = [torch.ones(2)]
    torch.optim.swa_utils.get_swa_multi_avg_fn()(mean, [torch.zeros(2)], torch.tensor(1))
    assert mean[0].tolist() == [0.5, 0.5]
    layer, x = torch.nn.Linear(2, 3), torch.randn(4, 2)
    assert torch.equal(torch.nn.parallel.data_parallel(layer, x), layer(x))
    values, places = torch.nn.functional.fractional_max_pool2d_with_indices(torch.randn(1, 1, 6, 6), 2, 3)
    assert values.shape == places.shape == (1, 1, 3, 3)
    with torch.utils.checkpoint.set_checkpoint_early_stop(False):
        before, again = torch.utils.checkpoint.noop_context_fn()
        with before, again:
            assert torch.utils.checkpoint.checkpoint(layer, x, use_reentrant=False).shape == (4, 3)
    handle = torch.ones(1, requires_grad=True).register_hook(torch.utils.hooks.unserializable_hook(lambda g: g))
    assert isinstance(handle, torch.utils.hooks.RemovableHandle)
    hooked = torch.ones(1, requires_grad=True)
    hooked.register_hook(lambda g: g)
    with pytest.warns(UserWarning, match="not be serialized"):
        torch.utils.hooks.warn_if_has_hooks(hooked)
    assert torch.utils.dlpack.from_dlpack(torch.utils.dlpack.to_dlpack(x)).tolist() == x.tolist()


def test_statistics_of_the_batch_alone() -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 1), torch.nn.BatchNorm2d(2)).eval()
    assert torch.func.replace_all_batch_norm_modules_(net) is net and net[1].running_mean is None
    x = torch.randn(8, 1, 3, 3)
    assert torch.allclose(net(x).mean((0, 2, 3)), torch.zeros(2), atol=1e-5)
    assert torch.func.functionalize(torch.sin) is torch.sin


def test_calls_that_are_waited_for() -> None:
    assert torch.jit.wait(torch.jit.fork(lambda a, b: a + b, 1, b=2)) == 3
    assert torch.jit.isinstance([1], list) and not torch.jit.isinstance(1, str)
    with pytest.raises(AttributeError, match="state_dict"):
        torch.jit.load  # noqa: B018
