"""Recurrent networks: one step of each cell, and whole sequences, each layer and direction as one loop.

Weights are PyTorch's: `w_input [gates * H, in]`, `w_hidden [gates * H, H]` (or `[gates * H, P]` with a projection to
size P), biases `[gates * H]`; gates in the order input, forget, cell, output (LSTM) and reset, update, new (GRU).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..graph import language as g
from ..graph.composite import composite
from ..graph.node import Node
from ..graph.scan import scan
from .checks import check_argument, check_choice, check_floating, check_same_dtype, check_shape
from .dropout import dropout
from .linear import linear

State = tuple[Node, ...]
Step = Callable[[Node, State, Sequence[Node | None]], State]


@composite
def rnn_cell(
    x: Node,
    h: Node,
    w_input: Node,
    w_hidden: Node,
    b_input: Node | None = None,
    b_hidden: Node | None = None,
    *,
    nonlinearity: str = "tanh",
) -> Node:
    """nonlinearity(w_input x + b_input + w_hidden h + b_hidden): `x [N, in]`, `h [N, H]` (or both unbatched)."""
    _check_cell(x, h, w_input, w_hidden, 1)
    check_choice("nonlinearity", nonlinearity, "tanh", "relu")
    return _rnn_step(nonlinearity)(linear(x, w_input, b_input), (h,), (w_hidden, b_hidden))[0]


@composite
def lstm_cell(
    x: Node,
    h: Node,
    c: Node,
    w_input: Node,
    w_hidden: Node,
    b_input: Node | None = None,
    b_hidden: Node | None = None,
) -> tuple[Node, Node]:
    """The new (h, c) of a long short-term memory (Hochreiter and Schmidhuber 1997)."""
    _check_cell(x, h, w_input, w_hidden, 4)
    check_shape(
        c.shape == (*h.shape[:-1], w_hidden.shape[0] // 4),
        "c",
        f"the weight's hidden size, batch as h {list(h.shape)}",
        c,
    )
    new_h, new_c = _lstm_step(linear(x, w_input, b_input), (h, c), (w_hidden, b_hidden))
    return new_h, new_c


@composite
def gru_cell(
    x: Node, h: Node, w_input: Node, w_hidden: Node, b_input: Node | None = None, b_hidden: Node | None = None
) -> Node:
    """The new h of a gated recurrent unit (Cho et al. 2014), the reset applied after the hidden product."""
    _check_cell(x, h, w_input, w_hidden, 3)
    return _gru_step(linear(x, w_input, b_input), (h,), (w_hidden, b_hidden))[0]


@composite
def rnn(
    x: Node,
    h: Node,
    *weights: Node,
    nonlinearity: str = "tanh",
    layers: int = 1,
    bidirectional: bool = False,
    biases: bool = True,
    dropout_p: float = 0.0,
    ragged: bool = False,
) -> tuple[Node, Node]:
    """A plain recurrent network over a sequence; returns outputs and last states. See `lstm` for the shapes."""
    check_choice("nonlinearity", nonlinearity, "tanh", "relu")
    network = Network(_rnn_step(nonlinearity), 1, layers, bidirectional, biases, False, dropout_p, ragged)
    outputs, (last,) = network.run(x, (h,), weights)
    return outputs, last


@composite
def lstm(
    x: Node,
    h: Node,
    c: Node,
    *weights: Node,
    layers: int = 1,
    bidirectional: bool = False,
    biases: bool = True,
    projected: bool = False,
    dropout_p: float = 0.0,
    ragged: bool = False,
) -> tuple[Node, Node, Node]:
    """An LSTM over a sequence `x [T, N, in]`; returns outputs `[T, N, directions * H]` and the last h and c.

    `h` and `c` are `[layers * directions, N, H]`. `weights` are, for each layer and in it each direction: w_input,
    w_hidden, then with `biases` b_input, b_hidden, then if `projected` w_projection `[P, H]`. With `dropout_p` above
    0, a seed and an offset (0-d uint64) for each layer but the last follow the weights. If `ragged`, lengths `[N]`
    (integers) come last: beyond its length a sequence changes no state, and its outputs mean nothing.
    """
    network = Network(_lstm_step, 4, layers, bidirectional, biases, projected, dropout_p, ragged)
    outputs, (last_h, last_c) = network.run(x, (h, c), weights)
    return outputs, last_h, last_c


@composite
def gru(
    x: Node,
    h: Node,
    *weights: Node,
    layers: int = 1,
    bidirectional: bool = False,
    biases: bool = True,
    dropout_p: float = 0.0,
    ragged: bool = False,
) -> tuple[Node, Node]:
    """A GRU over a sequence; returns outputs and last states. See `lstm` for the shapes."""
    network = Network(_gru_step, 3, layers, bidirectional, biases, False, dropout_p, ragged)
    outputs, (last,) = network.run(x, (h,), weights)
    return outputs, last


@dataclass(frozen=True)
class Network:
    """Layers of a recurrent cell: how their weights are laid out, and the walk over time."""

    step: Step
    gates: int
    layers: int
    bidirectional: bool
    biases: bool
    projected: bool
    dropout_p: float
    ragged: bool

    def run(self, x: Node, states: State, weights: Sequence[Node]) -> tuple[Node, State]:
        """The outputs of the last layer, and the last states of all layers and directions."""
        directions = 1 + self.bidirectional
        each = 2 + 2 * self.biases + self.projected
        random = 2 * (self.layers - 1) if self.dropout_p > 0 else 0
        expected = self.layers * directions * each
        check_argument(
            len(weights) == expected + random + self.ragged,
            "weights",
            f"{each} tensors for each of {self.layers} layers and {directions} directions"
            + (", and a seed and an offset for each layer but the last" if random else "")
            + (", and lengths" if self.ragged else ""),
            len(weights),
        )
        draws = weights[expected:]
        check_floating(x=x)
        check_same_dtype(x=x, h=states[0], **{f"weights[{k}]": w for k, w in enumerate(weights[:expected])})
        check_shape(x.ndim == 3 and x.shape[0] > 0, "x", "[time, batch, features] of at least one step", x)
        for name, s in zip(("h", "c"), states, strict=False):
            check_shape(
                s.ndim == 3 and s.shape[:2] == (self.layers * directions, x.shape[1]),
                name,
                f"[{self.layers * directions} (layers * directions), {x.shape[1]} (batch), size]",
                s,
            )
        inside = []  # for each step, which sequences it is a part of
        if self.ragged:
            lengths = weights[-1]
            check_shape(lengths.shape == x.shape[1:2], "lengths", f"[{x.shape[1]}] (batch)", lengths)
            steps = g.reshape(g.iota(x.shape[0], lengths.dtype), (-1, 1))
            inside = [g.expand_dims(g.less(steps, lengths), -1)]
        last: list[State] = []
        for layer in range(self.layers):
            if layer and self.dropout_p > 0:
                x = dropout(x, *draws[2 * layer - 2 : 2 * layer], p=self.dropout_p)
            outputs = []
            for direction in range(directions):
                k = layer * directions + direction
                first = tuple(g.reshape(g.narrow(s, 0, k, 1), s.shape[1:]) for s in states)
                sequence, final = self._along(
                    x, first, weights[k * each : (k + 1) * each], inside, backwards=direction == 1
                )
                outputs.append(sequence)
                last.append(final)
            x = g.concatenate(outputs, -1)
        columns = zip(*last, strict=True)
        return x, tuple(g.concatenate([g.expand_dims(s, 0) for s in column], 0) for column in columns)

    def _along(
        self, x: Node, state: State, weights: Sequence[Node], inside: Sequence[Node], backwards: bool
    ) -> tuple[Node, State]:
        """One layer in one direction: its outputs in the order of time, and its final state."""
        w_input, w_hidden = weights[:2]
        b_input, b_hidden = weights[2:4] if self.biases else (None, None)
        projection = weights[-1] if self.projected else None
        _check_cell(x, state[0], w_input, w_hidden, self.gates)
        constants = [w for w in (w_hidden, b_hidden, projection) if w is not None]

        def step(*given: Node) -> tuple[State, State]:
            before, (inputs, *rest) = given[: len(state)], given[len(state) :]
            here, rest = rest[: len(inside)], rest[len(inside) :]
            after = self.step(inputs, before, (rest[0], rest[1] if self.biases else None))
            if self.projected:
                after = (linear(after[0], rest[-1]), *after[1:])
            if here:
                after = tuple(g.select(here[0], new, old) for new, old in zip(after, before, strict=True))
            return after, ()

        # the inputs' product for all steps at once: one large matmul instead of many small ones
        inputs = linear(x, w_input, b_input)
        scanned = scan(step, state, [inputs, *inside], constants, reverse=backwards)
        outputs = g.narrow(scanned.states[0], 0, int(not backwards), x.shape[0])
        return outputs, scanned.ends(backwards)


def _rnn_step(nonlinearity: str) -> Step:
    def step(inputs: Node, state: State, weights: Sequence[Node | None]) -> State:
        total = inputs + linear(state[0], *weights)
        return (g.tanh(total) if nonlinearity == "tanh" else g.select(total <= 0, 0, total),)

    return step


def _lstm_step(inputs: Node, state: State, weights: Sequence[Node | None]) -> State:
    h, c = state
    i, f, new, o = _gates(inputs + linear(h, *weights), 4)
    c = _gate(f) * c + _gate(i) * g.tanh(new)
    return _gate(o) * g.tanh(c), c


def _gru_step(inputs: Node, state: State, weights: Sequence[Node | None]) -> State:
    (h,) = state
    from_x, from_h = _gates(inputs, 3), _gates(linear(h, *weights), 3)
    reset, update = (_gate(a + b) for a, b in zip(from_x[:2], from_h[:2], strict=True))
    new = g.tanh(from_x[2] + reset * from_h[2])
    return (new + update * (h - new),)


def _gate(x: Node) -> Node:
    """The sigmoid, by half the operations that its relative precision near 0 would take: a factor needs none there."""
    return g.tanh(x * 0.5) * 0.5 + 0.5


def _gates(x: Node, count: int) -> list[Node]:
    size = x.shape[-1] // count
    return [g.narrow(x, -1, k * size, size) for k in range(count)]


def _check_cell(x: Node, h: Node, w_input: Node, w_hidden: Node, gates: int) -> None:
    check_floating(x=x)
    check_same_dtype(x=x, h=h, w_input=w_input, w_hidden=w_hidden)
    check_shape(
        w_input.ndim == 2 and w_input.shape[0] % gates == 0, "w_input", f"[{gates} * hidden, features]", w_input
    )
    rows = w_input.shape[0]
    check_shape(w_hidden.ndim == 2 and w_hidden.shape[0] == rows, "w_hidden", f"[{rows}, hidden]", w_hidden)
    check_shape(x.ndim > 0 and x.shape[-1] == w_input.shape[1], "x", f"{w_input.shape[1]} features", x)
    check_shape(h.ndim > 0 and h.shape[-1] == w_hidden.shape[1], "h", f"{w_hidden.shape[1]} features", h)
