"""PyTorch's own operator database, run through both frameworks: `python -m tests.peers.op_db [--names a,b]`.

For every operator of `torch.testing._internal.common_methods_invocations.op_db` that exists here, its sample inputs go
through PyTorch and through Duograph's PyTorch face. Values, dtypes and shapes must agree, and in float64 and complex128
the gradients too: of a fixed weighted sum of all outputs that have them, for every input that asks for one. An operator
passes if all its samples in all its dtypes do. What PyTorch itself refuses is not counted; operators that draw random
numbers are compared in shape and dtype only.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import json
import signal
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.testing._internal.common_methods_invocations import op_db

import duograph
import duograph.torch as ours

TOLERANCE = {
    torch.float32: (2e-4, 2e-5), torch.float64: (1e-7, 1e-9), torch.complex64: (2e-4, 2e-5),
    torch.complex128: (1e-7, 1e-9),
}  # fmt: skip
DTYPES = ("float32", "float64", "int64", "bool", "complex64", "complex128")
RANDOM = {
    "bernoulli", "cauchy", "exponential", "geometric", "log_normal", "multinomial", "normal", "rand_like", "randint",
    "randint_like", "randn", "randn_like", "uniform", "empty", "empty_like", "empty_permuted", "empty_strided",
    "new_empty", "new_empty_strided", "nn.functional.alpha_dropout", "nn.functional.dropout",
    "nn.functional.dropout2d", "nn.functional.dropout3d", "nn.functional.feature_alpha_dropout",
    "nn.functional.fractional_max_pool2d", "nn.functional.fractional_max_pool3d", "nn.functional.rrelu",
    "svd_lowrank", "pca_lowrank", "resize_", "resize_as_",
}  # fmt: skip
"""Operators whose values are random or undefined; dropout with given probability 0 is tested elsewhere."""

NOT_UNIQUE = {"linalg.eig", "linalg.eigh", "linalg.svd", "svd", "linalg.lstsq", "linalg.ldl_factor", "geqrf"}
"""Factors are unique up to signs: only shapes, dtypes and the values named elsewhere are compared."""

TIES = {"kthvalue", "topk", "sort", "argsort", "mode", "median", "nanmedian"}
"""Which of equal elements is meant is not defined: indices are compared in shape and dtype only."""

CONVENTIONS = {
    "as_strided_scatter", "cholesky_inverse", "linalg.pinv/hermitian", "nn.functional.ctc_loss", "nextafter", "sgn",
    "fill", "zero_", "nn.functional.max_unpool1d", "nn.functional.max_unpool2d", "nn.functional.max_unpool3d",
    "istft",
}  # fmt: skip
"""PyTorch's gradient is not compared: its CTC loss differentiates as if a log softmax stood before it, max_unpool
as if no two places were one, nextafter has none, sgn's is a tensor that cannot be read, and a tensor
filled with a number depends on nothing here. cholesky_inverse gives gradients to elements that it
does not read, pinv with hermitian=True for a matrix that it does not compute with, and as_strided_scatter to what it
overwrites, and istft none to a complex window."""

HERMITIAN = {"cholesky", "linalg.cholesky", "linalg.cholesky_ex"}
"""Of complex Hermitian matrices PyTorch's gradient has a part that no Hermitian direction sees: it is left out."""

METHODS_IN_PLACE = {"uniform", "cauchy", "exponential", "geometric", "log_normal", "fill", "zero_", "normal"}
SWAPPED = {"nn.functional.embedding", "nn.functional.embedding_bag"}
"""Their samples have the weight first."""

OF_PRODUCTS = {"svd_lowrank/", "pca_lowrank/", "linalg.pinv/singular"}
"""Their samples are two factors of the matrix that is meant, so that its rank is known."""

IMPRECISE = {
    "cov": 1e-4,
    "special.bessel_j0": 1e-6,
    "special.bessel_j1": 1e-6,
    "special.bessel_y0": 1e-6,
    "special.bessel_y1": 1e-6,
}
"""Where PyTorch's float64 results are off by more than the tolerance, and how far; mpmath agrees with ours. Weights of
`cov` are float32 in samples of every dtype."""

