"""Stock clients as sockets: their exact requests, and what each of them makes of an answer.

The requests are those of the libraries, header by header, in their order and spelling; the reactions are the tables of
what update() and its like return.
"""
import re
import socket


class Answer:
    """An answer as it came: status line, headers in order, body."""

    def __init__(self, data):
        head, _, self.body = data.partition(b"\r\n\r\n")
        self.line, *lines = head.decode("ascii").split("\r\n")
        self.version, status, self.reason = self.line.split(" ", 2)
        self.status = int(status)
        self.headers = [tuple(line.split(": ", 1)) for line in lines]

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def get(self, name):
        values = self.all(name)
        assert len(values) < 2, f"{name} twice"
        return values[0] if values else None


def receive(link, head_only=False):
    """One answer, by its length; a connection that is closed early is the test's failure."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = link.recv(65536)
        assert piece, f"closed after {data!r}"
        data += piece
    answer = Answer(data)
    size = 0 if head_only or answer.status in (204, 304) else int(answer.get("Content-Length"))
    while len(answer.body) < size:
        piece = link.recv(65536)
        assert piece, f"closed after {len(answer.body)} of {size} bytes"
        answer.body += piece
    assert len(answer.body) == size, "more bytes than were told"
    return answer


def connect(port):
    link = socket.create_connection(("127.0.0.1", port), timeout=20)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return link


def ask(port, request, cut=False):
    """Send on a connection of its own, whole or in single bytes; the answer, and whether the server then closed."""
    if isinstance(request, str):
        request = request.replace("\n", "\r\n").encode()
    with connect(port) as link:
        for piece in [request[i:i + 1] for i in range(len(request))] if cut else [request]:
            link.sendall(piece)
        answer = receive(link, request.startswith(b"HEAD "))
        answer.closed = False
        kept = b"keep-alive" in request.lower() or b"HTTP/1.1\r\n" in request
        if answer.get("Connection") == "close" or not kept:
            answer.closed = link.recv(1) == b""
    return answer


# --- ESPhttpUpdate -------------------------------------------------------------------------------

def esp8266(path, version="1.0.0", mode="sketch", host="192.168.1.10:8070", free=2686976, sketch_md5="6" * 32,
            chip_size=4194304, authorization=None):
    lines = [f"GET {path} HTTP/1.0", f"Host: {host}", "User-Agent: ESP8266-http-Update"]
    lines += [f"Authorization: Basic {authorization}"] if authorization else []
    lines += ["Connection: close", "x-ESP8266-Chip-ID: 15602487", "x-ESP8266-STA-MAC: DE:BA:7A:B1:E0:42",
              "x-ESP8266-AP-MAC: DE:BA:7A:B1:E0:43", f"x-ESP8266-free-space: {free}", "x-ESP8266-sketch-size: 400000",
              f"x-ESP8266-sketch-md5: {sketch_md5}", f"x-ESP8266-chip-size: {chip_size}",
              "x-ESP8266-sdk-version: 2.2.2-dev(38a443e)", f"x-ESP8266-mode: {mode}"]
    lines += [f"x-ESP8266-version: {version}"] if version else []
    return "\n".join([*lines, "Content-Length: 0", "", ""])


def esp32(path, version="1.0.0", mode="sketch", free=1310720):
    return "\n".join([
        f"GET {path} HTTP/1.0", "Host: 192.168.1.10:8070", "User-Agent: ESP32-http-Update", "Connection: close",
        "Cache-Control: no-cache", "x-ESP32-STA-MAC: 24:0A:C4:00:00:01", "x-ESP32-AP-MAC: 24:0A:C4:00:00:02",
        f"x-ESP32-free-space: {free}", "x-ESP32-sketch-size: 800000", "x-ESP32-sketch-md5: " + "7" * 32,
        "x-ESP32-sketch-sha256: " + "AB" * 32, "x-ESP32-chip-size: 4194304", "x-ESP32-sdk-version: v4.4.5",
        f"x-ESP32-mode: {mode}", f"x-ESP32-version: {version}", "", ""])


def updates(answer, free=2686976, flash=4194304, chip="ESP8266"):
    """What ESPhttpUpdate.update() returns, and its last error: (2, 0) installs."""
    assert answer.line.startswith("HTTP/1.")
    if answer.status == 304:
        return 1, 0
    if answer.status != 200:
        known = {403: -103, 404: -102} | ({401: -108} if chip == "ESP8266" else {})
        return 0, known.get(answer.status, -104)
    if answer.get("Transfer-Encoding") or int(answer.get("Content-Length") or 0) == 0:
        return 0, -101
    if len(answer.body) > free:
        return 0, -100
    md5 = answer.get("x-MD5")
    if md5 is not None and len(md5) != 32:
        return 0, -105
    if answer.body[0] not in ((0xE9, 0x1F) if chip == "ESP8266" else (0xE9,)):
        return 0, -106
    if answer.body[0] == 0xE9 and {0: 1 << 19, 1: 1 << 18, 2: 1 << 20, 3: 1 << 21, 4: 1 << 22}[answer.body[3] >> 4] > flash:
        return 0, -107
    return 2, 0


# --- OTAdrive's library --------------------------------------------------------------------------

def otadrive(method, call, range=None, generic=False, text=False, host="otadrive.com"):
    """`generic`: pieces of a download carry no headers that tell who asks."""
    lines = [f"{method} /deviceapi/{call} HTTP/1.1", f"Host: {host}", "Connection: Keep-Alive",
             "Cache-Control: no-cache, no-store, must-revalidate", "Pragma: no-cache", "Expires: 0"]
    if range:
        lines.append(f"Range: bytes={range}")
    if text:
        lines.append('If-None-Match: "686897696a7c876b7e"')
    if not generic:
        lines += ["User-Agent: OTAdrive-SDK-v22", "Cache-Control: no-cache", "x-ESP8266-STA-MAC: DE:BA:7A:B1:E0:42",
                  "x-ESP8266-AP-MAC: DE:BA:7A:B1:E0:43", "x-ESP8266-free-space: 2686976", "x-ESP8266-sketch-size: 400000",
                  "x-ESP8266-sketch-md5: " + "6" * 32, "x-ESP8266-chip-size: 4194304", "x-ESP8266-sdk-version: 2.5.0",
                  "x-ESP8266-mode: sketch", "x-check-sketch-md5: 1"]
    return "\n".join([*lines, "", ""])


def otadrive_reads(answer):
    """What the library's own HTTP client takes from an answer: it is picky."""
    assert answer.line.startswith("HTTP/1.1 ")
    taken = {"status": answer.status}
    for name in ("Content-Length", "X-MD5", "X-Version", "Content-Range"):
        if answer.get(name) is not None:
            taken[name] = answer.get(name)
    assert not answer.get("Transfer-Encoding") and not answer.get("Content-Encoding")
    if answer.status == 206:
        assert re.fullmatch(r"bytes \d+-\d+/\d+", taken["Content-Range"])
    return taken


# --- NONOS ---------------------------------------------------------------------------------------

def nonos(method, version, file, key, host="192.168.1.10:80", connection="keep-alive", protocol="HTTP/1.0"):
    return "\n".join([
        f"{method} /v1/device/rom/?action=download_rom&version={version}&filename={file} {protocol}", f"Host: {host}",
        f"Connection: {connection}", "Cache-Control: no-cache",
        "User-Agent: Mozilla/5.0 (Windows NT 5.1) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/30.0.1599.101 Safari/537.36 ",
        "Accept: */*", f"Authorization: token {key}", "Accept-Encoding: gzip,deflate,sdch",
        "Accept-Language: zh-CN,zh;q=0.8", "", ""])


def nonos_takes(answer):
    """The size that a stock device prepares for; None when it fails at once. The library looks for these spellings."""
    assert not answer.get("Transfer-Encoding") and not answer.get("Content-Encoding")
    size = [value for key, value in answer.headers if key == "Content-Length"]
    assert len(size) == 1, "the spelling is Content-Length"
    if answer.status == 200:
        assert answer.reason == "OK"
        return int(size[0])
    assert size == ["0"], "a refusal with a length makes the device erase its slot"
    return None
