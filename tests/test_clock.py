"""Goal: the smart clock updates itself on the emulated ESP8266, from slot to slot and back, and shows each step; an
image that crashes, hangs or never confirms itself is given up, and that is shown, too.

Method: the clock's own images, started by a boot loader, talking through the radio to a web server of files. The
rows of its display are read from the console.
"""
import functools
import http.server
import os
import re
import shutil
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nonos import Flash, USER1, USER2

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "sim"))

from emulator import Emulator                               # noqa: E402

SHARED = Path(os.environ.get("UPDRAFT_SHARED", ROOT.parent / "shared"))
ROM = ROOT / "build/lx106/sim/rom/rom.elf"
IMAGES = ROOT / "build/lx106/firmware"
LOADERS = {"updraft": ROOT / "build/lx106/boot/nonos.bin", "v1.7": SHARED / "vendor/boot_v1.7.bin"}
STACK_LIMIT = 3072          # bytes, of the 4 KiB that the SDK's task has
pytestmark = pytest.mark.skipif(not (IMAGES / "clock-1.0.0-user1.bin").exists(),
                                reason="no images of the clock: build the lx106 preset")


def image(version, slot, map_number=2):
    flavour = "" if map_number == 2 else f"-map{map_number}"
    return (IMAGES / f"clock-{version}{flavour}-user{slot}.bin").read_bytes()


class Server:
    """A web server of the clock's images. `releases` are what release.txt says to one request after the other; the
    last one stays."""

    def __init__(self, *releases, spoil=lambda name, data: data):
        self.releases, self.spoil = list(releases), spoil
        self.asked = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.path)
                data = outer.file(self.path.removeprefix("/"))
                if data is None:
                    self.send_error(404)
                    return
                first = int(self.headers.get("Range", "bytes=0-")[len("bytes="):-1])
                self.send_response(206 if first else 200)
                if first:
                    self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
                self.send_header("Content-Length", str(len(data) - first))
                self.end_headers()
                self.wfile.write(data[first:])

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=functools.partial(self.server.serve_forever, poll_interval=0.01))

    def file(self, name):
        if name == "release.txt":
            return (self.releases.pop(0) if len(self.releases) > 1 else self.releases[0]).encode() + b"\n"
        path = IMAGES / name
        return self.spoil(name, path.read_bytes()) if path.exists() else None

    @property
    def images_asked(self):
        return [path for path in self.asked if path.endswith(".bin")]

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def displays(console):
    """The displays that were drawn, each as its four rows without trailing blanks, joined by |."""
    edge = r"\+-{20}\+\n"
    return ["|".join(row.rstrip() for row in drawing.split("\n"))
            for drawing in ("\n".join(re.findall(r"\|(.{20})\|\n", match))
                            for match in re.findall(f"{edge}((?:\\|.{{20}}\\|\n){{4}}){edge}", console))]


def assert_shown(console, *steps):
    """Each step is a part of some display, in this order."""
    left = iter(displays(console))
    for step in steps:
        assert any(step in display for display in left), f"{step!r} is not shown, or not in this place:\n{console[-6000:]}"


def device(tmp_path, version, loader, map_number=2):
    """The path of a flash whose user1 holds a version of the clock."""
    path = LOADERS[loader]
    if not path.exists():
        pytest.skip(f"no boot loader at {path}")
    flash = Flash(map_number, path.read_bytes())
    flash.put(USER1, image(version, 1, map_number))
    flash.write(tmp_path / "flash.bin")
    return tmp_path / "flash.bin"


def chip_with(flash, *servers):
    # 8 ns: about the pace of the chip.
    return Emulator(flash, ROM, radio=[server.address for server in servers], nanoseconds=8)


def slot(flash, number, size, map_number=2):
    with open(flash, "rb") as file:
        file.seek(USER1 if number == 1 else USER2[map_number])
        return file.read(size)


def update_steps(old, new, device_id="C10C33"):
    """What an update shows, from the running version's first look to the new one's confirmation."""
    running, started = f"Version Firmware:|{old} - {device_id}|", f"Version Firmware:|{new} - {device_id}|"
    return [running + "Checking for updates|...",
            running + f"New: {new:11}  0%|",
            running + f"New: {new:11} 5", running + f"New: {new:11} 9",
            running + f"Verify: {new}|> > > > > > > > > >",
            running + f"Installed: {new}|> Restarting...",
            started + "Testing, start 1/3|...",
            started + "Update confirmed.|> > > > > > > > > >",
            started + "Checking for updates|...",
            started + "The current version|> > > > > > > > > >",
            started + "      is the latest.|> > > > > > > > > >",
            f"|Version {new}|Check in 7d 0h"]


