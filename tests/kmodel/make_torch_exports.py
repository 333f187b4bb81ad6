"""Make tests/kmodel/torch_files: small networks as PyTorch exports them, and what they answer.

    python -m venv torch-venv && torch-venv/bin/pip install torch==2.13.0 numpy onnx onnxscript
    torch-venv/bin/python tests/kmodel/make_torch_exports.py

Each network is exported by both exporters (TorchScript at opset 11 and 17, and the newer one that
is called dynamo); answers.npz holds its answer to the picture `picture`, from PyTorch itself.
"""

import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

FOLDER = Path(__file__).parent / "torch_files"
SIDE = 16
EXPORTS = {
    "script11": {"dynamo": False, "opset_version": 11},
    "script17": {"dynamo": False, "opset_version": 17},
    "dynamo": {"dynamo": True, "external_data": False, "verbose": False},
}


def block(inputs, outputs, kernel=3, stride=1, groups=1, act=None):
    layer = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs), act or nn.ReLU())


class Normalise(nn.Module):
    """ImageNet's mean and deviation inside the network."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406])[None, :, None, None])
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225])[None, :, None, None])

    def forward(self, x):
        return (x - self.mean) / self.std


class Head(nn.Module):
    def __init__(self, channels, classes=4):
        super().__init__()
        self.pool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(channels, classes)

    def forward(self, x):
        return self.fc(torch.flatten(self.pool(x), 1))


class Residual(nn.Module):
    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.a = block(inputs, outputs, 3, stride)
        self.b = nn.Sequential(nn.Conv2d(outputs, outputs, 3, 1, 1), nn.BatchNorm2d(outputs))
        same = inputs == outputs and stride == 1
        self.down = nn.Identity() if same else nn.Conv2d(inputs, outputs, 1, stride)

    def forward(self, x):
        return functional.relu(self.b(self.a(x)) + self.down(x))


class Inverted(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        wide = 2 * inputs
        self.body = nn.Sequential(
            block(inputs, wide, 1, act=nn.ReLU6()),
            block(wide, wide, 3, stride, wide, nn.ReLU6()),
            nn.Conv2d(wide, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.add = inputs == outputs and stride == 1

    def forward(self, x):
        return x + self.body(x) if self.add else self.body(x)


class Neck(nn.Module):
    """A map of half the size comes back and lies beside the larger one."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = block(3, 4, 3, 2), block(4, 6, 3, 2), block(10, 4)

    def forward(self, x):
        a = self.a(x)
        up = functional.interpolate(self.b(a), scale_factor=2, mode="nearest")
        return self.c(torch.cat([a, up], 1))


class View(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(block(3, 4), nn.MaxPool2d(2), block(4, 4), nn.AvgPool2d(2))
        self.fc = nn.Linear(64, 3)

    def forward(self, x):
        x = self.body(x)
        return functional.softmax(self.fc(x.view(x.size(0), -1)), 1)


class Mean(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.fc = block(3, 6), nn.Linear(6, 3)

    def forward(self, x):
        return torch.sigmoid(self.fc(self.body(x * 2 - 1).mean([2, 3])))


class Excite(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.gate = block(3, 6), nn.Conv2d(6, 6, 1)

    def forward(self, x):
        x = self.body(x)
        return x * torch.sigmoid(self.gate(functional.adaptive_avg_pool2d(x, 1)))


ACTS = (nn.SiLU, nn.Hardswish, nn.GELU, nn.Mish, nn.ELU, nn.Softplus, nn.Hardsigmoid, nn.LeakyReLU,
        nn.PReLU, nn.Hardtanh, nn.SELU, nn.LogSigmoid, nn.Softsign, nn.Tanh)  # fmt: skip


def networks():
    return {
        "resnet": nn.Sequential(
            Normalise(), block(3, 4, 3, 2), Residual(4, 4), Residual(4, 6, 2), Head(6)
        ),
        "mobilenet1": nn.Sequential(
            block(3, 4, 3, 2), block(4, 4, 3, 1, 4), block(4, 6, 1), block(6, 6, 3, 2, 6),
            block(6, 8, 1), Head(8),
        ),
        "mobilenet2": nn.Sequential(
            block(3, 4, 3, 2, act=nn.ReLU6()), Inverted(4, 4, 1), Inverted(4, 6, 2), nn.Dropout(),
            Head(6),
        ),
        "neck": Neck(),
        "view": View(),
        "mean": Mean(),
        "upsample": nn.Sequential(block(3, 4), nn.Upsample(scale_factor=2), nn.Conv2d(4, 3, 1)),
        "activations": nn.Sequential(*(block(3, 3, 1, act=act()) for act in ACTS)),
        "refused_excite": Excite(),
        "refused_maxpool": nn.Sequential(block(3, 4, 3, 2), nn.MaxPool2d(3, 2, 1), Head(4)),
        "refused_stem": nn.Sequential(nn.Conv2d(3, 4, 7, 2, 3), Head(4)),
        "refused_bilinear": nn.Sequential(block(3, 4), nn.Upsample(None, 2, "bilinear")),
        "refused_transposed": nn.Sequential(block(3, 4), nn.ConvTranspose2d(4, 4, 2, 2)),
        "refused_unpadded": nn.Sequential(nn.Conv2d(3, 4, 3), Head(4)),
        "refused_groups": nn.Sequential(block(3, 4), nn.Conv2d(4, 4, 3, padding=1, groups=2)),
        "refused_norm": nn.Sequential(block(3, 4), nn.InstanceNorm2d(4)),
    }  # fmt: skip


def main():
    warnings.filterwarnings("ignore")
    torch.manual_seed(1)
    FOLDER.mkdir(exist_ok=True)
    picture = np.random.default_rng(1).integers(0, 256, (1, SIDE, SIDE, 3), np.uint8)
    planes = np.ascontiguousarray(picture.transpose(0, 3, 1, 2), np.float32)
    x = torch.from_numpy(planes / np.float32(255))
    answers = {"picture": picture}
    for name, network in networks().items():
        for part in network.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.running_mean.normal_(0, 0.2)
                part.running_var.uniform_(0.5, 1.5)
        network.eval()
        with torch.no_grad():
            answers[name] = network(x).numpy()
        for exporter, options in EXPORTS.items():
            if exporter == "script11" and name == "activations":
                continue  # hard swish and others came later
            if exporter == "script17" and name.startswith("refused"):
                continue
            path = FOLDER / f"{name}.{exporter}.onnx"
            torch.onnx.export(network, (x,), str(path), input_names=["picture"], **options)
            strip(path)
    np.savez_compressed(FOLDER / "answers.npz", **answers)


def strip(path):
    """Leave out what only debuggers read: places in source files."""
    import onnx

    model = onnx.load(path)
    for node in model.graph.node:
        kept = [one for one in node.metadata_props if one.key.endswith("name_scopes")]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
        node.doc_string = ""
    del model.graph.value_info[:]
    onnx.save(model, path)


if __name__ == "__main__":
    main()
