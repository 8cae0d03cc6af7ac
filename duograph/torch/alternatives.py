"""What to do in place of names of PyTorch's that are not built: `missing` says so, and docs/torch.md lists it.

A name stands for all that begin with it and a dot.
"""

from __future__ import annotations

_ONE = "Duograph computes in one process, on all its processors: leave the set-up and the wrappers out"
_DENSE = "tensors are dense here; what is not, is what torch.sparse_coo_tensor and to_sparse() give"
_COO = "sparse tensors are coordinates and values here: torch.sparse_coo_tensor, to_sparse()"
_WHOLE = "quantised numbers are not there"

ALTERNATIVES = {
    "Event": "there is one device and no streams: time.perf_counter(), after looking at a result",
    "Stream": "there is one device and no streams: leave it out",
    "Tensor.as_strided_": "write x = x.as_strided(size, stride)",
    "Tensor.chalf": "half complex numbers are not there: x.to(torch.complex64)",
    "Tensor.coalesce": _DENSE,
    "Tensor.dequantize": _WHOLE,
    "Tensor.eig": "torch.linalg.eig",
    "Tensor.index": "write x[indices]",
    "Tensor.indices": _DENSE,
    "Tensor.int_repr": _WHOLE,
    "Tensor.lstsq": "torch.linalg.lstsq",
    "Tensor.q_scale": _WHOLE,
    "Tensor.q_zero_point": _WHOLE,
    "Tensor.record_stream": "there is one device and no streams: leave it out",
    "Tensor.reinforce": "torch.distributions: log_prob(action) * reward",
    "Tensor.resize": "write x.reshape(shape), or x.resize_(shape)",
    "Tensor.resize_as": "write x.reshape(other.shape), or x.resize_as_(other)",
    "Tensor.solve": "torch.linalg.solve",
    "Tensor.symeig": "torch.linalg.eigh",
    "Tensor.to_mkldnn": "there is one layout: leave it out",
    "Tensor.to_padded_tensor": "tensors are padded here: torch.nn.utils.rnn.pad_sequence",
    "Tensor.to_sparse_csr": _COO,
    "Tensor.values": _DENSE,
    "_C": "PyTorch's compiled parts are not here; use the public name",
    "_dynamo": "torch.compile, torch.compiler.disable; see duograph.debug for what is recorded anew",
    "ao.nn": _WHOLE + "; torch.float16 and torch.bfloat16 halve the memory of weights",
    "ao.quantization": _WHOLE + "; torch.float16 and torch.bfloat16 halve the memory of weights",
    "autograd.graph": "Tensor.register_hook and grad_fn",
    "autograd.profiler": "torch.profiler",
    "backends.quantized": "quantised numbers are not there",
    "batch_norm_stats": "torch.nn.functional.batch_norm",
    "classes": "nothing in a file is run here: write the class in Python",
    "compiler": "torch.compile, torch.compiler.disable; see duograph.debug for what is recorded anew",
    "cpu.Event": "there is one device and no streams: leave it out",
    "cpu.Stream": "there is one device and no streams: leave it out",
    "cuda": "there is one device, cpu: ask torch.cuda.is_available() first",
    "cudnn_convolution": "torch.convolution",
    "dequantize": "quantised numbers are not there",
    "distributed": _ONE,
    "eig": "torch.linalg.eig",
    "embedding_bag": "torch.nn.functional.embedding_bag",
    "export": "use torch.compile, and torch.save of the state_dict",
    "fake_quantize_per_tensor_affine": "write x + ((x / scale).round().clamp(low, high) * scale - x).detach()",
    "fork": "torch.futures, or a ThreadPoolExecutor",
    "get_device_module": "there is one device: torch.cpu",
    "hash_tensor": "hash(x.numpy().tobytes())",
    "int_repr": "quantised numbers are not there",
    "jit": "use torch.compile: it needs no types or scripts; torch.save of the state_dict keeps a model",
    "jit.load": "PyTorch's scripts are not read: torch.save of the state_dict, and the model's Python",
    "jit.save": "torch.save of the state_dict",
    "library": "torch.autograd.Function: an operation in Python, with a gradient of its own",
    "linalg.ldl_factor": "torch.linalg.cholesky or lu_factor",
    "linalg.ldl_factor_ex": "torch.linalg.cholesky or lu_factor",
    "linalg.ldl_solve": "torch.linalg.solve, cholesky_solve or lu_solve",
    "lobpcg": "torch.linalg.eigh",
    "lstsq": "torch.linalg.lstsq",
    "masked": "keep a tensor and its mask, and torch.masked's functions of both",
    "matrix_rank": "torch.linalg.matrix_rank",
    "monitor": "torch.utils.tensorboard, or Python's logging",
    "mps": "there is one device, cpu",
    "mtia": "there is one device, cpu",
    "nested": "pad to one length and pass a mask",
    "nn.functional.grad": "torch.autograd.grad",
    "nn.functional.grouped_mm": "a loop of torch.mm, or torch.bmm of padded groups",
    "nn.grad": "torch.autograd.grad",
    "onnx": "use torch.save of the state_dict",
    "nn.parallel": "one process computes on all processors: call the module itself",
    "ops": "write it in Python with torch functions; torch.autograd.Function gives it a gradient of its own",
    "optim.swap_in_optimizer_params_and_state": "optimizer.load_state_dict",
    "overrides": "a subclass of Tensor, or functions of your own: functions do not look for __torch_function__",
    "package": "torch.save of the state_dict, and Python's own packages for code",
    "quantization": _WHOLE + "; torch.float16 and torch.bfloat16 halve the memory of weights",
    "quantize_per_channel": "quantised numbers are not there",
    "quantize_per_tensor": "quantised numbers are not there",
    "serialization": "torch.save and torch.load: nothing in a file is run",
    "solve": "torch.linalg.solve",
    "sparse": _COO,
    "sparse_bsc_tensor": _COO,
    "sparse_bsr_tensor": _COO,
    "sparse_compressed_tensor": _COO,
    "sparse_csc_tensor": _COO,
    "sparse_csr_tensor": _COO,
    "storage": "x.untyped_storage() and x.storage() of a tensor",
    "symeig": "torch.linalg.eigh",
    "utils.checkpoint": "checkpoint and checkpoint_sequential, which the planner of memory makes superfluous",
    "utils.cpp_extension": "write it in Python: it is compiled to machine code",
    "utils.data": "a Dataset or IterableDataset: data pipes are not there, as in newer PyTorch",
    "utils.flop_counter": "DUOGRAPH_LOG=kernels, or torch.profiler with with_flops=True",
    "utils.mobile_optimizer": "torch.save of the state_dict",
    "wait": "torch.futures.wait_all, or a ThreadPoolExecutor",
    "xpu": "there is one device, cpu",
}


def alternative(name: str) -> str | None:
    """What to do in place of a name of `torch`'s such as "fx.Graph"; None where nothing is known to be asked for it."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        if found := ALTERNATIVES.get(".".join(parts[:length])):
            return found
    return None
