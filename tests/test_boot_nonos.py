"""updraft's NONOS boot loader in the emulator: beside the originals over the same flash images, over
damaged images, on trial, and under power cuts.

What differs from the originals is listed in docs/boot-nonos.md; the rows found here must be the rows there.
"""
import functools
import os
import pathlib
import random
import re
import struct
import subprocess
import sys
import zlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "sim"))

from emulator import Emulator                                                       # noqa: E402
from nonos import (MAPS, SECTOR, USER1, USER2, Flash, appended_crc, reporting_code, reporting_image,    # noqa: E402
                   v2_image)

ROM = ROOT / "build/lx106/sim/rom/rom.elf"
LOADER = ROOT / "build/lx106/boot/nonos.bin"
PAGE = ROOT / "docs/boot-nonos.md"
SHARED = pathlib.Path(os.environ.get("UPDRAFT_SHARED", ROOT.parent / "shared"))

FIRST, SECOND, THIRD, FOURTH = 0x11, 0x22, 0x33, 0x44   # what the programs in user1, user2, elsewhere report
NOTHING = "nothing"
SETTINGS = bytes(range(8, 200)) * 20                    # of the application, behind the boot block
BLANK = b"\xFF" * 6


def original(version):
    path = SHARED / "vendor" / f"boot_v{version}.bin"
    if not path.exists():
        pytest.skip(f"{path.name}: no original boot loaders beside the repository")
    return path.read_bytes()


@pytest.fixture(scope="module")
def loader():
    return LOADER.read_bytes()


class Bench:
    """A machine for each size of flash, for as many power-ons as tests like."""

    def __init__(self, folder):
        self.folder, self.machines, self.written = folder, {}, {}

    def run(self, flash, order="", same=False):
        """Power on over this flash, which then holds what the run left. same: the flash of the last run."""
        size = len(flash.data)
        path = self.folder / f"{size:x}.bin"
        if not same:
            self.write(path, flash.data)
        if size not in self.machines:
            self.machines[size] = Emulator(path, ROM).__enter__()
        result = self.machines[size].boot(("" if same else "new ") + order)
        if result.ops:
            flash.read(path)
            self.written[path] = bytes(flash.data)
        return result

    def write(self, path, data):
        """What differs from the file: most tests change little of many megabytes."""
        before = self.written.get(path, b"")
        with open(path, "r+b" if before else "wb") as file:
            for at in range(0, len(data), 0x10000):
                if data[at:at + 0x10000] != before[at:at + 0x10000]:
                    file.seek(at)
                    file.write(data[at:at + 0x10000])
        self.written[path] = bytes(data)

    def close(self):
        for machine in self.machines.values():
            machine.__exit__()


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    bench = Bench(tmp_path_factory.mktemp("boot"))
    yield bench
    bench.close()


def outcome(run):
    return run.value if run.event == "app" else NOTHING


def pair(map_number, boot, good=(True, True)):
    """A flash with a program in each slot; a bad one lacks its magic number, which all loaders notice."""
    flash = Flash(map_number, boot)
    for slot, address, report in ((1, USER1, FIRST), (2, USER2[map_number], SECOND)):
        flash.put(address, reporting_image(slot, report))
        if not good[slot - 1]:
            flash.data[address] = 0
    return flash


def block_of(bits, version=7, mode=0xE0, address1=0xFFFFFF, address2=0xFFFFFF):
    return bytes([0xF8 | bits, mode | version]) + address1.to_bytes(3, "little") + address2.to_bytes(3, "little")


def select(flash, block, flag=0):
    flash.select(block, flag)
    copy = flash.parameters + (1 if flag == 0 else 2)
    flash.put(copy * SECTOR + 8, SETTINGS[:0x700 - 8])


# --- Beside the originals ---------------------------------------------------------------------------

GOOD = [(True, True), (True, False), (False, True), (False, False)]


def difference(version, map_number, bits, good):
    """The row of docs/boot-nonos.md that covers a case."""
    if version == "1.7":
        if map_number in (8, 9):
            return "large-maps"
        return "no-slot" if bits in (2, 6) else "second-failure" if bits in (0, 1) else None
    if map_number >= 5:
        return "v1.2-maps"
    return "v1.2-no-slot" if bits > 1 else "v1.2-fall-back"


def expected(version, bits, good):
    """What ours starts: the slot that the block names, or user1 when it names none; else the other one."""
    if version == "1.7":
        second = {0: True, 1: False, 4: False, 5: True}.get(bits, False)
    else:
        second = bits == 1
    for slot in (second, not second):
        if good[slot]:
            return SECOND if slot else FIRST
    return NOTHING


