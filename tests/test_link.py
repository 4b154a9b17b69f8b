"""Goal: the device link keeps its page, docs/formats/espressif-link.md, towards stock firmware and towards strangers.

Method: the link alone (server/test/link_stand.c: any key of 40 characters is a device), plain sockets, the exact bytes
of the stock client, whole and cut into single bytes; what arrives is read by `reaction`, which finds what the stock
parser finds, in its order.
"""
import json
import re
import shutil
import socket
import ssl
import subprocess
import time

import pytest

from conftest import ROOT

KEY = "0123456789abcdef0123456789abcdef01234567"
OTHER = "f" * 40
ACTIVATE = (b'{"nonce": 1234567,"path": "/v1/device/activate/", "method": "POST", "body": {"encrypt_method": "PLAIN", '
            b'"token": "' + b"a" * 40 + b'", "bssid": "18:fe:34:aa:bb:cc","rom_version":"v1.0.5t45772(a)"}, '
            b'"meta": {"Authorization": "token ' + KEY.encode() + b'"}}\n')
IDENTIFY = (b'{"nonce": 55, "path": "/v1/device/identify", "method": "GET","meta": {"Authorization": "token '
            + KEY.encode() + b'"}}\n')
PING = b'{"path": "/v1/ping/", "method": "POST","meta": {"Authorization": "token ' + KEY.encode() + b'"}}\n'
SUCCESS = (b'{"path": "/v1/messages/", "method": "POST", "meta": {"Authorization": "token ' + KEY.encode()
           + b'"},"get":{"action":"device_upgrade_success"},"body":{"pre_rom_version":"v1.0.0t23701(a)",'
           b'"rom_version":"v1.0.1t23701(a)"}}\n')
UPGRADE = {"body": {}, "get": {"action": "sys_upgrade", "version": "v1.0.1t23701(a)", "deliver_to_device": "true"},
           "meta": {}, "path": "/v1/device/rpc/", "post": {}, "method": "GET", "deliver_to_device": True}


def reaction(text, activation_nonce=None):
    """What stock firmware does with a received piece: the number of the row of the page's table, and the nonce."""
    found = re.search(r'"nonce": ([^,}\]]*)', text)
    nonce = found and int(found.group(1))
    if '"activate_status": ' in text and nonce == activation_nonce:
        return 1, nonce
    for row, word in ((2, '"action": "sys_upgrade"'), (3, '"action": "sys_reboot"'), (4, "/v1/device/timers/"),
                      (5, '"method": '), (6, "ping success"), (7, "send message success"), (8, "timers"),
                      (9, "device")):
        if word in text:
            return row, nonce
    return 0, nonce


def parsed_version(text):
    """The version as stock firmware takes it: 15 bytes from 12 characters after the word on."""
    at = text.index('"version":') + 12
    return text[at:at + 15]


def program():
    """The newest build of it."""
    found = [path for path in ROOT.glob("build/*/server/link_stand") if path.is_file()]
    return max(found, key=lambda path: path.stat().st_mtime) if found else pytest.skip("server/link_stand is not built")


