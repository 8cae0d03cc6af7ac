"""What to do in place of names of PyTorch's that are not built: `missing` says so, and docs/torch.md lists it.

A name stands for all that begin with it and a dot.
"""

from __future__ import annotations

_ONE = "Duograph computes in one process, on all its processors: leave the set-up and the wrappers out"
_DENSE = "tensors are dense here: keep the dense tensor, or indices and values and scatter_add"
_WHOLE = "quantised numbers are not there"

ALTERNATIVES = {
    "Tensor.as_strided": "index, or take torch.as_strided_copy where a copy will do",
    "Tensor.as_strided_": "index, or take torch.as_strided_copy where a copy will do",
    "Tensor.chalf": "half complex numbers are not there: x.to(torch.complex64)",
    "Tensor.coalesce": _DENSE,
    "Tensor.dequantize": _WHOLE,
    "Tensor.indices": _DENSE,
    "Tensor.int_repr": _WHOLE,
    "Tensor.q_scale": _WHOLE,
    "Tensor.q_zero_point": _WHOLE,
    "Tensor.resize": "write x.new_empty(shape) and copy into it",
    "Tensor.resize_": "write x = x.new_empty(shape), or give the result of an operation to out=",
    "Tensor.resize_as_": "write x = x.new_empty(other.shape)",
    "Tensor.set_": "write x.data = other",
    "Tensor.sparse_mask": _DENSE,
    "Tensor.storage": "x.data_ptr() tells whose memory it is, x.numpy() gives it, x.nbytes its size",
    "Tensor.to_mkldnn": "there is one layout: leave it out",
    "Tensor.to_sparse": _DENSE,
    "Tensor.to_sparse_csr": _DENSE,
    "Tensor.untyped_storage": "x.data_ptr() tells whose memory it is, x.numpy() gives it, x.nbytes its size",
    "Tensor.index": "write x[indices]",
    "Tensor.values": "tensors are dense here; a dict's values() is Python's",
    "_C": "PyTorch's compiled parts are not here; use the public name",
    "ao": "quantisation is not built; torch.float16 and torch.bfloat16 halve the memory of weights",
    "as_strided": "index, or take as_strided_copy where a copy will do",
    "autograd.profiler": "use DUOGRAPH_LOG=profile, which names your lines",
    "backends.cuda.sdp_kernel": "scaled_dot_product_attention chooses by itself",
    "backends.quantized": "quantised numbers are not there",
    "classes": "nothing in a file is run here: write the class in Python",
    "distributed": _ONE,
    "export": "use torch.compile, and torch.save of the state_dict",
    "from_file": "torch.from_numpy(numpy.memmap(...)), which shares the file's memory",
    "fx": "use torch.compile; the graph of what ran is shown by DUOGRAPH_LOG=graphs",
    "hub": "get the file yourself and pass it to torch.load",
    "jagged": "pad_sequence and a mask, or packed sequences",
    "jit": "use torch.compile: it needs no types or scripts; torch.save of the state_dict keeps a model",
    "lobpcg": "torch.linalg.eigh",
    "linalg.ldl_factor": "torch.linalg.cholesky or lu_factor",
    "linalg.ldl_factor_ex": "torch.linalg.cholesky or lu_factor",
    "linalg.ldl_solve": "torch.linalg.solve, cholesky_solve or lu_solve",
    "nested": "pad to one length and pass a mask",
    "nn.utils.prune": "multiply weights by a mask: torch.nn.utils.parametrize.register_parametrization",
    "nn.quantized": "quantised numbers are not there: write + and * for FloatFunctional",
    "nn.parallel.data_parallel": "call the module itself: there is one device",
    "onnx": "use torch.save of the state_dict",
    "ops": "write it in Python with torch functions; torch.autograd.Function gives it a gradient of its own",
    "profiler": "use DUOGRAPH_LOG=profile, which names your lines",
    "quantization": "quantisation is not built; torch.float16 and torch.bfloat16 halve the memory of weights",
    "quantize_per_tensor": "quantised numbers are not there",
    "sparse": _DENSE,
    "sparse_coo_tensor": _DENSE,
    "spmm": _DENSE,
    "xpu": "there is one device, cpu",
}


def alternative(name: str) -> str | None:
    """What to do in place of a name of `torch`'s such as "fx.Graph"; None where nothing is known to be asked for it."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        if found := ALTERNATIVES.get(".".join(parts[:length])):
            return found
    return None
