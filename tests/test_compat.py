"""Goal: devices built for Espressif's cloud, for OTAdrive, with ESPhttpUpdate or with esp_https_ota update from this server
as their documents say, and stock clients understand every answer.

Method: the procedures of the documents step by step, with the documents' own command lines and packets, against the
program; what is sent is what the libraries send (stock.py), whole and cut into single bytes; what comes back is judged
by what each client does with it. curl reaches the documents' hosts by its configuration file, so that its command lines
are untouched. The device link has its own tests beside these: test_link.py.
"""
import gzip
import hashlib
import json
import re
import socket
import ssl
import subprocess
import time
from urllib.parse import quote

import pytest

import images
import stock
from daemon import Daemon, administrator, first_token
from test_link import closed, line, parsed_version, reaction
from test_server import find_server

CUTS = pytest.mark.parametrize("cut", [False, True], ids=["whole", "single bytes"])


class Fleet:
    """The server with an administrator, and short words for what the tests order."""

    def __init__(self, data):
        secret = first_token(find_server(), data)
        self.daemon = Daemon(find_server(), data)
        self.daemon.wait()
        self.token = administrator(self.daemon, secret)
        self.call = self.daemon.client(self.token)
        self.port = self.daemon.ports["http"]
        self.made = 0

    def product(self, **fields):
        self.made += 1
        return self.call("POST", "/api/v1/products", {"name": f"product-{self.made}", **fields})

    def upload(self, product, image, part=None):
        return self.call("POST", f"/api/v1/products/{product['id']}/images{f'?part={part}' if part else ''}", image)

    def release(self, product, version, current=True, **parts):
        found = {part: self.upload(product, image, part if part == "filesystem" else None)["sha256"]
                 for part, image in parts.items()}
        return self.call("POST", f"/api/v1/products/{product['id']}/releases",
                         {"version": version, "images": found, "current": current})

    def device(self, product, **fields):
        return self.call("POST", f"/api/v1/products/{product['id']}/devices", fields)

    def show(self, device):
        return self.call("GET", f"/api/v1/devices/{device['id']}")

    def until(self, device, what):
        """Downloads are recorded a moment after their last byte."""
        for _ in range(200):
            shown = self.show(device)
            if what(shown):
                return shown
            time.sleep(0.05)
        raise AssertionError(shown)

    def ask(self, request, cut=False):
        return stock.ask(self.port, request, cut)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    made = Fleet(tmp_path_factory.mktemp("compat") / "data")
    yield made
    made.daemon.stop()


def state(shown):
    return shown["update"] and shown["update"]["state"]


# --- Espressif's cloud ---------------------------------------------------------------------------

OLD, NEW = "v1.0.0t23701(a)", "v1.0.1t23701(a)"
USER = {version: {f"user{slot}": images.user_image(slot, 0x40201010 + 0x80000 * (slot - 1), size=size) for slot in (1, 2)}
        for version, size in ((OLD, 0x2000), (NEW, 0x3000))}
# The documents' command lines.
UPGRADE = ("curl -X GET -H \"Content-Type:application/json\" -H \"Authorization: token HERE_IS_THE_OWNER_KEY\" "
           "'http://iot.espressif.cn/v1/device/rpc/?deliver_to_device=true&action=sys_upgrade&version=v1.0.1t23701(a)'")
REBOOT = ("curl -X GET -H \"Content-Type:application/json\" -H \"Authorization: token HERE_IS_THE_OWNER_KEY\" "
          "'http://iot.espressif.cn/v1/device/rpc/?deliver_to_device=true&action=sys_reboot'")
# The documents' packets, as a device gets and sends them.
TOLD_UPGRADE = ('{"body": {}, "nonce": 855881582, "get": {"action": "sys_upgrade", "version": "v1.0.1t23701(a)", '
                '"deliver_to_device": "true"}, "token": "HERE_IS_THE_OWNER_KEY", "meta": {"Authorization": '
                '"token HERE_IS_THE_OWNER_KEY"}, "path": "/v1/device/rpc/", "post": {}, "method": "GET", '
                '"deliver_to_device": true}')
TOLD_REBOOT = ('{"body": {}, "nonce": 856543282, "get": {"action": "sys_reboot", "deliver_to_device": "true"}, "token": '
               '"HERE_IS_THE_OWNER_KEY", "meta": {"Authorization": "token HERE_IS_THE_OWNER_KEY"}, "path": '
               '"/v1/device/rpc/", "post": {}, "method": "GET", "deliver_to_device": true}')
FINISHED = ('{"path": "/v1/messages/", "method": "POST", "meta": {"Authorization": "token HERE_IS_THE_MASTER_DEVICE_KEY"},'
            '"get":{"action":"device_upgrade_success"},"body":{"pre_rom_version":"v1.0.0t23701(a)",'
            '"rom_version":"v1.0.1t23701(a)"}}')
ACTIVATE = ('{"nonce": 1234567,"path": "/v1/device/activate/", "method": "POST", "body": {"encrypt_method": "PLAIN", '
            '"token": "ACTIVATION", "bssid": "18:fe:34:aa:bb:cc","rom_version":"v1.0.0t23701(a)"}, "meta": {"Authorization": '
            '"token HERE_IS_THE_MASTER_DEVICE_KEY"}}')
IDENTIFY = ('{"nonce": 55, "path": "/v1/device/identify", "method": "GET","meta": {"Authorization": '
            '"token HERE_IS_THE_MASTER_DEVICE_KEY"}}')


class Plug:
    """A stock device on its link."""

    def __init__(self, fleet, key, cut=False, tls=None):
        self.key, self.cut = key, cut
        self.link = stock.connect(fleet.daemon.ports["link_tls" if tls else "link"])
        if tls:
            self.link = tls.wrap_socket(self.link)

    def say(self, message):
        message = message.replace("HERE_IS_THE_MASTER_DEVICE_KEY", self.key).encode() + b"\n"
        for piece in [message[i:i + 1] for i in range(len(message))] if self.cut else [message]:
            self.link.sendall(piece)

    def hear(self):
        return line(self.link)

    def acknowledge(self, text):
        self.say('{"status": 200, "nonce": %d, "deliver_to_device": true}' % reaction(text)[1])


@pytest.fixture()
def cloud(fleet, tmp_path):
    """curl that finds iot.espressif.cn at this server; its configuration is not the command's business."""
    (tmp_path / ".curlrc").write_text(f'connect-to = "iot.espressif.cn:80:127.0.0.1:{fleet.port}"\nsilent\nshow-error\n')

    def run(command, key):
        return subprocess.Popen(["sh", "-c", command.replace("HERE_IS_THE_OWNER_KEY", key)], stdout=subprocess.PIPE,
                                env={"PATH": "/usr/bin:/bin", "CURL_HOME": str(tmp_path), "HOME": str(tmp_path)})
    return run


def outcome(process):
    text = process.communicate(timeout=60)[0]
    assert process.returncode == 0
    return json.loads(text)


def rest(fleet, method, path, key, body=None):
    """A request of an app or a curl user: (status, JSON)."""
    answer = fleet.daemon.client().raw(method, path, body, {"Authorization": f"token {key}"})
    value = json.loads(answer[2])
    assert value["status"] == answer[0]
    return value


