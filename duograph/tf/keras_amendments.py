"""What is changed inside Keras, module by module.

Each function here is called with a module of Keras just after it was executed. Only three kinds of thing are amended:
places where Keras recognises PyTorch by the names of its modules, places where its PyTorch backend makes a step wait
for a value that our engine can leave in the graph, and places where it asks for TensorFlow whatever its backend is.
"""

from __future__ import annotations

import functools
import importlib
import math
import os
import tempfile
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from duograph.graph.body import around_loops
from duograph.graph.dtype import DType, bool_, dtype, int32, int64
from duograph.graph.trace import Leaf, ReadableLeaf, alias, constant
from duograph.tensor import Tensor, wrap
from duograph.tensor.convert import from_buffer
from duograph.tensor.device import META

from .autograph.tracing import made_outside, outside
from .batch_size import common
from .engine import recording_apart
from .text import StringTensor

Amendment = Callable[[ModuleType], None]
AMENDMENTS: dict[str, list[Amendment]] = {}
"""By the module's name."""


def amends(name: str) -> Callable[[Amendment], Amendment]:
    """Decorator: call the function with the module `name` of Keras when it has been loaded."""

    def register(function: Amendment) -> Amendment:
        AMENDMENTS.setdefault(name, []).append(function)
        return function

    return register


def _replace(module: ModuleType, *functions: Callable[..., Any]) -> None:
    """Put functions in the place of those of the same name, whose signatures and documentation they keep."""
    for ours in functions:
        setattr(module, ours.__name__, functools.update_wrapper(ours, getattr(module, ours.__name__)))


def _recognise(module: ModuleType, name: str, ours: Callable[[], type]) -> None:
    """Let the predicate `module.name` be true for instances of one of our classes too."""
    theirs = getattr(module, name)

    def recognised(x: Any) -> bool:
        return isinstance(x, ours()) or theirs(x)

    setattr(module, name, recognised)


def _torch() -> Any:
    import duograph.torch

    return duograph.torch


@amends("keras.src.trainers.data_adapters.data_adapter_utils")
def _tensors(module: ModuleType) -> None:
    _recognise(module, "is_torch_tensor", lambda: _torch().Tensor)


@amends("keras.src.trainers.data_adapters")
def _loaders(module: ModuleType) -> None:
    _recognise(module, "is_torch_dataloader", lambda: _torch().utils.data.DataLoader)


@amends("keras.src.utils.dataset_utils")
def _datasets(module: ModuleType) -> None:
    _recognise(module, "is_torch_dataset", lambda: _torch().utils.data.Dataset)


@amends("keras.src.callbacks.callback")
def _callback(module: ModuleType) -> None:
    """Keras unwraps models that PyTorch distributes over devices: here there is one device and no such wrapper."""
    module.Callback.model = property(lambda self: self._model)


@amends("keras.src.utils.module_utils")
def _tensorflow(module: ModuleType) -> None:
    """Preprocessing layers compute with TensorFlow's names for strings, tables and data sets on every backend."""
    vars(module)["tensorflow"] = module.LazyModule("duograph.tf")


@amends("keras.src.utils.numerical_utils")
def _encoding(module: ModuleType) -> None:
    """Rows of unequal length, and sparse results, are known to Keras's TensorFlow backend alone."""
    encode = module.encode_categorical_inputs
    tf = module.tf_utils.tf

    def encode_categorical_inputs(
        inputs: Any, output_mode: str, depth: int, dtype: Any, sparse: bool = False,
        count_weights: Any = None, backend_module: Any = None,
    ) -> Any:  # fmt: skip
        if output_mode in ("multi_hot", "count") and isinstance(inputs, tf.RaggedTensor):
            dense = tf.math.bincount(
                inputs, count_weights, depth, depth, dtype, axis=-1, binary_output=output_mode == "multi_hot"
            )
        else:
            dense = encode(inputs, output_mode, depth, dtype, False, count_weights, backend_module)
        return tf.sparse.from_dense(dense) if sparse and output_mode != "int" else dense

    _replace(module, encode_categorical_inputs)