@pytest.mark.parametrize("map_number", [2, 6])
@pytest.mark.parametrize("loader", LOADERS)
def test_there_and_back_again(tmp_path, loader, map_number):
    flash = device(tmp_path, "1.0.0", loader, map_number)
    flavour = "" if map_number == 2 else "-map6"
    with Server("1.0.1") as server, chip_with(flash, server) as chip:
        chip.start()
        chip.wait_for("Check in 7d")
        run = chip.halt()
        assert run.event == "halted" and run.restarts == 1
        assert_shown(run.console, *update_steps("1.0.0", "1.0.1"))
        print(f"stack used for an update: {run.stack} bytes")
        assert 0 < run.stack <= STACK_LIMIT
        new = image("1.0.1", 2, map_number)
        assert slot(flash, 2, len(new), map_number) == new
        assert server.images_asked == [f"/clock-1.0.1{flavour}-user2.bin"]

        # Power off and on: it stays, and does not ask for more.
        chip.start()
        chip.wait_for("Check in 7d")
        run = chip.halt()
        assert run.restarts == 0 and "Testing" not in run.console
        assert_shown(run.console, "1.0.1 - C10C33|The current version")

        server.releases = ["1.0.2"]
        chip.start()
        chip.wait_for("Check in 7d")
        run = chip.halt()
        assert run.event == "halted" and run.restarts == 1
        assert_shown(run.console, *update_steps("1.0.1", "1.0.2"))
        newer = image("1.0.2", 1, map_number)
        assert slot(flash, 1, len(newer), map_number) == newer and slot(flash, 2, len(new), map_number) == new
        assert server.images_asked[1:] == [f"/clock-1.0.2{flavour}-user1.bin"]


def test_seven_seconds_of_the_mode_button_update_now(tmp_path):
    flash = device(tmp_path, "1.0.0", "updraft")
    # Pressed for six seconds first, which is not enough.
    with Server("1.0.0", "1.0.1") as server, chip_with(flash, server) as chip:
        chip.start("pin 0 0 at 20000 pin 0 1 at 26000 pin 0 0 at 30000 pin 0 1 at 37500")
        chip.wait_for("Update confirmed")
        run = chip.halt()
    assert_shown(run.console, "1.0.0 - C10C33|The current version", "Version 1.0.0|Check in 7d 0h",
                 "|Mode Selection|5 s; 7 s: Update OTA", "Version 1.0.0|Check in 6d 23h",
                 "|Mode Selection|6 s; 7 s: Update OTA", "|Mode: >> Update OTA", "Checking for updates", "New: 1.0.1",
                 "1.0.1 - C10C33|Update confirmed.")
    assert server.asked[:3] == ["/release.txt", "/release.txt", "/clock-1.0.1-user2.bin"]


def test_it_checks_at_its_interval(tmp_path):
    flash = device(tmp_path, "1.0.0-often", "updraft")
    with Server("1.0.0-often", "1.0.0-often", "1.0.0-often", "1.0.1") as server, chip_with(flash, server) as chip:
        chip.start("id 0x1a2b3c")
        chip.wait_for("Update confirmed")
        run = chip.halt()
    looks = ["1.0.0-often - 1A2B3C|Checking for updates", "The current version", "Version 1.0.0-often|Check in 30s",
             "Version 1.0.0-often|Check in 1s"]
    assert_shown(run.console, *looks, *looks, *looks, "Checking for updates", "New: 1.0.1", "1.0.1 - 1A2B3C|Update confirmed.")


@pytest.mark.parametrize("loader, version", [("updraft", "1.0.3-crash"), ("updraft", "1.0.4-hang"),
                                             ("updraft", "1.0.5-mute"), ("v1.7", "1.0.5-mute")])
def test_a_bad_image_is_given_up_by_itself(tmp_path, loader, version):
    flash = device(tmp_path, "1.0.0", loader)
    with Server(version) as server, chip_with(flash, server) as chip:
        chip.start("survive")
        chip.wait_for("Check in 7d")
        run = chip.halt()
        # One restart starts it for the first time, and each failure is another one.
        assert run.event == "halted" and run.restarts == 4 + (loader == "v1.7")
        given_up = f"1.0.0 - C10C33|{version + ' given up:':.20}".rstrip() + "|3 starts, no confirm"
        assert_shown(run.console, "1.0.0 - C10C33|Checking for updates", f"New: {version}", f"Installed: {version:.9}",
                     given_up, "1.0.0 - C10C33|Checking for updates",
                     f"1.0.0 - C10C33|{version} failed|> Skip updated...", "|Version 1.0.0|")
        if version == "1.0.5-mute":
            assert_shown(run.console, *(step for start in (1, 2, 3) for step in
                                        (f"{version} - C10C33|Testing, start {start}/3", "|Not confirmed.|> Restarting...")),
                         given_up)
        assert len(server.images_asked) == 1

        # It is not forgotten, and not installed again, until there is another version.
        chip.start()
        chip.wait_for("Check in 7d")
        assert_shown(chip.halt().console, given_up, f"{version} failed|> Skip updated...")
        assert len(server.images_asked) == 1
        server.releases = ["1.0.1"]
        chip.start()
        chip.wait_for("Check in 7d")
        assert_shown(chip.halt().console, given_up, *update_steps("1.0.0", "1.0.1"))


