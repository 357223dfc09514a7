"""Downloads against a local server: verified, resumed, refused."""

import contextlib
import gzip
import hashlib
import io
import resource
import tarfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from blindlib.common.errors import InputError, explain
from blindlib.data import download as module
from blindlib.data.catalogue import CATALOGUE
from blindlib.data.download import COLLECTIONS, Remote, fetch

BODY = bytes(range(256)) * 4000


def archive(member="lfw/Ann_A/Ann_A_0001.jpg"):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        info = tarfile.TarInfo(member)
        info.size = 3
        tar.addfile(info, io.BytesIO(b"jpg"))
    return stream.getvalue()


@pytest.fixture
def server():
    files, log = {"/pairs.txt": BODY, "/lfw.tgz": archive(), "/evil.tgz": archive("../../evil.txt")}, []

    class Handler(BaseHTTPRequestHandler):
        stop_after, odd = None, None

        def do_GET(self):
            body, start = files.get(self.path), 0
            log.append(self.headers.get("Range"))
            if body is None:
                return self.send_error(404)
            if self.headers.get("Range"):
                start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
                self.send_response(206)
            else:
                self.send_response(200)
            if Handler.odd:
                return Handler.odd(self)
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            end = len(body) if Handler.stop_after is None else start + Handler.stop_after
            self.wfile.write(body[start:end])

        def log_message(self, *_):
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    httpd.base, httpd.handler, httpd.log, httpd.files = f"http://127.0.0.1:{httpd.server_port}", Handler, log, files
    yield httpd
    httpd.shutdown()
    httpd.server_close()
    thread.join()


@pytest.fixture
def by_https(monkeypatch, server):
    """Makes the server answer as `https://there` too; `https://moved` sends on to where it is told to."""
    send = requests.adapters.HTTPAdapter.send

    def pretended(adapter, request, **options):
        address = request.url
        if address.startswith("https://moved"):
            answer = requests.Response()
            answer.status_code, answer.url, answer.request = 302, address, request
            answer.headers["Location"], answer.raw = server.moved, io.BytesIO()
            return answer
        request.url = address.replace("https://there", server.base)
        answer = send(adapter, request, **options)
        answer.url = address
        return answer

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", pretended)


def use(monkeypatch, server, name, digest, folder="", *, base=None):
    remote = Remote(name, f"{base or server.base}/{name}", digest, folder)
    monkeypatch.setattr(module, "COLLECTIONS", {"toy": (remote,)})


SHA = hashlib.sha256(BODY).hexdigest()


def test_a_download_is_verified_and_not_repeated(server, tmp_path, monkeypatch):
    use(monkeypatch, server, "pairs.txt", SHA)
    fetch("toy", tmp_path, lambda _: None)
    fetch("toy", tmp_path, lambda _: None)
    assert (tmp_path / "pairs.txt").read_bytes() == BODY and len(server.log) == 1


def test_an_interrupted_download_is_resumed(server, tmp_path, monkeypatch):
    use(monkeypatch, server, "pairs.txt", SHA)
    server.handler.stop_after = 300_000
    with pytest.raises(InputError, match="goes on where it stopped"):
        fetch("toy", tmp_path, lambda _: None)
    assert not (tmp_path / "pairs.txt").exists()
    server.handler.stop_after = None
    fetch("toy", tmp_path, lambda _: None)
    assert (tmp_path / "pairs.txt").read_bytes() == BODY
    assert server.log[0] is None and int(server.log[1].removeprefix("bytes=").rstrip("-")) > 0


