"""The examples of firmware/examples/, programs written for the vendors' own functions, against the update server.

Goal: what the vendors document is enough: a sketch, an application of ESP-IDF or of the RTOS SDK, and one of the NONOS
SDK, which know nothing of updraft, get from its server what is released, the flash holds it byte by byte where it
belongs, the chip maker's own boot loader starts it, and the next look finds nothing new. Method: each example as a
program over a flash image in a file (sim/examples/), one life of the chip at a time; products and releases by the
command line tool.
"""
import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT
from daemon import Daemon, administrator, first_token
from test_server import find_server

FOLDER = Path(os.environ.get("UPDRAFT_EXAMPLES", ROOT / "build" / "dev" / "sim" / "examples"))
KINDS = {"smart_clock": "otadrive", "http_update": "arduino", "http_update_esp32": "arduino", "https_ota_esp32": "idf",
         "https_ota-idf": "idf", "https_ota-rtos": "rtos", "native_ota-idf": "idf", "native_ota-rtos": "rtos",
         "iot_demo": "nonos"}
SKETCHES = ("smart_clock", "http_update")
PTYPE = 45772
ACTIVATE = (b'{"nonce": 1234567,"path": "/v1/device/activate/", "method": "POST", "body": {"encrypt_method": "PLAIN", '
            b'"token": "' + b"a" * 40 + b'", "bssid": "18:fe:34:aa:bb:cc","rom_version":"%(version)s"}, '
            b'"meta": {"Authorization": "token %(key)s"}}\n')
# Where the second image lies: eboot copies it over the first one; 4 MB two_ota; 1024+1024 KB.
SECOND = {"otadrive": 0, "arduino": 0, "idf": 0x210000, "rtos": 0x110000, "nonos": 0x101000}
# What an application that wrote something says when there is nothing new: the status 304, or what it made of it.
NOTHING_NEW = {"https_ota-idf": "0x7009", "https_ota-rtos": "0x102", "native_ota-idf": "304 Not Modified",
               "native_ota-rtos": "304 Not Modified", "http_update_esp32": "update: none", "https_ota_esp32": "0x7009"}
# An ESP32's image lies where ESP-IDF has it, whatever the protocol.
ESP32 = ("http_update_esp32", "https_ota_esp32", "https_ota-idf", "native_ota-idf")


def program(name):
    path = FOLDER / name
    return path if path.exists() else pytest.exit(f"{path} is missing: build sim/examples", 1)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    secret = first_token(find_server(), folder / "data")
    daemon = Daemon(find_server(), folder / "data")
    daemon.wait()
    (folder / "token").write_text(administrator(daemon, secret))
    yield daemon, folder
    daemon.stop()


