"""Compiled objects to running code: a small linker and loader for ELF on x86-64, and LLVM's own everywhere else.

LLVM's loader would serve everywhere, but loading LLVM takes 45 to 150 ms and 40 MB. A process whose kernels all come
from the disk cache needs neither: on x86-64 Linux, where nearly all training happens, objects are placed in memory
here, in 0.1 ms.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import mmap
import os
import platform
import struct
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..graph.errors import DuographError


class LinkError(DuographError, RuntimeError):
    """Objects that cannot be linked: a symbol nobody defines, one defined twice, or an object of another machine."""


@dataclass(frozen=True)
class Object:
    """Compiled code and the names that it defines for others."""

    exports: tuple[str, ...]
    code: bytes

    def packed(self) -> bytes:
        """As bytes, for the disk."""
        return "\n".join(self.exports).encode() + b"\0" + self.code

    @classmethod
    def unpacked(cls, content: bytes) -> Object:
        """From the bytes that `packed` gave."""
        names, _, code = content.partition(b"\0")
        return cls(tuple(names.decode().split("\n")), code)


class Image:
    """Linked code in memory. It goes when the image does: whoever holds an address must hold the image.

    Attributes:
        symbols: The address of every function and variable that the objects define for others.
    """

    def __init__(self, symbols: dict[str, int], memory: object, using: Sequence[Image] = ()) -> None:
        self.symbols = symbols
        self._kept = (memory, *using)

    def __getitem__(self, name: str) -> int:
        return self.symbols[name]

    def function(self, name: str, returns: Any = None, *arguments: Any) -> Any:
        """A function as a Python callable of ctypes' types, which keeps the image. Without types, it takes anything."""
        function: Any = ctypes.CFUNCTYPE(returns, *arguments)(self[name])
        function.image = self
        return function


def link(objects: Sequence[Object], using: Sequence[Image] = ()) -> Image:
    """Place objects in memory, where they may call one another, the images given, and the C and mathematics libraries.

    Args:
        objects: What the compiler made.
        using: Images whose symbols the objects may use. A definition among the objects goes before. The result keeps
            them in memory.

    Raises:
        LinkError: A symbol is defined nowhere, or twice, or an object is not for this machine.
    """
    imports: dict[str, int] = {}
    for image in using:
        imports |= image.symbols
    symbols, memory = _Linker(objects, imports).place() if direct() else _place_by_llvm(objects, imports)
    return Image(symbols, memory, using)


def direct() -> bool:
    """Whether objects are linked here, without LLVM."""
    return sys.platform == "linux" and platform.machine() == "x86_64"


@functools.cache
def library_symbol(name: str) -> int | None:
    """The address of a function of the process: of the C library or the mathematics library."""
    for library in _libraries():
        try:
            return ctypes.cast(getattr(library, name), ctypes.c_void_p).value
        except AttributeError:
            continue
    return None


@functools.cache
def _libraries() -> list[ctypes.CDLL]:
    names: dict[str, list[str | None]] = {"linux": [None, "libm.so.6"], "win32": ["ucrtbase", "kernel32"]}
    found = []
    for name in names.get(sys.platform, [None]):
        try:
            found.append(ctypes.CDLL(name))
        except OSError:
            continue
    return found


# ELF, by the System V ABI and its x86-64 supplement.

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QQq")
_RELOCATABLE, _X86_64 = 1, 62
_SYMBOLS, _ADDENDS, _ZEROS, _UNWIND = 2, 4, 8, 0x70000001  # kinds of section
_WRITE, _ALLOCATE = 1, 2  # flags of a section
_LOCAL, _WEAK = 0, 2  # bindings of a symbol
_UNDEFINED = 0
_ABS64, _PC32, _PLT32, _PC64 = 1, 2, 4, 24  # kinds of relocation
_SLOT = (9, 41, 42)  # GOTPCREL and its two relaxable forms: by way of a slot that holds the address
_SLOT_BYTES = 16
_JUMP = b"\xff\x25\x02\x00\x00\x00\x66\x90"  # jmp *2(%rip): over the two bytes of padding stands the address