def same_packet(told, document):
    """All members of the document's packet but the owner's keys, which a device has no use for."""
    want = json.loads(document)
    del want["token"]
    return {**json.loads(told), "nonce": 0, "meta": {}} == {**want, "nonce": 0, "meta": {}}


@CUTS
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_espressif_steps_1_to_9(fleet, cloud, cut, tls):
    product = fleet.product(kind="nonos", chip="esp8266", map=2, ptype=23701, consent="ask_download")
    fleet.release(product, OLD, **USER[OLD])
    device = fleet.device(product, serial="0001")
    assert re.fullmatch("[0-9a-f]{40}", device["device_key"])
    context = None
    if tls:
        context = ssl.create_default_context(cafile=fleet.daemon.data / "tls" / "ca.crt")
        context.check_hostname = False
    plug = Plug(fleet, device["device_key"], cut, context)
    # 1. During activation the device uploads its version, and the token that the app made up.
    app_token = hashlib.sha1(device["id"].encode()).hexdigest()
    plug.say(ACTIVATE.replace("ACTIVATION", app_token))
    told = plug.hear()
    assert reaction(told, activation_nonce=1234567) == (1, 1234567) and '"activate_status": 1' in told
    assert fleet.show(device)["version"] == OLD
    user = rest(fleet, "POST", "/v1/user/login/", "",
                b'{"email": "ada", "password": "correct horse battery", "remember": 1}')["key"]["token"]
    owner = rest(fleet, "POST", "/v1/key/authorize/?query_devices_mesh=true", user,
                 json.dumps({"token": app_token}).encode())["key"]["token"]
    # 2. Normal usage.
    plug.say(IDENTIFY)
    assert reaction(plug.hear()) == (9, 55)
    fleet.until(device, lambda shown: shown["online"])
    shown = rest(fleet, "GET", "/v1/device/", owner)["device"]
    assert (shown["rom_version"], shown["latest_rom_version"]) == (OLD, OLD)
    # 3. New firmware is uploaded and set as current; the owner is told.
    fleet.release(product, NEW, **USER[NEW])
    shown = rest(fleet, "GET", "/v1/device/", owner)["device"]
    assert (shown["rom_version"], shown["latest_rom_version"]) == (OLD, NEW)
    request = cloud(UPGRADE, owner)
    told = plug.hear()
    assert reaction(told)[0] == 2 and parsed_version(told) == NEW and same_packet(told, TOLD_UPGRADE)
    plug.acknowledge(told)
    assert outcome(request) == {"status": 200, "nonce": reaction(told)[1], "deliver_to_device": True}
    # 4. The device asks for the file of the slot that it does not run; 5. and downloads it.
    head = fleet.ask(stock.nonos("HEAD", NEW, "user2.bin", device["device_key"], connection="close"), cut)
    assert stock.nonos_takes(head) == len(USER[NEW]["user2"])
    rom = fleet.ask(stock.nonos("GET", NEW, "user2.bin", device["device_key"]), cut)
    assert stock.nonos_takes(rom) == len(USER[NEW]["user2"]) and rom.body == USER[NEW]["user2"]
    changing = ("Date", "Connection", "X-Pad")
    assert [h for h in head.headers if h[0] not in changing] == [h for h in rom.headers if h[0] not in changing]
    fleet.until(device, lambda shown: state(shown) == "downloaded")
    assert fleet.show(device)["slot"] == "user1"
    # 6. It says that it has finished.
    plug.say(FINISHED)
    assert reaction(plug.hear()) == (7, None)
    # 7. The app is told.
    shown = rest(fleet, "GET", "/v1/device/", owner)["device"]
    assert shown["rom_version"] == shown["latest_rom_version"] == NEW
    listed = rest(fleet, "GET", "/v1/user/devices/?list_by_group=true&query_devices_mesh=true", user)
    assert NEW in [one["rom_version"] for group in listed["deviceGroups"] for one in group["devices"]]
    assert fleet.show(device)["version"] == OLD  # the server itself does not mix up what runs and what lies there
    # 8. The user decides; 9. the device is told.
    request = cloud(REBOOT, owner)
    told = plug.hear()
    assert reaction(told)[0] == 3 and same_packet(told, TOLD_REBOOT)
    assert outcome(request)["status"] == 200
    plug.link.close()
    again = Plug(fleet, device["device_key"], cut, context)
    again.say(IDENTIFY)
    assert reaction(again.hear()) == (9, 55)
    shown = fleet.until(device, lambda shown: shown["version"] == NEW)
    assert state(shown) == "running"
    again.link.close()


def test_espressif_owner_declines_nothing_happens(fleet, cloud):
    """Without the owner's word nothing is sent to the device, and it cannot fetch what it was not offered."""
    product = fleet.product(kind="nonos", chip="esp8266", map=2, ptype=23701, consent="ask_download")
    fleet.release(product, OLD, **USER[OLD])
    device = fleet.device(product)
    plug = Plug(fleet, device["device_key"])
    plug.say(ACTIVATE)
    plug.hear()
    fleet.release(product, NEW, **USER[NEW])
    plug.say('{"path": "/v1/ping/", "method": "POST","meta": {"Authorization": "token HERE_IS_THE_MASTER_DEVICE_KEY"}}')
    assert reaction(plug.hear())[0] == 6
    assert stock.nonos_takes(fleet.ask(stock.nonos("GET", NEW, "user2.bin", device["device_key"]))) is None
    assert stock.nonos_takes(fleet.ask(stock.nonos("HEAD", NEW, "user2.bin", device["device_key"]))) is None
    plug.link.close()


def test_devices_of_another_server_keep_their_keys(fleet):
    """Their key lies in their flash since years."""
    product = fleet.product(kind="nonos", chip="esp8266", map=2, ptype=23701)
    key = hashlib.sha1(b"made in 2015").hexdigest()
    device = fleet.device(product, device_key=key)
    assert device["device_key"] == key
    plug = Plug(fleet, key)
    plug.say(IDENTIFY)
    assert reaction(plug.hear()) == (9, 55)
    plug.link.close()
    for wrong, status in ((key, 409), (key.upper(), 422), (key[1:], 422), ("g" * 40, 422), (5, 422)):
        answer = fleet.call.raw("POST", f"/api/v1/products/{product['id']}/devices", json.dumps({"device_key": wrong}),
                                {"Content-Type": "application/json"})
        assert answer[0] == status and json.loads(answer[2])["error"]["field"] == "device_key", answer


