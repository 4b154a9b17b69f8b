"""Clients that mean harm, and a disk that is full.

Goal: every field of every route takes traversals, injections, numbers without end and texts of all sorts with the
right status and without a trace; uploads that stop anywhere leave nothing; a thousand senders that are slow with their
bodies, and a link that says nonsense, cost bounded memory; a full disk refuses what has to be written, in a sentence,
and goes on to serve what is there.

Method: the program on an own directory. The fields are those that the server's own OpenAPI document lists. What is
counted before and after: files, rows, open descriptors, memory. The full disk is a small tmpfs in a mount namespace.
"""
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

import images
from daemon import Daemon, Refused, administrator, first_token
from test_server import find_server



def readlink(path):
    try:
        return os.readlink(path)
    except OSError:
        return ""


# What became of a download is recorded after it ended, so updates are not among what is counted.
KINDS = ("product", "release", "image", "device", "user", "member", "token")


def fast_server():
    """The server as it is shipped, where memory is counted: a sanitizer takes more."""
    named = os.environ.get("UPDRAFTD_FAST")
    return Path(named).resolve() if named else find_server()


class Stand:
    """A server with one product, one release that is current, one device."""

    def __init__(self, data, *words, program=None):
        program = program or find_server()
        secret = first_token(program, data)
        self.daemon = Daemon(program, data, *words)
        self.daemon.wait()
        self.token = administrator(self.daemon, secret)
        self.fill()

    def fill(self):
        self.client = self.daemon.client(self.token)
        self.product = self.client("POST", "/api/v1/products", {"name": "lamp", "kind": "idf", "chip": "esp32",
                                                                "strangers": "admit"})
        self.image = images.esp32()
        self.sha256 = self.upload(self.image)["sha256"]
        self.client("POST", f"/api/v1/products/{self.product['id']}/releases",
                    {"version": "1.0", "images": {"app": self.sha256}, "current": True})
        self.device = self.client("POST", f"/api/v1/products/{self.product['id']}/devices", {"serial": "s1"})

    def upload(self, image, client=None):
        return (client or self.client)("POST", f"/api/v1/products/{self.product['id']}/images", image)

    def accepted(self):
        """How many connections there were so far."""
        text = self.client.raw("GET", "/metrics")[2].decode()
        return int(re.search(r"^updraft_http_connections_accepted_total (\d+)", text, re.MULTILINE)[1])

    def poll(self, serial="s1", version="0.9", client=None):
        return (client or self.daemon.client()).raw(
            "GET", f"/update/{self.product['key']}?serial={serial}&version={version}",
            headers={"User-Agent": "ESP32-http-Update"})

    def rows(self):
        with sqlite3.connect(f"file:{self.daemon.data}/updraft.db?mode=ro", uri=True) as db:
            return {kind: db.execute(f"SELECT count(*) FROM [{kind}]").fetchone()[0] for kind in KINDS}

    def files(self):
        return sorted(str(path) for path in self.daemon.data.parent.rglob("*") if path.is_file() and
                      not re.search(r"updraft\.db|\.log$", path.name))

    def descriptors(self):
        """Sockets and blobs that are open; how many threads read the database is not a client's doing."""
        folder = f"/proc/{self.daemon.process.pid}/fd"
        return sum("socket:" in to or "/blobs/" in to for to in (readlink(f"{folder}/{fd}") for fd in os.listdir(folder)))


@pytest.fixture(scope="module")
def stand(tmp_path_factory):
    made = Stand(tmp_path_factory.mktemp("hostile") / "data")
    yield made
    made.daemon.stop()


# --- Every field ---------------------------------------------------------------------------------

TEXTS = [
    "../../../../etc/passwd", "..%2f..%2fetc%2fpasswd", "/etc/passwd", "....//....//etc/passwd", "..\\..\\windows", ".", "..",
    "%00", "a\0b", "file:///etc/passwd", "';DROP TABLE device;--", "' OR '1'='1", "1 UNION SELECT hash FROM token",
    "[device]", "name|hash", "no;", "%' AND 1=1 --", "%_%", "$(touch hit)", "`touch hit`", "| touch hit", "a\r\nX-Evil: 1",
    "<script>alert(1)</script>", "{{7*7}}", "%n%n%s", '"', '"abc" OR "', "a\"b\"c*", "NEAR(abc def)", "name:lamp", "‮gpj", "\ufeff", "\u0000", "\ud800", "💡" * 40, "x" * 5000,
    "-1", "0", "9223372036854775807", "9223372036854775808", "-9223372036854775809", "1e309", "NaN", "0x10", "", " ",
]
VALUES = [None, True, -1, 2**63, 2**70, -2**63, 1.5, 1e308, [], [[]], {}, {"a": {}}, ["a"] * 200, [1], {"__proto__": 1}]


