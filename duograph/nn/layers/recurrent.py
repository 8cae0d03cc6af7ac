"""Recurrent layers: RNN, LSTM, GRU and their single steps."""

from __future__ import annotations

import math
import warnings
from typing import Any, ClassVar

from ...functional import recurrent
from ...graph.composite import Composite
from ...graph.errors import ArgumentError, ShapeError
from ...ops.creation import empty
from ...ops.random import default_generator
from ...tensor.core import Tensor, apply
from .. import init
from ..module import Module
from ..parameter import Parameter
from ..utils.rnn import PackedSequence, packed_like, unpacked


class RNNBase(Module):
    """What recurrent layers share: weights for each layer and direction, batches in either order, packed sequences."""

    operation: ClassVar[Composite]
    gates = 1
    states = 1

    def __init__(
        self, mode: str, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
        batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False, proj_size: int = 0,
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        name = type(self).__name__
        for argument, value in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
            if not isinstance(value, int):
                raise TypeError(f"{name}: {argument}: expected an integer. Received: {value!r}")
            if value <= 0:
                raise ArgumentError(f"{name}: {argument}: expected at least 1. Received: {value}")
        for argument, value in (("bias", bias), ("batch_first", batch_first)):
            if not isinstance(value, bool):
                raise TypeError(f"{name}: {argument}: expected True or False. Received: {value!r}")
        if isinstance(dropout, bool) or not 0 <= dropout <= 1:
            raise ArgumentError(f"{name}: dropout: expected a probability from 0 to 1. Received: {dropout}")
        if dropout > 0 and num_layers == 1:
            warnings.warn(f"{name}: dropout acts between layers, and there is only one", UserWarning, stacklevel=3)
        if not 0 <= proj_size < hidden_size:
            raise ArgumentError(f"{name}: proj_size: expected 0 to {hidden_size - 1}. Received: {proj_size}")
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        output = proj_size or hidden_size
        rows = self.gates * hidden_size
        self._flat_weights_names: list[str] = []
        for layer in range(num_layers):
            for suffix in ("", "_reverse")[: 1 + bidirectional]:
                width = output * (1 + bidirectional) if layer else input_size
                shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, width), "weight_hh": (rows, output)}
                if bias:
                    shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
                if proj_size:
                    shapes["weight_hr"] = (proj_size, hidden_size)
                for kind, shape in shapes.items():
                    self._flat_weights_names.append(f"{kind}_l{layer}{suffix}")
                    made = Parameter(empty(shape, device=device, dtype=dtype))
                    self.register_parameter(self._flat_weights_names[-1], made)
        self.reset_parameters()

    @property
    def _flat_weights(self) -> list[Any]:
        return [getattr(self, name) for name in self._flat_weights_names]

    @property
    def all_weights(self) -> list[list[Any]]:
        """The weights of each layer and direction."""
        each = 2 + 2 * self.bias + bool(self.proj_size)
        flat = self._flat_weights
        return [flat[k : k + each] for k in range(0, len(flat), each)]

    def reset_parameters(self) -> None:
        """Draw new weights: uniform within 1 / sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size)
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def flatten_parameters(self) -> None:
        """Nothing to do: weights need not lie together in memory."""

    def _run(self, x: Tensor, states: list[Any], lengths: Tensor | None = None) -> Any:
        """The recurrence over [T, N, in], of which `lengths` say how much counts: outputs, then the last states."""
        ends = () if lengths is None else (lengths,)
        attributes = (*self._attributes(), ("ragged", lengths is not None))
        return apply(self.operation, (x, *states, *self._flat_weights, *self._draws(x), *ends), attributes)

    def _draws(self, x: Tensor) -> list[Tensor]:
        """A seed and an offset for the dropout after each layer but the last."""
        drawn: list[Tensor] = []
        if self._p:
            count = x.shape[0] * x.shape[1] * (self.proj_size or self.hidden_size) * (1 + self.bidirectional)
            for _ in range(self.num_layers - 1):
                drawn += default_generator.draw(count)
        return drawn

    @property
    def _p(self) -> float:
        return self.dropout if self.training and self.num_layers > 1 else 0.0

    def _attributes(self) -> tuple[tuple[str, Any], ...]:
        return (
            ("layers", self.num_layers), ("bidirectional", self.bidirectional), ("biases", self.bias),
            ("dropout_p", self._p),
        )  # fmt: skip

    def _sizes(self) -> list[int]:
        """The features of each state."""
        return [self.proj_size or self.hidden_size, self.hidden_size][: self.states]

    def forward(self, input: Any, hx: Any = None) -> Any:
        given = None if hx is None else list(hx) if isinstance(hx, tuple) else [hx]
        if isinstance(input, PackedSequence):
            output, last = self._run_packed(input, given)
            return output, tuple(last) if self.states > 1 else last[0]
        if input.ndim not in (2, 3):
            raise ShapeError(
                f"{type(self).__name__}: input: expected 3 dimensions, or 2 without batch. "
                f"Received: shape {tuple(input.shape)}"
            )
        batched = input.ndim == 3
        if (batched and given is not None and given[0].ndim != 3) or (
            not batched and given is not None and given[0].ndim != 2
        ):
            raise ShapeError(
                f"{type(self).__name__}: hx: expected {3 if batched else 2} dimensions, as the input is "
                f"{'' if batched else 'not '}batched. Received: shape {tuple(given[0].shape)}"
            )
        x = input.unsqueeze(1) if not batched else input.transpose(0, 1) if self.batch_first else input
        if given is not None and not batched:
            given = [s.unsqueeze(1) for s in given]
        output, *last = self._run(x, self._first(x, x.shape[1]) if given is None else given)
        if not batched:
            output, last = output.squeeze(1), [s.squeeze(1) for s in last]
        elif self.batch_first:
            output = output.transpose(0, 1)
        return output, tuple(last) if self.states > 1 else last[0]

    def _first(self, x: Any, batch: int) -> list[Any]:
        """States of zeros."""
        count = self.num_layers * (1 + self.bidirectional)
        return [x.new_zeros(count, batch, size) for size in self._sizes()]

    def _run_packed(self, packed: PackedSequence, given: list[Any] | None) -> tuple[PackedSequence, list[Any]]:
        x, lengths = unpacked(packed)
        first = self._first(x, x.shape[1]) if given is None else given
        if given is not None and packed.sorted_indices is not None:
            first = [s.index_select(1, packed.sorted_indices) for s in first]
        output, *last = self._run(x, first, lengths)
        if packed.unsorted_indices is not None:
            last = [s.index_select(1, packed.unsorted_indices) for s in last]
        return packed_like(packed, output), last

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        if self.proj_size:
            text += f", proj_size={self.proj_size}"
        if self.num_layers != 1:
            text += f", num_layers={self.num_layers}"
        if not self.bias:
            text += f", bias={self.bias}"
        if self.batch_first:
            text += f", batch_first={self.batch_first}"
        if self.dropout:
            text += f", dropout={self.dropout}"
        if self.bidirectional:
            text += f", bidirectional={self.bidirectional}"
        return text


class RNN(RNNBase):
    """h = tanh(W x + b + V h + c), or relu, over a sequence [T, N, in] ([N, T, in] with `batch_first`)."""

    operation = recurrent.rnn

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, nonlinearity: str = "tanh", bias: bool = True,
        batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False, device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        if nonlinearity not in ("tanh", "relu"):
            raise ArgumentError(f"RNN: nonlinearity: expected 'tanh' or 'relu'. Received: {nonlinearity!r}")
        super().__init__(
            f"RNN_{nonlinearity.upper()}", input_size, hidden_size, num_layers, bias, batch_first, dropout,
            bidirectional, 0, device, dtype,
        )  # fmt: skip
        self.nonlinearity = nonlinearity

    def _attributes(self) -> tuple[tuple[str, Any], ...]:
        return ("nonlinearity", self.nonlinearity), *super()._attributes()


class LSTM(RNNBase):
    """Long short-term memory over a sequence [T, N, in] ([N, T, in] with `batch_first`)."""

    operation = recurrent.lstm
    gates = 4
    states = 2

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True, batch_first: bool = False,
        dropout: float = 0.0, bidirectional: bool = False, proj_size: int = 0, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(
            "LSTM", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size, device,
            dtype,
        )  # fmt: skip

    def _attributes(self) -> tuple[tuple[str, Any], ...]:
        return *super()._attributes(), ("projected", self.proj_size > 0)


class GRU(RNNBase):
    """Gated recurrent unit over a sequence [T, N, in] ([N, T, in] with `batch_first`)."""

    operation = recurrent.gru
    gates = 3

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True, batch_first: bool = False,
        dropout: float = 0.0, bidirectional: bool = False, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(
            "GRU", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype
        )


class RNNCellBase(Module):
    """The weights of a single step."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool, num_chunks: int, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows = num_chunks * hidden_size
        self.weight_ih = Parameter(empty(rows, input_size, device=device, dtype=dtype))
        self.weight_hh = Parameter(empty(rows, hidden_size, device=device, dtype=dtype))
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, Parameter(empty(rows, device=device, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new weights: uniform within 1 / sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size)
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def _weights(self) -> tuple[Any, ...]:
        return self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh

    def _checked(self, input: Any, what: str = "input", size: str = "in") -> Any:
        if input.ndim not in (1, 2):
            raise ShapeError(
                f"{type(self).__name__}: {what}: expected [N, {size}] or [{size}]. Received: shape {tuple(input.shape)}"
            )
        return input

    def _zeros(self, input: Any) -> Any:
        return input.new_zeros(*input.shape[:-1], self.hidden_size)

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else f", bias={self.bias}")
        kind = getattr(self, "nonlinearity", "tanh")
        return text if kind == "tanh" else f"{text}, nonlinearity={kind}"


class RNNCell(RNNCellBase):
    """One step of an RNN: h = tanh(W x + b + V h + c), or relu."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh", device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        state = self._zeros(self._checked(input)) if hx is None else self._checked(hx, "hx", "hidden")
        attributes = (("nonlinearity", self.nonlinearity),)
        return apply(recurrent.rnn_cell, (input, state, *self._weights()), attributes)


class LSTMCell(RNNCellBase):
    """One step of an LSTM: (h, c) from an input and (h, c)."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        if hx is None:
            zeros = self._zeros(self._checked(input))
            hx = (zeros, zeros)
        for state in hx:
            self._checked(state, "hx", "hidden")
        return apply(recurrent.lstm_cell, (self._checked(input), *hx, *self._weights()))


class GRUCell(RNNCellBase):
    """One step of a GRU."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        state = self._zeros(self._checked(input)) if hx is None else self._checked(hx, "hx", "hidden")
        return apply(recurrent.gru_cell, (input, state, *self._weights()))
