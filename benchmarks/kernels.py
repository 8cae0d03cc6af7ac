"""The kernels that are timed by themselves: shapes of well-known networks, and the work each one is."""

from dataclasses import dataclass, field
from math import prod


@dataclass(frozen=True)
class Matmul:
    """`a @ b` with `a` of shape (*batch, m, k) and `b` of shape (*batch, k, n), float32.

    `transposed` names the operand that is stored the other way round, as the gradients of a linear layer need it.
    """

    network: str
    m: int
    n: int
    k: int
    batch: int = 1
    transposed: str = ""
    kind: str = field(default="matmul", init=False)

    @property
    def name(self) -> str:
        batch = f"{self.batch}×" if self.batch > 1 else ""
        a = "ᵀ" if "a" in self.transposed else ""
        b = "ᵀ" if "b" in self.transposed else ""
        return f"{batch}{self.m}×{self.k}{a} · {self.k}×{self.n}{b}"

    @property
    def work(self) -> int:
        """Floating-point operations."""
        return 2 * self.batch * self.m * self.n * self.k


@dataclass(frozen=True)
class Convolution:
    """A square 2-d convolution in one of its three directions: "forward", "input gradient", "weight gradient"."""

    network: str
    batch: int
    channels: int
    size: int
    filters: int
    window: int
    stride: int = 1
    groups: int = 1
    direction: str = "forward"
    padded: bool = True
    kind: str = field(default="convolution", init=False)

    @property
    def padding(self) -> int:
        return self.window // 2 if self.padded else 0

    @property
    def output_size(self) -> int:
        return (self.size + 2 * self.padding - self.window) // self.stride + 1

    @property
    def input_shape(self) -> tuple[int, int, int, int]:
        return self.batch, self.channels, self.size, self.size

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        return self.filters, self.channels // self.groups, self.window, self.window

    @property
    def output_shape(self) -> tuple[int, int, int, int]:
        return self.batch, self.filters, self.output_size, self.output_size

    @property
    def name(self) -> str:
        channels = (
            f"{self.channels} depthwise" if self.groups == self.channels > 1 else f"{self.channels}→{self.filters}"
        )
        stride = f"/{self.stride}" if self.stride > 1 else ""
        return f"{self.window}×{self.window}{stride} {channels} at {self.size}², batch {self.batch}"

    @property
    def work(self) -> int:
        """Floating-point operations, the same in all three directions."""
        return 2 * prod(self.output_shape) * prod(self.weight_shape[1:])


@dataclass(frozen=True)
class Streaming:
    """A kernel whose time is that of reading its inputs and writing its output once."""

    network: str
    operation: str
    shape: tuple[int, ...]
    kind: str = field(default="streaming", init=False)

    @property
    def name(self) -> str:
        return f"{self.operation} {'×'.join(map(str, self.shape))}"

    @property
    def work(self) -> int:
        """Bytes that must be moved: each input read once, each output written once."""
        size = 4 * prod(self.shape)
        match self.operation:
            case "sum":
                return size
            case "elementwise chain":  # reads two arrays
                return 3 * size
            case _:
                return 2 * size


Kernel = Matmul | Convolution | Streaming


def _linear(network: str, rows: int, inputs: int, outputs: int) -> list[Matmul]:
    """The three products of a linear layer: its output, the gradient of its input and that of its weight."""
    return [
        Matmul(network, rows, outputs, inputs, transposed="b"),
        Matmul(network, rows, inputs, outputs),
        Matmul(network, outputs, inputs, rows, transposed="a"),
    ]


MATMULS = [
    Matmul("square", 1024, 1024, 1024),
    Matmul("square", 256, 256, 256),
    *_linear("MLP", 32, 784, 64),
    *_linear("MNIST CNN", 64, 9216, 128),
    *_linear("LSTM", 64, 128, 512),
    *_linear("character GPT", 768, 128, 384),
    *_linear("character GPT", 768, 128, 512),
    *_linear("character GPT", 768, 512, 128),
    Matmul("character GPT", 64, 64, 32, batch=48, transposed="b"),
    Matmul("character GPT", 64, 32, 64, batch=48),
    *_linear("GPT-2", 512, 768, 2304),
    *_linear("GPT-2", 512, 768, 768),
    *_linear("GPT-2", 512, 768, 3072),
    *_linear("GPT-2", 512, 3072, 768),
    Matmul("GPT-2", 512, 512, 64, batch=12, transposed="b"),
    Matmul("GPT-2", 512, 64, 512, batch=12),
    Matmul("GPT-2", 128, 50257, 768, transposed="b"),
]

