"""What is changed inside Keras, module by module: each function is called with a module just after it was executed.

Only two kinds of thing are here: places where Keras recognises PyTorch by the *names* of classes, and places where its
PyTorch backend makes a step wait for a value that our engine can leave in the graph.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

AMENDMENTS: dict[str, Callable[[ModuleType], None]] = {}


def amends(name: str) -> Callable[[Callable[[ModuleType], None]], Callable[[ModuleType], None]]:
    def register(function: Callable[[ModuleType], None]) -> Callable[[ModuleType], None]:
        AMENDMENTS[name] = function
        return function

    return register
