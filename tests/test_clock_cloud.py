"""Goal: the smart clock as a device of Espressif's cloud: on the emulated ESP8266 it activates itself with the key from its
flash, is told of updates over its link, asks nobody but its owner, loses nothing to a power cut, confirms only what
reached the server, and leaves what does not; and the server says the same of it.

Method: the clock's own images under updraft's boot loader, talking through the radio to updraftd, over a relay that
hears what is asked. Nothing waits for a time: for what the clock shows, and for what the server says.
"""
import socket
import sys
import threading
import time

import pytest

from conftest import ROOT
from daemon import Daemon, administrator, first_token
from nonos import USER1, USER2
from test_clock import IMAGES, LOADERS, ROM, STACK_LIMIT, assert_shown, displays
from test_server import find_server

sys.path.insert(0, str(ROOT / "sim"))

from emulator import Emulator                               # noqa: E402

PATIENCE = 240      # seconds, for one step on a machine that is slow and busy
VERSIONS = {"1.0.0": "v1.0.0t45772(a)", "1.0.1": "v1.0.1t45772(a)", "1.0.2": "v1.0.2t45772(a)",
            "1.0.3-crash": "v1.0.3t45772(a)", "1.0.4-mute": "v1.0.4t45772(a)"}
pytestmark = pytest.mark.skipif(not (IMAGES / "clock-cloud-1.0.0-user1.bin").exists(),
                                reason="no images of the clock: build the lx106 preset")


def image(name, slot, map_number=2):
    flavour = "" if map_number == 2 else f"-map{map_number}"
    return IMAGES / f"clock-cloud-{name}{flavour}-user{slot}.bin"


class Relay:
    """A way to a port of this machine that keeps what is asked, and of each answer its first bytes."""

    def __init__(self, port):
        self.port, self.asked, self.answered = port, b"", []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.port))
            threading.Thread(target=self.pump, args=(near, far, self.hear_chip), daemon=True).start()
            threading.Thread(target=self.pump, args=(far, near, self.hear_server), daemon=True).start()

    def hear_chip(self, data, _):
        self.asked += data

    def hear_server(self, data, is_first):
        if is_first:
            self.answered.append(data)

    def pump(self, source, target, hear):
        is_first = True
        try:
            while data := source.recv(4096):
                hear(data, is_first)
                is_first = False
                target.sendall(data)
        except OSError:
            pass
        for end, how in ((target, socket.SHUT_WR), (source, socket.SHUT_RD)):
            try:
                end.shutdown(how)
            except OSError:
                pass

    def close(self):
        self.listener.close()


class World:
    """A server with a product, its releases, an owner, and one clock."""

    def __init__(self, folder, updraft, map_number=2):
        self.folder, self.map_number, self.updraft = folder, map_number, updraft
        self.flash = folder / "flash.bin"
        token = first_token(find_server(), folder / "data")
        self.daemon = Daemon(find_server(), folder / "data")
        self.daemon.wait()
        self.token = administrator(self.daemon, token)
        self.api = self.daemon.client(self.token)
        self.images = Relay(self.daemon.ports["http"])
        self.link = f"127.0.0.1:{self.daemon.ports['link']}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.images.close()
        self.daemon.stop()

    def tool(self, *words):
        return self.updraft(*words, "--json", env={
            "UPDRAFT_SERVER": f"http://127.0.0.1:{self.daemon.ports['http']}", "UPDRAFT_TOKEN": self.token}).json

    def make_product(self, consent, *names):
        self.tool("product", "create", "smart-clock", "--chip", "esp8266", "--map", self.map_number, "--ptype", 45772,
                  "--consent", consent)
        for name in ("1.0.0", *names):
            self.tool("release", "upload", "smart-clock", VERSIONS[name], "--user1", image(name, 1, self.map_number),
                      "--user2", image(name, 2, self.map_number))
        self.make_current("1.0.0")

    def make_current(self, name):
        self.tool("release", "set-current", "smart-clock", VERSIONS[name])

    def make_clock(self):
        """A flash as it leaves the factory: loader, 1.0.0 in user1, and the device's key."""
        if not LOADERS["updraft"].exists():
            pytest.skip(f"no boot loader at {LOADERS['updraft']}")
        key = self.folder / "master_device_key.bin"
        self.id = self.tool("device", "create", "smart-clock", "--serial", "C10C33", "-o", key)["id"]
        self.updraft("flash", "build", "--map", self.map_number, "--boot", LOADERS["updraft"], "--user1",
                     image("1.0.0", 1, self.map_number), "--device-key", key, "-o", self.flash)

    def make_owner(self):
        code = self.device["claim_code"]
        self.api("POST", "/api/v1/users", {"name": "minh", "password": "correct horse battery"})
        token = self.daemon.client()("POST", "/api/v1/tokens/login", {
            "user": "minh", "password": "correct horse battery", "name": "tests"})["token"]
        self.owner = self.daemon.client(token)
        self.owner("POST", "/api/v1/devices/claim", {"code": code})

    @property
    def device(self):
        return self.api("GET", f"/api/v1/devices/{self.id}")

    @property
    def state(self):
        history = self.device["history"]
        return history[0]["state"] if history else None

    @property
    def offer(self):
        """What the owner is asked; None."""
        return self.owner("GET", f"/api/v1/my/devices/{self.id}")["offer"]

    def answer(self, word):
        self.owner("POST", f"/api/v1/my/devices/{self.id}/answer", {"update": self.offer["update"], "answer": word})

    def chip(self):
        # 8 ns: about the pace of the chip.
        return Emulator(self.flash, ROM, seconds=PATIENCE, radio=[self.images.address, self.link], nanoseconds=8)

    def slot(self, number, size):
        with open(self.flash, "rb") as file:
            file.seek(USER1 if number == 1 else USER2[self.map_number])
            return file.read(size)