def quoted(text):
    """As a part of a path or query."""
    return "".join(chr(b) if b < 128 and chr(b).isalnum() else f"%{b:02X}" for b in text.encode("utf-8", "surrogatepass"))


def spellings(text):
    """Quoted whole, and as it stands where a path can hold it."""
    return {quoted(text), text} if re.fullmatch(r"[!-~]*", text) and not set(text) & set("?#&") else {quoted(text)}


def operations(stand):
    document = stand.daemon.client().raw("GET", "/api/v1/openapi.json")[2]
    document = json.loads(document)

    def schema(value):
        while "$ref" in value:
            value = document["components"]["schemas"][value["$ref"].rsplit("/", 1)[1]]
        return value

    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method not in ("get", "post", "put", "patch", "delete"):
                continue
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            fields = list(schema(body).get("properties", {})) if body else []
            yield method.upper(), path, fields


def good_path(stand, path):
    names = {"product": stand.product["id"], "device": stand.device["id"], "version": "1.0", "other": "1.0",
             "user": "u_0000000000000000", "update": "x_0000000000000000", "token": "t_0000000000000000",
             "part": "app", "path": "a"}
    return re.sub(r"{(\w+)}", lambda match: names[match[1]], path)


# As Espressif's cloud refused a key that opens nothing: the one answer from 500 on that is no error of the server's.
UNKNOWN_KEY = b'{"message": "devicekey not exists", "status": 500}'


def is_sound(status, answer):
    return status < 500 or (status == 500 and answer == UNKNOWN_KEY)


def answered(stand, method, path, body=None):
    """The status, which must be no error of the server's, and no answer may show what is outside."""
    headers = {"Content-Type": "application/json"} if body is not None else {}
    try:
        status, heads, answer = stand.client.raw(method, path, body, headers)
    except OSError:
        stand.client.close()
        status, heads, answer = stand.client.raw(method, path, body, headers)
    assert is_sound(status, answer), (method, path[:200], body, status, answer)
    assert b"root:" not in answer and "X-Evil" not in heads, (method, path[:200])
    if status >= 400 and path.startswith("/api/"):
        error = json.loads(answer)["error"]
        assert error["code"] and error["message"], (method, path[:200], answer)
    return status


# Deleting what the walk stands on would end it.
KEPT = {("DELETE", "/api/v1/products/{product}"), ("DELETE", "/api/v1/devices/{device}"), ("DELETE", "/api/v1/session"),
        ("POST", "/api/v1/products/{product}/releases/{version}/withdraw"), ("GET", "/api/v1/events"),
        ("POST", "/api/v1/products/{product}/releases/{version}/stop")}


def test_every_part_of_a_path_takes_anything(stand):
    before = stand.files(), stand.rows()
    walked = 0
    for method, path, _ in operations(stand):
        for name in re.findall(r"{(\w+)}", path):
            if name == "path":
                continue  # of a resource: any text is one
            for text in [spelling for text in TEXTS for spelling in spellings(text)]:
                hostile = re.sub(r"{%s}" % name, lambda _, text=text: text, path, count=1)
                status = answered(stand, method, good_path(stand, hostile), b"{}" if method in ("POST", "PATCH", "PUT") else None)
                assert status in (400, 404, 405, 411, 413, 414, 415, 422, 431), (method, hostile[:200], status)
                walked += 1
    assert walked > 500
    assert (stand.files(), stand.rows()) == before


QUERIES = ("limit", "after", "sort", "q", "product", "state", "version", "group", "part", "device", "online", "heard_before",
           "reason", "format", "standing", "no_such")


def test_every_query_takes_anything(stand):
    before = stand.files(), stand.rows()
    for method, path, _ in operations(stand):
        if method != "GET" or (method, path) in KEPT:
            continue
        for name in QUERIES:
            for text in TEXTS:
                status = answered(stand, "GET", f"{good_path(stand, path)}?{name}={quoted(text)}")
                assert status in (200, 302, 304, 400, 404, 414, 422, 431), (path, name, text[:50], status)
    assert (stand.files(), stand.rows()) == before


