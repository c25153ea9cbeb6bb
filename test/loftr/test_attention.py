"""Both kinds of attention against their definitions, written out."""

import pytest
import torch
from torch.nn import functional as F

from loftr_ros.loftr.attention import full_attention, linear_attention


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
