"""Three inputs and two outputs in the functional API: the priority and the department of a support ticket."""

import keras
import numpy as np
from keras import layers
from shared import Losses, start_from

num_tags, num_words, num_departments = 12, 500, 4

title = keras.Input(shape=(None,), name="title")
body = keras.Input(shape=(None,), name="body")
tags = keras.Input(shape=(num_tags,), name="tags")
title_features = layers.LSTM(32)(layers.Embedding(num_words, 16)(title))
body_features = layers.LSTM(16)(layers.Embedding(num_words, 16)(body))
x = layers.concatenate([title_features, body_features, tags])
priority = layers.Dense(1, name="priority")(x)
department = layers.Dense(num_departments, name="department")(x)
model = keras.Model(inputs=[title, body, tags], outputs={"priority": priority, "department": department})
start_from(model)
model.compile(
    optimizer=keras.optimizers.SGD(0.05, momentum=0.9),
    loss={
        "priority": keras.losses.BinaryCrossentropy(from_logits=True),
        "department": keras.losses.CategoricalCrossentropy(from_logits=True),
    },
    loss_weights={"priority": 1.0, "department": 0.2},
)

rng = np.random.default_rng(1)
count = 320
inputs = {
    "title": rng.integers(num_words, size=(count, 8)),
    "body": rng.integers(num_words, size=(count, 20)),
    "tags": rng.integers(2, size=(count, num_tags)).astype("float32"),
}
targets = {
    "priority": (inputs["tags"].sum(1, keepdims=True) > num_tags / 2).astype("float32"),
    "department": keras.utils.to_categorical(inputs["title"][:, 0] % num_departments, num_departments),
}
model.fit(inputs, targets, epochs=2, batch_size=32, shuffle=False, verbose=0, callbacks=[Losses()])
