"""Files from elsewhere: sources tried in order, partial files resumed, nothing put in place before it was checked."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from email.message import Message
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from loftr_ros import __version__
from loftr_ros.errors import LoftrRosError

TIMEOUT = 30.0  # seconds without an answer or without a byte
ATTEMPTS = 3  # per source, each from where the last one was cut off
BLOCK = 1 << 16
MAX_BYTES = 1 << 30  # far above any checkpoint: a server that never ends shall not fill the disk

Report = Callable[[int, int | None], None]  # bytes so far, and in all if the server says so


class DownloadError(LoftrRosError):
    """A file that could not be had; the message says from where and why not."""


def fetch(
    sources: Sequence[str],
    target: Path,
    check: Callable[[Path], None],
    report: Report = lambda done, total: None,
    timeout: float = TIMEOUT,
) -> str:
    """Download a file from the first source that has it, and put it in place if it is what was asked for.

    What was there before stays until then. A cut-off download is kept beside the target, as `NAME.part.SUFFIX`, and the
    next call continues it if the server says, by ETag or date (RFC 9110, section 13.1.5), that its file is the same.

    Args:
        sources: http and https addresses, best first.
        target: where to put the file; its folder exists.
        check: raises a LoftrRosError for a file that must not be put in place.
        report: called as the bytes come in.
        timeout: longest wait for the connection and for each next byte, in seconds.

    Returns:
        The source that delivered.

    Raises:
        DownloadError: none did; the message lists them all.
    """
    partial = _Partial(target)
    failures = []
    for url in sources:
        try:
            _download(url, partial, report, timeout)
            _check_whole(partial, check)
        except LoftrRosError as error:
            failures.append(f"{url} ({error})")
            continue
        partial.put_in_place()
        return url
    raise DownloadError(f"no source delivered the file: {', '.join(failures)}")


def place(file: Path, target: Path, check: Callable[[Path], None]) -> None:
    """Copy a file to its place if it is what was asked for; what was there before stays until then.

    Raises:
        DownloadError: it cannot be read, or not be written there.
    """
    check(file)
    partial = _Partial(target)
    try:
        shutil.copyfile(file, partial.path)
    except OSError as error:
        raise DownloadError(f"{file} cannot be copied to {partial.path}: {error.strerror}") from error
    partial.put_in_place()


class _Partial:
    """The beginning of a file, and a note of the source and the version that it is the beginning of."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self.path = target.with_name(f"{target.stem}.part{target.suffix}")
        self._note = target.with_name(f"{target.stem}.part.json")

    def size(self) -> int:
        return self.path.stat().st_size

    def begin(self, url: str, headers: Message) -> None:
        """Start an empty file; without an exact validator there is no note, and so no resuming."""
        self.path.write_bytes(b"")
        etag = headers.get("ETag", "W/")
        validator = headers.get("Last-Modified") if etag.startswith("W/") else etag
        self._note.write_text(json.dumps({"url": url, "validator": validator}))

    def request_headers(self, url: str) -> dict[str, str]:
        """Ask for what is missing, on condition that the file has not changed since."""
        try:
            note = json.loads(self._note.read_text())
            if note["url"] == url and note["validator"]:
                return {"Range": f"bytes={self.size()}-", "If-Range": note["validator"]}
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            pass  # no note, or none of ours: all is asked for
        return {}

    def put_in_place(self) -> None:
        try:
            self.path.replace(self._target)
        except OSError as error:
            raise DownloadError(f"{self._target} cannot be written: {error.strerror}") from error
        finally:
            self.discard()

    def discard(self) -> None:
        for path in (self.path, self._note):
            with suppress(OSError):  # what cannot be removed, such as a folder of that name, harms nobody
                path.unlink()


def _download(url: str, partial: _Partial, report: Report, timeout: float) -> None:
    if not url.startswith(("http://", "https://")):
        raise DownloadError("neither http nor https")
    failure: Exception
    for _ in range(ATTEMPTS):
        try:
            return _receive(url, partial, report, timeout)
        except HTTPError as error:
            if error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise DownloadError(f"{error.code} {error.reason}") from error
            partial.discard()  # there is no such rest: begin again
            failure = error
        except URLError as error:
            raise DownloadError(f"no connection: {error.reason}") from error
        except (OSError, HTTPException, ValueError) as error:
            failure = error
    raise DownloadError(f"broken off {ATTEMPTS} times: {failure}") from failure


def _receive(url: str, partial: _Partial, report: Report, timeout: float) -> None:
    """Ask for the rest of the file, or for all of it, and append what comes."""
    headers = {"User-Agent": f"loftr_ros/{__version__}", **partial.request_headers(url)}
    with urlopen(Request(url, headers=headers), timeout=timeout) as response:
        if response.status != HTTPStatus.PARTIAL_CONTENT:
            partial.begin(url, response.headers)
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {partial.size()}-"):
            partial.discard()
            raise ConnectionError("the server sent another part of the file than the missing one")
        done, length = partial.size(), response.headers.get("Content-Length")
        total = None if length is None else done + int(length)
        report(done, total)
        with partial.path.open("ab") as file:
            while block := response.read(BLOCK):
                done += file.write(block)
                report(done, total)
                if done > MAX_BYTES:
                    partial.discard()
                    raise DownloadError(f"longer than {MAX_BYTES >> 20} MiB")
    if total is not None and done < total:
        raise ConnectionError(f"{done} of {total} bytes came")


def _check_whole(partial: _Partial, check: Callable[[Path], None]) -> None:
    """Refuse a file that is complete and wrong, so that nobody continues it."""
    try:
        check(partial.path)
    except LoftrRosError:
        partial.discard()
        raise
