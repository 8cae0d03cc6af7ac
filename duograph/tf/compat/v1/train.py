"""`tf.train` of TensorFlow 1: optimisers, a step counter, and saving."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

import numpy as np

import duograph.torch as torch

from ...checkpoints import check, file_of, latest_checkpoint, note, read_file, write_file
from ...errors import NotFoundError
from ...graph import GraphTensor, GraphVariable, Operation, get_default_graph
from ...graph.gradients import gradients
from ...graph.symbolic import replaced, running
from ...graph.variables import GLOBAL, TRAINABLE
from . import schedules
from .schedules import *

__all__ = [
    "AdadeltaOptimizer", "AdagradOptimizer", "AdamOptimizer", "FtrlOptimizer", "GradientDescentOptimizer",
    "MomentumOptimizer", "Optimizer", "RMSPropOptimizer", "Saver", "create_global_step", "get_global_step",
    "get_or_create_global_step", "global_step", "latest_checkpoint", *schedules.__all__,
]  # fmt: skip


def get_global_step(graph: Any = None) -> Any:
    """The step counter of the graph, or None."""
    found = (graph or get_default_graph()).get_collection("global_step")
    return found[0] if found else None


def create_global_step(graph: Any = None) -> Any:
    """A step counter, which `minimize(global_step=...)` raises."""
    made = GraphVariable(np.int64(0), trainable=False, name="global_step", dtype="int64")
    get_default_graph().add_to_collection("global_step", made)
    return made


def global_step(sess: Any, global_step_tensor: Any) -> int:
    """The count in a session."""
    return int(sess.run(global_step_tensor))


def get_or_create_global_step(graph: Any = None) -> Any:
    return get_global_step(graph) or create_global_step(graph)


class Optimizer:
    """Changes variables by gradients. Its own state is in variables of the graph, one per variable and slot."""

    slots: tuple[str, ...] = ()
    name = "Optimizer"

    def __init__(self, learning_rate: Any, name: str | None = None) -> None:
        self._rate = learning_rate
        self.name = name or self.name

    def minimize(
        self,
        loss: Any,
        global_step: Any = None,
        var_list: Any = None,
        grad_loss: Any = None,
        name: Any = None,
        **_: Any,
    ) -> GraphTensor:
        """An operation that makes one step. Raises ValueError where no variable has a gradient."""
        pairs = self.compute_gradients(loss, var_list, grad_loss=grad_loss)
        if all(g is None for g, _v in pairs):
            raise ValueError(f"No gradients provided for any variable: {[v.name for _g, v in pairs]}")
        return self.apply_gradients(pairs, global_step, name)

    def compute_gradients(
        self, loss: Any, var_list: Any = None, gate_gradients: Any = 1, aggregation_method: Any = None,
        colocate_gradients_with_ops: bool = False, grad_loss: Any = None,
    ) -> list[tuple[Any, Any]]:  # fmt: skip
        """Pairs of gradients and variables."""
        if callable(loss):
            raise TypeError("minimize expected a tensor of a graph. Received: a function")
        variables = list(var_list or get_default_graph().get_collection(TRAINABLE))
        return list(zip(gradients(loss, variables, grad_loss), variables, strict=True))

    def apply_gradients(self, grads_and_vars: Any, global_step: Any = None, name: Any = None) -> GraphTensor:
        """An operation that changes each variable by its gradient, and counts `global_step` up."""
        pairs = [(g, v) for g, v in grads_and_vars if g is not None]
        if not pairs:
            raise ValueError("No gradients provided for any variable.")
        shared = self._shared()
        state = {v: [self._slot(v, slot) for slot in self.slots] for _g, v in pairs}
        return _Step(self, pairs, state, shared, global_step, name or self.name)

    def _slot(self, variable: GraphVariable, slot: str) -> GraphVariable:
        shape, dtype = variable._described()
        initial = np.full(shape, self._initial(slot), dtype.numpy)
        label = f"{variable.name[:-2]}/{self.name}" + ("" if slot == self.slots[0] else f"_{self.slots.index(slot)}")
        return GraphVariable(initial, trainable=False, name=label, dtype=dtype)

    def _initial(self, slot: str) -> float:
        return 0.0

    def _shared(self) -> list[GraphVariable]:
        """State of all variables together."""
        return []

    def update(self, variable: Any, gradient: Any, rate: Any, slots: list[Any], shared: list[Any]) -> list[Any]:
        """The new content of a variable, and of its slots."""
        raise NotImplementedError

    def advance(self, shared: list[Any]) -> list[Any]:
        """The new shared state."""
        return shared


class _Step(Operation):
    """One step of an optimiser: all gradients are there before the first variable changes."""

    is_stateful = True

    def __init__(self, optimizer: Optimizer, pairs: Any, state: Any, shared: Any, counter: Any, name: str) -> None:
        self.optimizer, self.state, self.shared, self.counter = optimizer, state, shared, counter
        self.variables = [v for _g, v in pairs]
        super().__init__(([g for g, _v in pairs], optimizer._rate), name)

    def call(self, session: Any, value_of: Any) -> Any:
        given, rate = replaced(self.args[0], value_of)
        shared = [session.content(s).detach() for s in self.shared]
        changes: list[Any] = []
        with torch.no_grad():
            for gradient, variable in zip(given, self.variables, strict=True):
                slots = self.state[variable]
                contents = [session.content(s).detach() for s in slots]
                old = session.content(variable).detach()
                new = self.optimizer.update(old, gradient.detach(), rate, contents, shared)
                changes += zip([variable, *slots], new, strict=True)
            changes += zip(self.shared, self.optimizer.advance(shared), strict=True)
            if self.counter is not None:
                changes.append((self.counter, session.content(self.counter) + 1))
            for variable, value in changes:
                session.set_content(variable, value)


class GradientDescentOptimizer(Optimizer):
    """variable - rate · gradient."""

    name = "GradientDescent"

    def __init__(self, learning_rate: Any, use_locking: bool = False, name: str | None = None) -> None:
        super().__init__(learning_rate, name)

    def update(self, variable: Any, gradient: Any, rate: Any, slots: Any, shared: Any) -> list[Any]:
        return [variable - rate * gradient]


class MomentumOptimizer(Optimizer):
    """The gradients add up in a velocity that fades by `momentum`."""

    slots = ("momentum",)
    name = "Momentum"

    def __init__(
        self, learning_rate: Any, momentum: Any, use_locking: bool = False, name: str | None = None,
        use_nesterov: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, name)
        self._momentum, self._nesterov = momentum, use_nesterov

    def update(self, variable: Any, gradient: Any, rate: Any, slots: Any, shared: Any) -> list[Any]:
        velocity = self._momentum * slots[0] + gradient
        step = gradient + self._momentum * velocity if self._nesterov else velocity
        return [variable - rate * step, velocity]


class AdagradOptimizer(Optimizer):
    """Each element's rate falls with the sum of its squared gradients."""

    slots = ("accumulator",)
    name = "Adagrad"

    def __init__(
        self, learning_rate: Any, initial_accumulator_value: float = 0.1, use_locking: bool = False,
        name: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, name)
        self._begin = initial_accumulator_value

    def _initial(self, slot: str) -> float:
        return self._begin

    def update(self, variable: Any, gradient: Any, rate: Any, slots: Any, shared: Any) -> list[Any]:
        total = slots[0] + gradient**2
        return [variable - rate * gradient * torch.rsqrt(total), total]


