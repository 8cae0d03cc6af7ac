"""`torch.nn.utils.convert_parameters`: all parameters as one vector."""

from ....nn.utils.vectors import parameters_to_vector, vector_to_parameters

__all__ = ["parameters_to_vector", "vector_to_parameters"]
