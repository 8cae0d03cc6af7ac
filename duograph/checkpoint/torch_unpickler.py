"""A pickle machine that can build tensors and plain containers and nothing else.

It is Python's own, of which only the opcodes are left that plain data needs. A name in a pickle is looked up in a table
of our functions, never imported; containers are filled and state is set only where they are of exactly the types that
the machine made itself. So a hostile file gets an error that names what was refused, and nothing of it runs.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol

from ..graph import dtype as dtypes
from ..graph.dtype import DType
from ..graph.errors import ArgumentError, NotSupported
from ..tensor.core import Size
from ..tensor.device import Device

STORAGES = {
    "FloatStorage": dtypes.float32, "DoubleStorage": dtypes.float64, "HalfStorage": dtypes.float16,
    "BFloat16Storage": dtypes.bfloat16, "LongStorage": dtypes.int64, "IntStorage": dtypes.int32,
    "ShortStorage": dtypes.int16, "CharStorage": dtypes.int8, "ByteStorage": dtypes.uint8, "BoolStorage": dtypes.bool_,
    "ComplexFloatStorage": dtypes.complex64, "ComplexDoubleStorage": dtypes.complex128,
}  # fmt: skip
"""PyTorch's names for storages, and the dtype of each."""


class Builder(Protocol):
    """Who makes what is in a file."""

    def storage(self, dtype: DType | None, key: str, count: int, view: tuple[int, int] | None) -> Any:
        """The storage `key`, of `count` elements (bytes, without a dtype), or `view` (offset, size) of it."""

    def tensor(
        self, storage: Any, dtype: DType | None, offset: Any, size: Any, stride: Any, requires_grad: bool
    ) -> Any:
        """A tensor on a storage; without a dtype, of the storage's own."""

    def parameter(self, data: Any, requires_grad: bool, state: Any) -> Any:
        """A parameter with the content `data` and attributes `state`."""


class StorageType:
    """Stands for `torch.FloatStorage` and its kin in a pickle."""

    def __init__(self, dtype: DType | None) -> None:
        self.dtype = dtype


class _Name:
    """A class that a pickle may mention and not call."""

    def __init__(self, name: str) -> None:
        self.name = name


PARAMETER, TENSOR = _Name("Parameter"), _Name("Tensor")


def _encode(text: Any, encoding: Any = "utf-8") -> bytes:
    """How pickles of protocol 2 write bytes: `_codecs.encode(text, "latin1")`."""
    if type(text) is not str or encoding not in ("latin1", "utf-8"):
        raise ArgumentError(
            f"the file encodes a {type(text).__name__} as {str(encoding)[:40]}: expected text as latin1"
        )
    return text.encode(encoding)


def _plain(kind: Callable[..., Any], *accepted: type) -> Callable[..., Any]:
    """`kind`, to be called with nothing or with one argument of an accepted type."""

    def make(*arguments: Any) -> Any:
        if len(arguments) > 1 or (arguments and type(arguments[0]) not in accepted):
            raise ArgumentError(f"the file makes a {kind.__name__} of {', '.join(type(a).__name__ for a in arguments)}")
        return kind(*arguments)

    return make


def _complex(real: Any = 0.0, imaginary: Any = 0.0) -> complex:
    return complex(float(real), float(imaginary))


def _device(kind: Any = "cpu", index: Any = None) -> Device:
    # Whatever device the file comes from, its tensors are on the CPU now.
    if type(kind) is not str:
        raise ArgumentError(f"the file names a device by a {type(kind).__name__}")
    return Device("cpu")


