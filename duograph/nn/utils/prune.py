"""Pruning: weights set to zero by a mask, which is kept beside the weights that are trained.

A pruned parameter `weight` becomes the parameter `weight_orig` and the buffer `weight_mask`; before each forward pass
the attribute `weight` is their product.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from ...autograd import no_grad
from ...graph.errors import ArgumentError
from ...ops.creation import ones_like
from ...ops.joining import cat
from ...ops.random import rand
from ...tensor.core import Tensor
from ...tensor.views import set_data
from ..module import Module


class BasePruningMethod(ABC):
    """A way to choose what is pruned: subclasses say so in `compute_mask`.

    `PRUNING_TYPE` tells what a method that comes after others looks at: "unstructured" the elements that are left,
    "structured" the channels along `self.dim` that are left, "global" everything.
    """

    PRUNING_TYPE: ClassVar[str]
    _tensor_name: str

    def __call__(self, module: Any, inputs: Any) -> None:
        setattr(module, self._tensor_name, self.apply_mask(module))

    @abstractmethod
    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask of what is left, in the shape of the importances `t`, of which `default_mask` was left before."""

    def apply_mask(self, module: Any) -> Tensor:
        """The masked tensor of a module that is pruned by this method."""
        name = self._tensor_name
        original = getattr(module, f"{name}_orig")
        return getattr(module, f"{name}_mask").to(original.dtype) * original

    @classmethod
    def apply(
        cls, module: Module, name: str, *args: Any, importance_scores: Tensor | None = None, **kwargs: Any
    ) -> Any:
        """Prune the parameter `name` of `module`; what was pruned before stays so.

        The importances are those given, in the parameter's shape, or its values. Returns the method that is hooked to
        the module. Raises ArgumentError (a ValueError) for importances of another shape.
        """
        method: BasePruningMethod = cls(*args, **kwargs)
        method._tensor_name = name
        tensor = getattr(module, name)
        importance = tensor if importance_scores is None else importance_scores
        if importance.shape != tensor.shape:
            raise ArgumentError(
                f"importance_scores: expected the shape of {name}, {tuple(tensor.shape)}. "
                f"Received: {tuple(importance.shape)}"
            )
        key = _hook_of(module, name)
        before: Any = None if key is None else module._forward_pre_hooks[key].function
        if before is not None:
            chain = before if isinstance(before, PruningContainer) else PruningContainer(before)
            chain.add_pruning_method(method)
            method = chain
        with no_grad():
            left = ones_like(tensor) if before is None else getattr(module, f"{name}_mask").clone()
            mask = method.compute_mask(importance.detach(), left)
        if key is None:
            delattr(module, name)
            module.register_parameter(f"{name}_orig", tensor)
            module.register_buffer(f"{name}_mask", mask)
        else:
            del module._forward_pre_hooks[key]
            setattr(module, f"{name}_mask", mask)
        module.register_forward_pre_hook(method)
        method(module, ())
        return method

    def prune(self, t: Tensor, default_mask: Tensor | None = None, importance_scores: Tensor | None = None) -> Tensor:
        """`t` as it is after pruning, by importances that are its own values without any given."""
        importance = t if importance_scores is None else importance_scores
        if importance.shape != t.shape:
            raise ArgumentError(f"prune: expected importances of shape {tuple(t.shape)}. Received: {importance.shape}")
        return t * self.compute_mask(importance, ones_like(importance) if default_mask is None else default_mask)

    def remove(self, module: Any) -> None:
        """Make what is left an ordinary parameter again. The hook stays: see the function `remove`."""
        name = self._tensor_name
        original = getattr(module, f"{name}_orig")
        with no_grad():
            set_data(original, self.apply_mask(module))
        for attribute in (name, f"{name}_orig", f"{name}_mask"):
            delattr(module, attribute)
        setattr(module, name, original)


