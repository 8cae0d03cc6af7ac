"""Which modules of the TensorFlow face load when they are first asked for, and which top-level names are in them."""

from __future__ import annotations

ROOMS = {
    "audio", "bitwise", "config", "data", "debugging", "distribute", "image", "io", "lookup", "ragged", "sets", "signal",
    "sparse", "strings", "summary", "train",
}  # fmt: skip
"""Modules of TensorFlow's that are modules here."""

_PARTITION = """
    batch_to_space bitcast broadcast_dynamic_shape broadcast_static_shape dynamic_partition dynamic_stitch ensure_shape
    histogram_fixed_width histogram_fixed_width_bins identity_n parallel_stack reverse_sequence shape_n space_to_batch
    space_to_batch_nd strided_slice tensor_scatter_nd_max tensor_scatter_nd_min tensor_scatter_nd_sub unique_with_counts
    unravel_index
"""
HOMES = {
    **dict.fromkeys(_PARTITION.split(), "partition"),
    **dict.fromkeys("Assert assert_equal assert_greater assert_less assert_rank".split(), "debugging"),
    **dict.fromkeys("RaggedTensor".split(), "ragged"),
    **dict.fromkeys("IndexedSlices SparseTensor edit_distance".split(), "sparse"),
    **dict.fromkeys(["TensorShape"], "shapes"),
    **dict.fromkeys("as_string".split(), "strings"),
    **dict.fromkeys("device".split(), "config"),
    **dict.fromkeys("executing_eagerly init_scope".split(), "eager"),
    **dict.fromkeys("eig eigvals".split(), "factors"),
    **dict.fromkeys("get_logger print py_function numpy_function timestamp".split(), "host"),
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