class Stand:
    def __init__(self, *words):
        self.process = subprocess.Popen([program(), *map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        ports = json.loads(self.process.stdout.readline())
        self.port, self.tls_port = ports["link"], ports["link_tls"]

    def ask(self, command):
        self.send(command)
        return self.read()

    def send(self, command):
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()

    def read(self):
        return json.loads(self.process.stdout.readline())

    def until(self, command, **values):
        for _ in range(200):
            state = self.ask(command)
            if all(state[name] == value for name, value in values.items()):
                return
            time.sleep(0.05)
        assert state == values

    def link(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(20) == 0


@pytest.fixture()
def stand():
    it = Stand()
    yield it
    it.close()


def line(link):
    """One received piece; on loopback a piece is what was written at once."""
    piece = link.recv(65536)
    assert piece.endswith(b"\n") and piece.count(b"\n") == 1 and len(piece) < 1460, piece
    return piece.decode()


def closed(link):
    try:
        return link.recv(100) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("cut", [False, True], ids=["whole", "single bytes"])
def test_stock_bytes(stand, cut):
    link = stand.link()
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def say(message):
        for piece in ([message[i:i + 1] for i in range(len(message))] if cut else [message]):
            link.sendall(piece)
        return reaction(line(link))

    assert say(IDENTIFY) == (9, 55)
    assert say(PING) == (6, None)
    assert say(SUCCESS) == (7, None)
    assert say(b"\n\r\n" + PING[:-1] + b"\r\n\n")[0] == 6
    assert say(ACTIVATE) == (9, 1234567)


def test_joined_messages_are_answered_one_by_one(stand):
    link = stand.link()
    link.sendall(IDENTIFY + PING + SUCCESS + PING * 10)
    assert [reaction(line(link))[0] for _ in range(13)] == [9, 6, 7] + [6] * 10


def test_rpc_and_its_answer(stand):
    link = stand.link()
    link.sendall(IDENTIFY)
    line(link)
    stand.send(f"rpc {KEY} {json.dumps(UPGRADE)}")
    text = line(link)
    row, nonce = reaction(text)
    assert row == 2 and 0 < nonce < 2 ** 31 and parsed_version(text) == "v1.0.1t23701(a)"
    assert {**json.loads(text), "nonce": 0} == {**UPGRADE, "nonce": 0}
    assert text.startswith(f'{{"nonce": {nonce}, ')
    link.sendall(b'{"status": 200, "nonce": %d, "deliver_to_device": true}\n' % nonce)
    report = stand.read()
    assert report == {"answered": 1, "answer": {"status": 200, "nonce": nonce, "deliver_to_device": True}}


def test_rpc_that_nobody_answers():
    stand = Stand("--answer-ms", 1000)
    assert stand.ask(f"rpc {KEY} {json.dumps(UPGRADE)}") == {"remote peer is disconnected": 1}
    link, other = stand.link(), stand.link()
    link.sendall(IDENTIFY)
    other.sendall(IDENTIFY.replace(KEY.encode(), OTHER.encode()))
    line(link), line(other)
    stand.send(f"rpc {KEY} {json.dumps(UPGRADE)}")
    nonce = reaction(line(link))[1]
    # Another device's answer with this nonce is nobody's.
    other.sendall(b'{"status": 200, "nonce": %d, "deliver_to_device": true}\n' % nonce)
    assert stand.read() == {"remote peer did not answer in time": 1}
    # A late one neither; the link goes on.
    link.sendall(b'{"status": 200, "nonce": %d, "deliver_to_device": true}\n' % nonce + PING)
    assert reaction(line(link))[0] == 6
    assert stand.ask(f'rpc {KEY} {{"get": {{"x": "{"y" * 1460}"}}}}') == {"the message does not fit a segment": 1}
    assert stand.ask(f'tell {KEY} {{"get": {{"action": "sys_reboot"}}}}') == {"sent; no answer is expected": 1}
    assert reaction(line(link))[0] == 3
    stand.send(f"rpc {KEY} {json.dumps(UPGRADE)}")
    line(link)
    link.close()
    assert stand.read() in ({"remote peer disconnected before it answered": 1},
                            {"remote peer did not answer in time": 1})
    stand.close()


def test_no_two_messages_at_once(stand):
    """Messages for one device come as pieces of their own, also when they are ordered at once."""
    link = stand.link()
    link.sendall(IDENTIFY)
    line(link)
    for _ in range(3):
        stand.send(f"tell {KEY} {json.dumps(UPGRADE)}")
    for _ in range(3):
        assert reaction(line(link))[0] == 2
        assert stand.read() == {"sent; no answer is expected": 1}


def test_newest_link_of_a_device_wins(stand):
    old = stand.link()
    old.sendall(IDENTIFY)
    line(old)
    new = stand.link()
    new.sendall(IDENTIFY)
    assert closed(old)
    line(new)
    stand.until("stats", links=1, devices=1)
    new.close()
    stand.until("events", messages=2, opened=2, closed=1, pings=0)


FAULTS = {
    "not JSON": b"GET / HTTP/1.1\r\n",
    "a list": b"[1,2]\n",
    "a number": b"5\n",
    "cut": b'{"path": "/v1/ping/"\n',
    "member twice": b'{"path": "/v1/ping/", "path": "/v1/messages/"}\n',
    "two in a line": b'{"path": "/v1/ping/"}{"path": "/v1/ping/"}\n',
    "NUL": b'{"path": "/v1/\x00ping/"}\n',
    "not UTF-8": b'{"path": "/v1/\xff\xfe"}\n',
    "path a number": b'{"path": 5}\n',
    "meta a list": b'{"path": "/v1/ping/", "meta": []}\n',
    "get a text": b'{"path": "/v1/messages/", "method": "POST", "get": "x"}\n',
    "body null": b'{"path": "/v1/messages/", "method": "POST", "body": null}\n',
    "nonce a text": b'{"path": "/v1/ping/", "nonce": "5"}\n',
    "nonce below 0": b'{"path": "/v1/ping/", "nonce": -1}\n',
    "nonce too large": b'{"path": "/v1/ping/", "nonce": 2147483648}\n',
    "nonce beyond 64 bits": b'{"path": "/v1/ping/", "nonce": 99999999999999999999999}\n',
    "nonce a fraction": b'{"path": "/v1/ping/", "nonce": 1.5}\n',
    "neither path nor status": b'{"nonce": 5}\n',
    "status without nonce": b'{"status": 200}\n',
    "deep": b'{"get": ' + b"[" * 2000 + b"]" * 2000 + b"}\n",
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_answered_and_does_no_harm(stand, name):
    link = stand.link()
    link.sendall(IDENTIFY)
    line(link)
    link.sendall(FAULTS[name])
    answer = line(link)
    assert json.loads(answer)["status"] == 400
    assert reaction(answer)[0] == 0, "stock firmware would act on this"
    link.sendall(PING)
    assert reaction(line(link))[0] == 6


def test_eight_faults_close(stand):
    link = stand.link()
    for _ in range(8):
        link.sendall(b"x\n")
    while not closed(link):
        pass


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_line_that_is_too_long_closes(stand, end):
    link = stand.link()
    link.sendall(b"{" + b" " * 4096 + end)
    assert closed(link)
    stand.until("stats", refused=1, links=0)


def test_wrong_key(stand):
    link = stand.link()
    for bad in (b"", b"x" * 39, b"x" * 41, b"x" * 3000):
        link.sendall(IDENTIFY.replace(KEY.encode(), bad))
        answer = line(link)
        assert json.loads(answer)["status"] == 403 and reaction(answer) == (0, 55)
    assert stand.ask("events")["opened"] == 0


def test_times_out():
    """A link that never says who it is, and one that falls silent, are closed."""
    stand = Stand("--identify-ms", 100, "--idle-ms", 300)
    stranger, device = stand.link(), stand.link()
    device.sendall(IDENTIFY)
    line(device)
    assert closed(stranger) and closed(device)
    stand.until("stats", links=0, devices=0)
    stand.close()


def test_slow_reader_is_bounded():
    """Who asks and does not read the answers is slowed down by TCP, costs no memory, and is closed after a while."""
    stand = Stand("--stuck-ms", 300)
    link = socket.socket()
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    link.connect(("127.0.0.1", stand.port))
    link.settimeout(20)
    try:
        link.sendall(IDENTIFY)
        for _ in range(200000):
            link.sendall(PING)
        pytest.fail("took everything")
    except (ConnectionResetError, BrokenPipeError):
        pass
    stand.until("stats", links=0)
    stand.close()


def certificate(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "key.pem", "-out",
                    folder / "cert.pem", "-subj", "/CN=link", "-days", "2"], check=True, stderr=subprocess.DEVNULL)
    return folder / "cert.pem", folder / "key.pem"


def s_client(stand, *words):
    """What openssl's client prints when it sends the identify message and stays until it was answered."""
    process = subprocess.Popen(["openssl", "s_client", "-quiet", "-connect", f"127.0.0.1:{stand.tls_port}", *words],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    process.stdin.write(IDENTIFY)
    process.stdin.flush()
    answer = process.stdout.readline()
    process.kill()
    process.wait()
    return answer.decode()


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    return certificate(tmp_path_factory.mktemp("tls"))


OLD = ["-tls1", "-cipher", "AES128-SHA:@SECLEVEL=0"]


def test_tls(pem):
    stand = Stand("--tls", *pem)
    assert reaction(s_client(stand, "-tls1_2")) == (9, 55)
    assert reaction(s_client(stand, "-tls1_3")) == (9, 55)
    assert s_client(stand, *OLD) == ""
    context = ssl.create_default_context(cafile=pem[0])
    context.check_hostname = False
    with context.wrap_socket(socket.create_connection(("127.0.0.1", stand.tls_port), timeout=20)) as link:
        for byte in IDENTIFY:
            link.sendall(bytes([byte]))
        assert reaction(line(link)) == (9, 55)
        link.sendall(PING * 12)
        for _ in range(12):
            assert reaction(line(link))[0] == 6
    # Plain bytes at the port of TLS.
    with socket.create_connection(("127.0.0.1", stand.tls_port), timeout=20) as link:
        link.sendall(IDENTIFY)
        while not closed(link):
            pass
    stand.until("stats", links=0)
    stand.close()


def test_old_tls_only_when_configured(pem):
    stand = Stand("--tls", *pem, "--old-tls")
    assert reaction(s_client(stand, *OLD)) == (9, 55)
    assert reaction(s_client(stand, "-tls1_1", "-cipher", "AES256-SHA:@SECLEVEL=0")) == (9, 55)
    assert reaction(s_client(stand, "-tls1_3")) == (9, 55)
    stand.close()


def test_wrong_files_are_named(tmp_path):
    run = subprocess.run([program(), "--tls", tmp_path / "none.pem", tmp_path / "key.pem"], capture_output=True,
                         stdin=subprocess.DEVNULL, check=False)
    assert run.returncode == 1 and b"none.pem" in run.stderr


def test_many_links_come_and_go(stand):
    """A thousand links that identify and half of which break off: counts agree, the rest works."""
    links = []
    for i in range(1000):
        link = stand.link()
        link.sendall(IDENTIFY.replace(KEY.encode(), b"%040d" % i))
        links.append(link)
    for link in links:
        line(link)
    stand.until("stats", links=1000, devices=1000)
    for link in links[::2]:
        link.close()
    stand.until("stats", links=500, devices=500)
    stand.send(f"all {json.dumps(UPGRADE)}")
    for link in links[1::2]:
        nonce = reaction(line(link))[1]
        link.sendall(b'{"status": 200, "nonce": %d, "deliver_to_device": true}\n' % nonce)
    assert stand.read()["answered"] == 500
    for link in links[1::2]:
        link.close()
    stand.until("events", messages=1000, opened=1000, closed=1000, pings=0)
