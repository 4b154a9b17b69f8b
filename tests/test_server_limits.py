"""Goal: the limits that docs/operation.md states are the server's: what is as long as it may be is taken and shown as it
was given, what is one longer is refused with its field's name and changes nothing.

Method: each field of the table at its limit and one beyond, by the API. More connections than there may be: all come in
one instant, and all are served in the end.
"""
import json
import os
import selectors
import socket
import ssl
import time
from urllib.parse import quote

import pytest

import images
from daemon import Daemon, administrator, first_token
from test_server import find_server


class Stand:
    def __init__(self, data):
        secret = first_token(find_server(), data)
        self.daemon = Daemon(find_server(), data)
        self.daemon.wait()
        self.call = self.daemon.client(administrator(self.daemon, secret))
        self.product = self.call("POST", "/api/v1/products", {"name": "limits", "kind": "arduino", "chip": "esp8266",
                                                              "channels": ["stable", "c" * 35]})
        self.device = self.call("POST", f"/api/v1/products/{self.product['id']}/devices", {"serial": "one"})
        self.image = self.call("POST", f"/api/v1/products/{self.product['id']}/images", images.arduino(irom=bytes(4096)))["sha256"]


@pytest.fixture(scope="module")
def stand(tmp_path_factory):
    made = Stand(tmp_path_factory.mktemp("limits") / "data")
    yield made
    made.daemon.stop()


# Field: where it is set, how long it may be, what it is made of.
LIMITS = {
    "name": ("PATCH", "/devices/{device}", 100, "đ"), "group": ("PATCH", "/devices/{device}", 100, "灯"),
    "serial": ("PATCH", "/devices/{device}", 67, "s"), "channel": ("PATCH", "/devices/{device}", 35, "c"),
    "variant": ("PATCH", "/devices/{device}", 35, "v"), "version": ("POST", "/products/{product}/releases", 64, "1"),
    "notes": ("POST", "/products/{product}/releases", 1000, "ñ"),
}


@pytest.mark.parametrize("field", LIMITS)
def test_a_text_is_taken_up_to_its_limit(stand, field):
    method, path, limit, letter = LIMITS[field]
    path = "/api/v1" + path.format(device=stand.device["id"], product=stand.product["id"])
    more = {} if method == "PATCH" else {"images": {"app": stand.image}, "version": "1.0"}
    shown = f"/api/v1/devices/{stand.device['id']}"
    before = stand.call("GET", shown)
    status, _, answer = stand.call.raw(method, path, json.dumps({**more, field: letter * (limit + 1)}), {"Content-Type": "application/json"})
    assert status == 422 and json.loads(answer)["error"]["field"] == field, answer
    assert stand.call("GET", shown) == before and stand.call("GET", f"/api/v1/products/{stand.product['id']}/releases")["total"] <= 1
    made = stand.call(method, path, {**more, field: letter * limit})
    assert made[field] == letter * limit


def refused(stand, method, path, size):
    """By its length alone: not a byte of it is waited for."""
    with socket.create_connection(("127.0.0.1", stand.daemon.ports["http"]), timeout=60) as link:
        link.sendall(f"{method} {path} HTTP/1.1\r\nHost: a\r\nAuthorization: {stand.call.headers['Authorization']}\r\n"
                     f"Content-Length: {size}\r\n\r\n".encode())
        return link.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_files_have_their_limits(stand):
    base = f"/api/v1/products/{stand.product['id']}"
    config = json.dumps({"a": "b" * (65536 - 9)})
    assert len(config) == 65536
    assert stand.call.raw("PUT", f"{base}/config", config)[0] == 200
    assert stand.call.raw("PUT", f"{base}/config", config + " ")[0] == 413
    assert stand.call.raw("PUT", f"{base}/resources/{quote('ä' * 100)}", bytes(4 << 20))[0] == 200
    assert refused(stand, "PUT", f"{base}/resources/b", (4 << 20) + 1)
    assert stand.call.raw("PUT", f"{base}/resources/{quote('ä' * 101)}", b"")[0] == 422
    assert refused(stand, "POST", f"{base}/images", (16 << 20) + 1)


