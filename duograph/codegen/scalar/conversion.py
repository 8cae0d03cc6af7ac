"""From one data type to another, and to the neighbouring number."""

from __future__ import annotations

from ...graph.dtype import DType
from .. import halves, storage, types
from ..emitter import Function
from ..operands import Reg
from .call import Call, Operation


def _cast(call: Call) -> Reg:
    f, (x,), (source,), target = call.f, call.args, call.dtypes, call.result
    if source is target:
        return x
    to = types.like(x.type, storage.held(target))
    if target.category == "bool":
        return f.ne(x, 0)
    if source.category == "bool":
        return f.select(x, f.const(to, 1), 0)
    if target.category == "int":
        return _to_integer(f, x, to, target) if source.category == "float" else f.cast(x, to, signed=source.signed)
    if target.name == "float16" and source.name == "float64":
        x = _rounded_to_odd(f, x)
    value = f.cast(x, to, signed=source.signed)
    return halves.rounded(f, value, storage.stored(target)) if target.is_half else value


def _to_integer(f: Function, x: Reg, to: str, target: DType) -> Reg:
    """Towards zero. Beyond the integers it is what the processor gives: frozen, it is some number and not poison.

    Small integers go by way of 32 bits, so that they wrap as NumPy's do.
    """
    x = Reg(f, x.name, x.type)  # a constant is LLVM's to convert: it may be NaN, which Python refuses
    if types.bits(to) < 32:
        return f.cast(_frozen(f, f.cast(x, "i32")), to)
    return _frozen(f, f.cast(x, to, signed=target.signed))


def _frozen(f: Function, x: Reg) -> Reg:
    return f.emit(f"freeze {x}", x.type, "some")


def _rounded_to_odd(f: Function, x: Reg) -> Reg:
    """A double as a float that rounds to half as the double does: cut off, its last bit set where that lost something.

    (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms using rounding to odd", 2008.)
    """
    a = f.intrinsic("fabs", x)
    near = f.cast(a, "float")
    back = f.cast(near, "double")
    word = f.bitcast(near, types.like(x.type, "i32"))
    word = word - f.cast(back > a, word.type, signed=False)
    word = word | f.cast(f.compare("one", back, a), word.type, signed=False)
    return f.intrinsic("copysign", f.bitcast(word, near.type), f.cast(x, "float"))


def _bitcast(call: Call) -> Reg:
    f, (x,), (source,), target = call.f, call.args, call.dtypes, call.result
    if source is target:
        return x
    return _of_word(f, _as_word(f, x, source), target)


def _as_word(f: Function, x: Reg, dtype: DType) -> Reg:
    """The bits that memory would hold, as integers."""
    if dtype.is_half:
        return halves.to_word(f, x, storage.stored(dtype))
    if dtype.category == "bool":
        return f.cast(x, "i8")
    return f.bitcast(x, types.like(x.type, f"i{types.bits(x.type)}"))


def _of_word(f: Function, word: Reg, dtype: DType) -> Reg:
    """What is held of a number with these bits."""
    if dtype.is_half:
        return halves.from_word(f, word, storage.stored(dtype))
    return f.bitcast(word, types.like(word.type, storage.stored(dtype)))


def _nextafter(call: Call) -> Reg:
    """The neighbour of x in the direction of y. Bit patterns of floats of one sign are ordered as their magnitudes."""
    f, dtype = call.f, call.dtype
    x, y = (halves.rounded(f, v, storage.stored(dtype)) if dtype.is_half else v for v in call.args)
    word, goal = _as_word(f, x, dtype), _as_word(f, y, dtype)
    top = 1 << (types.bits(word.type) - 1)
    away = f.binary("xor", y > x, f.compare("lt", word, 0))
    step = f.select(away, f.const(word.type, 1), -1)
    found = f.select(f.eq(x, 0.0), (goal & top) | 1, word + step)
    result = _of_word(f, f.select(f.eq(x, y), goal, found), dtype)
    return f.select(f.compare("uno", x, y), x + y, result)


OPERATIONS: dict[str, Operation] = {"cast": _cast, "bitcast": _bitcast, "nextafter": _nextafter}
