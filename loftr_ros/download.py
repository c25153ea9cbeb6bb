"""Downloads over HTTP: mirrors in order, resumable, checked before the file is put in place."""

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

TIMEOUT = 30.0  # seconds, for the connection and for each read
ATTEMPTS = 3  # per source; each resumes the previous one
BLOCK = 1 << 16
MAX_BYTES = 1 << 30  # far above any checkpoint; protects the disk from an endless response

Report = Callable[[int, int | None], None]  # bytes received, and total bytes if known


class DownloadError(LoftrRosError):
    """A download that failed; the message lists the sources with their errors."""


def fetch(
    sources: Sequence[str],
    target: Path,
    check: Callable[[Path], None],
    report: Report = lambda done, total: None,
    timeout: float = TIMEOUT,
) -> str:
    """Download a file from the first source that delivers one that passes the check.

    An existing target is replaced only then. An interrupted download is kept as `NAME.part.SUFFIX` beside the target;
    the next call resumes it if the server confirms, by ETag or date (RFC 9110, section 13.1.5), that its file has not
    changed.

    Args:
        sources: http and https URLs, best first.
        target: path of the file; its folder exists.
        check: raises a LoftrRosError for a file that must not be used.
        report: called with the progress.
        timeout: timeout of the connection and of each read, seconds.

    Returns:
        The source that delivered.

    Raises:
        DownloadError: all sources failed.
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
    """Copy a file to the target if it passes the check; an existing target is replaced only then.

    Raises:
        DownloadError: the file cannot be read or written.
    """
    check(file)
    partial = _Partial(target)
    try:
        shutil.copyfile(file, partial.path)
    except OSError as error:
        raise DownloadError(f"{file} cannot be copied to {partial.path}: {error.strerror}") from error
    partial.put_in_place()


class _Partial:
    """A partial download, and a note with its source and version."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self.path = target.with_name(f"{target.stem}.part{target.suffix}")
        self._note = target.with_name(f"{target.stem}.part.json")

    def size(self) -> int:
        return self.path.stat().st_size

    def begin(self, url: str, headers: Message) -> None:
        """Start an empty file; it can be resumed only if the server sends a strong validator."""
        self.path.write_bytes(b"")
        etag = headers.get("ETag", "W/")
        validator = headers.get("Last-Modified") if etag.startswith("W/") else etag
        self._note.write_text(json.dumps({"url": url, "validator": validator}))

    def request_headers(self, url: str) -> dict[str, str]:
        """Return the headers of a range request for the rest, conditional on an unchanged file."""
        try:
            note = json.loads(self._note.read_text())
            if note["url"] == url and note["validator"]:
                return {"Range": f"bytes={self.size()}-", "If-Range": note["validator"]}
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            pass  # no valid note: request the whole file
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
            with suppress(OSError):  # not removable, such as a folder of that name: harmless
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
            partial.discard()  # the partial file is not a prefix: start again
            failure = error
        except URLError as error:
            raise DownloadError(f"no connection: {error.reason}") from error
        except (OSError, HTTPException, ValueError) as error:
            failure = error
    raise DownloadError(f"interrupted {ATTEMPTS} times: {failure}") from failure


def _receive(url: str, partial: _Partial, report: Report, timeout: float) -> None:
    """Request the file or the rest of it, and append the response."""
    headers = {"User-Agent": f"loftr_ros/{__version__}", **partial.request_headers(url)}
    with urlopen(Request(url, headers=headers), timeout=timeout) as response:
        if response.status != HTTPStatus.PARTIAL_CONTENT:
            partial.begin(url, response.headers)
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {partial.size()}-"):
            partial.discard()
            raise ConnectionError("the server sent another range than requested")
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
        raise ConnectionError(f"received {done} of {total} bytes")


def _check_whole(partial: _Partial, check: Callable[[Path], None]) -> None:
    """Check a complete file; discard a wrong one, so that it is not resumed."""
    try:
        check(partial.path)
    except LoftrRosError:
        partial.discard()
        raise
