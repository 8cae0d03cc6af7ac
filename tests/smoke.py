"""What a fresh installation must be able to do, without the source tree and without pytest: both faces learn."""

from pathlib import Path

import duograph
import duograph.tf as tf
import duograph.torch as torch
from duograph.data.sources import digits

assert Path(duograph.__file__).parent.parent.name == "site-packages", duograph.__file__

(x_train, y_train), _ = digits()
x_train = x_train.reshape(-1, 64)

torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10))
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
losses = []
for _ in range(20):
    optimizer.zero_grad()
    loss = torch.nn.functional.cross_entropy(net(torch.tensor(x_train)), torch.tensor(y_train))
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
assert losses[-1] < 0.5 * losses[0], losses

tf.keras.utils.set_random_seed(0)
model = tf.keras.Sequential([tf.keras.layers.Dense(32, activation="relu"), tf.keras.layers.Dense(10)])
model.compile("adam", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
losses = model.fit(x_train, y_train, epochs=5, verbose=0).history["loss"]
assert losses[-1] < 0.7 * losses[0], losses

print("both faces learn")