class World:
    """One product, its images, and one device's flash."""

    def __init__(self, example, server, updraft, folder):
        self.example, self.folder, self.updraft = example, folder, updraft
        self.daemon, kept = server
        self.tls = example.startswith("https_ota")
        self.options = ["--server", f"http://127.0.0.1:{self.daemon.ports['http']}", "--token-file", kept / "token"]
        self.name, self.second = folder.name, SECOND["idf" if example in ESP32 else KINDS[example]]
        words = ["--chip", "esp32" if example in ESP32 else "esp8266", "--kind", KINDS[example]]
        words += ["--map", "6", "--ptype", PTYPE] if example == "iot_demo" else ["--strangers", "admit"]
        self.key = self.ask("product", "create", self.name, *words)["key"]
        if example == "iot_demo":
            self.key = self.ask("device", "create", self.name, "--serial", "clock-1")["device_key"]
        self.flash = folder / "flash.bin"
        self.old = self.image("1.0.0")
        self.running = []  # what a restart has started

    def ask(self, *words):
        return self.updraft(*words, *self.options, "--json").json

    def version(self, number):
        return f"v{number}t{PTYPE}(a)" if self.example == "iot_demo" else number

    def image(self, number, slot="user1"):
        path = self.folder / f"{number}-{slot}.bin"
        kind = "arduino" if self.example in SKETCHES else "idf" if self.example in ESP32 else KINDS[self.example]
        subprocess.run([program("../updraft-sim"), "image", "--as", kind, "--version", self.version(number), "--slot",
                        slot, "--seed", str(len(number) + sum(number.encode())), "--size", "64K", "-o", path], check=True)
        return path

    def release(self, number):
        """Make it the current one; the image that the device has to get next."""
        if self.example == "iot_demo":
            images = {slot: self.image(number, slot) for slot in ("user1", "user2")}
            words = ["--user1", images["user1"], "--user2", images["user2"]]
        else:
            images = {"user2": self.image(number)}
            words = ["--app", images["user2"]]
        self.ask("release", "upload", self.name, self.version(number), *words)
        self.ask("release", "set-current", self.name, self.version(number))
        return images["user2"].read_bytes()

    def live(self, *words, code=0):
        """One life of the chip, up to its restart or its end: the events, and all that was printed."""
        port = self.daemon.ports["http"]
        url = f"https://localhost:{port}" if self.tls else f"http://127.0.0.1:{port}"
        trust = ["--ca", self.daemon.data / "tls" / "ca.crt"] if self.tls else []
        done = subprocess.run([program(f"example-{self.example}"), "--flash", self.flash, "--image", self.old, "--server",
                               url, "--product", self.key, *trust, *self.running, *map(str, words)],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"event"')]
        if any(event["event"] == "restarts" for event in events):
            self.running = ["--running", str(events[-1]["address"])]
        return events, done.stdout

    def ordered(self, running):
        """What the cloud orders on the message channel, to one that was just activated: a version, and the channel."""
        link = socket.create_connection(("127.0.0.1", self.daemon.ports["link"]), timeout=20)
        link.sendall(ACTIVATE % {b"key": self.key.encode(), b"version": running.encode()})
        lines = link.makefile()
        for line in lines:
            said = json.loads(line)
            if said.get("get", {}).get("action") == "sys_upgrade":
                return said["get"]["version"], link, lines
        raise AssertionError("the cloud ordered nothing")

    def starts(self, events):
        return [event["version"] for event in events if event["event"] == "starts"]

    def holds(self, image):
        flash, at = self.flash.read_bytes(), self.second
        held = bytearray(flash[at:at + len(image)])
        if self.example in SKETCHES:
            held[2] = image[2]  # the flash mode is the board's
        return bytes(held) == image


@pytest.fixture()
def world(request, server, updraft, tmp_path):
    return World(request.param, server, updraft, tmp_path)


@pytest.mark.parametrize("world", [kind for kind in KINDS if kind != "iot_demo"], indirect=True)
def test_an_example_updates_itself(world):
    image = world.release("1.0.1")
    events, said = world.live()
    assert world.starts(events) == ["1.0.0", "1.0.1"], said
    assert world.holds(image) and events[-1]["address"] == world.second

    before = world.flash.read_bytes()
    events, said = world.live()
    assert world.starts(events) == [], said
    if world.example in SKETCHES:
        assert world.flash.read_bytes() == before
    else:
        assert NOTHING_NEW[world.example] in said
    # A reset by hand: what was confirmed starts again.
    world.running = []
    events, said = world.live()
    assert world.starts(events) == ["1.0.1"] and events[0]["address"] == world.second, said


@pytest.mark.parametrize("world", ["iot_demo"], indirect=True)
def test_the_cloud_orders_an_update(world):
    old, new = world.version("1.0.0"), world.version("1.0.1")
    image = world.release("1.0.1")
    order, link, lines = world.ordered(old)
    assert order == new

    events, said = world.live("--order", order)
    assert world.starts(events) == [old, new], said
    assert world.holds(image) and events[-1]["address"] == world.second
    report = next(line for line in said.splitlines() if '"device_upgrade_success"' in line)
    assert json.loads(report)["body"] == {"pre_rom_version": old, "rom_version": new}
    link.sendall(report.encode() + b"\n")
    assert json.loads(lines.readline())["message"] == "send message success"
    link.close()

    # A version that there is not: it is reported, and what runs goes on.
    events, said = world.live("--order", "v9.9.9t45772(a)")
    assert world.starts(events) == [] and "device_upgrade_failed" in said


@pytest.mark.parametrize("world", ["smart_clock"], indirect=True)
@pytest.mark.parametrize("when", ["button", "week"])
def test_the_clocks_other_ways_to_look(world, when):
    image = world.release("1.0.1")
    events, said = world.live("--when", when)
    assert world.starts(events) == ["1.0.0", "1.0.1"], said
    assert world.holds(image)
    # Once more: nothing new, and the clock goes on.
    events, said = world.live("--when", when)
    assert world.starts(events) == [] and "the current version is the latest" in said


@pytest.mark.parametrize("world", ["smart_clock"], indirect=True)
def test_a_clock_that_is_not_known_goes_on(world):
    """A product that nobody made: the sketch tries as often as it was written to, and its clock goes on."""
    world.key = "0" * len(world.key)
    events, said = world.live()
    assert world.starts(events) == ["1.0.0"]
    assert said.count("update_FOTA: Unauthorized (401)") == 101
    assert [event["lines"][3].strip() for event in events if event["event"] == "display"] == ["> Skip updated..."]


@pytest.mark.parametrize("world", ["https_ota-idf", "https_ota-rtos"], indirect=True)
def test_a_server_that_nobody_vouches_for_is_refused(world, tmp_path):
    world.release("1.0.1")
    other = tmp_path / "other"
    first_token(find_server(), other)
    events, said = world.live("--ca", other / "tls" / "ca.crt")
    assert world.starts(events) == ["1.0.0"] and "0x7002" in said