def test_espressif_answers_of_rpc(fleet, cloud):
    product = fleet.product(kind="nonos", chip="esp8266", map=2, ptype=23701)
    device = fleet.device(product)
    unknown = outcome(cloud(REBOOT, "0" * 40))
    assert unknown == {"message": "devicekey not exists", "status": 500}
    fleet.call("POST", "/api/v1/devices/claim", {"code": device["claim_code"]})
    owner = fleet.call("POST", "/api/v1/tokens", {"name": "o", "kind": "owner_key", "device": device["id"]})["token"]
    assert outcome(cloud(REBOOT, owner)) == {"message": "remote peer is disconnected", "status": 404}
    plug = Plug(fleet, device["device_key"])
    plug.say(IDENTIFY)
    plug.hear()
    fleet.until(device, lambda shown: shown["online"])
    # Any other action goes to the device as it is, and its answer comes back.
    request = cloud("curl -H 'Authorization: token HERE_IS_THE_OWNER_KEY' 'http://iot.espressif.cn/v1/device/rpc/"
                    "?deliver_to_device=true&action=set_light&freq=50&name=v1.0+a'", owner)
    told = plug.hear()
    assert json.loads(told)["get"] == {"deliver_to_device": "true", "action": "set_light", "freq": "50", "name": "v1.0+a"}
    plug.say('{"status": 200, "datapoint": {"x": 1}, "nonce": %d, "deliver_to_device": true}' % reaction(told)[1])
    assert outcome(request)["datapoint"] == {"x": 1}
    # A version that there is not.
    refused = outcome(cloud(UPGRADE, owner))
    assert refused["status"] in (404, 409, 422) and refused["message"]
    plug.link.close()


def test_espressif_answers_as_the_cloud_did(fleet):
    """Status and body of every route that people and apps use, for keys that open nothing and for bodies without sense."""
    product = fleet.product(kind="nonos", chip="esp8266", map=2, ptype=23701)
    device = fleet.device(product)
    unknown = {"message": "devicekey not exists", "status": 500}
    for key in ("", "0" * 40, device["device_key"].upper(), device["device_key"][:-1]):
        for path in ("/v1/device/rpc/?deliver_to_device=true&action=sys_reboot", "/v1/device/", "/v1/device/?query_device_mesh=true",
                     "/v1/device/rom/", "/v1/device/rom/?is_format_simple=true"):
            assert rest(fleet, "GET", path, key) == unknown, path
        for method, path, body in (("GET", "/v1/user/devices/", None), ("POST", "/v1/key/authorize/", b'{"token": "x"}')):
            assert rest(fleet, method, path, key, body) == {"message": "this key is not known", "status": 401}
    assert rest(fleet, "GET", "/v1/device/rpc/?deliver_to_device=true&action=sys_reboot", device["device_key"]) == unknown
    for method, body in (("GET", None), ("POST", b"{}")):
        assert rest(fleet, method, "/v1/ping/", "", body) == {"message": "ping success", "status": 200}
    user = rest(fleet, "POST", "/v1/user/login/", "", b'{"email": "ada", "password": "correct horse battery"}')
    assert user["status"] == 200 and user["user"]["username"] == "ada"
    user = user["key"]["token"]
    for body, status in ((b"", 400), (b"[]", 400), (b'{"token": 5}', 422), (b"{}", 422), (b'{"token": "unheard"}', 404)):
        assert rest(fleet, "POST", "/v1/key/authorize/", user, body)["status"] == status, body
    for body, status in ((b"{", 400), (b'{"email": "ada"}', 422), (b'{"email": "ada", "password": 1}', 422)):
        assert rest(fleet, "POST", "/v1/user/login/", "", body)["status"] == status, body
    assert rest(fleet, "GET", "/v1/device/", user)["status"] == 422  # a user's key has to say which device
    for path in ("/v1/user/join/", "/v1/key/share/", "/v1/key/?method=DELETE"):
        assert rest(fleet, "POST", path, user, b"{}")["status"] == 403
    owner = fleet.call("POST", "/api/v1/devices/claim", {"code": device["claim_code"]})
    assert owner["id"] == device["id"]
    owner = fleet.call("POST", "/api/v1/tokens", {"name": "o", "kind": "owner_key", "device": device["id"]})["token"]
    for query in ("", "?action=sys_reboot", "?deliver_to_device=true", "?deliver_to_device=false&action=sys_reboot"):
        assert rest(fleet, "GET", f"/v1/device/rpc/{query}", owner)["status"] == 422, query
    # A download is refused without a body: stock firmware takes any length for the file's.
    for query in ("?action=download_rom", "?action=download_rom&version=v1.0.0t23701(a)", "?action=other"):
        answer = fleet.daemon.client().raw("GET", f"/v1/device/rom/{query}", None, {"Authorization": f"token {device['device_key']}"})
        assert (answer[0], answer[1]["Content-Length"], answer[2]) == (400, "0", b""), query


def ordered(fleet, product, version):
    """A device that never said what it runs gets what an operator orders."""
    device = fleet.device(product)
    fleet.call("POST", f"/api/v1/devices/{device['id']}/update", {"version": version})
    return device


@CUTS
@pytest.mark.parametrize("quirk", [NEW + '"', NEW + '")', "v1.0.1t23701%28a%29"])
def test_rom_download_takes_the_version_as_devices_spell_it(fleet, cut, quirk):
    product = fleet.product(kind="nonos", chip="esp8266", map=2, ptype=23701)
    fleet.release(product, NEW, **USER[NEW])
    key = ordered(fleet, product, NEW)["device_key"]
    for protocol in ("HTTP/1.0", "HTTP/1.1"):
        for file in ("user1", "user2"):
            answer = fleet.ask(stock.nonos("GET", quirk.replace('"', "%22"), f"{file}.bin", key, protocol=protocol), cut)
            assert stock.nonos_takes(answer) and answer.body == USER[NEW][file]


@pytest.mark.parametrize("version, file, key", [
    (NEW, "user3.bin", None), (NEW, "../user1.bin", None), ("v9.9.9t23701(a)", "user1.bin", None), (NEW, "user1.bin", "0" * 40),
    (NEW, "user1.bin", ""), (OLD, "user1.bin", None)])
def test_rom_download_refuses_without_a_length(fleet, version, file, key):
    product = fleet.product(kind="nonos", chip="esp8266", map=2, ptype=23701)
    fleet.release(product, OLD, **USER[OLD])
    fleet.release(product, NEW, **USER[NEW])
    right = ordered(fleet, product, NEW)["device_key"]
    assert stock.nonos_takes(fleet.ask(stock.nonos("HEAD", NEW, "user1.bin", right)))
    for method in ("HEAD", "GET"):
        assert stock.nonos_takes(fleet.ask(stock.nonos(method, version, file, right if key is None else key))) is None


def test_rom_header_is_one_segment_and_the_tail_has_its_crc(fleet):
    """The library wants the whole header in what it gets first, and four bytes at least in what it gets last."""
    product = fleet.product(kind="nonos", chip="esp8266", map=2, ptype=23701)
    fleet.release(product, NEW, **USER[NEW])
    key = ordered(fleet, product, NEW)["device_key"]
    for method in ("HEAD", "GET"):
        with stock.connect(fleet.port) as link:
            link.sendall(stock.nonos(method, NEW, "user1.bin", key).replace("\n", "\r\n").encode())
            first = link.recv(1460)
            assert first.startswith(b"HTTP/1.") and b"\r\n\r\n" in first
    # Images and headers are of whole words, and so is then the last of segments of 1460 bytes, or of 536.
    assert len(USER[NEW]["user1"]) % 4 == 0
    for protocol in ("HTTP/1.0", "HTTP/1.1"):
        for connection in ("close", "keep-alive", "Keep-Alive", "Close"):
            answer = fleet.ask(stock.nonos("GET", NEW, "user1.bin", key, connection=connection, protocol=protocol))
            header = "\r\n".join([answer.line, *(f"{name}: {value}" for name, value in answer.headers), "", ""])
            assert len(header) % 4 == 0, header