class _Symbol(NamedTuple):
    name: str
    binding: int
    section: int
    value: int


@dataclass
class _Section:
    kind: int
    flags: int
    offset: int
    size: int
    link: int
    info: int
    align: int
    address: int = 0  # from the start of the image


class _Part:
    """One object file, taken apart."""

    def __init__(self, code: bytes) -> None:
        if len(code) < _HEADER.size or code[:5] != b"\x7fELF\x02":
            raise LinkError("expected an ELF object of 64 bits, received something else")
        header = _HEADER.unpack_from(code)
        if header[1:3] != (_RELOCATABLE, _X86_64):
            raise LinkError(f"expected a relocatable object for x86-64, received type {header[1]}, machine {header[2]}")
        self.code = code
        start, count = header[6], header[12]
        self.sections = [
            # Unwind tables are left out: kernels never unwind.
            _Section(kind, 0 if kind == _UNWIND else flags, offset, size, link, info, align)
            for _, kind, flags, _, offset, size, link, info, align, _ in _SECTION.iter_unpack(
                code[start : start + count * _SECTION.size]
            )
        ]
        self.symbols = self._read_symbols()
        self.relocations = [
            (self.sections[table.info], offset, info & 0xFFFFFFFF, self.symbols[info >> 32], addend)
            for table in self.sections
            if table.kind == _ADDENDS and self.sections[table.info].flags & _ALLOCATE
            for offset, info, addend in _RELOCATION.iter_unpack(self.content(table))
        ]
        self.outside = {
            symbol.name for _, _, kind, symbol, _ in self.relocations if symbol.section == _UNDEFINED or kind in _SLOT
        }

    def content(self, section: _Section) -> bytes:
        return self.code[section.offset : section.offset + section.size]

    def _read_symbols(self) -> list[_Symbol]:
        table = next((section for section in self.sections if section.kind == _SYMBOLS), None)
        if table is None:
            return []
        names = self.content(self.sections[table.link])
        return [
            _Symbol(names[name : names.index(b"\0", name)].decode(), info >> 4, section, value)
            for name, info, _, section, value, _ in _SYMBOL.iter_unpack(self.content(table))
        ]


