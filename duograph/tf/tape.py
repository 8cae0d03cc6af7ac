"""`tf.GradientTape`."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duograph.torch as torch
from duograph import autograd
from duograph.graph.trace import Leaf, ReadableLeaf, alias
from duograph.tensor import wrap

from . import structure
from .errors import InvalidArgumentError, reported
from .tensors import Tensor, convert_to_tensor

__all__ = ["GradientTape", "UnconnectedGradients"]


class UnconnectedGradients:
    """What the gradient is with respect to what the target does not depend on."""

    NONE = "none"
    ZERO = "zero"


class _Active(threading.local):
    def __init__(self) -> None:
        self.tapes: list[GradientTape] = []


_active = _Active()


def is_taping() -> bool:
    """Whether a tape is recording on this thread."""
    return bool(_active.tapes)


class GradientTape:
    """Records the operations inside its `with` block, for `gradient` and `jacobian`.

    Trainable variables (of `tf` and of Keras) are watched by themselves, unless `watch_accessed_variables=False`; other
    tensors after `watch`. A tape gives one gradient, a `persistent` one any number. Tapes nest: a gradient taken inside
    the block of another tape is recorded there, for derivatives of higher order.
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True) -> None:
        self._persistent = persistent
        self._all_variables = watch_accessed_variables
        self._watched: dict[int, tuple[Tensor, Tensor]] = {}  # by id: the tensor, and a handle on its watched value
        self._plain: list[Tensor] = []  # watched tensors that require no gradients outside
        self._recording = False
        self._spent = False
        self._peers: weakref.WeakSet[GradientTape] = weakref.WeakSet()
        self._stack: Any = None

    # -- recording -----------------------------------------------------------------------------------------------------
    def __enter__(self) -> GradientTape:
        if self._recording:
            raise ValueError("GradientTape: this tape is already recording")
        self._recording = True
        for other in _active.tapes:  # recorded together: what one frees, the other may still need
            other._peers.add(self)
            self._peers.add(other)
        _active.tapes.append(self)
        self._stack = torch.set_grad_enabled(True)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.__exit__(None, None, None)
        self._recording = False
        _active.tapes.remove(self)
        for tensor in self._plain:
            if isinstance(tensor._value.origin, Leaf):
                tensor._value = alias(tensor._value, None)
        self._plain.clear()

    def watch(self, tensor: Any) -> None:
        """Record what is computed from these tensors or variables (also nested) from now on.

        Raises InvalidArgumentError for what is no tensor; integers are left out, since they have no gradients.
        """
        for one in structure.flatten(tensor):
            source = tensor_of(one)
            if not isinstance(source, Tensor):
                raise InvalidArgumentError(f"GradientTape.watch expected tensors. Received: {type(one).__name__}")
            if not source.dtype.is_floating_point:
                continue
            if source._value.origin is None:
                source._value = alias(source._value, ReadableLeaf(source))
                self._plain.append(source)
            self._watched[id(source)] = source, wrap(source._value)

    def watched_variables(self) -> tuple[Any, ...]:
        """The variables watched explicitly."""
        return tuple(tensor for tensor, _ in self._watched.values() if hasattr(tensor, "assign"))

    @contextmanager
    def stop_recording(self) -> Iterator[None]:
        """Nothing is recorded inside."""
        with torch.no_grad():
            yield

    def reset(self) -> None:
        """Forget what was watched."""
        self._watched.clear()
        self._spent = False

    # -- derivatives ---------------------------------------------------------------------------------------------------
    @reported
    def gradient(
        self,
        target: Any,
        sources: Any,
        output_gradients: Any = None,
        unconnected_gradients: str = UnconnectedGradients.NONE,
    ) -> Any:
        """The gradient of `target` (the sum of its elements, if several) with respect to `sources`, in their structure.

        None (or zeros, by `unconnected_gradients`) for a source that the target does not depend on or that was not
        watched. `output_gradients` weight the elements of the target.
        Raises RuntimeError at the second call on a tape that is not persistent.
        """
        self._spend()
        return self._pull(target, sources, output_gradients, unconnected_gradients, retain=self._persistent)

    def _pull(self, target: Any, sources: Any, output_gradients: Any, unconnected_gradients: str, retain: bool) -> Any:
        targets = [convert_to_tensor(tensor_of(t)) for t in structure.flatten(target)]
        seeds = [None] * len(targets) if output_gradients is None else structure.flatten(output_gradients)
        pairs = [(t, s) for t, s in zip(targets, seeds, strict=True) if t.requires_grad]
        flat = [tensor_of(source) for source in structure.flatten(sources)]
        handles = [self._handle(source) for source in flat]
        wanted = [h for h in handles if h is not None]
        found: Iterator[Any] = iter(())
        if pairs and wanted:
            create = bool(_active.tapes)
            retain = retain or create or any(not peer._spent for peer in self._peers)
            found = iter(
                autograd.grad(
                    [t for t, _ in pairs],
                    wanted,
                    [torch.ones_like(t) if s is None else convert_to_tensor(s, t.dtype) for t, s in pairs],
                    retain_graph=retain,
                    create_graph=create,
                    allow_unused=True,
                )
            )
        gradients = [None if handle is None else next(found, None) for handle in handles]
        if unconnected_gradients == UnconnectedGradients.ZERO:
            gradients = [torch.zeros_like(s) if g is None else g for s, g in zip(flat, gradients, strict=True)]
        return structure.pack_like(sources, gradients)

    @reported
    def jacobian(
        self,
        target: Any,
        sources: Any,
        unconnected_gradients: str = UnconnectedGradients.NONE,
        parallel_iterations: int | None = None,
        experimental_use_pfor: bool = True,
    ) -> Any:
        """All derivatives of `target`: for each source a tensor of shape target.shape + source.shape."""
        self._spend()
        target = convert_to_tensor(tensor_of(target))
        flat = [tensor_of(source) for source in structure.flatten(sources)]
        rows: list[list[Any]] = [[] for _ in flat]
        for seed in torch.eye(target.numel(), dtype=target.dtype):
            parts = self._pull(target, flat, seed.reshape(target.shape), unconnected_gradients, retain=True)
            for row, part in zip(rows, parts, strict=True):
                row.append(part)
        shape = tuple(target.shape)
        result = [
            None if any(part is None for part in row) else torch.stack(row).reshape(*shape, *source.shape)
            for source, row in zip(flat, rows, strict=True)
        ]
        return structure.pack_like(sources, result)

    @reported
    def batch_jacobian(
        self,
        target: Any,
        source: Any,
        unconnected_gradients: str = UnconnectedGradients.NONE,
        parallel_iterations: int | None = None,
        experimental_use_pfor: bool = True,
    ) -> Any:
        """Derivatives of each row of `target` by the same row of `source`: shape (batch, target..., source...).

        A row must not depend on other rows of the source. Raises InvalidArgumentError where there are not as many rows.
        """
        target, origin = convert_to_tensor(tensor_of(target)), tensor_of(source)
        if not target.ndim or not origin.ndim or target.shape[0] != origin.shape[0]:
            raise InvalidArgumentError(
                "batch_jacobian expected a target and a source of one first size. "
                f"Received: shapes {tuple(target.shape)} and {tuple(origin.shape)}"
            )
        self._spend()
        rest = target.shape[1:]
        parts = []
        for seed in torch.eye(rest.numel(), dtype=target.dtype):  # one element of all rows at a time
            seeds = torch.broadcast_to(seed.reshape(rest), target.shape)
            parts += self._pull(target, [origin], [seeds], unconnected_gradients, retain=True)
        if any(part is None for part in parts):
            return None
        return torch.stack(parts, 1).reshape(*target.shape, *origin.shape[1:])

    def _spend(self) -> None:
        if self._spent and not self._persistent:
            raise RuntimeError(
                "a GradientTape that is not persistent gives one gradient: "
                "create it with GradientTape(persistent=True) for more"
            )
        self._spent = not self._persistent

    def _handle(self, source: Any) -> Tensor | None:
        """A tensor on the recorded value of `source`; None if it was not watched."""
        if not isinstance(source, Tensor):
            raise InvalidArgumentError(
                f"GradientTape.gradient expected tensors or variables. Received: {type(source).__name__}"
            )
        watched = self._watched.get(id(source))
        if watched is not None and watched[0] is source:
            return watched[1]
        return source if self._all_variables and source.requires_grad else None


def tensor_of(x: Any) -> Any:
    """The tensor of a variable of Keras's; all else as it is."""
    return x.value if not isinstance(x, Tensor) and hasattr(x, "__torch_function__") else x