_WHOLE = "its samples in whole numbers: a tensor of floats is expected, and the error says how to make one"
REASONS = {
    **{f"nn.functional.{name}": _WHOLE for name in (
        "avg_pool1d", "avg_pool2d", "avg_pool3d", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
        "conv_transpose3d", "local_response_norm",
    )},
    **{f"nn.functional.linear_cross_entropy/{name}": "its samples choose how the work is cut, which is refused here"
       for name in ("chunked", "chunked_none")},
    "histogramdd": "its samples have edges out of order, which are refused here",
    "nn.functional.batch_norm": "its sample of no channels and one axis: two axes at least are expected",
}  # fmt: skip
"""Why an operator fails."""


class Difference(Exception):
    """The two frameworks disagree."""


def operator(name: str, variant: str = "") -> Any:
    """Our function for one of the database's names, or None."""
    found: Any = ours
    if name in METHODS_IN_PLACE and (name != "normal" or variant == "in_place"):
        write = getattr(ours.Tensor, name.removesuffix("_") + "_", None)
        return write and (lambda x, *a, **k: write(x.clone(), *a, **k))
    if name == "where":
        return ours.Tensor.where
    if name == "einsum":
        return lambda tensors, equation: ours.einsum(equation, *tensors)
    if name in SWAPPED:
        wanted = getattr(ours.nn.functional, name.rsplit(".", 1)[1])
        return lambda weight, x, **k: wanted(x, weight, **k)
    if f"{name}/{variant}" in OF_PRODUCTS:
        factored = {"svd_lowrank": ours.svd_lowrank, "pca_lowrank": ours.pca_lowrank}.get(name, ours.linalg.pinv)
        return lambda a, b, **k: factored(a @ b.mT, **k)
    if variant == "grad_oriented":
        return lambda a, b, driver: ours.linalg.lstsq(a, b, driver=driver)[:2]
    for part in name.removeprefix("torch.").split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            found = None
        if found is None:
            break
    if callable(found) and not isinstance(found, (ours.dtype, type)):
        return found
    member = getattr(ours.Tensor, name, None)
    return member.fget if isinstance(member, property) else member


def translate(value: Any, leaves: list[tuple[Any, Any]]) -> Any:
    """A sample's argument in our terms; tensors that ask for gradients are added to `leaves` beside ours."""
    if isinstance(value, torch.Tensor) and value.storage_offset() and value.is_leaf:  # a part of other memory
        whole = translate(torch.empty(0, dtype=value.dtype).set_(value.untyped_storage()), leaves)
        mine = whole.as_strided(value.shape, value.stride(), value.storage_offset())
        if value.requires_grad:
            leaves.append((value, mine.requires_grad_()))
        return mine
    if isinstance(value, torch.Tensor) and value.layout == torch.sparse_coo:
        parts = translate(value._indices(), leaves), translate(value._values(), leaves)
        return ours.sparse_coo_tensor(*parts, tuple(value.shape))
    if isinstance(value, torch.Tensor) and value.layout != torch.strided:
        raise NotImplementedError("sparse: not compared")
    if isinstance(value, torch.Tensor):
        array = value.detach().resolve_conj().resolve_neg().contiguous().numpy().copy()
        mine = ours.tensor(array, dtype=dtype_here(value.dtype), requires_grad=value.requires_grad)
        if value.requires_grad:
            leaves.append((value, mine))
        return mine
    if isinstance(value, torch.dtype):
        return dtype_here(value)
    if isinstance(value, torch.device):
        return str(value)
    if isinstance(value, torch.memory_format):
        return getattr(ours, str(value).removeprefix("torch."))
    if isinstance(value, torch.layout):
        return getattr(ours, str(value).removeprefix("torch."))
    if isinstance(value, torch.nn.Module):
        return getattr(ours.nn, type(value).__name__)()
    if isinstance(value, torch.Size):
        return ours.Size(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*[translate(v, leaves) for v in value])
    if isinstance(value, (list, tuple)):
        return type(value)(translate(v, leaves) for v in value)
    if isinstance(value, dict):
        return {k: translate(v, leaves) for k, v in value.items()}
    return value


def dtype_here(dtype: torch.dtype) -> Any:
    found = getattr(ours, str(dtype).removeprefix("torch."), None)
    if found is None or not isinstance(found, ours.dtype):
        raise NotImplementedError(f"dtype {dtype}")
    return found


def dense(value: Any) -> Any:
    """A sparse tensor as a dense one; what else there is as it is."""
    if isinstance(value, torch.Tensor) and value.layout not in (torch.strided, torch.sparse_coo):
        raise NotImplementedError("sparse: not compared")
    return value.to_dense() if getattr(value, "is_sparse", False) else value


