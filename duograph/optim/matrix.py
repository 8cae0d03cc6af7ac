"""Optimisers that see a parameter as a matrix."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes

from ..functional import matrix_update
from ..functional.update import Rule
from ..graph.node import Attributes
from ..ops.creation import zeros_like
from ..tensor.core import Tensor
from .descent import Counted, Numbers
from .optimizer import Group, Optimizer, check, defaults


class Adafactor(Optimizer):
    """Second moments kept as rows and columns only (Shazeer and Stern 2018)."""

    takes_complex = False

    def __init__(
        self, params: Any = None, lr: Any = 1e-2, beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3), d: float = 1.0, weight_decay: float = 0.0, *,
        foreach: bool | None = None, maximize: bool = False,
    ) -> None:  # fmt: skip
        check("Adafactor", "beta2_decay", beta2_decay <= 0, "a number of at most 0", beta2_decay)
        check("Adafactor", "d", d >= 1, "a number of at least 1", d)
        check("Adafactor", "eps", (eps[0] is None or eps[0] >= 0) and eps[1] >= 0, "numbers of at least 0", eps)
        super().__init__(params, defaults(
            "Adafactor", lr=lr, beta2_decay=beta2_decay, eps=eps, d=d, weight_decay=weight_decay, foreach=foreach,
            maximize=maximize,
        ))  # fmt: skip

    def kind(self, parameter: Tensor) -> Any:
        return parameter.ndim > 1, parameter.dtype

    def begin(self, group: Group, parameter: Any) -> dict[str, Any]:
        if parameter.ndim < 2:
            return {"step": 0.0, "variance": zeros_like(parameter)}
        *lead, rows, columns = parameter.shape
        return {
            "step": 0.0,
            "row_var": parameter.new_zeros(*lead, rows, 1),
            "col_var": parameter.new_zeros(*lead, 1, columns),
        }

    def rule(self, group: Group, counted: Counted) -> tuple[Rule, Numbers, Attributes]:
        kind: Any = counted["kind"]
        (matrix, dtype), (eps1, eps2) = kind, group["eps"]
        lr, step, decay = float(group["lr"]), counted["step"], group["weight_decay"]
        if eps1 is None:
            eps1 = float(ml_dtypes.finfo(dtype.numpy).eps)
        numbers = (min(lr, 1 / math.sqrt(step)), step ** group["beta2_decay"], 1 - lr * decay)
        return (matrix_update.adafactor if matrix else matrix_update.adafactor_vector), numbers, (
            ("eps1", eps1), ("eps2", eps2), ("d", group["d"]), ("decay", decay != 0), ("maximize", group["maximize"]),
        )  # fmt: skip


class Muon(Optimizer):
    """Momentum orthogonalised by Newton and Schulz's iteration, for matrices only (Jordan et al. 2024)."""

    takes_complex = False

    counters = ()

    def __init__(
        self, params: Any = None, lr: float = 1e-3, weight_decay: float = 0.1, momentum: float = 0.95,
        nesterov: bool = True, ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
        eps: float = 1e-7, ns_steps: int = 5, adjust_lr_fn: str | None = None,
    ) -> None:  # fmt: skip
        choices = (None, "original", "match_rms_adamw")
        check("Muon", "adjust_lr_fn", adjust_lr_fn in choices, f"one of {choices}", adjust_lr_fn)
        super().__init__(params, defaults(
            "Muon", lr=lr, weight_decay=weight_decay, momentum=momentum, nesterov=nesterov,
            ns_coefficients=ns_coefficients, eps=eps, ns_steps=ns_steps, adjust_lr_fn=adjust_lr_fn,
        ))  # fmt: skip
        for group in self.param_groups:
            for parameter in group["params"]:
                shape = tuple(parameter.shape)
                check("Muon", "params", len(shape) == 2, "matrices; train other parameters by another optimizer", shape)

    def begin(self, group: Group, parameter: Tensor) -> dict[str, Any]:
        return {"momentum_buffer": zeros_like(parameter)}

    def rule(self, group: Group, counted: Counted) -> tuple[Rule, Numbers, Attributes]:
        numbers = (group["lr"], 1 - group["lr"] * group["weight_decay"], group["momentum"])
        return matrix_update.muon, numbers, (
            ("nesterov", group["nesterov"]), ("coefficients", tuple(group["ns_coefficients"])), ("eps", group["eps"]),
            ("iterations", group["ns_steps"]), ("adjust", group["adjust_lr_fn"]),
        )  # fmt: skip
