"""The workloads, each described once, in numbers, for every framework."""

from .gpt import GPT
from .lstm import LSTM
from .mlp import MLP, MLP_SINGLE
from .mnist_cnn import MNIST_CNN
from .resnet18 import RESNET18
from .workload import Goal, Workload

WORKLOADS: dict[str, Workload] = {w.name: w for w in (MLP, MLP_SINGLE, MNIST_CNN, RESNET18, GPT, LSTM)}

__all__ = ["WORKLOADS", "Goal", "Workload"]
