"""Image classification from scratch: a small residual network of separable convolutions on handwritten digits."""

from shared import Losses, start_from
from tensorflow import keras
from tensorflow.keras import layers

from duograph.data.sources import digits

(images, labels), (test_images, test_labels) = digits()
images, test_images = images[..., None].astype("float32"), test_images[..., None].astype("float32")


def make_model(input_shape, num_classes):
    inputs = keras.Input(shape=input_shape)
    x = layers.Rescaling(2.0, offset=-1.0)(inputs)
    x = layers.Conv2D(16, 3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.Activation("relu")(x)
    previous = x
    for size in (24, 32):
        x = layers.Activation("relu")(x)
        x = layers.SeparableConv2D(size, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        residual = layers.Conv2D(size, 1, strides=2, padding="same")(previous)
        x = layers.add([x, residual])
        previous = x
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(num_classes)(x))


model = make_model((8, 8, 1), 10)
start_from(model)
model.compile(
    optimizer=keras.optimizers.Adam(3e-3),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=[keras.metrics.SparseCategoricalAccuracy(name="acc")],
)
model.fit(images[:640], labels[:640], batch_size=32, epochs=1, shuffle=False, verbose=0, callbacks=[Losses()])
loss, accuracy = model.evaluate(test_images, test_labels, verbose=0)
print(f"test: loss {loss:.4f}")
