"""The transforms of Winograd's minimal filtering F(2x2, 3x3), on registers.

A 3x3 window over a 4x4 piece of an image gives 2x2 results. With the matrices

    B^T = 1  0 -1  0     G = 1    0    0      A^T = 1  1  1  0
          0  1  1  0         1/2  1/2  1/2          0  1 -1 -1
          0 -1  1  0         1/2 -1/2  1/2
          0  1  0 -1         0    0    1

they are A^T [(G g G^T) * (B^T d B)] A for the piece d and the filter g, where `*` multiplies elements: 16
multiplications instead of 36, and all the sums over channels can be taken before A. The gradient of the filter is
G^T [(A dy A^T) * (B^T d B)] G. (Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016.)

Each function takes rows of numbers or vectors and gives rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..emitter import Function, Reg

PIECE = 4
"""Rows and columns of the piece, and of everything transformed."""

COMPONENTS = PIECE * PIECE
"""Elements of everything transformed: so many products of matrices take the place of a convolution."""

RESULT = 2
"""Rows and columns of the result that one piece gives."""

Line = Callable[[Function, Sequence[Reg]], list[Reg]]


def _both_ways(f: Function, line: Line, rows: Sequence[Sequence[Reg]]) -> list[list[Reg]]:
    """A transform of the columns, then of the rows that gives."""
    columns = [line(f, column) for column in zip(*rows, strict=True)]
    return [line(f, row) for row in zip(*columns, strict=True)]


def piece(f: Function, d: Sequence[Sequence[Reg]]) -> list[list[Reg]]:
    """B^T d B: 4x4 of 4x4."""

    def line(f: Function, x: Sequence[Reg]) -> list[Reg]:
        return [f.sub(x[0], x[2]), f.add(x[1], x[2]), f.sub(x[2], x[1]), f.sub(x[1], x[3])]

    return _both_ways(f, line, d)


def filter(f: Function, g: Sequence[Sequence[Reg]]) -> list[list[Reg]]:
    """G g G^T: 4x4 of 3x3."""

    def line(f: Function, x: Sequence[Reg]) -> list[Reg]:
        outer, middle = (f.add(x[0], x[2]) * 0.5, x[1] * 0.5)
        return [x[0], f.add(outer, middle), f.sub(outer, middle), x[2]]

    return _both_ways(f, line, g)


def result(f: Function, m: Sequence[Sequence[Reg]]) -> list[list[Reg]]:
    """A^T m A: 2x2 of 4x4."""

    def line(f: Function, x: Sequence[Reg]) -> list[Reg]:
        return [f.add(x[0], f.add(x[1], x[2])), f.sub(f.sub(x[1], x[2]), x[3])]

    return _both_ways(f, line, m)


def result_gradient(f: Function, dy: Sequence[Sequence[Reg]]) -> list[list[Reg]]:
    """A dy A^T: 4x4 of 2x2."""

    def line(f: Function, x: Sequence[Reg]) -> list[Reg]:
        return [x[0], f.add(x[0], x[1]), f.sub(x[0], x[1]), f.neg(x[1])]

    return _both_ways(f, line, dy)


def filter_gradient(f: Function, m: Sequence[Sequence[Reg]]) -> list[list[Reg]]:
    """G^T m G: 3x3 of 4x4."""

    def line(f: Function, x: Sequence[Reg]) -> list[Reg]:
        plus, minus = f.add(x[1], x[2]) * 0.5, f.sub(x[1], x[2]) * 0.5
        return [f.add(x[0], plus), minus, f.add(plus, x[3])]

    return _both_ways(f, line, m)
