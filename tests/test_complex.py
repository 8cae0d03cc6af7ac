"""Complex tensors: promotion, parts and views, gradients, what is refused, and machine code against NumPy."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import duograph.torch as torch
from duograph.checkpoint import safetensors
from duograph.compiler.complex import legalise
from duograph.graph import language as lang
from duograph.graph.dtype import complex64, complex128, float32
from duograph.graph.errors import ArgumentError, DTypeError, DuographError, GradientError, ShapeError
from duograph.graph.node import PRIMITIVES, Graph, make
from duograph.graph.text import read, write
from duograph.runtime.native import Native
from tests.compiled_tools import natively

Z = np.array([[1 + 2j, -3 - 1j, 0.5j], [-2 + 0j, 0.25 - 4j, 3 + 3j]])


def random(*shape: int, dtype: Any = np.complex128) -> np.ndarray:
    generator = np.random.default_rng(sum(shape))
    return (generator.standard_normal(shape) + 1j * generator.standard_normal(shape)).astype(dtype)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (torch.ones(2, dtype=torch.float64), torch.ones(2, dtype=torch.complex64), torch.complex128),
        (torch.ones(2), torch.ones(2, dtype=torch.complex64), torch.complex64),
        (torch.ones(2, dtype=torch.float16), torch.ones(2, dtype=torch.complex64), torch.complex64),
        (torch.ones(2, dtype=torch.int64), 1j, torch.complex64),
        (torch.ones(2), 1j, torch.complex64),
        (torch.ones(2, dtype=torch.float64), 1j, torch.complex128),
        (torch.ones(2, dtype=torch.complex64), 2.5, torch.complex64),
        (torch.ones(2, dtype=torch.complex64), torch.tensor(1.0, dtype=torch.float64), torch.complex64),
        (torch.ones(2), torch.tensor(1j, dtype=torch.complex128), torch.complex64),
        (torch.ones(2, dtype=torch.float64), torch.tensor(1j), torch.complex128),
        (torch.ones(2, dtype=torch.complex64), torch.ones(2, dtype=torch.complex128), torch.complex128),
    ],
)
def test_promotion(a: Any, b: Any, expected: Any) -> None:
    assert torch.result_type(a, b) is expected
    assert (a + b).dtype is expected and (b * a).dtype is expected


def test_dtypes_and_numbers() -> None:
    x = torch.tensor([1 + 2j, 3])
    assert x.dtype is torch.complex64 and x.is_complex() and not x.is_floating_point() and x.dtype.is_complex
    assert torch.tensor(Z).dtype is torch.complex128 and x.cdouble().dtype is torch.cdouble and x[0].item() == 1 + 2j
    assert complex(x[0]) == 1 + 2j and x.tolist() == [1 + 2j, 3 + 0j] and bool(x[0])
    assert torch.zeros(2, dtype=complex).dtype is torch.complex128
    assert x.real.dtype is torch.float32 and x.to(torch.float64).tolist() == [1, 3]
    assert x.to(torch.bool).tolist() == [True, True] and torch.full((2,), 1j).dtype is torch.complex64
    assert repr(x) == "tensor([1.+2.j, 3.+0.j])"
    assert repr(torch.tensor(1.5 - 0.25j)) == "tensor(1.5000-0.2500j)"
    assert x.numpy().dtype == np.complex64 and torch.from_dlpack(x).dtype is torch.complex64
    drawn = torch.randn(10_000, dtype=torch.complex64)
    assert float(drawn.abs().square().mean()) == pytest.approx(1, abs=0.05)
    assert float(drawn.real.var()) == pytest.approx(0.5, abs=0.05)


def test_parts_are_views() -> None:
    x = torch.tensor(Z)
    x.real[0, 0] = 7
    x.imag = torch.zeros(2, 3, dtype=torch.float64)
    torch.view_as_real(x)[1, 2, 1] = 5
    expected = Z.copy()
    expected.real[0, 0] = 7
    expected.imag = 0
    expected[1, 2] += 5j
    assert np.array_equal(x.numpy(), expected)
    pairs = torch.arange(6.0).reshape(3, 2)
    torch.view_as_complex(pairs).mul_(1j)
    assert pairs.tolist() == [[-1, 0], [-3, 2], [-5, 4]]
    lazily = torch.tensor(Z) * 2  # pending: no memory to be a window on
    lazily.imag[0] += 1
    assert np.array_equal(lazily.numpy(), Z * 2 + np.array([[1j], [0]]))
    assert np.array_equal(torch.tensor(Z).mT.imag.numpy(), Z.T.imag)
    assert x.imag[1:].stride() == (6, 2) and x.imag[1:].storage_offset() == 7
    assert torch.view_as_real(x.mT).stride() == (2, 6, 1) and torch.view_as_complex(pairs).stride() == (1,)
    assert np.array_equal(x.real.reshape(3, 2).numpy(), expected.real.reshape(3, 2))
    with pytest.raises(ArgumentError, match="contiguous"):
        torch.view_as_complex(torch.zeros(2, 3).mT)


def test_parts_and_angles() -> None:
    x = torch.tensor(Z)
    assert np.array_equal(torch.complex(x.real, x.imag).numpy(), Z) and np.array_equal(x.conj().numpy(), Z.conj())
    assert np.allclose(torch.polar(x.abs(), x.angle()).numpy(), Z, 1e-15, 1e-15)
    assert np.array_equal(x.H.numpy(), Z.conj().T) and np.array_equal(x.mH.numpy(), x.adjoint().numpy())
    assert torch.isreal(x).tolist() == (Z.imag == 0).tolist() and torch.real(x.real) is not None
    assert np.allclose(x.sgn().numpy(), Z / np.abs(Z)) and x.resolve_conj() is x and not x.is_conj()
    assert torch.tensor([1.0, -2.0, 0.0]).angle().tolist() == pytest.approx([0, np.pi, 0])
    assert torch.tensor(complex(np.inf, 1)).isinf().item() and torch.tensor(complex(1, np.nan)).isnan().item()


FUNCTIONS = [
    "exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "rsqrt", "reciprocal",
    "square", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh",
    "tanh", "asinh", "acosh", "atanh", "sigmoid", "sgn", "neg", "positive", "conj_physical",
]  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_of_functions(name: str) -> None:
    """dL/dRe + i dL/dIm by finite differences of a real loss."""
    points = random(7) * 1.5
    weights = random(8)[:7]

    def loss(z: np.ndarray) -> Any:
        x = torch.tensor(z, requires_grad=True)
        y = (getattr(torch, name)(x) * torch.tensor(weights)).sum().real
        return x, y

    x, y = loss(points)
    y.backward()
    for direction in (1, 1j):
        for place in range(7):
            moved = np.zeros(7, complex)
            moved[place] = 1e-6 * direction
            slope = (loss(points + moved)[1].item() - loss(points - moved)[1].item()) / 2e-6
            received = x.grad[place].item()
            assert (received.real if direction == 1 else received.imag) == pytest.approx(slope, rel=1e-5, abs=1e-7)


def test_gradients_cross_into_real_numbers() -> None:
    """A real input of a complex product has a real gradient."""
    a, z = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([1 + 2j, 3 - 1j], requires_grad=True)
    loss = (a * z * 1j).abs().square().sum()
    loss.backward()
    assert a.grad.dtype is torch.float32 and a.grad.tolist() == pytest.approx([10, 40])
    assert np.allclose(z.grad.numpy(), [2 * (1 + 2j), 8 * (3 - 1j)])
    with pytest.raises(GradientError):
        (z * 1j).sum().backward()


def test_gradient_descent_on_complex_parameters() -> None:
    target = torch.tensor(Z)
    x = torch.nn.Parameter(torch.zeros(2, 3, dtype=torch.complex128))
    for _ in range(60):
        loss = (x - target).abs().square().sum()
        (gradient,) = torch.autograd.grad(loss, x)
        with torch.no_grad():
            x -= 0.2 * gradient
    assert np.allclose(x.detach().numpy(), Z, atol=1e-6)


def test_optimisers_take_complex_parameters() -> None:
    x = torch.nn.Parameter(torch.zeros(2, 3, dtype=torch.complex128))
    optimizer = torch.optim.SGD([x], lr=0.1, momentum=0.5)
    for _ in range(80):
        optimizer.zero_grad()
        (x - torch.tensor(Z)).abs().square().sum().backward()
        optimizer.step()
    assert np.allclose(x.detach().numpy(), Z, atol=1e-6)
    for kind in (torch.optim.Adafactor, torch.optim.SparseAdam):
        with pytest.raises(DTypeError, match="view_as_real"):
            kind([x])


@pytest.mark.parametrize(
    "op", ["prod", "cumprod", "cumsum", "matmul", "solve", "det", "inv", "eig", "eigh", "svd", "qr"]
)
def test_gradients_of_matrices(op: str) -> None:
    """Decompositions are unique up to phases, so the losses do not depend on them."""
    a = random(3, 3)
    weights = torch.tensor(random(3, 4)[:, :3])

    def loss(x: Any) -> Any:
        match op:
            case "prod" | "cumprod" | "cumsum":
                return (
                    (
                        getattr(x, op)(1)
                        * weights.reshape(9)[: 3 if op == "prod" else 9].reshape((3,) if op == "prod" else (3, 3))
                    )
                    .sum()
                    .real
                )
            case "matmul":
                return ((x @ x) * weights).sum().real
            case "solve":
                return (torch.linalg.solve(x, weights) * weights).sum().imag
            case "det":
                return (torch.linalg.det(x) * (1 + 2j)).real + torch.linalg.slogdet(x)[1]
            case "inv":
                return (torch.linalg.inv(x) * weights).sum().real
            case "eig":
                values, vectors = torch.linalg.eig(x)
                return values.square().abs().sum() + (vectors.abs().square() * values.abs()).square().sum()
            case "eigh":
                values, vectors = torch.linalg.eigh(x + x.mH)
                return ((vectors * values.exp().unsqueeze(0)) @ vectors.mH * weights).sum().real
            case "svd":
                u, s, vh = torch.linalg.svd(x)
                return ((u * s.sin().unsqueeze(0)) @ vh * weights).sum().real
            case _:
                q, r = torch.linalg.qr(x)
                return (q.abs().square() * weights.real).sum() + (r.abs().square() * weights.imag).sum()

    x = torch.tensor(a, requires_grad=True)
    loss(x).backward()
    for seed in range(3):
        direction = random(3, 5 + seed)[:, :3]
        ahead, behind = (loss(torch.tensor(a + step * direction)).item() for step in (1e-6, -1e-6))
        received = np.vdot(x.grad.numpy(), direction).real
        assert received == pytest.approx((ahead - behind) / 2e-6, rel=1e-5, abs=1e-6)


REFUSED: dict[str, Callable[[Any], Any]] = {
    "less": lambda x: x < x, "less_equal": lambda x: x <= 1, "amax": lambda x: x.amax(), "max": lambda x: x.max(),
    "argmax": lambda x: x.argmax(), "sort": lambda x: x.sort(), "floor": lambda x: x.floor(),
    "round": lambda x: x.round(), "relu": lambda x: x.relu(), "sign": lambda x: x.sign(),
    "clamp": lambda x: x.clamp(0, 1), "maximum": lambda x: torch.maximum(x, x), "cummax": lambda x: x.cummax(0),
    "remainder": lambda x: x % 2, "floor_divide": lambda x: x // 2, "erf": lambda x: x.erf(),
    "signbit": lambda x: x.signbit(), "softmax": lambda x: x.softmax(0), "and": lambda x: x & x,
    "imag of real": lambda x: x.real.imag, "index": lambda x: torch.ones(3)[x],
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_meaning_is_refused(name: str) -> None:
    with pytest.raises((DuographError, TypeError), match="Received"):
        REFUSED[name](torch.tensor([1 + 2j, 3j]))


def test_a_complex_result_does_not_fit_a_real_tensor() -> None:
    x = torch.ones(2)
    with pytest.raises(DTypeError, match="complex64 cannot be written into a tensor of float32"):
        x += 1j
    with pytest.raises(DTypeError, match="parts of one dtype"):
        torch.complex(torch.ones(2), torch.ones(2, dtype=torch.float64))
    with pytest.raises(ShapeError, match="last axis of 2"):
        torch.view_as_complex(torch.ones(2, 3))


def test_movement_and_indices() -> None:
    x = torch.tensor(Z, requires_grad=True)
    order = torch.tensor([2, 0])
    y = torch.cat([x[:, order], x.flip(0)[:, 1:]], 1)
    y = torch.where(y.abs() > 1, y, 1j)
    y.index_add(0, torch.tensor([1]), y[:1] * 2).abs().square().sum().backward()
    expected = np.concatenate([Z[:, [2, 0]], Z[::-1, 1:]], 1)
    expected = np.where(np.abs(expected) > 1, expected, 1j)
    assert np.allclose(y.detach().numpy(), expected) and x.grad.dtype is torch.complex128
    assert torch.nonzero(torch.tensor([0, 1j, 0])).tolist() == [[1]]
    assert torch.tensor([1j, 2]).eq(torch.tensor([1j, 3])).tolist() == [True, False]
    assert torch.tensor([0, 0j]).any().item() is False and torch.tensor([1j, 2]).all().item() is True


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_extremes_keep_their_digits(dtype: Any) -> None:
    """Absolute values, quotients, roots and logarithms where squares would overflow or cancel."""
    top = 1e30 if dtype is np.complex64 else 1e200
    z = np.array([top + top * 1j, 1 / top - 1j / top, top * 1j, 1 + 1e-4j, -1 + 1e-3j, 0], dtype)
    w = np.array([top - top * 2j, 3 / top + 1j / top, top + 1j, 2 - 1j, 1e-3 - 5j, 1], dtype)
    tolerance = 20 * np.finfo(dtype).eps
    x, y = torch.tensor(z), torch.tensor(w)
    with np.errstate(all="ignore"):
        for received, expected in [
            (x.abs(), np.abs(z)), (x / y, z / w), (x.sqrt(), np.sqrt(z)), (x[:-1].log(), np.log(z[:-1])),
            (x[1:].tanh(), np.tanh(z[1:].astype(np.complex128))), (y[1:].atan(), np.arctan(w[1:])),
        ]:  # fmt: skip
            assert np.allclose(received.numpy(), expected, rtol=tolerance, atol=0), (received, expected)


def test_compiled_graphs_have_no_complex_node() -> None:
    x = make(PRIMITIVES["input"], position=0, shape=(3, 4), dtype=complex64)
    w = make(PRIMITIVES["input"], position=1, shape=(4, 2), dtype=complex64)
    y = lang.exp(lang.matmul(x, w) * 0.5j)
    graph = Graph((x, w), (y, lang.absolute(y)))
    real = legalise(graph)
    assert not any(node.dtype.is_complex for node in real.nodes()) and real.inputs[0].dtype is float32
    assert [o.shape for o in real.outputs] == [(3, 2, 2), (3, 2)]
    arrays = [random(3, 4, dtype=np.complex64), random(4, 2, dtype=np.complex64)]
    expected = np.exp(arrays[0] @ arrays[1] * 0.5j)
    for orders in ([None, None], [(1, 0), (1, 0)]):
        received, size = natively(Native(graph, orders), arrays, orders)
        assert received.dtype == np.complex64 and np.allclose(received, expected, 1e-5, 1e-6)
        assert np.allclose(size, np.abs(expected), 1e-5, 1e-6)
    assert read(write(graph)) == graph and legalise(real) is real


def test_a_number_that_changes_is_a_run_time_input() -> None:
    x = torch.tensor(Z)
    for k in range(5):
        assert np.allclose((x * complex(k, 1)).numpy(), Z * complex(k, 1))
    step = torch.compile(lambda z: (z * z.conj()).real.sum() + z.imag.sum())
    for k in range(4):
        assert step(x * k).item() == pytest.approx(float((np.abs(Z * k) ** 2).sum() + (Z * k).imag.sum()))


def test_a_loop_with_complex_states() -> None:
    h, x = (make(PRIMITIVES["input"], position=k, shape=(2,), dtype=complex128) for k in range(2))
    body = Graph((h, x), (h * x + 1j, lang.absolute(h)))
    start, rows = random(2), random(5, 2)
    inputs = tuple(
        make(PRIMITIVES["input"], position=k, shape=a.shape, dtype=complex128) for k, a in enumerate((start, rows))
    )
    outputs = tuple(
        make(PRIMITIVES["scan"], *inputs, body=body, carries=1, sequences=1, length=5, reverse=False, result=k)
        for k in range(2)
    )
    states, sizes = natively(Native(Graph(inputs, outputs), [None, None]), [start, rows])
    expected = [start]
    for row in rows:
        expected.append(expected[-1] * row + 1j)
    assert np.allclose(states, expected) and np.allclose(sizes, np.abs(expected[:-1]))


def test_files_and_copies(tmp_path: Path) -> None:
    for dtype in (torch.complex64, torch.complex128):
        x = torch.tensor(Z).to(dtype)
        torch.save({"x": x, "part": x.real}, tmp_path / "x.pt")
        loaded = torch.load(tmp_path / "x.pt")
        assert loaded["x"].dtype is dtype and torch.equal(loaded["x"], x) and torch.equal(loaded["part"], x.real)
        for again in (pickle.loads(pickle.dumps(x)), copy.deepcopy(x), x.clone()):
            assert again.dtype is dtype and torch.equal(again, x)
    safetensors.save_file({"x": torch.tensor(Z).cfloat()}, tmp_path / "x.safetensors")
    assert torch.equal(safetensors.load_file(tmp_path / "x.safetensors")["x"], torch.tensor(Z).cfloat())
    with pytest.raises(ArgumentError, match="no complex128"):
        safetensors.save_file({"x": torch.tensor(Z)}, tmp_path / "x.safetensors")


@pytest.mark.parametrize("norm", [None, "ortho", "forward"])
def test_fourier_transforms(norm: Any) -> None:
    """Of several axes and sizes, in the operand's precision, against NumPy."""
    z, x = random(3, 4, 6), random(3, 4, 6).real
    fft = torch.fft
    for name in ("fft", "ifft", "hfft", "ihfft", "rfft", "irfft"):
        given = x if name in ("rfft", "ihfft") else z
        for n, axis in ((None, -1), (5, 1), (9, 0)):
            received = getattr(fft, name)(torch.tensor(given), n, axis, norm).numpy()
            assert np.allclose(received, getattr(np.fft, name)(given, n, axis, norm), 1e-12, 1e-12)
    for name in ("fftn", "ifftn", "rfftn", "irfftn", "fft2", "ifft2", "rfft2", "irfft2"):
        given = x if name.startswith("rfft") else z
        received = getattr(fft, name)(torch.tensor(given), s=(5, 4), dim=(0, 2), norm=norm).numpy()
        theirs = getattr(np.fft, name)(given, s=(5, 4), axes=(0, 2), norm=norm)
        assert np.allclose(received, theirs, 1e-12, 1e-12)
    assert fft.fft(torch.ones(4)).dtype is torch.complex64 and fft.irfft(torch.ones(4)).dtype is torch.float32
    assert np.allclose(fft.hfftn(fft.ihfftn(torch.tensor(x), norm=norm), norm=norm).numpy(), x)