@pytest.fixture()
def world(tmp_path, updraft):
    with World(tmp_path, updraft) as it:
        yield it


def wait_until(true, what):
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def wait_behind(chip, mark, text):
    """Until the chip has shown `text` after `mark`."""
    chip.wait_for(mark)
    wait_until(lambda: text in chip.console().split(mark)[-1], f"{text!r} behind {mark!r}")


def go_online(world, chip, order="survive"):
    chip.start(order)
    chip.wait_for("|Online  ")
    wait_until(lambda: world.device["online"], "the server says that it is online")


def test_activation_a_no_a_yes_a_cut_and_an_update(world):
    world.make_product("ask_download", "1.0.1", "1.0.2")
    world.make_clock()
    assert world.device["version"] is None
    with world.chip() as chip:
        go_online(world, chip)
        run = chip.halt()
        assert run.console.count("activated: ok") == 1
        assert_shown(run.console, "v1.0.0 - C10C33|Checking for updates", "v1.0.0 - C10C33|Activated.",
                     "v1.0.0 - C10C33|Online.", "|Version v1.0.0|Online")
        device = world.device
        assert device["version"] == VERSIONS["1.0.0"] and device["mac"] == "18:fe:34:c1:0c:33"

        # Once is enough; and power that fails before an update changes nothing. The next one is cut in the middle of it.
        go_online(world, chip, "survive cut 140 BITS seed 7")
        assert "activated" not in chip.console()
        world.make_owner()
        world.make_current("1.0.1")
        wait_until(lambda: world.offer is not None, "the owner is asked")
        assert world.offer["version"] == VERSIONS["1.0.1"] and "New:" not in chip.console()
        world.answer("no")
        wait_until(lambda: world.offer is None, "the owner is not asked any more")
        world.make_current("1.0.2")
        wait_until(lambda: world.offer is not None, "the owner is asked for the next one")
        assert world.offer["version"] == VERSIONS["1.0.2"]
        world.answer("now")
        run = chip.end()
        assert run.event == "cut" and USER2[2] < run.value < USER2[2] + image("1.0.2", 2).stat().st_size
        assert not any("v1.0.1" in display for display in displays(run.console))
        assert_shown(run.console, "v1.0.0 - C10C33|New: v1.0.2", "|New: v1.0.2      4")
        assert b"Range:" not in world.images.asked and len(world.images.answered) == 1

        chip.start("survive rtc garbage seed 8")
        wait_behind(chip, "Update confirmed", "|Online  ")
        wait_until(lambda: world.state in ("confirmed", "running"), "the server says that it is over")
        run = chip.halt()
    assert run.restarts == 1
    print(f"stack used for an update: {run.stack} bytes")
    assert 0 < run.stack <= STACK_LIMIT
    start = int(run.console.split("download from byte ")[1].split()[0])
    new = image("1.0.2", 2).read_bytes()
    assert 0 < start < len(new)
    # What is in flash is not sent again: the chip sees that the image is the same one, and asks for the rest.
    assert world.images.asked.count(f"Range: bytes={start}-".encode()) == 1
    assert f"Content-Range: bytes {start}-{len(new) - 1}/{len(new)}".encode() in world.images.answered[-1]
    assert world.slot(2, len(new)) == new
    assert_shown(run.console, "v1.0.0 - C10C33|New: v1.0.2", "Verify: v1.0.2", "Installed: v1.0.2|> Restarting...",
                 "v1.0.2 - C10C33|Testing, start 1/3", "v1.0.2 - C10C33|Update confirmed.", "v1.0.2 - C10C33|Online.")
    assert run.console.count("confirmed: ok") == 1
    device = world.device
    assert device["version"] == VERSIONS["1.0.2"] and device["slot"] == "user2"


