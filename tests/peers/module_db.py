"""PyTorch's own database of modules, run through both frameworks: `python -m tests.peers.module_db [--names nn.GRU]`.

Every module of `torch.testing._internal.common_modules.module_db` is built with its sample arguments in PyTorch and in
Duograph's PyTorch face, takes over PyTorch's `state_dict`, and is called with the sample's inputs in training and in
evaluation, in float32 and float64. Results, gradients of a fixed weighted sum of them by every input and parameter,
and the state after the call must agree in values, dtypes and shapes. Modules that draw random numbers are compared in
shape and dtype only. A module passes if all its samples do; what PyTorch itself refuses is not counted.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import json
import sys
import warnings
from typing import Any

import torch
from torch.testing._internal.common_modules import module_db

import duograph
import duograph.torch as ours
from tests.peers.op_db import Difference, compare, flat, limit, translate, weighted

RANDOM = {
    "nn.AlphaDropout", "nn.Dropout", "nn.Dropout1d", "nn.Dropout2d", "nn.Dropout3d", "nn.FeatureAlphaDropout",
    "nn.FractionalMaxPool2d", "nn.FractionalMaxPool3d", "nn.RReLU",
}  # fmt: skip
"""Modules whose results are random in training, and the last three always."""

CONVENTIONS = {"nn.CTCLoss"}
"""PyTorch's gradient is not compared: its CTC loss differentiates as if a log softmax stood before it."""

REASONS = {
    "nn.LinearCrossEntropyLoss": "some samples say how the work is cut into pieces: the error says to leave it out",
}  # fmt: skip
"""Why a module fails."""

Leaves = list[tuple[Any, Any]]


def module_here(name: str) -> Any:
    """Our class for one of the database's names, or None."""
    found: Any = ours
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def here(value: Any, leaves: Leaves) -> Any:
    """A module's argument in our terms; tensors that ask for gradients are added to `leaves` beside ours."""
    for theirs, mine in leaves:  # a tensor given twice is one tensor
        if theirs is value:
            return mine
    if isinstance(value, torch.nn.utils.rnn.PackedSequence):
        return ours.nn.utils.rnn.PackedSequence(*here(tuple(value), leaves))
    if isinstance(value, torch.nn.TransformerEncoderLayer):
        attention, first = value.self_attn, value.linear1
        layer = ours.nn.TransformerEncoderLayer(
            first.in_features, attention.num_heads, first.out_features, value.dropout.p, here(value.activation, leaves),
            value.norm1.eps, attention.batch_first, value.norm_first, first.bias is not None,
        )  # fmt: skip
        return layer.to(here(first.weight.dtype, leaves))
    if callable(value) and hasattr(torch.nn.functional, getattr(value, "__name__", "")):
        return getattr(ours.nn.functional, value.__name__)
    if isinstance(value, torch.layout):
        return str(value)
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields") and not isinstance(value, torch.Size):
        return type(value)(here(v, leaves) for v in value)
    if isinstance(value, dict):
        return {k: here(v, leaves) for k, v in value.items()}
    return translate(value, leaves)


def load(mine: Any, theirs: torch.nn.Module) -> None:
    """The state of PyTorch's module in ours."""
    state = {k: translate(v.detach(), []) for k, v in theirs.state_dict().items()}
    mine.load_state_dict(state)
    with contextlib.suppress(AttributeError):  # most modules have no state beside tensors
        mine._random_samples = translate(theirs._random_samples, [])


