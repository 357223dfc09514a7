"""Downloads against a local server: verified, unpacked, refused."""

import hashlib
import io
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from blindlib.common.errors import InputError
from blindlib.data import download as module
from blindlib.data.catalogue import CATALOGUE
from blindlib.data.download import COLLECTIONS, Remote, fetch

BODY = bytes(range(256)) * 4000
SHA = hashlib.sha256(BODY).hexdigest()


def archive(member):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        info = tarfile.TarInfo(member)
        info.size = 3
        tar.addfile(info, io.BytesIO(b"jpg"))
    return stream.getvalue()


@pytest.fixture
def server():
    files = {"/pairs.txt": BODY, "/lfw.tgz": archive("lfw/Ann_A/1.jpg"), "/evil.tgz": archive("../../evil.txt")}
    log = []

    class Handler(BaseHTTPRequestHandler):
        sent = None  # bytes, where it stops short

        def do_GET(self):
            body = files.get(self.path)
            log.append(self.path)
            if body is None:
                return self.send_error(404)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: Handler.sent])

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


def use(monkeypatch, server, name, digest, folder=""):
    monkeypatch.setattr(module, "COLLECTIONS", {"toy": (Remote(name, f"{server.base}/{name}", digest, folder),)})


def test_a_download_is_verified_and_not_repeated(server, tmp_path, monkeypatch):
    use(monkeypatch, server, "pairs.txt", SHA)
    fetch("toy", tmp_path)
    fetch("toy", tmp_path)
    assert (tmp_path / "pairs.txt").read_bytes() == BODY and len(server.log) == 1


def test_an_interrupted_download_leaves_nothing_and_begins_again(server, tmp_path, monkeypatch):
    use(monkeypatch, server, "pairs.txt", None)
    server.handler.sent = 300_000
    with pytest.raises(InputError, match=r"pairs\.txt could not be fetched .* → check the network"):
        fetch("toy", tmp_path)
    assert not list(tmp_path.iterdir())
    server.handler.sent = None
    fetch("toy", tmp_path)
    assert (tmp_path / "pairs.txt").read_bytes() == BODY


def test_another_file_than_the_published_is_thrown_away(server, tmp_path, monkeypatch):
    use(monkeypatch, server, "pairs.txt", "0" * 64)
    with pytest.raises(InputError, match="another SHA-256"):
        fetch("toy", tmp_path)
    assert not list(tmp_path.iterdir())


def test_without_a_published_checksum_the_one_seen_is_printed(server, tmp_path, monkeypatch):
    use(monkeypatch, server, "pairs.txt", None)
    said = []
    fetch("toy", tmp_path, said.append)
    assert any(SHA in line for line in said)


def test_an_archive_is_unpacked_once(server, tmp_path, monkeypatch):
    use(monkeypatch, server, "lfw.tgz", hashlib.sha256(server.files["/lfw.tgz"]).hexdigest(), "lfw")
    fetch("toy", tmp_path)
    fetch("toy", tmp_path)
    assert (tmp_path / "lfw" / "Ann_A" / "1.jpg").read_bytes() == b"jpg" and len(server.log) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["lfw"]


def test_an_archive_that_leaves_its_folder_is_refused(server, tmp_path, monkeypatch):
    use(monkeypatch, server, "evil.tgz", None, "lfw")
    with pytest.raises(InputError, match=r"evil\.tgz: does not unpack"):
        fetch("toy", tmp_path / "in" / "side")
    assert not list(tmp_path.rglob("evil.txt")) and not (tmp_path / "in" / "side" / "lfw").exists()


def test_no_server_no_file_and_no_collection_are_one_line(server, tmp_path, monkeypatch):
    use(monkeypatch, server, "absent.txt", SHA)
    with pytest.raises(InputError, match=r"absent\.txt could not be fetched \(HTTPError\)"):
        fetch("toy", tmp_path)
    monkeypatch.setattr(module, "COLLECTIONS", {"toy": (Remote("a", "http://127.0.0.1:9/a", SHA),)})
    with pytest.raises(InputError, match="could not be fetched"):
        fetch("toy", tmp_path)
    with pytest.raises(InputError, match="there is no 'nothing'"):
        fetch("nothing", tmp_path)


def test_every_published_address_is_https():
    addresses = [remote.url for remotes in COLLECTIONS.values() for remote in remotes]
    addresses += [entry.address for entry in CATALOGUE.values()]
    assert len(addresses) > 8 and not [address for address in addresses if address.startswith("http:")]
