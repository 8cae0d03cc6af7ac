"""The network in PyTorch's dialect: a module, a loader, and a loop that runs where it stands."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import duograph.torch as torch
import duograph.torch.nn as nn
import duograph.torch.optim as optim
from duograph.torch.utils.data import DataLoader, TensorDataset

from ..show import Layer, Run
from .task import Learnt, Progress, Task, accuracy


class Net(nn.Module):
    """Two convolutions, a pooling, two fully connected layers. Takes (n, 1, height, width), gives (n, classes)."""

    def __init__(self, height: int, width: int, classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(0.5),
            nn.Linear(32 * (height // 2) * (width // 2), 64),
            nn.ReLU(),
            nn.Linear(64, classes),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(images))


def learn(task: Task, folder: Path, progress: Progress) -> Learnt:
    """Train, save into `folder`, load back, and predict with what was loaded."""
    torch.manual_seed(task.seed)
    images, labels = torch.tensor(task.x_train[:, None]), torch.tensor(task.y_train)
    loader = DataLoader(TensorDataset(images, labels), batch_size=task.batch_size, shuffle=True)
    net = new_net(task)
    loss_fn = nn.CrossEntropyLoss()
    optimizer = optim.Adam(net.parameters(), lr=task.learning_rate)
    run = Run("torch dialect")
    step = 0
    for _ in range(task.epochs):
        net.train()
        total = 0.0
        for x, y in loader:
            for group in optimizer.param_groups:
                group["lr"] = task.learning_rate * 0.5 * (1 + math.cos(math.pi * step / (task.epochs * task.steps)))
            optimizer.zero_grad()
            loss = loss_fn(net(x), y)
            loss.backward()
            optimizer.step()
            step += 1
            total += loss.item() * len(x)
            progress.step(loss.item())
        run.losses.append(total / len(images))
        run.accuracies.append(accuracy(predict(net, task.x_test), task.y_test))
        progress.epoch(run.losses[-1], run.accuracies[-1])

    file = folder / "torch-dialect.safetensors"
    torch.save(net.state_dict(), file)
    loaded = new_net(task)
    loaded.load_state_dict(torch.load(file))
    probabilities = predict(loaded, task.x_test)
    if not np.array_equal(probabilities, predict(net, task.x_test)):
        raise AssertionError(f"the network loaded from {file} predicts otherwise than the one that was saved")
    return Learnt(run, file, probabilities, layers_of(loaded, task))


def new_net(task: Task) -> Net:
    height, width = task.x_train.shape[1:]
    return Net(height, width, len(task.classes))


def predict(net: Net, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """The probabilities of the classes, (n, classes), for images (n, height, width)."""
    net.eval()
    with torch.no_grad():
        batches = torch.tensor(images[:, None]).split(256)
        return np.concatenate([torch.softmax(net(batch), dim=1).numpy() for batch in batches])


def layers_of(net: Net, task: Task) -> list[Layer]:
    """The layers in the order in which an image passes through them."""
    image = torch.tensor(task.x_test[:1, None])
    layers = [Layer("Input", tuple(image.shape[1:]))]

    def note(layer: nn.Module, _inputs: Any, output: torch.Tensor) -> None:
        learnt = sum(parameter.numel() for parameter in layer.parameters())
        layers.append(Layer(type(layer).__name__, tuple(output.shape[1:]), learnt))

    hooks = [layer.register_forward_hook(note) for layer in net.modules() if not list(layer.children())]
    net.eval()
    with torch.no_grad():
        net(image)
    for hook in hooks:
        hook.remove()
    return layers
