"""Textures from a Debian package that is built here: which images are taken, and what the manifest says of them."""

import hashlib
import io
import shutil
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from loftr_ros.training.collection import __main__ as program
from loftr_ros.training.collection.collect import Request, collect
from loftr_ros.training.collection.manifest import read_manifest
from loftr_ros.training.collection.packages import CollectionError, Package, download, unpack, version_of

pytestmark = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg-deb is of Debian and Ubuntu only")

COPYRIGHT = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: fake

Files: *
Copyright: 2020 Somebody
License: GPL-2+

Files: textures/wall.png
       textures/walls/*
Copyright: 2021 Somebody Else
License: CC0-1.0

License: CC0-1.0
 No rights reserved.
"""
PACKAGE = Package("fake-data", r"/fake/(textures/|data\.pk3!)")


def noise(seed: int, size: tuple[int, int] = (300, 300), suffix: str = "png") -> bytes:
    """A file with a picture that has structure everywhere."""
    values = np.random.default_rng(seed).integers(0, 256, (size[0] // 4, size[1] // 4), dtype=np.uint8)
    return encoded(Image.fromarray(values).resize((size[1], size[0]), Image.Resampling.BICUBIC), suffix)


def encoded(image: Image.Image, suffix: str = "png") -> bytes:
    file = io.BytesIO()
    image.save(file, {"png": "PNG", "jpg": "JPEG", "dds": "DDS", "tga": "TGA", "webp": "WEBP"}[suffix])
    return file.getvalue()


def transparent(seed: int) -> bytes:
    image = Image.open(io.BytesIO(noise(seed))).convert("RGBA")
    image.putalpha(100)
    return encoded(image)


def normal_map() -> bytes:
    gray = np.asarray(Image.open(io.BytesIO(noise(9)))).astype(float)
    return encoded(Image.fromarray(np.stack([100 + gray / 5, 155 - gray / 5, 255 - gray / 9], -1).astype(np.uint8)))


TAKEN = {
    "textures/wall.png": noise(1),
    "textures/floor.jpg": noise(2, suffix="jpg"),
    "textures/walls/strip.tga": noise(3, (280, 600), "tga"),
    "data.pk3!textures/deep.png": noise(4),
    "data.pk3!textures/grass.png.cached.dds": noise(5, suffix="dds"),
}
LEFT_OUT = {
    "textures/small.png": noise(10, (200, 300)),
    "textures/plain.png": encoded(Image.new("RGB", (300, 300), (90, 90, 90))),
    "textures/gradient.png": encoded(Image.linear_gradient("L").resize((300, 300))),
    "textures/half_empty.png": encoded(Image.fromarray(np.pad(np.asarray(Image.open(io.BytesIO(noise(11)))), 150))),
    "textures/leaf.png": transparent(12),
    "textures/stone_normal.png": noise(13),
    "textures/bluish.png": normal_map(),
    "textures/font_big.png": noise(14),
    "textures/damaged.png": noise(15)[:900],
    "textures/notes.txt": b"no image",
    "textures/wall_again.png": encoded(Image.open(io.BytesIO(noise(1))).point(lambda value: 20 + value * 0.8)),
    "other/elsewhere.png": noise(16),
}


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package, as apt-get download leaves it."""
    folder = tmp_path_factory.mktemp("scratch")
    tree = tmp_path_factory.mktemp("tree")
    for name, data in (TAKEN | LEFT_OUT).items():
        root = tree / "usr/share/games/fake"
        root.mkdir(parents=True, exist_ok=True)
        if "!" in name:
            with zipfile.ZipFile(root / "data.pk3", "a") as archive:
                archive.writestr(name.split("!")[1], data)
        else:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(data)
    documents = tree / "usr/share/doc/fake-data"
    documents.mkdir(parents=True)
    (documents / "copyright").write_text(COPYRIGHT)
    (tree / "DEBIAN").mkdir()
    (tree / "DEBIAN/control").write_text(
        "Package: fake-data\nVersion: 1.2-3\nArchitecture: all\nMaintainer: A <a@example.org>\nDescription: fake\n"
    )
    subprocess.run(["dpkg-deb", "--build", str(tree), str(folder / "fake-data_1.2-3_all.deb")], check=True)
    return folder


def silent(line: str) -> None:
    del line


def test_suitable_images_are_taken_with_their_licenses(scratch: Path, tmp_path: Path) -> None:
    entries, missing = collect(Request((PACKAGE,), scratch, tmp_path), silent)
    assert missing == []
    found = {entry.path.removeprefix("usr/share/games/fake/"): entry for entry in entries}
    # Of two that show the same the first in a fixed order is taken.
    twin = "textures/wall.png" if "textures/wall.png" in found else "textures/wall_again.png"
    assert set(found) == set(TAKEN) - {"textures/wall.png"} | {twin}
    for name, entry in found.items():
        permissive = name.startswith("textures/walls/") or name == "textures/wall.png"
        assert (entry.license, entry.share_alike) == (("CC0-1.0", "no") if permissive else ("GPL-2+", "yes"))
        assert entry.sha256 == hashlib.sha256((TAKEN | LEFT_OUT)[name]).hexdigest()
        assert (entry.package, entry.version) == ("fake-data", "1.2-3")
        assert entry.textures == (2 if "strip" in name else 1)
    assert tuple(entries) == read_manifest(tmp_path / "manifest.csv")
    images = [Image.open(path) for path in tmp_path.glob("*.jpg")]
    assert len(images) == sum(entry.textures for entry in entries)
    assert all(image.mode == "L" and image.size[0] == image.size[1] >= 256 for image in images)


def test_permissive_only(scratch: Path, tmp_path: Path) -> None:
    entries, _ = collect(Request((PACKAGE,), scratch, tmp_path, permissive_only=True), silent)
    names = {Path(entry.path).name for entry in entries}
    assert names == {"wall.png", "strip.tga"}


def test_rebuild_from_a_manifest_gives_the_same_files(scratch: Path, tmp_path: Path) -> None:
    first, _ = collect(Request((PACKAGE,), scratch, tmp_path / "a"), silent)
    listed = tuple(entry for entry in first if "floor" not in entry.path)
    again, missing = collect(Request((PACKAGE,), scratch, tmp_path / "b", manifest=listed), silent)
    assert (sorted(map(str, again)), missing) == (sorted(map(str, listed)), [])
    rebuilt = sorted((tmp_path / "b").glob("*.jpg"))
    assert len(rebuilt) == sum(entry.textures for entry in listed)
    assert all(path.read_bytes() == (tmp_path / "a" / path.name).read_bytes() for path in rebuilt)


def test_changed_and_vanished_images_are_named(scratch: Path, tmp_path: Path) -> None:
    first, _ = collect(Request((PACKAGE,), scratch, tmp_path / "a"), silent)
    changed = replace(first[0], sha256="0" * 64)
    vanished = replace(first[1], path="usr/share/games/fake/textures/gone.png")
    again, missing = collect(Request((PACKAGE,), scratch, tmp_path / "b", manifest=(changed, vanished)), silent)
    assert again == []
    assert {entry.path for entry in missing} == {changed.path, vanished.path}


def test_no_more_files_than_allowed(scratch: Path, tmp_path: Path) -> None:
    entries, _ = collect(Request((replace(PACKAGE, most=2),), scratch, tmp_path), silent)
    assert len(entries) == 2


def test_command_line(
    scratch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "PACKAGES", (PACKAGE,))
    options = ["--scratch", str(scratch), "--output"]
    assert program.main([*options, str(tmp_path / "a")]) == 0
    assert "6 textures of 5 images" in capsys.readouterr().out
    manifest = tmp_path / "a/manifest.csv"
    assert program.main([*options, str(tmp_path / "b"), "--manifest", str(manifest)]) == 0
    manifest.write_text(manifest.read_text().replace("floor.jpg", "flour.jpg"))
    assert program.main([*options, str(tmp_path / "c"), "--manifest", str(manifest)]) == 1
    assert "missing or changed: fake-data usr/share/games/fake/textures/flour.jpg" in capsys.readouterr().err


def test_bad_manifest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.csv").write_text("a,b\n")
    assert program.main(["--output", str(tmp_path), "--manifest", str(tmp_path / "bad.csv")]) == 2
    assert "must start with the columns package,version" in capsys.readouterr().err


def test_package_that_nobody_has(tmp_path: Path) -> None:
    with pytest.raises(CollectionError, match="no-such-package-of-debian cannot be downloaded"):
        download("no-such-package-of-debian", None, tmp_path)


def test_damaged_package(tmp_path: Path) -> None:
    deb = tmp_path / "bad_1_all.deb"
    deb.write_bytes(b"no package")
    with pytest.raises(CollectionError, match="remove it"):
        version_of(deb)
    with pytest.raises(CollectionError, match="cannot be unpacked"):
        unpack(deb, tmp_path / "bad")
    assert not (tmp_path / "bad").exists()
