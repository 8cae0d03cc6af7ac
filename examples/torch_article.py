"""A first network in PyTorch's dialect: handwritten digits, sixty-four pixels each."""

import duograph.torch as torch
import duograph.torch.nn as nn
import duograph.torch.optim as optim
from duograph.data.sources import digits

(images, labels), _ = digits()
x_train = torch.tensor(images.reshape(len(images), 64), dtype=torch.float32)
y_train = torch.tensor(labels, dtype=torch.long)


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.dense1 = nn.Linear(64, 10)

    def forward(self, x):
        x = torch.relu(self.dense1(x))
        return x


net = Net()
loss_fn = nn.CrossEntropyLoss()
optimizer = optim.Adam(net.parameters())
for epoch in range(100):
    optimizer.zero_grad()
    output = net(x_train)
    loss = loss_fn(output, y_train)
    loss.backward()
    optimizer.step()
    if epoch % 10 == 0:
        print(f'Epoch {epoch}: Loss {loss.item()}')
