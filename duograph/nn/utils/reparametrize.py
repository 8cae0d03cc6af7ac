"""Weight and spectral normalisation as hooks, under PyTorch's older names and layout of the state."""

from __future__ import annotations

from typing import Any

from ...autograd import no_grad
from ...graph.errors import ArgumentError
from .. import functional as F
from ..module import Module
from ..parameter import Parameter
from .parametrizations import _iterate, _rows, norm_except, scaled


class _WeightNormHook:
    """Before each forward pass, the weight from its length and direction."""

    def __init__(self, name: str, dim: int) -> None:
        self.name = name
        self.dim = dim

    def __call__(self, module: Any, args: Any = None) -> None:
        made = scaled(getattr(module, f"{self.name}_v"), getattr(module, f"{self.name}_g"), self.dim)
        object.__setattr__(module, self.name, made)


class _SpectralNormHook:
    """Before each forward pass, the weight divided by its largest singular value."""

    def __init__(self, name: str, dim: int, steps: int, eps: float) -> None:
        self.name = name
        self.dim = dim
        self.steps = steps
        self.eps = eps

    def __call__(self, module: Any, args: Any = None) -> None:
        weight = getattr(module, f"{self.name}_orig")
        u, v = getattr(module, f"{self.name}_u"), getattr(module, f"{self.name}_v")
        matrix = _rows(weight, self.dim)
        if module.training:
            _iterate_v_first(matrix.detach(), u, v, self.steps, self.eps)
        object.__setattr__(module, self.name, weight / u.clone().dot(matrix.mv(v.clone())))


def _iterate_v_first(matrix: Any, u: Any, v: Any, steps: int, eps: float) -> None:
    with no_grad():
        for _ in range(steps):
            v.copy_(F.normalize(matrix.t().mv(u), dim=0, eps=eps))
            u.copy_(F.normalize(matrix.mv(v), dim=0, eps=eps))


def _hook_of(module: Module, kind: type, name: str) -> int:
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook.function, kind) and getattr(hook.function, "name", None) == name:
            return key
    raise ArgumentError(f"{type(module).__name__}.{name} has no {kind.__name__.strip('_').removesuffix('Hook')}")


def _replace(module: Any, name: str, hook: Any) -> Module:
    """Take the parameter away and let the hook make it."""
    delattr(module, name)
    module.register_forward_pre_hook(hook)
    return module


def weight_norm(module: Any, name: str = "weight", dim: int | None = 0) -> Any:
    """Train the length `name_g` and direction `name_v` of a weight's rows (Salimans and Kingma 2016)."""
    axis = -1 if dim is None else dim
    weight = getattr(module, name)
    with no_grad():
        length, direction = norm_except(weight, axis), weight.detach().clone()
    made = _replace(module, name, _WeightNormHook(name, axis))
    module.register_parameter(f"{name}_g", Parameter(length))
    module.register_parameter(f"{name}_v", Parameter(direction))
    _WeightNormHook(name, axis)(module)
    return made


def remove_weight_norm(module: Any, name: str = "weight") -> Any:
    """Make the weight an ordinary parameter again."""
    key = _hook_of(module, _WeightNormHook, name)
    with no_grad():
        module._forward_pre_hooks[key].function(module)
    return _restore(module, name, key, ("g", "v"))


def spectral_norm(
    module: Any, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Any:
    """Train `name_orig`; the weight is that divided by its largest singular value (Miyato et al. 2018)."""
    if n_power_iterations <= 0:
        raise ArgumentError(f"spectral_norm: n_power_iterations: expected at least 1. Received: {n_power_iterations}")
    if dim is None:
        dim = 1 if type(module).__name__.startswith("ConvTranspose") else 0
    weight = getattr(module, name)
    matrix = _rows(weight.detach(), dim)
    u, v = (F.normalize(matrix.new_empty(size).normal_(), dim=0, eps=eps) for size in matrix.shape)
    _iterate(matrix, u, v, 15, eps)
    made = _replace(module, name, _SpectralNormHook(name, dim, n_power_iterations, eps))
    module.register_parameter(f"{name}_orig", weight)
    module.register_buffer(f"{name}_u", u)
    module.register_buffer(f"{name}_v", v)
    object.__setattr__(module, name, weight.detach().clone())
    return made


def remove_spectral_norm(module: Any, name: str = "weight") -> Any:
    """Make the weight an ordinary parameter again."""
    key = _hook_of(module, _SpectralNormHook, name)
    training = module.training
    with no_grad():
        module.eval()
        module._forward_pre_hooks[key].function(module)
        module.train(training)
    return _restore(module, name, key, ("orig", "u", "v"))


def _restore(module: Any, name: str, key: int, parts: tuple[str, ...]) -> Any:
    value = getattr(module, name).detach()
    del module._forward_pre_hooks[key]
    delattr(module, name)
    for part in parts:
        delattr(module, f"{name}_{part}")
    module.register_parameter(name, Parameter(value))
    return module
