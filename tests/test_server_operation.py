"""The server as an operator runs it: told by systemd, behind a proxy, reloaded, stopped.

Goal: systemd is told when the server serves, reloads and stops; behind a proxy an image goes out by the proxy's own
hand, and the fleet knows of it; a new certificate is used by the link too, without a restart; every address that is
given is listened at; a stop lets requests finish, tells those who wait, and loses nothing.

Method: the program on an own directory; the socket that systemd would read; nginx where it is installed, and a client
that calls itself a proxy where it is not.
"""
import hashlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import threading
import time

import pytest

import images
from daemon import Daemon, administrator, first_token
from test_server import find_server


def wait_for(what, seconds=60):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.02)


class Stand:
    """A server with a product of ESP32 devices and a current release."""

    def __init__(self, data, *words, before=None):
        secret = first_token(find_server(), data)
        self.daemon = Daemon(find_server(), data, *words, before=before)
        self.daemon.wait()
        self.api = self.daemon.client(administrator(self.daemon, secret))
        self.product = self.api("POST", "/api/v1/products", {"name": "lamp", "kind": "idf", "chip": "esp32",
                                                             "strangers": "admit"})
        self.image = images.esp32()
        sha256 = self.api("POST", f"/api/v1/products/{self.product['id']}/images", self.image)["sha256"]
        self.sha256 = sha256
        self.api("POST", f"/api/v1/products/{self.product['id']}/releases",
                 {"version": "1.0", "images": {"app": sha256}, "current": True})
        self.file = f"/{self.product['id']}/lamp.bin"

    def restart(self, *words):
        """Again, with other options; what is asked by way of the API then comes by HTTPS, a proxy says."""
        self.daemon.stop()
        self.daemon = Daemon(find_server(), self.daemon.data, *words)
        self.daemon.wait()
        self.api = self.daemon.client(self.api.headers["Authorization"].split()[1])
        self.api.headers["X-Forwarded-Proto"] = "https"

    def updates(self):
        return [(row["device"]["name"], row["state"]) for row in self.api("GET", "/api/v1/updates")["items"]]


# --- systemd -------------------------------------------------------------------------------------

@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told(tmp_path, abstract):
    name = f"\0updraft-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(name)
        notify.settimeout(60)
        data = tmp_path / "data"
        first_token(find_server(), data)
        said = name.replace("\0", "@")
        process = subprocess.Popen([find_server(), "serve", "--data", data, "--listen", "127.0.0.1:0", "--link", "",
                                    "--link-tls", ""], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                   env={**os.environ, "NOTIFY_SOCKET": said})
        # What is told as ready serves.
        assert notify.recv(1000) == b"READY=1"
        port = json.loads((data / "ports.json").read_text())["http"]
        socket.create_connection(("127.0.0.1", port)).close()
        process.send_signal(signal.SIGHUP)
        assert notify.recv(1000).startswith(b"RELOADING=1")
        assert notify.recv(1000) == b"READY=1"
        process.send_signal(signal.SIGTERM)
        assert notify.recv(1000) == b"STOPPING=1"
        assert process.wait(timeout=60) == 0
        process.stdout.close()


# --- A proxy in front ----------------------------------------------------------------------------

