"""TensorFlow: `tf.function` (mode "graph") and `tf.function(jit_compile=True)` (mode "xla").

The models use TensorFlow's own operations, and its fused Adam, rather than Keras layers: the faster way.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from ..layouts import channels_last, images_last
from ..workloads import Workload
from ..workloads.gpt import HEADS, LAYERS, TOKENS, WIDTH
from ..workloads.lstm import HIDDEN, STEPS
from ..workloads.resnet18 import BLOCKS
from ..workloads.workload import is_buffer

Weights = dict[str, Any]
BATCHES = 8
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
MOMENTUM, VARIANCE_EPSILON = 0.1, 1e-5


def set_threads(count: int) -> None:
    tf.config.threading.set_intra_op_parallelism_threads(count)
    tf.config.threading.set_inter_op_parallelism_threads(count)


def trainer(workload: Workload, mode: str) -> Callable[[int], Any]:
    model = _MODELS[workload.model]
    w = _variables(workload)
    parameters = [variable for name, variable in w.items() if not is_buffer(name)]
    adam = _Adam(parameters, workload.learning_rate)
    batches = [(tf.constant(images_last(x)), tf.constant(y.reshape(-1))) for x, y in workload.batches(BATCHES)]

    @tf.function(jit_compile=mode == "xla")
    def train(x: Any, y: Any) -> Any:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(parameters)
            logits = model(w, x, True)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
        adam.apply(tape.gradient(loss, parameters))
        return loss

    return lambda i: train(*batches[i % BATCHES])


def predictor(workload: Workload, mode: str, batch: int) -> Callable[[int], np.ndarray]:
    model, w = _MODELS[workload.model], _variables(workload)
    inputs = [tf.constant(images_last(x[:batch])) for x, _ in workload.batches(BATCHES)]
    forward = tf.function(lambda x: model(w, x, False), jit_compile=mode == "xla")
    return lambda i: forward(inputs[i % BATCHES]).numpy()


class _Adam:
    """Adam by TensorFlow's fused kernel, its epsilon rescaled to stand where Adam's paper and PyTorch have it."""

    def __init__(self, parameters: list[Any], rate: float) -> None:
        self.rate = rate
        self.parameters = parameters
        self.first = [tf.Variable(tf.zeros_like(p)) for p in parameters]
        self.second = [tf.Variable(tf.zeros_like(p)) for p in parameters]
        self.power1, self.power2 = tf.Variable(BETA1), tf.Variable(BETA2)

    def apply(self, gradients: list[Any]) -> None:
        power1, power2 = self.power1.read_value(), self.power2.read_value()
        epsilon = EPSILON * tf.sqrt(1 - power2)
        for p, m, v, gradient in zip(self.parameters, self.first, self.second, gradients, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=p.handle,
                m=m.handle,
                v=v.handle,
                beta1_power=power1,
                beta2_power=power2,
                lr=self.rate,
                beta1=BETA1,
                beta2=BETA2,
                epsilon=epsilon,
                grad=tf.convert_to_tensor(gradient),
            )
        self.power1.assign(power1 * BETA1)
        self.power2.assign(power2 * BETA2)


def _variables(workload: Workload) -> Weights:
    return {
        name: tf.Variable(weight, trainable=not is_buffer(name)) for name, weight in channels_last(workload).items()
    }


def _linear(w: Weights, name: str, x: Any) -> Any:
    y = tf.matmul(x, w[f"{name}.weight"])
    return y + w[f"{name}.bias"] if f"{name}.bias" in w else y


def _convolution(w: Weights, name: str, x: Any, stride: int = 1, padding: int = 0) -> Any:
    """With stride 1 the padding is what TensorFlow calls SAME, its fast way; with stride 2 SAME would be lopsided."""
    if padding and stride > 1:
        x = tf.pad(x, [[0, 0], [padding, padding], [padding, padding], [0, 0]])
    y = tf.nn.conv2d(x, w[f"{name}.weight"], stride, "SAME" if padding and stride == 1 else "VALID")
    return tf.nn.bias_add(y, w[f"{name}.bias"]) if f"{name}.bias" in w else y


def _mlp(w: Weights, x: Any, training: bool) -> Any:
    return _linear(w, "output", tf.nn.relu(_linear(w, "hidden", x)))


def _mnist_cnn(w: Weights, x: Any, training: bool) -> Any:
    x = tf.nn.relu(_convolution(w, "conv1", x))
    x = tf.nn.relu(_convolution(w, "conv2", x))
    x = tf.nn.max_pool2d(x, 2, 2, "VALID")
    x = tf.nn.relu(_linear(w, "hidden", tf.reshape(x, (x.shape[0], -1))))
    return _linear(w, "output", x)


def _resnet18(w: Weights, x: Any, training: bool) -> Any:
    def normalise(name: str, x: Any) -> Any:
        scale, shift = w[f"{name}.weight"], w[f"{name}.bias"]
        running_mean, running_variance = w[f"{name}.running_mean"], w[f"{name}.running_var"]
        if training:
            y, mean, variance = tf.compat.v1.nn.fused_batch_norm(x, scale, shift, epsilon=VARIANCE_EPSILON)
            running_mean.assign_sub(MOMENTUM * (running_mean - mean))
            running_variance.assign_sub(MOMENTUM * (running_variance - variance))
            return y
        return tf.compat.v1.nn.fused_batch_norm(
            x, scale, shift, running_mean, running_variance, epsilon=VARIANCE_EPSILON, is_training=False
        )[0]

    x = tf.nn.relu(normalise("bn1", _convolution(w, "conv1", x, padding=1)))
    for block in BLOCKS:
        name, shortcut = block.name, x
        if block.reshapes:
            shortcut = normalise(f"{name}.downsample.1", _convolution(w, f"{name}.downsample.0", x, block.stride))
        x = tf.nn.relu(normalise(f"{name}.bn1", _convolution(w, f"{name}.conv1", x, block.stride, 1)))
        x = normalise(f"{name}.bn2", _convolution(w, f"{name}.conv2", x, padding=1))
        x = tf.nn.relu(x + shortcut)
    return _linear(w, "fc", tf.reduce_mean(x, (1, 2)))


def _gpt(w: Weights, tokens: Any, training: bool) -> Any:
    causal = tf.constant(np.where(np.tri(TOKENS, dtype=bool), 0, -np.inf).astype(np.float32))

    def normalise(name: str, x: Any) -> Any:
        mean, variance = tf.nn.moments(x, -1, keepdims=True)
        return tf.nn.batch_normalization(x, mean, variance, w[f"{name}.bias"], w[f"{name}.weight"], VARIANCE_EPSILON)

    sequences = tokens.shape[0]
    x = tf.gather(w["token_embedding.weight"], tokens) + w["position_embedding.weight"]
    x = tf.reshape(x, (-1, WIDTH))
    for layer in range(LAYERS):
        block = f"blocks.{layer}"
        mixed = _linear(w, f"{block}.attention", normalise(f"{block}.norm1", x))
        parts = tf.reshape(mixed, (sequences, TOKENS, 3, HEADS, WIDTH // HEADS))
        query, key, value = tf.unstack(tf.transpose(parts, (2, 0, 3, 1, 4)))
        scores = tf.matmul(query, key, transpose_b=True) * (WIDTH // HEADS) ** -0.5 + causal
        attended = tf.transpose(tf.matmul(tf.nn.softmax(scores), value), (0, 2, 1, 3))
        x = x + _linear(w, f"{block}.projection", tf.reshape(attended, x.shape))
        expanded = tf.nn.gelu(_linear(w, f"{block}.expand", normalise(f"{block}.norm2", x)))
        x = x + _linear(w, f"{block}.contract", expanded)
    return _linear(w, "head", normalise("norm", x))


def _lstm(w: Weights, x: Any, training: bool) -> Any:
    rows = tf.reshape(tf.transpose(x, (1, 0, 2)), (-1, x.shape[2]))
    inputs = tf.matmul(rows, w["lstm.weight_ih_l0"]) + (w["lstm.bias_ih_l0"] + w["lstm.bias_hh_l0"])
    recurrent = w["lstm.weight_hh_l0"]
    hidden = memory = tf.zeros((x.shape[0], HIDDEN))
    for row in tf.split(inputs, STEPS):
        enter, forget, candidate, leave = tf.split(row + tf.matmul(hidden, recurrent), 4, axis=1)
        memory = tf.sigmoid(forget) * memory + tf.sigmoid(enter) * tf.tanh(candidate)
        hidden = tf.sigmoid(leave) * tf.tanh(memory)
    return _linear(w, "output", hidden)


_MODELS: dict[str, Callable[[Weights, Any, bool], Any]] = {
    "mlp": _mlp,
    "mnist_cnn": _mnist_cnn,
    "resnet18": _resnet18,
    "gpt": _gpt,
    "lstm": _lstm,
}
