"""Neural style transfer: an image is optimised so that it has the content of one picture and the style of another."""

import copy

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim

rng = np.random.default_rng(23)


def picture(period, angle):
    """Stripes with some noise, as a batch of one colour image."""
    y, x = np.mgrid[0:24, 0:24]
    waves = np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / period)
    colours = np.array([1.0, 0.6, 0.3])[:, None, None]
    image = 0.5 + 0.4 * waves * colours + rng.normal(0, 0.03, (3, 24, 24))
    return torch.from_numpy(image.clip(0, 1).astype(np.float32)).unsqueeze(0)


def gram_matrix(input):
    a, b, c, d = input.size()
    features = input.view(a * b, c * d)
    return torch.mm(features, features.t()).div(a * b * c * d)


class ContentLoss(nn.Module):
    def __init__(self, target):
        super(ContentLoss, self).__init__()
        self.target = target.detach()

    def forward(self, input):
        self.loss = F.mse_loss(input, self.target)
        return input


class StyleLoss(nn.Module):
    def __init__(self, target_feature):
        super(StyleLoss, self).__init__()
        self.target = gram_matrix(target_feature).detach()

    def forward(self, input):
        self.loss = F.mse_loss(gram_matrix(input), self.target)
        return input


class Normalization(nn.Module):
    def __init__(self, mean, std):
        super(Normalization, self).__init__()
        self.mean = mean.clone().detach().view(-1, 1, 1)
        self.std = std.clone().detach().view(-1, 1, 1)

    def forward(self, img):
        return (img - self.mean) / self.std


# Features of random filters: a pretrained network gives better pictures, and needs a download.
cnn = nn.Sequential(
    nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(inplace=True),
    nn.AvgPool2d(2), nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(inplace=True),
).eval()  # fmt: skip
for layer in cnn:
    if isinstance(layer, nn.Conv2d):
        layer.weight.data = torch.from_numpy(rng.normal(0, 0.25, layer.weight.shape).astype(np.float32))
        layer.bias.data.fill_(0.05)

content_img, style_img = picture(12, 0.3), picture(5, 1.2)


def get_style_model_and_losses(content_layers=("conv_3",), style_layers=("conv_1", "conv_2", "conv_3")):
    model = nn.Sequential(Normalization(torch.tensor([0.5, 0.5, 0.5]), torch.tensor([0.25, 0.25, 0.25])))
    content_losses, style_losses = [], []
    i = 0
    for layer in cnn.children():
        if isinstance(layer, nn.Conv2d):
            i += 1
            name = "conv_{}".format(i)
        elif isinstance(layer, nn.ReLU):
            name = "relu_{}".format(i)
            layer = nn.ReLU(inplace=False)
        else:
            name = "pool_{}".format(i)
        model.add_module(name, copy.deepcopy(layer))
        if name in content_layers:
            content_losses.append(ContentLoss(model(content_img)))
            model.add_module("content_loss_{}".format(i), content_losses[-1])
        if name in style_layers:
            style_losses.append(StyleLoss(model(style_img)))
            model.add_module("style_loss_{}".format(i), style_losses[-1])
    return model, style_losses, content_losses


model, style_losses, content_losses = get_style_model_and_losses()
model.requires_grad_(False)
input_img = content_img.clone().requires_grad_(True)
optimizer = optim.Adam([input_img], lr=0.02)
for step in range(20):
    with torch.no_grad():
        input_img.clamp_(0, 1)
    optimizer.zero_grad()
    model(input_img)
    style_score = 1e4 * sum(sl.loss for sl in style_losses)
    content_score = sum(cl.loss for cl in content_losses)
    loss = style_score + content_score
    loss.backward()
    optimizer.step()
    print("step {} loss {:.6f} style {:.6f} content {:.6f}".format(
        step, loss.item(), style_score.item(), content_score.item()))  # fmt: skip
