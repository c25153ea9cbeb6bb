"""The encoder layer, pooling, and the order of the updates."""

from dataclasses import replace

import pytest
import torch

from loftr_ros.loftr.config import TransformerConfig
from loftr_ros.loftr.transformer import EncoderLayer, LocalFeatureTransformer, _pool, _unpool

CONFIG = TransformerConfig(dim=8, heads=2, layers=("self", "cross"), attention="full")


def _tokens(count: int, seed: int) -> torch.Tensor:
    return torch.randn(1, count, 8, generator=torch.Generator().manual_seed(seed))


def test_pool_averages_blocks_and_what_is_left_at_the_rim() -> None:
    grid = (3, 5)
    tokens = torch.arange(15.0).reshape(1, 15, 1)
    pooled = _pool(tokens, grid, 2).flatten().tolist()
    rows = tokens.reshape(3, 5)
    expected = [rows[r : r + 2, c : c + 2].mean().item() for r in (0, 2) for c in (0, 2, 4)]
    assert pooled == pytest.approx(expected)


@pytest.mark.parametrize("grid", [(8, 8), (7, 9), (5, 4), (9, 11)])
def test_unpool_restores_the_grid(grid: tuple[int, int]) -> None:
    count = grid[0] * grid[1]
    constant = torch.full((1, count, 3), 2.0)
    restored = _unpool(_pool(constant, grid, 4), grid, 4)
    torch.testing.assert_close(restored, constant)
    # A ramp survives away from the rim: block means, spread bilinearly, lie on the same line.
    ramp = torch.arange(16.0).repeat(16, 1).reshape(1, 256, 1)
    restored = _unpool(_pool(ramp, (16, 16), 4), (16, 16), 4)
    torch.testing.assert_close(restored.reshape(16, 16)[:, 2:14], ramp.reshape(16, 16)[:, 2:14])


def test_pooled_layer_with_a_grid_that_blocks_do_not_divide() -> None:
    torch.manual_seed(0)
    layer = EncoderLayer(replace(CONFIG, pool=4))
    out = layer(_tokens(7 * 9, 0), _tokens(5 * 6, 1), (7, 9), (5, 6))
    assert out.shape == (1, 63, 8)
    assert out.isfinite().all()


def test_pool_of_one_is_attention_between_all_tokens() -> None:
    torch.manual_seed(0)
    layer = EncoderLayer(CONFIG)
    x, source = _tokens(6, 0), _tokens(4, 1)
    query, key, value = layer.q_proj(x), layer.k_proj(source), layer.v_proj(source)
    heads = [
        (query[..., h] @ key[..., h].transpose(1, 2) / 2).softmax(dim=2) @ value[..., h]
        for h in (slice(0, 4), slice(4, 8))
    ]
    message = layer.norm1(layer.merge(torch.cat(heads, dim=2)))
    expected = x + layer.norm2(layer.mlp(torch.cat([x, message], dim=2)))
    torch.testing.assert_close(layer(x, source, (2, 3), (2, 2)), expected)


def test_b_attends_to_the_updated_a() -> None:
    torch.manual_seed(0)
    transformer = LocalFeatureTransformer(replace(CONFIG, layers=("cross",)))
    a, b = _tokens(6, 0), _tokens(4, 1)
    (layer,) = transformer.layers
    new_a = layer(a, b, (2, 3), (2, 2))
    out_a, out_b = transformer(a, b, (2, 3), (2, 2))
    torch.testing.assert_close(out_a, new_a)
    torch.testing.assert_close(out_b, layer(b, new_a, (2, 2), (2, 3)))


def test_self_layers_keep_the_images_apart() -> None:
    torch.manual_seed(0)
    transformer = LocalFeatureTransformer(replace(CONFIG, layers=("self", "self")))
    a, b, other = _tokens(6, 0), _tokens(4, 1), _tokens(4, 2)
    torch.testing.assert_close(
        transformer(a, b, (2, 3), (2, 2))[0], transformer(a, other, (2, 3), (2, 2))[0], rtol=0, atol=0
    )


def test_no_layers_change_nothing() -> None:
    a, b = _tokens(6, 0), _tokens(4, 1)
    out_a, out_b = LocalFeatureTransformer(replace(CONFIG, layers=()))(a, b, (2, 3), (2, 2))
    assert torch.equal(out_a, a)
    assert torch.equal(out_b, b)
