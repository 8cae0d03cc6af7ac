"""The direction of imports, and what an import of Duograph may load.

`LAYERS` is the house of docs/design.md, from the ground up. A room may import rooms of the layers below its own and
nothing else of the house: neither a room above it, nor another room of its layer. Every import statement counts,
wherever it stands, so that a cycle cannot hide inside a function; only imports for type checking are free.
"""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "duograph"

LAYERS: tuple[frozenset[str], ...] = tuple(
    frozenset(layer.split())
    for layer in (
        "graph tree extras events",
        "gradient compiler",
        "codegen",
        "runtime",
        "tensor",
        "autograd",
        "functional",
        "ops",
        "nn transforms",
        "optim data checkpoint debug",
        "replay",
        "array_api",
        "substitute",
        "torch",
        "tf",
        "keras",
        "show",
        "demo",
        "run",
        "cli",
        "__main__",
    )
)
RANK = {room: rank for rank, layer in enumerate(LAYERS) for room in layer}

FACADE = "__init__"
"""`duograph/__init__.py`, the shop window: it may import any room. `__version__` may be taken from it by all."""

FACADE_USERS = RANK["array_api"]
"""From this layer up, rooms may use the shop window itself: it loads none of them before it is asked to."""

IMPORT_NAMES = {"absl-py": "absl", "ml-dtypes": "ml_dtypes"}
"""What a distribution is imported as, where that is not its own name."""


@dataclass(frozen=True)
class Import:
    """One import of module `target` by `file`, at `line`."""

    file: Path
    line: int
    target: str
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line} imports {self.target}"


def for_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node of the tree, less the bodies of `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(tree):
        if for_type_checking(child):
            assert isinstance(child, ast.If)
            for alternative in child.orelse:
                yield alternative
                yield from statements(alternative)
            continue
        yield child
        yield from statements(child)


def imports_of(file: Path, source: str | None = None) -> list[Import]:
    """All imports of a module of the package, relative ones resolved."""
    package = ("duograph", *file.relative_to(PACKAGE).parent.parts)
    found: list[Import] = []
    for node in statements(ast.parse(source if source is not None else file.read_text("utf-8"), str(file))):
        if isinstance(node, ast.Import):
            found += [Import(file, node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *([node.module] if node.module else [])))
            if module == "duograph":  # `from duograph import nn`, or `from .. import nn`: each name may be a room
                for alias in node.names:
                    is_room = (PACKAGE / alias.name).is_dir() or (PACKAGE / f"{alias.name}.py").exists()
                    target = f"duograph.{alias.name}" if is_room else "duograph"
                    found.append(Import(file, node.lineno, target, (alias.name,)))
            else:
                found.append(Import(file, node.lineno, module, tuple(alias.name for alias in node.names)))
    return found


def room_of(file: Path) -> str:
    first = file.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def violation(found: Import) -> str | None:
    """What is wrong with an import, if anything is."""
    top, _, rest = found.target.partition(".")
    here = room_of(found.file)
    if top != "duograph" or here == FACADE:
        return None
    there = rest.partition(".")[0]
    if not there:
        allowed = RANK.get(here, 0) >= FACADE_USERS or found.names == ("__version__",)
        return None if allowed else f"{found} itself: take it from the room where it is made"
    if there == here:
        return None
    if not {here, there} <= RANK.keys():
        return f"{found}: LAYERS lacks {here!r} or {there!r}"
    if RANK[there] >= RANK[here]:
        return f"{found}: {there!r} is not below {here!r} (layer {RANK[there]} against {RANK[here]})"
    return None


FILES = sorted(PACKAGE.rglob("*.py"))


def test_every_room_has_a_layer() -> None:
    rooms = {room_of(file) for file in FILES} - {FACADE}
    assert rooms <= set(RANK), f"rooms without a layer: {sorted(rooms - set(RANK))}; add them to LAYERS"


def test_imports_go_downwards() -> None:
    wrong = [message for file in FILES for found in imports_of(file) if (message := violation(found))]
    assert not wrong, "\n" + "\n".join(wrong)


@pytest.mark.parametrize(
    ("room", "source", "is_wrong"),
    [
        ("graph/node.py", "from ..tensor import Tensor", True),
        ("graph/node.py", "def late():\n    from duograph.tensor.core import Tensor", True),
        ("graph/node.py", "from .. import tensor", True),
        ("graph/node.py", "import duograph.tensor", True),
        ("graph/node.py", "import duograph", True),
        (
            "graph/node.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..tensor import Tensor",
            False,
        ),
        ("graph/primitives/rules.py", "from ...runtime import buffer", True),
        ("graph/primitives/rules.py", "from ..dtype import DType", False),
        ("nn/module.py", "from ..optim import Adam", True),
        ("nn/module.py", "from ..tensor import Tensor", False),
        ("tf/__init__.py", "import duograph.torch as torch", False),
        ("torch/__init__.py", "from .. import __version__", False),
        ("torch/__init__.py", "from .. import tf", True),
    ],
)
def test_the_rule_itself(room: str, source: str, is_wrong: bool) -> None:
    assert any(violation(found) for found in imports_of(PACKAGE / room, source)) is is_wrong


def declared_dependencies() -> set[str]:
    """Import names of the core dependencies and of those of the extras that users install."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["plot"]]
    names = {re.match(r"[\w.-]+", requirement).group().lower() for requirement in wanted}  # type: ignore[union-attr]
    return {IMPORT_NAMES.get(name, name.replace("-", "_")) for name in names}


def test_nothing_undeclared_is_imported() -> None:
    allowed = declared_dependencies() | set(sys.stdlib_module_names) | {"duograph"}
    wrong = [
        str(found) for file in FILES for found in imports_of(file) if found.target.partition(".")[0] not in allowed
    ]
    assert not wrong, "imports of packages that pyproject.toml does not declare:\n" + "\n".join(wrong)


def modules_after(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after `statement`."""
    program = f"{statement}\nimport sys\nprint('\\n'.join({{name.partition('.')[0] for name in sys.modules}}))"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(run.stdout.split())


@pytest.mark.parametrize("statement", ["import duograph", "import duograph.torch"])
def test_the_import_is_light(statement: str) -> None:
    heavy = {"llvmlite", "keras", "rich", "typer", "matplotlib", "torch", "tensorflow", "jax", "scipy", "pandas"}
    assert not modules_after(statement) & heavy


def test_the_import_loads_declared_packages_alone() -> None:
    """Beyond the standard library and what the dependencies themselves declare, nothing is loaded."""
    bare = modules_after("pass")  # site customisations of this machine
    extra = modules_after("import duograph") - bare - set(sys.stdlib_module_names) - {"duograph"}
    owners = importlib.metadata.packages_distributions()
    undeclared = {name for name in extra if name in owners} - declared_dependencies()
    assert not undeclared
