"""The workloads, each described once, in numbers, for every framework."""

from .dcgan import DCGAN
from .gpt import GPT
from .language_model import LANGUAGE_MODEL
from .lstm import LSTM
from .mlp import MLP, MLP_SINGLE
from .mnist_cnn import MNIST_CNN
from .networks import MOBILENET_V2, RESNET50
from .resnet18 import RESNET18
from .vae import VAE
from .vit import VIT
from .workload import Goal, Workload

WORKLOADS: dict[str, Workload] = {
    w.name: w
    for w in (
        MLP, MLP_SINGLE, MNIST_CNN, RESNET18, GPT, LSTM, VIT, VAE, DCGAN, LANGUAGE_MODEL, RESNET50, MOBILENET_V2,
    )
}  # fmt: skip

__all__ = ["WORKLOADS", "Goal", "Workload"]
