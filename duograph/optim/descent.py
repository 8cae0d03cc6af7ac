"""Gradient descent and its family: each optimiser is its arguments, its first state, and its rule."""

from __future__ import annotations

import math
from typing import Any

from ..functional import update
from ..functional.update import Rule
from ..graph.node import Attributes
from ..ops.creation import full_like, zeros_like
from ..tensor.core import Tensor
from .optimizer import Group, Optimizer, check, defaults

Numbers = tuple[Any, ...]
Counted = dict[str, float]


def _filled(parameter: Tensor, number: float) -> Tensor:
    """A state of one number, in both parts where the parameter is complex."""
    return full_like(parameter, complex(number, number) if parameter.dtype.is_complex else number)


class SGD(Optimizer):
    """Gradient descent, with momentum if it is not 0 (Polyak 1964; Nesterov's form after Sutskever et al. 2013)."""

    counters = ()

    def __init__(
        self, params: Any = None, lr: Any = 1e-3, momentum: float = 0, dampening: float = 0, weight_decay: Any = 0,
        nesterov: bool = False, *, maximize: bool = False, foreach: bool | None = None, differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:  # fmt: skip
        check(
            "SGD",
            "nesterov",
            not nesterov or (momentum > 0 and dampening == 0),
            "momentum > 0 and dampening 0 with it",
            nesterov,
        )
        super().__init__(params, defaults(
            "SGD", lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=nesterov,
            maximize=maximize, foreach=foreach, differentiable=differentiable, fused=fused,
        ))  # fmt: skip

    def begin(self, group: Group, parameter: Tensor) -> dict[str, Any]:
        return {"momentum_buffer": zeros_like(parameter)} if group["momentum"] else {}

    def rule(self, group: Group, counted: Counted) -> tuple[Rule, Numbers, Attributes]:
        decay = group["weight_decay"]
        if not group["momentum"]:
            return update.sgd, (group["lr"], decay), (("decay", decay != 0), ("maximize", group["maximize"]))
        return update.sgd_momentum, (group["lr"], decay, group["momentum"]), (
            ("decay", decay != 0), ("dampening", group["dampening"]), ("nesterov", group["nesterov"]),
            ("first", counted["first"]), ("maximize", group["maximize"]),
        )  # fmt: skip


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015); with `decoupled_weight_decay` AdamW."""

    def __init__(
        self, params: Any = None, lr: Any = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, amsgrad: bool = False, *, foreach: bool | None = None, maximize: bool = False,
        capturable: bool = False, differentiable: bool = False, fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, defaults(
            type(self).__name__, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad,
            maximize=maximize, foreach=foreach, capturable=capturable, differentiable=differentiable, fused=fused,
            decoupled_weight_decay=decoupled_weight_decay,
        ))  # fmt: skip

    def begin(self, group: Group, parameter: Tensor) -> dict[str, Any]:
        state = {"step": 0.0, "exp_avg": zeros_like(parameter), "exp_avg_sq": zeros_like(parameter)}
        return state | {"max_exp_avg_sq": zeros_like(parameter)} if group["amsgrad"] else state

    def rule(self, group: Group, counted: Counted) -> tuple[Rule, Numbers, Attributes]:
        (beta1, beta2), lr, step, decay = group["betas"], group["lr"], counted["step"], group["weight_decay"]
        numbers = (lr / (1 - beta1**step), math.sqrt(1 - beta2**step), decay, 1 - lr * decay, 1 - beta1)
        return (update.amsgrad if group["amsgrad"] else update.adam), numbers, (
            ("beta2", beta2), ("eps", group["eps"]), ("decay", decay != 0),
            ("decoupled", group["decoupled_weight_decay"]), ("maximize", group["maximize"]),
        )  # fmt: skip


class AdamW(Adam):
    """Adam with weight decay apart from the gradient (Loshchilov and Hutter 2019)."""

    def __init__(
        self, params: Any = None, lr: Any = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 1e-2, amsgrad: bool = False, *, maximize: bool = False, foreach: bool | None = None,
        capturable: bool = False, differentiable: bool = False, fused: bool | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach, maximize=maximize, capturable=capturable,
            differentiable=differentiable, fused=fused, decoupled_weight_decay=True,
        )  # fmt: skip


class SparseAdam(Optimizer):
    """Adam for embeddings: rows of which the gradient is 0 are left alone, and so is their state.

    Gradients are dense here; rows of zeros stand for those that PyTorch's sparse gradients do not have.
    """

    takes_complex = False

    def __init__(
        self, params: Any = None, lr: Any = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:  # fmt: skip
        check("SparseAdam", "lr", lr > 0, "a number above 0", lr)
        check("SparseAdam", "eps", eps > 0, "a number above 0", eps)
        super().__init__(params, defaults("SparseAdam", lr=lr, betas=betas, eps=eps, maximize=maximize))

    def begin(self, group: Group, parameter: Tensor) -> dict[str, Any]:
        return {"step": 0.0, "exp_avg": zeros_like(parameter), "exp_avg_sq": zeros_like(parameter)}

    def rule(self, group: Group, counted: Counted) -> tuple[Rule, Numbers, Attributes]:
        (beta1, beta2), step = group["betas"], counted["step"]
        step_size = group["lr"] * math.sqrt(1 - beta2**step) / (1 - beta1**step)
        return update.sparse_adam, (step_size, 1 - beta1), (
            ("beta2", beta2), ("eps", group["eps"]), ("maximize", group["maximize"]),
        )  # fmt: skip


class NAdam(Optimizer):
    """Adam with Nesterov's momentum (Dozat 2016)."""

    counters = ("step", "mu_product")

    def __init__(
        self, params: Any = None, lr: Any = 2e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, momentum_decay: float = 4e-3, decoupled_weight_decay: bool = False, *,
        foreach: bool | None = None, maximize: bool = False, capturable: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, defaults(
            "NAdam", lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, momentum_decay=momentum_decay,
            decoupled_weight_decay=decoupled_weight_decay, maximize=maximize, foreach=foreach, capturable=capturable,
            differentiable=differentiable,
        ))  # fmt: skip

    def begin(self, group: Group, parameter: Tensor) -> dict[str, Any]:
        moments = {"exp_avg": zeros_like(parameter), "exp_avg_sq": zeros_like(parameter)}
        return {"step": 0.0, "mu_product": 1.0} | moments

    def rule(self, group: Group, counted: Counted) -> tuple[Rule, Numbers, Attributes]:
        (beta1, beta2), lr, step, decay = group["betas"], group["lr"], counted["step"], group["weight_decay"]
        mu, following = (beta1 * (1 - 0.5 * 0.96 ** (t * group["momentum_decay"])) for t in (step, step + 1))
        product = counted["mu_product"] = counted["mu_product"] * mu
        numbers = (
            lr * (1 - mu) / (1 - product), lr * following / (1 - product * following), math.sqrt(1 - beta2**step),
            decay, 1 - lr * decay, 1 - beta1,
        )  # fmt: skip
        return update.nadam, numbers, (
            ("beta2", beta2), ("eps", group["eps"]), ("decay", decay != 0),
            ("decoupled", group["decoupled_weight_decay"]), ("maximize", group["maximize"]),
        )  # fmt: skip


