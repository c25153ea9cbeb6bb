"""The encoder layer, the order of the updates, and what masks keep away."""

from dataclasses import replace

import pytest
import torch

from loftr_ros.loftr.network.config import TransformerConfig
from loftr_ros.loftr.network.pooling import Blocks
from loftr_ros.loftr.network.transformer import EncoderLayer, LocalFeatureTransformer

CPU = torch.device("cpu")
CONFIG = TransformerConfig(dim=8, heads=2, layers=("self", "cross"), attention="full")


def _tokens(count: int, seed: int) -> torch.Tensor:
    return torch.randn(1, count, 8, generator=torch.Generator().manual_seed(seed))


def test_pooled_layer_with_a_grid_that_blocks_do_not_divide() -> None:
    torch.manual_seed(0)
    layer = EncoderLayer(replace(CONFIG, pool=4))
    out = layer(_tokens(7 * 9, 0), _tokens(5 * 6, 1), Blocks((7, 9), 4, CPU), Blocks((5, 6), 4, CPU))
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
    torch.testing.assert_close(layer(x, source, Blocks((2, 3), 1, CPU), Blocks((2, 2), 1, CPU)), expected)


def test_b_attends_to_the_updated_a() -> None:
    torch.manual_seed(0)
    transformer = LocalFeatureTransformer(replace(CONFIG, layers=("cross",)))
    a, b = _tokens(6, 0), _tokens(4, 1)
    (layer,) = transformer.layers
    blocks_a, blocks_b = Blocks((2, 3), 1, CPU), Blocks((2, 2), 1, CPU)
    new_a = layer(a, b, blocks_a, blocks_b)
    out_a, out_b = transformer(a, b, (2, 3), (2, 2))
    torch.testing.assert_close(out_a, new_a)
    torch.testing.assert_close(out_b, layer(b, new_a, blocks_b, blocks_a))


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


@pytest.mark.parametrize("attention", ["linear", "full"])
@pytest.mark.parametrize("pool", [1, 4])
def test_what_is_masked_is_not_seen(attention: str, pool: int) -> None:
    """Anything may be under the masks: the tokens to use come out the same, in single bits."""
    torch.manual_seed(0)
    transformer = LocalFeatureTransformer(replace(CONFIG, attention=attention, pool=pool))
    used_a, used_b = torch.rand(1, 7 * 9) < 0.4, torch.rand(1, 5 * 6) < 0.4
    a, b = _tokens(7 * 9, 0), _tokens(5 * 6, 1)
    other_a, other_b = a.clone(), b.clone()
    other_a[~used_a] = 1000 * torch.randn(8)
    other_b[~used_b] = torch.nan
    with torch.inference_mode():
        out_a, out_b = transformer(a, b, (7, 9), (5, 6), (used_a, used_b))
        again_a, again_b = transformer(other_a, other_b, (7, 9), (5, 6), (used_a, used_b))
        without, _ = transformer(a, b, (7, 9), (5, 6))
    torch.testing.assert_close(again_a[used_a], out_a[used_a], rtol=0, atol=0)
    torch.testing.assert_close(again_b[used_b], out_b[used_b], rtol=0, atol=0)
    assert (without[used_a] - out_a[used_a]).abs().max() > 1e-3


@pytest.mark.parametrize("attention", ["linear", "full"])
@pytest.mark.parametrize("pool", [1, 2, 4])
def test_masked_border_might_as_well_be_cut_off(attention: str, pool: int) -> None:
    """Of 9 x 11 tokens only 8 x 8 are used: as if the image had ended there."""
    torch.manual_seed(0)
    transformer = LocalFeatureTransformer(replace(CONFIG, attention=attention, pool=pool))
    a, b = _tokens(9 * 11, 0), _tokens(5 * 6, 1)
    used = torch.zeros(1, 9, 11, dtype=torch.bool)
    used[:, :8, :8] = True
    with torch.inference_mode():
        out_a, out_b = transformer(a, b, (9, 11), (5, 6), (used.flatten(1), torch.ones(1, 30, dtype=torch.bool)))
        cut_a, cut_b = transformer(a[used.flatten(1)][None], b, (8, 8), (5, 6))
    torch.testing.assert_close(out_a[used.flatten(1)][None], cut_a)
    torch.testing.assert_close(out_b, cut_b)


def test_layers_do_not_change_what_they_are_given() -> None:
    torch.manual_seed(0)
    a, b = _tokens(6, 0), _tokens(4, 1)
    LocalFeatureTransformer(CONFIG)(a, b, (2, 3), (2, 2))
    assert torch.equal(a, _tokens(6, 0))
    assert torch.equal(b, _tokens(4, 1))


def test_same_as_kornia_with_masks() -> None:
    """Linear attention only: where a query is masked, their softmax is over nothing, and no number."""
    module = pytest.importorskip("kornia.feature.loftr.loftr_module.transformer", reason="kornia is needed for parity")
    torch.manual_seed(0)
    settings = {"d_model": 8, "nhead": 2, "layer_names": ["self", "cross"] * 2, "attention": "linear"}
    theirs = module.LocalFeatureTransformer(settings).eval()
    ours = LocalFeatureTransformer(replace(CONFIG, layers=("self", "cross") * 2, attention="linear")).eval()
    ours.load_state_dict(theirs.state_dict())
    a, b = _tokens(7 * 9, 0), _tokens(5 * 6, 1)
    used_a, used_b = torch.rand(1, 7 * 9) < 0.6, torch.rand(1, 5 * 6) < 0.6
    with torch.inference_mode():
        out_a, out_b = ours(a, b, (7, 9), (5, 6), (used_a, used_b))
        expected_a, expected_b = theirs(a, b, used_a, used_b)
    torch.testing.assert_close(out_a[used_a], expected_a[used_a], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(out_b[used_b], expected_b[used_b], rtol=1e-4, atol=1e-5)
