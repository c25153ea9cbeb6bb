"""Debian packages with images that make good textures: which files of each, how to fetch and unpack them."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from loftr_ros.errors import LoftrRosError


class CollectionError(LoftrRosError):
    """Textures that cannot be collected."""


@dataclass(frozen=True)
class Package:
    """A binary package of Debian main, where everything is free software by the Debian Free Software Guidelines.

    Attributes:
        name: of the package.
        files: regular expression for the paths inside, lower case, from `usr/` on; `!` enters a zip archive.
        license: of the images, where debian/copyright is no machine-readable file.
        most: files that are used at most, so that no package dominates.
    """

    name: str
    files: str
    license: str = ""
    most: int = 400


# 3 GB to download. Packages whose images are under permissive licenses are marked (p).
PACKAGES = (
    Package("gnome-backgrounds", r"/backgrounds/gnome/(?!oceans)", license="CC-BY-SA-3.0"),
    Package("mate-backgrounds", r"/backgrounds/mate/(nature|desktop)/"),
    Package("plasma-workspace-wallpapers", r"/wallpapers/.*/(\d+x\d+)\."),
    Package("lomiri-wallpapers-16.04", r"/backgrounds/"),  # (p) most of them
    Package("lomiri-wallpapers-20.04", r"/backgrounds/"),
    Package("ukui-wallpapers", r"/backgrounds/"),
    Package(
        "python3-skimage", r"/skimage/data/(astronaut|brick|chelsea|coffee|grass|gravel|hubble|moon|rocket)"
    ),  # (p)
    Package("krita-data", r"/krita/patterns/"),
    Package("colobot-common-textures", r"/textures/[^/]*$"),
    Package("supertuxkart-data", r"/data/(textures|tracks/[^/]+|library/[^/]+)/[^/]*$"),
    Package("torcs-data", r"/(tracks|textures)/", most=250),
    Package("0ad-data", r"public\.zip!art/textures/(terrain/types|skins/(structural|props|gaia))/", most=600),
    Package("nexuiz-textures", r"\.pk3!textures/", license="GPL-2+"),
    Package("openarena-081-textures", r"\.pk3!textures/", license="GPL-2+", most=200),
)


def download(name: str, version: str | None, folder: Path) -> Path:
    """Fetch a package into `folder`, or find it there; without a version, the one that apt would install.

    Raises:
        CollectionError: apt does not offer it, or there is no apt.
    """
    if found := sorted(folder.glob(f"{name}_*.deb")):
        return found[-1]
    wanted = [f"{name}={version}", name] if version else [name]
    for request in wanted:  # an older version may be gone from the mirror; then its successor has to do
        if _run(["apt-get", "download", "-q", request], folder):
            return sorted(folder.glob(f"{name}_*.deb"))[-1]
    raise CollectionError(
        f"package {name} cannot be downloaded: this needs Debian or Ubuntu with `apt-get update` run before, or "
        f"{name}_*.deb put into {folder}"
    )


def version_of(deb: Path) -> str:
    """Version of a package file. Raises CollectionError where it is no package."""
    result = subprocess.run(["dpkg-deb", "--field", str(deb), "Version"], capture_output=True, text=True, check=False)
    if result.returncode:
        raise CollectionError(f"{deb} is no Debian package: remove it, so that it is downloaded again")
    return result.stdout.strip()


def unpack(deb: Path, folder: Path) -> None:
    """Unpack the files of a package into a folder, without installing it. Raises CollectionError."""
    if folder.exists():
        return
    partial = folder.with_name(folder.name + ".partial")
    if not _run(["dpkg-deb", "--extract", str(deb), str(partial)], deb.parent):
        raise CollectionError(f"{deb} cannot be unpacked: remove it, so that it is downloaded again")
    partial.rename(folder)


def _run(command: list[str], folder: Path) -> bool:
    try:
        result = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise CollectionError(f"{command[0]} is missing: collect the textures on Debian or Ubuntu") from error
    return result.returncode == 0
