"""Which of TensorFlow's names are there: `python -m tests.tf_names` writes docs/tf.md.

`tf_names.txt` has the public names of TensorFlow 2.21's modules beside Keras, and after a tab how many of the Keras
code examples use a name.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

import duograph.tf as tf
from tests.torch_names import wrapped

NAMES = Path(__file__).with_name("tf_names.txt")
PAGE = Path(__file__).parent.parent / "docs" / "tf.md"

INTRODUCTION = """# TensorFlow's names

<!-- Written by `python -m tests.tf_names`. -->

Beside Keras, whose names are all there, TensorFlow has {total} public names in the modules listed here; {there} of
them are there. Of the {used} that the Keras code examples use, {used_there} are. Each name that is not there raises an
error that says what to use instead.

A module that holds names of TensorFlow's or Keras's, and none of PyTorch's, speaks TensorFlow: its operators refuse
tensors of two dtypes and give what is no tensor the dtype of the one that is, integers divide to float64, `x += y`
makes a new tensor, and tensors, shapes and dtypes print as TensorFlow's do. NumPy's functions see arrays in the place
of tensors, and `numpy()` of one number gives one of NumPy's scalars. A module with names of both speaks PyTorch.

Where Keras on TensorFlow updates an embedding by Adam and its kin, it adds the squares of what a row gets from several
places of a batch, and not the square of the sum; here it is the square of the sum, as on Keras's other backends.
"""


def names() -> dict[str, int]:
    """TensorFlow's names, and how many programs use each."""
    rows = (line.split("\t") for line in NAMES.read_text("utf-8").splitlines())
    return {row[0]: int(row[1]) if len(row) > 1 else 0 for row in rows}


def look_up(name: str) -> Any:
    """What a name stands for. Raises AttributeError where it is not there."""
    found: Any = tf
    for part in name.split("."):
        found = getattr(found, part)
    return found


def is_there(name: str) -> bool:
    """Whether a name can be used."""
    try:
        look_up(name)
    except AttributeError:
        return False
    return True


def instead(name: str) -> str:
    """What the error of a name that is not there says to use."""
    try:
        look_up(name)
    except AttributeError as error:
        return str(error).partition("Instead: ")[2]
    raise ValueError(f"{name} is there")


def room(name: str) -> str:
    """The module a name is in, "" for TensorFlow's top."""
    return name.rpartition(".")[0]


def page() -> str:
    """The text of docs/tf.md."""
    every = names()
    there = [name for name in every if is_there(name)]
    lacking = [name for name in every if name not in there]
    used = [name for name in every if every[name]]
    parts = [
        INTRODUCTION.format(
            total=len(every), there=len(there), used=len(used), used_there=sum(name in there for name in used)
        ),
        "## Used by programs and not there\n",
        "| Name | Instead |\n| --- | --- |\n"
        + "".join(f"| `tf.{name}` | {instead(name)} |\n" for name in lacking if every[name]),
        "## There\n",
    ]
    for title, of_room in groupby(sorted(there, key=lambda name: (room(name), name)), room):
        parts += [
            f"### {f'tf.{title}' if title else 'tf'}\n",
            wrapped(", ".join(f"`{n.rpartition('.')[2]}`" for n in of_room)) + "\n",
        ]
    parts.append("## Not there\n")
    parts.append(wrapped(", ".join(f"`tf.{name}`" for name in lacking)) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