def test_every_field_of_a_body_takes_anything(stand):
    before = stand.files()
    rows = stand.rows()
    walked = 0
    for method, path, fields in operations(stand):
        if (method, path) in KEPT or path in ("/api/v1/session", "/api/v1/setup", "/api/v1/tokens/login"):
            continue  # passwords are slow on purpose, and limited
        for name in fields:
            for value in TEXTS + VALUES:
                # Alone: where other fields are required it is refused, and else it is taken as it is or refused.
                body = json.dumps({name: value}).encode()
                status = answered(stand, method, good_path(stand, path), body)
                assert status in (200, 201, 202, 204, 400, 403, 404, 409, 413, 422), (method, path, name, value, status)
                walked += 1
    assert walked > 500
    # A device needs no field, and a token nothing but its name.
    assert {**stand.rows(), "device": 0, "token": 0} == {**rows, "device": 0, "token": 0}
    assert stand.files() == before


@pytest.mark.parametrize("text", [t for t in TEXTS if t.isprintable() and t.strip() and len(t.encode()) <= 100])
def test_a_name_is_stored_as_it_is(stand, text):
    stand.client("PATCH", f"/api/v1/devices/{stand.device['id']}", {"name": text})
    assert stand.client("GET", f"/api/v1/devices/{stand.device['id']}")["name"] == text
    found = stand.client("GET", f"/api/v1/devices?q={quoted(text)}")
    assert stand.device["id"] in [row["id"] for row in found["items"]]


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b'{"name":"a","name":"b"}', b'{"name":"\\u0000"}', b'{"name":"\xff"}',
                                  b'{"name":"\\ud800"}', b"[" * 3000, b'{"a":' * 3000, b'{"name":"a"} x', b"\xef\xbb\xbf{}",
                                  b'{"unknown":1}', b"{" + b" " * 60000])
def test_a_body_that_is_no_good_object_is_refused(stand, body):
    rows = stand.rows()
    for method, path in (("POST", "/api/v1/products"), ("PATCH", f"/api/v1/devices/{stand.device['id']}")):
        assert answered(stand, method, path, body) in (400, 411, 413, 422)
    assert stand.rows() == rows


PROTOCOLS = ["/update/{}", "/update/" + "0" * 32 + "?serial={}", "/DeviceApi/update?k={}&s={}&v={}", "/DeviceApi/{}",
             "/DeviceApi/alive?k={}", "/{}/app.bin", "/lamp/{}.bin", "/v1/device/rom/?action=download_rom&version={}&filename={}",
             "/v1/device/rpc/?deliver_to_device=true&action={}&version={}", "/v1/device/?serial={}", "/v1/ping/?{}={}"]


@pytest.mark.parametrize("path", PROTOCOLS)
def test_every_device_protocol_takes_anything(stand, path):
    before = stand.files(), stand.rows()
    for text in TEXTS:
        for spelling in spellings(text):
            status = answered(stand, "GET", path.replace("{}", spelling))
            assert status in (200, 304, 400, 401, 403, 404, 405, 414, 422, 431) or path.startswith("/v1/device/"), (path, text[:50], status)
        for name in ("User-Agent", "x-ESP8266-STA-MAC", "x-ESP32-version", "Authorization", "Range", "If-Range",
                     "If-None-Match", "Cookie", "X-Forwarded-For", "Accept-Language", "Last-Event-ID"):
            if text.isascii() and text.isprintable():
                status, _, answer = stand.daemon.client().raw("GET", path.replace("{}", "x"), headers={name: text.strip()})
                assert is_sound(status, answer), (path, name, text[:50], status)
    assert (stand.files(), stand.rows()) == before


def test_a_device_that_lies_about_itself_makes_one_row_at_most(stand):
    rows = stand.rows()["device"]
    for number, text in enumerate(TEXTS):
        status = stand.daemon.client().raw("GET", f"/update/{stand.product['key']}?serial=liar&version={quoted(text)}", headers={
            "x-ESP32-sketch-size": str(2**70), "x-ESP32-free-space": f"-{number}", "x-ESP32-chip-size": "1e9"})[0]
        assert status in (200, 304, 400, 414, 431), (text[:50], status)
    assert stand.rows()["device"] <= rows + 1


