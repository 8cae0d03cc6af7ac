"""What is measured about an installation rather than a program: the machine, import times, sizes on disk."""

import os
import platform
import re
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from .process import ROOT

_TIMED_IMPORT = "import time; s = time.perf_counter(); import {module}; print(time.perf_counter() - s)"


def describe() -> dict[str, Any]:
    """The machine and the versions, for whoever reads the numbers later."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: version for name in ("numpy", "llvmlite", *_DISTRIBUTIONS) if (version := _version(name))},
    }


# The distribution that brings each framework, where the names differ.
_DISTRIBUTIONS = ("duograph", "torch", "tensorflow", "tensorflow-cpu", "jax", "jaxlib", "keras")


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor()
    fields = dict(re.findall(r"^(model name|cpu family|model|vendor_id)\s*:\s*(.*)$", text, re.MULTILINE))
    family = f"{fields.get('vendor_id', '')} family {fields.get('cpu family', '?')} model {fields.get('model', '?')}"
    return f"{fields.get('model name', 'unknown')} ({family})"


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def import_times(modules: Sequence[str], rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Median seconds of `import module` in fresh processes, the modules taking turns. The first turn warms the disk."""
    seconds: dict[str, list[float]] = {module: [] for module in modules}
    errors: dict[str, str] = {}
    for number in range(rounds + 1):
        say(f"import times: round {number} of {rounds}")
        for module in modules:
            if module in errors:
                continue
            done = subprocess.run(
                [sys.executable, "-W", "ignore", "-c", _TIMED_IMPORT.format(module=module)],
                check=False,
                cwd=ROOT,
                env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
                capture_output=True,
                text=True,
            )
            if done.returncode:
                errors[module] = (done.stderr.strip().splitlines() or ["no message"])[-1]
            elif number:
                seconds[module].append(float(done.stdout.split()[-1]))
    return {
        module: {"error": errors[module]} if module in errors else {"seconds": statistics.median(seconds[module])}
        for module in modules
    }


def installed_bytes(framework: str) -> int | None:
    """Bytes on disk of a framework and of all it requires, or None if it is not installed here."""
    names = {"tensorflow": ("tensorflow", "tensorflow-cpu")}.get(framework, (framework,))
    distribution = next((name for name in names if _version(name)), None)
    if distribution:
        return sum(map(_bytes_of, _closure([distribution])))
    if framework == "duograph":  # run from a checkout
        package = sum(p.stat().st_size for p in (ROOT / "duograph").rglob("*") if p.is_file() and p.suffix != ".pyc")
        return package + sum(map(_bytes_of, _closure(_declared())))
    return None


def _declared() -> list[str]:
    """The requirements that the checkout's project file declares."""
    project = ROOT / "pyproject.toml"
    if not project.exists():
        return []
    return tomllib.loads(project.read_text())["project"].get("dependencies", [])


def _closure(requirements: list[str]) -> set[str]:
    """The installed distributions that these requirements lead to. Extras are left out."""
    found: set[str] = set()
    pending = list(requirements)
    while pending:
        requirement = pending.pop()
        match = re.match(r"[A-Za-z0-9._-]+", requirement)
        if match is None or "extra ==" in requirement:
            continue
        name = re.sub(r"[-_.]+", "-", match[0]).lower()
        if name not in found and _version(name):
            found.add(name)
            pending += metadata.requires(name) or []
    return found


def _bytes_of(distribution: str) -> int:
    files = metadata.files(distribution) or []
    paths = (Path(str(file.locate())) for file in files if file.suffix != ".pyc")
    return sum(path.stat().st_size for path in paths if path.is_file())
