"""Both kinds of attention against their definitions, written out."""

import pytest
import torch
from torch.nn import functional as F

from loftr_ros.loftr.network.attention import full_attention, linear_attention


@pytest.fixture
def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = ((2, 3, 7, 4), (2, 3, 5, 4), (2, 3, 5, 4))  # more queries than keys
    query, key, value = (torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes)
    return query, key, value


def test_linear_attention_is_the_kernel_sum(inputs: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    query, key, value = inputs
    expected = torch.zeros_like(query)
    for batch in range(2):
        for head in range(3):
            for i in range(7):
                weights = torch.stack(
                    [(F.elu(query[batch, head, i]) + 1) @ (F.elu(key[batch, head, j]) + 1) for j in range(5)]
                )
                expected[batch, head, i] = weights @ value[batch, head] / (weights.sum() + 1e-6)
    torch.testing.assert_close(linear_attention(query, key, value), expected)


def test_full_attention_is_the_softmax(inputs: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    query, key, value = inputs
    expected = (query @ key.transpose(2, 3) / 2).softmax(dim=3) @ value
    torch.testing.assert_close(full_attention(query, key, value), expected)


@pytest.mark.parametrize("attention", [linear_attention, full_attention])
def test_attention_averages(attention, inputs: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    """Weights sum to one: of a constant value nothing but the constant comes out."""
    query, key, value = inputs
    out = attention(query, key, torch.full_like(value, 3.0))
    torch.testing.assert_close(out, torch.full_like(query, 3.0), rtol=1e-5, atol=0)


def test_linear_attention_of_many_tokens_in_half_precision() -> None:
    """The sums over tokens leave the range of half precision; averages do not."""
    generator = torch.Generator().manual_seed(0)
    query, key = (torch.randn(1, 1, 4000, 32, generator=generator) + 4 for _ in range(2))
    value = 20 * torch.randn(1, 1, 4000, 32, generator=generator) + 20
    exact = linear_attention(query, key, value)
    half = linear_attention(query.half(), key.half(), value.half()).float()
    assert (F.elu(key) + 1).transpose(2, 3).matmul(value).abs().max() > torch.finfo(torch.float16).max
    torch.testing.assert_close(half, exact, rtol=1e-2, atol=0.1)


@pytest.mark.parametrize("attention", [linear_attention, full_attention])
def test_masked_keys_might_as_well_not_exist(
    attention, inputs: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
) -> None:
    query, key, value = inputs
    used = torch.tensor([True, False, True, True, False])
    masked = attention(query, key, value, used.expand(2, -1))
    torch.testing.assert_close(masked, attention(query, key[:, :, used], value[:, :, used]), rtol=1e-5, atol=1e-6)


def test_full_attention_is_that_of_torch(inputs: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    """Its multi-head module with projections that change nothing, and its own convention of masks."""
    query, key, value = inputs
    module = torch.nn.MultiheadAttention(12, 3, bias=False, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        module.in_proj_weight.copy_(torch.eye(12).repeat(3, 1))
        module.out_proj.weight.copy_(torch.eye(12))
    used = torch.tensor([[True, False, True, True, False], [True] * 5])
    tokens = [heads.transpose(1, 2).flatten(2) for heads in (query, key, value)]
    expected, _ = module(*tokens, key_padding_mask=~used)
    torch.testing.assert_close(full_attention(query, key, value, used).transpose(1, 2).flatten(2), expected)


@pytest.mark.parametrize("masked", [False, True])
def test_gradient_of_linear_attention(inputs: tuple[torch.Tensor, torch.Tensor, torch.Tensor], masked: bool) -> None:
    used = torch.tensor([[True, False, True, True, False]]) if masked else None
    small = [heads[:1, :2, :, :2].clone().requires_grad_() for heads in inputs]
    assert torch.autograd.gradcheck(lambda *heads: linear_attention(*heads, used), small)
