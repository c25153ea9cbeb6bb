"""Licenses from debian/copyright files."""

import pytest

from loftr_ros.training.collection.licenses import is_permissive, license_of, read_stanzas

TEXT = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: A
License: GPL-3+

Files: data/tracks/hill/*
Copyright: B
License: CC-BY-SA-3.0
 with a text

Files: nature/Aqua.jpg
License: CC0-1.0
Copyright: C
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("usr/share/games/torcs/tracks/hill/road.png", "CC-BY-SA-3.0"),
        ("usr/share/backgrounds/mate/nature/Aqua.jpg", "CC0-1.0"),
        ("usr/share/backgrounds/Aqua.jpg", "CC0-1.0"),  # a name alone is enough, a pattern alone is not
        ("usr/share/games/torcs/other/road.png", "GPL-3+"),
        ("usr/share/games/a.pk3!data/tracks/hill/b.png", "CC-BY-SA-3.0"),
    ],
)
def test_license_of_a_file(path: str, expected: str) -> None:
    assert license_of(read_stanzas(TEXT), path) == expected


def test_later_stanza_wins_and_free_text_has_none() -> None:
    stanzas = read_stanzas(TEXT + "\nFiles: tracks/hill/*\nCopyright: D\nLicense: MIT\n")
    assert license_of(stanzas, "usr/share/tracks/hill/x.png") == "MIT"
    assert read_stanzas("This package was debianized by A.\n\nFiles: *\nLicense: MIT\n") == ()
    assert license_of((), "usr/share/x.png") == ""


@pytest.mark.parametrize(
    ("name", "permissive"),
    [
        ("CC0-1.0", True), ("CC-BY-4.0", True), ("Expat", True), ("MIT", True), ("BSD-3-Clause", True),
        ("public-domain", True), ("Apache-2.0", True), ("CC-BY-SA-4.0", False), ("GPL-2+", False), ("LGPL-2.1", False),
        ("GFDL-1.2", False), ("unknown", False), ("", False), ("MIT and GPL-2+", False), ("MIT or GPL-2+", True),
        ("GPL-3+ and CC-BY-SA-3.0 or CC0-1.0", True), ("Free-Art-License", False), ("CC-BY-NC-3.0", False),
        ("mitigated", False),
    ],
)  # fmt: skip
def test_permissive(name: str, permissive: bool) -> None:
    assert is_permissive(name) is permissive
