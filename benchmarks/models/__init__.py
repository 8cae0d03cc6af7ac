"""The workloads' models in PyTorch's dialect: one file for each, for PyTorch and for us.

`build(torch)` makes the model of the module `torch` to use. `start(torch, model, learning_rate, compiled)`, where
training is no classification by Adam, makes the function that takes a step on a batch and returns its loss.
"""
