"""Downloads from a real server on this machine, which cuts connections, forgets ranges and serves nonsense."""

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from loftr_ros import download
from loftr_ros.download import ATTEMPTS, DownloadError, fetch, place

CONTENT = bytes(range(256)) * 1200  # some blocks long
CUT = 100_000


@dataclass
class Served:
    """A file, and how the server treats those who ask for it."""

    content: bytes = CONTENT
    etag: str | None = '"one"'
    modified: str | None = None
    ranges: bool = True
    cuts: list[int] = field(default_factory=list)  # bytes after which the next answers break off
    shift: int = 0  # of the part that is sent against the part that is asked for
    asked: list[str | None] = field(default_factory=list)  # Range of each request


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        served: Served | None = self.server.files.get(self.path)  # type: ignore[attr-defined]
        if served is None:
            self.send_error(404)
            return
        asked = self.headers["Range"]
        served.asked.append(asked)
        same = self.headers["If-Range"] in {served.etag, served.modified} - {None}
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and same and served.ranges else 0
        if start >= len(served.content):
            self.send_error(416)
            return
        start += served.shift if start else 0
        body = served.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(served.content) - 1}/{len(served.content)}")
        if served.etag:
            self.send_header("ETag", served.etag)
        if served.modified:
            self.send_header("Last-Modified", served.modified)
        self.end_headers()
        self.wfile.write(body[: served.cuts.pop(0)] if served.cuts else body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


class Server(ThreadingHTTPServer):
    files: dict[str, Served]

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        server.files = {"/a": Served()}
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A place that already has a file."""
    path = tmp_path / "weights.ckpt"
    path.write_bytes(b"the good old file")
    return path


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address at which nothing listens."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{reserved.getsockname()[1]}/a"


def whole(path: Path) -> None:
    """The check of these tests."""
    if path.read_bytes() != CONTENT:
        raise DownloadError("this is another file")


def assert_only(target: Path, content: bytes) -> None:
    """The target has this content, and nothing is left beside it."""
    assert target.read_bytes() == content
    assert list(target.parent.iterdir()) == [target]


def test_whole_file(server: Server, target: Path) -> None:
    reports: list[tuple[int, int | None]] = []
    url = server.url("/a")
    assert fetch([url], target, whole, lambda done, total: reports.append((done, total))) == url
    assert_only(target, CONTENT)
    assert reports[0] == (0, len(CONTENT))
    assert reports[-1] == (len(CONTENT), len(CONTENT))
    assert reports == sorted(reports)


def test_first_file(server: Server, tmp_path: Path) -> None:
    fetch([server.url("/a")], tmp_path / "new.ckpt", whole)
    assert_only(tmp_path / "new.ckpt", CONTENT)


@pytest.mark.parametrize(
    "validator",
    [{}, {"etag": None, "modified": "Sat, 01 Jan 2022 00:00:00 GMT"},
     {"etag": 'W/"weak"', "modified": "Sat, 01 Jan 2022 00:00:00 GMT"}],
)  # fmt: skip
def test_continues_where_the_connection_broke(server: Server, target: Path, validator: dict[str, str | None]) -> None:
    server.files["/a"] = served = Served(cuts=[CUT, 50], **validator)  # type: ignore[arg-type]
    fetch([server.url("/a")], target, whole)
    assert_only(target, CONTENT)
    assert served.asked == [None, f"bytes={CUT}-", f"bytes={CUT + 50}-"]


def test_next_call_continues(server: Server, target: Path) -> None:
    server.files["/a"] = served = Served(cuts=[CUT, 0, 0])
    with pytest.raises(DownloadError, match=rf"interrupted {ATTEMPTS} times: received {CUT} of {len(CONTENT)} bytes"):
        fetch([server.url("/a")], target, whole)
    assert target.read_bytes() == b"the good old file"
    fetch([server.url("/a")], target, whole)
    assert_only(target, CONTENT)
    assert served.asked[-1] == f"bytes={CUT}-"


def test_server_without_ranges(server: Server, target: Path) -> None:
    server.files["/a"] = Served(cuts=[CUT], ranges=False)
    fetch([server.url("/a")], target, whole)
    assert_only(target, CONTENT)


def test_nothing_to_recognize_the_file_by(server: Server, target: Path) -> None:
    server.files["/a"] = served = Served(cuts=[CUT], etag=None)
    fetch([server.url("/a")], target, whole)
    assert_only(target, CONTENT)
    assert served.asked == [None, None]


def test_file_that_changed_meanwhile_is_begun_again(server: Server, target: Path) -> None:
    server.files["/a"] = Served(content=CONTENT[::-1], etag='"zero"', cuts=[CUT, 0, 0])
    with pytest.raises(DownloadError):
        fetch([server.url("/a")], target, whole)
    server.files["/a"] = Served()
    fetch([server.url("/a")], target, whole)
    assert_only(target, CONTENT)


def test_partial_file_of_another_source_is_not_continued(server: Server, target: Path) -> None:
    server.files |= {"/other": Served(content=CONTENT[::-1], cuts=[CUT, 0, 0]), "/a": Served()}
    fetch([server.url("/other"), server.url("/a")], target, whole)
    assert_only(target, CONTENT)
    assert server.files["/a"].asked == [None]


@pytest.mark.parametrize("note", ["", "[]", "{", '{"url": 3}'])
def test_damaged_note_begins_again(server: Server, target: Path, note: str) -> None:
    target.with_name("weights.part.ckpt").write_bytes(b"something")
    target.with_name("weights.part.json").write_text(note)
    fetch([server.url("/a")], target, whole)
    assert_only(target, CONTENT)


@pytest.mark.parametrize("too_much", [b"", b"more"])
def test_partial_file_that_is_complete_or_longer(server: Server, target: Path, too_much: bytes) -> None:
    """As a process leaves it that was killed before the check."""
    server.files["/a"] = Served(cuts=[CUT, 0, 0])
    with pytest.raises(DownloadError):
        fetch([server.url("/a")], target, whole)
    target.with_name("weights.part.ckpt").write_bytes(CONTENT + too_much)
    fetch([server.url("/a")], target, whole)
    assert_only(target, CONTENT)


def test_server_that_sends_another_part(server: Server, target: Path) -> None:
    server.files["/a"] = Served(cuts=[CUT], shift=7)
    fetch([server.url("/a")], target, whole)
    assert_only(target, CONTENT)


def test_corrupted_content_gives_way_to_the_next_source(server: Server, target: Path) -> None:
    server.files["/bad"] = Served(content=b"<html>Sign in to the airport</html>")
    assert fetch([server.url("/bad"), server.url("/a")], target, whole) == server.url("/a")
    assert_only(target, CONTENT)


def test_missing_and_unreachable_sources_give_way(server: Server, target: Path, nobody: str) -> None:
    assert fetch([server.url("/none"), nobody, server.url("/a")], target, whole) == server.url("/a")
    assert_only(target, CONTENT)


def test_no_source_is_good(server: Server, target: Path, nobody: str) -> None:
    server.files["/bad"] = Served(content=CONTENT[:-1])
    sources = [server.url("/bad"), server.url("/none"), nobody, "ftp://example.org/a", "https:///a"]
    with pytest.raises(DownloadError) as caught:
        fetch(sources, target, whole)
    said = str(caught.value)
    assert "\n" not in said
    reasons = ("this is another file", "404 Not Found", "no connection", "neither http nor https", "no connection")
    for source, reason in zip(sources, reasons, strict=True):
        assert f"{source} ({reason}" in said
    assert_only(target, b"the good old file")


def test_silent_server(target: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/a"
        with pytest.raises(DownloadError, match="timed out"):
            fetch([url], target, whole, timeout=0.1)
    assert_only(target, b"the good old file")


def test_endless_file(server: Server, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "MAX_BYTES", 1 << 17)
    with pytest.raises(DownloadError, match="longer than"):
        fetch([server.url("/a")], target, whole)
    assert_only(target, b"the good old file")


def test_local_file(tmp_path: Path, target: Path) -> None:
    given = tmp_path / "given.pt"
    given.write_bytes(CONTENT)
    place(given, target, whole)
    assert target.read_bytes() == given.read_bytes() == CONTENT
    place(target, target, whole)
    given.write_bytes(CONTENT[:-1])
    with pytest.raises(DownloadError, match="another file"):
        place(given, target, whole)
    assert target.read_bytes() == CONTENT
    assert {path.name for path in tmp_path.iterdir()} == {"given.pt", "weights.ckpt"}


def test_place_that_cannot_be_written(server: Server, tmp_path: Path, target: Path) -> None:
    with pytest.raises(DownloadError, match=r"cannot be copied to .*nowhere"):
        place(target, tmp_path / "nowhere" / "weights.ckpt", lambda path: None)
    (tmp_path / "folder.ckpt").mkdir()
    with pytest.raises(DownloadError, match=r"folder.ckpt cannot be written"):
        fetch([server.url("/a")], tmp_path / "folder.ckpt", whole)
    assert {path.name for path in tmp_path.iterdir()} == {"folder.ckpt", "weights.ckpt"}
