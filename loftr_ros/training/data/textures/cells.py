"""Surfaces made of equal or irregular cells: bricks, tiles, cobbles, gravel, shelves, facades."""

from __future__ import annotations

import torch
from torch import Tensor

from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.textures.atlas import SIDE
from loftr_ros.training.data.textures.noise import texel_grid


def bricks(draw: Draw, count: int) -> Tensor:
    """Courses of bricks, each one shifted against the one below, with a shade of its own for every brick."""
    rows = 2 * (draw.integers(9, count, 1, 1) + 2)
    columns = draw.integers(6, count, 1, 1) + 2
    x, y = texel_grid(draw)
    row = (y * rows).long()
    offset = draw.uniform(0.25, 0.5, count, 1, 1) * (row % 2)
    across, down = (x * columns + offset) % columns, (y * rows) % 1
    joint = draw.log_uniform(0.6, 4, count, 1, 1)
    distance = torch.minimum(_rim(across % 1) / columns, _rim(down) / rows) * SIDE
    shade = _cell_values(draw, count, row, across.long()) * draw.log_uniform(0.05, 0.6, count, 1, 1)
    sign = torch.where(draw.chance(0.6, count, 1, 1), 1.0, -1.0)
    return shade + sign * draw.uniform(0.3, 1, count, 1, 1) * _below(joint, distance)


def mosaic(draw: Draw, count: int) -> Tensor:
    """Square tiles in a few shades, a motif that repeats every few tiles, or a checkerboard."""
    cells = 2 ** (draw.integers(3, count, 1, 1) + 2)  # 4 to 16 a side
    period = 2 ** (draw.integers(4, count, 1, 1) + 1)
    x, y = texel_grid(draw)
    column, row = (x * cells).long(), (y * cells).long()
    shade = _cell_values(draw, count, row % period, column % period)
    shade = torch.where(draw.chance(0.2, count, 1, 1), ((row + column) % 2).float() - 0.5, shade)
    distance = torch.minimum(_rim(x * cells % 1), _rim(y * cells % 1)) / cells * SIDE
    return shade * draw.log_uniform(0.1, 1, count, 1, 1) - 0.6 * _below(
        draw.log_uniform(0.5, 2.5, count, 1, 1), distance
    )


def cobbles(draw: Draw, count: int) -> Tensor:
    """Cells around scattered points: paving and natural stone with few, gravel and pebbles with many."""
    cells = (2 ** draw.uniform(2.3, 5.3, count, 1, 1)).long()
    first, second, shade = _nearest_points(draw, count, cells)
    joint = (second - first).clamp(max=1)
    relief = draw.uniform(0, 1, count, 1, 1)
    sharp = draw.log_uniform(3, 20, count, 1, 1)
    flat = draw.log_uniform(0.1, 0.8, count, 1, 1) * shade
    return flat + (1 - relief) * (joint * sharp).clamp(max=1) * 0.7 - relief * first


