"""Structured data: a table of numbers, classes and strings, made ready by layers inside the model's pipeline."""

import numpy as np
import tensorflow as tf
from shared import Losses, start_from
from tensorflow import keras
from tensorflow.keras import layers

rng = np.random.default_rng(8)
count = 640
table = {
    "age": rng.integers(29, 77, count).astype("float32"),
    "cholesterol": rng.normal(246, 50, count).astype("float32"),
    "sex": rng.integers(2, size=count),
    "thal": rng.choice(["fixed", "normal", "reversible"], count),
    "vessels": rng.integers(4, size=count),
}
risk = table["age"] / 50 + table["cholesterol"] / 250 + (table["thal"] == "reversible") + table["vessels"] / 3
target = (risk > np.median(risk)).astype("float32")
dataset = tf.data.Dataset.from_tensor_slices((dict(table), target)).batch(32)

encoders = {}
for name in table:
    feature = dataset.map(lambda x, y, name=name: x[name])
    if name in ("age", "cholesterol"):
        encoders[name] = layers.Normalization(axis=None)
    elif name == "thal":
        encoders[name] = layers.StringLookup(output_mode="one_hot")
    elif name == "vessels":
        encoders[name] = layers.IntegerLookup(output_mode="one_hot")
    else:
        encoders[name] = layers.CategoryEncoding(num_tokens=2, output_mode="one_hot")
        continue
    encoders[name].adapt(feature)
print("thal:", encoders["thal"].get_vocabulary())


def encode(x, y):
    columns = []
    for name, encoder in encoders.items():
        column = encoder(tf.expand_dims(x[name], -1))
        columns.append(tf.cast(column, tf.float32))
    return tf.concat(columns, axis=-1), y


encoded = dataset.map(encode)
width = next(iter(encoded))[0].shape[-1]
print("columns:", width)
inputs = keras.Input((width,))
x = layers.Dense(32, activation="relu")(inputs)
model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))
start_from(model)
model.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy", metrics=["accuracy", keras.metrics.AUC(name="auc")])
model.fit(encoded, epochs=1, shuffle=False, verbose=0, callbacks=[Losses()])
