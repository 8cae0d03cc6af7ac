"""The machine that code is generated for: CPU, vector width, caches and cores.

The CPU is this machine's, or what `DUOGRAPH_CPU` names: `x86-64` (SSE2), `x86-64-v2`, `x86-64-v3` (AVX2 and FMA),
`x86-64-v4` (AVX-512), or `baseline`, the plainest CPU of the architecture.

Nothing here loads LLVM where it can be helped: LLVM's name for this CPU is kept beside the cached objects.
"""

from __future__ import annotations

import functools
import hashlib
import math
import os
import platform
from dataclasses import dataclass

from ..graph.errors import ArgumentError
from . import objects

# What each x86-64 level adds that a kernel can notice, by LLVM's feature names.
_LEVELS = {
    "x86-64": (),
    "x86-64-v2": ("sse4.2",),
    "x86-64-v3": ("sse4.2", "avx2", "fma", "f16c", "bmi2"),
    "x86-64-v4": ("sse4.2", "avx2", "fma", "f16c", "bmi2", "avx512f", "avx512bw", "avx512dq", "avx512vl"),
}

# What every CPU of an architecture has, named or not.
_ALWAYS = {"x86_64": ("sse2",), "aarch64": ("neon", "fp-armv8")}


@dataclass(frozen=True)
class Target:
    """A CPU that code is generated for."""

    architecture: str  # "x86_64" or "aarch64"
    cpu: str  # LLVM's name
    features: str  # LLVM's feature string: "+avx2,-sse4a,..."
    vector_bytes: int
    vector_registers: int

    def lanes(self, element_bytes: int) -> int:
        """How many elements of this size a vector register holds."""
        return self.vector_bytes // element_bytes

    def has(self, feature: str) -> bool:
        """Whether the CPU has a feature, by LLVM's name for it."""
        if feature in _ALWAYS.get(self.architecture, ()):
            return True
        if self.cpu in _LEVELS:
            return feature in _LEVELS[self.cpu]
        return f"+{feature}" in self.features.split(",")


@dataclass(frozen=True)
class Caches:
    """Data cache sizes in bytes, as one core sees them."""

    l1: int
    l2: int
    l3: int


@functools.cache
def target() -> Target:
    """The CPU that kernels are compiled for in this process.

    Raises:
        ArgumentError: `DUOGRAPH_CPU` names a CPU that is unknown, of another architecture, or more than this one.
    """
    wanted = os.environ.get("DUOGRAPH_CPU", "").strip().lower()
    return named(wanted) if wanted not in ("", "host", "native") else host()


@functools.cache
def host() -> Target:
    """This machine's CPU, with all it has."""
    cpu, features = _host_description()
    return _described(architecture(), cpu, features)


def named(name: str) -> Target:
    """A CPU by the name that `DUOGRAPH_CPU` takes: what runs on it runs on this machine too.

    Raises:
        ArgumentError: The name is unknown, of another architecture, or asks for more than this machine has.
    """
    machine = architecture()
    known = ["baseline", *(_LEVELS if machine == "x86_64" else ())]
    if name not in known:
        raise ArgumentError(f"DUOGRAPH_CPU must be one of {', '.join(known)} on {machine}, received {name!r}")
    if name == "baseline":
        return cross(machine)
    missing = [feature for feature in _LEVELS.get(name, ()) if not host().has(feature)]
    if missing:
        raise ArgumentError(f"DUOGRAPH_CPU={name} needs {', '.join(missing)}, which this machine does not have")
    return _described(machine, name, "")


def cross(machine: str) -> Target:
    """The plainest CPU of an architecture, this machine's or not: `jit.object_for` makes code for it."""
    return _described(machine, "x86-64" if machine == "x86_64" else "generic", "")


def architecture() -> str:
    """`x86_64` or `aarch64`, whatever the system calls it."""
    machine = platform.machine().lower()
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)


def _described(machine: str, cpu: str, features: str) -> Target:
    plain = Target(machine, cpu, features, 16, 16)
    if machine == "aarch64":
        return Target(machine, cpu, features, 16, 32)
    if plain.has("avx512f") and plain.has("avx512vl"):
        # LLVM avoids 512-bit vectors on CPUs that once slowed down for them; kernels here use nothing else. On Zen 4,
        # which runs them as two halves, both widths peak at the same 32 float operations a cycle: 116 GFLOP/s in a
        # matmul's inner loop with 14x32, 12x32, 6x64 and 8x48 tiles of 512 bits; of 256 bits 114-116 with 6x16 and
        # 8x24 tiles, but 97 with 12x16. A chain of elementwise operations ran 1.5 times as fast with 512 bits, since
        # half the instructions are fetched and decoded.
        return Target(machine, cpu, f"{features},-prefer-256-bit".lstrip(","), 64, 32)
    return Target(machine, cpu, features, 32 if plain.has("avx2") else 16, 16)


def _host_description() -> tuple[str, str]:
    """LLVM's name and features of this CPU: remembered from the last start if this is still the same machine."""
    fingerprint = _fingerprint()
    cache = objects.cache()
    if fingerprint is not None:
        remembered = cache.get(fingerprint)
        if remembered is not None:
            cpu, _, features = remembered.decode().partition("\n")
            return cpu, features
    import llvmlite.binding as llvm

    cpu, features = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    if fingerprint is not None:
        cache.put(fingerprint, f"{cpu}\n{features}".encode())
    return cpu, features


def _fingerprint() -> str | None:
    """A key for what the kernel tells of the first processor, or None where it tells nothing."""
    try:
        with open("/proc/cpuinfo", "rb") as file:
            processor = file.read(8192).partition(b"\n\n")[0]
    except OSError:
        return None
    steady = [line for line in processor.splitlines() if not line.startswith((b"cpu MHz", b"bogomips", b"BogoMIPS"))]
    return hashlib.sha256(b"host " + objects.compiler_version().encode() + b"\n".join(steady)).hexdigest()


@functools.cache
def caches() -> Caches:
    """The data caches of the first processor; where the system does not tell, 32 KiB, 1 MiB and 8 MiB."""
    sizes = {1: 32 << 10, 2: 1 << 20, 3: 8 << 20}
    for index in range(8):
        cache = f"/sys/devices/system/cpu/cpu0/cache/index{index}"
        level, kind, size = _text(f"{cache}/level"), _text(f"{cache}/type"), _text(f"{cache}/size")
        if kind in ("Data", "Unified") and level.isdecimal() and size[:-1].isdecimal() and size[-1] in "KMG":
            sizes[int(level)] = int(size[:-1]) << {"K": 10, "M": 20, "G": 30}[size[-1]]
    return Caches(sizes[1], sizes[2], sizes[3])


@functools.cache
def cores() -> int:
    """Physical cores that this process may use, by its affinity and its cgroup's quota."""
    try:
        allowed = os.sched_getaffinity(0)
    except AttributeError:  # macOS and Windows: no affinity
        return os.cpu_count() or 1
    topology = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
    siblings = {_text(topology.format(cpu)) or str(cpu) for cpu in allowed}
    return max(1, min(len(siblings), _quota()))


def _quota() -> int:
    """Processors' worth of time that the container may use."""
    limit, _, period = _text("/sys/fs/cgroup/cpu.max").partition(" ")
    if limit.isdecimal() and period.isdecimal():
        return math.ceil(int(limit) / int(period))
    return os.cpu_count() or 1  # no cgroup of version 2, or "max": no limit


def _text(path: str) -> str:
    """What a small file of the kernel's says, or nothing."""
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""
