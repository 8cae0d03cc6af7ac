"""Checkpoints of objects that hold variables."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duograph.torch as torch
from duograph.checkpoint.atomic import replace_file
from duograph.checkpoint.safetensors import load_file, save_file
from duograph.graph.errors import ArgumentError

from .errors import DataLossError, NotFoundError
from .module import Module
from .tensors import Tensor, convert_to_tensor

__all__ = ["Checkpoint", "CheckpointManager", "latest_checkpoint", "list_variables", "load_checkpoint"]


# -- files -------------------------------------------------------------------------------------------------------------
def file_of(prefix: Any) -> Path:
    """The file of a checkpoint, which programs know by its name without the ending."""
    return Path(f"{prefix}.safetensors")


def read_file(prefix: Any) -> dict[str, Tensor]:
    """The tensors of a checkpoint. Raises NotFoundError, and DataLossError for a damaged or other file."""
    try:
        return load_file(file_of(prefix))
    except FileNotFoundError as error:
        raise NotFoundError(f"{prefix}: there is no such checkpoint") from error
    except ArgumentError as error:
        raise DataLossError(str(error)) from error


def write_file(prefix: Any, tensors: dict[str, Tensor]) -> None:
    """Write a checkpoint: the file is there whole, or as it was before."""
    file_of(prefix).parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, file_of(prefix))


def note(folder: Path, names: list[str], filename: str = "checkpoint") -> None:
    """Write down which checkpoints a folder has, the oldest first."""
    with replace_file(folder / filename) as file:
        file.write(json.dumps({"latest": names[-1], "all": names}).encode())


def noted(folder: Path, filename: str = "checkpoint") -> list[str]:
    """The checkpoints of a folder that are still there."""
    try:
        names = json.loads((folder / filename).read_text())["all"]
        plain = [n for n in names if isinstance(n, str) and re.fullmatch(r"[^/\\\0]+", n)]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [n for n in plain if file_of(folder / n).is_file()]


def check(prefix: Any, name: str, there: Any, saved: Tensor) -> None:
    """Raises ValueError unless what was saved has this shape and dtype."""
    shape, dtype = tuple(there[0]), there[1]
    if shape != tuple(saved.shape) or dtype is not saved.dtype:
        raise ValueError(
            f"{name} has shape {shape} and dtype {dtype.name}. Received: {tuple(saved.shape)} and {saved.dtype.name} "
            f"in {prefix}"
        )


# -- objects -----------------------------------------------------------------------------------------------------------
def _variables(thing: Any, path: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """The variables below an object with their paths, each once."""
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if _is_variable(thing):
        yield path, thing
        return
    for name, part in _parts(thing):
        yield from _variables(part, f"{path}/{name}" if path else name, seen)


def _is_variable(thing: Any) -> bool:
    return hasattr(thing, "assign") and hasattr(thing, "trainable")


def _parts(thing: Any) -> list[tuple[str, Any]]:
    if isinstance(thing, dict):
        return [(str(key), thing[key]) for key in sorted(thing, key=str)]
    if isinstance(thing, list | tuple):
        return [(str(place), part) for place, part in enumerate(thing)]
    if isinstance(thing, Checkpoint):
        return [(name, part) for name, part in sorted(vars(thing).items()) if name != "save_counter"]
    if isinstance(thing, Module):
        return sorted(vars(thing).items())
    if _is_keras(thing):
        return _parts(list(getattr(thing, "weights", None) or thing.variables))
    return []


def _is_keras(thing: Any) -> bool:
    """Whether it is a layer, model, metric or optimiser of Keras's."""
    return not isinstance(thing, type) and isinstance(getattr(thing, "variables", None), list)