_LAYERS = [
    Convolution("MNIST CNN", 64, 1, 28, 32, 3, padded=False),
    Convolution("MNIST CNN", 64, 32, 26, 64, 3, padded=False),
    Convolution("ResNet-18", 32, 3, 32, 64, 3),
    Convolution("ResNet-18", 32, 64, 32, 64, 3),
    Convolution("ResNet-18", 32, 64, 32, 128, 3, 2),
    Convolution("ResNet-18", 32, 64, 32, 128, 1, 2),
    Convolution("ResNet-18", 32, 128, 16, 128, 3),
    Convolution("ResNet-18", 32, 128, 16, 256, 3, 2),
    Convolution("ResNet-18", 32, 256, 8, 256, 3),
    Convolution("ResNet-18", 32, 256, 8, 512, 3, 2),
    Convolution("ResNet-18", 32, 512, 4, 512, 3),
    Convolution("ResNet-50", 8, 3, 224, 64, 7, 2),
    Convolution("ResNet-50", 8, 64, 56, 64, 1),
    Convolution("ResNet-50", 8, 64, 56, 256, 1),
    Convolution("ResNet-50", 8, 256, 56, 64, 1),
    Convolution("ResNet-50", 8, 64, 56, 64, 3),
    Convolution("ResNet-50", 8, 256, 56, 512, 1, 2),
    Convolution("ResNet-50", 8, 128, 56, 128, 3, 2),
    Convolution("ResNet-50", 8, 128, 28, 128, 3),
    Convolution("ResNet-50", 8, 512, 28, 128, 1),
    Convolution("ResNet-50", 8, 256, 14, 256, 3),
    Convolution("ResNet-50", 8, 1024, 14, 256, 1),
    Convolution("ResNet-50", 8, 256, 14, 1024, 1),
    Convolution("ResNet-50", 8, 512, 7, 512, 3),
    Convolution("ResNet-50", 8, 2048, 7, 512, 1),
    Convolution("MobileNet", 8, 3, 224, 32, 3, 2),
    Convolution("MobileNet", 8, 32, 112, 32, 3, groups=32),
    Convolution("MobileNet", 8, 32, 112, 64, 1),
    Convolution("MobileNet", 8, 96, 112, 96, 3, 2, groups=96),
    Convolution("MobileNet", 8, 96, 56, 24, 1),
    Convolution("MobileNet", 8, 144, 56, 144, 3, groups=144),
    Convolution("MobileNet", 8, 384, 14, 384, 3, groups=384),
    Convolution("MobileNet", 8, 576, 14, 96, 1),
    Convolution("MobileNet", 8, 960, 7, 960, 3, groups=960),
    Convolution("MobileNet", 8, 320, 7, 1280, 1),
]
DIRECTIONS = ("forward", "input gradient", "weight gradient")

CONVOLUTIONS = [
    Convolution(c.network, c.batch, c.channels, c.size, c.filters, c.window, c.stride, c.groups, direction, c.padded)
    for c in _LAYERS
    for direction in DIRECTIONS
    if not (direction == "input gradient" and c.channels <= 3)  # the first layer's input needs no gradient
]

# 64 MB an array: larger than any cache, so that memory itself is measured.
STREAMING = [
    Streaming("memory", "copy", (4096, 4096)),
    Streaming("memory", "elementwise chain", (4096, 4096)),
    Streaming("memory", "sum", (4096, 4096)),
    Streaming("memory", "softmax", (16384, 1024)),
    Streaming("memory", "layer norm", (16384, 1024)),
]

KERNELS: list[Kernel] = [*MATMULS, *CONVOLUTIONS, *STREAMING]
