"""`torch.compiler`: what programs ask of PyTorch's compiler."""

from ._dynamo import disable, is_compiling, reset

__all__ = ["disable", "is_compiling", "reset"]