def flat(value: Any) -> list[Any]:
    """The tensors and numbers of a result in order."""
    if isinstance(value, dict):
        return [leaf for key in sorted(value) for leaf in flat(value[key])]
    return [leaf for item in value for leaf in flat(item)] if isinstance(value, (list, tuple)) else [value]


def compare(mine: Any, theirs: Any, what: str, values: bool, floor: float = 0.0) -> None:
    """Raise Difference where one leaf of the results is not the other."""
    if not isinstance(theirs, torch.Tensor):
        close = isinstance(theirs, float) and np.isclose(float(mine), theirs, equal_nan=True)
        if isinstance(mine, ours.Tensor) or (values and mine != theirs and not close):
            raise Difference(f"{what}: {mine!r} is not {theirs!r}")
        return
    if not isinstance(mine, ours.Tensor):
        raise Difference(f"{what}: a {type(mine).__name__} where PyTorch has a tensor")
    if tuple(mine.shape) != tuple(theirs.shape):
        raise Difference(f"{what}: shape {tuple(mine.shape)} is not {tuple(theirs.shape)}")
    if mine.dtype is not dtype_here(theirs.dtype):
        raise Difference(f"{what}: dtype {mine.dtype} is not {theirs.dtype}")
    if not values:
        return
    if theirs.dtype in (torch.bfloat16, torch.float16):
        mine, theirs = mine.float(), theirs.float()
        relative, absolute = 1e-2, 1e-2
    else:
        relative, absolute = TOLERANCE.get(theirs.dtype, (0.0, 0.0))
    absolute = max(absolute, floor)
    a, b = np.asarray(mine.detach().numpy()), theirs.detach().resolve_conj().resolve_neg().numpy()
    scale = np.abs(b[np.isfinite(b)]).max(initial=1.0) if b.dtype.kind in "fc" else 1.0
    if not np.allclose(a, b, relative, absolute * scale, equal_nan=True):
        wrong = ~np.isclose(a, b, relative, absolute * scale, equal_nan=True)
        raise Difference(f"{what}: {wrong.sum()} of {wrong.size} values differ, {a[wrong][0]!r} is not {b[wrong][0]!r}")


def weighted(tc: Any, outputs: list[Any]) -> Any:
    """A number that depends on every element of the floating point outputs in its own way."""
    total = None
    for out in outputs:
        if isinstance(out, tc.Tensor) and out.requires_grad:
            numbers = np.arange(out.numel(), dtype=np.float64)
            weights = (np.cos(numbers) + 1j * np.sin(3 * numbers) if out.is_complex() else np.cos(numbers)).reshape(
                tuple(out.shape)
            )
            term = (out * tc.tensor(weights, dtype=out.dtype)).sum()
            term = term.real if out.is_complex() else term
            total = term if total is None else total + term
    return total


def run_sample(op: Any, function: Any, sample: Any, gradients: bool) -> None:
    """One sample through both frameworks. Raises Difference, or what ours raises."""
    leaves: list[tuple[Any, Any]] = []
    arguments = translate((sample.input, *sample.args), leaves)
    keywords = translate(sample.kwargs, leaves)
    try:
        theirs = op(sample.input, *sample.args, **sample.kwargs)
    except RuntimeError as error:
        raise NotImplementedError(f"not compared: PyTorch refuses it: {error}") from error
    mine = function(*arguments, **keywords)
    a, b = ([dense(leaf) for leaf in flat(results)] for results in (mine, theirs))
    if len(a) != len(b):
        raise Difference(f"{len(a)} results where PyTorch has {len(b)}")
    values = op.name not in RANDOM and op.name not in NOT_UNIQUE and not sample.kwargs.get("dropout_p")
    values = values and op.name != "nn.functional.multi_head_attention_forward"  # its samples drop half the weights
    for k, (x, y) in enumerate(zip(a, b, strict=True)):
        tied = op.name in TIES and y.dtype is torch.int64 and (k or op.name == "argsort")
        compare(x, y, f"result {k}", values and not tied, IMPRECISE.get(op.name, 0.0))
    if not (gradients and values and leaves) or {op.name, f"{op.name}/{op.variant_test_name}"} & CONVENTIONS:
        return
    total = weighted(torch, b)
    if total is None or (total_here := weighted(ours, a)) is None:
        if total is not None:
            raise Difference("no result asks for a gradient")
        return
    inputs, inputs_here = zip(*leaves, strict=True)
    expected = torch.autograd.grad(total, inputs, allow_unused=True)
    received = ours.autograd.grad(total_here, inputs_here, allow_unused=True)
    for k, (x, y) in enumerate(zip(received, expected, strict=True)):
        if x is None or y is None:
            x = ours.zeros_like(inputs_here[k]) if x is None else x
            y = torch.zeros_like(inputs[k]) if y is None else y
        if op.name in HERMITIAN and y.is_complex():
            y = (y + y.mH) / 2
        compare(x, y, f"gradient {k}", True, IMPRECISE.get(op.name, 0.0))


