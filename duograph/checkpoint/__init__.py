"""Tensors in files: safetensors, and PyTorch's own format. Nothing that runs code is ever loaded."""

from .atomic import replace_file
from .safetensors import load_file, save_file

__all__ = ["load_file", "replace_file", "save_file"]
