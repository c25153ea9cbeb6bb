"""Statistics of a sample of frames: exposure, texture, duplicates, identical stereo pairs, depth."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from loftr_ros.checkup.findings import Finding, Level, judged
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.images.image_quality import ImageQuality
from loftr_ros.odometry.states import LostReason

# Share of faulty images above which to warn: odometry bridges single dark images.
_MAX_FAULTY_SHARE = 0.1
# Range of plausible median depths, meters: depth cameras measure 0.1 to 20 m, lidars 60 m.
_MIN_MEDIAN_DEPTH_M, _MAX_MEDIAN_DEPTH_M = 0.15, 60.0
# Lower bound if the unit is assumed, meters: 1 to 2.5 m at 1000 counts per meter, read as 5000, are below; TUM's desk
# has 1.1 m.
_MIN_MEDIAN_DEPTH_IF_ASSUMED_M = 0.5
# Share of pixels with depth below which to warn; a projected lidar scan has about 5 %.
_MIN_DEPTH_SHARE = 0.15
# Subsampling of the mean gray level, pixels.
_STRIDE = 4

# Fix for each fault of image quality.
_ADVICE = {
    LostReason.DARK: "more light, or a longer exposure; check that nothing covers the lens",
    LostReason.OVEREXPOSED: "a shorter exposure, or automatic exposure",
    LostReason.BLURRED: "a shorter exposure with more light, or slower motion",
    LostReason.NO_TEXTURE: "these images show nothing to match: check the lens and where the camera looks",
}


class ImageSurvey:
    """Accumulates statistics over frames, without keeping images."""

    def __init__(self) -> None:
        """Start without frames."""
        self.frames = 0
        self._levels: dict[str, list[float]] = {}
        self._contrasts: dict[str, list[float]] = {}
        self._faults: dict[str, Counter[LostReason]] = {}
        self._unusable: Counter[str] = Counter()
        self._successive = self._repeated = 0
        self._pairs = self._identical_pairs = 0
        self._depth_medians: list[float] = []
        self._depth_shares: list[float] = []

    def add(self, frame: Frame, before: Frame | None = None) -> None:
        """Add a frame; `before`, the frame directly before it, is for blur and duplicates."""
        self.frames += 1
        self._add_image("left" if frame.right is not None else "", frame.image, before.image if before else None)
        if frame.right is not None:
            self._add_image("right", frame.right, before.right if before else None)
            self._pairs += 1
            self._identical_pairs += np.array_equal(frame.image, frame.right)
        if before is not None:
            self._successive += 1
            self._repeated += np.array_equal(frame.image, before.image)
        if frame.depth is not None:
            valid = frame.depth[np.isfinite(frame.depth) & (frame.depth > 0)]
            self._depth_shares.append(valid.size / frame.depth.size)
            if valid.size:
                self._depth_medians.append(float(np.median(valid)))

    def findings(self) -> list[Finding]:
        """Return the findings on exposure, duplicates and identical stereo pairs."""
        if not self.frames:
            return []
        return [*map(self._exposure, self._levels), *self._duplicates(), *self._identical_pair()]

    def depth_finding(self, unit: str, is_assumed: bool = False) -> list[Finding]:
        """Return the finding on depth; none without depth images.

        Args:
            unit: unit and its origin, as text.
            is_assumed: neither the source nor the user gave the unit.
        """
        if not self._depth_shares:
            return []
        share = float(np.median(self._depth_shares))
        if not self._depth_medians:
            return [
                Finding(
                    "depth", "depth", f"no depth in {len(self._depth_shares)} images; {unit}", Level.ERROR,
                    "all pixels are 0 or not finite: check that these are depth images", {"known_share": 0.0},
                )
            ]  # fmt: skip
        median = float(np.median(self._depth_medians))
        advice = ""
        min_median = _MIN_MEDIAN_DEPTH_IF_ASSUMED_M if is_assumed else _MIN_MEDIAN_DEPTH_M
        if not min_median <= median <= _MAX_MEDIAN_DEPTH_M:
            advice = "hardly any depth camera sees this: check the unit (1000 counts a meter for millimeters)"
        elif share < _MIN_DEPTH_SHARE:
            advice = (
                "few matches get a depth: check the range of the camera, glass and sunlight, and the topic or folder"
            )
        figure = f"median {median:.3g} m, known in {100 * share:.0f} % of the pixels; {unit}"
        return [judged("depth", "depth", figure, advice, median_m=median, known_share=share)]

    def _add_image(self, side: str, image: NDArray[np.uint8], before: NDArray[np.uint8] | None) -> None:
        quality = ImageQuality.of(image)
        reference = ImageQuality.of(before) if before is not None and before.shape == image.shape else None
        fault = quality.fault(reference)
        self._levels.setdefault(side, []).append(float(image[::_STRIDE, ::_STRIDE].mean()))
        self._contrasts.setdefault(side, []).append(quality.contrast)
        self._faults.setdefault(side, Counter()).update([fault] if fault else [])
        self._unusable[side] += quality.is_unusable

    def _exposure(self, side: str) -> Finding:
        level, contrast = float(np.median(self._levels[side])), float(np.median(self._contrasts[side]))
        faults = self._faults[side]
        listed = (f"{count} {fault.value.removeprefix('image ')}" for fault, count in faults.most_common())
        faulty = ", ".join(listed) or "none faulty"
        figure = f"gray level {level:.0f}, contrast {contrast:.0f} (median); of {self.frames} images {faulty}"
        name = f"{side} exposure" if side else "exposure"
        values = {"gray_level": level, "contrast": contrast, "faulty": faults.total(), "images": self.frames}
        if self._unusable[side] == self.frames:
            advice = "nothing can be matched in these images: check the lens cap, the exposure and the format"
            return Finding("images", name, figure, Level.ERROR, advice, values)
        advice = _ADVICE[faults.most_common(1)[0][0]] if faults.total() > _MAX_FAULTY_SHARE * self.frames else ""
        return judged("images", name, figure, advice, **values)

    def _duplicates(self) -> list[Finding]:
        if not self._successive:
            return []
        figure = f"{self._repeated or 'none'} of {self._successive} images equals the one before"
        advice = (
            "the driver or the recorder sends images twice: velocities are wrong; drop them" if self._repeated else ""
        )
        values = {"duplicates": self._repeated, "looked_at": self._successive}
        return [judged("images", "duplicates", figure, advice, **values)]

    def _identical_pair(self) -> list[Finding]:
        if not self._identical_pairs:
            return []
        figure = f"{self._identical_pairs} of {self._pairs} right images equal the left one"
        advice = "there is no stereo in them: check where the right images come from"
        level = Level.ERROR if self._identical_pairs == self._pairs else Level.WARNING
        return [Finding("images", "identical pair", figure, level, advice, {"equal": self._identical_pairs})]