@contextlib.contextmanager
def limit(seconds: int) -> Iterator[None]:
    """A TimeoutError after so many seconds."""

    def expired(*_: Any) -> None:
        raise TimeoutError(f"more than {seconds} s")

    previous = signal.signal(signal.SIGALRM, expired)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


def check(op: Any, dtypes: tuple[str, ...], most: int) -> tuple[str, list[str]]:
    """("pass" | "fail" | "missing" | "out of scope", the distinct differences) for one entry of the database."""
    try:
        function = operator(op.name, op.variant_test_name)
    except NotImplementedError:
        function = None
    if function is None:
        return "missing", []
    found: dict[str, str] = {}
    ran = 0
    for name in dtypes:
        dtype = getattr(torch, name)
        if not op.supports_dtype(dtype, "cpu"):
            continue
        gradients = name in ("float64", "complex128") and op.supports_autograd
        torch.manual_seed(0)
        try:
            samples = list(op.sample_inputs("cpu", dtype, requires_grad=gradients))
        except Exception:  # the database's own trouble
            continue
        step = max(1, -(-len(samples) // most))
        for sample in samples[::step]:
            described = f"{name} {_brief(sample)}"
            try:
                run_sample(op, function, sample, gradients)
                ran += 1
            except NotImplementedError as error:
                if "not compared" in str(error) or "dtype" in str(error):
                    continue
                found.setdefault(f"NotImplementedError: {error}"[:60], f"{described}: NotImplementedError: {error}")
            except Exception as error:
                text = f"{type(error).__name__}: {error}".replace("\n", " ")
                found.setdefault(text[:32], f"{described}: {text}"[:420])
    if found:
        return "fail", list(found.values())
    return ("pass" if ran else "out of scope"), []


def _brief(sample: Any) -> str:
    def show(v: Any) -> str:
        if isinstance(v, torch.Tensor):
            return f"{str(v.dtype).removeprefix('torch.')}{list(v.shape)}"
        if isinstance(v, (list, tuple)):
            return "(" + ", ".join(map(show, v)) + ")"
        return repr(v)

    return show((sample.input, *sample.args)) + "".join(f" {k}={show(v)}" for k, v in sample.kwargs.items())


def table(names: set[str] | None, dtypes: tuple[str, ...], most: int, verbose: bool = True) -> dict[str, list[str]]:
    """Every entry's outcome, keyed by name and variant: the outcome, then the differences."""
    rows: dict[str, list[str]] = {}
    for op in op_db:
        if names is not None and op.name not in names:
            continue
        key = f"{op.name}/{op.variant_test_name}" if op.variant_test_name else op.name
        try:
            with limit(90), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                outcome, differences = check(op, dtypes, most)
        except TimeoutError as error:
            outcome, differences = "fail", [str(error)]
        rows[key] = [outcome, *differences]
        if verbose:
            print(f"{outcome:8} {key}", *(f"\n         {text}" for text in differences[:3]), flush=True)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", help="operators, separated by commas; all without it")
    parser.add_argument("--dtypes", default=",".join(DTYPES))
    parser.add_argument("--samples", type=int, default=1000, help="at most so many samples of each operator and dtype")
    parser.add_argument("--eager", action="store_true", help="run every operation at once")
    parser.add_argument("--json", help="write the outcomes to this file")
    args = parser.parse_args()
    with duograph.eager() if args.eager else contextlib.nullcontext():
        rows = table(set(args.names.split(",")) if args.names else None, tuple(args.dtypes.split(",")), args.samples)
    totals = collections.Counter(row[0] for row in rows.values())
    print(", ".join(f"{count} {outcome}" for outcome, count in sorted(totals.items())))
    if args.json:
        outcomes = {key: f"fail: {REASONS.get(key, '')}" if row[0] == "fail" else row[0] for key, row in rows.items()}
        with open(args.json, "w") as file:
            json.dump(dict(sorted(outcomes.items())), file, indent=0)
            file.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