def test_at_firmware_finds_its_version_and_file(fleet):
    """AT+CIUPDATE: the name in quotes after this very text, of 11 characters at most; then the download by HTTP/1.1."""
    product = fleet.product(kind="nonos", chip="esp8266", map=2, ptype=7)
    version = "v1.0.1t7(a)"
    fleet.release(product, version, **USER[NEW])
    key = ordered(fleet, product, version)["device_key"]
    query = stock.nonos("GET", NEW, "x", key)
    query = re.sub(r"GET \S+", "GET /v1/device/rom/?is_format_simple=true", query)
    answer = fleet.ask(query)
    found = re.search(r'recommended_rom_version": "([^"]*)"', answer.body.decode())
    assert answer.status == 200 and found[1] == version and b"files" not in answer.body
    whole = json.loads(fleet.ask(query.replace("?is_format_simple=true", "")).body)
    assert whole["productRoms"][0]["files"] == [{"name": "user1.bin"}, {"name": "user2.bin"}]
    rom = fleet.ask(stock.nonos("GET", version, "user2.bin", key, protocol="HTTP/1.1"))
    assert rom.body == USER[NEW]["user2"]


# --- ESPhttpUpdate and HTTPUpdate ----------------------------------------------------------------

SKETCH = images.arduino(irom=bytes(range(256)) * 600)
APP = images.esp32()


def arduino(fleet, kind="arduino", **fields):
    return fleet.product(kind=kind, chip="esp8266", **{"strangers": "admit", **fields})


@CUTS
def test_esphttpupdate_installs_then_is_content(fleet, cut):
    product = arduino(fleet)
    path = f"/update/{product['key']}"
    assert stock.updates(fleet.ask(stock.esp8266(path), cut)) in ((1, 0), (0, -102))  # no release yet
    fleet.release(product, "2.0.0", app=SKETCH)
    answer = fleet.ask(stock.esp8266(path, "1.0.0"), cut)
    assert stock.updates(answer) == (2, 0) and answer.body == SKETCH and answer.closed
    assert answer.get("x-MD5") == hashlib.md5(SKETCH).hexdigest() and answer.get("x-version") == "2.0.0"
    assert answer.get("Content-Type") == "application/octet-stream"
    answer = fleet.ask(stock.esp8266(path, "2.0.0"), cut)
    assert stock.updates(answer) == (1, 0) and answer.body == b"" and answer.closed
    device = fleet.call("GET", f"/api/v1/devices?product={product['id']}")["items"][0]
    assert (device["mac"], device["version"], device["chip_id"]) == ("de:ba:7a:b1:e0:42", "2.0.0", "15602487")
    assert fleet.until(device, lambda shown: shown["history"][0]["state"] in ("running", "healthy"))


@CUTS
def test_httpupdate_of_the_esp32(fleet, cut):
    product = fleet.product(kind="arduino", chip="esp32", strangers="admit")
    fleet.release(product, "2.0.0", app=APP)
    answer = fleet.ask(stock.esp32(f"/update/{product['key']}"), cut)
    assert stock.updates(answer, chip="ESP32") == (2, 0) and answer.body == APP and answer.closed
    assert stock.updates(fleet.ask(stock.esp32(f"/update/{product['key']}", "2.0.0"), cut)) == (1, 0)


def test_esphttpupdate_modes(fleet):
    """`version` is answered with a header alone, `spiffs` with the image of the file system."""
    product = arduino(fleet)
    path = f"/update/{product['key']}"
    files = bytes(range(256)) * 64
    fleet.release(product, "2.0.0", app=SKETCH, filesystem=files)
    answer = fleet.ask(stock.esp8266(path, "1.0.0", "version"))
    assert answer.status == 200 and answer.get("x-version") == "2.0.0" and answer.body == b""
    answer = fleet.ask(stock.esp8266(path, "2.0.0", "version"))
    assert answer.status == 200 and answer.get("x-version") == "2.0.0"
    answer = fleet.ask(stock.esp8266(path, "1.0.0", "spiffs"))
    assert answer.status == 200 and answer.body == files and answer.get("x-MD5") == hashlib.md5(files).hexdigest()


@pytest.mark.parametrize("facts, why", [
    ({"free": 4096}, "does not fit"), ({"chip_size": 1 << 19}, "flash is too small"), ({"sketch_md5": "SKETCH"}, "runs it"),
])
def test_esphttpupdate_gets_nothing_that_it_could_not_install(fleet, facts, why):
    product = arduino(fleet)
    fleet.release(product, "2.0.0", app=SKETCH)
    facts = {name: hashlib.md5(SKETCH).hexdigest() if value == "SKETCH" else value for name, value in facts.items()}
    assert stock.updates(fleet.ask(stock.esp8266(f"/update/{product['key']}", "1.0.0", **facts))) == (1, 0), why


def test_another_chip_gets_nothing(fleet):
    product = fleet.product(kind="arduino", chip="esp32", strangers="admit")
    fleet.release(product, "2.0.0", app=APP)
    assert stock.updates(fleet.ask(stock.esp8266(f"/update/{product['key']}"))) == (1, 0)


@pytest.mark.parametrize("unknown", [304, 401, 403, 404])
def test_the_reply_for_unknown_and_blocked_devices_is_the_products(fleet, unknown):
    blocked = {304: 403, 401: 304, 403: 404, 404: 401}[unknown]
    codes = {304: (1, 0), 401: (0, -108), 403: (0, -103), 404: (0, -102)}
    product = arduino(fleet, strangers="refuse", reply_unknown=unknown, reply_blocked=blocked)
    fleet.release(product, "2.0.0", app=SKETCH)
    path = f"/update/{product['key']}"
    assert stock.updates(fleet.ask(stock.esp8266(path))) == codes[unknown]
    # Held until an operator admits it.
    product = fleet.call("PATCH", f"/api/v1/products/{product['id']}", {"strangers": "hold"})
    for _ in range(2):
        answer = fleet.ask(stock.esp8266(path))
        assert stock.updates(answer) == codes[unknown] and answer.body == b""
    device = fleet.call("GET", f"/api/v1/devices?product={product['id']}")["items"][0]
    assert device["standing"] == "new"
    fleet.call("POST", f"/api/v1/devices/{device['id']}/block", {"blocked": True})
    assert stock.updates(fleet.ask(stock.esp8266(path))) == codes[blocked]
    fleet.call("POST", f"/api/v1/devices/{device['id']}/block", {"blocked": False})
    assert stock.updates(fleet.ask(stock.esp8266(path))) == (2, 0)


def test_the_very_next_check_sees_a_change(fleet):
    """What is remembered of a device for which there was nothing ends with the answer to the change."""
    product = arduino(fleet)
    fleet.release(product, "1.0.0", app=SKETCH)
    path = f"/update/{product['key']}"

    def ask():
        return fleet.ask(stock.esp8266(path, "1.0.0")).status

    assert [ask() for _ in range(3)] == [304] * 3
    device = fleet.call("GET", f"/api/v1/devices?product={product['id']}")["items"][0]
    for _ in range(20):
        fleet.call("POST", f"/api/v1/devices/{device['id']}/block", {"blocked": True})
        assert ask() == product["reply_blocked"]
        fleet.call("POST", f"/api/v1/devices/{device['id']}/block", {"blocked": False})
        assert ask() == 304
    fleet.release(product, "2.0.0", app=SKETCH)
    assert ask() == 200
    assert fleet.call("POST", f"/api/v1/products/{product['id']}/releases/2.0.0/withdraw", {}) is not None
    assert ask() == 304


