"""The figures of a run: `log.jsonl`, and curves for TensorBoard where it is installed."""

from __future__ import annotations

import json
import logging
import math
from pathlib import Path
from typing import Any

CURVE_EVERY = 10  # steps


class RunLog:
    """Writes one line of JSON for every validation, and curves of the training as well."""

    def __init__(self, output: Path, step: int) -> None:
        """Go on with the log of a folder; curves of an earlier run are cut after `step`."""
        self._path = output / "log.jsonl"
        self._curves = _summary_writer(output / "tensorboard", step)

    def step(self, figures: dict[str, Any]) -> None:
        """Note the figures of a training step."""
        if figures["step"] % CURVE_EVERY == 0:
            self._draw("training", figures)

    def validation(self, figures: dict[str, Any]) -> None:
        """Note the figures of a validation; what is not finite becomes null, as JSON has no word for it."""
        known = {key: value if math.isfinite(value) else None for key, value in figures.items()}
        with self._path.open("a") as file:
            file.write(json.dumps(known, allow_nan=False) + "\n")
        self._draw("validation", figures)

    def close(self) -> None:
        """Write what is left."""
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
            "TensorBoard is not installed, so there will be no curves: pip install 'loftr_ros[train]'"
        )
        return None
    return SummaryWriter(folder, purge_step=step + 1)
