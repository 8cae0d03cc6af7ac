"""Which modules of the TensorFlow face load when they are first asked for, and which top-level names are in them."""

from __future__ import annotations

ROOMS = {
    "audio", "autograph", "bitwise", "compat", "config", "data", "debugging", "distribute", "image", "io", "lookup",
    "ragged", "sets", "signal", "sparse", "strings", "summary", "train",
}  # fmt: skip
"""Modules of TensorFlow's that are modules here."""

_PARTITION = """
    batch_to_space bitcast broadcast_dynamic_shape broadcast_static_shape dynamic_partition dynamic_stitch ensure_shape
    histogram_fixed_width histogram_fixed_width_bins identity_n parallel_stack reverse_sequence shape_n space_to_batch
    space_to_batch_nd strided_slice tensor_scatter_nd_max tensor_scatter_nd_min tensor_scatter_nd_sub unique_with_counts
    unravel_index
"""
_MODULE = """
    Module TensorArray VariableAggregation VariableSynchronization foldr group name_scope recompute_grad vectorized_map
"""
HOMES = {
    **dict.fromkeys(_MODULE.split(), "module"),
    **dict.fromkeys(["Graph", "control_dependencies"], "graph"),
    **dict.fromkeys(_PARTITION.split(), "partition"),
    **dict.fromkeys(["Assert", "assert_equal", "assert_greater", "assert_less", "assert_rank"], "debugging"),
    **dict.fromkeys(["RaggedTensor"], "ragged"),
    **dict.fromkeys(["IndexedSlices", "SparseTensor", "edit_distance"], "sparse"),
    **dict.fromkeys(["TensorShape"], "shapes"),
    **dict.fromkeys(["as_string", "fingerprint"], "strings"),
    **dict.fromkeys(["device"], "config"),
    **dict.fromkeys(["executing_eagerly", "init_scope"], "eager"),
    **dict.fromkeys(["eig", "eigvals"], "factors"),
    **dict.fromkeys(["get_logger", "print", "timestamp"], "host"),
}
"""The module that a top-level name is in."""

KERAS = {"initializers", "losses", "metrics", "optimizers"}
"""Modules of Keras that TensorFlow shows at its top too."""

INITIALIZERS = {
    "constant_initializer": "Constant",
    "ones_initializer": "Ones",
    "random_normal_initializer": "RandomNormal",
    "random_uniform_initializer": "RandomUniform",
    "zeros_initializer": "Zeros",
}
"""Initialisers of Keras under the names TensorFlow has for them at its top."""