@pytest.mark.parametrize("key", ["0" * 36, "x", "%00", "a%2Fb"])
def test_a_wrong_product_key_is_told_nothing(fleet, key):
    answer = fleet.ask(stock.esp8266(f"/update/{key}"))
    assert answer.status in (400, 401, 404) and stock.updates(answer)[0] == 0


def test_a_device_that_fetches_without_end_is_stopped(fleet):
    """The version that is compiled in is not the one that was typed: the loop ends, and the operator is told."""
    product = arduino(fleet)
    fleet.release(product, "2.0.0", app=SKETCH)
    path = f"/update/{product['key']}"
    answers = []
    for _ in range(10):
        answers.append(stock.updates(fleet.ask(stock.esp8266(path, "1.9.9"))))
        device = fleet.call("GET", f"/api/v1/devices?product={product['id']}")["items"][0]
        fleet.until(device, lambda shown: state(shown) != "downloading")
    assert answers[0] == (2, 0) and answers[-1] == (1, 0)
    assert answers.count((2, 0)) <= 5
    explained = fleet.call("GET", f"/api/v1/devices/{device['id']}/decision")
    assert not explained["offer"] and explained["reason"]["text"]


# --- OTAdrive ------------------------------------------------------------------------------------

def marked(version, key="K" * 36):
    """A sketch with the text that OTAdrive's macro compiles in."""
    text = f"&_FirmwareInfo&k={key}&v={version}&FirmwareInfo_&".encode()
    return images.arduino(irom=(text + bytes(-len(text) % 4)).ljust(262144, b"\x5A"))


@CUTS
@pytest.mark.parametrize("path", ["/DeviceApi/update", "/deviceapi/update", "/DeviceApi/Update", "/DEVICEAPI/UPDATE"])
def test_otadrive_request_of_the_article(fleet, cut, path):
    """The article's sketch: first its device is not allowed yet, then it updates, then there is nothing newer."""
    product = arduino(fleet, "otadrive", strangers="hold", reply_unknown=401)
    image = marked("2.0.0", product["key"])
    fleet.release(product, "2.0.0", app=image)

    def request(version):
        return stock.esp8266(f"{path}?&s=15602487&_FirmwareInfo&k={product['key']}&v={version}&FirmwareInfo_&", version,
                             host="otadrive.com")

    assert stock.updates(fleet.ask(request("1.2.0"), cut)) == (0, -108)
    device = fleet.call("GET", f"/api/v1/devices?product={product['id']}")["items"][0]
    assert (device["serial"], device["standing"], device["version"]) == ("15602487", "new", "1.2.0")
    fleet.call("POST", f"/api/v1/devices/{device['id']}/block", {"blocked": False})
    answer = fleet.ask(request("1.2.0"), cut)
    assert stock.updates(answer) == (2, 0) and answer.body == image
    assert stock.updates(fleet.ask(request("2.0.0"), cut)) == (1, 0)


@CUTS
def test_otadrive_library_downloads_in_pieces(fleet, cut):
    """HEAD, 16 bytes, pieces of 131072 that say who asks in the query alone; another release does not get in between."""
    product = arduino(fleet, "otadrive")
    key = product["key"]
    image = marked("v@2.5.5")
    fleet.release(product, "v@2.5.5", app=image)
    call = f"update?k={key}&v=v@1.0.0&s=15602487"
    head = fleet.ask(stock.otadrive("HEAD", call), cut)
    md5 = hashlib.md5(image).hexdigest()
    assert stock.otadrive_reads(head) == {"status": 200, "Content-Length": str(len(image)), "X-MD5": md5, "X-Version": "v@2.5.5"}
    magic = fleet.ask(stock.otadrive("GET", call, "0-15"), cut)
    assert stock.otadrive_reads(magic) == {"status": 206, "Content-Length": "16", "X-MD5": md5, "X-Version": "v@2.5.5",
                                           "Content-Range": f"bytes 0-15/{len(image)}"}
    got = b""
    while len(got) < len(image):
        piece = fleet.ask(stock.otadrive("GET", call, f"{len(got)}-{min(len(got) + 131072, len(image)) - 1}", generic=True), cut)
        assert piece.status == 206 and piece.get("X-MD5") == md5 and piece.get("X-Version") == "v@2.5.5"
        got += piece.body
        if len(got) == 131072:
            fleet.release(product, "v@2.6.0", app=marked("v@2.6.0"))
    assert got == image
    # It says what it runs now.
    said = fleet.ask(stock.otadrive("GET", f"alive?k={key}&v=v@2.5.5&s=15602487", text=True), cut)
    assert stock.otadrive_reads(said)["status"] == 200
    device = fleet.call("GET", f"/api/v1/devices?product={product['id']}")["items"][0]
    assert device["version"] == "v@2.5.5"
    assert fleet.show(device)["history"][-1]["state"] in ("running", "healthy")


def test_otadrive_sketch_md5_ends_an_update_loop(fleet):
    product = arduino(fleet, "otadrive")
    image = marked("1.9.9")
    fleet.release(product, "2.0.0", app=image)
    call = f"update?k={product['key']}&v=1.9.9&s=1"
    request = stock.otadrive("GET", call)
    assert fleet.ask(request).status == 200
    assert fleet.ask(request.replace("6" * 32, hashlib.md5(image).hexdigest())).status == 304


@CUTS
def test_otadrive_component_of_esp_idf(fleet, cut):
    """HEAD, then pieces of 32768 bytes; its digests are in capitals."""
    product = fleet.product(kind="otadrive", chip="esp32", strangers="admit")
    fleet.release(product, "2.0.0", app=LARGE)
    headers = {"User-Agent": "OTAdrive-IDFSDK-v2.1.1", "Cache-Control": "no-cache", "x-check-sketch-md5": "1",
               "x-ESP32-sketch-md5": "AB" * 16, "x-ESP32-chip-size": "4194304", "x-ESP32-free-space": "1310720",
               "x-ESP32-sketch-size": "800000", "x-ESP32-free-heap": "200000", "x-ESP32-min-heap": "100000",
               "x-ESP32-sdk-version": "v5.1", "Accept": "application/octet-stream"}

    def ask(method, **more):
        lines = [f"{method} /deviceapi/update?k={product['key']}&v=1.0.0&s=c40a24000001 HTTP/1.1", "Host: otadrive.com"]
        return fleet.ask("\n".join([*lines, *(f"{k}: {v}" for k, v in {**headers, **more}.items()), "", ""]), cut)

    head = ask("HEAD")
    assert head.status == 200 and int(head.get("Content-Length")) == len(LARGE) and head.get("X-Version") == "2.0.0"
    got = b""
    while len(got) < len(LARGE):
        piece = ask("GET", Range=f"bytes={len(got)}-{min(len(got) + 32768, len(LARGE)) - 1}")
        assert piece.status == 206 and piece.get("Content-Range").endswith(f"/{len(LARGE)}")
        got += piece.body
    assert got == LARGE
    assert ask("HEAD", **{"x-ESP32-sketch-md5": hashlib.md5(LARGE).hexdigest().upper()}).status == 304


