"""Kernels to addresses of machine code: each is emitted and compiled once, and not at all if the disk has it."""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from .. import codegen
from ..codegen.emitter import Module
from ..codegen.plan import Kernel
from ..graph.sizes import concretely
from . import jit, objects, targets
from .linker import Image, Object, link

_lock = threading.Lock()
_images: list[Image] = []
_addresses: dict[str, int] = {}
compiled: set[str] = set()
"""Names of the kernels that this process compiled; others that it has were on disk."""


def known() -> frozenset[str]:
    """Names of the kernels whose code is in memory."""
    with _lock:
        return frozenset(_addresses)


def addresses(kernels: Iterable[Kernel]) -> dict[str, int]:
    """Where each kernel's code is, by the kernel's name. Code stays in memory as long as the process.

    Raises:
        CompileError: LLVM refuses a kernel.
    """
    wanted = {kernel.name: kernel for kernel in kernels}
    with _lock:
        found = _on_disk(wanted)
        absent = [name for name, made in found.items() if made is None]
        if absent:
            for name, made in zip(absent, jit.compile_many([_module(wanted[name]) for name in absent]), strict=True):
                objects.cache().put(_key(name), made.packed())
                found[name] = made
            compiled.update(absent)
        return _placed(wanted, found)


def stored(names: Sequence[str]) -> dict[str, int] | None:
    """Where the code of these kernels is, if all of it is in memory or on disk."""
    with _lock:
        found = _on_disk(names)
        return None if None in found.values() else _placed(names, found)


def _on_disk(names: Iterable[str]) -> dict[str, Object | None]:
    """The code of those kernels that are not in memory; None for what the disk does not have either."""
    missing = [name for name in names if name not in _addresses]
    contents = {name: objects.cache().get(_key(name)) for name in missing}
    return {name: None if content is None else Object.unpacked(content) for name, content in contents.items()}


def _placed(names: Iterable[str], fresh: Mapping[str, Object | None]) -> dict[str, int]:
    """The addresses of kernels, of which the `fresh` ones come into memory now."""
    if fresh:
        image = link([made for made in fresh.values() if made is not None])
        _images.append(image)
        _addresses.update({name: image[name] for name in fresh})
    return {name: _addresses[name] for name in names}


def _module(kernel: Kernel) -> Module:
    module = Module(kernel.name)
    with concretely():
        kernel.emit(module)
    return module


def _key(name: str) -> str:
    target = targets.target()
    setting = f"{_generator()} {objects.compiler_version()} {target.architecture} {target.cpu} {target.features} {name}"
    return hashlib.sha256(setting.encode()).hexdigest()


@functools.cache
def _generator() -> str:
    """What the code generator is: a hash of its source, since a kernel's name says only what it is given."""
    folder = Path(codegen.__file__).parent
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()