def names_for(builder: Builder) -> Mapping[tuple[str, str], Any]:
    """The only names a file may use, and what each stands for."""

    def tensor(storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any = False, *_: Any) -> Any:
        return builder.tensor(storage, None, offset, size, stride, requires_grad is True)

    def tensor_of_dtype(
        storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any, hooks: Any, dtype: Any, *_: Any
    ) -> Any:
        if not isinstance(dtype, DType):
            raise ArgumentError(f"the file gives a tensor the dtype {str(dtype)[:40]}")
        return builder.tensor(storage, dtype, offset, size, stride, requires_grad is True)

    def parameter(data: Any, requires_grad: Any = True, hooks: Any = None, state: Any = None) -> Any:
        return builder.parameter(data, requires_grad is True, state)

    def from_type(function: Any, kind: Any, arguments: Any, state: Any) -> Any:
        if kind not in (PARAMETER, TENSOR) or function not in (tensor, tensor_of_dtype, parameter):
            raise NotSupported("the file has a tensor of a class of its own: save tensor.as_subclass(torch.Tensor)")
        made = function(*arguments)
        return builder.parameter(made, True, state) if kind is PARAMETER and function is not parameter else made

    names: dict[tuple[str, str], Any] = {
        ("collections", "OrderedDict"): _plain(OrderedDict, list, tuple, dict),
        ("collections", "Counter"): _plain(Counter, dict),
        ("torch._utils", "_rebuild_tensor"): tensor,
        ("torch._utils", "_rebuild_tensor_v2"): tensor,
        ("torch._utils", "_rebuild_tensor_v3"): tensor_of_dtype,
        ("torch._utils", "_rebuild_parameter"): parameter,
        ("torch._utils", "_rebuild_parameter_with_state"): parameter,
        ("torch._tensor", "_rebuild_from_type_v2"): from_type,
        ("torch.nn.parameter", "Parameter"): PARAMETER,
        ("torch", "Tensor"): TENSOR,
        ("torch", "Size"): _plain(Size, tuple, list),
        ("torch", "device"): _device,
        ("torch.storage", "UntypedStorage"): StorageType(None),
        ("torch", "UntypedStorage"): StorageType(None),
        ("_codecs", "encode"): _encode,
    }
    for module in ("builtins", "__builtin__"):
        names[module, "set"] = _plain(set, list, tuple)
        names[module, "frozenset"] = _plain(frozenset, list, tuple)
        names[module, "complex"] = _complex
    names.update({("torch", name): StorageType(dtype) for name, dtype in STORAGES.items()})
    names.update({("torch", d.name): d for d in dtypes.ALL})
    return names


def _refusal(module: str, name: str) -> str:
    """Why a name is refused, and what to do."""
    whole = f"{module}.{name}"
    if module.startswith("torch.nn.") or module == "__main__":
        return (
            f"the file asks for {whole}: a whole module or object was saved, and to make it again would run its code. "
            "In PyTorch, load it and torch.save(model.state_dict(), path); here, make the model and load_state_dict"
        )
    if name.endswith("Storage") or (module == "torch" and name.startswith(("complex32", "float8", "q"))):
        return f"the file has tensors of {whole}, a dtype that is not here: convert them before saving"
    if module.startswith("torch") and ("sparse" in name or "qtensor" in name or "nested" in name):
        return f"the file asks for {whole}: tensors are dense here. Save x.to_dense() or x.dequantize()"
    if module.partition(".")[0] == "numpy":
        return f"the file asks for {whole}: save NumPy's arrays as torch.from_numpy(x), its numbers as x.item()"
    return (
        f"the file asks for {whole}: only tensors and plain containers (dict, list, tuple, str, numbers) are loaded, "
        "since anything else could run code. Save the model's state_dict() instead of the model"
    )


_PythonUnpickler: Any = pickle._Unpickler
"""The machine that is written in Python: of the other one, opcodes cannot be taken away, and its memo can be made to
fill the memory by one byte string."""

_OPCODES = """
    PROTO FRAME STOP MARK POP POP_MARK DUP NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT
    BINFLOAT STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES
    BINBYTES8 EMPTY_LIST LIST EMPTY_DICT DICT EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_SET FROZENSET
    GET BINGET LONG_BINGET PUT BINPUT LONG_BINPUT MEMOIZE GLOBAL STACK_GLOBAL BINPERSID
"""
"""What plain data needs, beside the opcodes with methods below."""