def test_otadrive_refusals(fleet):
    product = arduino(fleet, "otadrive")
    assert fleet.ask(stock.otadrive("GET", f"update?k={product['key']}&v=1&s=5")).status == 404  # no firmware assigned
    assert fleet.ask(stock.otadrive("GET", "update?k=" + "0" * 36 + "&v=1&s=5")).status == 401
    assert fleet.ask(stock.otadrive("GET", f"update?k={product['key']}&v=1")).status in (401, 404)
    for call in ("nothing", "resource/nothing", ""):
        assert fleet.ask(stock.otadrive("GET", f"{call}?k={product['key']}&v=1&s=5")).status == 404


# --- Files for esp_https_ota ---------------------------------------------------------------------

LARGE = images.esp32(segments=[(images.MEMORY[0][0] + 0x20, images.app_descriptor() + bytes(range(256)) * 580),
                               (images.MEMORY[0][1], bytes(64)), (images.MEMORY[0][2], bytes(range(128)) * 16)],
                     entry=images.MEMORY[0][2] + 0x400)


def idf(path, method="GET", **headers):
    lines = [f"{method} {path} HTTP/1.1", "User-Agent: ESP32 HTTP Client/1.0", "Host: 192.168.0.3:8070"]
    return "\n".join([*lines, *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()), "", ""])