class RMSPropOptimizer(Optimizer):
    """Gradients divided by the root of the running mean of their squares, and then momentum."""

    name = "RMSProp"

    def __init__(
        self, learning_rate: Any, decay: float = 0.9, momentum: float = 0.0, epsilon: float = 1e-10,
        use_locking: bool = False, centered: bool = False, name: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, name)
        self._decay, self._momentum, self._epsilon, self._centered = decay, momentum, epsilon, centered
        self.slots = ("rms", "mean", "momentum") if centered else ("rms", "momentum")

    def _initial(self, slot: str) -> float:
        return 1.0 if slot == "rms" else 0.0

    def update(self, variable: Any, gradient: Any, rate: Any, slots: Any, shared: Any) -> list[Any]:
        square = spread = self._decay * slots[0] + (1 - self._decay) * gradient**2
        means = []
        if self._centered:
            means = [self._decay * slots[1] + (1 - self._decay) * gradient]
            spread = square - means[0] ** 2
        step = self._momentum * slots[-1] + rate * gradient * torch.rsqrt(spread + self._epsilon)
        return [variable - step, square, *means, step]


class AdadeltaOptimizer(Optimizer):
    """Gradients divided by the root of the running mean of their squares, times that of the steps."""

    slots = ("accumulator", "updates")
    name = "Adadelta"

    def __init__(
        self, learning_rate: Any = 0.001, rho: float = 0.95, epsilon: float = 1e-8, use_locking: bool = False,
        name: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, name)
        self._rho, self._epsilon = rho, epsilon

    def update(self, variable: Any, gradient: Any, rate: Any, slots: Any, shared: Any) -> list[Any]:
        square = self._rho * slots[0] + (1 - self._rho) * gradient**2
        step = torch.sqrt(slots[1] + self._epsilon) * torch.rsqrt(square + self._epsilon) * gradient
        return [variable - rate * step, square, self._rho * slots[1] + (1 - self._rho) * step**2]


