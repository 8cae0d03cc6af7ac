"""JAX: pure functions under `jax.jit`, with donated state and images channels last, which it prefers on a CPU."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ..layouts import channels_last, images_last
from ..workloads import Workload
from ..workloads.gpt import HEADS, LAYERS, WIDTH
from ..workloads.lstm import HIDDEN
from ..workloads.resnet18 import BLOCKS
from ..workloads.workload import is_buffer

State = dict[str, jax.Array]
BATCHES = 8
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
MOMENTUM, VARIANCE_EPSILON = 0.1, 1e-5


def set_threads(count: int) -> None:
    """XLA sizes its thread pool by the processor cores it may run on, which the worker has set already."""


def trainer(workload: Workload, mode: str) -> Callable[[int], jax.Array]:
    model = _MODELS[workload.model]
    weights = channels_last(workload)
    parameters = {name: jnp.asarray(w) for name, w in weights.items() if not is_buffer(name)}
    statistics = {name: jnp.asarray(w) for name, w in weights.items() if is_buffer(name)}
    batches = [(jnp.asarray(images_last(x)), jnp.asarray(y.reshape(-1))) for x, y in workload.batches(BATCHES)]
    zeros = {name: jnp.zeros_like(w) for name, w in parameters.items()}
    state = (parameters, statistics, zeros, {name: jnp.zeros_like(w) for name, w in parameters.items()}, jnp.int32(0))

    def loss_of(parameters: State, statistics: State, x: jax.Array, y: jax.Array) -> tuple[jax.Array, State]:
        logits, statistics = model(parameters, statistics, x, True)
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], axis=1).mean(), statistics

    def train(state: Any, x: jax.Array, y: jax.Array) -> tuple[Any, jax.Array]:
        parameters, statistics, first, second, count = state
        (loss, statistics), gradients = jax.value_and_grad(loss_of, has_aux=True)(parameters, statistics, x, y)
        count = count + 1
        rate = workload.learning_rate / (1 - BETA1**count)
        correction = jnp.sqrt(1 - BETA2**count)
        first = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, first, gradients)
        second = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, second, gradients)
        parameters = jax.tree.map(
            lambda p, m, v: p - rate * m / (jnp.sqrt(v) / correction + EPSILON), parameters, first, second
        )
        return (parameters, statistics, first, second, count), loss

    compiled = jax.jit(train, donate_argnums=0)

    def step(i: int) -> jax.Array:
        nonlocal state
        state, loss = compiled(state, *batches[i % BATCHES])
        return loss

    return step


def predictor(workload: Workload, mode: str, batch: int) -> Callable[[int], np.ndarray]:
    model = _MODELS[workload.model]
    weights = {name: jnp.asarray(w) for name, w in channels_last(workload).items()}
    inputs = [jnp.asarray(images_last(x[:batch])) for x, _ in workload.batches(BATCHES)]
    forward = jax.jit(lambda weights, x: model(weights, weights, x, False)[0])
    return lambda i: np.asarray(forward(weights, inputs[i % BATCHES]))


def _linear(p: State, name: str, x: jax.Array) -> jax.Array:
    y = x @ p[f"{name}.weight"]
    return y + p[f"{name}.bias"] if f"{name}.bias" in p else y


def _convolution(p: State, name: str, x: jax.Array, stride: int = 1, padding: int = 0) -> jax.Array:
    sides = [(padding, padding)] * 2
    y = lax.conv_general_dilated(
        x, p[f"{name}.weight"], (stride, stride), sides, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return y + p[f"{name}.bias"] if f"{name}.bias" in p else y


def _mlp(p: State, s: State, x: jax.Array, training: bool) -> tuple[jax.Array, State]:
    return _linear(p, "output", jax.nn.relu(_linear(p, "hidden", x))), s


def _mnist_cnn(p: State, s: State, x: jax.Array, training: bool) -> tuple[jax.Array, State]:
    x = jax.nn.relu(_convolution(p, "conv1", x))
    x = jax.nn.relu(_convolution(p, "conv2", x))
    x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    x = jax.nn.relu(_linear(p, "hidden", x.reshape(len(x), -1)))
    return _linear(p, "output", x), s


def _resnet18(p: State, s: State, x: jax.Array, training: bool) -> tuple[jax.Array, State]:
    s = dict(s)

    def normalise(name: str, x: jax.Array) -> jax.Array:
        if training:
            mean = x.mean((0, 1, 2))
            variance = jnp.square(x - mean).mean((0, 1, 2))
            count = x.size // x.shape[-1]
            for part, new in (("running_mean", mean), ("running_var", variance * count / (count - 1))):
                s[f"{name}.{part}"] = (1 - MOMENTUM) * s[f"{name}.{part}"] + MOMENTUM * new
        else:
            mean, variance = s[f"{name}.running_mean"], s[f"{name}.running_var"]
        return (x - mean) * (lax.rsqrt(variance + VARIANCE_EPSILON) * p[f"{name}.weight"]) + p[f"{name}.bias"]

    x = jax.nn.relu(normalise("bn1", _convolution(p, "conv1", x, padding=1)))
    for block in BLOCKS:
        name, shortcut = block.name, x
        if block.reshapes:
            shortcut = normalise(f"{name}.downsample.1", _convolution(p, f"{name}.downsample.0", x, block.stride))
        x = jax.nn.relu(normalise(f"{name}.bn1", _convolution(p, f"{name}.conv1", x, block.stride, 1)))
        x = normalise(f"{name}.bn2", _convolution(p, f"{name}.conv2", x, padding=1))
        x = jax.nn.relu(x + shortcut)
    return _linear(p, "fc", x.mean((1, 2))), s


def _gpt(p: State, s: State, tokens: jax.Array, training: bool) -> tuple[jax.Array, State]:
    def normalise(name: str, x: jax.Array) -> jax.Array:
        centred = x - x.mean(-1, keepdims=True)
        scale = lax.rsqrt(jnp.square(centred).mean(-1, keepdims=True) + VARIANCE_EPSILON)
        return centred * scale * p[f"{name}.weight"] + p[f"{name}.bias"]

    x = p["token_embedding.weight"][tokens] + p["position_embedding.weight"]
    for layer in range(LAYERS):
        block = f"blocks.{layer}"
        parts = jnp.split(_linear(p, f"{block}.attention", normalise(f"{block}.norm1", x)), 3, axis=-1)
        query, key, value = (part.reshape(*x.shape[:2], HEADS, WIDTH // HEADS) for part in parts)
        attended = jax.nn.dot_product_attention(query, key, value, is_causal=True)
        x = x + _linear(p, f"{block}.projection", attended.reshape(x.shape))
        expanded = jax.nn.gelu(_linear(p, f"{block}.expand", normalise(f"{block}.norm2", x)), approximate=False)
        x = x + _linear(p, f"{block}.contract", expanded)
    logits = _linear(p, "head", normalise("norm", x))
    return logits.reshape(-1, logits.shape[-1]), s


def _lstm(p: State, s: State, x: jax.Array, training: bool) -> tuple[jax.Array, State]:
    inputs = x @ p["lstm.weight_ih_l0"] + (p["lstm.bias_ih_l0"] + p["lstm.bias_hh_l0"])
    start = jnp.zeros((len(x), HIDDEN), x.dtype)

    def cell(state: tuple[jax.Array, jax.Array], row: jax.Array) -> tuple[tuple[jax.Array, jax.Array], None]:
        hidden, memory = state
        enter, forget, candidate, leave = jnp.split(row + hidden @ p["lstm.weight_hh_l0"], 4, axis=1)
        memory = jax.nn.sigmoid(forget) * memory + jax.nn.sigmoid(enter) * jnp.tanh(candidate)
        return (jax.nn.sigmoid(leave) * jnp.tanh(memory), memory), None

    (hidden, _), _ = lax.scan(cell, (start, start), inputs.swapaxes(0, 1))
    return _linear(p, "output", hidden), s


_MODELS: dict[str, Callable[[State, State, jax.Array, bool], tuple[jax.Array, State]]] = {
    "mlp": _mlp,
    "mnist_cnn": _mnist_cnn,
    "resnet18": _resnet18,
    "gpt": _gpt,
    "lstm": _lstm,
}
