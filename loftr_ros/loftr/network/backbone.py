"""The local feature CNN: a ResNet with a feature pyramid (paper, section 3.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from loftr_ros.loftr.network.config import BackboneConfig


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
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
        self.conv1 = _conv(inputs, outputs, 3, stride)
        self.conv2 = _conv(outputs, outputs, 3)
        self.bn1: nn.Module = nn.BatchNorm2d(outputs)
        self.bn2: nn.Module = nn.BatchNorm2d(outputs)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(_conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        shortcut = x if self.downsample is None else self.downsample(x)
        return F.relu(shortcut + y)

    def fold_normalization(self) -> None:
        """See `ResNetFPN.fold_normalization`."""
        self.conv1, self.bn1 = _folded(self.conv1, self.bn1), nn.Identity()
        self.conv2, self.bn2 = _folded(self.conv2, self.bn2), nn.Identity()
        if self.downsample is not None:
            self.downsample = nn.Sequential(_folded(*self.downsample))


class ResNetFPN(nn.Module):
    """Gray image to a coarse map at 1/8 and a fine map at 1/2; layers are named as in the authors' code."""

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        half, quarter, eighth = config.block_dims
        self.align_corners = config.align_corners
        self.conv1: nn.Module = _conv(1, config.stem_dim, 7, 2)
        self.bn1: nn.Module = nn.BatchNorm2d(config.stem_dim)
        self.layer1 = self._stage(config.stem_dim, half, config.blocks_per_stage, 1)
        self.layer2 = self._stage(half, quarter, config.blocks_per_stage, 2)
        self.layer3 = self._stage(quarter, eighth, config.blocks_per_stage, 2)
        self.layer3_outconv: nn.Module = _conv(eighth, eighth, 1)
        self.layer2_outconv = _conv(quarter, eighth, 1)
        self.layer2_outconv2 = self._merge(eighth, quarter)
        self.layer1_outconv = _conv(half, quarter, 1)
        self.layer1_outconv2 = self._merge(quarter, config.fine_dim)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        # channels_last is the fastest layout for convolutions on CPUs and tensor cores.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @staticmethod
    def _stage(inputs: int, outputs: int, blocks: int, stride: int) -> nn.Sequential:
        first = ResidualBlock(inputs, outputs, stride)
        return nn.Sequential(first, *(ResidualBlock(outputs, outputs, 1) for _ in range(blocks - 1)))

    @staticmethod
    def _merge(inputs: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(
            _conv(inputs, inputs, 3), nn.BatchNorm2d(inputs), nn.LeakyReLU(), _conv(inputs, outputs, 3)
        )

    def fold_normalization(self) -> None:
        """Fold batch normalization into the convolutions, for inference."""
        self.conv1, self.bn1 = _folded(self.conv1, self.bn1), nn.Identity()
        for block in self.modules():
            if isinstance(block, ResidualBlock):
                block.fold_normalization()
        for merge in (self.layer2_outconv2, self.layer1_outconv2):
            merge[0], merge[1] = _folded(merge[0], merge[1]), nn.Identity()

    def round(self, precision: torch.dtype) -> None:
        """Compute in reduced precision, except for the first layer and the last one before the coarse map.

        Those two take little time, and rounding their results changes the most matches.
        """
        if precision is torch.float32:
            return
        for layer in self.children():
            if layer not in (self.conv1, self.layer3_outconv):
                layer.to(precision)
        self.conv1 = _InFloat32(self.conv1, precision)
        self.layer3_outconv = _InFloat32(self.layer3_outconv, torch.float32)

    def _double(self, x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=self.align_corners)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the feature maps.

        Args:
            image: (B, 1, H, W) gray values in [0, 1]; H and W multiples of 8.

        Returns:
            The coarse map (B, C, H/8, W/8) and the fine map (B, C', H/2, W/2).
        """
        image = image.contiguous(memory_format=torch.channels_last)
        half = self.layer1(F.relu(self.bn1(self.conv1(image))))
        quarter = self.layer2(half)
        eighth = self.layer3(quarter)

        coarse: torch.Tensor = self.layer3_outconv(eighth)
        middle = self.layer2_outconv2(self.layer2_outconv(quarter) + self._double(coarse).to(quarter.dtype))
        fine: torch.Tensor = self.layer1_outconv2(self.layer1_outconv(half) + self._double(middle))
        return coarse, fine
