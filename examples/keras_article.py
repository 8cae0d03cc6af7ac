"""A first network in Keras's dialect: handwritten digits, sixty-four pixels each."""

from duograph.data.sources import digits

(x_train, y_train), _ = digits()
x_train = x_train.reshape(len(x_train), 64)

import duograph.tf as tf


class Net(tf.keras.Model):
    def __init__(self):
        super(Net, self).__init__()
        self.dense1 = tf.keras.layers.Dense(64, activation='relu')
        self.dense2 = tf.keras.layers.Dense(10, activation='softmax')

    def call(self, x):
        x = self.dense1(x)
        return self.dense2(x)


net = Net()
loss_fn = tf.keras.losses.SparseCategoricalCrossentropy()
optimizer = tf.keras.optimizers.Adam()
for epoch in range(100):
    loss = net.train_step(x_train, y_train)
    if epoch % 10 == 0:
        print(f'Epoch {epoch}: Loss {loss.numpy()}')
