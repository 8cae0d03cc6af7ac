"""Two dense blocks with a transition, checkpointed activations, gradient accumulation and Adam."""

from collections import OrderedDict

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.utils.checkpoint as cp


class _DenseLayer(nn.Module):
    def __init__(self, num_input_features, growth_rate, bn_size, memory_efficient=False):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(num_input_features)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(num_input_features, bn_size * growth_rate, kernel_size=1, stride=1, bias=False)
        self.norm2 = nn.BatchNorm2d(bn_size * growth_rate)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(bn_size * growth_rate, growth_rate, kernel_size=3, stride=1, padding=1, bias=False)
        self.memory_efficient = memory_efficient

    def bn_function(self, *inputs):
        return self.conv1(self.relu1(self.norm1(torch.cat(inputs, 1))))

    def forward(self, features):
        if self.memory_efficient and any(f.requires_grad for f in features):
            bottleneck = cp.checkpoint(self.bn_function, *features, use_reentrant=False)
        else:
            bottleneck = self.bn_function(*features)
        return self.conv2(self.relu2(self.norm2(bottleneck)))


class _DenseBlock(nn.ModuleDict):
    def __init__(self, num_layers, num_input_features, bn_size, growth_rate):
        super().__init__()
        for i in range(num_layers):
            layer = _DenseLayer(num_input_features + i * growth_rate, growth_rate, bn_size, memory_efficient=i > 0)
            self.add_module("denselayer%d" % (i + 1), layer)

    def forward(self, init_features):
        features = [init_features]
        for name, layer in self.items():
            features.append(layer(features))
        return torch.cat(features, 1)


class _Transition(nn.Sequential):
    def __init__(self, num_input_features, num_output_features):
        super().__init__()
        self.norm = nn.BatchNorm2d(num_input_features)
        self.relu = nn.ReLU(inplace=True)
        self.conv = nn.Conv2d(num_input_features, num_output_features, kernel_size=1, stride=1, bias=False)
        self.pool = nn.AvgPool2d(kernel_size=2, stride=2)


class DenseNet(nn.Module):
    def __init__(self, growth_rate=4, block_config=(2, 3), num_init_features=8, bn_size=2, num_classes=5):
        super().__init__()
        self.features = nn.Sequential(
            OrderedDict(
                [
                    ("conv0", nn.Conv2d(3, num_init_features, kernel_size=3, stride=2, padding=1, bias=False)),
                    ("norm0", nn.BatchNorm2d(num_init_features)),
                    ("relu0", nn.ReLU(inplace=True)),
                    ("pool0", nn.MaxPool2d(kernel_size=3, stride=2, padding=1)),
                ]
            )
        )
        num_features = num_init_features
        for i, num_layers in enumerate(block_config):
            self.features.add_module(f"denseblock{i + 1}", _DenseBlock(num_layers, num_features, bn_size, growth_rate))
            num_features = num_features + num_layers * growth_rate
            if i != len(block_config) - 1:
                self.features.add_module(f"transition{i + 1}", _Transition(num_features, num_features // 2))
                num_features = num_features // 2
        self.features.add_module("norm5", nn.BatchNorm2d(num_features))
        self.classifier = nn.Linear(num_features, num_classes)

    def forward(self, x):
        features = self.features(x)
        out = F.relu(features, inplace=True)
        out = F.adaptive_avg_pool2d(out, (1, 1))
        out = torch.flatten(out, 1)
        return self.classifier(out)


rng = np.random.RandomState(0)
model = DenseNet()
state = model.state_dict()
for key, value in state.items():
    if value.ndim >= 2:
        scale = 1 / np.sqrt(np.prod(value.shape[1:]))
        state[key] = torch.from_numpy(rng.normal(0, scale, size=value.shape).astype("float32"))
    elif key == "classifier.bias":
        state[key] = torch.zeros_like(value)
model.load_state_dict(state)

data = torch.from_numpy(rng.normal(size=(4, 6, 3, 32, 32)).astype("float32"))
target = torch.from_numpy(rng.randint(0, 5, size=(4, 6)))
optimizer = torch.optim.Adam(
    [
        {"params": [p for n, p in model.named_parameters() if p.ndim > 1], "weight_decay": 1e-4},
        {"params": [p for n, p in model.named_parameters() if p.ndim <= 1], "weight_decay": 0.0, "lr": 1e-4},
    ],
    lr=2e-4,
)
for epoch in range(10):
    running = 0.0
    for i in range(4):
        loss = F.cross_entropy(model(data[i]), target[i]) / 2
        loss.backward()
        running += loss.item()
        if (i + 1) % 2 == 0:
            optimizer.step()
            optimizer.zero_grad()
            print(f"loss {running:.6f}")
            running = 0.0
