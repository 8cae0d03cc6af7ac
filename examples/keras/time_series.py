"""Time series forecasting: windows cut from a long series, a GRU against a plain linear model."""

import numpy as np
import tensorflow as tf
from shared import Losses, start_from
from tensorflow import keras

time = np.arange(760)
rng = np.random.default_rng(7)
series = np.stack([np.sin(time / 9), np.cos(time / 23), rng.standard_normal(760) / 4], 1).astype("float32")
series = (series - series.mean(0)) / series.std(0)
history, ahead = 24, 3
dataset = keras.utils.timeseries_dataset_from_array(
    series[:-ahead], series[history + ahead - 1 :, :1], sequence_length=history, batch_size=32
)
for inputs, targets in dataset.take(1):
    print("inputs:", tuple(inputs.shape), "targets:", tuple(targets.shape))

models = {
    "linear": [keras.layers.Flatten(), keras.layers.Dense(1)],
    "gru": [keras.layers.GRU(16, return_sequences=True), keras.layers.GRU(16), keras.layers.Dense(1)],
    "convolution": [
        keras.layers.Conv1D(16, 5, padding="causal", activation="relu"),
        keras.layers.GlobalAveragePooling1D(),
        keras.layers.Dense(1),
    ],
}
for name, stack in models.items():
    print(name)
    model = keras.Sequential([keras.Input((history, 3)), *stack])
    start_from(model)
    model.compile(optimizer=keras.optimizers.Adam(learning_rate=0.01), loss="mse", metrics=["mae"])
    model.fit(dataset, epochs=1, verbose=0, callbacks=[Losses()])
forecast = model.predict(tf.constant(series[None, -history:]), verbose=0)
print(f"forecast: {forecast[0, 0]:.4f}")
