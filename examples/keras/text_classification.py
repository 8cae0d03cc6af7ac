"""Text classification: strings to words, words to vectors, and a bidirectional LSTM over them."""

import numpy as np
import tensorflow as tf
from shared import Losses, start_from
from tensorflow.keras import Sequential, layers, losses

rng = np.random.default_rng(2)
good, bad = ["great", "lovely", "touching", "funny", "brilliant"], ["dull", "awful", "boring", "weak", "tedious"]
plain = ["the", "a", "film", "plot", "actor", "scene,", "music.", "It", "was", "and", "of", "This", "with", "story!"]


def review(label):
    words = list(rng.choice(plain, size=rng.integers(4, 14)))
    for word in rng.choice(good if label else bad, size=2):
        words.insert(rng.integers(len(words) + 1), word)
    return " ".join(words)


labels = rng.integers(2, size=640).astype("float32")
texts = [review(label) for label in labels]
dataset = tf.data.Dataset.from_tensor_slices((texts, labels)).batch(32)

vectorize = layers.TextVectorization(max_tokens=60, output_sequence_length=16)
vectorize.adapt(dataset.map(lambda text, label: text))
print("vocabulary:", " ".join(vectorize.get_vocabulary()[2:6]))
dataset = dataset.map(lambda text, label: (vectorize(text), label))

model = Sequential(
    [
        layers.Input((16,), dtype="int64"),
        layers.Embedding(60, 16, mask_zero=True),
        layers.Bidirectional(layers.LSTM(16, return_sequences=True)),
        layers.Bidirectional(layers.LSTM(8)),
        layers.Dense(16, activation="relu"),
        layers.Dense(1),
    ]
)
start_from(model)
model.compile(loss=losses.BinaryCrossentropy(from_logits=True), optimizer=tf.keras.optimizers.SGD(0.1, momentum=0.9))
model.fit(dataset, epochs=1, shuffle=False, verbose=0, callbacks=[Losses()])
print(f"the same again: {model.evaluate(dataset, verbose=0):.4f}")
