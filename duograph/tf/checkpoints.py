"""Checkpoints of objects that hold variables."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duograph.torch as torch
from duograph.checkpoint.atomic import replace_file
from duograph.checkpoint.safetensors import load_file, save_file
from duograph.graph.errors import ArgumentError

from .errors import DataLossError, NotFoundError
from .tensors import Tensor, convert_to_tensor

__all__ = ["Checkpoint", "CheckpointManager", "latest_checkpoint", "list_variables", "load_checkpoint"]


def _file(prefix: Any) -> Path:
    return Path(f"{prefix}.safetensors")


def _read(prefix: Any) -> dict[str, Tensor]:
    try:
        return load_file(_file(prefix))
    except FileNotFoundError as error:
        raise NotFoundError(f"{prefix}: there is no such checkpoint") from error
    except ArgumentError as error:
        raise DataLossError(str(error)) from error


def _variables(thing: Any, path: str, seen: dict[int, Any]) -> Iterator[tuple[str, Any]]:
    """The variables below an object with their paths, each once."""
    if id(thing) in seen:
        return
    if hasattr(thing, "assign"):
        seen[id(thing)] = thing
        yield path, thing
    elif isinstance(thing, dict):
        for key in sorted(thing, key=str):
            yield from _variables(thing[key], f"{path}/{key}", seen)
    elif isinstance(thing, list | tuple):
        for place, part in enumerate(thing):
            yield from _variables(part, f"{path}/{place}", seen)
    elif isinstance(thing, torch.nn.Module) and hasattr(thing, "weights"):  # a layer or model of Keras's
        seen[id(thing)] = thing
        yield from _variables(list(thing.weights), path, seen)
    elif hasattr(thing, "__dict__") and not isinstance(thing, type | Tensor) and not callable(vars(thing).get("fn")):
        seen[id(thing)] = thing
        inside = getattr(thing, "variables", None)
        if isinstance(inside, list):  # an optimiser of Keras's
            yield from _variables(inside, path, seen)
            return
        for name, part in sorted(vars(thing).items()):
            yield from _variables(part, f"{path}/{name}", seen)


class _Status:
    """What `restore` found."""

    def __init__(self, missing_here: list[str], unused: list[str]) -> None:
        self._missing, self._unused = missing_here, unused

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

    assert_nontrivial_match = assert_existing_objects_matched

    def expect_partial(self) -> _Status:
        return self


class Checkpoint:
    """Saves and restores the variables below objects, found by the names of attributes from here.

    The files are safetensors, not TensorFlow's format; each appears whole or not at all, and nothing in one is run.
    Variables must exist when they are restored: build a model, and an optimiser, first.
    """

    def __init__(self, root: Any = None, **kwargs: Any) -> None:
        self._objects = {**({} if root is None else {"root": root}), **kwargs}
        self.save_counter = 0
        self.__dict__.update(kwargs)

    def write(self, file_prefix: Any, options: Any = None) -> str:
        """Write a file under exactly this name."""
        found = dict(_variables(self._objects, "", {}))
        _file(file_prefix).parent.mkdir(parents=True, exist_ok=True)
        contents = {path: convert_to_tensor(v).detach() for path, v in found.items()}
        contents["save_counter"] = torch.tensor(self.save_counter, dtype=torch.int64)
        save_file(contents, _file(file_prefix))
        return str(file_prefix)

    def save(self, file_prefix: Any, options: Any = None) -> str:
        """Write a numbered file, and note it as the latest of its folder. Returns its name without the ending."""
        self.save_counter += 1
        prefix = self.write(f"{file_prefix}-{self.save_counter}")
        _note(Path(prefix).parent, [Path(prefix).name])
        return prefix

    def read(self, save_path: Any, options: Any = None) -> _Status:
        """Give the variables the content of a file.

        Raises NotFoundError, DataLossError for a damaged file, and ValueError for another shape; then none is changed.
        """
        saved = _read(save_path)
        self.save_counter = int(saved.pop("save_counter", 0))
        found = dict(_variables(self._objects, "", {}))
        for path, variable in found.items():
            if path in saved and tuple(saved[path].shape) != tuple(variable.shape):
                raise ValueError(
                    f"{path} has shape {tuple(variable.shape)}. Received: {tuple(saved[path].shape)} in {save_path}"
                )
        for path, variable in found.items():
            if path in saved:
                variable.assign(saved[path])
        return _Status([p for p in found if p not in saved], [p for p in saved if p not in found])

    def restore(self, save_path: Any, options: Any = None) -> _Status:
        """As `read`; with None, as `latest_checkpoint` gives it where there is none, nothing changes."""
        return _Status([], []) if save_path is None else self.read(save_path)


class CheckpointManager:
    """Keeps the newest `max_to_keep` checkpoints of a folder."""

    def __init__(
        self, checkpoint: Checkpoint, directory: Any, max_to_keep: int | None,
        keep_checkpoint_every_n_hours: Any = None,
        checkpoint_name: str = "ckpt", step_counter: Any = None, checkpoint_interval: int | None = None,
        init_fn: Any = None,
    ) -> None:  # fmt: skip
        self.checkpoint, self.directory = checkpoint, str(directory)
        self._keep, self._name = max_to_keep, checkpoint_name
        self._step, self._interval, self._init = step_counter, checkpoint_interval, init_fn
        self._last_step: int | None = None
        self._names = [n for n in _noted(Path(directory)) if _file(Path(directory) / n).exists()]

    @property
    def checkpoints(self) -> list[str]:
        """The names of those kept, the oldest first."""
        return [str(Path(self.directory) / name) for name in self._names]

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
        prefix = self.checkpoint.write(Path(self.directory) / f"{self._name}-{number}")
        self._names = [n for n in self._names if n != Path(prefix).name] + [Path(prefix).name]
        removed = [] if self._keep is None else self._names[: -self._keep]
        self._names = self._names[len(removed) :]
        _note(Path(self.directory), self._names)
        for name in removed:
            _file(Path(self.directory) / name).unlink(missing_ok=True)
        return prefix

    def restore_or_initialize(self) -> str | None:
        """Restore the latest, or call `init_fn`."""
        if self.latest_checkpoint is None:
            if self._init is not None:
                self._init()
            return None
        self.checkpoint.restore(self.latest_checkpoint)
        return self.latest_checkpoint


def _note(folder: Path, names: list[str]) -> None:
    with replace_file(folder / "checkpoint") as file:
        file.write(json.dumps({"latest": names[-1], "all": names}).encode())


def _noted(folder: Path) -> list[str]:
    try:
        names = json.loads((folder / "checkpoint").read_text())["all"]
        return [n for n in names if isinstance(n, str) and re.fullmatch(r"[^/\\\0]+", n) and n not in (".", "..")]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def latest_checkpoint(checkpoint_dir: Any, latest_filename: str | None = None) -> str | None:
    """The name of the checkpoint saved last in a folder, or None."""
    names = _noted(Path(checkpoint_dir))
    return str(Path(checkpoint_dir) / names[-1]) if names else None


def list_variables(ckpt_dir_or_file: Any) -> list[tuple[str, list[int]]]:
    """The names and shapes in a checkpoint."""
    prefix = latest_checkpoint(ckpt_dir_or_file) if Path(ckpt_dir_or_file).is_dir() else ckpt_dir_or_file
    return [(name, list(t.shape)) for name, t in sorted(_read(prefix).items())]


def load_checkpoint(ckpt_dir_or_file: Any) -> dict[str, Any]:
    """The contents of a checkpoint as arrays by name."""
    prefix = latest_checkpoint(ckpt_dir_or_file) if Path(ckpt_dir_or_file).is_dir() else ckpt_dir_or_file
    return {name: t.numpy() for name, t in _read(prefix).items()}