@pytest.fixture(scope="module")
def hello(fleet):
    """The demos' program, as a product of the same name."""
    product = fleet.call("POST", "/api/v1/products", {"name": "hello_world", "kind": "idf", "chip": "esp32"})
    fleet.release(product, "1.0", app=LARGE)
    return product


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("path", ["/hello_world/hello_world.bin", "/hello_world/app.bin"])
def test_demo_download_by_curl(fleet, hello, tmp_path, scheme, path):
    """The demos' way to check the file: curl -v https://<host-ip-address>:<host-port>/<firmware-image-filename>"""
    trust = ["--cacert", fleet.daemon.data / "tls" / "ca.crt"] if scheme == "https" else []

    def curl(*words):
        done = subprocess.run(["curl", "-sS", "-v", *trust, *words, f"{scheme}://localhost:{fleet.port}{path}"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert done.returncode == 0, done.stderr
        return done

    done = curl()
    assert done.stdout == LARGE and f"Content-Length: {len(LARGE)}".encode() in done.stderr
    assert curl("--http1.0").stdout == LARGE
    head = curl("--head").stdout.decode()
    assert f"Content-Length: {len(LARGE)}" in head and "Accept-Ranges: bytes" in head
    etag = re.search(r'ETag: ("[^"]+")', head)[1]
    # A download that broke off goes on where it stopped, and only within the same file.
    (tmp_path / "part.bin").write_bytes(LARGE[:50000])
    curl("-C", "-", "-o", tmp_path / "part.bin")
    assert (tmp_path / "part.bin").read_bytes() == LARGE
    assert curl("-r", "1000-1999").stdout == LARGE[1000:2000]
    assert curl("-r", "-16").stdout == LARGE[-16:]
    assert curl("-r", "1000-1999", "-H", f"If-Range: {etag}").stdout == LARGE[1000:2000]
    assert curl("-r", "1000-1999", "-H", 'If-Range: "another"').stdout == LARGE
    assert b" 304 " in curl("-H", f"If-None-Match: {etag}").stderr
    # One connection for all of it.
    done = subprocess.run(["curl", "-sS", "-v", *trust, f"{scheme}://localhost:{fleet.port}{path}", "-o", tmp_path / "1",
                           "--next", *trust, "-sS", f"{scheme}://localhost:{fleet.port}{path}", "-o", tmp_path / "2"],
                          stderr=subprocess.PIPE)
    assert b"Re-using existing connection" in done.stderr and (tmp_path / "2").read_bytes() == LARGE


@CUTS
def test_esp_https_ota_fresh_with_resumption(fleet, hello, cut):
    """Its first request has a range from 0 on; anything but 206 makes it start again without."""
    answer = fleet.ask(idf("/hello_world/app.bin", Range="bytes=0-"), cut)
    assert answer.status == 206 and answer.body == LARGE
    assert answer.get("Content-Range") == f"bytes 0-{len(LARGE) - 1}/{len(LARGE)}"
    answer = fleet.ask(idf("/hello_world/app.bin", Range="bytes=1024-"), cut)
    assert answer.status == 206 and answer.body == LARGE[1024:]
    answer = fleet.ask(idf("/hello_world/app.bin", Range=f"bytes={len(LARGE)}-"), cut)
    assert answer.status == 416 and answer.get("Content-Range") == f"bytes */{len(LARGE)}"


@CUTS
def test_esp_https_ota_in_pieces_on_one_connection(fleet, hello, cut):
    """Partial mode: HEAD, pieces of 65536, the last one open at its end; also an end that lies one behind the last byte."""
    with stock.connect(fleet.port) as link:
        def say(text):
            text = text.replace("\n", "\r\n").encode()
            for piece in [text[i:i + 1] for i in range(len(text))] if cut else [text]:
                link.sendall(piece)
            return stock.receive(link, text.startswith(b"HEAD"))

        head = say(idf("/hello_world/app.bin", "HEAD"))
        assert head.status == 200 and int(head.get("Content-Length")) == len(LARGE)
        got = b""
        while len(got) < len(LARGE):
            last = len(got) + 65536 >= len(LARGE)
            answer = say(idf("/hello_world/app.bin", Range=f"bytes={len(got)}-" if last else
                             f"bytes={len(got)}-{len(got) + 65535}"))
            assert answer.status == 206
            got += answer.body
        assert got == LARGE
        answer = say(idf("/hello_world/app.bin", Range=f"bytes=65536-{len(LARGE)}"))
        assert answer.status == 206 and answer.body == LARGE[65536:]
        probe = say(idf("/hello_world/app.bin", Range="bytes=0-0"))
        assert probe.status == 206 and probe.get("Content-Range") == f"bytes 0-0/{len(LARGE)}"


def test_rtos_demo_takes_no_page_for_a_file(fleet, hello):
    """The RTOS SDK's client does not look at the status: what it must not flash does not begin like an image."""
    for path in ("/hello_world/none.bin", "/none/app.bin", "/hello_world/user1.bin"):
        answer = fleet.ask(idf(path))
        assert answer.status == 404 and answer.body[:1] != b"\xE9"


@CUTS
def test_native_ota_by_http_1_0(fleet, hello, cut):
    answer = fleet.ask("GET /hello_world/hello_world.bin HTTP/1.0\nHost: 192.168.0.3:8070\nUser-Agent: esp-idf/1.0 esp32\n\n",
                       cut)
    assert answer.status == 200 and answer.body == LARGE and answer.closed


def records(text):
    """Lengths of the records with application data that openssl's client traced."""
    return [int(high + low, 16) for high, low in re.findall(r"RecordHeader \[length 0005\]\n    17 03 0\d (\w\w) (\w\w)", text)]


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("size", [512, 1024, 2048, 4096])
def test_small_records_for_who_asks(fleet, hello, version, size):
    """Chips with little memory ask for small records (RFC 6066): none may be larger than what was agreed."""
    request = b"GET /hello_world/app.bin HTTP/1.0\r\n\r\n"
    done = subprocess.run(["openssl", "s_client", version, "-quiet", "-msg", "-maxfraglen", str(size), "-connect",
                           f"127.0.0.1:{fleet.port}"], input=request, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    text = done.stdout.decode("latin-1")
    found = records(text)
    assert len(found) > len(LARGE) // size and max(found) <= size + 64 and LARGE[-64:] in done.stdout, max(found, default=0)


# --- OTAdrive's configuration and resources -----------------------------------------------------

def test_otadrive_configuration(fleet):
    """As JSON to the byte, and as lines with dots, which the library reads in one go with the header."""
    product = arduino(fleet, "otadrive")
    query = f"k={product['key']}&v=1.0&s=77"
    assert fleet.ask(stock.otadrive("GET", f"getconfig?{query}", text=True)).status == 404
    text = ('{ "alarm": {"number": "+188", "on":true, "text": "two\\nlines\\r"},\n "every": 30, "ratio": 0.5, "off": null, '
            '"list": ["a", {"b": 2}] }').replace("\n ", "\n  ")
    status, _, body = fleet.call.raw("PUT", f"/api/v1/products/{product['id']}/config", text.replace("two\nlines\r", r"two\nlines\r"))
    assert status == 200, body
    exact = text.replace("two\nlines\r", r"two\nlines\r").encode()
    for call in ("getconfig", "config", "getjsonconfig", "GetConfig"):
        answer = fleet.ask(stock.otadrive("GET", f"{call}?{query}", text=True))
        assert stock.otadrive_reads(answer)["status"] == 200 and answer.body == exact
    answer = fleet.ask(stock.otadrive("GET", f"getconfig?plain&{query}", text=True))
    assert answer.body.decode().splitlines() == [
        "alarm.number=+188", "alarm.on=true", r"alarm.text=two\nlines\r", "every=30", "ratio=0.5", "off=", "list.0=a",
        "list.1.b=2"]
    # Header and body come in one write.
    with stock.connect(fleet.port) as link:
        link.sendall(stock.otadrive("GET", f"config?plain&k={product['key']}&s=77", text=True).replace("\n", "\r\n").encode())
        assert link.recv(65536).endswith(b"list.1.b=2\n")
    for wrong in (b"", b"[]", b"{", b'{"a":1,"a":2}', b"\xff"):
        status, _, body = fleet.call.raw("PUT", f"/api/v1/products/{product['id']}/config", wrong)
        assert status in (400, 422) and json.loads(body)["error"]["message"]
    assert fleet.ask(stock.otadrive("GET", f"config?{query}")).body == exact
    fleet.call("DELETE", f"/api/v1/products/{product['id']}/config")
    assert fleet.ask(stock.otadrive("GET", f"config?{query}")).status == 404


def test_otadrive_configuration_of_a_group(fleet):
    """A device gets that of its group; the product's when the group has none or the device is in none."""
    product, other = arduino(fleet, "otadrive"), arduino(fleet, "otadrive")
    base = f"/api/v1/products/{product['id']}"
    groups = {"kitchen": b'{"at": "kitchen"}', "bếp & nhà?": b'{ "at" : "b\xe1\xba\xbfp" }', "config": b'{"at": "a group of this name"}'}
    devices = {group: fleet.device(product, serial=f"g{i}", group=group) for i, group in enumerate([*groups, "empty", ""])}
    outside = fleet.device(other, serial="g0", group="kitchen")

    def got(device, of=product, call="getconfig?"):
        answer = fleet.ask(stock.otadrive("GET", f"{call}k={of['key']}&v=1.0&s={device['serial']}", text=True))
        return answer.body if answer.status == 200 else answer.status

    for group, text in groups.items():
        status, _, body = fleet.call.raw("PUT", f"{base}/config?group={quote(group)}", text)
        assert status == 200 and json.loads(body)["group"] == group
    assert [got(devices[group]) for group in (*groups, "empty", "")] == [*groups.values(), 404, 404]
    assert got(outside, other) == 404
    status, _, body = fleet.call.raw("PUT", f"{base}/config", b'{"at": "anywhere"}')
    assert status == 200 and json.loads(body)["group"] is None
    assert [got(devices[group]) for group in (*groups, "empty", "")] == [*groups.values(), *[b'{"at": "anywhere"}'] * 2]
    assert got(devices["kitchen"], call="config?plain&") == b"at=kitchen\n" and got(devices[""], call="config?plain&") == b"at=anywhere\n"
    listed = fleet.call("GET", f"{base}/configs")["items"]
    assert [row["group"] for row in listed] == [None, *groups]
    assert fleet.call.raw("GET", f"{base}/config?group={quote('bếp & nhà?')}")[2] == groups["bếp & nhà?"]
    # A device that is moved gets the other one; a group that loses its own gets the product's.
    fleet.call("PATCH", f"/api/v1/devices/{devices['kitchen']['id']}", {"group": "config"})
    assert got(devices["kitchen"]) == groups["config"]
    fleet.call("DELETE", f"{base}/config?group=config")
    assert got(devices["kitchen"]) == got(devices["config"]) == b'{"at": "anywhere"}'
    for path, status in (("config?group=config", 404), ("config?group=", 422), ("config?group=" + "x" * 101, 422), ("config?group=%E2%80%8B", 422)):
        assert fleet.call.raw("GET", f"{base}/{path}")[0] == status, path
        assert fleet.call.raw("DELETE", f"{base}/{path}")[0] == status, path
    assert fleet.call.raw("PUT", f"{base}/config?group=", b"{}")[0] == 422
    assert [row["group"] for row in fleet.call("GET", f"{base}/configs")["items"]] == [None, "kitchen", "bếp & nhà?"]


def test_otadrive_resources(fleet):
    product = arduino(fleet, "otadrive")
    query = f"k={product['key']}&v=1.0&s=78"
    files = {"/www/index.html": b"<html>" * 500, "/logo.png": bytes(range(256)) * 40, "/đèn.txt": b"1"}
    for path, data in files.items():
        status, _, body = fleet.call.raw("PUT", f"/api/v1/products/{product['id']}/resources{quote(path)}", data)
        assert status == 200 and "/" + json.loads(body)["path"] == path, body

    def listed():
        lines = fleet.ask(stock.otadrive("GET", f"resource/list?plain&{query}", text=True)).body.decode().splitlines()
        return {lines[i]: lines[i + 1:i + 3] for i in range(0, len(lines), 3)}

    assert {path: md5 for path, (_, md5) in listed().items()} == \
           {path: hashlib.md5(data).hexdigest() for path, data in files.items()}
    for path, (key, _) in listed().items():
        answer = fleet.ask(stock.otadrive("GET", f"resource/get?{query}&fk={key}", text=True))
        assert stock.otadrive_reads(answer)["Content-Length"] == str(len(files[path])) and answer.body == files[path]
    assert fleet.ask(stock.otadrive("GET", f"resource/get?{query}&fk=none")).status == 404
    assert fleet.ask(stock.otadrive("GET", f"resource/get?{query}")).status == 404
    # A file in the place of another; one away.
    fleet.call("PUT", f"/api/v1/products/{product['id']}/resources/logo.png", b"new")
    fleet.call("DELETE", f"/api/v1/products/{product['id']}/resources/www/index.html")
    assert set(listed()) == {"/logo.png", "/đèn.txt"} and listed()["/logo.png"][1] == hashlib.md5(b"new").hexdigest()
    items = fleet.call("GET", f"/api/v1/products/{product['id']}/resources")["items"]
    assert {"/" + item["path"] for item in items} == set(listed())


def test_otadrive_resources_of_a_group(fleet):
    """A group's file is in the place of the product's of the same path; what the group lacks is the product's."""
    product, other = arduino(fleet, "otadrive"), arduino(fleet, "otadrive")
    base = f"/api/v1/products/{product['id']}/resources"
    devices = {group: fleet.device(product, serial=f"r{i}", group=group) for i, group in enumerate(("kitchen", "bếp & nhà?", "empty", ""))}
    outside = fleet.device(other, serial="r0", group="kitchen")

    def ask(device, call, of=product):
        return fleet.ask(stock.otadrive("GET", f"resource/{call}k={of['key']}&v=1.0&s={device['serial']}", text=True))

    def got(device, of=product):
        lines = ask(device, "list?plain&", of).body.decode().splitlines()
        files = {lines[i]: ask(device, f"get?fk={lines[i + 1]}&", of).body for i in range(0, len(lines), 3)}
        listed = json.loads(ask(device, "list?", of).body)
        assert {"/" + row["path"]: row["md5"] for row in listed} == \
               {path: hashlib.md5(data).hexdigest() for path, data in files.items()}
        return files

    def put(path, data, group=None):
        query = "" if group is None else f"?group={quote(group)}"
        status, _, body = fleet.call.raw("PUT", f"{base}/{quote(path)}{query}", data)
        assert status == 200 and json.loads(body)["group"] == group, body

    put("a", b"all's a", None)
    put("b", b"all's b", None)
    put("a", b"kitchen's a", "kitchen")
    put("c", b"kitchen's c", "kitchen")
    put("a", b"other a", "bếp & nhà?")
    put("a", b"of the group's name", "a")
    everyone = {"/a": b"all's a", "/b": b"all's b"}
    kitchen = {"/a": b"kitchen's a", "/b": b"all's b", "/c": b"kitchen's c"}
    assert [got(device) for device in devices.values()] == [kitchen, {**everyone, "/a": b"other a"}, everyone, everyone]
    assert got(outside, other) == {}
    # Nobody gets by its key what is another group's, or what his own group has in its place.
    for device, data in ((devices[""], b"kitchen's c"), (devices["empty"], b"other a"), (devices["kitchen"], b"all's a"), (outside, b"all's b")):
        assert ask(device, f"get?fk={hashlib.md5(data).hexdigest()}&", other if device is outside else product).status == 404, data
    # A new one in a place is that group's alone; one away leaves the product's.
    put("a", b"kitchen's new a", "kitchen")
    assert got(devices["kitchen"])["/a"] == b"kitchen's new a" and got(devices[""]) == everyone
    rows = [(row["path"], row["group"]) for row in fleet.call("GET", base)["items"]]
    assert rows == [("a", None), ("b", None), ("a", "kitchen"), ("c", "kitchen"), ("a", "bếp & nhà?"), ("a", "a")]
    assert [(row["path"], row["group"]) for row in fleet.call("GET", f"{base}?group=kitchen")["items"]] == \
           [("b", None), ("a", "kitchen"), ("c", "kitchen")]
    fleet.call("DELETE", f"{base}/a?group=kitchen")
    assert got(devices["kitchen"]) == {**everyone, "/c": b"kitchen's c"}
    fleet.call("DELETE", f"{base}/a")
    assert got(devices["kitchen"]) == {"/b": b"all's b", "/c": b"kitchen's c"} and got(devices[""]) == {"/b": b"all's b"}
    # A device that is moved gets the other one's.
    fleet.call("PATCH", f"/api/v1/devices/{devices['']['id']}", {"group": "bếp & nhà?"})
    assert got(devices[""]) == {"/a": b"other a", "/b": b"all's b"}
    assert fleet.call.raw("DELETE", f"{base}/a?group=kitchen")[0] == 404
    for wrong in ("", "x" * 101, "%E2%80%8B"):
        assert fleet.call.raw("GET", f"{base}?group={wrong}")[0] == 422, wrong
        assert fleet.call.raw("PUT", f"{base}/b?group={wrong}", b"x")[0] == 422, wrong
        assert fleet.call.raw("DELETE", f"{base}/b?group={wrong}")[0] == 422, wrong
    assert got(devices["empty"]) == {"/b": b"all's b"}


def test_otadrive_files_are_for_admitted_devices(fleet):
    product = arduino(fleet, "otadrive", strangers="hold", reply_unknown=401)
    fleet.call.raw("PUT", f"/api/v1/products/{product['id']}/config", b"{}")
    fleet.call("PUT", f"/api/v1/products/{product['id']}/resources/a", b"a")
    key = hashlib.md5(b"a").hexdigest()
    for call in ("config?", "getconfig?plain&", "resource/list?plain&", f"resource/get?fk={key}&", "alive?"):
        assert fleet.ask(stock.otadrive("GET", f"{call}k={product['key']}&v=1&s=79")).status == 401
        assert fleet.ask(stock.otadrive("GET", f"{call}k={'0' * 36}&v=1&s=79")).status == 401


# --- Signed sketches -----------------------------------------------------------------------------

@pytest.mark.parametrize("size", [128, 256, 512])
def test_signed_sketch(fleet, size):
    """x-MD5 is that of the file as it is served; a device that runs it reports the MD5 without the signature."""
    product = arduino(fleet)
    signed = SKETCH + bytes(range(128)) * (size // 128) + size.to_bytes(4, "little")
    fleet.release(product, "2.0.0", app=signed)
    path = f"/update/{product['key']}"
    answer = fleet.ask(stock.esp8266(path))
    assert stock.updates(answer) == (2, 0) and answer.body == signed
    assert answer.get("x-MD5") == hashlib.md5(signed).hexdigest()
    # The version that is compiled in is an old one, and the MD5 tells what runs.
    answer = fleet.ask(stock.esp8266(path, "1.9.9", sketch_md5=hashlib.md5(SKETCH).hexdigest()))
    assert stock.updates(answer) == (1, 0)


def test_compressed_sketch(fleet):
    """x-MD5 of the file as it is served; what runs is the inflated one."""
    product = arduino(fleet)
    packed = gzip.compress(SKETCH, mtime=0)
    fleet.release(product, "2.0.0", app=packed)
    path = f"/update/{product['key']}"
    answer = fleet.ask(stock.esp8266(path))
    assert stock.updates(answer) == (2, 0) and answer.body == packed and answer.get("x-MD5") == hashlib.md5(packed).hexdigest()
    assert stock.updates(fleet.ask(stock.esp8266(path, "1", sketch_md5=hashlib.md5(SKETCH).hexdigest()))) == (1, 0)