def _objects(thing: Any, path: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """Keras's objects below one with their paths."""
    if id(thing) in seen or _is_variable(thing):
        return
    seen.add(id(thing))
    if _is_keras(thing):
        yield path, thing
        return
    for name, part in _parts(thing):
        yield from _objects(part, f"{path}/{name}" if path else name, seen)


def _build(root: Any, saved: dict[str, Tensor], prefix: Any) -> None:
    """Make the variables that optimisers make at their first step, where the file has their content.

    Raises ValueError for a model or layer that has no variables yet, and whose content the file has.
    """
    objects = list(_objects(root, "", set()))
    trained = [v for _p, o in objects if not hasattr(o, "apply_gradients") for v in o.trainable_variables]
    if isinstance(root, Checkpoint):
        modules = [m for m in vars(root).values() if isinstance(m, Module)]
        trained += [v for m in modules for v in m.trainable_variables if all(v is not t for t in trained)]
    for path, thing in objects:
        expected = sum(name.startswith(f"{path}/") for name in saved)
        if getattr(thing, "built", True) or expected <= len(thing.variables):
            continue
        if hasattr(thing, "apply_gradients") and trained:
            thing.build(trained)
        if len(thing.variables) != expected:
            how = (
                "call optimizer.build(model.trainable_variables)"
                if hasattr(thing, "apply_gradients")
                else "call it once"
            )
            raise ValueError(
                f"{path} has {len(thing.variables)} variables, and {expected} in {prefix}: before it is restored, {how}"
            )


class _Status:
    """What `restore` found."""

    def __init__(self, matched: list[str], missing: list[str], unused: list[str]) -> None:
        self._matched, self._missing, self._unused = matched, missing, unused

    def assert_consumed(self) -> _Status:
        """Raises AssertionError unless all in the file went to a variable, and all variables were in the file."""
        if self._missing or self._unused:
            raise AssertionError(f"not in the checkpoint: {self._missing}; not in the objects: {self._unused}")
        return self

    def assert_existing_objects_matched(self) -> _Status:
        """Raises AssertionError where a variable was not in the file."""
        if self._missing:
            raise AssertionError(f"not in the checkpoint: {self._missing}")
        return self

    def assert_nontrivial_match(self) -> _Status:
        """Raises AssertionError where no variable was in the file."""
        if not self._matched:
            raise AssertionError(f"nothing of the checkpoint is in the objects: it has {self._unused}")
        return self

    def expect_partial(self) -> _Status:
        """State that the objects need not have all that is in the file."""
        return self


class Checkpoint:
    """Saves and restores the variables below objects, found by the names of attributes from here.

    Objects are variables, `tf.Module`s, layers, models, metrics and optimisers of Keras's, and lists and dictionaries
    of them. The files are safetensors, not TensorFlow's format; each appears whole or not at all, and nothing in one is
    executed. A model must have its variables when it is restored: call it once before. An optimiser of Keras's gets
    those that it lacks.
    """

    def __init__(self, root: Any = None, **kwargs: Any) -> None:
        self.save_counter = 0
        if root is not None:
            kwargs = {"root": root, **kwargs}
        for name, thing in kwargs.items():
            if not (
                _is_variable(thing) or isinstance(thing, dict | list | tuple | Checkpoint | Module) or _is_keras(thing)
            ):
                raise ValueError(
                    f"Checkpoint expected variables, modules, or models and optimisers of Keras's. Received: {name} of "
                    f"type {type(thing).__name__}"
                )
            setattr(self, name, thing)

    def write(self, file_prefix: Any, options: Any = None) -> str:
        """Write a file under exactly this name."""
        found = {path: convert_to_tensor(v).detach() for path, v in _variables(self, "", set())}
        found["save_counter"] = torch.tensor(self.save_counter, dtype=torch.int64)
        write_file(file_prefix, found)
        return str(file_prefix)

    def save(self, file_prefix: Any, options: Any = None) -> str:
        """Write a numbered file, and note it as the latest of its folder. Returns its name without the ending."""
        self.save_counter += 1
        written = self.write(f"{file_prefix}-{self.save_counter}")
        prefix = Path(written)
        note(prefix.parent, [n for n in noted(prefix.parent) if n != prefix.name] + [prefix.name])
        return written

    def read(self, save_path: Any, options: Any = None) -> _Status:
        """Give the variables the content of a file.

        Raises NotFoundError, DataLossError for a damaged file, and ValueError for another shape or dtype, and for a
        model without variables; then none is changed.
        """
        saved = read_file(save_path)
        counter = saved.pop("save_counter", None)
        _build(self, saved, save_path)
        found = dict(_variables(self, "", set()))
        matched = [path for path in found if path in saved]
        for path in matched:
            there = convert_to_tensor(found[path])
            check(save_path, path, (there.shape, there.dtype), saved[path])
        for path in matched:
            found[path].assign(saved[path])
        self.save_counter = 0 if counter is None else int(counter)
        return _Status(matched, [p for p in found if p not in saved], [p for p in saved if p not in found])

    def restore(self, save_path: Any, options: Any = None) -> _Status:
        """As `read`; with None, as `latest_checkpoint` gives it where there is none, nothing changes."""
        return _Status([], [], []) if save_path is None else self.read(save_path)


class CheckpointManager:
    """Keeps the newest `max_to_keep` checkpoints of a folder, and one every so many hours besides."""

    def __init__(
        self, checkpoint: Checkpoint, directory: Any, max_to_keep: int | None,
        keep_checkpoint_every_n_hours: float | None = None, checkpoint_name: str = "ckpt", step_counter: Any = None,
        checkpoint_interval: int | None = None, init_fn: Callable[[], Any] | None = None,
    ) -> None:  # fmt: skip
        if max_to_keep is not None and max_to_keep <= 0:
            raise ValueError(f"CheckpointManager expected max_to_keep above 0, or None. Received: {max_to_keep}")
        self.checkpoint, self.directory = checkpoint, str(directory)
        self._keep, self._hours, self._name = max_to_keep, keep_checkpoint_every_n_hours, checkpoint_name
        self._step, self._interval, self._init = step_counter, checkpoint_interval, init_fn
        self._last_step: int | None = None
        self._names = noted(Path(directory))
        self._last_kept = time.time()

    @property
    def checkpoints(self) -> list[str]:
        """The names of those kept, the oldest first."""
        return [os.path.join(self.directory, name) for name in self._names]

    @property
    def latest_checkpoint(self) -> str | None:
        return self.checkpoints[-1] if self._names else None

    def save(self, checkpoint_number: Any = None, check_interval: bool = True, options: Any = None) -> str | None:
        """Write a checkpoint and delete those that are too many. None where the interval is not over."""
        if check_interval and self._interval and self._step is not None:
            if self._last_step is not None and int(self._step) - self._last_step < self._interval:
                return None
            self._last_step = int(self._step)
        self.checkpoint.save_counter += 1
        number = self.checkpoint.save_counter if checkpoint_number is None else int(checkpoint_number)
        prefix = self.checkpoint.write(os.path.join(self.directory, f"{self._name}-{number}"))
        self._names = [n for n in self._names if n != Path(prefix).name] + [Path(prefix).name]
        removed = [] if self._keep is None else self._names[: -self._keep]
        self._names = self._names[len(removed) :]
        note(Path(self.directory), self._names)
        for name in removed:
            self._let_go(file_of(Path(self.directory) / name))
        return prefix

    def _let_go(self, file: Path) -> None:
        """Delete a file, unless it is the one that these hours leave behind."""
        if self._hours is not None and file.exists():
            written = file.stat().st_mtime
            if written - self._last_kept >= self._hours * 3600:
                self._last_kept = written
                return
        file.unlink(missing_ok=True)

    def restore_or_initialize(self) -> str | None:
        """Restore the latest, or call `init_fn`."""
        if self.latest_checkpoint is None:
            if self._init is not None:
                self._init()
            return None
        self.checkpoint.restore(self.latest_checkpoint)
        return self.latest_checkpoint


def latest_checkpoint(checkpoint_dir: Any, latest_filename: str | None = None) -> str | None:
    """The name of the checkpoint saved last in a folder, or None."""
    names = noted(Path(checkpoint_dir), latest_filename or "checkpoint")
    return os.path.join(checkpoint_dir, names[-1]) if names else None


def _read_latest(ckpt_dir_or_file: Any) -> dict[str, Tensor]:
    folder = Path(ckpt_dir_or_file).is_dir()
    return read_file((latest_checkpoint(ckpt_dir_or_file) if folder else None) or ckpt_dir_or_file)


def list_variables(ckpt_dir_or_file: Any) -> list[tuple[str, list[int]]]:
    """The names and shapes in a checkpoint."""
    return [(name, list(t.shape)) for name, t in sorted(_read_latest(ckpt_dir_or_file).items())]


def load_checkpoint(ckpt_dir_or_file: Any) -> dict[str, Any]:
    """The contents of a checkpoint as arrays by name."""
    return {name: t.numpy() for name, t in _read_latest(ckpt_dir_or_file).items()}
