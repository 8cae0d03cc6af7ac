"""The mathematics of optimisers: rules for one parameter, recorded as one operation for all of them.

A rule takes a parameter, its gradient and its state to the new parameter and state. What changes from step to step (the
learning rate, bias corrections, weight decay) enters as run-time numbers, what does not as attributes. The formulas and
their order of operations are PyTorch's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..graph import language as g
from ..graph.composite import composite
from ..graph.node import Attributes, Node
from .checks import widen

Result = Node | tuple[Node, ...]


class Rule:
    """An update rule as a recordable operation over any number of parameters.

    Inputs: the `numbers` (0-d float64, in this order), then all parameters, all gradients, and for each state all its
    tensors. Outputs: all new parameters, then for each state all its new tensors. Attribute `maximize` is understood
    by every rule: ascend instead of descend.
    """

    def __init__(self, function: Callable[..., Result], numbers: Sequence[str], states: Sequence[str]) -> None:
        self.function = function
        self.name = function.__name__
        self.numbers = tuple(numbers)
        self.states = tuple(states)
        self.__doc__ = function.__doc__

    def __repr__(self) -> str:
        return f"<update rule {self.name}>"

    def build(self, inputs: Sequence[Node], attributes: Attributes) -> tuple[Node, ...]:
        given = dict(attributes)
        maximize = given.pop("maximize", False)
        kinds = 2 + len(self.states)
        count = (len(inputs) - len(self.numbers)) // kinds
        numbers = inputs[: len(self.numbers)]
        rest = inputs[len(self.numbers) :]
        columns = [rest[k * count : (k + 1) * count] for k in range(kinds)]
        rows = []
        for row in zip(*columns, strict=True):
            parameter, gradient, *state = (_parts(x) if x.dtype.is_complex else x for x in row)
            wide = widen(parameter)
            slope = -widen(gradient) if maximize else widen(gradient)
            named = {name: g.cast(n, wide.dtype) for name, n in zip(self.numbers, numbers, strict=True)}
            # only the parameter and tensors of its dtype may be 16 bits wide; a state keeps the dtype it came in
            made = self.function(wide, slope, *(widen(s) for s in state), **named, **given)
            made = made if isinstance(made, tuple) else (made,)
            cast = [g.cast(m, old.dtype) for m, old in zip(made, (parameter, *state), strict=True)]
            before = (row[0], *row[2:])
            rows.append([_whole(m) if old.dtype.is_complex else m for m, old in zip(cast, before, strict=True)])
        return tuple(value for column in zip(*rows, strict=True) for value in column)


def _parts(x: Node) -> Node:
    """Real and imaginary parts along a last axis: to a rule, a complex number is two real ones."""
    return g.concatenate([g.expand_dims(g.real(x), -1), g.expand_dims(g.imag(x), -1)], -1)


def _whole(x: Node) -> Node:
    re, im = (g.reshape(g.narrow(x, -1, k, 1), x.shape[:-1]) for k in (0, 1))
    return g.join(re, im)


def rule(*, numbers: Sequence[str], states: Sequence[str] = ()) -> Callable[[Callable[..., Result]], Rule]:
    """Decorator: a function of (parameter, gradient, *states, **numbers, **attributes) as a `Rule`."""
    return lambda function: Rule(function, numbers, states)


def _decayed(p: Node, slope: Node, weight_decay: Node, decay: bool) -> Node:
    """L2 regularisation as an addition to the gradient."""
    return slope + p * weight_decay if decay else slope


@rule(numbers=("lr", "weight_decay"))
def sgd(p: Node, slope: Node, *, lr: Node, weight_decay: Node, decay: bool) -> Node:
    """Gradient descent."""
    return p - _decayed(p, slope, weight_decay, decay) * lr


@rule(numbers=("lr", "weight_decay", "momentum"), states=("momentum_buffer",))
def sgd_momentum(
    p: Node, slope: Node, velocity: Node, *, lr: Node, weight_decay: Node, momentum: Node, decay: bool,
    dampening: float, nesterov: bool, first: bool,
) -> Result:  # fmt: skip
    """Gradient descent with momentum (Polyak 1964; Nesterov's form after Sutskever et al. 2013).

    In its `first` step the velocity is the gradient itself.
    """
    slope = _decayed(p, slope, weight_decay, decay)
    velocity = slope if first else velocity * momentum + slope * (1 - dampening)
    direction = slope + velocity * momentum if nesterov else velocity
    return p - direction * lr, velocity


def _moments(slope: Node, mean: Node, square: Node, blend: Node, beta2: float) -> tuple[Node, Node]:
    """The running mean of slopes and of their squares; `blend` is 1 - beta1, which schedules may change."""
    return mean + (slope - mean) * blend, square * beta2 + slope * slope * (1 - beta2)


def _adapted(p: Node, mean: Node, square: Node, step_size: Node, root_correction: Node, eps: float) -> Node:
    """`p - step_size * mean / (sqrt(square) / root_correction + eps)`, by one division of each element instead of two:
    a processor divides 16 times more slowly than it multiplies."""
    return p - mean * (step_size * root_correction) / (g.sqrt(square) + root_correction * eps)


@rule(numbers=("step_size", "root_correction", "weight_decay", "shrink", "blend"), states=("exp_avg", "exp_avg_sq"))
def adam(
    p: Node, slope: Node, mean: Node, square: Node, *, step_size: Node, root_correction: Node, weight_decay: Node,
    shrink: Node, blend: Node, beta2: float, eps: float, decay: bool, decoupled: bool,
) -> Result:  # fmt: skip
    """Adam (Kingma and Ba 2015), or AdamW (Loshchilov and Hutter 2019) if `decoupled`.

    step_size is lr / (1 - beta1^t), root_correction sqrt(1 - beta2^t), shrink 1 - lr * weight_decay.
    """
    if decay:
        p, slope = (p * shrink, slope) if decoupled else (p, slope + p * weight_decay)
    mean, square = _moments(slope, mean, square, blend, beta2)
    return _adapted(p, mean, square, step_size, root_correction, eps), mean, square


@rule(
    numbers=("step_size", "root_correction", "weight_decay", "shrink", "blend"),
    states=("exp_avg", "exp_avg_sq", "max_exp_avg_sq"),
)
def amsgrad(
    p: Node, slope: Node, mean: Node, square: Node, top: Node, *, step_size: Node, root_correction: Node,
    weight_decay: Node, shrink: Node, blend: Node, beta2: float, eps: float, decay: bool, decoupled: bool,
) -> Result:  # fmt: skip
    """Adam with the largest second moment so far (Reddi et al. 2018)."""
    if decay:
        p, slope = (p * shrink, slope) if decoupled else (p, slope + p * weight_decay)
    mean, square = _moments(slope, mean, square, blend, beta2)
    top = g.maximum(top, square)
    return _adapted(p, mean, top, step_size, root_correction, eps), mean, square, top


@rule(numbers=("step_size", "blend"), states=("exp_avg", "exp_avg_sq"))
def sparse_adam(
    p: Node, slope: Node, mean: Node, square: Node, *, step_size: Node, blend: Node, beta2: float, eps: float
) -> Result:
    """Adam for the rows of which the gradient has an element that is not 0; the others and their state stay.

    step_size is lr sqrt(1 - beta2^t) / (1 - beta1^t).
    """
    seen = g.broadcast_to(g.any(g.not_equal(slope, 0), tuple(range(1, p.ndim)), keepdims=True), p.shape)
    new_mean, new_square = _moments(slope, mean, square, blend, beta2)
    step = new_mean / (g.sqrt(new_square) + eps) * step_size
    return g.select(seen, p - step, p), g.select(seen, new_mean, mean), g.select(seen, new_square, square)


def _rmsprop(with_momentum: bool, centered: bool) -> Rule:
    def function(
        p: Node, slope: Node, square: Node, *more: Node, lr: Node, weight_decay: Node, momentum: Node, decay: bool,
        alpha: float, eps: float,
    ) -> Result:  # fmt: skip
        slope = _decayed(p, slope, weight_decay, decay)
        square = square * alpha + slope * slope * (1 - alpha)
        width = g.sqrt(square) + eps
        if centered:
            mean = more[-1] + (slope - more[-1]) * (1 - alpha)
            width = g.sqrt(square - mean * mean) + eps
        if not with_momentum:
            return p - slope / width * lr, square, *((mean,) if centered else ())
        velocity = more[0] * momentum + slope / width
        return p - velocity * lr, square, velocity, *((mean,) if centered else ())

    function.__name__ = "rmsprop" + "_momentum" * with_momentum + "_centered" * centered
    function.__doc__ = (
        "RMSprop (Tieleman and Hinton 2012), normalised by the estimated variance if centered (Graves 2013)."
    )
    states = ("square_avg", *(("momentum_buffer",) if with_momentum else ()), *(("grad_avg",) if centered else ()))
    return Rule(function, ("lr", "weight_decay", "momentum"), states)


rmsprop = {(m, c): _rmsprop(m, c) for m in (False, True) for c in (False, True)}
"""RMSprop's rules by (with momentum, centered)."""


@rule(numbers=("lr", "weight_decay"), states=("sum",))
def adagrad(p: Node, slope: Node, total: Node, *, lr: Node, weight_decay: Node, decay: bool, eps: float) -> Result:
    """Adagrad (Duchi et al. 2011); `lr` is lr / (1 + (t - 1) lr_decay)."""
    slope = _decayed(p, slope, weight_decay, decay)
    total = total + slope * slope
    return p - slope / (g.sqrt(total) + eps) * lr, total


@rule(numbers=("lr", "weight_decay"), states=("square_avg", "acc_delta"))
def adadelta(
    p: Node,
    slope: Node,
    square: Node,
    moved: Node,
    *,
    lr: Node,
    weight_decay: Node,
    decay: bool,
    rho: float,
    eps: float,
) -> Result:
    """Adadelta (Zeiler 2012)."""
    slope = _decayed(p, slope, weight_decay, decay)
    square = square * rho + slope * slope * (1 - rho)
    delta = g.sqrt(moved + eps) / g.sqrt(square + eps) * slope
    return p - delta * lr, square, moved * rho + delta * delta * (1 - rho)


@rule(numbers=("step_size", "weight_decay", "blend"), states=("exp_avg", "exp_inf"))
def adamax(
    p: Node, slope: Node, mean: Node, top: Node, *, step_size: Node, weight_decay: Node, blend: Node, decay: bool,
    beta2: float, eps: float,
) -> Result:  # fmt: skip
    """Adamax (Kingma and Ba 2015, section 7.1); step_size is lr / (1 - beta1^t)."""
    slope = _decayed(p, slope, weight_decay, decay)
    mean = mean + (slope - mean) * blend
    top = g.maximum(top * beta2, g.absolute(slope) + eps)
    return p - mean / top * step_size, mean, top


@rule(
    numbers=("gradient_step", "mean_step", "root_correction", "weight_decay", "shrink", "blend"),
    states=("exp_avg", "exp_avg_sq"),
)
def nadam(
    p: Node, slope: Node, mean: Node, square: Node, *, gradient_step: Node, mean_step: Node, root_correction: Node,
    weight_decay: Node, shrink: Node, blend: Node, beta2: float, eps: float, decay: bool, decoupled: bool,
) -> Result:  # fmt: skip
    """Adam with Nesterov's momentum (Dozat 2016).

    gradient_step is lr (1 - mu_t) / (1 - prod mu), mean_step lr mu_(t+1) / (1 - prod mu with mu_(t+1)).
    """
    if decay:
        p, slope = (p * shrink, slope) if decoupled else (p, slope + p * weight_decay)
    mean, square = _moments(slope, mean, square, blend, beta2)
    width = g.sqrt(square) / root_correction + eps
    return p - slope / width * gradient_step - mean / width * mean_step, mean, square


@rule(
    numbers=("bias_correction", "root_correction", "rectification", "lr", "weight_decay", "shrink", "blend"),
    states=("exp_avg", "exp_avg_sq"),
)
def radam(
    p: Node, slope: Node, mean: Node, square: Node, *, bias_correction: Node, root_correction: Node,
    rectification: Node, lr: Node, weight_decay: Node, shrink: Node, blend: Node, beta2: float, eps: float,
    decay: bool, decoupled: bool,
) -> Result:  # fmt: skip
    """Rectified Adam (Liu et al. 2020); a rectification of 0 means that the variance cannot be estimated yet."""
    if decay:
        p, slope = (p * shrink, slope) if decoupled else (p, slope + p * weight_decay)
    mean, square = _moments(slope, mean, square, blend, beta2)
    adapted = root_correction / (g.sqrt(square) + eps) * rectification
    step = mean / bias_correction * lr * g.select(rectification > 0, adapted, g.full(p.shape, 1, p.dtype))
    return p - step, mean, square


@rule(numbers=("lr", "weight_decay"), states=("exp_avg",))
def lion(
    p: Node, slope: Node, mean: Node, *, lr: Node, weight_decay: Node, decay: bool, beta1: float, beta2: float
) -> Result:
    """Lion (Chen et al. 2023): the sign of an interpolated momentum, with decoupled weight decay."""
    if decay:
        p = p * (1.0 - lr * weight_decay)
    step = g.sign(mean * beta1 + slope * (1 - beta1))
    return p - step * lr, mean * beta2 + slope * (1 - beta2)


@rule(numbers=(), states=("prev", "step_size"))
def rprop(
    p: Node, slope: Node, before: Node, size: Node, *, eta_minus: float, eta_plus: float, least: float, most: float
) -> Result:
    """Resilient backpropagation (Riedmiller and Braun 1993): only signs count."""
    agreement = g.sign(slope * before)
    factor = g.select(agreement > 0, eta_plus, g.select(agreement < 0, g.full(p.shape, eta_minus, p.dtype), 1.0))
    size = g.minimum(g.maximum(size * factor, least), most)
    slope = g.select(agreement < 0, 0.0, slope)
    return p - g.sign(slope) * size, slope, size


@rule(numbers=("eta", "lambda_eta", "mu", "weight_decay"), states=("ax",))
def asgd(
    p: Node, slope: Node, average: Node, *, eta: Node, lambda_eta: Node, mu: Node, weight_decay: Node, decay: bool,
    averaging: bool,
) -> Result:  # fmt: skip
    """Averaged gradient descent (Polyak and Juditsky 1992); lambda_eta is 1 - lambd * eta."""
    slope = _decayed(p, slope, weight_decay, decay)
    p = p * lambda_eta - slope * eta
    return p, average + (p - average) * mu if averaging else p


@composite
def total_norm(*gradients: Node, order: float) -> Node:
    """The norm of all gradients as one vector: `order` 2, 1, infinity or any positive number."""
    wide = [widen(x) for x in gradients]
    if order == float("inf"):
        parts = [g.max(g.absolute(x)) for x in wide]
        result = parts[0]
        for part in parts[1:]:
            result = g.maximum(result, part)
        return result
    if order == 2.0:
        return g.sqrt(_added([g.sum(x * x) for x in wide]))
    return g.power(_added([g.sum(g.power(g.absolute(x), order)) for x in wide]), 1.0 / order)


def _added(parts: list[Node]) -> Node:
    result = parts[0]
    for part in parts[1:]:
        result = result + g.cast(part, result.dtype)
    return result


@composite
def clipped_by_norm(norm: Node, limit: Node, *gradients: Node) -> tuple[Node, ...]:
    """Gradients times min(1, limit / (norm + 1e-6)), as PyTorch's clip_grad_norm_ has it."""
    scale = g.minimum(g.cast(limit, norm.dtype) / (norm + 1e-6), 1.0)
    return tuple(g.cast(widen(x) * g.cast(scale, widen(x).dtype), x.dtype) for x in gradients)


@composite
def clipped_by_value(limit: Node, *gradients: Node) -> tuple[Node, ...]:
    """Gradients with every element brought into [-limit, limit]."""
    return tuple(g.minimum(g.maximum(x, -g.cast(limit, x.dtype)), g.cast(limit, x.dtype)) for x in gradients)
