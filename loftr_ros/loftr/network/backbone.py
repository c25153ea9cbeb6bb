"""The local feature CNN: a ResNet with a feature pyramid (paper, section 3.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from loftr_ros.loftr.network.config import BackboneConfig


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False)


def _folded(convolution: nn.Module, normalization: nn.Module) -> nn.Conv2d:
    """Fold a batch normalization in evaluation mode into the convolution before it."""
    assert isinstance(convolution, nn.Conv2d)
    assert isinstance(normalization, nn.BatchNorm2d)
    return fuse_conv_bn_eval(convolution, normalization)


class _InFloat32(nn.Module):
    """A convolution in single precision inside of a network in reduced precision."""

    def __init__(self, convolution: nn.Module, result: torch.dtype) -> None:
        super().__init__()
        self.convolution = convolution
        self.result = result

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.convolution(x.float())
        return y.to(self.result)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut, which is projected if the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = conv(inputs, outputs, 3, stride)
        self.conv2 = conv(outputs, outputs, 3)
        self.bn1: nn.Module = nn.BatchNorm2d(outputs)
        self.bn2: nn.Module = nn.BatchNorm2d(outputs)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        shortcut = x if self.downsample is None else self.downsample(x)
        return F.relu(shortcut + y)

    def fold_normalization(self) -> None:
        """See `Backbone.fold_normalization`."""
        self.conv1, self.bn1 = _folded(self.conv1, self.bn1), nn.Identity()
        self.conv2, self.bn2 = _folded(self.conv2, self.bn2), nn.Identity()
        if self.downsample is not None:
            self.downsample = nn.Sequential(_folded(*self.downsample))


def stage(inputs: int, outputs: int, blocks: int, stride: int) -> nn.Sequential:
    """Residual blocks, the first of which may reduce the resolution."""
    first = ResidualBlock(inputs, outputs, stride)
    return nn.Sequential(first, *(ResidualBlock(outputs, outputs, 1) for _ in range(blocks - 1)))


class Backbone(nn.Module):
    """Stages at 1/2, 1/4 and 1/8, common to all networks; layers are named as in the authors' code.

    Attributes:
        in_float32: layers that stay in single precision: the first one and the last before maps of tokens. They take
            little time, and rounding their results changes the most matches.
    """

    in_float32: tuple[str, ...] = ()

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        half, quarter, eighth = config.block_dims
        self.align_corners = config.align_corners
        self.conv1: nn.Module = conv(1, config.stem_dim, 7, 2)
        self.bn1: nn.Module = nn.BatchNorm2d(config.stem_dim)
        self.layer1 = stage(config.stem_dim, half, config.half_blocks or config.blocks_per_stage, 1)
        self.layer2 = stage(half, quarter, config.quarter_blocks or config.blocks_per_stage, 2)
        self.layer3 = stage(quarter, eighth, config.blocks_per_stage, 2)

    def initialize(self) -> None:
        """Draw the weights of all layers."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        # channels_last is the fastest layout for convolutions on CPUs and tensor cores.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def last_layers(self) -> tuple[nn.Module, nn.Module]:
        """The layers that compute the coarse and the fine map."""
        raise NotImplementedError

    @property
    def dtype(self) -> torch.dtype:
        """Data type of the stages."""
        return next(self.layer1.parameters()).dtype

    def stages(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features at 1/2, 1/4 and 1/8 of (B, 1, H, W) gray values in [0, 1]; H and W multiples of 8."""
        image = image.contiguous(memory_format=torch.channels_last)
        half = self.layer1(F.relu(self.bn1(self.conv1(image))))
        quarter = self.layer2(half)
        return half, quarter, self.layer3(quarter)

    def upsampled(self, x: Tensor) -> Tensor:
        """Upsample a map to twice its size."""
        return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=self.align_corners)

    def fold_normalization(self) -> None:
        """Fold batch normalization into the convolutions, for inference."""
        self.conv1, self.bn1 = _folded(self.conv1, self.bn1), nn.Identity()
        for block in self.modules():
            if isinstance(block, ResidualBlock):
                block.fold_normalization()

    def round(self, precision: torch.dtype) -> None:
        """Compute in reduced precision, except for the layers in `in_float32`."""
        if precision is torch.float32:
            return
        for name, layer in list(self.named_children()):
            if name not in self.in_float32:
                layer.to(precision)
            else:
                setattr(self, name, _InFloat32(layer, precision if name == "conv1" else torch.float32))


class ResNetFPN(Backbone):
    """Gray image to a coarse map at 1/8 and a fine map at 1/2: the published backbone."""

    in_float32 = ("conv1", "layer3_outconv")

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__(config)
        half, quarter, eighth = config.block_dims
        self.layer3_outconv: nn.Module = conv(eighth, eighth, 1)
        self.layer2_outconv = conv(quarter, eighth, 1)
        self.layer2_outconv2 = self._merge(eighth, quarter)
        self.layer1_outconv = conv(half, quarter, 1)
        self.layer1_outconv2 = self._merge(quarter, config.fine_dim)
        self.initialize()

    @property
    def last_layers(self) -> tuple[nn.Module, nn.Module]:
        """The layers that compute the coarse and the fine map."""
        return self.layer3_outconv, self.layer1_outconv2[3]

    @staticmethod
    def _merge(inputs: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(conv(inputs, inputs, 3), nn.BatchNorm2d(inputs), nn.LeakyReLU(), conv(inputs, outputs, 3))

    def fold_normalization(self) -> None:
        """Fold batch normalization into the convolutions, for inference."""
        super().fold_normalization()
        for merge in (self.layer2_outconv2, self.layer1_outconv2):
            merge[0], merge[1] = _folded(merge[0], merge[1]), nn.Identity()

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, None]:
        """Compute the coarse map (B, C, H/8, W/8) and the fine map (B, C', H/2, W/2); there is no context at 1/16."""
        half, quarter, eighth = self.stages(image)
        coarse: Tensor = self.layer3_outconv(eighth)
        middle = self.layer2_outconv2(self.layer2_outconv(quarter) + self.upsampled(coarse).to(quarter.dtype))
        fine: Tensor = self.layer1_outconv2(self.layer1_outconv(half) + self.upsampled(middle))
        return coarse, fine, None