class _Linker:
    """One run of the linker: lay out the sections, resolve the symbols, apply the relocations, protect the pages.

    Code and constants come first and end up readable and executable; writable data follows on pages of its own.
    A symbol from outside gets a slot with a jump to it, for calls from too far away, and its address.
    """

    def __init__(self, objects: Sequence[Object], imports: Mapping[str, int]) -> None:
        self.imports = imports
        self.parts = [_Part(item.code) for item in objects]
        self.outside = sorted(set().union(*(part.outside for part in self.parts)))

    def place(self) -> tuple[dict[str, int], mmap.mmap]:
        allocated = [section for part in self.parts for section in part.sections if section.flags & _ALLOCATE]
        fixed = _lay_out([section for section in allocated if not section.flags & _WRITE], 0)
        slots = _aligned(fixed, _SLOT_BYTES)
        code_end = _aligned(slots + _SLOT_BYTES * len(self.outside), mmap.PAGESIZE)
        end = _lay_out([section for section in allocated if section.flags & _WRITE], code_end)

        memory = mmap.mmap(-1, max(end, 1), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, mmap.PROT_READ | mmap.PROT_WRITE)
        self.memory = memory
        self.base = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        self.defined = self._definitions()
        self.slots = {name: self.base + slots + _SLOT_BYTES * i for i, name in enumerate(self.outside)}
        for name, slot in self.slots.items():
            self._write(slot, _JUMP + struct.pack("<Q", self._address(name)))
        for part in self.parts:
            for section in part.sections:
                if section.flags & _ALLOCATE and section.kind != _ZEROS:
                    self._write(self.base + section.address, part.content(section))
            for section, offset, kind, symbol, addend in part.relocations:
                place = self.base + section.address + offset
                self._relocate(place, kind, symbol, self._target(part, kind, symbol) + addend, addend)
        _protect(self.base, code_end)
        return self.defined, memory

    def _write(self, address: int, content: bytes) -> None:
        self.memory[address - self.base : address - self.base + len(content)] = content

    def _definitions(self) -> dict[str, int]:
        """The addresses of what the parts define for others. A weak definition gives way, and may repeat."""
        strong: dict[str, int] = {}
        weak: dict[str, int] = {}
        for part in self.parts:
            for name, binding, section, value in part.symbols:
                if binding == _LOCAL or section == _UNDEFINED:
                    continue
                address = self.base + part.sections[section].address + value
                if binding == _WEAK:
                    weak.setdefault(name, address)
                elif strong.setdefault(name, address) != address:
                    raise LinkError(f"symbol {name} is defined twice")
        return weak | strong

    def _address(self, name: str) -> int:
        address = self.defined.get(name) or self.imports.get(name) or library_symbol(name)
        if not address:
            raise LinkError(f"symbol {name} is defined nowhere")
        return address

    def _target(self, part: _Part, kind: int, symbol: _Symbol) -> int:
        if kind in _SLOT:
            return self.slots[symbol.name] + len(_JUMP)
        if symbol.binding == _LOCAL and symbol.section != _UNDEFINED:
            return self.base + part.sections[symbol.section].address + symbol.value
        return self._address(symbol.name)

    def _relocate(self, place: int, kind: int, symbol: _Symbol, target: int, addend: int) -> None:
        if kind == _PLT32 and not -(1 << 31) <= target - place < 1 << 31:
            target = self.slots[symbol.name] + addend
        if kind == _ABS64:
            self._write(place, struct.pack("<Q", target))
        elif kind == _PC64:
            self._write(place, struct.pack("<q", target - place))
        elif kind in (_PC32, _PLT32, *_SLOT):
            self._write(place, struct.pack("<i", target - place))
        else:
            raise LinkError(f"expected a relocation that kernels have, received kind {kind} against {symbol.name!r}")


def _aligned(address: int, to: int) -> int:
    return -(-address // to) * to


def _lay_out(sections: list[_Section], start: int) -> int:
    """Give each section its place from `start` on; returns the end."""
    for section in sections:
        section.address = _aligned(start, max(section.align, 1))
        start = section.address + section.size
    return start


def _protect(address: int, size: int) -> None:
    """Make pages readable and executable, and no longer writable."""
    if size and _mprotect()(address, size, mmap.PROT_READ | mmap.PROT_EXEC):
        raise LinkError(f"this system refuses to make memory executable: {os.strerror(ctypes.get_errno())}")


@functools.cache
def _mprotect() -> Any:
    function = ctypes.CDLL(None, use_errno=True).mprotect
    function.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    return function


# LLVM's linker.

_numbers = itertools.count()


@functools.cache
def _lljit() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.create_lljit_compiler(suppress_errors=True)


def _place_by_llvm(objects: Sequence[Object], imports: Mapping[str, int]) -> tuple[dict[str, int], object]:
    import llvmlite.binding as llvm

    builder = llvm.JITLibraryBuilder().add_current_process()
    names = [name for item in objects for name in item.exports]
    for item in objects:
        builder.add_object_img(item.code)
    for name in names:
        builder.export_symbol(name)
    for name, address in imports.items():
        if name not in names:
            builder.import_symbol(name, address)
    try:
        # The tracker keeps the code in memory. The library's name cannot be used again.
        tracker = builder.link(_lljit(), f"duograph.{next(_numbers)}")
    except RuntimeError as error:
        raise LinkError(str(error)) from None
    return {name: tracker[name] for name in names}, tracker
