"""Transfer learning: a network learns digits, its weights go through a file, and another task builds on them."""

import os
import tempfile

from shared import Losses, start_from
from tensorflow import keras
from tensorflow.keras.layers import BatchNormalization, Conv2D, Dense, GlobalAveragePooling2D
from tensorflow.keras.models import Model

from duograph.data.sources import digits

(images, labels), _ = digits()
images = images[..., None].astype("float32")


def make_base():
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            Conv2D(16, 3, activation="relu"),
            BatchNormalization(),
            Conv2D(32, 3, activation="relu"),
            GlobalAveragePooling2D(),
        ],
        name="base",
    )


print("pre-training")
base = make_base()
pretrained = keras.Sequential([base, Dense(10, activation="softmax")])
start_from(pretrained)
pretrained.compile("adam", "sparse_categorical_crossentropy")
pretrained.fit(images[:640], labels[:640], batch_size=32, shuffle=False, verbose=0, callbacks=[Losses()])

with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "base.weights.h5")
    base.save_weights(path)
    base = make_base()
    base.load_weights(path)

print("the new head alone")
base.trainable = False
inputs = keras.Input((8, 8, 1))
outputs = Dense(1)(base(inputs, training=False))
model = Model(inputs, outputs)
start_from(model, seed=1)
x, y = images[640:1280], (labels[640:1280] > 4).astype("float32")
loss = keras.losses.BinaryCrossentropy(from_logits=True)
model.compile(keras.optimizers.Adam(1e-2), loss, metrics=[keras.metrics.BinaryAccuracy()])
print("trained:", len(model.trainable_weights), "kept:", len(model.non_trainable_weights))
model.fit(x, y, batch_size=32, shuffle=False, verbose=0, callbacks=[Losses()])

print("fine-tuning")
base.trainable = True
base.layers[0].trainable = False
model.compile(keras.optimizers.Adam(1e-4), loss)
print("trained:", len(model.trainable_weights), "kept:", len(model.non_trainable_weights))
model.fit(x, y, batch_size=32, shuffle=False, verbose=0, callbacks=[Losses()])