class PruningContainer(BasePruningMethod):
    """Several methods for one parameter, one after another."""

    def __init__(self, *args: BasePruningMethod) -> None:
        self._methods: tuple[BasePruningMethod, ...] = ()
        for method in args[0] if len(args) == 1 and isinstance(args[0], Iterable) else args:
            if not self._methods and hasattr(method, "_tensor_name"):
                self._tensor_name = method._tensor_name
            self.add_pruning_method(method)

    def add_pruning_method(self, method: BasePruningMethod | None) -> None:
        """Add a method at the end. Raises TypeError for something else, ValueError for one of another parameter."""
        if method is None:
            return
        if not isinstance(method, BasePruningMethod):
            raise TypeError(f"add_pruning_method: expected a BasePruningMethod. Received: {type(method).__name__}")
        own, other = (getattr(m, "_tensor_name", None) for m in (self, method))
        if own != other:
            raise ArgumentError(f"add_pruning_method: expected a method of {own!r}. Received: one of {other!r}")
        self._methods += (method,)

    def __len__(self) -> int:
        return len(self._methods)

    def __iter__(self) -> Iterator[BasePruningMethod]:
        return iter(self._methods)

    def __getitem__(self, k: int) -> BasePruningMethod:
        return self._methods[k]

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """What the last method leaves of what the others left."""
        method = self._methods[-1]
        mask = default_mask.to(t.dtype, copy=True)
        if method.PRUNING_TYPE == "unstructured":
            part: Any = mask == 1
        elif method.PRUNING_TYPE == "structured":
            axis: int = method.dim % t.ndim  # type: ignore[attr-defined]
            left = mask.sum([k for k in range(t.ndim) if k != axis]) != 0
            part = (slice(None),) * axis + (left,)
        elif method.PRUNING_TYPE == "global":
            part = ...
        else:
            raise ArgumentError(
                f"PRUNING_TYPE: expected unstructured, structured or global. Received: {method.PRUNING_TYPE!r}"
            )
        mask[part] = method.compute_mask(t[part], default_mask[part]).to(mask.dtype)
        return mask


class Identity(BasePruningMethod):
    """Prunes nothing, and so makes the mask and the hook."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return default_mask


def _check_amount(amount: Any) -> None:
    if isinstance(amount, bool) or not isinstance(amount, int | float):
        raise TypeError(f"amount: expected a number. Received: {amount!r}")
    if amount < 0 or (isinstance(amount, float) and amount > 1):
        raise ArgumentError(f"amount: expected a share from 0.0 to 1.0, or a count of 0 or more. Received: {amount!r}")


def _count(amount: int | float, available: int) -> int:
    """How many of the available ones go."""
    if isinstance(amount, float):
        return round(amount * available)
    if amount > available:
        raise ArgumentError(f"amount: expected a count up to {available}. Received: {amount}")
    return amount


class _Unstructured(BasePruningMethod):
    """Prunes the elements of the lowest score."""

    PRUNING_TYPE = "unstructured"

    def __init__(self, amount: int | float) -> None:
        _check_amount(amount)
        self.amount = amount

    def _scores(self, t: Tensor) -> Tensor:
        raise NotImplementedError

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        count = _count(self.amount, t.numel())
        flat = default_mask.reshape(-1).clone()
        if count:
            flat[self._scores(t).reshape(-1).topk(count, largest=False).indices] = 0
        return flat.reshape(default_mask.shape)


class RandomUnstructured(_Unstructured):
    """Prunes elements chosen at random: a share of them, or so many."""

    def _scores(self, t: Tensor) -> Tensor:
        return rand(*t.shape)


class L1Unstructured(_Unstructured):
    """Prunes the elements of the smallest absolute value: a share of them, or so many."""

    def _scores(self, t: Tensor) -> Tensor:
        return t.abs()


class _Structured(BasePruningMethod):
    """Prunes the channels, indices along one axis, of the lowest score."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount: int | float, dim: int = -1) -> None:
        _check_amount(amount)
        self.amount = amount
        self.dim = dim

    def _scores(self, t: Tensor) -> Tensor:
        raise NotImplementedError

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        if t.ndim < 2:
            raise ArgumentError(f"structured pruning: expected at least two axes. Received: shape {tuple(t.shape)}")
        if not -t.ndim <= self.dim < t.ndim:
            raise IndexError(f"structured pruning: expected an axis of {t.ndim}. Received: {self.dim}")
        axis = self.dim % t.ndim
        count = _count(self.amount, t.shape[axis])
        if not count:
            return default_mask
        mask = default_mask.clone()
        mask[(slice(None),) * axis + (self._scores(t).topk(count, largest=False).indices,)] = 0
        return mask


class RandomStructured(_Structured):
    """Prunes channels chosen at random: a share of them, or so many."""

    def _scores(self, t: Tensor) -> Tensor:
        return rand(t.shape[self.dim])


