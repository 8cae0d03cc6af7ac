"""The workloads in the PyTorch dialect: one source for PyTorch and for Duograph, which differ in the import alone.

Every function takes the module `torch` to use; `frameworks/torch.py` and `frameworks/duograph.py` bring it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..kernels import Convolution, Kernel, Matmul, Streaming
from ..workloads import Workload
from ..workloads.gpt import HEADS, LAYERS, TOKENS, VOCABULARY, WIDTH
from ..workloads.lstm import FEATURES, HIDDEN
from ..workloads.resnet18 import BLOCKS, Block

Torch = Any  # PyTorch, or something that speaks its dialect
Step = Callable[[int], Any]

BATCHES = 8


def trainer(torch: Torch, workload: Workload, compiled: bool) -> Step:
    """A plain training loop's body: forward, loss, backward, Adam."""
    model = _model(torch, workload).train()
    loss_function = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=workload.learning_rate)
    batches = [(torch.from_numpy(x), torch.from_numpy(y.reshape(-1))) for x, y in workload.batches(BATCHES)]

    def train(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = loss_function(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    train_one = torch.compile(train) if compiled else train
    return lambda i: train_one(*batches[i % BATCHES])


def predictor(torch: Torch, workload: Workload, compiled: bool, batch: int) -> Callable[[int], np.ndarray]:
    """The model in evaluation mode, on `batch` examples."""
    model = _model(torch, workload).eval()
    inputs = [torch.from_numpy(x[:batch].copy()) for x, _ in workload.batches(BATCHES)]
    forward = torch.compile(model) if compiled else model

    def predict(i: int) -> np.ndarray:
        with torch.no_grad():
            return forward(inputs[i % BATCHES]).numpy()

    return predict


def kernels(torch: Torch, kernel: Kernel) -> dict[str, Callable[[], object]]:
    """The kernel as the dialect says it, observed through `numpy()`; a convolution in both memory layouts."""
    match kernel:
        case Matmul():
            a, b = matmul_operands(torch, kernel)
            return {"": lambda: torch.matmul(a, b).numpy()}
        case Convolution():
            return {
                "channels first": _convolution(torch, kernel, last=False),
                "channels last": _convolution(torch, kernel, last=True),
            }
        case Streaming():
            return {"": _streaming(torch, kernel)}


def matmul_operands(torch: Torch, kernel: Matmul) -> tuple[Any, Any]:
    """Random operands, the transposed ones as views."""
    stack = (kernel.batch,) if kernel.batch > 1 else ()
    a = normal(torch, *stack, *((kernel.k, kernel.m) if "a" in kernel.transposed else (kernel.m, kernel.k)))
    b = normal(torch, *stack, *((kernel.n, kernel.k) if "b" in kernel.transposed else (kernel.k, kernel.n)))
    return a.mT if "a" in kernel.transposed else a, b.mT if "b" in kernel.transposed else b


def normal(torch: Torch, *shape: int) -> Any:
    """A tensor of seeded normal numbers."""
    return torch.from_numpy(np.random.default_rng(0).normal(size=shape).astype(np.float32))


def _convolution(torch: Torch, kernel: Convolution, last: bool) -> Callable[[], object]:
    """One direction of a convolution. The gradients come from `autograd.grad`, which needs no forward result here."""
    first, back = ((0, 3, 1, 2), (0, 2, 3, 1)) if last else ((0, 1, 2, 3),) * 2

    def stored(*shape: int) -> Any:
        """Stored channels last, seen channels first."""
        n, c, h, w = shape
        return normal(torch, n, h, w, c) if last else normal(torch, *shape)

    x, weight, seed = stored(*kernel.input_shape), normal(torch, *kernel.weight_shape), stored(*kernel.output_shape)
    x.requires_grad_(kernel.direction == "input gradient")
    weight.requires_grad_(kernel.direction == "weight gradient")

    def forward() -> Any:
        return torch.nn.functional.conv2d(
            x.permute(first), weight, stride=kernel.stride, padding=kernel.padding, groups=kernel.groups
        )

    def gradient() -> object:
        wanted = x if x.requires_grad else weight
        return torch.autograd.grad(forward(), wanted, seed.permute(first))[0].numpy()

    return gradient if kernel.direction != "forward" else lambda: forward().permute(back).numpy()


def _streaming(torch: Torch, kernel: Streaming) -> Callable[[], object]:
    x = normal(torch, *kernel.shape)
    match kernel.operation:
        case "elementwise chain":
            y = normal(torch, *kernel.shape)
            return lambda: torch.relu(0.5 * x + y).numpy()
        case "sum":
            return lambda: x.sum().numpy()
        case "softmax":
            return lambda: torch.softmax(x, -1).numpy()
        case "layer norm":
            width = kernel.shape[-1]
            weight, bias = normal(torch, width), normal(torch, width)
            return lambda: torch.nn.functional.layer_norm(x, (width,), weight, bias).numpy()
        case other:
            raise NotImplementedError(f"a {other} is measured against the floor only")


def _model(torch: Torch, workload: Workload) -> Any:
    model = _MODELS[workload.model](torch)
    state = model.state_dict()
    state.update({name: torch.from_numpy(weight) for name, weight in workload.weights().items()})
    model.load_state_dict(state)
    return model


def _mlp(torch: Torch) -> Any:
    nn = torch.nn

    class MLP(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.hidden = nn.Linear(784, 64)
            self.output = nn.Linear(64, 10)

        def forward(self, x: Any) -> Any:
            return self.output(torch.relu(self.hidden(x)))

    return MLP()


def _mnist_cnn(torch: Torch) -> Any:
    nn, F = torch.nn, torch.nn.functional

    class CNN(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(1, 32, 3)
            self.conv2 = nn.Conv2d(32, 64, 3)
            self.hidden = nn.Linear(64 * 12 * 12, 128)
            self.output = nn.Linear(128, 10)

        def forward(self, x: Any) -> Any:
            x = torch.relu(self.conv1(x))
            x = torch.relu(self.conv2(x))
            x = F.max_pool2d(x, 2)
            x = torch.relu(self.hidden(torch.flatten(x, 1)))
            return self.output(x)

    return CNN()


def _resnet18(torch: Torch) -> Any:
    nn = torch.nn

    class Residual(nn.Module):
        def __init__(self, block: Block) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(block.inputs, block.outputs, 3, block.stride, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(block.outputs)
            self.conv2 = nn.Conv2d(block.outputs, block.outputs, 3, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(block.outputs)
            self.downsample = None
            if block.reshapes:
                self.downsample = nn.Sequential(
                    nn.Conv2d(block.inputs, block.outputs, 1, block.stride, bias=False), nn.BatchNorm2d(block.outputs)
                )

        def forward(self, x: Any) -> Any:
            shortcut = x if self.downsample is None else self.downsample(x)
            y = torch.relu(self.bn1(self.conv1(x)))
            return torch.relu(self.bn2(self.conv2(y)) + shortcut)

    class ResNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(64)
            for stage in range(4):
                self.add_module(f"layer{stage + 1}", nn.Sequential(*map(Residual, BLOCKS[2 * stage : 2 * stage + 2])))
            self.fc = nn.Linear(512, 10)

        def forward(self, x: Any) -> Any:
            x = torch.relu(self.bn1(self.conv1(x)))
            x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
            return self.fc(x.mean((2, 3)))

    return ResNet()


def _gpt(torch: Torch) -> Any:
    nn, F = torch.nn, torch.nn.functional

    class TransformerBlock(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm1 = nn.LayerNorm(WIDTH)
            self.attention = nn.Linear(WIDTH, 3 * WIDTH)
            self.projection = nn.Linear(WIDTH, WIDTH)
            self.norm2 = nn.LayerNorm(WIDTH)
            self.expand = nn.Linear(WIDTH, 4 * WIDTH)
            self.contract = nn.Linear(4 * WIDTH, WIDTH)

        def forward(self, x: Any) -> Any:
            x = x + self.projection(self.attend(self.attention(self.norm1(x))))
            return x + self.contract(F.gelu(self.expand(self.norm2(x))))

        def attend(self, x: Any) -> Any:
            sequences, tokens, _ = x.shape
            query, key, value = (
                part.view(sequences, tokens, HEADS, WIDTH // HEADS).transpose(1, 2) for part in x.split(WIDTH, dim=2)
            )
            y = F.scaled_dot_product_attention(query, key, value, is_causal=True)
            return y.transpose(1, 2).reshape(sequences, tokens, WIDTH)

    class GPT(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token_embedding = nn.Embedding(VOCABULARY, WIDTH)
            self.position_embedding = nn.Embedding(TOKENS, WIDTH)
            self.blocks = nn.ModuleList([TransformerBlock() for _ in range(LAYERS)])
            self.norm = nn.LayerNorm(WIDTH)
            self.head = nn.Linear(WIDTH, VOCABULARY, bias=False)

        def forward(self, tokens: Any) -> Any:
            x = self.token_embedding(tokens) + self.position_embedding.weight
            for block in self.blocks:
                x = block(x)
            return self.head(self.norm(x)).flatten(0, 1)

    return GPT()


def _lstm(torch: Torch) -> Any:
    nn = torch.nn

    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(FEATURES, HIDDEN, batch_first=True)
            self.output = nn.Linear(HIDDEN, 10)

        def forward(self, x: Any) -> Any:
            states, _ = self.lstm(x)
            return self.output(states[:, -1])

    return Classifier()


_MODELS: dict[str, Callable[[Torch], Any]] = {
    "mlp": _mlp,
    "mnist_cnn": _mnist_cnn,
    "resnet18": _resnet18,
    "gpt": _gpt,
    "lstm": _lstm,
}
