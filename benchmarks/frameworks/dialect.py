"""The workloads in the PyTorch dialect: one source for PyTorch and for Duograph, which differ in the import alone.

Every function takes the module `torch` to use; `frameworks/torch.py` and `frameworks/duograph.py` bring it. The models
are in `benchmarks/models`.
"""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from ..workloads import Workload

Torch = Any  # PyTorch, or something that speaks its dialect
Step = Callable[[int], Any]

BATCHES = 8


def trainer(torch: Torch, workload: Workload, compiled: bool) -> Step:
    """A step of an ordinary training loop; `models` has it where it is no classification."""
    module = _module(workload)
    start = getattr(module, "start", classification)
    take = start(torch, _model(torch, workload).train(), workload.learning_rate, compiled)
    batches = [tuple(map(torch.from_numpy, batch)) for batch in workload.batches(BATCHES)]
    return lambda i: take(*batches[i % BATCHES])


def classification(torch: Torch, model: Any, learning_rate: float, compiled: bool) -> Callable[..., Any]:
    """Forward, cross-entropy, backward, Adam."""
    loss_function = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)

    def train(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = loss_function(model(x), y.reshape(-1))
        loss.backward()
        optimizer.step()
        return loss

    return torch.compile(train) if compiled else train


def predictor(torch: Torch, workload: Workload, compiled: bool, batch: int) -> Callable[[int], np.ndarray]:
    """The model in evaluation mode, on `batch` examples."""
    model = _model(torch, workload).eval()
    inputs = [torch.from_numpy(x[:batch].copy()) for x, *_ in workload.batches(BATCHES)]
    forward = torch.compile(model) if compiled else model

    def predict(i: int) -> np.ndarray:
        with torch.no_grad():
            return forward(inputs[i % BATCHES]).numpy()

    return predict


def _module(workload: Workload) -> ModuleType:
    return import_module(f"benchmarks.models.{workload.model}")


def _model(torch: Torch, workload: Workload) -> Any:
    model = _module(workload).build(torch)
    state = model.state_dict()
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items() if tensor.is_floating_point()}
    state.update({name: torch.from_numpy(weight) for name, weight in workload.weights(shapes).items()})
    model.load_state_dict(state)
    return model
