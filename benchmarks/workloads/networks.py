"""Well-known networks that are only asked for predictions, on one image of ImageNet's size."""

from .workload import Workload, classified

_IMAGE = classified(1, (3, 224, 224), 10)

RESNET50 = Workload(
    name="resnet50", title="ResNet-50, 224×224", model="resnet50", batch=_IMAGE, trained=False, inference={1: 1.2}
)
MOBILENET_V2 = Workload(
    name="mobilenetv2",
    title="MobileNetV2, 224×224",
    model="mobilenetv2",
    batch=_IMAGE,
    trained=False,
    inference={1: 1.2},
)