def run_sample(info: Any, sample: Any, dtype: torch.dtype, training: bool) -> None:
    """One sample through both frameworks. Raises Difference, or what ours raises."""
    leaves: Leaves = []
    made, called = sample.constructor_input, sample.forward_input
    keywords = {**made.kwargs, "dtype": dtype, "device": "cpu"} if has_dtype(info.module_cls) else made.kwargs
    theirs = info.module_cls(*made.args, **keywords).to(dtype).train(training)
    with torch.no_grad() if info.is_lazy else contextlib.nullcontext():
        torch.manual_seed(0)
        reference = theirs(*called.args, **called.kwargs)
    build = module_here(info.name)
    mine = build(*here(made.args, []), **here(keywords, [])).to(here(dtype, [])).train(training)
    arguments, named = here(called.args, leaves), here(called.kwargs, leaves)
    if info.is_lazy:  # which have their shapes only now
        mine(*arguments, **named)
        load(mine, theirs)
        reference = theirs(*called.args, **called.kwargs)
    else:
        theirs = info.module_cls(*made.args, **keywords).to(dtype).train(training)
        load(mine, theirs)
        reference = theirs(*called.args, **called.kwargs)
    parameters = dict(mine.named_parameters())
    for name, parameter in theirs.named_parameters():
        if name not in parameters or parameters[name].requires_grad != parameter.requires_grad:
            raise Difference(f"parameter {name}")
        leaves.append((parameter, parameters[name]))
    result = mine(*arguments, **named)
    a, b = flat(result), flat(reference)
    if len(a) != len(b):
        raise Difference(f"{len(a)} results where PyTorch has {len(b)}")
    random = info.name in RANDOM and (training or info.name[3:].startswith("Frac"))
    for k, (x, y) in enumerate(zip(a, b, strict=True)):
        compare(x, y, f"result {k}", not random)
    state = mine.state_dict()
    if list(state) != list(theirs.state_dict()):
        raise Difference(f"state {list(state)} is not {list(theirs.state_dict())}")
    for name, value in theirs.state_dict().items():
        compare(state[name], value, f"state {name}", True)
    leaves = [pair for pair in leaves if pair[0].requires_grad]
    total, total_here = weighted(torch, b), weighted(ours, a)
    if (total is None) != (total_here is None):
        raise Difference("a result of one framework asks for a gradient, and the other's does not")
    if total is None or random or not leaves or info.name in CONVENTIONS:
        return
    inputs, inputs_here = zip(*leaves, strict=True)
    expected = torch.autograd.grad(total, inputs, allow_unused=True)
    received = ours.autograd.grad(total_here, inputs_here, allow_unused=True)
    for k, (x, y) in enumerate(zip(received, expected, strict=True)):
        if x is None or y is None:
            x = ours.zeros_like(inputs_here[k]) if x is None else x
            y = torch.zeros_like(inputs[k]) if y is None else y
        compare(x, y, f"gradient {k}", True)


def has_dtype(module: Any) -> bool:
    """Whether a module is built with a dtype."""
    return "dtype" in module.__init__.__code__.co_varnames or any(
        issubclass(module, base) for base in (torch.nn.RNNBase, torch.nn.RNNCellBase)
    )


def check(info: Any, dtypes: tuple[str, ...], most: int) -> tuple[str, list[str]]:
    """("pass" | "fail" | "missing", the distinct differences) for one entry of the database."""
    if module_here(info.name) is None:
        return "missing", []
    found: dict[str, str] = {}
    ran = 0
    for name in dtypes:
        dtype = getattr(torch, name)
        for training in (True, False):
            torch.manual_seed(0)
            samples = list(info.module_inputs_func(info, "cpu", dtype, True, training))
            step = max(1, -(-len(samples) // most))
            for k, sample in list(enumerate(samples))[::step]:
                described = f"{name} {'train' if training else 'eval'} {k} {sample.desc}"
                try:
                    run_sample(info, sample, dtype, training)
                    ran += 1
                except Exception as error:
                    text = f"{type(error).__name__}: {error}".replace("\n", " ")
                    found.setdefault(text[:32], f"{described}: {text}"[:420])
    if found:
        return "fail", list(found.values())
    return ("pass" if ran else "out of scope"), []


def table(names: set[str] | None, dtypes: tuple[str, ...], most: int, verbose: bool = True) -> dict[str, list[str]]:
    """Every module's outcome: the outcome, then the differences."""
    rows: dict[str, list[str]] = {}
    for info in module_db:
        if names is not None and info.name not in names:
            continue
        try:
            with limit(900), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                outcome, differences = check(info, dtypes, most)
        except TimeoutError as error:
            outcome, differences = "fail", [str(error)]
        rows[info.name] = [outcome, *differences]
        if verbose:
            print(f"{outcome:8} {info.name}", *(f"\n         {text}" for text in differences[:3]), flush=True)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", help="modules, separated by commas; all without it")
    parser.add_argument("--dtypes", default="float32,float64")
    parser.add_argument("--samples", type=int, default=1000, help="at most so many samples of each module and dtype")
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
