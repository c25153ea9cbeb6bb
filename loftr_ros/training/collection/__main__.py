"""Collect the textures of the embedded checkpoint, or new ones.

python -m loftr_ros.training.collection --output DIR [--manifest docs/free_textures.csv]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from loftr_ros.errors import LoftrRosError
from loftr_ros.training.collection.collect import Request, collect
from loftr_ros.training.collection.manifest import read_manifest
from loftr_ros.training.collection.packages import PACKAGES


def main(arguments: list[str] | None = None) -> int:
    """Collect, then say how many textures there are. Returns 1 where images of the manifest are missing."""
    parser = argparse.ArgumentParser(prog="python -m loftr_ros.training.collection", description=__doc__)
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder for textures and manifest")
    parser.add_argument("--manifest", type=Path, metavar="FILE", help="take exactly the images that this file names")
    parser.add_argument("--scratch", type=Path, metavar="DIR", help="keep packages here (default: a temporary folder)")
    parser.add_argument("--permissive-only", action="store_true", help="leave out share-alike and copyleft images")
    parser.add_argument("--package", action="append", metavar="NAME", help="only this package; may be repeated")
    args = parser.parse_args(arguments)
    known = {package.name: package for package in PACKAGES}
    if unknown := [name for name in args.package or () if name not in known]:
        parser.error(f"unknown package {unknown[0]}; known: {', '.join(known)}")
    packages = tuple(known[name] for name in args.package or known)
    try:
        with ExitStack() as stack:
            scratch = args.scratch or Path(stack.enter_context(tempfile.TemporaryDirectory()))
            manifest = read_manifest(args.manifest) if args.manifest else None
            request = Request(packages, scratch.resolve(), args.output, args.permissive_only, manifest)
            entries, missing = collect(request, lambda line: print(line, file=sys.stderr, flush=True))
    except LoftrRosError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{sum(entry.textures for entry in entries)} textures of {len(entries)} images: {args.output}")
    for entry in missing:
        print(f"missing or changed: {entry.package} {entry.path}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
