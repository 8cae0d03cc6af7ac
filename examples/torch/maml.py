"""Model-agnostic meta-learning (Finn et al. 2017): gradients of gradient steps, by autograd and by torch.func."""

import math
from collections import OrderedDict

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, grad, grad_and_value, vmap
from torch.nn import functional as F

rng = np.random.default_rng(3)


def normal(*shape):
    return torch.from_numpy(rng.standard_normal(shape).astype(np.float32))


class Learner(nn.Module):
    """A convolutional classifier whose weights are given to `forward`."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.vars = nn.ParameterList()
        for name, *shape in config:
            if name in ("conv2d", "linear"):
                fan_in = math.prod(shape[1:])
                self.vars.append(nn.Parameter(normal(*shape) * math.sqrt(2 / fan_in)))
                self.vars.append(nn.Parameter(torch.zeros(shape[0])))
            elif name == "bn":
                self.vars.extend([nn.Parameter(torch.ones(shape[0])), nn.Parameter(torch.zeros(shape[0]))])

    def forward(self, x, vars=None):
        weights = iter(self.vars if vars is None else vars)
        for name, *_ in self.config:
            if name == "conv2d":
                x = F.conv2d(x, next(weights), next(weights), padding=1)
            elif name == "linear":
                x = F.linear(x.flatten(1), next(weights), next(weights))
            elif name == "bn":
                x = F.batch_norm(x, None, None, next(weights), next(weights), training=True)
            elif name == "relu_pool":
                x = F.max_pool2d(F.relu(x, inplace=True), 2)
        return x


ways, shots = 5, 3
block = [("bn", 8), ("relu_pool",)]
net = Learner([("conv2d", 8, 1, 3, 3), *block, ("conv2d", 8, 8, 3, 3), *block, ("linear", ways, 32)])
meta_optim = torch.optim.Adam(net.parameters(), lr=2e-3)
for step in range(12):
    losses_q, correct = 0, 0
    for _ in range(2):
        prototypes, labels = normal(ways, 1, 8, 8), torch.arange(ways).repeat(shots)
        support, query = (prototypes[labels] + 0.3 * normal(ways * shots, 1, 8, 8) for _ in range(2))
        fast_weights = list(net.parameters())
        for _ in range(3):
            loss = F.cross_entropy(net(support, fast_weights), labels)
            slopes = torch.autograd.grad(loss, fast_weights, create_graph=True)
            fast_weights = [w - 0.1 * slope for w, slope in zip(fast_weights, slopes)]
        logits = net(query, fast_weights)
        losses_q = losses_q + F.cross_entropy(logits, labels)
        with torch.no_grad():
            correct += torch.eq(logits.argmax(dim=1), labels).sum().item()
    meta_loss = losses_q / 2
    meta_optim.zero_grad()
    meta_loss.backward()
    meta_optim.step()
    print(f"images {step} loss {meta_loss.item():.6f} accuracy {correct / (2 * ways * shots):.3f}")

model = nn.Sequential(OrderedDict(first=nn.Linear(1, 32), tanh=nn.Tanh(), last=nn.Linear(32, 1)))
params = {name: normal(*p.shape) / math.sqrt(p.shape[-1]) for name, p in model.named_parameters()}


def error(params, x, y):
    return F.mse_loss(functional_call(model, params, (x,)), y)


def after_a_step(params, x1, y1, x2, y2):
    slopes = grad(error)(params, x1, y1)
    return error({name: params[name] - 0.1 * slopes[name] for name in params}, x2, y2)


def over_tasks(params, *tasks):
    return vmap(after_a_step, in_dims=(None, 0, 0, 0, 0))(params, *tasks).mean()


for step in range(20):
    amplitude = torch.from_numpy(rng.uniform(0.1, 2, (8, 1, 1)).astype(np.float32))
    phase = torch.from_numpy(rng.uniform(0, math.pi, (8, 1, 1)).astype(np.float32))
    x1, x2 = (torch.from_numpy(rng.uniform(-5, 5, (8, 10, 1)).astype(np.float32)) for _ in range(2))
    tasks = x1, amplitude * torch.sin(x1 + phase), x2, amplitude * torch.sin(x2 + phase)
    slopes, loss = grad_and_value(over_tasks)(params, *tasks)
    params = {name: params[name] - 0.01 * slopes[name] for name in params}
    print(f"sines {step} loss {loss.item():.6f}")
