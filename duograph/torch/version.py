"""`torch.version`: of what a build of PyTorch for CPUs says."""

from __future__ import annotations

__version__ = "2.13.0"
cuda = hip = xpu = git_version = None
debug = False