class RAdam(Optimizer):
    """Rectified Adam (Liu et al. 2020)."""

    def __init__(
        self, params: Any = None, lr: Any = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, decoupled_weight_decay: bool = False, *, foreach: bool | None = None,
        maximize: bool = False, capturable: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, defaults(
            "RAdam", lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, maximize=maximize, foreach=foreach,
            capturable=capturable, decoupled_weight_decay=decoupled_weight_decay, differentiable=differentiable,
        ))  # fmt: skip

    def begin(self, group: Group, parameter: Tensor) -> dict[str, Any]:
        return {"step": 0.0, "exp_avg": zeros_like(parameter), "exp_avg_sq": zeros_like(parameter)}

    def rule(self, group: Group, counted: Counted) -> tuple[Rule, Numbers, Attributes]:
        (beta1, beta2), lr, step, decay = group["betas"], group["lr"], counted["step"], group["weight_decay"]
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * step * beta2**step / (1 - beta2**step)  # of the approximated moving average
        rectification = 0.0
        if length > 5:
            rectification = math.sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length))
        numbers = (1 - beta1**step, math.sqrt(1 - beta2**step), rectification, lr, decay, 1 - lr * decay, 1 - beta1)
        return update.radam, numbers, (
            ("beta2", beta2), ("eps", group["eps"]), ("decay", decay != 0),
            ("decoupled", group["decoupled_weight_decay"]), ("maximize", group["maximize"]),
        )  # fmt: skip


