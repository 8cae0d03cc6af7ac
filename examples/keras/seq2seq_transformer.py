"""Sequence to sequence with attention: a Transformer that learns to turn a sentence around."""

import numpy as np
import tensorflow as tf
from shared import Losses, start_from
from tensorflow import keras
from tensorflow.keras import layers, ops

vocabulary, length, width, heads = 24, 10, 32, 4


class TransformerEncoder(layers.Layer):
    def __init__(self, dim, **kwargs):
        super().__init__(**kwargs)
        self.attention = layers.MultiHeadAttention(num_heads=heads, key_dim=width // heads)
        self.dense = keras.Sequential([layers.Dense(dim, activation="relu"), layers.Dense(width)])
        self.norm_1, self.norm_2 = layers.LayerNormalization(), layers.LayerNormalization()
        self.supports_masking = True

    def call(self, x, mask=None):
        padding = None if mask is None else ops.cast(mask[:, None, :], "int32")
        x = self.norm_1(x + self.attention(query=x, value=x, key=x, attention_mask=padding))
        return self.norm_2(x + self.dense(x))


class PositionalEmbedding(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.tokens = layers.Embedding(vocabulary, width)
        self.positions = layers.Embedding(length, width)

    def call(self, x):
        return self.tokens(x) + self.positions(ops.arange(0, ops.shape(x)[-1], 1))

    def compute_mask(self, x, mask=None):
        return ops.not_equal(x, 0)


class TransformerDecoder(layers.Layer):
    def __init__(self, dim, **kwargs):
        super().__init__(**kwargs)
        self.attention_1 = layers.MultiHeadAttention(num_heads=heads, key_dim=width // heads)
        self.attention_2 = layers.MultiHeadAttention(num_heads=heads, key_dim=width // heads)
        self.dense = keras.Sequential([layers.Dense(dim, activation="relu"), layers.Dense(width)])
        self.norms = [layers.LayerNormalization() for _ in range(3)]
        self.supports_masking = True

    def call(self, inputs, mask=None):
        x, encoded = inputs
        x = self.norms[0](x + self.attention_1(query=x, value=x, key=x, use_causal_mask=True))
        x = self.norms[1](x + self.attention_2(query=x, value=encoded, key=encoded))
        return self.norms[2](x + self.dense(x))


source = keras.Input(shape=(None,), dtype="int64", name="source")
target = keras.Input(shape=(None,), dtype="int64", name="target")
encoded = TransformerEncoder(64)(PositionalEmbedding()(source))
decoded = TransformerDecoder(64)([PositionalEmbedding()(target), encoded])
transformer = keras.Model([source, target], layers.Dense(vocabulary)(decoded))
start_from(transformer)

rng = np.random.default_rng(4)
sentences = rng.integers(2, vocabulary, size=(640, length))
lengths = rng.integers(5, length + 1, size=640)
sentences[np.arange(length) >= lengths[:, None]] = 0
reverse = sentences[:, ::-1]
begin = np.concatenate([np.ones((640, 1), "int64"), reverse[:, :-1]], 1)
data = tf.data.Dataset.from_tensor_slices(({"source": sentences, "target": begin}, reverse)).batch(32)
transformer.compile(
    keras.optimizers.SGD(0.03, momentum=0.9, nesterov=True),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0),
)
transformer.fit(data, epochs=1, verbose=0, callbacks=[Losses()])
