"""ResNet-18 for 32×32 images (He et al., "Deep residual learning", 2015): first convolution 3×3, no first pooling."""

from collections.abc import Iterator
from dataclasses import dataclass

from .workload import Goal, Workload, batch_norm, classified, convolution, linear


@dataclass(frozen=True)
class Block:
    """A residual block of two convolutions; the shortcut is a convolution where the shape changes."""

    name: str
    inputs: int
    outputs: int
    stride: int

    @property
    def reshapes(self) -> bool:
        return self.stride != 1 or self.inputs != self.outputs


def _blocks() -> Iterator[Block]:
    inputs = 64
    for stage, outputs in enumerate((64, 128, 256, 512), start=1):
        for position in range(2):
            stride = 2 if stage > 1 and position == 0 else 1
            yield Block(f"layer{stage}.{position}", inputs, outputs, stride)
            inputs = outputs


BLOCKS = tuple(_blocks())


def _shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    yield from convolution("conv1", 3, 64, 3, bias=False)
    yield from batch_norm("bn1", 64)
    for block in BLOCKS:
        yield from convolution(f"{block.name}.conv1", block.inputs, block.outputs, 3, bias=False)
        yield from batch_norm(f"{block.name}.bn1", block.outputs)
        yield from convolution(f"{block.name}.conv2", block.outputs, block.outputs, 3, bias=False)
        yield from batch_norm(f"{block.name}.bn2", block.outputs)
        if block.reshapes:
            yield from convolution(f"{block.name}.downsample.0", block.inputs, block.outputs, 1, bias=False)
            yield from batch_norm(f"{block.name}.downsample.1", block.outputs)
    yield from linear("fc", 512, 10)


RESNET18 = Workload(
    name="resnet18",
    title="ResNet-18 for 32×32, batch 32",
    model="resnet18",
    shapes=dict(_shapes()),
    batch=classified(32, (3, 32, 32), 10),
    goal=Goal(eager=1.3, compiled=1.3),
    # Small, so that 20 steps can be compared: at 1e-3 rounding alone drives two frameworks (or one framework with two
    # memory layouts) 20 % apart, for Adam's first update is a sign and 11 million signs are not all certain.
    learning_rate=1e-5,
    inference={1: 1.3, 32: None},
)
