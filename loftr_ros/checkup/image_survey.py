"""Figures of a sample of frames: exposure, texture, duplicates, identical pairs, depth."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from loftr_ros.checkup.findings import Finding, Level, judged
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.images.image_quality import ImageQuality
from loftr_ros.odometry.states import LostReason

# Share of the images with something wrong from which on it is worth a word: single dark images are bridged.
_MANY_FAULTY = 0.1
# Medians beyond those of any depth camera show a wrong unit: they see 0.1 to 20 m, 60 m by lidar.
_USUAL_DEPTH = (0.15, 60.0)  # meters
# Where the unit is a guess: 1000 counts a meter read as 5000 bring rooms of 1 to 2.5 m here. TUM's desk has 1.1 m.
_LEAST_DEPTH_BY_A_GUESS = 0.5  # meters
_FEW_KNOWN = 0.15  # share of the pixels; a lidar projected into the image leaves about 5 % and is warned about
_EVERY = 4  # pixels along each side that the mean gray level is of

# What to do about each fault that the quality of an image can have.
_MENDS = {
    LostReason.DARK: "more light, or a longer exposure; check that nothing covers the lens",
    LostReason.OVEREXPOSED: "a shorter exposure, or automatic exposure",
    LostReason.BLURRED: "a shorter exposure with more light, or slower motion",
    LostReason.NO_TEXTURE: "these images show nothing to match: check the lens and where the camera looks",
}


class ImageSurvey:
    """Collects figures frame after frame, and keeps no image."""

    def __init__(self) -> None:
        """Start with none."""
        self.frames = 0
        self._levels: dict[str, list[float]] = {}
        self._contrasts: dict[str, list[float]] = {}
        self._faults: dict[str, Counter[LostReason]] = {}
        self._hopeless: Counter[str] = Counter()
        self._successive = self._repeated = 0
        self._pairs = self._same_sides = 0
        self._depth_medians: list[float] = []
        self._known: list[float] = []

    def add(self, frame: Frame, before: Frame | None = None) -> None:
        """Take a frame, and the one directly before it if that is at hand."""
        self.frames += 1
        self._look("left" if frame.right is not None else "", frame.image, before.image if before else None)
        if frame.right is not None:
            self._look("right", frame.right, before.right if before else None)
            self._pairs += 1
            self._same_sides += np.array_equal(frame.image, frame.right)
        if before is not None:
            self._successive += 1
            self._repeated += np.array_equal(frame.image, before.image)
        if frame.depth is not None:
            known = frame.depth[np.isfinite(frame.depth) & (frame.depth > 0)]
            self._known.append(known.size / frame.depth.size)
            if known.size:
                self._depth_medians.append(float(np.median(known)))

    def findings(self) -> list[Finding]:
        """Judge what was collected. Depth is judged by `depth_finding`."""
        if not self.frames:
            return []
        return [*map(self._exposure, self._levels), *self._duplicates(), *self._identical_pair()]

    def depth_finding(self, unit: str, is_a_guess: bool = False) -> list[Finding]:
        """Judge the depth images; nothing without depth images.

        Args:
            unit: in words, and where it is from.
            is_a_guess: neither the source nor the user gave the unit.
        """
        if not self._known:
            return []
        known = float(np.median(self._known))
        if not self._depth_medians:
            return [
                Finding(
                    "depth", "depth", f"no depth in {len(self._known)} images; {unit}", Level.ERROR,
                    "all pixels are 0 or not finite: check that these are depth images", {"known_share": 0.0},
                )
            ]  # fmt: skip
        median = float(np.median(self._depth_medians))
        advice = ""
        least = _LEAST_DEPTH_BY_A_GUESS if is_a_guess else _USUAL_DEPTH[0]
        if not least <= median <= _USUAL_DEPTH[1]:
            advice = "hardly any depth camera sees this: check the unit (1000 counts a meter for millimeters)"
        elif known < _FEW_KNOWN:
            advice = (
                "few matches get a depth: check the range of the camera, glass and sunlight, and the topic or folder"
            )
        figure = f"median {median:.3g} m, known in {100 * known:.0f} % of the pixels; {unit}"
        return [judged("depth", "depth", figure, advice, median_m=median, known_share=known)]

    def _look(self, side: str, image: NDArray[np.uint8], before: NDArray[np.uint8] | None) -> None:
        quality = ImageQuality.of(image)
        reference = ImageQuality.of(before) if before is not None and before.shape == image.shape else None
        fault = quality.fault(reference)
        self._levels.setdefault(side, []).append(float(image[::_EVERY, ::_EVERY].mean()))
        self._contrasts.setdefault(side, []).append(quality.contrast)
        self._faults.setdefault(side, Counter()).update([fault] if fault else [])
        self._hopeless[side] += quality.hopeless

    def _exposure(self, side: str) -> Finding:
        level, contrast = float(np.median(self._levels[side])), float(np.median(self._contrasts[side]))
        faults = self._faults[side]
        listed = (f"{count} {fault.value.removeprefix('image ')}" for fault, count in faults.most_common())
        faulty = ", ".join(listed) or "none faulty"
        figure = f"gray level {level:.0f}, contrast {contrast:.0f} (median); of {self.frames} images {faulty}"
        name = f"{side} exposure" if side else "exposure"
        values = {"gray_level": level, "contrast": contrast, "faulty": faults.total(), "images": self.frames}
        if self._hopeless[side] == self.frames:
            advice = "nothing can be matched in these images: check the lens cap, the exposure and the format"
            return Finding("images", name, figure, Level.ERROR, advice, values)
        advice = _MENDS[faults.most_common(1)[0][0]] if faults.total() > _MANY_FAULTY * self.frames else ""
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
        if not self._same_sides:
            return []
        figure = f"{self._same_sides} of {self._pairs} right images equal the left one"
        advice = "there is no stereo in them: check where the right images come from"
        level = Level.ERROR if self._same_sides == self._pairs else Level.WARNING
        return [Finding("images", "identical pair", figure, level, advice, {"equal": self._same_sides})]
