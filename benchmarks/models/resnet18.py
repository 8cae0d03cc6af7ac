"""ResNet-18 for small images."""

from typing import Any

from ..workloads.resnet18 import BLOCKS, Block


def build(torch: Any) -> Any:
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
