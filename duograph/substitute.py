"""Duograph under another package's name: `import torch` in a program that was written for PyTorch.

`install` puts two finders on Python's import path. The first answers the names of the package with Duograph's modules,
each the very same object under both names. The second comes last and speaks only where nobody found anything, to say
what there is instead.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from types import ModuleType

_lock = threading.RLock()


@dataclass(frozen=True)
class Framework:
    """What Duograph stands in for.

    Attributes:
        names: Packages, and what stands in for each; it loads when first imported.
        refused: Packages that cannot work with a stand-in, and what to do instead.
    """

    names: Mapping[str, str]
    refused: Mapping[str, str]


PYTORCH = Framework(
    {"torch": "duograph.torch"},
    {
        "torchvision": "Write transforms in NumPy, read images with a Dataset of yours or duograph.data.sources, and "
        "take the definition of a model into your program; torch.load reads its state_dict",
        "torchaudio": "Read sound with the standard library's wave, or with the soundfile package",
        "torchtext": "Split text in Python, or with the tokenizers package",
    },
)
TENSORFLOW = Framework(
    {"tensorflow": "duograph.tf", "keras": "duograph.keras"},
    {
        "tensorflow_datasets": "Load arrays with NumPy or keras.datasets, records with tf.data.TFRecordDataset",
        "tensorflow_hub": "Use keras.applications, or a .keras file",
        "tensorflow_probability": "Write densities with keras.ops",
    },
)


def install(framework: Framework) -> None:
    """Let every import of the framework's packages, and of their submodules, give Duograph's modules.

    Importing one of the refused packages raises ModuleNotFoundError that says what to do instead. Installing
    twice is installing once. Raises ImportError where the package itself has already been imported.
    """
    with _lock:
        for name, target in framework.names.items():
            if name in sys.modules and sys.modules[name] is not importlib.import_module(target):
                raise ImportError(
                    f"{name} itself has already been imported, and what holds it would go on using it: "
                    f"call install() before anything imports {name}, or start the program with `duograph run`"
                )
        for name, target in framework.names.items():
            if not any(isinstance(finder, _Finder) and finder.name == name for finder in sys.meta_path):
                sys.meta_path.insert(0, _Finder(name, target))
                sys.meta_path.append(_Last(name, target))
        for name, reason in framework.refused.items():
            if not any(isinstance(finder, _Refusal) and finder.name == name for finder in sys.meta_path):
                sys.meta_path.insert(0, _Refusal(name, reason))
        importlib.invalidate_caches()


def uninstall(framework: Framework) -> None:
    """Undo `install`: the next import of these names looks for the packages themselves."""
    with _lock:
        gone = {*framework.names, *framework.refused}
        sys.meta_path[:] = [f for f in sys.meta_path if not (isinstance(f, _Part) and f.name in gone)]
        for name, target in framework.names.items():
            if not _is_package_itself(sys.modules.get(target), name):
                for key in [k for k in sys.modules if k == name or k.startswith(name + ".")]:
                    if sys.modules[key] is sys.modules.get(target + key[len(name) :]):
                        del sys.modules[key]


def _is_package_itself(module: ModuleType | None, name: str) -> bool:
    """Whether a stand-in is that package, loaded in our way: then its submodules are its own affair."""
    return module is not None and module.__name__ == name


class _Part:
    """A finder of one package's names."""

    def __init__(self, name: str) -> None:
        self.name = name


class _Finder(_Part):
    """Finds Duograph's module for the package and for each of its submodules."""

    def __init__(self, name: str, target: str) -> None:
        super().__init__(name)
        self.target = target

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != self.name and not name.startswith(self.name + "."):
            return None
        ours = self.target + name[len(self.name) :]
        stand_in = sys.modules.get(self.target)
        if stand_in is not None and getattr(stand_in.__spec__, "_initializing", False):
            return None  # the stand-in is being made, and looks for the package to make itself of
        if name != self.name and _is_package_itself(stand_in, self.name):
            return None
        try:
            module = importlib.import_module(ours)
        except ModuleNotFoundError as error:
            if error.name == name or (error.name is not None and (ours + ".").startswith(error.name + ".")):
                raise ModuleNotFoundError(f"No module named {name!r}{_instead(name, ours)}", name=name) from None
            raise
        if sys.modules.get(name) is module:
            del sys.modules[name]  # else Python would take it for another's find, and execute it again
        return ModuleSpec(name, _Existing(module), is_package=hasattr(module, "__path__"))  # type: ignore[arg-type]


class _Last(_Part):
    """What `from torch import x` asks for when Duograph's module has no x: nothing, with an explanation."""

    def __init__(self, name: str, target: str) -> None:
        super().__init__(name)
        self.target = target

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not name.startswith(self.target + "."):
            return None
        theirs = self.name + name[len(self.target) :]
        # Python lets go of the error, and with it the explanation, if it bears the name that was asked for.
        raise ModuleNotFoundError(f"cannot import {theirs!r}{_instead(theirs, name)}", name=theirs)


class _Refusal(_Part):
    """Says why a package cannot be imported."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name)
        self.reason = reason

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != self.name:
            return None
        raise ModuleNotFoundError(
            f"No module named {name!r}: it is built on the compiled parts of its framework, for which Duograph "
            f"does not stand in. {self.reason}",
            name=name,
        )


class _Existing:
    """A loader that gives an existing module another name, and leaves it as it is."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module
        self._spec = module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec


def _instead(name: str, ours: str) -> str:
    """What there is instead of the module that `name` asks for; `ours` is where it would be."""
    path, _, wanted = ours.rpartition(".")
    while path not in sys.modules:
        path, _, wanted = path.rpartition(".")
    try:
        getattr(sys.modules[path], wanted)
    except AttributeError as error:
        return f": {error}"
    return f": it is there, but is no module. from {name.rpartition('.')[0]} import {wanted}"
