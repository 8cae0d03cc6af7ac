"""A model from strings to labels: the layer that looks words up is a part of it, and is saved with it."""

import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf
from shared import Losses, start_from
from tensorflow import keras
from tensorflow.keras import layers

rng = np.random.default_rng(3)
subjects, adverbs = ["cat", "dog", "lamp", "Straße", "café"], ["often", "rarely", "today"]
verbs = {"sleeps": "animal", "eats": "animal", "shines": "thing", "breaks": "thing"}
phrases, topics = [], []
for _ in range(480):
    verb = str(rng.choice(list(verbs)))
    phrases.append(f"The {rng.choice(subjects)} {rng.choice(adverbs)} {verb}!")
    topics.append(verbs[verb])


def cleaned(text):
    return tf.strings.regex_replace(tf.strings.lower(text, encoding="utf-8"), "[^a-zßé ]", "")


to_number = layers.StringLookup(num_oov_indices=0)
to_number.adapt(topics)
labels = [str(label) for label in to_number.get_vocabulary()]
print("labels:", dict(zip(labels, to_number(labels).numpy().tolist(), strict=True)))
words = layers.TextVectorization(max_tokens=40, output_mode="multi_hot", standardize=cleaned)
words.adapt(phrases)
print("words:", " ".join(sorted(words.get_vocabulary()[1:])))

classifier = keras.Sequential([keras.Input((words.vocabulary_size(),)), layers.Dense(8, activation="tanh")])
classifier.add(layers.Dense(len(labels)))
start_from(classifier)
model = keras.Sequential([keras.Input((), dtype="string"), words, classifier])
model.compile(
    optimizer=keras.optimizers.Adam(0.02),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
dataset = tf.data.Dataset.from_tensor_slices((phrases, topics)).map(lambda x, y: (x, to_number(y))).batch(24)
model.fit(dataset, epochs=1, shuffle=False, verbose=0, callbacks=[Losses()])
for name, value in model.evaluate(dataset, verbose=0, return_dict=True).items():
    print(f"{name}: {value:.4f}")

scores = model.predict(tf.constant(["the lamp shines", "A CAT EATS", "nothing known"]), verbose=0)
print("means:", np.round(np.mean(tf.nn.softmax(scores), axis=0), 3).tolist())
print([labels[best.numpy()] for best in tf.argmax(scores[:2], axis=-1)])
with tempfile.TemporaryDirectory() as folder:
    classifier.save_weights(Path(folder) / "classifier.weights.h5")
    classifier.load_weights(Path(folder) / "classifier.weights.h5")
print("the same:", np.allclose(model.predict(tf.constant(["the lamp shines"]), verbose=0), scores[:1], atol=1e-6))
