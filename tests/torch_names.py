"""Which of PyTorch's names that programs use are there: `python -m tests.torch_names` writes docs/torch.md.

`torch_names.txt` has the names that two or more of some 400 public PyTorch programs use. `Tensor.x()` and `Module.x()`
are methods, `[T|M].x()` could be either, `attr.x` is an attribute of tensors or modules, `F` is torch.nn.functional.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import duograph.torch as torch
from duograph.torch.alternatives import alternative

NAMES = Path(__file__).with_name("torch_names.txt")
PAGE = Path(__file__).parent.parent / "docs" / "torch.md"
ROOMS = {"F": "nn.functional", "optim": "optim", "lr_scheduler": "optim.lr_scheduler", "nn": "nn"}

INTRODUCTION = """# PyTorch's names

<!-- Written by `python -m tests.torch_names`. -->

Of the {total} names of PyTorch that two or more of some 400 public programs use, {there} are there. `F` is
`torch.nn.functional`; `Tensor.x()` is a method of tensors, `Module.x()` one of modules, `attr.x` an attribute. What
each function does for all of PyTorch's own sample inputs is in `tests/peers/op_db_expected.json`.
"""


def dotted(name: str) -> str:
    """A name as one looks it up in `torch`: nn.functional.relu for F.relu, Tensor.view for Tensor.view()."""
    name = name.removesuffix("()").removeprefix("torch.")
    room, _, rest = name.partition(".")
    return f"{ROOMS[room]}.{rest}" if room in ROOMS else name


def is_there(name: str) -> bool:
    """Whether a name of the list can be used."""
    room, _, rest = dotted(name).partition(".")
    tensor, layer = torch.zeros(2, 2), torch.nn.Linear(1, 1)
    owners: dict[str, list[Any]] = {
        "Tensor": [tensor], "Module": [layer], "[T|M]": [tensor, layer], "attr": [tensor, layer],
        "Optimizer": [torch.optim.Optimizer],
    }  # fmt: skip
    if room in owners and rest:
        return any(hasattr(owner, rest) for owner in owners[room])
    found: Any = torch
    for part in dotted(name).split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            return False
    return True


def instead(name: str) -> str | None:
    """What to do in place of a name that is not there."""
    return alternative(dotted(name))


def page() -> str:
    """The text of docs/torch.md."""
    names = NAMES.read_text("utf-8").split("\n")[:-1]
    there = [name for name in names if is_there(name)]
    rows = [f"| `{name}` | {instead(name)} |" for name in names if name not in there]
    rooms: dict[str, list[str]] = {}
    for name in there:
        rooms.setdefault(re.match(r"\[T\|M\]|\w+", name).group(), []).append(name)  # type: ignore[union-attr]
    parts = [INTRODUCTION.format(total=len(names), there=len(there))]
    parts += ["## Not there\n", "| Name | Instead |\n| --- | --- |\n" + "\n".join(rows) + "\n", "## There\n"]
    parts += [wrapped(", ".join(f"`{name}`" for name in found)) + "\n" for found in rooms.values()]
    return "\n".join(parts)


def wrapped(text: str) -> str:
    """Lines of at most 120 characters; names are not broken."""
    lines = [""]
    for word in text.split(" "):
        if len(lines[-1]) + len(word) + 1 > 120:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
