#!/usr/bin/env python3
"""Identify the GPU and run one product on it: the first part of bench/gpu.py, in a separate process like all others."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import torch


def main(argv: Sequence[str]) -> int:
    """Write the properties of the GPU. Returns 0, also without a GPU, or 1 if the result of the product is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)
    if not torch.cuda.is_available():
        text = f"torch {torch.__version__} finds no GPU: all parts run with small sizes on the CPU"
        args.output.write_text(json.dumps({"gpu": "", "figures": text}))
        return 0
    gpu = torch.cuda.get_device_properties(0)
    versions = f"CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}"
    text = f"{gpu.name}, {gpu.total_memory / 2**30:.0f} GiB, compute capability {gpu.major}.{gpu.minor}; {versions}"
    args.output.write_text(json.dumps({"gpu": gpu.name, "figures": text}))
    ones = torch.ones(512, 512, device="cuda", dtype=torch.float16)
    return 0 if float((ones @ ones).float().mean()) == 512 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