def _nearest_points(draw: Draw, count: int, cells: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Distances to the nearest and second nearest of one point a cell, and a value of the nearest one."""
    most = 48
    points = draw.uniform(0.1, 0.9, 2, count, most * most)
    values = draw.uniform(-0.5, 0.5, count, most * most)
    x, y = texel_grid(draw)
    u, v = (x * cells).expand(count, SIDE, SIDE), (y * cells).expand(count, SIDE, SIDE)
    column, row = u.long(), v.long()
    first = torch.full_like(u, 9.0)
    second, shade = first.clone(), torch.zeros_like(u)
    for step_y in (-1, 0, 1):
        for step_x in (-1, 0, 1):
            cell = ((row + step_y) % cells * most + (column + step_x) % cells).flatten(1)
            px, py = (points[i].gather(1, cell).view_as(u) for i in (0, 1))
            distance = torch.hypot(px + column + step_x - u, py + row + step_y - v)
            value = values.gather(1, cell).view_as(u)
            second = torch.minimum(second, torch.maximum(first, distance))
            shade = torch.where(distance < first, value, shade)
            first = torch.minimum(first, distance)
    return first, second, shade


def shelves(draw: Draw, count: int) -> Tensor:
    """Boards with things side by side: widths, heights and shades all differ."""
    rows = draw.integers(5, count, 1, 1) + 2
    most = 24
    ends = draw.uniform(0.4, 1.6, count, 8, most).cumsum(2)
    ends = ends / ends[..., -1:]
    x, y = texel_grid(draw)
    row = (y * rows).long().expand(count, SIDE, 1)[..., 0]
    ends = ends.gather(1, row[..., None].expand(-1, -1, most))  # of the row of every line of texels
    thing = torch.searchsorted(ends, x.expand(count, SIDE, SIDE).contiguous()).clamp(max=most - 1)
    index = row[..., None] * most + thing
    shade, height = (draw.uniform(0, 1, count, 8 * most).gather(1, index.flatten(1)).view_as(index) for _ in range(2))
    band = draw.uniform(0, 1, count, 8 * most).gather(1, index.flatten(1)).view_as(index)
    down = (y * rows) % 1  # 0 at the top of a compartment
    left = torch.where(thing > 0, ends.gather(2, (thing - 1).clamp(min=0)), torch.zeros_like(ends[..., :1]))
    rim = torch.minimum(x - left, ends.gather(2, thing) - x) * SIDE
    label = ((down - 0.4 - 0.4 * band).abs() < 0.06).float() * (band - 0.5)
    inside = (down > 0.5 * height) & (down < 0.92)
    gray = torch.where(inside, shade - 0.3 * _below(torch.ones_like(rim), rim) + label, torch.zeros_like(shade) - 0.2)
    board = draw.uniform(0, 1, count, 1, 1)
    return torch.where(down >= 0.92, board, gray)


def facades(draw: Draw, count: int) -> Tensor:
    """Fronts of houses: equal windows with frames, cross bars and sills; the interiors differ."""
    rows, columns = draw.integers(5, count, 1, 1) + 1, draw.integers(6, count, 1, 1) + 1
    x, y = texel_grid(draw)
    row, column = (y * rows).long(), (x * columns).long()
    u, v = (x * columns) % 1 - 0.5, (y * rows) % 1 - 0.5
    half_u, half_v = draw.uniform(0.15, 0.45, count, 1, 1), draw.uniform(0.2, 0.42, count, 1, 1)
    # Texels from the rim of the opening, positive inside.
    depth = torch.minimum((half_u - u.abs()) / columns, (half_v - v.abs()) / rows) * SIDE
    wall = torch.zeros_like(depth) + draw.uniform(0, 1, count, 1, 1)
    pane = _cell_values(draw, count, row, column) * draw.uniform(0.1, 0.9, count, 1, 1)
    curtain = (u > half_u * 2 * (_cell_values(draw, count, row, column) - 0.0)) & draw.chance(0.5, count, 1, 1)
    pane = pane + 0.4 * curtain
    bars_x = draw.integers(3, count, 1, 1)
    bars = (((u / half_u + 1) * (bars_x + 1) / 2 + 0.5) % 1 - 0.5).abs() / (bars_x + 1) * 2 * half_u / columns * SIDE
    frame_width = draw.log_uniform(0.8, 4, count, 1, 1)
    frame = (depth < frame_width) | ((bars < frame_width / 2) & (bars_x > 0))
    shade = torch.where(frame, draw.uniform(0, 1, count, 1, 1) + torch.zeros_like(pane), pane)
    sill = ((v - half_v).abs() * SIDE / rows < 2) & (u.abs() < half_u * 1.1)
    gray = torch.where(depth > 0, shade, wall)
    return torch.where(sill & draw.chance(0.5, count, 1, 1), draw.uniform(0, 1, count, 1, 1), gray)


def _cell_values(draw: Draw, count: int, row: Tensor, column: Tensor) -> Tensor:
    """One value in [-0.5, 0.5) for each cell of a grid of at most 32 a side."""
    index = (row * 32 + column).expand(count, SIDE, SIDE)
    return draw.uniform(-0.5, 0.5, count, 32 * 32).gather(1, index.flatten(1)).view_as(index)


def _rim(place: Tensor) -> Tensor:
    """Distance to the nearer end of [0, 1]."""
    return torch.minimum(place, 1 - place)


def _below(limit: Tensor, distance: Tensor) -> Tensor:
    """One where the distance is below the limit, with a ramp of one texel."""
    return (limit - distance + 0.5).clamp(0, 1)