@amends("keras.src.layers.layer")
def _building(module: ModuleType) -> None:
    """Layers are built for batches of any size where they come in several."""
    find = module.get_shapes_dict

    def get_shapes_dict(call_spec: Any) -> Any:
        return {name: module.tree.map_shape_structure(common, shape) for name, shape in find(call_spec).items()}

    _replace(module, get_shapes_dict)


@amends("keras.src.layers.preprocessing.string_lookup")
def _strings(module: ModuleType) -> None:
    """Strings that are looked up are a tensor, as on TensorFlow; Keras's PyTorch backend has none and makes a list."""
    lookup, tf = module.StringLookup, module.tf

    def call(self: Any, inputs: Any) -> Any:
        known = isinstance(inputs, Tensor | tf.RaggedTensor | tf.SparseTensor)
        return super(lookup, self).call(inputs if known else tf.convert_to_tensor(inputs))

    lookup.call = functools.update_wrapper(call, lookup.call)


@amends("keras.src.backend.torch.numpy")
def _axes_of_strings(module: ModuleType) -> None:
    """Preprocessing layers let the backend add and leave out axes of strings, which only TensorFlow's has."""

    def amended(name: str, of_array: Callable[..., np.ndarray]) -> None:
        theirs = getattr(module, name)

        def function(x: Any, axis: Any = None) -> Any:
            return StringTensor.of(of_array(x._content, axis)) if isinstance(x, StringTensor) else theirs(x, axis)

        setattr(module, name, functools.update_wrapper(function, theirs))

    amended("expand_dims", np.expand_dims)
    amended("squeeze", np.squeeze)


