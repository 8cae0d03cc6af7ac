"""What PyTorch refuses is refused here too: `python -m tests.peers.error_inputs [--names op/add,module/nn.GRU]`.

The inputs for which PyTorch raises, of its databases of operators, modules and optimisers (`error_inputs_func` and its
siblings in `torch.testing._internal`), go through Duograph's PyTorch face. Each must raise an error of the class that
PyTorch raises, so that programs which catch it work; where PyTorch only warns, an error will do. Where PyTorch's own
CPU build raises nothing, neither is expected. Not counted are numbers in the places of tensors: PyTorch refuses them in
some binary operators, and here they are taken in all.
"""

from __future__ import annotations

import argparse
import collections
import json
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.testing._internal.common_methods_invocations import op_db
from torch.testing._internal.common_modules import ModuleErrorEnum, module_db
from torch.testing._internal.common_optimizers import OptimizerErrorEnum, optim_db

import duograph.torch as ours
from tests.peers.module_db import Leaves, has_dtype, here, module_here
from tests.peers.op_db import dtype_here, flat, limit, operator, translate

REASONS: dict[str, str] = {}
"""Why something is not refused, or with another error."""

Case = tuple[str, type[BaseException], Callable[[], Any], Callable[[], Any]]
"""What it is, the class of PyTorch's error, and the call in both frameworks."""


def op_cases(op: Any) -> Iterator[Case]:
    """The inputs of an operator that PyTorch refuses."""
    function = operator(op.name, op.variant_test_name)
    if function is None:
        return
    for k, case in enumerate(op.error_inputs("cpu")):
        sample = case.sample_input
        if case.error_type is Exception and not case.error_regex:  # a number in the place of a tensor
            continue

        def theirs(sample: Any = sample) -> Any:
            return op(sample.input, *sample.args, **sample.kwargs)

        def mine(sample: Any = sample) -> Any:
            made = in_memory(sample)
            return function(*here((sample.input, *sample.args), made), **here(sample.kwargs, made))

        yield f"{k} {str(case.error_regex)[:90]}", case.error_type, theirs, mine


def in_memory(sample: Any) -> Leaves:
    """The tensors of a sample that no copy stands for, each beside ours: views of one memory, or on the meta device."""
    given = [x for x in flat((sample.input, sample.args, sample.kwargs)) if isinstance(x, torch.Tensor)]
    places = collections.Counter(x.untyped_storage().data_ptr() for x in given if x.numel())
    bases: dict[int, Any] = {}
    made: Leaves = []
    for x in given:
        if x.device.type == "meta" or x.ndim > 64:
            made.append((x, ours.empty(tuple(x.shape), dtype=dtype_here(x.dtype), device=x.device.type)))
            continue
        storage = x.untyped_storage()
        if not x.numel() or (places[storage.data_ptr()] < 2 and 0 not in x.stride()):
            continue
        whole = torch.empty(0, dtype=x.dtype).set_(storage)
        base = bases.setdefault(storage.data_ptr(), translate(torch.cat([whole, whole]), []))
        made.append((x, view(base, x.shape, x.stride(), x.storage_offset())))
    return made


def view(base: Any, shape: Any, strides: Any, offset: int) -> Any:
    """The elements of a long enough vector at these strides, by slices, views and axes moved and expanded."""
    axes = sorted((k for k in range(len(shape)) if strides[k] and shape[k] > 1), key=lambda k: -strides[k])
    part = base[offset:]
    for axis in axes:
        part = part[..., : shape[axis] * strides[axis]].unflatten(-1, (shape[axis], strides[axis]))
    kept = [axes.index(k) for k in range(len(shape)) if k in axes]
    part = part[..., 0].permute(kept)
    return part.reshape([shape[k] if k in axes else 1 for k in range(len(shape))]).expand(*shape)


def module_cases(info: Any) -> Iterator[Case]:
    """The arguments and inputs of a module that PyTorch refuses."""
    if info.module_error_inputs_func is None or (build := module_here(info.name)) is None:
        return
    for training in (True, False):
        cases = info.module_error_inputs_func(info, "cpu", torch.float32, False, training)
        for k, case in enumerate(cases):
            made, called = case.module_error_input.constructor_input, case.module_error_input.forward_input
            keywords = {**made.kwargs, "dtype": torch.float32} if has_dtype(info.module_cls) else made.kwargs
            whole = case.error_on is ModuleErrorEnum.FORWARD_ERROR

            def theirs(made: Any = made, keywords: Any = keywords, called: Any = called, whole: bool = whole) -> Any:
                module = info.module_cls(*made.args, **keywords)
                return module(*called.args, **called.kwargs) if whole else module

            def mine(made: Any = made, keywords: Any = keywords, called: Any = called, whole: bool = whole) -> Any:
                module = build(*here(made.args, []), **here(keywords, []))
                return module(*here(called.args, []), **here(called.kwargs, [])) if whole else module

            yield f"{k} {str(case.error_regex)[:90]}", case.error_type, theirs, mine