def test_the_button_installs_again_what_was_given_up(tmp_path):
    flash = device(tmp_path, "1.0.0", "updraft")
    with Server("1.0.5-mute") as server, chip_with(flash, server) as chip:
        chip.start()
        chip.wait_for("Check in 7d")
        chip.halt()
        chip.start("pin 0 0 at 20000 pin 0 1 at 28000")
        chip.wait_for("Testing, start 1/3")
        assert_shown(chip.halt().console, "1.0.5-mute failed", "Mode: >> Update OTA", "New: 1.0.5-mute", "Installed:",
                     "1.0.5-mute - C10C33|Testing, start 1/3")
    assert len(server.images_asked) == 2


def test_a_power_cut_in_the_download_is_no_loss(tmp_path):
    flash = device(tmp_path, "1.0.0", "updraft")
    with Server("1.0.1") as server, chip_with(flash, server) as chip:
        chip.start("cut 100 BITS seed 1")
        run = chip.end()
        assert run.event == "cut" and USER2[2] <= run.value < USER2[2] + 36000
        chip.start("rtc garbage seed 2")
        chip.wait_for("Check in 7d")
        run = chip.halt()
    # It went on in the middle, and ended as ever.
    new = image("1.0.1", 2)
    assert slot(flash, 2, len(new)) == new
    assert not any("New: 1.0.1       10%" in display for display in displays(run.console))
    assert_shown(run.console, "New: 1.0.1", "Verify: 1.0.1", "1.0.1 - C10C33|Update confirmed.")


@pytest.mark.parametrize("loader", LOADERS)
def test_cuts_of_erases_and_programs_again_and_again_end_confirmed(tmp_path, loader):
    """Each start gets a little further than the one before. What is cut at a sector's start is its erase, or the
    program of its first page."""
    flash = device(tmp_path, "1.0.0", loader)
    consoles, cuts = "", []
    with Server("1.0.1") as server, chip_with(flash, server) as chip:
        for cut in (4, 26, 27, 31, 48):
            chip.start(f"rtc garbage cut {cut} MIXED seed {cut}")
            run = chip.end()
            assert run.event == "cut", run.console
            consoles += run.console
            cuts.append(run.value)
        chip.start("rtc garbage seed 9")
        chip.wait_for("Check in 7d")
        consoles += chip.halt().console
        new = image("1.0.1", 2)
        assert slot(flash, 2, len(new)) == new
        in_slot = [cut for cut in cuts if USER2[2] <= cut < USER2[2] + len(new)]
        assert len(in_slot) > 2 and any(cut % 4096 == 0 for cut in in_slot), [hex(cut) for cut in cuts]
        assert_shown(consoles, "1.0.0 - C10C33|New: 1.0.1", "1.0.1 - C10C33|Update confirmed.", "|Version 1.0.1|")
        chip.start("rtc garbage seed 10")
        chip.wait_for("Check in 7d")
        assert "Testing" not in chip.halt().console


def test_no_server_is_waited_for_and_then_skipped(tmp_path):
    flash = device(tmp_path, "1.0.0", "updraft")
    with Server("1.0.1") as server:
        pass
    with chip_with(flash, server) as chip:
        chip.start()
        chip.wait_for("Check in 7d")
        run = chip.halt()
    steps = [f"1.0.0 - C10C33|No connection|> Please waiting {left:02}" for left in range(99, -1, -1)]
    assert_shown(run.console, "Checking for updates|...", *steps, "|No connection|> Skip updated...", "|Version 1.0.0|")