def test_gradients_of_fourier_transforms() -> None:
    x = torch.tensor(random(3, 7).real, requires_grad=True)
    z = torch.tensor(random(3, 4), requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: torch.fft.rfftn(x, norm="ortho").abs().square().sum(0).sin(), (x,))
    assert torch.autograd.gradcheck(lambda z: torch.fft.irfft(z, 7) * 2, (z,))
    weights = torch.tensor(random(3, 7))
    assert torch.autograd.gradcheck(lambda z: (torch.fft.fft(z, 7) * weights).real, (z,))


def test_frequencies_and_shifts() -> None:
    for n in (4, 5):
        assert np.allclose(torch.fft.fftfreq(n, 0.5).numpy(), np.fft.fftfreq(n, 0.5))
        assert np.allclose(torch.fft.rfftfreq(n, 0.5).numpy(), np.fft.rfftfreq(n, 0.5))
        x = np.arange(3 * n).reshape(3, n)
        assert np.array_equal(torch.fft.fftshift(torch.tensor(x)).numpy(), np.fft.fftshift(x))
        assert np.array_equal(torch.fft.ifftshift(torch.tensor(x), dim=1).numpy(), np.fft.ifftshift(x, 1))


@pytest.mark.parametrize("call", [
    lambda: torch.fft.fft(torch.ones(3), 0), lambda: torch.fft.rfft(torch.ones(3) + 1j),
    lambda: torch.fft.fft(torch.ones(3), norm="other"), lambda: torch.fft.fftn(torch.ones(3, 3), dim=(0, 0)),
    lambda: torch.fft.fft(torch.tensor(1.0)), lambda: torch.fft.fft(torch.ones(3, dtype=torch.float16)),
    lambda: torch.stft(torch.ones(8), 4),
    lambda: torch.stft(torch.ones(8), 4, window=torch.ones(3), return_complex=True),
    lambda: torch.istft(torch.ones(3, 4), 4),
])  # fmt: skip
def test_transforms_refuse(call: Callable[[], Any]) -> None:
    with pytest.raises(DuographError, match="Received"):
        call()


@pytest.mark.parametrize("center", [True, False])
def test_short_time_transforms(center: bool) -> None:
    """A piece is a transform of a windowed slice, and the inverse gives the signal."""
    x = random(2, 40).real
    window = torch.tensor(np.hamming(8))
    made = torch.stft(torch.tensor(x), 10, 3, 8, window, center, normalized=True, return_complex=True)
    padded = np.pad(x, ((0, 0), (5, 5)), "reflect") if center else x
    full = np.pad(np.hamming(8), (1, 1))
    expected = np.fft.rfft(padded[:, 6:16] * full) / np.sqrt(10)
    assert made.shape == (2, 6, (padded.shape[1] - 10) // 3 + 1) and np.allclose(made[:, :, 2].numpy(), expected)
    if center:
        again = torch.istft(made, 10, 3, 8, window, normalized=True, length=39)
        assert np.allclose(again.numpy(), x[:, :39])
    pairs = torch.stft(torch.tensor(x), 10, 3, 8, window, center, return_complex=False)
    assert pairs.shape[-1] == 2 and pairs.dtype is torch.float64