@pytest.fixture(scope="module")
def compared(bench, loader):
    """Rows of the page's list that were seen, over the whole table of decisions."""
    seen = set()
    for version, values, maps in (("1.7", range(8), MAPS), ("1.2", (0, 1, 2, 15), [0, 2, 3, 4, 5, 6, 8, 9])):
        boot = original(version)
        for map_number in maps:
            for good in GOOD:
                for bits in values:
                    block = block_of(bits) if version == "1.7" else bytes([0xF0 | bits, 2]) + BLANK
                    if version == "1.2" and bits == 15:
                        block = b"\xF5\x02" + BLANK
                    found = []
                    for which in (boot, loader):
                        flash = pair(map_number, which, good)
                        flash.select(block)
                        found.append(outcome(bench.run(flash)))
                    wanted = expected(version, 5 if version == "1.2" and bits == 15 else bits, good)
                    assert found[1] == wanted, (version, map_number, bits, good)
                    if found[0] != found[1]:
                        row = difference(version, map_number, bits, good)
                        assert row, (version, map_number, bits, good, found)
                        seen.add(row)
    return seen


def listed_differences():
    text = PAGE.read_text(encoding="utf-8").split("## Differences")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `([^`]+)` \|(.*)\|$", text, re.MULTILINE))


def test_decides_as_the_originals_but_for_what_the_page_lists(compared):
    rows = listed_differences()
    assert compared <= set(rows)
    assert {row for row, text in rows.items() if "table" in text.split("|")[-1]} == compared


def test_a_factory_fresh_chip_starts_user1_and_is_initialised(bench, loader):
    for map_number in MAPS:
        flash = pair(map_number, loader)
        assert outcome(bench.run(flash)) == FIRST
        assert flash.copy()[:8] == b"\xFC\xE7" + BLANK
        again = bench.run(flash, same=True)
        assert (outcome(again), again.ops) == (FIRST, 0)


@pytest.mark.parametrize("map_number", [1, 7, 10, 15])
def test_a_map_without_slots_is_refused(bench, loader, map_number):
    flash = pair(2, loader)
    flash.data[3] = map_number << 4
    run = bench.run(flash)
    assert run.event == "returned" and run.ops == 0
    assert "flash map not support" in run.console


@pytest.mark.parametrize("map_number", MAPS)
def test_an_ordinary_boot_writes_nothing(bench, loader, map_number):
    for bits, report in ((4, FIRST), (5, SECOND), (0, SECOND), (1, FIRST)):
        for flag in (0, 1, 0xFF):
            flash = pair(map_number, loader)
            flash.select(block_of(bits), flag)
            run = bench.run(flash)
            assert (outcome(run), run.ops) == (report, 0)
            name, address = ("user1", USER1) if report == FIRST else ("user2", USER2[map_number])
            assert f"jump to run {name} @ {address:x}" in run.console
            assert "2nd boot version : 1.7(updraft" in run.console


@pytest.mark.parametrize("block,report", [
    (b"\xF0\x02" + BLANK, FIRST), (b"\xF1\x02" + BLANK, SECOND), (b"\x01\x02" + b"\0" * 6, SECOND),
    (block_of(5, 6), SECOND), (block_of(4, 6), FIRST), (block_of(0, 6), SECOND), (block_of(5, 4), SECOND),
    (block_of(3), FIRST), (block_of(2), FIRST), (block_of(6), FIRST), (b"\xFF" * 8, FIRST), (b"\0" * 8, SECOND),
    (block_of(5, 6, mode=0x60, address2=0x81000), SECOND)])
def test_another_loaders_block_is_set_up_and_its_slot_kept(bench, loader, block, report):
    flash = pair(2, loader)
    select(flash, block)
    run = bench.run(flash)
    assert outcome(run) == report
    assert flash.copy()[:8] == bytes([0xFC | (report == SECOND), 0xE7]) + BLANK
    assert flash.copy()[8:0x700] == SETTINGS[:0x700 - 8]
    assert bench.run(flash, same=True).ops == 0


# --- Test images and enhanced mode ------------------------------------------------------------------

EXTRA1, EXTRA2 = 0x100000, 0x180000     # of map 4, in the user's data


def with_extras(boot, block, good=(True, True), slots=(True, True), pin=0xFF):
    flash = pair(4, boot, slots)
    select(flash, block)
    flash.put(flash.parameters * SECTOR + 119, bytes([pin]))
    for address, report, is_good in ((EXTRA1, THIRD, good[0]), (EXTRA2, FOURTH, good[1])):
        flash.put(address, reporting_image(1, report))
        if not is_good:
            flash.data[address] = 0
    return flash


TEST_DUE, ENHANCED = 0xA0, 0x60         # bits 7 to 5 of the block's byte 1

BY_ADDRESS_ROWS = [
    (TEST_DUE, 5, (True, True), "", 0xFF, THIRD, False),
    (TEST_DUE, 5, (False, True), "", 0xFF, SECOND, True),
    (0x80, 5, (True, True), "", 0xFF, SECOND, False),           # has passed its test
    (ENHANCED, 5, (True, True), "", 0xFF, FOURTH, False),
    (ENHANCED, 5, (True, False), "", 0xFF, THIRD, True),
    (ENHANCED, 1, (True, True), "", 0xFF, THIRD, False),
    (ENHANCED, 5, (False, False), "", 0xFF, None, True),
    (0xE0, 5, (True, True), "pin 4 0", 0xA4, THIRD, False),
    (0xE0, 5, (True, True), "pin 4 1", 0xA4, SECOND, False),
    (0xE0, 5, (True, True), "pin 4 0", 0xFF, SECOND, False),
    (0xE0, 5, (True, True), "pin 4 0", 0x04, SECOND, False),
    (0xE0, 5, (False, True), "pin 4 0", 0xA4, SECOND, False)]


def difference_by_address(mode, good):
    """The row of docs/boot-nonos.md that lets v1.7 decide otherwise."""
    if mode == TEST_DUE and not good[0]:
        return "test-failed"
    return "both-addresses" if mode == ENHANCED and good == (False, False) else None


@pytest.mark.parametrize("mode,bits,good,order,pin,report,writes", BY_ADDRESS_ROWS)
def test_images_by_address_are_chosen_as_by_the_original(bench, mode, bits, good, order, pin, report, writes):
    flash = with_extras(original("1.7"), block_of(bits, mode=mode, address1=EXTRA1, address2=EXTRA2), good, pin=pin)
    found = outcome(bench.run(flash, order))
    row = difference_by_address(mode, good)
    assert row is None or row in listed_differences()
    assert (found != (report or SECOND)) == (row is not None), found


@pytest.mark.parametrize("mode,bits,good,order,pin,report,writes", BY_ADDRESS_ROWS)
def test_images_by_address(bench, loader, mode, bits, good, order, pin, report, writes):
    flash = with_extras(loader, block_of(bits, mode=mode, address1=EXTRA1, address2=EXTRA2), good, pin=pin)
    run = bench.run(flash, order)
    block = flash.copy()[:8]
    if report is None:                  # neither: a slot, and a block that says so
        report = SECOND if block[0] & 7 in (5, 0) else FIRST
        assert block[1] == 0xE7
    assert outcome(run) == report and (run.ops > 0) == writes
    assert outcome(bench.run(flash, order, same=True)) == report
    assert flash.copy()[8:0x700] == SETTINGS[:0x700 - 8]
    if report == THIRD and mode == ENHANCED:
        assert block[0] & 4 == 0        # the application learns that the backup runs


# --- Damaged images ---------------------------------------------------------------------------------

def mended(image):
    """The image with the CRC that fits it."""
    return image[:-4] + struct.pack("<I", appended_crc(image[:-4]))


GOOD_SEGMENTS = [(0x40100000, reporting_code(SECOND)), (0x3FFE8000, b"data" * 4)]


def with_segment(address, data=b"\0\0\0\0", size=None):
    image = bytearray(v2_image(2, GOOD_SEGMENTS + [(address, data)], 0x40100008))
    if size is not None:
        at = len(image) - 4
        at = bytes(image).rindex(struct.pack("<II", address, len(data)))
        struct.pack_into("<I", image, at + 4, size)
    return mended(bytes(image))


def damages():
    """(name, image): each is bad in one way, with all that can be mended mended."""
    whole = reporting_image(2, SECOND)
    inner = 16 + 64
    flip = lambda at, bits=1: whole[:at] + bytes([whole[at] ^ bits]) + whole[at + 1:]
    put = lambda at, data: whole[:at] + data + whole[at + len(data):]
    yield "irom byte", flip(0x20)
    yield "code byte", flip(inner + 8 + 8 + 4)
    yield "code byte, CRC mended", mended(flip(inner + 8 + 8 + 4))
    yield "XOR checksum, CRC mended", mended(flip(len(whole) - 5))
    yield "CRC", flip(len(whole) - 1)
    yield "blank", b"\xFF" * len(whole)
    yield "zeros", bytes(len(whole))
    yield "outer magic", mended(flip(0))
    yield "outer magic's second byte", mended(flip(1))
    yield "inner magic", mended(flip(inner))
    yield "no outer header", whole[inner:]
    yield "irom size", mended(put(12, struct.pack("<I", 48)))
    yield "irom size beyond the slot", mended(put(12, struct.pack("<I", 0x7FFFFFF0)))
    yield "irom size beyond all", mended(put(12, struct.pack("<I", 0xFFFFFFF0)))
    yield "no segments", mended(put(inner + 1, b"\0"))
    yield "a segment too many", mended(put(inner + 1, b"\4"))
    yield "255 segments", mended(put(inner + 1, b"\xFF"))
    yield "entry outside", mended(put(inner + 4, struct.pack("<I", 0x40103000)))
    yield "entry in ROM", mended(put(inner + 4, struct.pack("<I", 0x40000080)))
    for address in (0x4010E000, 0x4010DFFE, 0x40110000, 0x3FFFA000, 0x3FFE7FFC, 0x400FFFFC, 0x40200000,
                    0x60000000, 0, 0xFFFFFFFC, 0x3FFFC714, 0x40100002):
        yield f"segment at {address:x}", with_segment(address)
    yield "segment up to the loader", with_segment(0x4010DFFC, bytes(8))
    yield "segment up to its data", with_segment(0x3FFF9FFC, bytes(8))
    for size in (0xFFFFFFFC, 0x80000000, 0x100000, 0x40, 2):
        yield f"segment size {size:x}", with_segment(0x3FFE9000, bytes(4), size)
    for length in range(1, len(whole)):
        if length % 37 == 0 or length > len(whole) - 6:
            yield f"first {length} bytes", whole[:length] + b"\xFF" * (len(whole) - length)


DAMAGES = dict(damages())


@pytest.mark.parametrize("name", DAMAGES)
def test_a_bad_image_is_refused(bench, loader, name):
    flash = pair(2, loader)
    select(flash, block_of(5))
    flash.put(USER2[2], b"\xFF" * 0x1000)
    flash.put(USER2[2], DAMAGES[name])
    run = bench.run(flash)
    assert outcome(run) == FIRST and "bad image @ 81000" in run.console
    assert flash.copy()[:8] == block_of(4) and flash.copy()[8:0x700] == SETTINGS[:0x700 - 8]
    assert bench.run(flash, same=True).ops == 0
    flash.put(USER1, DAMAGES[name])
    run = bench.run(flash)
    assert run.event == "returned" and run.ops == 0
    assert "no good image" in run.console


def test_segments_may_fill_all_that_is_theirs(bench, loader):
    flash = pair(2, loader)
    select(flash, block_of(5))
    code = reporting_code(SECOND).ljust(0xE000, b"\0")
    segments = [(0x40100000, code), (0x3FFE8000, bytes(0x12000)), (0x3FFE8000, b"")]
    flash.put(USER2[2], v2_image(2, segments, 0x40100008))
    assert outcome(bench.run(flash)) == SECOND


def genuine():
    folder = SHARED / "corpus/img"
    return sorted(folder.glob("nonos-at-*.bin")) if folder.exists() else []


def test_genuine_images_reach_their_entry(bench, loader):
    images = [path.read_bytes() for path in genuine()]
    images = [image for image in images if image[0] == 0xEA and image[3] in (1, 2)]
    if not images:
        pytest.skip("no images of the SDK beside the repository")
    for image in images:
        slot = image[3]
        irom, = struct.unpack_from("<I", image, 12)
        entry, = struct.unpack_from("<I", image, 16 + irom + 4)
        for map_number in (m for m in MAPS if len(image) <= USER2[m] - USER1 - 5 * SECTOR):
            flash = pair(map_number, loader, (False, False))
            flash.put(USER1 if slot == 1 else USER2[map_number], image)
            flash.select(block_of(4 if slot == 1 else 5))
            run = bench.run(flash, f"stop {entry:#x}")
            assert (run.event, run.value, run.ops) == ("stopped", entry, 0)


@pytest.mark.parametrize("way", ["torn", "sums"])
def test_a_skipped_instruction_starts_nothing_bad(tmp_path, way):
    """One in thirteen; `./dev test boot-skip` skips each."""
    import boot_skip
    chosen = boot_skip.instructions()
    assert len(chosen) > 1000
    assert boot_skip.started(tmp_path, way, chosen[::13]) == []


# --- Trials -----------------------------------------------------------------------------------------

MARKS = {"CLOSED": (4, 1), "ARMED": (3, 0), "START_1": (3, 2), "START_2": (3, 3), "START_3": (3, 4),
         "EXHAUSTED": (3, 5), "DAMAGED": (3, 6), "REFUSED": (3, 7)}
FRAME = 5 * 256


def seal(body):
    return body + struct.pack("<I", zlib.crc32(body))


def journal(*frames):
    """The sector of docs/formats/journal.md: (slot, marks) for each frame."""
    sector = bytearray(b"\xFF" * SECTOR)
    sector[128:144] = seal(b"UPDRAFTJ\x01\0\xFF\xFF")
    for number, (slot, marks) in enumerate(frames):
        at = 256 + FRAME * number
        sector[at:at + 64] = seal(bytes([ord("U"), ord("J"), 1, slot]) + b"\xFF" * 56)
        for mark in marks.split():
            page, place = MARKS[mark]
            sector[at + page * 256 + place * 32:at + page * 256 + place * 32 + 32] = bytes(32)
    return bytes(sector)


def on_trial(loader, marks="ARMED", good=(True, True), map_number=2, bits=5, slot=1):
    flash = pair(map_number, loader, good)
    select(flash, block_of(bits))
    flash.put(USER2[map_number] - SECTOR, journal((slot, marks)))
    return flash


def cleared(flash, mark, frame=0):
    """Bits of a mark that are 0, of 256."""
    page, place = MARKS[mark]
    at = USER2[flash.map] - SECTOR + 256 + FRAME * frame + page * 256 + place * 32
    return sum(8 - byte.bit_count() for byte in flash.data[at:at + 32])


def is_set(flash, mark, frame=0):
    return cleared(flash, mark, frame) == 256


@pytest.mark.parametrize("map_number", [0, 2, 9])
def test_an_image_on_trial_gets_three_starts(bench, loader, map_number):
    flash = on_trial(loader, map_number=map_number)
    reports = [outcome(bench.run(flash, same=i > 0)) for i in range(6)]
    assert reports == [SECOND] * 3 + [FIRST] * 3
    assert is_set(flash, "EXHAUSTED") and not is_set(flash, "DAMAGED")
    assert flash.copy()[:2] == block_of(4)[:2] and flash.copy()[8:0x700] == SETTINGS[:0x700 - 8]
    assert bench.run(flash, same=True).ops == 0


@pytest.mark.parametrize("marks,good,report,mark", [
    ("ARMED", (True, False), FIRST, "DAMAGED"),
    ("ARMED REFUSED", (True, True), FIRST, "REFUSED"),
    ("ARMED CLOSED", (True, True), SECOND, "CLOSED"),           # confirmed
    ("ARMED CLOSED START_1 START_2 START_3", (True, True), SECOND, "CLOSED"),
    ("", (True, True), SECOND, None),                           # the frame is about a download
    ("ARMED START_1 START_2 START_3", (False, True), SECOND, "START_3"),   # there is nothing else
    ("ARMED START_3", (True, True), FIRST, "EXHAUSTED"),
    ("ARMED", (False, False), NOTHING, "ARMED")])
def test_what_the_journal_says(bench, loader, marks, good, report, mark):
    flash = on_trial(loader, marks, good)
    assert outcome(bench.run(flash)) == report
    assert mark is None or is_set(flash, mark)


def test_the_highest_sound_frame_counts_with_or_without_a_cover(bench, loader):
    """The library does not ask for the journal's cover either: a torn one must not hide a trial from one of the two."""
    flash = on_trial(loader)
    flash.put(USER2[2] - SECTOR, journal((1, "ARMED START_1 START_2 START_3"), (1, "ARMED")))
    assert outcome(bench.run(flash)) == SECOND and is_set(flash, "START_1", 1)
    flash = on_trial(loader, "ARMED START_1 START_2 START_3")
    flash.data[USER2[2] - SECTOR + 128] ^= 1
    assert outcome(bench.run(flash)) == FIRST and is_set(flash, "EXHAUSTED")
    flash = on_trial(loader, "ARMED START_1 START_2 START_3")
    flash.data[USER2[2] - SECTOR + 256] ^= 1                            # no sound frame
    run = bench.run(flash)
    assert (outcome(run), run.ops) == (SECOND, 0)
    flash = on_trial(loader, "ARMED START_1 START_2 START_3", slot=0)   # about the other slot
    run = bench.run(flash)
    assert (outcome(run), run.ops) == (SECOND, 0)


# --- Power cuts -------------------------------------------------------------------------------------
#
# The loader in the emulator and the host's model of it (sim/src/sim_loader_nonos.c), which the proof of the
# update engine runs on, get the same flash and the same cuts: they must do the same operations, leave the
# same bytes, and start the same slot.

TEARS = ("AFTER", "PREFIX", "SUFFIX", "LAST_WORD", "BITS", "WEAK_BEFORE", "WEAK_AFTER", "MIXED")
ERASE_TEARS = TEARS + ("ZERO_PREFIX", "ZERO_SUFFIX", "ZERO_BITS")
PROGRAM_TEARS = TEARS + ("DISTURB",)
# BEFORE an operation is AFTER the one before it, but for the first.


def model_program():
    """updraft-boot-model: $UPDRAFT_BOOT_MODEL, else that of the newest build."""
    if "UPDRAFT_BOOT_MODEL" in os.environ:
        return os.environ["UPDRAFT_BOOT_MODEL"]
    found = sorted(ROOT.glob("build/*/sim/boot/updraft-boot-model"), key=lambda path: path.stat().st_mtime)
    assert found, "no updraft-boot-model: run ./dev test programs"
    return str(found[-1])


class Twins(Bench):
    """The emulated loader, and the host's model beside it."""

    def __init__(self, folder):
        super().__init__(folder)
        self.path = folder / "model.bin"
        self.model = None
        self.orders = []        # since the flash was new
        self.compared = 0       # power-ons of both

    def run(self, flash, order="", same=False, beside=True):
        """As Bench.run(). beside: the model, too, which also tells what was cut, in `kind` of the result."""
        before = None if same or not beside else bytes(flash.data)
        result = super().run(flash, order, same)
        if beside:
            if before is not None:
                self.write(self.path, before)
            self.compare(flash, result, ("" if same else "new ") + order)
        return result

    def compare(self, flash, result, order):
        if self.model is None:
            self.model = subprocess.Popen([model_program(), self.path], stdin=subprocess.PIPE,
                                          stdout=subprocess.PIPE, text=True, bufsize=1)
        self.orders = ([] if order.startswith("new") else self.orders) + [order]
        self.model.stdin.write(f"boot {order.split(' stop ')[0]}\n")
        event, address, operations = self.model.stdout.readline().split()
        address = int(address, 16)
        result.kind = event
        if event == "starts" and result.event == "stopped":     # at its entry: the console says whose
            result.started = int(re.search(r"jump to run \w+ @ ([0-9a-f]+)\n", result.console)[1], 16)
            assert result.started == address, self.orders
            expected_end = (result.event, result.value)
        elif event == "starts":
            expected_end = ("app", FIRST if address == USER1 else SECOND)
        else:
            expected_end = ("returned", 0) if event == "nothing" else ("cut", address)
        left = self.written[self.path] = self.path.read_bytes()
        assert (result.event, result.value, result.ops) == (*expected_end, int(operations, 16)), self.orders
        if result.ops:
            if left != flash.data:
                differ = [at for at in range(len(left)) if left[at] != flash.data[at]]
                assert not differ, f"{self.orders}: {len(differ)} bytes differ, from {differ[0]:#x}"
        self.compared += 1

    def close(self):
        super().close()
        if self.model is not None:
            self.model.stdin.close()
            self.model.wait()


@pytest.fixture(scope="module")
def twins(tmp_path_factory):
    twins = Twins(tmp_path_factory.mktemp("twins"))
    yield twins
    twins.close()


def fresh(loader):
    return pair(0, loader)


def selected(block, good=(True, True), flag=0):
    def make(loader):
        flash = pair(0, loader, good)
        select(flash, block, flag)
        return flash
    return make


def trial(marks, good=(True, True)):
    return functools.partial(on_trial, marks=marks, good=good, map_number=0)


def seal_copy(flash, copy):
    at = (flash.parameters + 1 + copy) * SECTOR
    flash.put(at + 0x700, bytes(32))
    flash.put(at + 0x800, b"updraft seal: \xFF\0")


def doubtful(loader):
    """The flag sector as a cut of updraft's library may leave it, and the selected copy sealed."""
    flash = pair(0, loader)
    select(flash, block_of(5), flag=1)
    seal_copy(flash, 1)
    flash.put((flash.parameters + 3) * SECTOR + 256, bytes(48))
    return flash


def activated(marks, good=(True, True)):
    """As the library leaves it: the other copy still selects user1; both are sealed, and the flag sector is."""
    def make(loader):
        flash = on_trial(loader, marks, good, map_number=0)
        copies = [(flash.parameters + number) * SECTOR for number in (1, 2)]
        flash.put(copies[1], block_of(5) + SETTINGS[:0x700 - 8])
        flash.put(copies[0], block_of(4))
        seal_copy(flash, 0)
        seal_copy(flash, 1)
        flag = (flash.parameters + 3) * SECTOR
        flash.put(flag, b"\x01")
        flash.put(flag + 256, bytes(16) + b"updraft seal: \x01\xFE")
        return flash
    return make


def by_address(mode, good):
    def make(loader):
        flash = pair(0, loader)
        select(flash, block_of(5, mode=mode, address1=0x60000, address2=0x68000))
        for address, report, is_good in ((0x60000, THIRD, good[0]), (0x68000, FOURTH, good[1])):
            flash.put(address, reporting_image(1, report))
            if not is_good:
                flash.data[address] = 0
        return flash
    return make


# What is started again and again until nothing is left to write, whatever was cut.
SETTLES = {
    "fresh": (fresh, FIRST),
    "v1.2, user2": (selected(b"\xF1\x02" + BLANK), SECOND),
    "v1.6, user2, copy 1": (selected(block_of(5, 6), flag=1), SECOND),
    "no slot": (selected(block_of(2)), FIRST),
    "fall-back to user1": (selected(block_of(5), (True, False)), FIRST),
    "fall-back to user2, copy 1": (selected(block_of(4), (False, True), flag=1), SECOND),
    "exhausted": (trial("ARMED START_1 START_2 START_3"), FIRST),
    "damaged": (trial("ARMED", (True, False)), FIRST),
    "refused": (trial("ARMED REFUSED"), FIRST),
    "flag in doubt": (doubtful, SECOND),
    "exhausted, with a way back": (activated("ARMED START_1 START_2 START_3"), FIRST),
    "damaged, with a way back": (activated("ARMED", (True, False)), FIRST),
    "damaged long after, with a way back": (activated("ARMED CLOSED", (True, False)), FIRST),
    "backup image": (by_address(ENHANCED, (True, False)), THIRD),
    "no image by address": (by_address(ENHANCED, (False, False)), FIRST),
    "bad test image": (by_address(TEST_DUE, (False, False)), SECOND),
}
BY_ADDRESS = ("backup image", "no image by address", "bad test image")  # of which the model knows nothing
cuts_done = []


def settle(twins, flash, report, context, cells, beside):
    """Once more without a cut: the right image runs, with the settings; after that nothing is written."""
    run = twins.run(flash, f"cells {cells}", same=True, beside=beside)
    assert outcome(run) == report, context
    run = twins.run(flash, f"cells {cells}", same=True, beside=beside)
    assert (outcome(run), run.ops) == (report, 0), context
    assert flash.copy()[8:0x700] == flash.settings, context


def prepared(name, loader):
    """The flash of a row of SETTLES, and how its power-ons are to be done."""
    make, report = SETTLES[name]
    flash = make(loader)
    flash.settings = flash.copy()[8:0x700]
    return flash, report, name not in BY_ADDRESS


@pytest.mark.parametrize("name", SETTLES)
def test_cuts_at_every_operation(twins, loader, name):
    """Each operation, torn in each way that the flash model knows."""
    reference, report, beside = prepared(name, loader)
    first = bytes(reference.data)
    operations = twins.run(reference, beside=beside).ops
    assert operations > 0
    for cut in range(operations):
        kinds = ["AFTER"]
        for number, tear in enumerate(kinds):
            flash, _, _ = prepared(name, loader)
            assert flash.data == first
            cells = ("ones", "zeros")[(cut + number) % 2]
            context = f"cut {cut} {tear} seed {cut + 100 * number} cells {cells}"
            run = twins.run(flash, context, beside=beside)
            assert run.event == "cut", context
            if number == 0:     # a kind that an operation does not have is for the emulator another one
                of_erase = beside and run.kind == "erase"
                kinds += ([] if cut else ["BEFORE"]) + list(ERASE_TEARS if of_erase else PROGRAM_TEARS)[1:]
            settle(twins, flash, report, context, cells, beside)
            cuts_done.append(context)


@pytest.mark.parametrize("name", SETTLES)
def test_cuts_one_after_the_other(twins, loader, name):
    """The boots that repair are cut too, at operations chosen by a fixed seed."""
    choose = random.Random(name)
    for number in range(24):
        flash, report, beside = prepared(name, loader)
        cells = ("ones", "zeros", "random")[number % 3]
        beside = beside and cells != "random"   # what each reads by chance is not the same
        context = []
        for count in range(choose.randrange(2, 6)):
            context.append(f"cut {choose.randrange(30)} ANY seed {choose.randrange(1, 99999)} cells {cells}")
            run = twins.run(flash, context[-1], same=count > 0, beside=beside)
            assert run.event == "cut" or outcome(run) == report, context
            cuts_done.append(context[-1])
        settle(twins, flash, report, context, cells, beside)


@pytest.mark.parametrize("tear", PROGRAM_TEARS)
def test_cuts_while_starts_are_counted(twins, loader, tear):
    """However the marks are torn, a trial gets three starts at most, and one mark is set for each."""
    for cuts in range(1, 8):
        for seed in range(1, 4):
            flash = on_trial(loader, map_number=0)
            starts = 0
            for boot in range(8):
                order = f"cells {('ones', 'zeros')[seed % 2]} "
                if cuts >> boot & 1:
                    order += f"cut 0 {tear} seed {seed * 10 + boot}"
                run = twins.run(flash, order, same=boot > 0)
                if run.event == "cut":
                    cuts_done.append(order)
                else:
                    starts += outcome(run) == SECOND
            assert starts <= 3 and outcome(run) == FIRST
            assert cleared(flash, "EXHAUSTED") >= 80    # unstable cells may be among the others


# --- The update engine's cuts -----------------------------------------------------------------------

def powercut_program():
    """powercut: $UPDRAFT_POWERCUT, else that of the release build, which is also the suite powercut's."""
    program = pathlib.Path(os.environ.get("UPDRAFT_POWERCUT", ROOT / "build/release/tests/powercut/powercut"))
    assert program.exists(), f"no {program}: run ./dev test programs"
    return program


def read_sectors(stream, into):
    """Put what `powercut states` prints of one flash into it. False at the end."""
    line = stream.readline()
    for _ in range(int(line or 0)):
        number, = struct.unpack("<I", stream.read(4))
        into[number * SECTOR:(number + 1) * SECTOR] = stream.read(SECTOR)
    return bool(line)


# Of so many cuts one, in ./dev test; all of them by ./dev test boot-gate.
EVERY = int(os.environ.get("UPDRAFT_BOOT_GATE_EVERY", "24"))


@pytest.mark.parametrize("setup", ["nonos-map0", "nonos-map0-from-user2"])
def test_what_cut_updates_leave_is_started_as_the_proof_has_it(twins, loader, setup):
    """The states of the flash after the cuts of the proof's updates (tests/powercut), in which the loader is cut, too:
    it starts the same image as the model on which the proof runs, and leaves the same bytes."""
    seen, started = set(), set()
    with subprocess.Popen([powercut_program(), "states", setup, str(EVERY)], stdout=subprocess.PIPE) as program:
        first = bytearray(b"\xFF" * 0x80000)
        assert read_sectors(program.stdout, first)
        running = USER1 if setup == "nonos-map0" else USER2[0]
        irom, = struct.unpack_from("<I", first, running + 12)
        entry, = struct.unpack_from("<I", first, running + 16 + irom + 4)
        flash = Flash(0, loader)
        while read_sectors(program.stdout, data := bytearray(first)):
            data[:SECTOR] = flash.data[:SECTOR]
            flash.data[:] = data
            if (key := zlib.crc32(data)) in seen:
                continue
            seen.add(key)
            run = twins.run(flash, f"stop {entry:#x}")
            assert run.event == "stopped", run
            started.add(run.started)
            cuts_done.append(setup)
    assert program.returncode == 0
    assert started == {USER1, USER2[0]} and len(seen) > 300


def test_enough_cuts_were_made(twins):
    if cuts_done:       # all of them: not when tests are picked by name
        print(f"{len(cuts_done)} cuts, {twins.compared} power-ons beside the model")
        assert len(cuts_done) >= 2000, len(cuts_done)
