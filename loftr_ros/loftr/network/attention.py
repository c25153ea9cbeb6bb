"""Multi-head attention between two sets of tokens: linear and softmax."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def linear_attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """Attention with the kernel elu(x) + 1, linear in the number of tokens (paper, section 3.2; arXiv 2006.16236).

    Args:
        query: (B, H, L, D).
        key, value: (B, H, S, D).
        mask: (B, S) bool, keys to attend to; at least one per batch.

    Returns:
        (B, H, L, D).
    """
    dtype = value.dtype
    if dtype is torch.float16:  # products of query, key and value can overflow it; the result does not
        query, key, value = query.float(), key.float(), value.float()
    query = F.elu(query) + 1
    key = F.elu(key) + 1
    if mask is not None:
        key = key.masked_fill(~mask[:, None, :, None], 0.0)
    tokens = key.shape[2]
    # Means instead of sums, to stay in the range of half precision.
    context = key.transpose(2, 3) @ (value / tokens)
    normalizer = query @ (key.mean(dim=2)[..., None]) + 1e-6 / tokens
    return ((query @ context) / normalizer).to(dtype)


def full_attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """Softmax attention, with the arguments of `linear_attention`."""
    return F.scaled_dot_product_attention(query, key, value, None if mask is None else mask[:, None, None])