class Unpickler(_PythonUnpickler):
    """Reads one pickle at the place of `file`.

    Raises NotSupported where the pickle asks for something that is not plain data, ArgumentError for damage.
    """

    def __init__(self, file: io.BufferedIOBase, builder: Builder) -> None:
        super().__init__(file, encoding="utf-8")
        self._builder = builder
        self._names = names_for(builder)
        self._callable = {id(f) for f in self._names.values() if callable(f)}

    dispatch: ClassVar[dict[int, Any]] = {
        getattr(pickle, name)[0]: _PythonUnpickler.dispatch[getattr(pickle, name)[0]] for name in _OPCODES.split()
    }

    def load(self) -> Any:
        """The content of the pickle."""
        try:
            return super().load()
        except (ArgumentError, NotSupported):
            raise
        except KeyError as error:
            code = error.args[0] if error.args else None
            if isinstance(code, int) and code not in self.dispatch:
                known = {ord(op.code): op.name for op in pickletools.opcodes}
                raise NotSupported(
                    f"the file uses the pickle instruction {known.get(code, code)}, which plain data does not need"
                ) from None
            raise ArgumentError(f"the pickle in the file is damaged: {error!r}") from error
        except Exception as error:  # damage can make it raise nearly anything; nothing has been run
            raise ArgumentError(f"the pickle in the file is damaged: {error!r}") from error

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._names[module, name]
        except (KeyError, TypeError):
            raise NotSupported(_refusal(str(module)[:80], str(name)[:80])) from None

    def persistent_load(self, pid: Any) -> Any:
        if not isinstance(pid, tuple) or len(pid) not in (5, 6) or not isinstance(pid[1], StorageType):
            if isinstance(pid, tuple) and pid and pid[0] == "module":
                raise NotSupported(_refusal("torch.nn.Module", str(pid[1])[:80]))
            raise ArgumentError(f"the file names a storage in a way that is not known: {str(pid)[:80]}")
        kind, storage_type, key, _location, count, *rest = pid
        view = None
        if rest and rest[0] is not None:
            _, offset, size = rest[0]
            view = (natural(offset), natural(size))
        if kind != "storage" or type(key) not in (str, int):
            raise ArgumentError(f"the file names a storage in a way that is not known: {str(pid)[:80]}")
        return self._builder.storage(storage_type.dtype, str(key), natural(count), view)

    def load_reduce(self) -> None:
        arguments = self.stack.pop()
        function = self.stack[-1]
        if id(function) not in self._callable or type(arguments) is not tuple:
            raise NotSupported(f"the file calls a {type(function).__name__}: only tensors and plain data are loaded")
        self.stack[-1] = function(*arguments)

    def load_build(self) -> None:
        state = self.stack.pop()
        made = self.stack[-1]
        if type(made) is not OrderedDict or type(state) is not dict or not all(type(k) is str for k in state):
            raise NotSupported(
                f"the file sets the state of a {type(made).__name__}: only tensors and plain data are loaded"
            )
        vars(made).update(state)  # a state_dict's _metadata

    def load_append(self) -> None:
        value = self.stack.pop()
        self._last(list).append(value)

    def load_appends(self) -> None:
        items = self.pop_mark()
        self._last(list).extend(items)

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._last(dict, OrderedDict)[key] = value

    def load_setitems(self) -> None:
        items = self.pop_mark()
        self._last(dict, OrderedDict).update(zip(items[::2], items[1::2], strict=True))

    def load_additems(self) -> None:
        items = self.pop_mark()
        self._last(set).update(items)

    def _last(self, *kinds: type) -> Any:
        """The container that is to be filled, which must be of one of these types."""
        last = self.stack[-1]
        if type(last) not in kinds:
            raise NotSupported(f"the file puts items into a {type(last).__name__}: only plain containers are filled")
        return last

    dispatch.update(
        {
            pickle.REDUCE[0]: load_reduce,
            pickle.BUILD[0]: load_build,
            pickle.APPEND[0]: load_append,
            pickle.APPENDS[0]: load_appends,
            pickle.SETITEM[0]: load_setitem,
            pickle.SETITEMS[0]: load_setitems,
            pickle.ADDITEMS[0]: load_additems,
        }
    )


def natural(number: Any) -> int:
    """A number of the file that must be an integer of at least 0."""
    if type(number) is not int or number < 0:
        raise ArgumentError(f"the file has {str(number)[:40]!r} where a size should be")
    return number
