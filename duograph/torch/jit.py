"""`torch.jit`: what programs call of PyTorch's script compiler. Their Python always runs; see `torch.compile`."""

from __future__ import annotations

import builtins
from typing import Any

from ..graph.errors import ArgumentError
from .compiler import compile
from .futures import Future
from .missing import missing

__all__ = [
    "Final", "ScriptFunction", "ScriptModule", "annotate", "export", "fork", "freeze", "ignore", "interface",
    "is_scripting", "is_tracing", "isinstance", "optimize_for_inference", "script", "script_if_tracing", "trace",
    "trace_module", "unused", "wait",
]  # fmt: skip

from typing import Final


def is_scripting() -> bool:
    """False: Python runs."""
    return False


def is_tracing() -> bool:
    """False: Python runs."""
    return False


def _as_it_is(name: str, doc: str) -> Any:
    def keep(obj: Any = None, *_: Any, **__: Any) -> Any:
        return (lambda function: function) if obj is None or builtins.isinstance(obj, bool) else obj

    keep.__name__ = name
    keep.__doc__ = doc
    return keep


script = _as_it_is("script", "The function or module itself, whose Python runs; `torch.compile` makes it faster.")
unused = _as_it_is("unused", "The function itself.")
ignore = _as_it_is("ignore", "The function itself.")
export = _as_it_is("export", "The function itself.")
interface = _as_it_is("interface", "The class itself.")
freeze = _as_it_is("freeze", "The module itself.")
optimize_for_inference = _as_it_is("optimize_for_inference", "The module itself.")


class ScriptModule:
    """What PyTorch's compiler makes of modules. `script` and `trace` make none here: nothing is an instance."""


class ScriptFunction:
    """What PyTorch's compiler makes of functions. `script` and `trace` make none here: nothing is an instance."""


def annotate(the_type: Any, the_value: Any) -> Any:
    """The value."""
    return the_value


def trace(func: Any, example_inputs: Any = None, *_: Any, **__: Any) -> Any:
    """`torch.compile(func)`, after a call on the examples: what is recorded is replayed, and checked, call by call.

    Unlike PyTorch's, the result takes the branch that an input asks for, and inputs of other shapes.
    """
    compiled = compile(func)
    if example_inputs is not None:
        compiled(*(example_inputs if builtins.isinstance(example_inputs, tuple | list) else (example_inputs,)))
    return compiled


def trace_module(mod: Any, inputs: Any, *_: Any, **__: Any) -> Any:
    """`trace` of a module's `forward`. Raises ArgumentError for other methods."""
    if set(inputs) != {"forward"}:
        raise ArgumentError(f"jit.trace_module: expected inputs of forward alone. Received: {', '.join(inputs)}")
    return trace(mod, inputs["forward"])


def fork(func: Any, *args: Any, **kwargs: Any) -> Future:
    """The call, as something to `wait` for; it is made at once, and its tensors are computed when they are wanted."""
    future = Future()
    future.set_result(func(*args, **kwargs))
    return future


def wait(future: Future) -> Any:
    """What the call gave."""
    return future.wait()


def _is_instance(obj: Any, target_type: Any) -> bool:
    return builtins.isinstance(obj, target_type)


isinstance = _is_instance
script_if_tracing = _script_if_tracing = _as_it_is("script_if_tracing", "The function itself: nothing is traced.")
_overload_method = _as_it_is("_overload_method", "The method itself.")
__getattr__ = missing(__name__, __all__)
