"""The demonstration: one convolutional network, learnt twice, in PyTorch's dialect and in Keras's.

`torch_dialect` and `keras_dialect` are written as a user would write them, over the public interface alone; `program`
runs both and shows what came of it.
"""
