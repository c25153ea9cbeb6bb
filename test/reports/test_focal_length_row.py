"""What a run says about the focal length."""

from typing import Any

import pytest

from loftr_ros.reports.run_log import focal_length_test


@pytest.mark.parametrize(
    ("summary", "text"),
    [
        ({"focal_length_sigma": 0.004, "input_warnings": {}}, "agrees with the motion within 1.2% (3 sigma)"),
        ({"focal_length_sigma": 0.2, "input_warnings": {}}, "not tested: the camera hardly turned while it moved"),
        ({"focal_length_sigma": None, "input_warnings": {}}, "not tested: the camera hardly turned while it moved"),
        ({"focal_length_sigma": 0.004, "input_warnings": {"focal length": "wrong"}}, ""),
        ({"input_warnings": {}}, ""),
    ],
    ids=["tested", "doubtful", "unknown", "contradicted", "older run"],
)
def test_confirmation_of_the_focal_length(summary: dict[str, Any], text: str) -> None:
    assert focal_length_test(summary) == text