# --- Uploads that stop ---------------------------------------------------------------------------

def wait_for(what, seconds=60):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.02)


def begin_upload(stand, size, sent):
    client = socket.create_connection(("127.0.0.1", stand.daemon.ports["http"]))
    client.sendall((f"POST /api/v1/products/{stand.product['id']}/images HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n"
                    f"Authorization: Bearer {stand.token}\r\n\r\n").encode() + sent)
    return client


def temporary(stand):
    return os.listdir(stand.daemon.data / "blobs" / "tmp")


@pytest.mark.parametrize("reset", [False, True])
def test_an_upload_that_stops_anywhere_leaves_nothing(stand, reset):
    image = images.esp32(segments=None)
    before = stand.files(), stand.rows()
    descriptors = stand.descriptors()
    places = [0, 1, 7, 8, 23, 24, 32, *range(64, len(image), 97), len(image) - 1]
    accepted = stand.accepted()
    for at in places:
        client = begin_upload(stand, len(image), image[:at])
        if reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
    # A client that has gone may still wait to be accepted.
    wait_for(lambda: stand.accepted() >= accepted + len(places))
    wait_for(lambda: not temporary(stand) and stand.descriptors() <= descriptors)
    assert (stand.files(), stand.rows()) == before


def test_an_upload_that_is_refused_leaves_nothing(stand):
    image = bytearray(images.esp32())
    before = stand.files(), stand.rows()
    for at in range(0, len(image), 41):
        bad = bytes(image[:at]) + bytes([image[at] ^ 0x55]) + bytes(image[at + 1:])
        try:
            made = stand.upload(bad)
            # A byte that no digest covers does not exist in this format.
            raise AssertionError(f"taken with a wrong byte at {at}: {made}")
        except Refused as refused:
            assert refused.status == 422 and json.loads(refused.body)["error"]["message"], at
    with pytest.raises((Refused, OSError)) as refused:
        stand.upload(bytes(17 << 20))
    assert not isinstance(refused.value, Refused) or refused.value.status in (413, 422)
    stand.client.close()
    wait_for(lambda: not temporary(stand))
    assert (stand.files(), stand.rows()) == before


def test_a_thousand_slow_uploads_do_not_matter(tmp_path):
    stand = Stand(tmp_path / "data", "--connections", "3000", program=fast_server())
    image = images.esp32()
    descriptors = stand.descriptors()
    rows = stand.rows()
    before = stand.daemon.memory()
    slow = [begin_upload(stand, len(image), image[:8 + number % 900]) for number in range(1000)]
    wait_for(lambda: len(temporary(stand)) == 1000)
    assert stand.daemon.client().raw("GET", "/healthz")[0] == 200
    assert stand.poll()[0] == 200
    assert stand.upload(image)["sha256"] == stand.sha256
    # Connection, checker with its window, temporary file.
    assert stand.daemon.memory() - before < 1000 * 96 * 1024
    for number, client in enumerate(slow):
        if number % 2:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
    wait_for(lambda: not temporary(stand))
    wait_for(lambda: stand.descriptors() <= descriptors)
    assert stand.rows() == rows
    stand.daemon.stop()


# --- The link ------------------------------------------------------------------------------------

LINES = [b"\n", b"{}\n", b"[]\n", b"null\n", b"{" * 2000 + b"\n", b'{"nonce": "x"}\n', b'{"path": 1}\n', b'{"path": null, "method": []}\n',
         b'{"path": "/v1/device/identify", "meta": {"Authorization": "token "}}\n',
         b'{"path": "/v1/device/identify", "meta": {"Authorization": "token ' + b"a" * 1000 + b'"}}\n',
         b'{"path": "/v1/device/identify", "meta": {"Authorization": "token \' OR 1=1 --"}}\n',
         b'{"path": "/v1/device/identify", "meta": []}\n', b'{"path": "/../../etc/passwd"}\n', b"\0\n", b"\xff\xfe\n",
         b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b'{"nonce": 99999999999999999999999, "path": "/v1/ping/"}\n',
         b'{"nonce": -1, "path": "/v1/ping/"}\n', b'{"a": "' + b"x" * 100000 + b'"}\n', b"x" * 100000]


