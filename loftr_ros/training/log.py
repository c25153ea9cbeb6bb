"""Log of a training run: `log.jsonl`, and TensorBoard curves if it is installed."""

from __future__ import annotations

import json
import logging
import math
from pathlib import Path
from typing import Any

CURVE_EVERY = 10  # steps


class RunLog:
    """Writes a JSON line for each validation, and TensorBoard curves."""

    def __init__(self, output: Path, step: int) -> None:
        """Continue the log of a folder; curves of an earlier run are purged after `step`."""
        self._path = output / "log.jsonl"
        self._curves = _summary_writer(output / "tensorboard", step)

    def step(self, figures: dict[str, Any]) -> None:
        """Log the figures of a training step."""
        if figures["step"] % CURVE_EVERY == 0:
            self._draw("training", figures)

    def validation(self, figures: dict[str, Any]) -> None:
        """Log the figures of a validation; values that are not finite become null in JSON."""
        finite = {key: value if math.isfinite(value) else None for key, value in figures.items()}
        with self._path.open("a") as file:
            file.write(json.dumps(finite, allow_nan=False) + "\n")
        self._draw("validation", figures)

    def close(self) -> None:
        """Flush and close."""
        if self._curves is not None:
            self._curves.close()

    def _draw(self, group: str, figures: dict[str, Any]) -> None:
        if self._curves is not None:
            for name, value in figures.items():
                if name != "step":
                    self._curves.add_scalar(f"{group}/{name}", value, figures["step"])


def _summary_writer(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        logging.getLogger(__name__).warning(
            "TensorBoard is not installed, no curves are written: pip install 'loftr_ros[train]'"
        )
        return None
    return SummaryWriter(folder, purge_step=step + 1)