def test_a_proxy_is_told_where_the_image_lies(tmp_path):
    stand = Stand(tmp_path / "data")
    stand.restart("--accel", "/blobs/", "--proxies", "127.0.0.1")
    where = f"/blobs/{stand.sha256[:2]}/{stand.sha256[2:]}"
    path = f"/update/{stand.product['key']}?serial=s1&version=0.9"
    forwarded = {"X-Forwarded-For": "192.0.2.7", "User-Agent": "ESP32-http-Update"}
    status, headers, body = stand.daemon.client().raw("GET", path, headers=forwarded)
    assert status == 200 and body == b"" and headers["X-Accel-Redirect"] == where, (status, dict(headers))
    assert headers["x-MD5"] == hashlib.md5(stand.image).hexdigest()
    assert hashlib.sha256((stand.daemon.data / where[1:]).read_bytes()).hexdigest() == stand.sha256
    # The proxy makes the rest of the answer of its own file, ranges too.
    status, headers, body = stand.daemon.client().raw("GET", stand.file, headers={**forwarded, "Range": "bytes=0-9"})
    assert headers["X-Accel-Redirect"] == where and body == b""
    # Who comes past the proxy gets the bytes.
    client = stand.daemon.client()
    client.http.source_address = ("127.0.0.2", 0)
    status, headers, body = client.raw("GET", path, headers={"User-Agent": "ESP32-http-Update"})
    assert status == 200 and body == stand.image and "X-Accel-Redirect" not in headers
    stand.daemon.stop()


def test_somebody_else_who_forwards_is_no_proxy(tmp_path):
    stand = Stand(tmp_path / "data", "--accel", "/blobs/", "--proxies", "192.0.2.1")
    status, headers, body = stand.daemon.client().raw("GET", stand.file, headers={"X-Forwarded-For": "192.0.2.7"})
    assert status == 200 and body == stand.image and "X-Accel-Redirect" not in headers
    stand.daemon.stop()


NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1; {user}
events {{ }}
http {{
    access_log off; default_type application/octet-stream;
    client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
    uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
    server {{
        listen unix:{folder}/front;
        location / {{ proxy_pass http://127.0.0.1:{port}; proxy_set_header X-Forwarded-For 192.0.2.7;
                      proxy_set_header X-Forwarded-Proto https; }}
        location /blobs/ {{ internal; alias {blobs}/; add_header x-MD5 $upstream_http_x_md5; }}
    }}
}}
"""


def test_behind_nginx_images_arrive_whole_and_in_part(tmp_path):
    nginx = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if nginx is None:
        pytest.skip("nginx is not installed")
    stand = Stand(tmp_path / "data")
    stand.restart("--accel", "/blobs/", "--proxies", "127.0.0.1")
    (tmp_path / "nginx.conf").write_text(NGINX.format(
        folder=tmp_path, port=stand.daemon.ports["http"], blobs=stand.daemon.data / "blobs",
        user="user root;" if os.geteuid() == 0 else ""))
    process = subprocess.Popen([nginx, "-p", tmp_path, "-c", tmp_path / "nginx.conf"], stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: (tmp_path / "front").exists())

        def curl(path, *words):
            return subprocess.run(["curl", "-sS", "--unix-socket", tmp_path / "front", *words, f"http://server{path}"],
                                  stdout=subprocess.PIPE, check=True).stdout

        assert curl(stand.file) == stand.image
        assert curl(stand.file, "-r", "100-199") == stand.image[100:200]
        assert f"x-MD5: {hashlib.md5(stand.image).hexdigest()}" in curl(stand.file, "-I").decode()
        assert curl(f"/update/{stand.product['key']}?serial=s1&version=0.9", "-A", "ESP32-http-Update") == stand.image
        # What was handed to the proxy is on its way, and the device itself says what became of it.
        wait_for(lambda: any(state in ("downloading", "downloaded") for _, state in stand.updates()))
        assert b"not found" in curl(f"/blobs/{stand.sha256[:2]}/{stand.sha256[2:]}").lower()
    finally:
        process.terminate()
        process.wait()
    stand.daemon.stop()


# --- The link ------------------------------------------------------------------------------------

def certificate(port):
    return ssl.get_server_certificate(("127.0.0.1", port))


def test_the_link_takes_a_new_certificate_and_keeps_its_links(tmp_path):
    stand = Stand(tmp_path / "data")
    port = stand.daemon.ports["link_tls"]
    made = stand.api("POST", f"/api/v1/products/{stand.product['id']}/devices", {"serial": "linked"})
    key = stand.api("GET", f"/api/v1/devices/{made['id']}")["device_key"]
    context = ssl.create_default_context(cafile=stand.daemon.data / "tls" / "ca.crt")
    link = context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=60), server_hostname="localhost")
    ask = json.dumps({"nonce": 5, "path": "/v1/device/identify", "method": "GET",
                      "meta": {"Authorization": f"token {key}"}}).encode() + b"\n"
    link.sendall(ask)
    assert b'"nonce": 5' in link.recv(4096)
    first = certificate(port)
    first_token(find_server(), tmp_path / "other")
    for name in ("server.crt", "server.key"):
        shutil.copy(tmp_path / "other" / "tls" / name, stand.daemon.data / "tls" / name)
    stand.daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: certificate(port) != first)
    # The link from before goes on with what it began with.
    link.sendall(ask)
    while b'"nonce": 5' not in link.recv(4096):
        pass
    # One that cannot be used leaves the last good one.
    second = certificate(port)
    (stand.daemon.data / "tls" / "server.key").write_text("nonsense")
    stand.daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: b"stays as it was" in open(stand.daemon.log.name, "rb").read())
    assert certificate(port) == second
    link.close()
    stand.daemon.stop()


def test_every_address_is_listened_at(tmp_path):
    data = tmp_path / "data"
    first_token(find_server(), data)
    where = "127.0.0.1:0, 127.0.0.2:0"
    daemon = Daemon(find_server(), data, "--listen", where, "--link", where, "--link-tls", where + ", 127.0.0.3:0")
    daemon.wait()  # takes the first line of what is said
    assert len(daemon.ports["listen"]) == 2 and len(daemon.ports["links"]) == 2 and len(daemon.ports["links_tls"]) == 3
    assert daemon.ports["link"] == daemon.ports["links"][0] and daemon.ports["link_tls"] == daemon.ports["links_tls"][0]
    for ports in ("listen", "links", "links_tls"):
        for number, port in enumerate(daemon.ports[ports]):
            socket.create_connection((f"127.0.0.{number + 1}", port), timeout=60).close()
    for number, port in enumerate(daemon.ports["links_tls"]):
        assert "BEGIN CERTIFICATE" in ssl.get_server_certificate((f"127.0.0.{number + 1}", port))
    daemon.process.send_signal(signal.SIGTERM)
    said = daemon.process.stdout.read().decode().splitlines()
    expected = [f"listening on {address}:0: port {port}, {what}"
                for what, ports in (("HTTP and HTTPS", "listen"), ("device link", "links"), ("device link by TLS", "links_tls"))
                for address, port in zip(("127.0.0.1", "127.0.0.2", "127.0.0.3"), daemon.ports[ports])]
    assert [line for line in said if line.startswith("listening")] == expected[1:]
    daemon.stop()


# --- Stopping ------------------------------------------------------------------------------------

class Held(threading.Thread):
    """A request that is under way when the server stops."""

    def __init__(self, stand, request, piece=b"", more=b""):
        super().__init__()
        self.socket = socket.create_connection(("127.0.0.1", stand.daemon.ports["http"]), timeout=60)
        self.socket.sendall(request + piece)
        self.more = more
        self.answer = b""

    def run(self):
        self.socket.sendall(self.more)
        try:
            while piece := self.socket.recv(65536):
                self.answer += piece
        except ConnectionResetError:
            pass
        self.socket.close()


def test_the_demonstration_makes_its_images_in_tmpdir(tmp_path, monkeypatch):
    # Of the simulator only that it is asked where to write, and that nothing comes of it.
    tools, work, asked = tmp_path / "tools", tmp_path / "work", tmp_path / "asked"
    tools.mkdir()
    work.mkdir()
    shutil.copy(find_server(), tools / "updraftd")
    simulator = tools / "updraft-sim"
    simulator.write_text(f'#!/bin/sh\necho "$@" >>{asked}\nexit 1\n')
    simulator.chmod(0o755)
    monkeypatch.setenv("UPDRAFTD_BIN", str(tools / "updraftd"))
    monkeypatch.setenv("TMPDIR", str(work))
    stand = Stand(tmp_path / "data")
    status, _, body = stand.api.raw("POST", "/api/v1/simulation")
    stand.daemon.stop()
    assert status == 500 and json.loads(body)["error"]["code"] == "simulation"
    assert f"-o {work}/updraft-show-" in asked.read_text() and os.listdir(work) == []


def test_a_stop_finishes_what_is_under_way_and_tells_those_who_wait(tmp_path):
    stand = Stand(tmp_path / "data")
    headers = f"Host: a\r\nAuthorization: Bearer {stand.api.headers['Authorization'].split()[1]}\r\n"
    image = images.esp32(segments=None)
    upload = Held(stand, (f"POST /api/v1/products/{stand.product['id']}/images HTTP/1.1\r\n{headers}"
                          f"Content-Length: {len(image)}\r\n\r\n").encode(), image[:1000], image[1000:])
    events = Held(stand, f"GET /api/v1/events HTTP/1.1\r\n{headers}\r\n".encode())
    idle = Held(stand, b"")
    # Each is known to the server before it stops.
    events.start()
    wait_for(lambda: b"text/event-stream" in events.answer)
    wait_for(lambda: os.listdir(stand.daemon.data / "blobs" / "tmp"))
    stand.daemon.process.send_signal(signal.SIGTERM)
    wait_for(lambda: not (stand.daemon.data / "ports.json").exists())
    upload.start()
    idle.start()
    for held in (upload, events, idle):
        held.join(timeout=60)
        assert not held.is_alive()
    assert b"HTTP/1.1 201 " in upload.answer and b"Connection: close" in upload.answer, upload.answer
    assert idle.answer == b""
    assert stand.daemon.process.wait(timeout=60) == 0
    stand.daemon.close()
    # What was answered as done is there.
    again = Daemon(find_server(), tmp_path / "data")
    again.wait()
    assert (again.data / "blobs" / stand.sha256[:2] / stand.sha256[2:]).exists()
    again.stop()


def test_a_request_that_waits_for_a_device_is_told(tmp_path):
    """An order to a device whose link is silent: answered when the server stops, not cut."""
    stand = Stand(tmp_path / "data", "--stop-seconds", "3600")
    made = stand.api("POST", f"/api/v1/products/{stand.product['id']}/devices", {"serial": "linked"})
    key = stand.api("GET", f"/api/v1/devices/{made['id']}")["device_key"]
    link = socket.create_connection(("127.0.0.1", stand.daemon.ports["link"]), timeout=60)
    link.sendall(json.dumps({"nonce": 5, "path": "/v1/device/identify", "method": "GET",
                             "meta": {"Authorization": f"token {key}"}}).encode() + b"\n")
    assert b'"nonce": 5' in link.recv(4096)
    # The answer goes out before it is recorded that the link is there.
    with sqlite3.connect(f"file:{stand.daemon.data}/updraft.db?mode=ro", uri=True) as db:
        wait_for(lambda: db.execute("SELECT count(*) FROM device WHERE linked = 1").fetchone()[0] == 1)
    body = json.dumps({"action": "light_on"}).encode()
    waiting = Held(stand, (f"POST /api/v1/devices/{made['id']}/rpc HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                           f"Authorization: {stand.api.headers['Authorization']}\r\nContent-Length: {len(body)}\r\n\r\n"
                           ).encode(), body)
    waiting.start()
    said = b""
    while b"light_on" not in said:
        said = link.recv(4096)
        assert said
    stand.daemon.process.send_signal(signal.SIGTERM)
    waiting.join(timeout=60)
    assert waiting.answer.startswith(b"HTTP/1.1 ") and waiting.answer.split()[1] in (b"202", b"502", b"503", b"504", b"409"), \
        waiting.answer
    assert stand.daemon.process.wait(timeout=60) == 0
    stand.daemon.close()
    link.close()