@pytest.mark.parametrize("map_number", [2, 6])
def test_there_and_back_again_when_a_release_becomes_current(tmp_path, updraft, map_number):
    with World(tmp_path, updraft, map_number) as world:
        world.make_product("automatic", "1.0.1", "1.0.2")
        world.make_clock()
        with world.chip() as chip:
            go_online(world, chip)
            for name, slot, restarts in (("1.0.1", 2, 1), ("1.0.2", 1, 2)):
                world.make_current(name)
                chip.wait_for(f"|Version v{name}  ")
                wait_until(lambda: world.device["version"] == VERSIONS[name] and world.state in ("confirmed", "running"),
                           "the server says that it is over")
                new = image(name, slot, map_number).read_bytes()
                assert world.slot(slot, len(new)) == new
            run = chip.halt()
        assert run.restarts == 2 and "given up" not in run.console
        assert_shown(run.console, "v1.0.0 - C10C33|New: v1.0.1", "v1.0.1 - C10C33|Update confirmed", "|Version v1.0.1|Online",
                     "v1.0.1 - C10C33|New: v1.0.2", "v1.0.2 - C10C33|Update confirmed", "|Version v1.0.2|Online")


def test_the_restart_waits_for_the_owner(world):
    world.make_product("ask_reboot", "1.0.1")
    world.make_clock()
    with world.chip() as chip:
        go_online(world, chip)
        world.make_owner()
        world.make_current("1.0.1")
        chip.wait_for("> Restart: waiting")
        wait_until(lambda: world.offer is not None, "the owner is asked")
        assert "Installed" not in chip.halt().console

        # Power goes meanwhile: what was downloaded is still there, and the question, too.
        chip.start("survive rtc garbage seed 3")
        chip.wait_for("> Restart: waiting")
        assert "download from byte 0\n" not in chip.console() and world.offer["question"] == "reboot"
        world.answer("now")
        chip.wait_for("Update confirmed")
        assert_shown(chip.halt().console, "Have: v1.0.1|> Restart: waiting", "Installed: v1.0.1|> Restarting...",
                     "v1.0.1 - C10C33|Testing, start 1/3", "v1.0.1 - C10C33|Update confirmed")


@pytest.mark.parametrize("name, row", [("1.0.3-crash", "3 starts, no confirm"), ("1.0.4-mute", "it gave itself up")])
def test_a_bad_release_is_given_up_reported_and_not_installed_again(world, name, row):
    world.make_product("automatic", name)
    world.make_clock()
    short = VERSIONS[name].split("t")[0]
    with world.chip() as chip:
        go_online(world, chip)
        world.make_current(name)
        given_up = f"{short} given up:|{row}"
        chip.wait_for(" given up: ")
        chip.wait_for(f"|{row:20}|")
        wait_until(lambda: world.state not in (None, "offered", "accepted", "downloading", "downloaded", "rebooting", "running"),
                   "the server says that it is over")
        assert world.state == "rolled_back"
        wait_behind(chip, " given up: ", "|Online  ")
        run = chip.halt()
        assert_shown(run.console, f"v1.0.0 - C10C33|New: {short}", f"Installed: {short}", f"v1.0.0 - C10C33|{given_up}",
                     "|Version v1.0.0|Online")
        answered = len(world.images.answered)
        # The server does not offer it again; an operator who does is told no by the device.
        go_online(world, chip)
        assert world.device["version"] == VERSIONS["1.0.0"] and len(world.images.answered) == answered
        assert " given up: " not in chip.console()
        chip.halt()


def test_the_button_lets_the_server_think_again(world):
    world.make_product("automatic")
    world.make_clock()
    with world.chip() as chip:
        go_online(world, chip)
        chip.tell("pin 0 0")
        chip.wait_for("Mode: >> Update OTA")
        chip.tell("pin 0 1")
        wait_behind(chip, "Mode: >>", "|Online  ")
        run = chip.halt()
    assert_shown(run.console, "|Version v1.0.0|Online", "|Mode: >> Update OTA", "v1.0.0 - C10C33|Checking for updates",
                 "v1.0.0 - C10C33|Online.", "|Version v1.0.0|Online")
    assert "no link" not in run.console


def test_a_server_that_comes_later_is_found(world):
    world.make_product("automatic")
    world.make_clock()
    with socket.create_server(("127.0.0.1", 0)) as place:
        nobody = f"127.0.0.1:{place.getsockname()[1]}"
    with Emulator(world.flash, ROM, seconds=PATIENCE, radio=[nobody, nobody], nanoseconds=8) as chip:
        chip.start("survive")
        chip.wait_for("|UNREACHABLE         |")
        run = chip.halt()
        assert "no link: the server cannot be reached" in run.console and "activated" not in run.console
    with world.chip() as chip:
        go_online(world, chip)
        assert "activated: ok" in chip.console()
        chip.halt()


@pytest.mark.parametrize("key, shows, says", [
    (b"", "No update possible", "no updates: "),
    (b"f" * 40, "LINK_REFUSED", "no link: the server does not know this device's key"),
])
def test_a_clock_without_a_key_that_opens_goes_on_as_a_clock(world, key, shows, says):
    world.make_product("automatic")
    world.make_clock()
    with open(world.flash, "r+b") as file:
        file.seek(0x7E000)
        file.write(key.ljust(40, b"\xff"))
    with world.chip() as chip:
        chip.start("survive")
        chip.wait_for(f"|{shows:20}|")
        if not key:
            chip.wait_for("|Version v1.0.0      |")
        run = chip.halt()
    assert says in run.console and run.restarts == 0