def optim_cases(info: Any) -> Iterator[Case]:
    """The arguments of an optimiser that PyTorch refuses."""
    build = getattr(ours.optim, info.name)
    for k, case in enumerate(info.optim_error_inputs_func("cpu", torch.float32)):
        given, step = case.optimizer_error_input, case.error_on is OptimizerErrorEnum.STEP_ERROR
        given.params = [torch.nn.Parameter(torch.randn(2, 3))] if given.params is None else given.params
        known: dict[int, Any] = {}

        def parameters(value: Any, known: dict[int, Any] = known) -> Any:
            if isinstance(value, torch.nn.Parameter):
                return known.setdefault(id(value), ours.nn.Parameter(translate(value.detach(), [])))
            if isinstance(value, (list, tuple)):
                return type(value)(parameters(v) for v in value)
            return {n: parameters(v) for n, v in value.items()} if isinstance(value, dict) else translate(value, [])

        def theirs(given: Any = given, step: bool = step) -> Any:
            optimizer = info.optim_cls(given.params, **given.kwargs)
            return optimizer.step() if step else None

        def mine(given: Any = given, step: bool = step) -> Any:
            optimizer = build(parameters(given.params), **translate(given.kwargs, []))
            return optimizer.step() if step else None

        yield f"{k} {str(case.error_regex)[:90]}", case.error_type, theirs, mine


def sources() -> Iterator[tuple[str, Callable[[], Iterator[Case]]]]:
    """Every entry of the three databases that has inputs to refuse, by a name such as op/add."""
    for op in op_db:
        if op.error_inputs_func is not None:
            yield (
                f"op/{op.name}" + (f"/{op.variant_test_name}" if op.variant_test_name else ""),
                lambda op=op: op_cases(op),
            )
    for info in module_db:
        if info.module_error_inputs_func is not None:
            yield f"module/{info.name}", lambda info=info: module_cases(info)
    for info in optim_db:
        if info.optim_error_inputs_func is not None:
            yield f"optim/{info.name}", lambda info=info: optim_cases(info)


def attempt(call: Callable[[], Any]) -> BaseException | None:
    """What a call raises, its results being looked at; a warning that says an error is one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", "(?s).*duplicate parameters")
        try:
            for leaf in flat(call()):
                if isinstance(leaf, ours.Tensor):
                    leaf.detach().numpy()
        except BaseException as error:
            return error
    return None


def check(cases: Iterator[Case]) -> tuple[int, list[str]]:
    """How many inputs were tried, and what was not refused as PyTorch does."""
    count, found = 0, []
    for described, kind, theirs, mine in cases:
        with limit(60):
            expected = attempt(theirs)
            if expected is None:
                continue
            count += 1
            received = attempt(mine)
        if received is None:
            found.append(f"{described}: nothing is raised")
        elif not isinstance(received, (kind, type(expected))) and not issubclass(kind, Warning):
            text = str(received).replace("\n", " ")[:200]
            found.append(f"{described}: {type(received).__name__} is no {kind.__name__}: {text}")
    return count, found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", help="entries, separated by commas; all without it")
    parser.add_argument("--json", help="write the outcomes to this file")
    args = parser.parse_args()
    outcomes: dict[str, str] = {}
    totals: collections.Counter[str] = collections.Counter()
    for name, cases in sources():
        if args.names is not None and name not in args.names.split(","):
            continue
        count, differences = check(cases())
        if count == 0:
            continue
        totals.update(inputs=count, different=len(differences))
        outcomes[name] = f"{count - len(differences)} of {count}" + (
            f": {REASONS.get(name, '')}" if differences else ""
        )
        if differences:
            print(f"{outcomes[name]} {name}", *(f"\n         {text}" for text in differences), flush=True)
    print(
        f"{totals['inputs'] - totals['different']} of {totals['inputs']} inputs of {len(outcomes)} entries are refused"
    )
    if args.json:
        with open(args.json, "w") as file:
            json.dump(dict(sorted(outcomes.items())), file, indent=0)
            file.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