class FtrlOptimizer(Optimizer):
    """Follow the regularised leader (McMahan et al., 2013): strong l1 makes weights exactly zero."""

    slots = ("accumulator", "linear")
    name = "Ftrl"

    def __init__(
        self, learning_rate: Any, learning_rate_power: float = -0.5, initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0, l2_regularization_strength: float = 0.0, use_locking: bool = False,
        name: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, name)
        self._power, self._begin = learning_rate_power, initial_accumulator_value
        self._l1, self._l2 = l1_regularization_strength, l2_regularization_strength

    def _initial(self, slot: str) -> float:
        return self._begin if slot == "accumulator" else 0.0

    def update(self, variable: Any, gradient: Any, rate: Any, slots: Any, shared: Any) -> list[Any]:
        square = slots[0] + gradient**2
        scale = square ** (-self._power)
        linear = slots[1] + gradient - (scale - slots[0] ** (-self._power)) / rate * variable
        small = torch.abs(linear) <= self._l1
        new = (torch.sign(linear) * self._l1 - linear) / (scale / rate + 2 * self._l2)
        return [torch.where(small, torch.zeros_like(new), new), square, linear]


class AdamOptimizer(Optimizer):
    """Adam. `epsilon` is added to the root before the correction of the bias, as in TensorFlow 1."""

    slots = ("m", "v")
    name = "Adam"

    def __init__(
        self, learning_rate: Any = 0.001, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-08,
        use_locking: bool = False, name: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, name)
        self._beta1, self._beta2, self._epsilon = beta1, beta2, epsilon

    def _shared(self) -> list[GraphVariable]:
        return [
            GraphVariable(np.float32(beta), trainable=False, name=f"beta{k}_power")
            for k, beta in ((1, self._beta1), (2, self._beta2))
        ]

    def update(self, variable: Any, gradient: Any, rate: Any, slots: Any, shared: Any) -> list[Any]:
        m = self._beta1 * slots[0] + (1 - self._beta1) * gradient
        v = self._beta2 * slots[1] + (1 - self._beta2) * gradient**2
        corrected = rate * torch.sqrt(1 - shared[1]) / (1 - shared[0])
        return [variable - corrected.to(variable.dtype) * m / (torch.sqrt(v) + self._epsilon), m, v]

    def advance(self, shared: list[Any]) -> list[Any]:
        return [shared[0] * self._beta1, shared[1] * self._beta2]


class Saver:
    """Saves the variables of a session in safetensors files and reads them again. The files are not TensorFlow's."""

    def __init__(self, var_list: Any = None, max_to_keep: int | None = 5, **_: Any) -> None:
        variables = var_list if var_list is not None else get_default_graph().get_collection(GLOBAL)
        named = variables if isinstance(variables, dict) else {v.name.removesuffix(":0"): v for v in variables}
        if not named:
            raise ValueError("No variables to save")
        self._variables: dict[str, GraphVariable] = dict(named)
        self._keep = max_to_keep
        self.last_checkpoints: list[str] = []

    def save(
        self, sess: Any, save_path: str, global_step: Any = None, latest_filename: str | None = None, **_: Any
    ) -> str:
        """Write a file. Returns the name to restore it by: the path, and `-step` where a step is given."""
        step = sess.run(global_step) if isinstance(global_step, GraphTensor) else global_step
        prefix = os.fspath(save_path) + ("" if step is None else f"-{int(step)}")
        write_file(prefix, {name: sess.content(v).detach() for name, v in self._variables.items()})
        self.last_checkpoints = [p for p in self.last_checkpoints if p != prefix] + [prefix]
        removed = self.last_checkpoints[: -self._keep] if self._keep else []
        self.last_checkpoints = self.last_checkpoints[len(removed) :]
        note(Path(prefix).parent, [Path(p).name for p in self.last_checkpoints], latest_filename or "checkpoint")
        for old in removed:
            file_of(old).unlink(missing_ok=True)
        return prefix

    def restore(self, sess: Any, save_path: str) -> None:
        """Give the variables the content of a file.

        Raises NotFoundError, DataLossError for a damaged file, and ValueError for another shape or dtype; then none is
        changed.
        """
        found = read_file(save_path)
        for name, variable in self._variables.items():
            if name not in found:
                raise NotFoundError(f"Key {name} not found in checkpoint {save_path}")
            check(save_path, name, variable._described(), found[name])
        with running():
            for name, variable in self._variables.items():
                sess.set_content(variable, found[name])


def __getattr__(name: str) -> Any:
    """What has the same form in TensorFlow 2: examples, checkpoints."""
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("duograph.tf.train"), name)
