"""Complex numbers and their parts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .. import language as lang
from ..dtype import DType
from ..errors import DTypeError, ShapeError
from ..node import PRIMITIVES, Attributes, Primitive, Sample, Shape, register
from .rules import same_dtype, same_shape
from .samples import PAIRS, SHAPES, uniform

_COMPLEX = same_dtype("complex")


def _whole(re: DType, im: DType) -> DType:
    dtype = same_dtype("float")(re, im)
    if dtype.is_half:
        raise DTypeError(f"expected parts of dtype float32 or float64. Received: {dtype.name}")
    return dtype.to_complex()


def _pairs() -> Iterable[Sample]:
    return [Sample((uniform(-3, 3, *a), uniform(-2, 4, *b))) for a, b in PAIRS]


def _numbers() -> Iterable[Sample]:
    return [Sample((uniform(-3, 3, *shape) + 1j * uniform(-4, 2, *shape[::-1]).reshape(shape),)) for shape in SHAPES]


def _join(re: np.ndarray, im: np.ndarray) -> np.ndarray:
    made = np.empty(np.broadcast_shapes(re.shape, im.shape), np.result_type(re.dtype, np.complex64))
    made.real, made.imag = re, im  # a sum would spoil infinities and signs of zeros
    return made


register(
    Primitive(
        name="complex", kind="elementwise", arity=2, shape=same_shape, dtype=_whole, evaluate=_join,
        gradient=lambda node, dy: (lang.real(dy), lang.imag(dy)),
        torch=lambda torch, re, im: torch.complex(*torch.broadcast_tensors(re, im)), samples=_pairs, moves_bits=True,
    )
)  # fmt: skip
register(
    Primitive(
        name="real", kind="elementwise", arity=1, shape=same_shape, dtype=lambda x: _COMPLEX(x).to_real(),
        evaluate=np.real, gradient=lambda node, dy: (lang.join(dy, lang.zeros_like(dy)),),
        torch=lambda torch, x: torch.real(x), samples=_numbers, moves_bits=True,
    )
)  # fmt: skip
register(
    Primitive(
        name="imag", kind="elementwise", arity=1, shape=same_shape, dtype=lambda x: _COMPLEX(x).to_real(),
        evaluate=np.imag, gradient=lambda node, dy: (lang.join(lang.zeros_like(dy), dy),),
        torch=lambda torch, x: torch.imag(x), samples=_numbers, moves_bits=True,
    )
)  # fmt: skip
register(
    Primitive(
        name="conjugate", kind="elementwise", arity=1, shape=same_shape, dtype=_COMPLEX, evaluate=np.conjugate,
        gradient=lambda node, dy: (lang.conjugate(dy),),
        torch=lambda torch, x: torch.conj_physical(x), samples=_numbers, moves_bits=True,
    )
)  # fmt: skip


# How a compiled plan, which knows no complex numbers, has an operation on them computed by the interpreter.


def _without_pairs(shape: Shape, is_pair: bool) -> Shape:
    if is_pair and shape[-1:] != (2,):
        raise ShapeError(f"expected pairs along a last axis of 2. Received: shape {shape}")
    return shape[:-1] if is_pair else shape


def _shape_on_pairs(
    *shapes: Shape, operation: str, attributes: Attributes, pairs: tuple[bool, ...], gives_pairs: bool
) -> Shape:
    found = PRIMITIVES[operation].shape(*map(_without_pairs, shapes, pairs), **dict(attributes))
    return (*found, 2) if gives_pairs else found


def _dtype_on_pairs(
    *dtypes: DType, operation: str, attributes: Attributes, pairs: tuple[bool, ...], gives_pairs: bool
) -> DType:
    inside = (_whole(d, d) if is_pair else d for d, is_pair in zip(dtypes, pairs, strict=True))
    return PRIMITIVES[operation].dtype(*inside, **dict(attributes)).to_real()


def _on_pairs(
    *arrays: np.ndarray, operation: str, attributes: Attributes, pairs: tuple[bool, ...], gives_pairs: bool
) -> np.ndarray:
    inside = (_join(x[..., 0], x[..., 1]) if is_pair else x for x, is_pair in zip(arrays, pairs, strict=True))
    result = np.asarray(PRIMITIVES[operation].evaluate(*inside, **dict(attributes)))
    return np.stack((result.real, result.imag), -1) if gives_pairs else result


def _on_pairs_in_torch(
    torch: Any, *tensors: Any, operation: str, attributes: Attributes, pairs: tuple[bool, ...], gives_pairs: bool
) -> Any:
    inside = (torch.view_as_complex(x) if is_pair else x for x, is_pair in zip(tensors, pairs, strict=True))
    in_torch = PRIMITIVES[operation].torch
    assert in_torch is not None
    result = in_torch(torch, *inside, **dict(attributes))
    return torch.view_as_real(result) if gives_pairs else result


register(
    Primitive(
        name="on_pairs", kind="linalg", arity=None, attributes=("operation", "attributes", "pairs", "gives_pairs"),
        shape=_shape_on_pairs, dtype=_dtype_on_pairs, evaluate=_on_pairs, torch=_on_pairs_in_torch,
        samples=lambda: [
            Sample(
                (uniform(-1, 1, 3, 2),),
                {"operation": "sum", "attributes": (("axes", (0,)),), "pairs": (True,), "gives_pairs": True},
            )
        ],
    )
)  # fmt: skip