def test_lines_of_any_content_on_the_link(stand):
    rows = stand.rows()
    descriptors = stand.descriptors()
    for line in LINES:
        for piece in (len(line), 1):
            link = socket.create_connection(("127.0.0.1", stand.daemon.ports["link"]), timeout=60)
            try:
                for at in range(0, min(len(line), 3000 if piece == 1 else len(line)), piece):
                    link.sendall(line[at:at + piece])
                link.shutdown(socket.SHUT_WR)
                answer = b""
                while piece_of := link.recv(4096):
                    answer += piece_of
            except (ConnectionResetError, BrokenPipeError, OSError):
                answer = b""
            assert b"200" not in answer.replace(b"ping", b"") or b"/v1/ping" in line, (line[:80], answer)
            link.close()
    wait_for(lambda: stand.descriptors() <= descriptors)
    assert stand.rows() == rows


def test_a_thousand_silent_links_cost_little(tmp_path):
    stand = Stand(tmp_path / "data", program=fast_server())
    descriptors = stand.descriptors()
    before = stand.daemon.memory()
    links = []
    for number in range(1000):
        link = socket.create_connection(("127.0.0.1", stand.daemon.ports["link" if number % 2 else "link_tls"]))
        # Silent; in the middle of a line; of a handshake.
        link.sendall([b"", b"", b"\x16\x03\x01\x02\x00", b'{"nonce": 1, "path": "' + b"x" * 500][number % 4])
        links.append(link)
    wait_for(lambda: stand.descriptors() >= descriptors + 1000)
    assert stand.daemon.client().raw("GET", "/healthz")[0] == 200
    assert stand.daemon.memory() - before < 1000 * 48 * 1024
    for link in links:
        link.close()
    wait_for(lambda: stand.descriptors() <= descriptors)
    stand.daemon.stop()


# --- A full disk ---------------------------------------------------------------------------------

def namespace():
    """What gives a process mounts of its own, as root and as another user; None when neither does."""
    for words in (["unshare", "-m"], ["unshare", "-Urm"]):
        if shutil.which("unshare") and subprocess.run([*words, "sh", "-c", "mount -t tmpfs none /mnt"],
                                                      stderr=subprocess.DEVNULL, check=False).returncode == 0:
            return words
    return None