@amends("keras.src.saving.saving_lib")
def _saving(module: ModuleType) -> None:
    """A save that fails leaves no file, and the file that was there before as it was."""

    def whole(save: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(save)
        def saved(model: Any, filepath: Any, *arguments: Any, **keywords: Any) -> Any:
            one_file = isinstance(filepath, str | os.PathLike) and "://" not in os.fspath(filepath)
            if not one_file or keywords.get("zipped") is False or [*arguments, keywords.get("max_shard_size")][0]:
                return save(model, filepath, *arguments, **keywords)
            folder, name = os.path.split(os.path.realpath(filepath))
            with tempfile.TemporaryDirectory(prefix=".saving-", dir=folder) as beside:
                result = save(model, os.path.join(beside, name), *arguments, **keywords)
                os.replace(os.path.join(beside, name), os.path.join(folder, name))
            return result

        return saved

    vars(module)["save_model"] = whole(module.save_model)
    vars(module)["save_weights_only"] = whole(module.save_weights_only)


@amends("keras.src.backend.torch.random")
def _random(module: ModuleType) -> None:
    """Keras reads its seeds to make a generator: ours takes them as they are, tensors of the graph."""
    from . import keras_random

    draw = module.draw_seed

    def draw_seed(seed: Any) -> Any:
        """Within a loop, a seed moves on once: the numbers of its turns are others already."""
        with around_loops(keras_random.current.steps):
            return draw(seed)

    def generator(seed: Any) -> keras_random.SeededGenerator:
        return keras_random.SeededGenerator(*module.draw_seed(seed))

    def torch_seed_generator(seed: Any) -> keras_random.SeededGenerator | None:
        return None if module.get_device() == "meta" else generator(seed)

    def drawn(shape: Any, dtype: Any, draw: Callable[[Callable[[Any], Tensor]], Tensor]) -> Any:
        """What `draw` gives when it is told how to make parameters of the shape; where there is no content, none."""
        found = module.to_torch_dtype(dtype or module.floatx())
        if module.get_device() == "meta":
            return module.torch.empty(shape, dtype=found, device="meta")
        return draw(lambda p: module.torch.broadcast_to(module.convert_to_tensor(p, "float32"), shape)).to(found)

    def gamma(shape: Any, alpha: Any, dtype: Any = None, seed: Any = None) -> Any:
        return drawn(shape, dtype, lambda wide: keras_random.gamma_numbers(wide(alpha), generator(seed)))

    def beta(shape: Any, alpha: Any, beta: Any, dtype: Any = None, seed: Any = None) -> Any:
        return drawn(shape, dtype, lambda wide: keras_random.beta_numbers(wide(alpha), wide(beta), generator(seed)))

    def binomial(shape: Any, counts: Any, probabilities: Any, dtype: Any = None, seed: Any = None) -> Any:
        return drawn(
            shape, dtype,
            lambda wide: keras_random.binomial_numbers(wide(counts), wide(probabilities), *module.draw_seed(seed)),
        )  # fmt: skip

    _replace(module, draw_seed, torch_seed_generator, gamma, beta, binomial)


@amends("keras.src.backend.torch.nn")
def _attention(module: ModuleType) -> None:
    """PyTorch's kernel for this takes a bias and `is_causal` together, which its definition refuses."""
    attend = module.dot_product_attention

    def dot_product_attention(
        query: Any, key: Any, value: Any, bias: Any = None, mask: Any = None, scale: Any = None,
        is_causal: bool = False, flash_attention: Any = None, attn_logits_soft_cap: Any = None,
    ) -> Any:  # fmt: skip
        if bias is not None and is_causal:
            query, key = map(module.convert_to_tensor, (query, key))
            earlier = module.torch.ones(query.shape[1], key.shape[1], dtype=bool_, device=query.device).tril()
            dtype = module.backend.result_type(query.dtype, key.dtype, module.convert_to_tensor(value).dtype)
            bias = module.torch.where(earlier, module.convert_to_tensor(bias, dtype), -math.inf)
            is_causal = False
        return attend(query, key, value, bias, mask, scale, is_causal, flash_attention, attn_logits_soft_cap)

    _replace(module, dot_product_attention)


@amends("keras.src.backend.torch.core")
def _core(module: ModuleType) -> None:
    _amend_variable(module)
    _amend_conversion(module)
    infer = module.compute_output_spec

    def scatter(indices: Any, values: Any, shape: Any) -> Any:
        """Keras's loop over the indices, each of which it reads, as one operation."""
        indices = module.convert_to_tensor(indices, dtype="int64")
        values = module.convert_to_tensor(values)
        depth = indices.shape[-1]
        places = indices.reshape(-1, depth).unbind(-1)
        updates = values.reshape(-1, *shape[depth:])
        zeros = module.torch.zeros(shape, dtype=values.dtype, device=module.get_device())
        return zeros.index_put(places, updates, accumulate=True)

    def vectorized_map(function: Any, elements: Any) -> Any:
        """`function` of each row of the elements, stacked: recorded row by row."""
        tree = module.tree
        elements = tree.map_structure(module.convert_to_tensor, elements)
        rows = [
            function(tree.map_structure(lambda e, i=i: e[i], elements)) for i in range(len(tree.flatten(elements)[0]))
        ]
        return tree.map_structure(lambda *parts: module.torch.stack(parts), *rows)

    def compute_output_spec(*arguments: Any, **keywords: Any) -> Any:
        """Keras infers shapes by running layers on tensors without content: no part of what is being recorded."""
        with recording_apart():
            return infer(*arguments, **keywords)

    _replace(module, scatter, vectorized_map, compute_output_spec)


def _amend_variable(module: ModuleType) -> None:
    """Variables as TensorFlow's users know them: what is computed from them can be read with `numpy()`, a gradient uses
    the content that was read although another was assigned since. A variable becomes an array by NumPy 2's protocol."""
    make, initialize, write = module.Variable.__init__, module.Variable._initialize, module.Variable._direct_assign

    def made(self: Any, *arguments: Any, **keywords: Any) -> None:
        """A layer that is built while a function is recorded is none of its results."""
        with outside():
            make(self, *arguments, **keywords)
        if self._value is not None:
            made_outside(self._value)

    def readable(self: Any, value: Any) -> None:
        initialize(self, value)
        parameter = self._value
        parameter._leaf = ReadableLeaf
        if isinstance(parameter._value.origin, Leaf):
            parameter._value = alias(parameter._value, ReadableLeaf(parameter))

    def assign(self: Any, value: Any) -> None:
        read = self._value._value
        write(self, value)
        read.overwritten = None

    slowly = module.Variable.value.fget

    def value(self: Any) -> Any:
        """Without a stateless call, autocasting or another device, which are states of the thread, the parameter."""
        found, state = self._value, vars(module.global_state.GLOBAL_STATE_TRACKER).get
        if found is None or not (state("stateless_scope") is state("autocast_scope") is state("torch_device") is None):
            return slowly(self)
        return found

    def as_array(self: Any, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.array(module.convert_to_numpy(self.value), dtype=dtype)

    module.Variable.numpy = lambda self: as_array(self)[()]
    module.Variable.__init__ = made
    module.Variable._initialize = readable
    module.Variable._direct_assign = assign
    module.Variable.__array__ = as_array
    module.Variable.value = property(value)


def _amend_conversion(module: ModuleType) -> None:
    """Python numbers become constants of the graph, arrays are copied once, and tensors pass at once: this is called
    for every operand and every batch."""
    convert = module.convert_to_tensor

    def convert_to_tensor(x: Any, dtype: Any = None, sparse: Any = None, ragged: Any = None) -> Any:
        if isinstance(x, module.Variable):
            x = x.value
        elsewhere = module.get_device() != "cpu"
        if isinstance(x, Tensor):
            if (x.device is META) is elsewhere and not (sparse or ragged):
                return x if dtype is None else x.to(module.to_torch_dtype(dtype))
        elif type(x) in _NUMBERS and not (elsewhere or sparse or ragged):
            found = module.to_torch_dtype(dtype) if dtype is not None else _dtype_of(x, module.floatx())
            return wrap(constant(x, found))
        elif type(x) is np.ndarray and x.dtype in ARRAYS and not (elsewhere or sparse or ragged or dtype):
            return from_buffer(np.array(x, order="C"))
        return convert(x, dtype, sparse, ragged)

    _replace(module, convert_to_tensor)


_NUMBERS = frozenset((bool, int, float))
ARRAYS = frozenset(map(np.dtype, ("?", "u1", "i1", "i2", "i4", "i8", "f2", "f4", "f8")))
"""The dtypes of arrays that tensors take as they are."""


def _dtype_of(number: bool | int | float, floatx: str) -> DType:
    if isinstance(number, bool):
        return bool_
    if isinstance(number, int):
        return int32 if -(2**31) <= number < 2**31 else int64
    return dtype(floatx)


def _optimizer(module: ModuleType) -> None:
    """Files name an optimiser as every backend knows it, instead of this backend's class that no other can run."""
    names = importlib.import_module("keras.src.api_export").REGISTERED_OBJS_TO_NAMES
    for own in [c for c in vars(module).values() if isinstance(c, type) and c.__module__ == module.__name__]:
        known = [names[c] for c in own.__mro__ if c in names and c.__name__ == own.__name__]
        if known:
            names[own] = known[0]


for _name in ("adadelta", "adagrad", "adam", "adamax", "adamw", "lion", "nadam", "rmsprop", "sgd"):
    amends(f"keras.src.backend.torch.optimizers.torch_{_name}")(_optimizer)


def _falls_back(module: ModuleType) -> None:
    """TensorFlow's view of Keras keeps old names and lacks some new ones: those come from Keras's own module."""
    own = module.__name__.replace("keras._tf_keras.", "")

    def __getattr__(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(own), name)

    module.__getattr__ = __getattr__  # type: ignore[method-assign]


for _name in ("keras", "keras.losses", "keras.metrics"):
    amends(f"keras._tf_keras.{_name}")(_falls_back)
