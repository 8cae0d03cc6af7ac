"""The real Keras on Duograph's engine.

`load` imports the installed `keras` package so that inside its modules, and only there, `torch` means
`duograph.torch`. Each of its modules is executed with its own `__import__`, which answers that one name differently;
`sys.modules["torch"]` is neither read nor written, so PyTorch itself can be imported before or after.

Third-party packages that build on Keras (`ALLOWED`, extended by `allow`) are loaded in the same way.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import os
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

# These enter what they amend in the table when they are imported.
from . import keras_calls, keras_convolution, keras_recurrent, keras_shortcuts, keras_strings  # noqa: F401
from .keras_amendments import AMENDMENTS

ENGINE = "duograph.torch"
"""What `torch` means inside Keras."""
VERSIONS = ((3, 15), (3, 16))
"""The versions of Keras this is made for: from the first, up to but without the second."""
ALLOWED = {"keras", "keras_hub", "keras_nlp", "keras_cv", "keras_rs", "keras_tuner"}
"""Top-level packages inside which `torch` means `ENGINE`."""
REPLACED = {
    "keras.src.backend.torch.trainer": "duograph.tf.trainer",
    "keras.src.tree.torchtree_impl": "duograph.tf.keras_tree",
    "keras.src.backend.tensorflow": "keras.src.backend.torch",
}
"""Modules of Keras in whose place others stand. What is a tensor to one of its backends is one to the other here."""
ALIASES = {
    "duograph.tf.keras": "keras._tf_keras.keras",
    "duograph.keras": "keras",
    "keras.src.backend.tensorflow": "keras.src.backend.torch",
}
"""Other names for packages of Keras, so that `from duograph.tf.keras.layers import Dense` finds the one `Dense`."""

_ADAPTERS = "keras.src.trainers.data_adapters."
"""Modules in which `tensorflow` is TensorFlow itself: they are for data sets made by it. Ours have an adapter of their
own."""


class _OfTensorFlow:
    """Keras's `module_utils` as `_ADAPTERS` see it. TensorFlow, if it is installed, loads when a name of it is used."""

    def __getattr__(self, name: str) -> Any:
        utils = sys.modules["keras.src.utils.module_utils"]
        return utils.LazyModule("tensorflow") if name == "tensorflow" else getattr(utils, name)


_of_tensorflow = _OfTensorFlow()
_lock = threading.RLock()


def load(name: str = "keras") -> ModuleType:
    """The package `keras` (or its submodule `name`), imported onto Duograph at the first call.

    Raises ImportError when Keras is not installed, is of a version outside `VERSIONS`, or has already been imported
    with another backend.
    """
    with _lock:
        if not _loaded():
            _check()
            _install()
            with _environment():
                _import_whole("keras")
    return importlib.import_module(name)


def allow(package: str) -> None:
    """Let `torch` mean Duograph inside `package` too: a package of yours that builds on Keras's PyTorch backend.

    Raises ImportError if the package was imported before, since its modules then hold the other `torch`.
    """
    if package in sys.modules and package not in ALLOWED:
        raise ImportError(
            f"{package} was imported before it was allowed to run on Duograph: "
            f"call allow({package!r}) before anything imports it"
        )
    ALLOWED.add(package)
    _install()


def _loaded() -> bool:
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(getattr(keras.__spec__, "loader", None), _ScopedLoader)


def _check() -> None:
    from importlib import metadata  # slow to import, and not needed for `import duograph.tf`

    other = sys.modules.get("keras")
    if other is not None:
        backend = getattr(sys.modules.get("keras.src.backend.config"), "_BACKEND", "another backend")
        raise ImportError(
            f"keras was already imported with the backend {backend!r}, and a process has only one keras: "
            "import duograph.tf and use duograph.tf.keras (or import duograph.keras) before anything imports keras, "
            "or start a new process"
        )
    low, high = (".".join(map(str, v)) for v in VERSIONS)
    try:
        version = metadata.version("keras")
    except metadata.PackageNotFoundError:
        raise ImportError(
            f"duograph.tf.keras is the keras package on Duograph's engine: pip install 'keras>={low},<{high}'"
        ) from None
    release = tuple(int(part) for part in version.split(".")[:2])
    if not VERSIONS[0] <= release < VERSIONS[1]:
        raise ImportError(
            f"duograph.tf.keras expected keras >= {low} and < {high}. Received: keras {version}. "
            f"pip install 'keras>={low},<{high}'"
        )


