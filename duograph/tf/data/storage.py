"""Elements kept: in memory, or in files of safetensors beside a description in JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from duograph.checkpoint.atomic import replace_file

from ..errors import DataLossError, NotFoundError
from .dataset import Dataset
from .elements import leaves_of, map_leaves, owned, spec_of

_FORMAT = "duograph-dataset-1"


def cached(dataset: Dataset, filename: Any) -> Dataset:
    """`Dataset.cache`."""
    path = os.fsdecode(np.asarray(getattr(filename, "_content", filename), object).item() or b"")
    kept: list[Any] = []
    whole = False

    def iterate() -> Iterator[Any]:
        nonlocal whole
        if path and not whole and Path(path + ".index.json").exists():
            kept[:] = _read(Path(path))
            whole = True
        if whole:
            yield from map(owned, kept)
            return
        found = []
        for element in dataset.iterate():
            found.append(element)
            yield owned(element)
        kept[:] = found
        whole = True
        if path:
            _write(Path(path), found)

    return Dataset(iterate, dataset._cardinality, lambda: dataset.element_spec)


def save(dataset: Dataset, path: Any) -> None:
    """`Dataset.save`."""
    folder = Path(os.fspath(path))
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "elements", list(dataset.iterate()))


def load(path: Any) -> Dataset:
    """`Dataset.load`. Raises NotFoundError where nothing was saved, DataLossError for a damaged file."""
    folder = Path(os.fspath(path))
    if not (folder / "elements.index.json").exists():
        raise NotFoundError(f"{folder}: no data set was saved here")
    elements = _read(folder / "elements")
    return Dataset(lambda: map(owned, elements), len(elements), lambda: spec_of(elements[0]))


def _write(path: Path, elements: list[Any]) -> None:
    from safetensors.numpy import save as to_bytes

    form = _described(elements[0]) if elements else None
    arrays: dict[str, np.ndarray] = {}
    texts: dict[str, Any] = {}
    for number, element in enumerate(elements):
        for place, leaf in enumerate(leaves_of(element)):
            leaf = np.asarray(leaf)
            if leaf.dtype == object:
                texts[f"{number}.{place}"] = [list(leaf.shape), [text.hex() for text in leaf.ravel()]]
            else:
                arrays[f"{number}.{place}"] = np.ascontiguousarray(leaf)
    _replace(path.with_name(path.name + ".safetensors"), to_bytes(arrays))
    index = {"format": _FORMAT, "count": len(elements), "form": form, "texts": texts}
    _replace(path.with_name(path.name + ".index.json"), json.dumps(index).encode())


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replace_file(path) as file:
        file.write(content)


def _read(path: Path) -> list[Any]:
    from safetensors.numpy import load as from_bytes

    try:
        index = json.loads(path.with_name(path.name + ".index.json").read_bytes())
        if index["format"] != _FORMAT:
            raise ValueError(f"the format is {index['format']!r}")
        arrays = from_bytes(path.with_name(path.name + ".safetensors").read_bytes())
        for name, (shape, texts) in index["texts"].items():
            array = np.empty(len(texts), object)
            array[:] = [bytes.fromhex(text) for text in texts]
            arrays[name] = array.reshape(shape)
        return [
            map_leaves(lambda place, n=n: arrays[f"{n}.{place}"], _form(index["form"])) for n in range(index["count"])
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataLossError(f"{path}: no data set of Duograph's, or damaged: {error}") from error
    except Exception as error:
        if type(error).__name__ != "SafetensorError":
            raise
        raise DataLossError(f"{path}: damaged: {error}") from error


def _described(element: Any) -> Any:
    """The structure of an element in JSON, its leaves numbered."""
    count = iter(range(10**9))

    def build(part: Any) -> Any:
        if isinstance(part, tuple):
            return {"tuple": [build(p) for p in part]}
        if isinstance(part, dict):
            built = {key: build(part[key]) for key in sorted(part)}
            return {"dict": [[key, built[key]] for key in part]}
        return next(count)

    return build(element)


def _form(described: Any) -> Any:
    if isinstance(described, dict):
        if "tuple" in described:
            return tuple(map(_form, described["tuple"]))
        return {key: _form(part) for key, part in described["dict"]}
    return described
