"""Keras's recurrences as loops of the graph: a step is recorded once, however long the sequences are.

The backend's own functions walk over time in Python. Here they are one `scan` each, with masks, nested inputs and
states, both directions; only `unroll=True` still means what it says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from duograph.ops.loops import results_of, scan

from .keras_amendments import _replace, amends


@amends("keras.src.backend.torch.rnn")
def _recurrences(module: ModuleType) -> None:
    unrolled = module.rnn

    def rnn(
        step_function: Callable[..., Any],
        inputs: Any,
        initial_states: Any,
        go_backwards: bool = False,
        mask: Any = None,
        constants: Any = None,
        unroll: bool = False,
        input_length: Any = None,
        time_major: bool = False,
        zero_output_for_mask: bool = False,
        return_all_outputs: bool = True,
    ) -> Any:
        """The last output, all outputs and the last states of `step_function` along the time axis of `inputs`."""
        if unroll:
            return unrolled(
                step_function, inputs, initial_states, go_backwards, mask, constants, unroll, input_length,
                time_major, zero_output_for_mask, return_all_outputs,
            )  # fmt: skip
        return _Recurrence(module, step_function, inputs, initial_states, constants or ()).run(
            go_backwards, mask, input_length, time_major, zero_output_for_mask, return_all_outputs
        )

    def _fallback_lstm(
        inputs: Any, h: Any, c: Any, kernel: Any, recurrent_kernel: Any, bias: Any, activation: Any,
        recurrent_activation: Any, return_sequences: bool, batch_first: bool,
    ) -> Any:  # fmt: skip
        """A long short-term memory whose gates are in the order input, forget, cell, output."""
        torch = module.torch

        def step(x: Any, states: Any) -> Any:
            h, c = states
            projected = torch.matmul(x, kernel)
            projected = projected if bias is None else projected + bias
            i, f, new, o = torch.chunk(projected + torch.matmul(h, recurrent_kernel), 4, dim=1)
            c = recurrent_activation(f) * c + recurrent_activation(i) * activation(new)
            h = recurrent_activation(o) * activation(c)
            return h, [h, c]

        return rnn(step, inputs, [h, c], time_major=not batch_first, return_all_outputs=return_sequences)

    def _fallback_gru(
        inputs: Any, h: Any, kernel: Any, recurrent_kernel: Any, bias: Any, activation: Any,
        recurrent_activation: Any, return_sequences: bool,
    ) -> Any:  # fmt: skip
        """A gated recurrent unit whose gates are in the order update, reset, new; the reset after the product."""
        torch = module.torch

        def step(x: Any, states: Any) -> Any:
            (h,) = states
            from_x, from_h = torch.matmul(x, kernel), torch.matmul(h, recurrent_kernel)
            if bias is not None:
                from_x, from_h = from_x + bias[0], from_h + bias[1]
            x_update, x_reset, x_new = torch.chunk(from_x, 3, dim=1)
            h_update, h_reset, h_new = torch.chunk(from_h, 3, dim=1)
            update = recurrent_activation(x_update + h_update)
            reset = recurrent_activation(x_reset + h_reset)
            h = update * h + (1.0 - update) * activation(x_new + reset * h_new)
            return h, [h]

        return rnn(step, inputs, [h], return_all_outputs=return_sequences)

    _replace(module, rnn, _fallback_lstm, _fallback_gru)


class _Recurrence:
    """One call of `rnn`: inputs, states and outputs may be nested."""

    def __init__(
        self, module: ModuleType, step: Callable[..., Any], inputs: Any, states: Any, constants: Sequence[Any]
    ) -> None:
        self.torch, self.tree = module.torch, module.tree
        self.step = step
        self.inputs, self.states = self.tree.map_structure(module.convert_to_tensor, (inputs, tuple(states)))
        self.constants = tuple(constants)
        self.forms: tuple[Any, Any] = (None, None)  # of what the step returns

    def run(
        self, backwards: bool, mask: Any, lengths: Any, time_major: bool, zeros_for_mask: bool, all_outputs: bool
    ) -> Any:
        tree = self.tree
        sequences = [x if time_major else x.transpose(0, 1) for x in tree.flatten(self.inputs)]
        inside = self._inside(sequences[0], mask, lengths, time_major)
        states = tree.flatten(self.states)
        count, inputs = len(states), len(sequences)
        keeps_output = inside is not None and not zeros_for_mask

        def step(carries: list[Any], slices: list[Any]) -> tuple[list[Any], list[Any]]:
            before, held = carries[:count], carries[count:]
            outputs, after = self._turn(slices[:inputs], before)
            if inside is not None:
                here = slices[inputs]
                outputs = [self._where(here, o, h) for o, h in zip(outputs, held or [None] * len(outputs), strict=True)]
                after = [self._where(here, new, old) for new, old in zip(after, before, strict=True)]
            return [*after, *(outputs if keeps_output else ())], outputs

        along = sequences if inside is None else [*sequences, inside]
        held = []
        if keeps_output:  # what a masked step before any other gives
            made = results_of(lambda c, s: (c, self._turn(s[:inputs], c)[0]), states, along)
            held = [self.torch.zeros(shape, dtype=dtype, device=sequences[0].device) for shape, dtype in made]
        ends, outputs = scan(step, [*states, *held], along, reverse=backwards)
        last = [o[0] if backwards else o[-1] for o in outputs]
        if not all_outputs:
            outputs = [o.unsqueeze(0) for o in last]
        elif backwards:
            outputs = [o.flip(0) for o in outputs]
        outputs = outputs if time_major else [o.transpose(0, 1) for o in outputs]
        of_outputs, of_states = self.forms
        return (
            tree.pack_sequence_as(of_outputs, last),
            tree.pack_sequence_as(of_outputs, outputs),
            tree.pack_sequence_as(of_states, ends[:count]),
        )

    def _turn(self, slices: list[Any], states: list[Any]) -> tuple[list[Any], list[Any]]:
        """The outputs and the new states of one step."""
        tree = self.tree
        given = tree.pack_sequence_as(self.inputs, slices)
        before = tree.pack_sequence_as(self.states, states)
        outputs, after = self.step(given, (*before, *self.constants))
        self.forms = outputs, after
        return tree.flatten(outputs), tree.flatten(after)

    def _inside(self, sequence: Any, mask: Any, lengths: Any, time_major: bool) -> Any:
        """Which steps count, `[time, batch, ...]`; None if all do."""
        torch, steps = self.torch, sequence.shape[0]
        if mask is not None:
            mask = mask.to(torch.bool)
            return mask if time_major else mask.transpose(0, 1)
        if lengths is None or isinstance(lengths, int):
            if lengths not in (None, steps):
                raise ValueError(f"rnn: input_length: expected {steps}, the steps of the inputs. Received: {lengths}")
            return None
        return torch.arange(steps).unsqueeze(-1) < torch.as_tensor(lengths)

    def _where(self, here: Any, new: Any, old: Any) -> Any:
        """`new` for the rows that count, else `old`, or zeros."""
        here = here.reshape(*here.shape, *(1,) * (new.ndim - here.ndim))
        return self.torch.where(here, new, self.torch.zeros_like(new) if old is None else old)
