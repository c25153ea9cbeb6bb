"""The manifest of the repository: every image has a license, from a package that the collection knows."""

from pathlib import Path

from loftr_ros.training.collection.licenses import is_permissive
from loftr_ros.training.collection.manifest import read_manifest
from loftr_ros.training.collection.packages import PACKAGES

MANIFEST = Path(__file__).parents[3] / "docs" / "free_textures.csv"


def test_every_image_has_a_license_and_a_checksum() -> None:
    entries = read_manifest(MANIFEST)
    assert len(entries) > 1000
    assert {entry.package for entry in entries} <= {package.name for package in PACKAGES}
    assert all(entry.license not in ("", "unknown") for entry in entries)
    assert all((entry.share_alike == "no") == is_permissive(entry.license) for entry in entries)
    assert all(len(bytes.fromhex(entry.sha256)) == 32 and entry.textures > 0 for entry in entries)
    assert len({entry.sha256 for entry in entries}) == len(entries)


def test_it_is_small() -> None:
    assert MANIFEST.stat().st_size < 1_000_000
