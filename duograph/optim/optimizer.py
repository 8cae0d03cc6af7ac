"""The base of all optimisers: parameter groups, state, and one recorded operation for many parameters."""

from __future__ import annotations

import copy
import functools
import itertools
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Mapping
from operator import is_
from typing import Any

from ..autograd import RemovableHandle, enable_grad, no_grad
from ..functional.update import Rule
from ..graph.dtype import float32
from ..graph.errors import ArgumentError, DTypeError, NotSupported
from ..graph.node import Attributes
from ..graph.trace import boundary, local, scalar
from ..nn.module import clear_grad
from ..tensor.core import Tensor, cast, wrap
from .batch import Batch, CountedStep, Group, fill, read_counter

_keys = itertools.count()


class Optimizer:
    """Trains parameters, which come one by one, in groups with hyper-parameters of their own, or by name.

    A subclass says which rule updates a parameter (`rule`) and what state it begins with (`begin`). All parameters of
    a group are updated by one recorded operation; `step` ends by computing all that is pending, so that nothing
    pends from step to step. A subclass may also define `step` itself.
    """

    counters: tuple[str, ...] = ("step",)
    """State that is one number: the same for all parameters that are updated together."""

    takes_complex = True
    """Whether parameters may be complex numbers, each of which is to a rule two real ones."""

    def __init__(self, params: Any, defaults: Group) -> None:
        self.defaults = defaults
        self.state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[Group] = []
        self._init_registries()
        for group in _groups(type(self).__name__, params):
            self.add_param_group(group)

    def _init_registries(self) -> None:
        self._batches: dict[int, tuple[list[Tensor], int, list[Batch]]] = {}
        self._step_pre_hooks: OrderedDict[int, Callable[..., Any]] = OrderedDict()
        self._step_post_hooks: OrderedDict[int, Callable[..., Any]] = OrderedDict()
        self._state_dict_pre_hooks: OrderedDict[int, Callable[..., Any]] = OrderedDict()
        self._state_dict_post_hooks: OrderedDict[int, Callable[..., Any]] = OrderedDict()
        self._load_state_dict_pre_hooks: OrderedDict[int, Callable[..., Any]] = OrderedDict()
        self._load_state_dict_post_hooks: OrderedDict[int, Callable[..., Any]] = OrderedDict()
        self._stepping = False
        self._steps_taken = 0

    def __init_subclass__(cls, **keywords: Any) -> None:
        """A `step` that a subclass defines gets what every step has: hooks, and the boundary at its end."""
        super().__init_subclass__(**keywords)
        if "step" in vars(cls):
            cls.step = _bounded(vars(cls)["step"])  # type: ignore[method-assign]

    # -- what a subclass defines ---------------------------------------------------------------------------------------
    def rule(self, group: Group, counted: dict[str, float]) -> tuple[Rule, tuple[Any, ...], Attributes]:
        """The update of a parameter of `group`: the rule, its numbers and its attributes.

        `counted` holds the counters, with "step" counting this step already; other counters are changed here. It also
        says whether this step is the "first" of these parameters, and of what "kind" they are.
        """
        raise NotImplementedError(f"{type(self).__name__} has no rule: define rule() or step()")

    def begin(self, group: Group, parameter: Tensor) -> dict[str, Any]:
        """The state before the first step: the counters' first numbers and the rule's state tensors, by name."""
        return {}

    def kind(self, parameter: Tensor) -> Any:
        """What else must be the same for parameters that are updated together."""
        return None

    # -- the step ------------------------------------------------------------------------------------------------------
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update all parameters that have a gradient. A closure computes the loss anew first, and it is returned."""
        if self._step_pre_hooks:
            return _call_step(Optimizer._step, self, (closure,), {})
        loss = self._step(closure)
        self._count_step()
        for hook in list(self._step_post_hooks.values()):
            hook(self, (closure,), {})
        boundary()
        return loss

    def _step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        taped = local.gradients
        local.gradients = False
        try:
            updates = [batch.update(self, group) for group in self.param_groups for batch in self._batches_of(group)]
            if not (self._ends_here() and fill(updates)):
                for update in updates:
                    update.record()
        finally:
            local.gradients = taped
        return loss

    def _ends_here(self) -> bool:
        """Whether nothing happens any more between the updates and the end of the step."""
        hooks = self._step_post_hooks
        return not (hooks or self._stepping or local.capture is not None or local.eager)

    def _count_step(self) -> None:
        self._steps_taken += 1
        if local.capture is not None:
            local.capture.numbers(CountedStep(self, self.param_groups, len(self.param_groups)), ())

    def advance(self, steps: int) -> None:
        """Steps were taken in a replay: `steps` with those before."""
        self._steps_taken = steps

    def _batches_of(self, group: Group) -> list[Batch]:
        """The parameters of a group that have a gradient, in batches."""
        parameters = [p for p in group["params"] if p._grad is not None]
        known = self._batches.get(id(group))
        if (
            known is not None
            and len(known[0]) == len(parameters)
            and all(map(is_, known[0], parameters))
            and known[1] == len(self.state)
        ):
            return known[2]
        batches = self._batched(group, parameters)
        self._batches[id(group)] = (parameters, len(self.state), batches)
        return batches

    def _batched(self, group: Group, parameters: list[Tensor]) -> list[Batch]:
        """The parameters in batches that have counted the same."""
        batches: dict[tuple[Any, ...], Batch] = {}
        for parameter in parameters:
            state = self.state.get(parameter) or {}
            first = not state or all(s is None for s in state.values())
            if first:
                state = self._begun(group, parameter)
                if state:
                    self.state[parameter] = state
            counted: dict[str, Any] = {name: read_counter(state[name]) for name in self.counters if name in state}
            counted |= {"first": first, "kind": self.kind(parameter)}
            batch = batches.setdefault(tuple(counted.values()), Batch(counted))
            batch.parameters.append(parameter)
            batch.states.append(state)
        for batch in batches.values():
            batch.share_counts(tuple(name for name in self.counters if name in batch.counted))
        return list(batches.values())

    def _begun(self, group: Group, parameter: Tensor) -> dict[str, Any]:
        with no_grad():
            state = self.begin(group, parameter)
        return {
            name: wrap(scalar(s, float32)) if isinstance(s, int | float) and name in self.counters else s
            for name, s in state.items()
        }

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or fill them with zeros."""
        for group in self.param_groups:
            if set_to_none:
                for parameter in group["params"]:
                    parameter._grad = None
            else:
                for parameter in group["params"]:
                    clear_grad(parameter, False)

    # -- groups --------------------------------------------------------------------------------------------------------
    def add_param_group(self, param_group: Group) -> None:
        """Train more parameters: {"params": parameters, ... hyper-parameters that differ from the defaults}."""
        what = f"{type(self).__name__}.add_param_group"
        if not isinstance(param_group, dict):
            raise TypeError(f"{what}: expected a dictionary. Received: {type(param_group).__name__}")
        group = dict(param_group)
        given = group["params"]
        if isinstance(given, set):
            raise TypeError(f"{what}: expected parameters in a fixed order. Received: a set; use a list")
        given = [given] if isinstance(given, Tensor) else list(given)
        if len({isinstance(each, tuple) for each in given}) > 1:
            raise ArgumentError(f"{what}: expected names for all parameters, or for none")
        if given and isinstance(given[0], tuple):
            group["param_names"] = [name for name, _ in given]
            given = [parameter for _, parameter in given]
        for parameter in given:
            if getattr(parameter, "is_sparse", False):
                raise ArgumentError(f"{what}: expected dense tensors as parameters. Received: a sparse one")
            if not isinstance(parameter, Tensor):
                raise TypeError(f"{what}: expected tensors as parameters. Received: {type(parameter).__name__}")
            if not parameter.is_leaf:
                raise ArgumentError(f"{what}: expected leaf tensors. Received: the result of an operation")
            if parameter.dtype.is_complex and not self.takes_complex:
                raise DTypeError(
                    f"{what}: expected real parameters: keep torch.view_as_real of them as the parameter, and take "
                    f"view_as_complex of that. Received: {parameter.dtype.name}"
                )
        if len({id(p) for p in given}) < len(given):
            raise ArgumentError(f"{what}: a parameter appears twice in the group")
        present = {id(p) for other in self.param_groups for p in other["params"]}
        if any(id(p) in present for p in given):
            raise ArgumentError(f"{what}: a parameter is in another group already")
        if self.param_groups and ("param_names" in group) != ("param_names" in self.param_groups[0]):
            raise ArgumentError(f"{what}: expected names for the parameters of all groups, or of none")
        group["params"] = given
        for name, default in self.defaults.items():
            group.setdefault(name, default)
        self.param_groups.append(group)

    # -- state ---------------------------------------------------------------------------------------------------------
    def state_dict(self) -> dict[str, Any]:
        """State and groups, parameters by number, in PyTorch's layout. The tensors are those of the optimiser."""
        for hook in list(self._state_dict_pre_hooks.values()):
            hook(self)
        numbers = {id(p): k for k, p in enumerate(p for group in self.param_groups for p in group["params"])}
        groups = [
            {**{k: v for k, v in group.items() if k != "params"}, "params": [numbers[id(p)] for p in group["params"]]}
            for group in self.param_groups
        ]
        state = {numbers[id(p)] if isinstance(p, Tensor) else p: dict(s) for p, s in self.state.items()}
        result: dict[str, Any] = {"state": state, "param_groups": groups}
        for hook in list(self._state_dict_post_hooks.values()):
            result = hook(self, result) or result
        return result

    @no_grad()
    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over state and hyper-parameters; floating point state is cast to its parameter's dtype.

        Raises ArgumentError where the groups do not fit.
        """
        given = dict(state_dict)
        for hook in list(self._load_state_dict_pre_hooks.values()):
            given = hook(self, given) or given
        groups = given["param_groups"]
        if len(groups) != len(self.param_groups):
            raise ArgumentError(f"load_state_dict: expected {len(self.param_groups)} groups. Received: {len(groups)}")
        for k, (mine, theirs) in enumerate(zip(self.param_groups, groups, strict=True)):
            if len(mine["params"]) != len(theirs["params"]):
                raise ArgumentError(
                    f"load_state_dict: expected {len(mine['params'])} parameters in group {k}. "
                    f"Received: {len(theirs['params'])}"
                )
        parameters = {
            number: parameter
            for mine, theirs in zip(self.param_groups, groups, strict=True)
            for number, parameter in zip(theirs["params"], mine["params"], strict=True)
        }
        state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        for number, held in given["state"].items():
            parameter = parameters.get(number)
            state[number if parameter is None else parameter] = self._taken(parameter, held)
        self.__setstate__(
            {
                "state": state,
                "param_groups": [
                    {**copy.deepcopy({k: v for k, v in theirs.items() if k != "params"}), "params": mine["params"]}
                    for mine, theirs in zip(self.param_groups, groups, strict=True)
                ],
            }
        )
        for hook in list(self._load_state_dict_post_hooks.values()):
            hook(self)

    def _taken(self, parameter: Tensor | None, held: Any) -> Any:
        if not isinstance(held, dict) or parameter is None:
            return copy.deepcopy(held)
        taken = {}
        for name, value in held.items():
            if name in self.counters:
                taken[name] = wrap(scalar(read_counter(value), float32))
            elif isinstance(value, Tensor):
                copied = value.detach().clone()
                taken[name] = cast(copied, parameter.dtype) if parameter.dtype.is_floating_point else copied
            else:
                taken[name] = copy.deepcopy(value)
        return taken

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if not hasattr(self, "_step_pre_hooks"):
            self._init_registries()
        self._batches.clear()
        for group in self.param_groups:
            for name, default in self.defaults.items():
                group.setdefault(name, default)

    def __repr__(self) -> str:
        lines = []
        for k, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {k}")
            lines.extend(f"    {name}: {group[name]}" for name in sorted(group) if name != "params")
        return f"{type(self).__name__} (\n" + "\n".join(lines) + "\n)"

    # -- hooks ---------------------------------------------------------------------------------------------------------
    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` before each step; it may return others."""
        return _add(self._step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` after each step."""
        return _add(self._step_post_hooks, hook)

    def register_state_dict_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer)` before `state_dict`."""
        return _add(self._state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` after `state_dict`; it may return another."""
        return _add(self._state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` before it is loaded; it may return another."""
        return _add(self._load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer)` after a state was loaded."""
        return _add(self._load_state_dict_post_hooks, hook, prepend)


def _groups(name: str, params: Any) -> list[Group]:
    if params is None:
        raise TypeError(
            f"{name}: expected the parameters to train. Received: nothing; write {name}(model.parameters())"
        )
    if isinstance(params, Tensor):
        raise TypeError(
            f"{name}: expected several parameters, such as model.parameters(). Received: a Tensor; use [tensor]"
        )
    if isinstance(params, dict) or not isinstance(params, Iterable):
        raise TypeError(f"{name}: expected parameters, such as model.parameters(). Received: {type(params).__name__}")
    given = list(params)
    if not given:
        raise ArgumentError(
            f"{name}: expected the parameters to train, such as model.parameters(). Received: an empty list"
        )
    return given if isinstance(given[0], dict) else [{"params": given}]


def _add(registry: OrderedDict[int, Any], hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
    key = next(_keys)
    registry[key] = hook
    if prepend:
        registry.move_to_end(key, last=False)
    return RemovableHandle(lambda: registry.pop(key, None))


def _call_step(step: Callable[..., Any], optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A step with hooks around it and the boundary at its end; steps within it count as part of it."""
    if "_stepping" not in vars(optimizer):  # of a class that wraps another optimiser and makes nothing of its own
        optimizer._init_registries()
    if optimizer._stepping:
        return step(optimizer, *args, **kwargs)
    optimizer._stepping = True
    try:
        for hook in list(optimizer._step_pre_hooks.values()):
            args, kwargs = hook(optimizer, args, kwargs) or (args, kwargs)
        result = step(optimizer, *args, **kwargs)
        optimizer._count_step()
        for hook in list(optimizer._step_post_hooks.values()):
            hook(optimizer, args, kwargs)
    finally:
        optimizer._stepping = False
    boundary()
    return result


def _bounded(step: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(step)
    def bounded(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        return _call_step(step, self, args, kwargs)

    return bounded


def defaults(name: str, **hyper: Any) -> Group:
    """The defaults of an optimiser, checked: rates are not negative, betas lie in [0, 1).

    Raises ArgumentError that names the argument.
    """
    for argument, value in hyper.items():
        if argument == "lr" and isinstance(value, Tensor):
            check(name, argument, value.numel() == 1, "a number, or a tensor of one element", tuple(value.shape))
            immobile = hyper.get("foreach") and not hyper.get("capturable")
            check(name, argument, not immobile, "a number with foreach=True, unless capturable", "a tensor")
        if argument in ("lr", "eps", "weight_decay", "momentum", "lr_decay", "momentum_decay") and not isinstance(
            value, Tensor | tuple
        ):
            check(name, argument, value >= 0, "a number of at least 0", value)
        elif argument == "betas":
            kinds = {isinstance(b, Tensor) for b in value}
            check(name, argument, len(kinds) == 1, "two numbers, or two tensors", value)
            immobile = kinds == {True} and hyper.get("foreach") and not hyper.get("capturable")
            check(name, argument, not immobile, "numbers with foreach=True, unless capturable", value)
            check(name, argument, all(0 <= b < 1 for b in value), "two numbers in [0, 1)", value)
        elif argument == "differentiable" and value:
            raise NotSupported(f"{name}: differentiable=True is not supported: write the update with tensor operations")
    return hyper


def check(name: str, argument: str, holds: bool, expected: str, value: Any) -> None:
    """Raises ArgumentError unless `holds`."""
    if not holds:
        raise ArgumentError(f"{name}: {argument}: expected {expected}. Received: {value!r}")
