"""The command `duograph`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import __version__
from .demo.task import DataSet
from .graph.errors import DuographError
from .show import MissingExtra

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"duograph {__version__}")
        raise typer.Exit


@app.callback()
def _duograph(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """One deep-learning engine with two faces: PyTorch's and Keras's."""


@app.command()
def demo(
    data: Annotated[DataSet, typer.Option(help="What to learn; digits is bundled.")] = DataSet.DIGITS,
    folder: Annotated[Path | None, typer.Option(help="Where the idx files of mnist or fashion-mnist are.")] = None,
    out: Annotated[Path, typer.Option(help="Where the pictures and the trained networks go.")] = Path("duograph-demo"),
    epochs: Annotated[int | None, typer.Option(min=1, help="Rounds over the training images.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of all random numbers.")] = 0,
) -> None:
    """Train one convolutional network on images in both dialects, and draw what came of it."""
    from .demo.program import demo as run  # here, since it loads Keras

    run(data, folder, out, epochs, seed)


@app.command(context_settings={"allow_interspersed_args": False, "ignore_unknown_options": True})
def run(
    program: Annotated[str, typer.Argument(help="The Python file, or with -m the module.", show_default=False)],
    arguments: Annotated[
        list[str] | None, typer.Argument(help="What it finds in sys.argv.", show_default=False)
    ] = None,
    module: Annotated[bool, typer.Option("-m", help="The program is a module's name, as in python -m.")] = False,
) -> None:
    """Run a program that says `import torch`, `import tensorflow` or `import keras` on Duograph, as it stands."""
    from .run import run as execute  # here, since most commands need no frameworks' names

    execute(program, arguments or (), module)


def main() -> None:
    """Run the command; an error of the user's ends it with one line and exit code 1."""
    try:
        app()
    except (DuographError, MissingExtra, OSError) as error:
        message = error.args[0] if isinstance(error, DuographError) else error  # not the line: it is the command's own
        raise SystemExit(f"duograph: {message}") from error
