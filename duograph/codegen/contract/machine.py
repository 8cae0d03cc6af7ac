"""What of a CPU shapes the code of a contraction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...runtime.targets import Caches, Target


@dataclass(frozen=True)
class Machine:
    """Vector registers, caches in bytes, and whether there are instructions for a fused multiply-add, for the
    conversion of half precision, for products of pairs of bfloat16 that are summed in float, and for stores past the
    caches."""

    vector_bytes: int
    vector_registers: int
    fma: bool
    half: bool = True
    l1: int = 32 << 10
    l2: int = 1 << 20
    l3: int = 8 << 20
    pairs: bool = False
    streaming: bool = False

    @classmethod
    def of(cls, target: Target, caches: Caches) -> Machine:
        """The machine that `runtime.targets` describes."""
        fma, half = (target.architecture != "x86_64" or target.has(feature) for feature in ("fma", "f16c"))
        pairs = target.vector_bytes == 64 and target.has("avx512bf16")
        return cls(
            target.vector_bytes,
            target.vector_registers,
            fma,
            half,
            caches.l1,
            caches.l2,
            caches.l3,
            pairs,
            streaming=target.architecture == "x86_64",
        )
