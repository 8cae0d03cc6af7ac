"""Short ways through the call of a layer, and of a model that is a graph of layers.

Keras does for each call what few calls need: it converts the inputs, binds the arguments, checks the input's shape,
builds, finds `training`, carries masks and casts. What a call with one tensor needs of that is the same from call to
call: it is found out once, and again after an attribute of the layer was set. All other calls are Keras's own.
"""

from __future__ import annotations

import functools
from inspect import Parameter
from types import ModuleType
from typing import Any

import numpy as np

from duograph.graph.dtype import DType, dtype
from duograph.graph.value import Kind
from duograph.nn.hooks import has_hooks
from duograph.tensor import Tensor

from .autograph.conversion import as_recorded
from .keras_amendments import amends

FACTS, ROUTE = "_facts_of_calls", "_route_of_calls"
"""The attributes of a layer that hold its `Facts`, and of a model that hold its `Route`; False where there is none."""

_PLAIN = frozenset((bool, int, float, str, type(None)))
_POSITIONAL = Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD
_VARIADIC = Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD
_ABSENT = object()
_STEPS = (
    "forward", "_maybe_build", "_get_call_context", "_maybe_reset_call_context", "_resolve_and_populate_arg",
    "_open_name_scope", "_check_super_called", "_set_mask_metadata",
)  # fmt: skip
"""The methods of a layer that the short way stands for."""


class Facts:
    """What the calls of a layer with one tensor have in common.

    Attributes:
        takes: The floating point dtype of its inputs; None where it leaves inputs as they are.
        scope: The dtype that its variables have within a scope of autocasting; None where it ends such a scope.
        is_uniform: Whether it needs no scope of its own.
        takes_training: Whether `call` has an argument `training`, whose value is `training` where nobody says it.
        makes_masks: Whether its outputs may get masks though the input has none.
        fitting: The kinds of inputs that were found to fit; None where `input_spec` says what fits.
    """

    __slots__ = ("fitting", "is_uniform", "makes_masks", "scope", "takes", "takes_training", "training")
    takes: DType | None

    def __init__(self, layer: Any, module: ModuleType) -> None:
        computed = layer.compute_dtype
        self.takes = dtype(layer.input_dtype) if layer.autocast and layer._convert_input_args else None
        self.scope = computed if layer.autocast and module.backend.is_float_dtype(computed) else None
        self.is_uniform = computed == layer.variable_dtype
        self.takes_training = layer._call_has_context_arg["training"]
        parameter = layer._call_signature.parameters.get("training")
        self.training = None if parameter is None else parameter.default
        self.makes_masks = layer.supports_masking and not module.utils.is_default(layer.compute_mask)
        own_check = type(layer)._assert_input_compatibility is not module.Layer._assert_input_compatibility
        self.fitting: set[Kind] | None = set() if own_check else None

    @classmethod
    def of(cls, layer: Any, module: ModuleType) -> Facts | bool:
        """False for a layer whose calls are Keras's own."""
        attributes = vars(layer)
        first, *others = layer._call_signature.parameters.values() or (None,)
        is_plain = (
            attributes.get("built") is attributes.get("_called") is True
            and not layer._allow_non_tensor_positional_args
            and layer._call_context_args == {"training"}
            and type(layer._dtype_policy) in (module.dtype_policies.DTypePolicy, module.dtype_policies.FloatDTypePolicy)
            and layer.input_dtype != "string"
            and layer.activity_regularizer is None
            and not layer._remat_mode
            and first is not None
            and first.kind in _POSITIONAL
            and first.name != "training"
            and all(p.kind in _VARIADIC or type(p.default) in _PLAIN for p in others)
        )
        return is_plain and cls(layer, module)