def test_a_full_disk_names_the_file_and_the_download_goes_on_later(server, tmp_path, monkeypatch):
    """A limit on the size of files stands for the disk."""
    use(monkeypatch, server, "pairs.txt", SHA)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, hard))
    try:
        with pytest.raises(OSError) as error:
            fetch("toy", tmp_path, lambda _: None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(tmp_path / ".pairs.txt.part") in str(explain(error.value)) and "→" in str(explain(error.value))
    fetch("toy", tmp_path, lambda _: None)
    assert (tmp_path / "pairs.txt").read_bytes() == BODY
    assert int(server.log[1].removeprefix("bytes=").rstrip("-")) > 0, "what had arrived was kept"


def test_another_file_than_the_published_is_thrown_away(server, tmp_path, monkeypatch):
    use(monkeypatch, server, "pairs.txt", "0" * 64)
    with pytest.raises(InputError, match="another SHA-256"):
        fetch("toy", tmp_path, lambda _: None)
    assert not (tmp_path / "pairs.txt").exists()


def test_without_a_published_checksum_the_first_one_seen_is_held(server, by_https, tmp_path, monkeypatch):
    use(monkeypatch, server, "pairs.txt", None, base="https://there")
    said = []
    fetch("toy", tmp_path, said.append)
    assert any(SHA in line for line in said)
    (tmp_path / "pairs.txt").write_bytes(b"changed")
    fetch("toy", tmp_path, lambda _: None)
    assert (tmp_path / "pairs.txt").read_bytes() == BODY, "a file that no longer matches is fetched again"


def test_an_archive_is_unpacked_in_one_step(server, tmp_path, monkeypatch):
    use(monkeypatch, server, "lfw.tgz", hashlib.sha256(server.files["/lfw.tgz"]).hexdigest(), "lfw")
    fetch("toy", tmp_path, lambda _: None)
    assert (tmp_path / "lfw" / "Ann_A" / "Ann_A_0001.jpg").read_bytes() == b"jpg"


def test_an_archive_that_leaves_its_folder_is_refused(server, tmp_path, monkeypatch):
    use(monkeypatch, server, "evil.tgz", hashlib.sha256(server.files["/evil.tgz"]).hexdigest(), "lfw")
    with pytest.raises(InputError, match="leaves the folder"):
        fetch("toy", tmp_path / "in" / "side", lambda _: None)
    assert not list(tmp_path.rglob("evil.txt")) and not (tmp_path / "in" / "side" / "lfw").exists()


def test_no_server_and_no_file_are_one_line(server, tmp_path, monkeypatch):
    use(monkeypatch, server, "absent.txt", SHA)
    with pytest.raises(InputError, match=r"absent\.txt: could not be fetched"):
        fetch("toy", tmp_path, lambda _: None)
    monkeypatch.setattr(module, "COLLECTIONS", {"toy": (Remote("a", "http://127.0.0.1:9/a", SHA),)})
    with pytest.raises(InputError, match="could not be fetched"):
        fetch("toy", tmp_path, lambda _: None)
    with pytest.raises(InputError, match="there is no 'nothing'"):
        fetch("nothing", tmp_path, lambda _: None)


def test_plain_http_is_refused_where_no_published_checksum_would_tell(server, tmp_path, monkeypatch):
    use(monkeypatch, server, "pairs.txt", None)
    with pytest.raises(InputError, match=r"pairs\.txt would come by plain HTTP, and no checksum of it is published"):
        fetch("toy", tmp_path, lambda _: None)
    assert server.log == [] and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("safe", [True, False])
def test_https_that_sends_on_to_plain_http_is_refused_too(server, by_https, tmp_path, monkeypatch, safe):
    use(monkeypatch, server, "pairs.txt", None, base="https://moved")
    server.moved = f"{'https://there' if safe else server.base}/pairs.txt"
    if safe:
        fetch("toy", tmp_path, lambda _: None)
        assert (tmp_path / "pairs.txt").read_bytes() == BODY
        return
    with pytest.raises(InputError, match="would come by plain HTTP"):
        fetch("toy", tmp_path, lambda _: None)
    assert list(tmp_path.iterdir()) == [], "nothing of it is kept"


def test_every_published_address_is_https():
    from blindlib.data.catalogue import CATALOGUE

    addresses = [remote.url for remotes in COLLECTIONS.values() for remote in remotes]
    addresses += [entry.address for entry in CATALOGUE.values()]
    assert len(addresses) > 8 and not [address for address in addresses if address.startswith("http:")]


def forever(handler):
    """Sends for ever; of its length it says nothing."""
    handler.end_headers()
    with contextlib.suppress(OSError):
        while True:
            handler.wfile.write(bytes(1 << 16))


def drip(handler):
    """Promises 40 bytes and sends one in a while."""
    handler.send_header("Content-Length", "40")
    handler.end_headers()
    with contextlib.suppress(OSError):
        for _ in range(40):
            handler.wfile.write(b"x")
            time.sleep(0.1)


def says(length, body=BODY[:1000]):
    def answer(handler):
        handler.send_header("Content-Length", length)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def packed(handler):
    """Sends 20 MB of zeros as 20 kB."""
    body = gzip.compress(bytes(20_000_000))
    handler.send_header("Content-Encoding", "gzip")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


ODD = {
    "sends for ever": (forever, "sends more and more bytes, at most 5,000,000 are expected"),
    "promises 4 TB": (says(str(1 << 42)), "bytes, at most 5,000,000 are expected"),
    "promises more digits than there are": (says("9" * 4000), "bytes, at most 5,000,000 are expected"),
    "unpacks to more": (packed, "sends more and more bytes"),
    "drips": (drip, "sends less than 1,000 bytes a second"),
    "stops short": (says("2000"), "goes on where it stopped"),
    "promises less": (says("10"), "another SHA-256"),
    "promises no number": (says("many"), "another SHA-256"),
    "promises less than nothing": (says("-5"), "another SHA-256"),
}


@pytest.mark.parametrize("case", ODD)
def test_a_server_that_lies_or_has_no_end_fills_no_disk(server, tmp_path, monkeypatch, case):
    remote = Remote("pairs.txt", f"{server.base}/pairs.txt", SHA, mb=5)
    monkeypatch.setattr(module, "COLLECTIONS", {"toy": (remote,)})
    monkeypatch.setattr(module, "PATIENCE", 1)
    server.handler.odd, words = ODD[case]
    start = time.monotonic()
    with pytest.raises(InputError) as error:
        fetch("toy", tmp_path, lambda _: None)
    message = str(error.value)
    assert words in message and message.startswith(remote.url) and "\n" not in message and "→" in message
    assert time.monotonic() - start < 20
    left = [file for file in tmp_path.iterdir() if file.name != ".pairs.txt.part"]
    assert not left and sum(file.stat().st_size for file in tmp_path.iterdir()) <= 2000
    server.handler.odd = None
    (tmp_path / ".pairs.txt.part").unlink(missing_ok=True)
    fetch("toy", tmp_path, lambda _: None)
    assert (tmp_path / "pairs.txt").read_bytes() == BODY


@pytest.mark.parametrize("length", ["7", str(len(BODY) + 1)])
def test_a_part_that_fits_no_file_is_thrown_away(server, tmp_path, monkeypatch, length):
    use(monkeypatch, server, "pairs.txt", SHA)
    (tmp_path / ".pairs.txt.part").write_bytes(BODY[:300])

    def answer(handler):
        if handler.headers.get("Range") is None:
            return says(str(len(BODY)), BODY)(handler)
        handler._headers_buffer.clear()
        handler.send_response(416)
        handler.send_header("Content-Range", f"bytes */{length}")
        handler.end_headers()

    server.handler.odd = answer
    with pytest.raises(InputError, match="has another length than what is here"):
        fetch("toy", tmp_path, lambda _: None)
    fetch("toy", tmp_path, lambda _: None)
    assert (tmp_path / "pairs.txt").read_bytes() == BODY


def test_every_file_that_is_fetched_has_a_size():
    sizes = {remote.name: remote.mb for remotes in module.COLLECTIONS.values() for remote in remotes}
    assert len(sizes) == 6 and all(1 < mb <= 400 for mb in sizes.values())
    assert all(entry.mb >= 400 for entry in CATALOGUE.values())
