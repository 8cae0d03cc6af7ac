"""What a trainer does with several batches at a time: a step for each, all in one call if they can be a loop."""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from keras.src import backend, tree

import duograph.torch as torch
from duograph.graph.body import Body
from duograph.graph.errors import GraphError, ShapeError
from duograph.graph.trace import local
from duograph.ops import control
from duograph.replay import compile
from duograph.replay.capture import live_tensors
from duograph.tensor import Tensor
from duograph.tensor.convert import from_buffer

from .engine import eagerly, step_boundary
from .keras_amendments import ARRAYS
from .keras_random import current

Batch = Any


class _NoLoop(Exception):
    """Why steps are called one by one."""


class _Loop(functools.partial):
    """A step of each slice of its argument, as a loop of the graph that is recorded once.

    It is a partial of the step, so that `compile` looks at what the step refers to.
    """

    gradients: bool
    kinds: list[tuple[tuple[int, ...], Any]]

    def __call__(self, batches: Batch) -> list[Tensor]:
        """What the last step gives, as a list. Raises _NoLoop and errors of the graph for steps that cannot be so."""
        whole = tree.flatten(batches)
        start = [torch.zeros(shape, dtype=dtype) for shape, dtype in self.kinds]

        def turn(*given: Tensor) -> list[Tensor]:
            return self.turn(tree.pack_sequence_as(batches, list(given[len(start) :])))

        return control.each(turn, start, whole, whole[0].shape[0])

    def turn(self, batch: Batch) -> list[Tensor]:
        """What one step gives."""
        with _seeds_of_turns(), torch.set_grad_enabled(self.gradients):
            found = tree.flatten(self.func(batch))
        if [_kind(x) for x in found] != self.kinds:
            raise _NoLoop("a step gives something else than the one before")
        return [x.detach() for x in found]

    def rehearse(self, batch: Batch) -> None:
        """Record a step in vain, to see whether it leaves anything behind but what it writes. Raises as a call does."""
        numbers = torch.get_rng_state()
        bodies = []

        def turn(*slices: Tensor) -> list[Tensor]:
            bodies.append(local.trace)
            return self.turn(tree.pack_sequence_as(batch, list(slices)))

        try:
            control.kinds_after(turn, tree.flatten(batch))
        finally:
            torch.set_rng_state(numbers)
        if any(x._value.trace in bodies for x in live_tensors()):
            gc.collect()
            if any(x._value.trace in bodies for x in live_tensors()):
                raise _NoLoop("a tensor made in a step is kept outside, in a list or an attribute")


@contextmanager
def _seeds_of_turns() -> Iterator[None]:
    """The seeds that Keras keeps move on in each turn of the loop that is being recorded."""
    assert isinstance(local.trace, Body)
    before, current.steps = current.steps, local.trace
    try:
        yield
    finally:
        current.steps = before


def _kind(x: Any) -> Any:
    return (tuple(x.shape), x.dtype) if type(x) is Tensor else None


class Steps:
    """Calls a step for each batch of a list and gives what the last one gives.

    Args:
        step: Takes a batch of tensors.
        gradients: Whether they are recorded in the step.
        is_eager: Whether it runs operation by operation.

    Attributes:
        reason: Why several steps are not one call, if that was tried.
    """

    def __init__(self, step: Callable[[Batch], Any], gradients: bool, is_eager: bool) -> None:
        self._step = step if is_eager else compile(step)
        self._gradients = gradients
        self._is_eager = is_eager
        self._loop = _Loop(step)
        self._loop.gradients = gradients
        self._loops: Any = compile(self._loop)
        self._form: Any = None  # what a step gives, once one has been made
        self._is_rehearsed = False
        self.reason: str | None = "it runs operation by operation" if is_eager else None

    def __call__(self, batches: Sequence[Batch]) -> Any:
        if len(batches) > 1 and self.reason is None and self._form is not None:
            whole = _stacked(batches)
            if whole is not None:
                try:
                    return self._together(whole)
                except (_NoLoop, GraphError, ShapeError) as error:
                    self.reason = str(error)
        result = None
        for batch in batches:
            with eagerly(self._is_eager), torch.set_grad_enabled(self._gradients):
                result = self._step(to_tensors(batch))
            step_boundary()
        if len(batches) > 1 and self._form is None:
            self._form = result
            self._loop.kinds = [_kind(x) for x in tree.flatten(result)]
            if not self._loop.kinds or None in self._loop.kinds:
                self.reason = "a step gives something else than tensors"
        return result

    def _together(self, whole: Batch) -> Any:
        if not self._is_rehearsed:
            self._loop.rehearse(tree.map_structure(lambda x: x[0], whole))
            self._is_rehearsed = True
        with torch.no_grad():
            found = self._loops(whole)
        step_boundary()
        return tree.pack_sequence_as(self._form, found)


def _stacked(batches: Sequence[Batch]) -> Any:
    """The batches as one, by a new first axis; None where they are not alike, or no arrays that tensors take."""
    leaves = [tree.flatten(batch) for batch in batches]
    kinds = [
        [(x.shape, x.dtype) if type(x) is np.ndarray and x.dtype in ARRAYS else None for x in row] for row in leaves
    ]
    if None in kinds[0] or any(row != kinds[0] for row in kinds):
        return None
    return tree.pack_sequence_as(batches[0], [from_buffer(np.stack(rows)) for rows in zip(*leaves, strict=True)])


def to_tensors(data: Any) -> Any:
    """Arrays in (nested) tuples, lists and dictionaries become tensors; None stays."""
    if isinstance(data, tuple | list):
        return type(data)(map(to_tensors, data)) if not hasattr(data, "_fields") else type(data)(*map(to_tensors, data))
    if isinstance(data, dict):
        return {key: to_tensors(value) for key, value in data.items()}
    return None if data is None else backend.convert_to_tensor(data)
