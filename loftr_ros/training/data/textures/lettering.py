"""Signs, posters, labels and screens: text in several sizes, arrows, bars, on boards of two shades."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.textures.atlas import SIDE

Image = NDArray[np.uint8]
LETTERS = "ABCDEFGHIJKLMNOPRSTUVWXYZabcdefghiklmnoprstuvwz0123456789 -.:/"
FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_PLAIN,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
)


def signs(draw: Draw, count: int) -> Tensor:
    """Boards with writing: (count, SIDE, SIDE), drawn on the CPU by OpenCV."""
    generator = np.random.default_rng(int(draw.integers(2**31, 1)))
    boards = np.stack([_board(generator) for _ in range(count)])
    return torch.from_numpy(boards).to(draw.device).float() / 255


def _board(generator: np.random.Generator) -> Image:
    paper, ink = generator.integers(0, 256, 2)
    if abs(int(paper) - int(ink)) < 60:
        paper, ink = 230, 30
    board = np.full((SIDE, SIDE), paper, np.uint8)
    draws = (_write_lines, _write_lines, _draw_arrow, _draw_bars, _draw_panels)
    if generator.random() < 0.4:
        _draw_panels(board, generator, int(ink))
    for _ in range(int(generator.integers(1, 4))):
        draws[int(generator.integers(len(draws)))](board, generator, int(ink))
    return board


def _write_lines(board: Image, generator: np.random.Generator, ink: int) -> None:
    """Lines of one size and font from some height on, as in a notice; a large size gives a door number."""
    scale = float(np.exp(generator.uniform(np.log(0.35), np.log(4))))
    font, thickness = int(generator.choice(FONTS)), max(1, round(scale * generator.uniform(0.8, 2.2)))
    height = int(generator.uniform(26, 40) * scale)
    left = int(generator.integers(0, 60))
    for bottom in range(int(generator.integers(height, SIDE)), SIDE, height):
        text = "".join(generator.choice(list(LETTERS), int(generator.integers(1, 24))))
        cv2.putText(board, text, (left, bottom), font, scale, ink, thickness, cv2.LINE_AA)


def _draw_arrow(board: Image, generator: np.random.Generator, ink: int) -> None:
    start, end = (tuple(map(int, generator.integers(20, SIDE - 20, 2))) for _ in range(2))
    cv2.arrowedLine(board, start, end, ink, int(generator.integers(2, 16)), cv2.LINE_AA, tipLength=0.3)


def _draw_bars(board: Image, generator: np.random.Generator, ink: int) -> None:
    """A bar code, a ruler, a vent."""
    left, top = generator.integers(0, SIDE // 2, 2)
    height, right = generator.integers(20, 120), int(left)
    while right < left + 120:
        width = int(generator.integers(1, 7))
        cv2.rectangle(board, (right, int(top)), (right + width, int(top + height)), ink, cv2.FILLED)
        right += width + int(generator.integers(2, 7))


def _draw_panels(board: Image, generator: np.random.Generator, ink: int) -> None:
    """Rectangles and disks, filled or outlined, as on posters and screens."""
    for _ in range(int(generator.integers(1, 6))):
        corner, size = generator.integers(0, SIDE, 2), generator.integers(10, 130, 2)
        shade, thickness = int(generator.integers(0, 256)), int(generator.choice([-1, 2, 5]))
        x, y = map(int, corner)
        if generator.random() < 0.3:
            cv2.circle(board, (x, y), int(size[0]) // 2, shade, thickness, cv2.LINE_AA)
        else:
            cv2.rectangle(board, (x, y), (x + int(size[0]), y + int(size[1])), shade, thickness)
    cv2.rectangle(board, (0, 0), (SIDE - 1, SIDE - 1), ink, int(generator.integers(1, 10)))