class Small(Stand):
    """The same in a tmpfs of 12 MiB, which only the server sees mounted."""

    def __init__(self, folder):
        words = namespace()
        if words is None:
            pytest.skip("no mount namespace may be made here")
        data = folder / "data"
        (folder / "mount").mkdir()
        script = folder / "serve"
        script.write_text(f"""#!/bin/sh
            set -e
            mount -t tmpfs -o size=12m none {folder}/mount
            {find_server()} init --data {folder}/mount/data --json >{folder}/init.json
            shift
            exec {find_server()} serve --data {folder}/mount/data "$@"
        """)
        script.chmod(0o755)
        launcher = folder / "launch"
        # Daemon calls PROGRAM serve --data DATA ...: the data directory is where the mount has it.
        launcher.write_text(f'#!/bin/sh\nshift 3\nexec {" ".join(words)} {script} x "$@"\n')
        launcher.chmod(0o755)
        self.daemon = Daemon(launcher, data)
        self.daemon.data = Path(f"/proc/{self.daemon.process.pid}/root{folder}/mount/data")
        self.daemon.wait()
        self.token = administrator(self.daemon, json.loads((folder / "init.json").read_text())["token"])
        self.fill()

    def fill_disk(self, left):
        """A file that takes all but so many bytes."""
        ballast = self.daemon.data / "ballast"
        with open(ballast, "ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(65536))
            except OSError:
                pass
            file.truncate(max(0, file.tell() - left))
        return ballast


def big_image(size):
    flash, data, code = images.MEMORY[0]
    return images.esp32(0, [(flash + 0x20, images.app_descriptor() + bytes(size)), (data, bytes(64)),
                            (code, bytes(range(128)) * 16)], entry=code + 0x400)


def test_a_full_disk_refuses_uploads_and_serves_on(tmp_path):
    stand = Small(tmp_path)
    link = socket.create_connection(("127.0.0.1", stand.daemon.ports["link"]), timeout=60)
    lines = link.makefile("rb")
    shown = stand.client("GET", f"/api/v1/devices/{stand.device['id']}")
    image = big_image(1 << 20)
    blobs = {str(path) for path in (stand.daemon.data / "blobs").rglob("*") if path.is_file()}
    for left in (512 << 10, 128 << 10, 0):
        ballast = stand.fill_disk(left)
        # Refused in a sentence, whole and when the body comes in chunks; nothing of it is left.
        for _ in range(3):
            with pytest.raises(Refused) as refused:
                stand.upload(image)
            assert refused.value.status == 507, refused.value
            error = json.loads(refused.value.body)["error"]
            assert error["code"] == "disk_full" and "full" in error["message"]
            wait_for(lambda: {str(path) for path in (stand.daemon.data / "blobs").rglob("*") if path.is_file()} == blobs)
        # Devices are served: who is known, who says something new, who was never seen.
        for serial, version in (("s1", "0.9"), ("s1", "0.8"), ("stranger", "0.9")):
            status, headers, body = stand.poll(serial, version)
            assert status in ((200,) if serial == "s1" or left else (200, 304, 403, 503)), (left, serial, status)
            if status == 200:
                assert body == stand.image and int(headers["Content-Length"]) == len(stand.image)
        assert stand.daemon.client().raw("GET", f"/{stand.product['id']}/lamp.bin")[2] == stand.image
        assert stand.daemon.client().raw("GET", "/healthz")[0] == 200
        for path in ("/api/v1/overview", "/api/v1/devices", f"/api/v1/products/{stand.product['id']}/releases"):
            assert stand.client.raw("GET", path)[0] == 200, path
        link.sendall(json.dumps({"nonce": 1, "path": "/v1/device/identify", "method": "GET", "meta": {
            "Authorization": f"token {shown['device_key']}"}}).encode() + b"\n")
        # Orders of the server may come between.
        assert next(line for line in map(json.loads, lines) if "status" in line)["status"] == 200
    # With nothing left at all, what has to be written is refused likewise, and not half done.
    rows = None
    for _ in range(50):
        try:
            stand.client("POST", f"/api/v1/products/{stand.product['id']}/devices", {"name": "x" * 100})
        except Refused as refused:
            assert refused.status == 507 and json.loads(refused.body)["error"]["code"] == "disk_full"
            rows = stand.client("GET", "/api/v1/devices?limit=1")["total"]
            break
    assert rows is not None, "writes went on on a full disk"
    assert stand.client("GET", "/api/v1/devices?limit=1")["total"] == rows
    # When there is room again everything goes on, without a restart.
    ballast.unlink()
    assert stand.upload(image)["size"] == len(image)
    made = stand.client("POST", f"/api/v1/products/{stand.product['id']}/devices", {"name": "later"})
    assert stand.client("GET", f"/api/v1/devices/{made['id']}")["name"] == "later"
    assert stand.client("GET", "/api/v1/audit?limit=1")["chain"]["ok"]
    link.close()
    stand.daemon.stop()


def test_a_server_starts_on_a_full_disk(tmp_path):
    """What is there is served also by one that was started when nothing can be written."""
    words = namespace()
    if words is None:
        pytest.skip("no mount namespace may be made here")
    stand = Stand(tmp_path / "data")
    stand.daemon.stop()
    launcher = tmp_path / "launch"
    launcher.write_text(f"""#!/bin/sh
        exec {' '.join(words)} sh -ec 'mkdir -p "$0/mount"; mount -t tmpfs -o size=2m none "$0/mount"
            cp -r "$0/data" "$0/mount/"; dd if=/dev/zero of="$0/mount/ballast" 2>/dev/null || :
            shift 3; exec {find_server()} serve --data "$0/mount/data" "$@"' {tmp_path} "$@"
    """)
    launcher.chmod(0o755)
    stand.daemon = Daemon(launcher, tmp_path / "data")
    try:
        stand.daemon.data = Path(f"/proc/{stand.daemon.process.pid}/root{tmp_path}/mount/data")
        try:
            stand.daemon.wait()
        except RuntimeError:
            # Or it says why not, in one sentence.
            said = Path(stand.daemon.log.name).read_text().splitlines()
            assert said[-1].startswith("updraftd: ") and "disk is full" in said[-1] and "info: stopped" in said[-2], said
            return
        assert stand.poll()[2] == stand.image
    finally:
        stand.daemon.kill()