@amends("keras.src.layers.layer")
def _layers(module: ModuleType) -> None:
    """Layers have a short way for calls with one tensor and at most `training`."""
    layer, states, scope_of = module.Layer, module.global_state, module.backend.name_scope
    slowly, set_attribute, input_spec = layer.__call__, layer.__setattr__, module.input_spec.InputSpec

    def is_own(cls: type) -> bool:
        """Whether a class takes the steps of a call as every layer does."""
        return all(getattr(cls, name) is getattr(layer, name) for name in _STEPS)

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        facts = vars(self).get(FACTS)
        if not facts or len(args) != 1 or (kwargs and (len(kwargs) > 1 or "training" not in kwargs)):
            outputs = slowly(self, *args, **kwargs)
            if facts is None:
                vars(self)[FACTS] = is_own(type(self)) and Facts.of(self, module)
            return outputs
        x = args[0]
        state = vars(states.GLOBAL_STATE_TRACKER)
        if type(x) is np.ndarray and facts.takes is not None and not state.get("_keras_mask_dict"):
            x = self._dtype_policy.convert_input(x, True, facts.takes.name)
        autocast = state.get("autocast_scope")
        if (
            type(x) is not Tensor
            or vars(x).get("_keras_mask") is not None
            or not (x._value.dtype is facts.takes or facts.takes is None or not x._value.dtype.is_floating_point)
            or not (facts.is_uniform if autocast is None else autocast.dtype == facts.scope)
            or state.get("distribution") is not None
            or has_hooks(self)
        ):
            return slowly(self, *args, **kwargs)
        if facts.fitting is None:
            spec = vars(self)["_input_spec"]
            if spec is not None and not (type(spec) is input_spec and _fits(spec, x._value.kind)):
                self._assert_input_compatibility(x)
        elif x._value.kind not in facts.fitting:
            self._assert_input_compatibility(x)
            facts.fitting.add(x._value.kind)

        context = state.get("current_call_ctx")
        is_entry = context is None
        if is_entry:
            context = state["current_call_ctx"] = module.CallContext(entry_layer=self)
            self._clear_losses()
        training = kwargs.get("training", _ABSENT)
        if training is _ABSENT:
            training = vars(context).get("training")
            if training is None:
                training = facts.training
            named = {"training": training} if facts.takes_training and training is not None else {}
        else:
            named = kwargs if facts.takes_training else {}
        context.training = training
        try:
            with scope_of(self.name, caller=self):
                try:
                    outputs = as_recorded(self.call)(x, **named)
                except Exception as error:
                    fails(self, error, x, named)
            if facts.makes_masks:
                self._set_mask_metadata(x, outputs, None)
        finally:
            if is_entry:
                state["current_call_ctx"] = None
        return outputs

    @module.traceback_utils.filter_traceback
    def fails(self: Any, error: Exception, x: Any, named: dict[str, Any]) -> Any:
        """Raise an error of a layer's `call` with what Keras adds to its message."""

        @functools.wraps(self.call)
        def again(*_: Any, **__: Any) -> Any:
            raise error

        add = module.traceback_utils.inject_argument_info_in_traceback
        return add(again, f"{type(self).__name__}.call()")(x, **named)

    def setattr_(self: Any, name: str, value: Any) -> None:
        """Each call sets `built` and `_called` again: a flag that stays as it is needs no tracking."""
        if (value is True or value is False) and vars(self).get(name, _ABSENT) is value:
            return
        vars(self).pop(FACTS, None)
        vars(self).pop(ROUTE, None)
        set_attribute(self, name, value)

    layer.__call__ = functools.wraps(slowly)(call)
    layer.__setattr__ = setattr_


def _fits(spec: Any, kind: Kind) -> bool:
    """Whether an input surely fits what a layer says of it."""
    shape = kind.shape
    rank = len(shape)
    return (
        (spec.ndim is None or spec.ndim == rank)
        and (spec.min_ndim is None or spec.min_ndim <= rank)
        and spec.max_ndim is spec.dtype is spec.shape is None
        and all(value is None or shape[axis] == value for axis, value in (spec.axes or {}).items())
    )


class Route:
    """The order in which a model of one input and one output calls its layers and operations.

    Attributes:
        input: The id of the symbolic input.
        rank: How many axes it has.
        dtype: Its dtype.
        output: The id of the symbolic output.
        steps: For each call the operation, its arguments, whether it takes `training`, and the ids of what it gives.
    """

    __slots__ = ("dtype", "input", "output", "rank", "steps")

    def __init__(self, model: Any) -> None:
        (given,), (wanted,) = model._inputs, model._outputs
        self.input, self.rank, self.dtype = id(given), len(given.shape), dtype(given.dtype)
        self.output = id(wanted)
        self.steps: list[tuple[Any, Any, bool, tuple[int, ...]]] = []
        known = {self.input}
        for depth in sorted(model._nodes_by_depth, reverse=True):
            for node in model._nodes_by_depth[depth]:
                operation = node.operation
                if not operation or node.is_input or any(id(x) not in known for x in node.input_tensors):
                    continue
                made = tuple(map(id, node.outputs))
                known.update(made)
                takes_training = "training" in getattr(operation, "_call_context_args", ())
                self.steps.append((operation, node.arguments, takes_training, made))

    @classmethod
    def of(cls, model: Any, module: ModuleType) -> Route | bool:
        """False for a model whose calls are Keras's own."""
        functional, single = module.Functional, (module.backend.KerasTensor, list)
        own = all(
            getattr(type(model), name) is getattr(functional, name)
            for name in ("_standardize_inputs", "_run_through_graph")
        )
        structures = model._inputs_struct, model._outputs_struct
        if not own or not all(type(s) in single and len(module.tree.flatten(s)) == 1 for s in structures):
            return False
        given = model._inputs[0]
        return not (given.sparse or given.ragged or given.dtype == "string") and cls(model)


@amends("keras.src.models.functional")
def _models(module: ModuleType) -> None:
    """A model of one input and one output finds the order of its layers once."""
    slowly, flatten = module.Functional.call, module.tree.flatten

    def call(self: Any, inputs: Any, training: Any = None, mask: Any = None, **kwargs: Any) -> Any:
        route = vars(self).get(ROUTE)
        if route is None:
            route = vars(self)[ROUTE] = Route.of(self, module)
        if (
            not route or mask is not None or kwargs or type(inputs) is not Tensor
            or inputs._value.dtype is not route.dtype or len(inputs._value.shape) != route.rank
        ):  # fmt: skip
            return slowly(self, inputs, training, mask, **kwargs)
        tensors = {route.input: inputs}
        for operation, arguments, takes_training, made in route.steps:
            given, named = arguments.fill_in(tensors)
            if takes_training and training is not None:
                named["training"] = training
            outputs = operation(*given, **named)
            tensors.update(zip(made, (outputs,) if type(outputs) is Tensor else flatten(outputs), strict=False))
        return tensors[route.output]

    module.Functional.call = functools.wraps(slowly)(call)