class LnStructured(_Structured):
    """Prunes the channels whose norm of order `n` is smallest: a share of them, or so many."""

    def __init__(self, amount: int | float, n: float | str, dim: int = -1) -> None:
        super().__init__(amount, dim)
        self.n = n

    def _scores(self, t: Tensor) -> Tensor:
        rest = tuple(k for k in range(t.ndim) if k != self.dim % t.ndim)
        return t.norm(p=self.n, dim=rest)


class CustomFromMask(BasePruningMethod):
    """Prunes where a mask is 0."""

    PRUNING_TYPE = "global"

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return default_mask * self.mask.to(default_mask.dtype)


def identity(module: Module, name: str) -> Module:
    """Make the mask and the hook of a parameter, and prune nothing. Returns the module, as all of these do."""
    Identity.apply(module, name)
    return module


def random_unstructured(module: Module, name: str, amount: int | float) -> Module:
    """Prune elements chosen at random: a share (a float), or so many (an integer)."""
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(module: Module, name: str, amount: int | float, importance_scores: Tensor | None = None) -> Module:
    """Prune the elements of the smallest absolute value, of the importances if any are given."""
    L1Unstructured.apply(module, name, amount=amount, importance_scores=importance_scores)
    return module


def random_structured(module: Module, name: str, amount: int | float, dim: int) -> Module:
    """Prune channels along an axis, chosen at random."""
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(
    module: Module, name: str, amount: int | float, n: float | str, dim: int, importance_scores: Tensor | None = None
) -> Module:
    """Prune the channels along an axis whose norm of order `n` is smallest."""
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def custom_from_mask(module: Module, name: str, mask: Tensor) -> Module:
    """Prune where `mask`, of the parameter's shape, is 0."""
    CustomFromMask.apply(module, name, mask)
    return module


def global_unstructured(
    parameters: Iterable[tuple[Module, str]], pruning_method: type[BasePruningMethod],
    importance_scores: dict[tuple[Module, str], Tensor] | None = None, **kwargs: Any,
) -> None:  # fmt: skip
    """Prune several parameters as one vector, by an unstructured method, which is built with `kwargs`.

    `parameters` are pairs of a module and a name. Raises TypeError for a structured method.
    """
    if not isinstance(parameters, Iterable):
        raise TypeError(f"global_unstructured: expected pairs (module, name). Received: {type(parameters).__name__}")
    if not isinstance(importance_scores, dict | None):
        raise TypeError(f"importance_scores: expected a dict. Received: {type(importance_scores).__name__}")
    pairs, given = list(parameters), importance_scores or {}
    method = pruning_method(**kwargs)
    if method.PRUNING_TYPE != "unstructured":
        raise TypeError(f"global_unstructured: expected an unstructured method. Received: {pruning_method.__name__}")
    tensors = [getattr(module, name) for module, name in pairs]
    with no_grad():
        importance = cat([given.get(p, t).reshape(-1) for p, t in zip(pairs, tensors, strict=True)]).detach()
        left = cat(
            [
                getattr(module, f"{name}_mask", ones_like(t)).reshape(-1)
                for (module, name), t in zip(pairs, tensors, strict=True)
            ]
        )
        chain = PruningContainer()
        chain._tensor_name = method._tensor_name = "all"
        chain.add_pruning_method(method)
        masks = chain.compute_mask(importance, left).split([math.prod(t.shape) for t in tensors])
        for (module, name), t, mask in zip(pairs, tensors, masks, strict=True):
            custom_from_mask(module, name, mask.reshape(t.shape).clone())


def remove(module: Module, name: str) -> Module:
    """Make what is left of a pruned parameter an ordinary parameter. Raises ArgumentError (a ValueError) for others."""
    key = _hook_of(module, name)
    if key is None:
        raise ArgumentError(f"remove: {type(module).__name__} has no pruned parameter {name!r}")
    method: Any = module._forward_pre_hooks.pop(key).function
    method.remove(module)
    return module


def is_pruned(module: Module) -> bool:
    """Whether a parameter of the module, or of one below it, is pruned."""
    return any(
        isinstance(hook.function, BasePruningMethod) for m in module.modules() for hook in m._forward_pre_hooks.values()
    )


def _hook_of(module: Module, name: str) -> int | None:
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook.function, BasePruningMethod) and hook.function._tensor_name == name:
            return key
    return None