class Adamax(Optimizer):
    """Adam with the infinity norm (Kingma and Ba 2015, section 7.1)."""

    def __init__(
        self, params: Any = None, lr: Any = 2e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, foreach: bool | None = None, *, maximize: bool = False, differentiable: bool = False,
        capturable: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, defaults(
            "Adamax", lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, foreach=foreach, maximize=maximize,
            differentiable=differentiable, capturable=capturable,
        ))  # fmt: skip

    def begin(self, group: Group, parameter: Tensor) -> dict[str, Any]:
        return {"step": 0.0, "exp_avg": zeros_like(parameter), "exp_inf": zeros_like(parameter)}

    def rule(self, group: Group, counted: Counted) -> tuple[Rule, Numbers, Attributes]:
        (beta1, beta2), decay = group["betas"], group["weight_decay"]
        numbers = (group["lr"] / (1 - beta1 ** counted["step"]), decay, 1 - beta1)
        return update.adamax, numbers, (
            ("decay", decay != 0), ("beta2", beta2), ("eps", group["eps"]), ("maximize", group["maximize"]),
        )  # fmt: skip


class RMSprop(Optimizer):
    """RMSprop (Tieleman and Hinton 2012), normalised by the estimated variance if `centered` (Graves 2013)."""

    def __init__(
        self, params: Any = None, lr: Any = 1e-2, alpha: float = 0.99, eps: float = 1e-8, weight_decay: float = 0,
        momentum: float = 0, centered: bool = False, capturable: bool = False, foreach: bool | None = None,
        maximize: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        check("RMSprop", "alpha", alpha >= 0, "a number of at least 0", alpha)
        super().__init__(params, defaults(
            "RMSprop", lr=lr, momentum=momentum, alpha=alpha, eps=eps, centered=centered, weight_decay=weight_decay,
            capturable=capturable, foreach=foreach, maximize=maximize, differentiable=differentiable,
        ))  # fmt: skip

    def begin(self, group: Group, parameter: Tensor) -> dict[str, Any]:
        rule = update.rmsprop[group["momentum"] > 0, bool(group["centered"])]
        return {"step": 0.0} | {name: zeros_like(parameter) for name in rule.states}

    def rule(self, group: Group, counted: Counted) -> tuple[Rule, Numbers, Attributes]:
        decay, momentum = group["weight_decay"], group["momentum"]
        return update.rmsprop[momentum > 0, bool(group["centered"])], (group["lr"], decay, momentum), (
            ("decay", decay != 0), ("alpha", group["alpha"]), ("eps", group["eps"]), ("maximize", group["maximize"]),
        )  # fmt: skip


class Adagrad(Optimizer):
    """Adagrad (Duchi et al. 2011)."""

    def __init__(
        self, params: Any = None, lr: Any = 1e-2, lr_decay: float = 0, weight_decay: float = 0,
        initial_accumulator_value: float = 0, eps: float = 1e-10, foreach: bool | None = None, *,
        maximize: bool = False, differentiable: bool = False, fused: bool | None = None,
    ) -> None:  # fmt: skip
        first = initial_accumulator_value
        check("Adagrad", "initial_accumulator_value", first >= 0, "a number of at least 0", first)
        super().__init__(params, defaults(
            "Adagrad", lr=lr, lr_decay=lr_decay, eps=eps, weight_decay=weight_decay, initial_accumulator_value=first,
            foreach=foreach, maximize=maximize, differentiable=differentiable, fused=fused,
        ))  # fmt: skip
        for group in self.param_groups:
            for parameter in group["params"]:
                self.state[parameter] = self._begun(group, parameter)

    def begin(self, group: Group, parameter: Tensor) -> dict[str, Any]:
        return {"step": 0.0, "sum": _filled(parameter, group["initial_accumulator_value"])}

    def rule(self, group: Group, counted: Counted) -> tuple[Rule, Numbers, Attributes]:
        decay = group["weight_decay"]
        numbers = (group["lr"] / (1 + (counted["step"] - 1) * group["lr_decay"]), decay)
        return update.adagrad, numbers, (("decay", decay != 0), ("eps", group["eps"]), ("maximize", group["maximize"]))


class Adadelta(Optimizer):
    """Adadelta (Zeiler 2012)."""

    def __init__(
        self, params: Any = None, lr: Any = 1.0, rho: float = 0.9, eps: float = 1e-6, weight_decay: float = 0,
        foreach: bool | None = None, *, capturable: bool = False, maximize: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        check("Adadelta", "rho", 0 <= rho <= 1, "a number in [0, 1]", rho)
        super().__init__(params, defaults(
            "Adadelta", lr=lr, rho=rho, eps=eps, weight_decay=weight_decay, maximize=maximize, capturable=capturable,
            foreach=foreach, differentiable=differentiable,
        ))  # fmt: skip

    def begin(self, group: Group, parameter: Tensor) -> dict[str, Any]:
        return {"step": 0.0, "square_avg": zeros_like(parameter), "acc_delta": zeros_like(parameter)}

    def rule(self, group: Group, counted: Counted) -> tuple[Rule, Numbers, Attributes]:
        decay = group["weight_decay"]
        return update.adadelta, (group["lr"], decay), (
            ("decay", decay != 0), ("rho", group["rho"]), ("eps", group["eps"]), ("maximize", group["maximize"]),
        )  # fmt: skip


class Rprop(Optimizer):
    """Resilient backpropagation (Riedmiller and Braun 1993): only the signs of gradients count."""

    def __init__(
        self, params: Any = None, lr: Any = 1e-2, etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50), *, capturable: bool = False, foreach: bool | None = None,
        maximize: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        check("Rprop", "etas", 0 < etas[0] < 1 < etas[1], "two numbers in (0, 1) and (1, inf)", etas)
        super().__init__(params, defaults(
            "Rprop", lr=lr, etas=etas, step_sizes=step_sizes, foreach=foreach, maximize=maximize,
            differentiable=differentiable, capturable=capturable,
        ))  # fmt: skip

    def begin(self, group: Group, parameter: Tensor) -> dict[str, Any]:
        return {"step": 0.0, "prev": zeros_like(parameter), "step_size": _filled(parameter, group["lr"])}

    def rule(self, group: Group, counted: Counted) -> tuple[Rule, Numbers, Attributes]:
        (minus, plus), (least, most) = group["etas"], group["step_sizes"]
        return update.rprop, (), (
            ("eta_minus", minus), ("eta_plus", plus), ("least", least), ("most", most), ("maximize", group["maximize"]),
        )  # fmt: skip


class ASGD(Optimizer):
    """Gradient descent that also averages the parameters, in the state "ax" (Polyak and Juditsky 1992)."""

    counters = ("step", "eta", "mu")

    def __init__(
        self, params: Any = None, lr: Any = 1e-2, lambd: float = 1e-4, alpha: float = 0.75, t0: float = 1e6,
        weight_decay: float = 0, foreach: bool | None = None, maximize: bool = False, differentiable: bool = False,
        capturable: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, defaults(
            "ASGD", lr=lr, lambd=lambd, alpha=alpha, t0=t0, weight_decay=weight_decay, foreach=foreach,
            maximize=maximize, differentiable=differentiable, capturable=capturable,
        ))  # fmt: skip

    def begin(self, group: Group, parameter: Tensor) -> dict[str, Any]:
        return {"step": 0.0, "eta": group["lr"], "mu": 1.0, "ax": zeros_like(parameter)}

    def rule(self, group: Group, counted: Counted) -> tuple[Rule, Numbers, Attributes]:
        lr, lambd, decay, step = group["lr"], group["lambd"], group["weight_decay"], counted["step"]
        eta, mu = counted["eta"], counted["mu"]
        counted["eta"] = lr / (1 + lambd * lr * step) ** group["alpha"]
        counted["mu"] = 1 / max(1, step - group["t0"])
        return update.asgd, (eta, 1 - lambd * eta, mu, decay), (
            ("decay", decay != 0), ("averaging", mu != 1), ("maximize", group["maximize"]),
        )  # fmt: skip
