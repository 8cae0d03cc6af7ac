"""Settings of pipelines, and numbers that stand for sizes that are none."""

from __future__ import annotations

AUTOTUNE = -1
INFINITE_CARDINALITY = -1
UNKNOWN_CARDINALITY = -2


class Options:
    """Settings of a pipeline, kept for programs that set them: any attribute can be. None changes a result."""

    def __init__(self) -> None:
        self.deterministic: bool | None = None
        self.autotune, self.threading = _Group(), _Group()
        self.experimental_optimization, self.experimental_distribute = _Group(), _Group()

    def merge(self, options: Options) -> Options:
        """These settings, those of `options` first."""
        merged = Options()
        merged.__dict__.update(self.__dict__)
        merged.__dict__.update({k: v for k, v in options.__dict__.items() if v is not None})
        return merged


class _Group:
    """Settings of one kind."""