def _install() -> None:
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def _import_whole(package: str) -> None:
    """Import `package`; if that fails, leave no half-imported module of it behind."""
    before = set(sys.modules)
    try:
        importlib.import_module(package)
    except BaseException:
        for name in set(sys.modules) - before:
            if name.partition(".")[0] == package:
                del sys.modules[name]
        raise


@contextmanager
def _environment() -> Iterator[None]:
    """Choose Keras's PyTorch backend for the import alone.

    The user's environment is the same afterwards. Keras writes a `keras.json` where there is none, naming the backend
    of the moment; a directory that is thrown away takes it, so that ours does not become the default of other programs.
    """
    saved = {name: os.environ.get(name) for name in ("KERAS_BACKEND", "KERAS_HOME", "TF_FORCE_GPU_ALLOW_GROWTH")}
    home = saved["KERAS_HOME"] or _default_home()
    with tempfile.TemporaryDirectory(prefix="duograph-keras-") as empty:
        os.environ["KERAS_BACKEND"] = "torch"
        if not os.path.exists(os.path.join(os.path.expanduser(home), "keras.json")):
            os.environ["KERAS_HOME"] = empty
        try:
            yield
            sys.modules["keras.src.backend.config"].__dict__["_KERAS_DIR"] = home
        finally:
            for name, value in saved.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def _default_home() -> str:
    """Where Keras keeps its files when KERAS_HOME does not say."""
    home = os.path.expanduser("~")
    return os.path.join(home if os.access(home, os.W_OK) else tempfile.gettempdir(), ".keras")


def _within(name: str) -> str | None:
    """What the name of a module becomes inside Keras, if it becomes another."""
    return ENGINE + name[len("torch") :] if name == "torch" or name.startswith("torch.") else None


def _import(
    name: str,
    globals: Mapping[str, Any] | None = None,
    locals: Mapping[str, Any] | None = None,
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> Any:
    """`__import__` as the modules of Keras see it."""
    if name == "keras.src.utils.module_utils" and (globals or {}).get("__name__", "").startswith(_ADAPTERS):
        importlib.import_module(name)
        return _of_tensorflow
    if level == 0 and not name.startswith("keras."):  # functions of Keras say these at each call
        if (inside := _within(name)) is not None:
            module = builtins.__import__(inside, None, None, fromlist, 0)
            return module if fromlist else sys.modules[ENGINE]
        if name == "importlib" or (name.startswith("importlib.") and not fromlist):
            builtins.__import__(name)
            return _importlib
    return builtins.__import__(name, globals, locals, fromlist, level)


class _Importlib(ModuleType):
    """`importlib` as the modules of Keras see it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib, name)

    @staticmethod
    def import_module(name: str, package: str | None = None) -> ModuleType:
        return importlib.import_module(_within(name) or name, package)


_importlib = _Importlib("importlib")
_scope = {**vars(builtins), "__import__": _import}
for _name in ("input", "open", "print"):  # what programs and tests replace for a while
    _scope[_name] = lambda *a, _name=_name, **k: getattr(builtins, _name)(*a, **k)


class _ScopedLoader:
    """Executes a module as its own loader would, with `_scope` for builtins, then amends it."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__builtins__"] = _scope
        self._loader.exec_module(module)
        for amend in AMENDMENTS.get(module.__name__, ()):
            amend(module)


class _AliasLoader:
    """Gives an existing module another name, and leaves it as it is."""

    def __init__(self, name: str) -> None:
        self._name = name

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self._name)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec


class _Finder:
    """Finds the modules of the allowed packages, and ours in their place or under our names."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name in REPLACED:
            return ModuleSpec(name, _AliasLoader(REPLACED[name]))  # type: ignore[arg-type]
        for ours, theirs in ALIASES.items():
            if name.startswith(ours + "."):
                return self._alias(name, theirs + name[len(ours) :])
        if name.partition(".")[0] not in ALLOWED:
            return None
        for finder in sys.meta_path:
            if finder is not self and (spec := finder.find_spec(name, path, target)) is not None:
                if spec.loader is not None:
                    spec.loader = _ScopedLoader(spec.loader)  # type: ignore[assignment]
                return spec
        return None

    @staticmethod
    def _alias(name: str, target: str) -> ModuleSpec | None:
        load()
        spec = importlib.util.find_spec(target)
        if spec is None:
            return None
        return ModuleSpec(name, _AliasLoader(target), is_package=spec.submodule_search_locations is not None)  # type: ignore[arg-type]
