"""PyTorch's own database of optimisers, run through both frameworks: `python -m tests.peers.optim_db [--names SGD]`.

Every optimiser of `torch.testing._internal.common_optimizers.optim_db` trains a small network for 20 steps with each of
the database's sets of arguments, from the same weights in float64, in PyTorch and in Duograph's PyTorch face; the
parameters after every step must agree. SparseAdam, whose gradients are sparse in
PyTorch, trains an embedding; LBFGS searches four times a step.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from typing import Any

import numpy as np
import torch
from torch.testing._internal.common_optimizers import optim_db

import duograph.torch as ours
from tests.peers.op_db import translate

STEPS = 20

TOLERANCE = {"Muon": 3e-2, "NAdam": 1e-6, "ASGD": 1e-7, "Adafactor": 1e-6, "LBFGS": 1e-6}
"""Relative to the largest parameter; 1e-10 for all others. Muon multiplies in bfloat16, PyTorch keeps the counters of
NAdam, ASGD and Adafactor in float32, and LBFGS multiplies rounding errors where it searches along lines."""


class Difference(Exception):
    """The two frameworks disagree."""


def problem(framework: Any, name: str) -> tuple[list[Any], Any]:
    """Parameters, and the loss as a function of nothing."""
    rng = np.random.default_rng(0)
    parameters = [framework.nn.Parameter(framework.tensor(rng.standard_normal(s))) for s in ((6, 4), (4, 3))]
    if name == "SparseAdam":
        rows = framework.tensor(rng.integers(0, 5, 8))
        target = framework.tensor(rng.standard_normal((8, 4)))

        def of_rows() -> Any:
            return ((framework.nn.functional.embedding(rows, parameters[0], sparse=True) - target) ** 2).mean()

        return parameters[:1], of_rows
    x, target = framework.tensor(rng.standard_normal((8, 6))), framework.tensor(rng.standard_normal((8, 3)))

    def loss() -> Any:
        hidden = x @ parameters[0]
        return (((hidden if name == "LBFGS" else hidden.tanh()) @ parameters[1] - target) ** 2).mean()

    return parameters, loss


def train(framework: Any, name: str, keywords: dict[str, Any]) -> list[list[Any]]:
    """The parameters after each step, as arrays."""
    parameters, loss = problem(framework, name)
    optimizer = getattr(framework.optim, name)(parameters, **keywords)

    def closure() -> Any:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    history = []
    for _ in range(STEPS):
        optimizer.step(closure)
        history.append([p.detach().numpy().copy() for p in parameters])
    return history


def check(info: Any) -> tuple[str, list[str]]:
    """("pass" | "fail" | "missing", the differences) for one entry of the database."""
    if getattr(ours.optim, info.name, None) is None:
        return "missing", []
    found = []
    for sample in info.optim_inputs_func("cpu"):
        keywords = {"max_iter": 4, **sample.kwargs} if info.name == "LBFGS" else dict(sample.kwargs)
        try:
            expected = train(torch, info.name, keywords)
            received = train(ours, info.name, {k: translate(v, []) for k, v in keywords.items()})
            for step, (a, b) in enumerate(zip(received, expected, strict=True)):
                for x, y in zip(a, b, strict=True):
                    error = np.abs(x - y).max() / max(1.0, np.abs(y).max())
                    if not error <= TOLERANCE.get(info.name, 1e-10):
                        raise Difference(f"step {step}: off by {error:.2g}")
        except Exception as error:
            found.append(f"{sample.desc}: {type(error).__name__}: {error}".replace("\n", " "))
    return ("fail" if found else "pass"), found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", help="optimisers, separated by commas; all without it")
    parser.add_argument("--json", help="write the outcomes to this file")
    args = parser.parse_args()
    outcomes = {}
    for info in optim_db:
        if args.names is None or info.name in args.names.split(","):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                outcomes[info.name], differences = check(info)
            print(f"{outcomes[info.name]:8} {info.name}", *(f"\n         {text}" for text in differences), flush=True)
    if args.json:
        with open(args.json, "w") as file:
            json.dump(dict(sorted(outcomes.items())), file, indent=0)
            file.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
