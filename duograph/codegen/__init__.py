"""Plans to LLVM IR: the emitter and the generators of kernels."""
