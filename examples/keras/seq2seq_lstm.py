"""Sequence to sequence with LSTMs: the encoder's last state begins the decoder, which learns to add two numbers."""

import numpy as np
from shared import Losses, start_from
from tensorflow import keras

symbols = "0123456789+ =\n"
index = {symbol: i for i, symbol in enumerate(symbols)}
rng = np.random.default_rng(3)
pairs = rng.integers(100, size=(640, 2))


def encode(texts, length):
    return np.array([[index[c] for c in text.ljust(length)] for text in texts])


def one_hot(x):
    return np.eye(len(symbols), dtype="float32")[x]


questions = one_hot(encode([f"{a}+{b}" for a, b in pairs], 5)[:, ::-1])
answers = encode([f"={a + b}\n" for a, b in pairs], 6)
decoder_input, decoder_target = one_hot(answers[:, :-1]), one_hot(answers[:, 1:])

encoder_inputs = keras.Input(shape=(None, len(symbols)))
encoder_outputs, state_h, state_c = keras.layers.LSTM(32, return_state=True)(encoder_inputs)
decoder_inputs = keras.Input(shape=(None, len(symbols)))
decoder_lstm = keras.layers.LSTM(32, return_sequences=True, return_state=True)
decoder_outputs, _, _ = decoder_lstm(decoder_inputs, initial_state=[state_h, state_c])
decoder_dense = keras.layers.Dense(len(symbols), activation="softmax")
model = keras.Model([encoder_inputs, decoder_inputs], decoder_dense(decoder_outputs))
start_from(model)
model.compile(optimizer=keras.optimizers.RMSprop(1e-2), loss="categorical_crossentropy", metrics=["accuracy"])
model.fit([questions, decoder_input], decoder_target, batch_size=32, shuffle=False, verbose=0, callbacks=[Losses()])

# To answer, the parts are put together anew: one symbol at a time, each from the one before it.
encoder = keras.Model(encoder_inputs, [state_h, state_c])
state_inputs = [keras.Input(shape=(32,)), keras.Input(shape=(32,))]
outputs, new_h, new_c = decoder_lstm(decoder_inputs, initial_state=state_inputs)
decoder = keras.Model([decoder_inputs, *state_inputs], [decoder_dense(outputs), new_h, new_c])
states = encoder.predict(questions[:1], verbose=0)
symbol = one_hot([[index["="]]])
for _ in range(3):
    probabilities, *states = decoder.predict([symbol, *states], verbose=0)
    print(f"most likely with probability {probabilities.max():.4f}")
    symbol = one_hot(probabilities.argmax(-1))