@pytest.mark.parametrize("trouble, spoil", [
    ("Image is damaged", lambda data: data[:9000] + bytes([data[9000] ^ 1]) + data[9001:]),
    ("Image does not fit", lambda data: image("1.0.1", 1)),
    ("Image is too large", lambda data: data + bytes(500_000)),
])
def test_an_image_that_must_not_start_is_skipped(tmp_path, trouble, spoil):
    flash = device(tmp_path, "1.0.0", "updraft")
    with Server("1.0.1", spoil=lambda name, data: spoil(data)) as server, chip_with(flash, server) as chip:
        chip.start()
        chip.wait_for("Check in 7d")
        run = chip.halt()
        assert run.restarts == 0 and len(server.images_asked) == 1
        assert_shown(run.console, "New: 1.0.1", f"1.0.0 - C10C33|{trouble}|> Skip updated...", "|Version 1.0.0|")
        chip.start()
        chip.wait_for("clock 1.0.0 for user1")
        chip.halt()


def test_the_time_is_the_servers_and_outlives_a_restart(tmp_path):
    flash = device(tmp_path, "1.0.0", "updraft")
    with Server("1.0.1", "1.0.1", "1.0.1") as server, chip_with(flash, server) as chip:
        chip.start()
        chip.wait_for("Check in 7d")
        run = chip.halt()
    rows = [display.split("|") for display in displays(run.console) if "|Version 1.0.1|" in display]
    assert rows and all(re.fullmatch(r" {6}\d\d:\d\d:\d\d", row[0]) and re.search(r"\d{1,2} [A-Z][a-z]{2} \d{4}", row[1])
                        for row in rows)


# --- What cannot be seen in the emulator, which loads bytes from anywhere ---

def symbols(elf):
    """(address, size, kind, name) of each; kind is that of readelf: FUNC, OBJECT, ..."""
    text = subprocess.run(["xtensa-lx106-elf-readelf", "-sW", elf], check=True, capture_output=True, text=True).stdout
    for line in text.splitlines():
        words = line.split()
        if len(words) == 8 and words[0].rstrip(":").isdigit():
            yield int(words[1], 16), int(words[2], 0), words[3], words[7]


def in_code(address):
    return 0x40100000 <= address < 0x40110000 or 0x40200000 <= address < 0x40300000


@pytest.mark.parametrize("elf", sorted([*IMAGES.glob("clock-1.0.[03]*.elf"), *IMAGES.glob("clock-cloud-1.0.0*.elf")]),
                         ids=lambda path: path.stem)
def test_nothing_but_code_is_where_only_whole_words_can_be_loaded(elf):
    """No variable, constant or string lies in instruction RAM or in the flash window, and no pointer leads to any: each
    literal and each word of data that is an address there is one of code."""
    found = list(symbols(elf))
    label = next(address for address, _, _, name in found if name == "build_label")
    assert [name for address, _, kind, name in found if kind == "OBJECT" and in_code(address)] == ["build_label"]
    functions = [(address, address + size) for address, size, kind, _ in found if kind == "FUNC"]
    code = subprocess.run(["xtensa-lx106-elf-objdump", "-d", elf], check=True, capture_output=True, text=True).stdout
    literals = [int(value, 16) for value in re.findall(r"\tl32r\s.*\(([0-9a-f]+)[ )]", code)]
    assert len(literals) > 300
    words = []
    for section in (".data", ".rodata"):
        file = elf.parent / f"{elf.stem}{section}.tmp"
        subprocess.run(["xtensa-lx106-elf-objcopy", "-O", "binary", "-j", section, elf, file], check=True)
        data = file.read_bytes()
        file.unlink()
        words += struct.unpack(f"<{len(data) // 4}I", data[:len(data) // 4 * 4])
    sections = subprocess.run(["xtensa-lx106-elf-size", "-A", elf], check=True, capture_output=True, text=True).stdout
    placed = [(int(address), int(address) + int(size))
              for size, address in re.findall(r"^\.(?:text|irom0\.text)\s+(\d+)\s+(\d+)", sections, re.MULTILINE)]
    assert len(placed) == 2
    # The library knows addresses of the window as numbers; those at which something lies are pointers.
    pointers = {word for word in literals + words if any(first <= word < limit for first, limit in placed)}
    assert pointers
    for pointer in pointers:
        assert pointer == label or any(first <= pointer < limit for first, limit in functions), hex(pointer)


@pytest.mark.skipif(not shutil.which("xtensa-lx106-elf-readelf"), reason="no xtensa-lx106-elf-readelf")
def test_the_flash_part_runs_in_the_window():
    """The clock's loop and the library lie there; in RAM there is only what runs while the window is shut."""
    found = {name: address for address, _, kind, name in symbols(IMAGES / "clock-1.0.0-user2.elf") if kind == "FUNC"}
    assert found["call_user_start1"] < 0x40110000
    for name in ("clock_step", "update_step", "upd_writer_write", "upd_device_start"):
        assert 0x40281010 < found[name] < 0x40300000
