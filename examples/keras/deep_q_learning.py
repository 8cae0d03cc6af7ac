"""Deep Q-learning: values of actions learnt by a tape from a memory of what happened, with a slower target network."""

from collections import deque

import numpy as np
import tensorflow as tf
from shared import start_from
from tensorflow import keras
from tensorflow.keras import layers

rng = np.random.default_rng(4)


class Corridor:
    """Walk left or right along a corridor; at its right end there is a reward, and the way takes time."""

    length = 6

    def reset(self):
        self.place, self.time = 0, 0
        return self.seen()

    def step(self, action):
        self.place, self.time = max(0, self.place + (1 if action else -1)), self.time + 1
        done = self.place == self.length - 1 or self.time == 20
        return self.seen(), 1.0 if self.place == self.length - 1 else -0.05, done

    def seen(self):
        return np.eye(self.length, dtype="float32")[self.place]


def network():
    model = keras.Sequential([keras.Input((Corridor.length,)), layers.Dense(24, activation="relu"), layers.Dense(2)])
    start_from(model, seed=1)
    return model


model, target = network(), network()
optimizer = keras.optimizers.Adam(0.01, clipnorm=1.0)
loss_function = keras.losses.Huber()
environment, memory = Corridor(), deque(maxlen=500)


@tf.function
def learn(states, actions, rewards, following, done):
    best = tf.reduce_max(target(following), axis=1)
    wanted = rewards + 0.9 * best * (1.0 - done)
    with tf.GradientTape() as tape:
        values = tf.reduce_sum(model(states) * tf.one_hot(actions, 2), axis=1)
        loss = loss_function(wanted, values)
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
    return loss


losses, lengths, step = [], [], 0
for _ in range(12):
    state, done = environment.reset(), False
    while not done:
        greedy = tf.argmax(model(state[None])[0]).numpy()
        action = greedy if rng.random() > 0.3 else rng.integers(2)
        following, reward, done = environment.step(action)
        memory.append((state, action, reward, following, float(done)))
        state, step = following, step + 1
        if step % 4 == 0 and len(memory) >= 32:
            rows = [memory[i] for i in rng.choice(len(memory), 32, replace=False)]
            columns = zip(zip(*rows, strict=True), ("f4", "i4", "f4", "f4", "f4"), strict=True)
            batch = [np.array(column, dtype) for column, dtype in columns]
            losses.append(learn(*map(tf.constant, batch)).numpy())
        if step % 25 == 0:
            target.set_weights(model.get_weights())
    lengths.append(environment.time)
for number, loss in enumerate(losses[:20]):
    print(f"step {number}: loss {loss:.6f}")
print(f"mean loss {np.mean(losses):.4f}, steps of the episodes: {lengths}")
print("the way from each place:", np.argmax(model.predict(np.eye(Corridor.length, dtype="float32")[:-1], verbose=0), 1))
