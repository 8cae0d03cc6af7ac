"""Kernels to addresses of machine code: each is emitted and compiled once, and not at all if the disk has it."""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Iterable, Sequence
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
        missing = {name: kernel for name, kernel in wanted.items() if name not in _addresses}
        if missing:
            cache, found, keys = objects.cache(), [], {}
            for name in missing:
                key = _key(name)
                stored = cache.get(key)
                if stored is None:
                    keys[name] = key
                else:
                    found.append(Object.unpacked(stored))
            if keys:
                fresh = jit.compile_many([_module(missing[name]) for name in keys])
                for key, made in zip(keys.values(), fresh, strict=True):
                    cache.put(key, made.packed())
                found += fresh
                compiled.update(keys)
            image = link(found)
            _images.append(image)
            _addresses.update({name: image[name] for name in missing})
        return {name: _addresses[name] for name in wanted}


def stored(names: Sequence[str]) -> dict[str, int] | None:
    """Where the code of these kernels is, if it is in memory or on disk."""
    with _lock:
        missing = [name for name in names if name not in _addresses]
        found = [objects.cache().get(_key(name)) for name in missing]
        if None in found:
            return None
        if missing:
            image = link([Object.unpacked(content) for content in found if content is not None])
            _images.append(image)
            _addresses.update({name: image[name] for name in missing})
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