class Visitor:
    """A TLS client that asks for /healthz and does not wait for anybody."""

    def __init__(self, context, port):
        self.answer, self.asked = b"", False
        plain = socket.create_connection(("127.0.0.1", port))
        plain.setblocking(False)
        self.link = context.wrap_socket(plain, server_hostname="localhost", do_handshake_on_connect=False)
        self.done = self.step()

    def step(self):
        """Go on as far as the server lets us; true at the end of its answer."""
        try:
            if not self.asked:
                self.link.do_handshake()
                self.link.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                self.asked = True
            while part := self.link.recv(4096):
                self.answer += part
        except ssl.SSLWantReadError:
            return False
        except OSError as wrong:
            self.answer += str(wrong).encode()
        return True


@pytest.mark.parametrize("connections,version", [(50, "TLSv1_2"), (50, "TLSv1_3"), (10000, "TLSv1_3")])
def test_a_crowd_of_tls_clients_is_served_in_the_end(tmp_path, connections, version):
    first_token(find_server(), tmp_path / "data")
    daemon = Daemon(find_server(), tmp_path / "data", "--connections", str(connections), "--head-seconds", "600")
    daemon.wait()
    context = ssl.create_default_context(cafile=tmp_path / "data/tls/ca.crt")
    context.maximum_version = ssl.TLSVersion[version]
    crowd = [Visitor(context, daemon.ports["http"]) for _ in range(400)]
    with selectors.DefaultSelector() as selector:
        for visitor in crowd:
            if not visitor.done:
                selector.register(visitor.link, selectors.EVENT_READ, visitor)
        while selector.get_map():
            ready = selector.select(60)
            assert ready, f"{len(selector.get_map())} of {len(crowd)} were forgotten"
            for key, _ in ready:
                if key.data.step():
                    selector.unregister(key.fileobj)
    for visitor in crowd:
        visitor.link.close()
    assert [visitor.answer for visitor in crowd if not visitor.answer.startswith(b"HTTP/1.1 200 ")] == []
    daemon.stop()


def processor_ticks(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13]))


class Slow:
    """A TLS client that does what it is told to, and not more."""

    def __init__(self, context, port):
        self.link = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.heard, self.said = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.heard, self.said, server_hostname="localhost")

    def say(self, piece=1 << 20):
        bytes_ = self.said.read()
        for at in range(0, len(bytes_), piece):
            self.link.sendall(bytes_[at:at + piece])
            if piece < 100:
                time.sleep(0.001)  # so that most pieces arrive alone

    def shake(self, piece=1 << 20):
        """One step; true when the handshake is done."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            self.say(piece)
            return False
        self.say(piece)
        return True

    def hear(self):
        bytes_ = self.link.recv(65536)
        assert bytes_, "the server has closed"
        self.heard.write(bytes_)


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_handshakes_that_wait_for_the_client_cost_nothing_and_go_on(tmp_path, version):
    """A chip computes for a second or two before it answers, and the server has nothing to do meanwhile."""
    first_token(find_server(), tmp_path / "data")
    daemon = Daemon(find_server(), tmp_path / "data", "--head-seconds", "600")
    daemon.wait()
    context = ssl.create_default_context(cafile=tmp_path / "data/tls/ca.crt")
    context.maximum_version = ssl.TLSVersion[version]
    clients = [Slow(context, daemon.ports["http"]) for _ in range(20)]
    for number, client in enumerate(clients):
        assert not client.shake(1 if number < 3 else 1 << 20)
        client.hear()
    for _ in range(100):  # a busy machine, or what the server does beside, may take a while
        before = processor_ticks(daemon.process.pid)
        time.sleep(0.5)
        if processor_ticks(daemon.process.pid) - before <= os.sysconf("SC_CLK_TCK") // 20:
            break
    else:
        pytest.fail("the server is at work though nobody says anything")
    for number, client in enumerate(clients):
        while not client.shake(1 if number < 3 else 1 << 20):
            client.hear()
        client.tls.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        client.say()
        answer = b""
        while b"\r\n\r\n" not in answer:
            try:
                answer += client.tls.read(4096)
            except ssl.SSLWantReadError:
                client.hear()
        assert answer.startswith(b"HTTP/1.1 200 "), answer
        if number == 10:
            # The others are in the middle of their handshakes when the server stops.
            break
    daemon.stop()
    for client in clients:
        client.link.close()
