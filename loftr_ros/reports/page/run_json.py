"""Reads run.json, which may be of another version or edited, and checks the fields that the page uses."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loftr_ros.errors import quoted
from loftr_ros.output import REPORT_FILE
from loftr_ros.reports.run_log import RunLogError, load_report

_MAX_NUMBER = 1e15  # keeps sums finite
_MAX_DEPTH = 20
Check = Callable[[Any], bool]


@dataclass(frozen=True)
class _Kind:
    """What a field must be, in words, and whether a value is."""

    text: str
    accepts: Check


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _MAX_NUMBER  # not NaN


def _is_figure(value: Any) -> bool:
    return value is None or _is_number(value) or (isinstance(value, float) and math.isnan(value))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_dict(value: Any) -> bool:
    return isinstance(value, dict)


def _is_file_name(value: Any) -> bool:
    """Return whether it is a name in the folder of the run: a page shows no files from elsewhere."""
    return isinstance(value, str) and Path(value).name == value and len(value) < 100 and value.isprintable()


def _list_of(accepts: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(accepts, value))


def _dict_of(accepts: Check) -> Check:
    return lambda value: isinstance(value, dict) and all(map(accepts, value.values()))


def _is_error_table(value: Any) -> bool:
    names = ("ate_m", "ate_percent", "path_m", "end_m", "end_percent", "rotation_mean_deg")
    return value is None or (_is_dict(value) and "scaled" in value and all(_is_number(value.get(n)) for n in names))


def _is_worst_frame(value: Any) -> bool:
    if not _is_dict(value):
        return False
    return all(_is_number(value.get(n)) for n in ("index", "inlier_ratio")) and _is_file_name(value.get("file"))


_NUMBER = _Kind("a number", _is_number)
_FIGURE = _Kind("a number or null", _is_figure)
_COUNTS = _Kind("an object of numbers", _dict_of(_is_number))
_TEXTS = _Kind("a list of texts", _list_of(_is_text))
_OBJECT = _Kind("an object", _is_dict)

_SUMMARY: Mapping[str, _Kind] = {
    **dict.fromkeys(("states", "lost", "remarks", "median_milliseconds"), _COUNTS),
    **dict.fromkeys(("calibration_warnings", "skipped", "notes"), _TEXTS),
    **dict.fromkeys(("median_matches", "median_inliers"), _NUMBER),
    **dict.fromkeys(("config", "versions"), _OBJECT),
    "input_warnings": _Kind("an object of texts", _dict_of(_is_text)),
    "focal_length_sigma": _FIGURE,
    "errors": _Kind("an object of the errors, or null", _is_error_table),
    "worst_frames": _Kind("a list of index, inlier_ratio and file", _list_of(_is_worst_frame)),
}
_FRAME: Mapping[str, _Kind] = {
    **dict.fromkeys(("matches", "inliers", "speed", "position_sigma", "rotation_sigma_deg"), _FIGURE),
    "milliseconds": _COUNTS,
}


def read_run_json(folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the summary and the frames of a run. Fields may be missing, as in runs of earlier versions.

    Raises:
        RunLogError: it is not the folder of a run, or a field is not what it should be.
    """
    try:
        content = load_report(folder)
        summary, frames = content["summary"], content["frames"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise RunLogError(
            f"{folder} is not a folder of a run: it has no valid {REPORT_FILE} of `loftr-ros run`."
        ) from error
    path = folder / REPORT_FILE
    _check(path, "summary", summary, _SUMMARY)
    if not isinstance(frames, list):
        raise _wrong(path, "frames", frames, "a list")
    for index, frame in enumerate(frames):
        _check(path, f"frame {index}", frame, _FRAME)
    return summary, frames


def _check(path: Path, name: str, fields: Any, kinds: Mapping[str, _Kind]) -> None:
    if not isinstance(fields, dict):
        raise _wrong(path, name, fields, "an object")
    if not _is_shallow(fields, _MAX_DEPTH):
        raise RunLogError(f"{path} cannot be used: {name} is nested too deeply; repeat the run.")
    for field, kind in kinds.items():
        if field in fields and not kind.accepts(fields[field]):
            raise _wrong(path, f"{field} of {name}", fields[field], kind.text)


def _wrong(path: Path, name: str, value: Any, wanted: str) -> RunLogError:
    given = type(value).__name__ if isinstance(value, list | dict) else quoted(value)
    return RunLogError(f"{path} cannot be used: {name} is {given}: it must be {wanted}; repeat the run.")


def _is_shallow(value: Any, levels: int) -> bool:
    """Return whether objects and lists are nested at most this deep, so that a recursion over them ends."""
    if not isinstance(value, list | dict):
        return True
    return levels > 0 and all(
        _is_shallow(one, levels - 1) for one in (value.values() if isinstance(value, dict) else value)
    )
