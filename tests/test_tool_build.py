"""Goal: `updraft image build` makes of a linked program what the NONOS SDK's generator makes of it.

Method: a small application is compiled for lx106 and linked for user1, for user2 and without boot loader. What the
SDK's script does is done here again, from the output of the compiler's own tools, and must give the same bytes.
"""
import struct
import subprocess

import conftest
import images
import pytest

TOOLS = "xtensa-lx106-elf-"


def section(elf, name, tmp_path):
    """A section's bytes, as the SDK's script gets them."""
    out = tmp_path / "section.bin"
    subprocess.run([TOOLS + "objcopy", "--only-section", name, "-O", "binary", elf, out], check=True)
    return out.read_bytes()


def symbol(elf, name):
    listed = subprocess.run([TOOLS + "nm", elf], check=True, capture_output=True, text=True).stdout
    return next(int(row.split()[0], 16) for row in listed.splitlines() if row.split()[-1] == name)


def pad(data, size):
    return data + bytes(-len(data) % size)


def parts(elf, tmp_path):
    """Entry, the three RAM segments and the flash part of a program."""
    return symbol(elf, "call_user_start1"), [
        (0x40100000, pad(section(elf, ".text", tmp_path), 4)),
        (symbol(elf, "_data_start"), pad(section(elf, ".data", tmp_path), 4)),
        (symbol(elf, "_rodata_start"), pad(section(elf, ".rodata", tmp_path), 4))], section(elf, ".irom0.text", tmp_path)


MODES = {"qio": 0, "qout": 1, "dio": 2, "dout": 3}
FREQS = {"40m": 0, "26m": 1, "20m": 2, "80m": 15}


@pytest.mark.parametrize("slot, number, name", [("user1", 1, "app1.elf"), ("user2", 2, "app2.elf")])
@pytest.mark.parametrize("map_", [2, 3, 4])
@pytest.mark.parametrize("mode, freq", [("qio", "40m"), ("dout", "80m"), ("qout", "26m"), ("dio", "20m")])
def test_an_image_is_what_the_sdk_makes(updraft, programs, tmp_path, slot, number, name, map_, mode, freq):
    entry, ram, irom = parts(programs / name, tmp_path)
    out = tmp_path / "out.bin"
    updraft("image", "build", "--slot", slot, "--map", map_, "--flash-mode", mode, "--flash-freq", freq,
            programs / name, "-o", out)
    assert out.read_bytes() == images.v2(number, irom, ram, entry, MODES[mode], map_ << 4 | FREQS[freq])
    assert "ok" in updraft("image", "verify", "--slot", slot, "--map", map_, out).out


def test_an_image_without_boot_loader_is_two_files(updraft, programs, tmp_path):
    entry, ram, irom = parts(programs / "app0.elf", tmp_path)
    flash, flash_irom = tmp_path / "eagle.flash.bin", tmp_path / "eagle.irom0text.bin"
    updraft("image", "build", "--boot", "none", "--map", "4", "--flash-freq", "80m", programs / "app0.elf", "-o", flash,
            "--irom-output", flash_irom)
    assert flash.read_bytes() == images.v1(ram, entry, 0, 0x4F)
    assert flash_irom.read_bytes() == irom


def test_an_image_for_boot_1_1_has_its_flash_part_at_64_kib(updraft, programs, tmp_path):
    out = tmp_path / "old.bin"
    entry, ram, irom = parts(programs / "app1.elf", tmp_path)
    updraft("image", "build", "--boot", "old", "--slot", "user1", "--map", "2", "--any-link", programs / "app1.elf",
            "-o", out)
    head = bytearray(images.v1(ram, entry))
    head[3] = 1
    body = bytes(head).ljust(0x10000, b"\xff") + irom
    data = out.read_bytes()
    assert data[:0x10000 + len(irom)] == body
    assert data[-4:] == struct.pack("<I", images.nonos_crc(data[:-4]))


def test_the_two_old_files_give_the_same_image(updraft, programs, tmp_path):
    """Linked for user1, but cut into flash.bin and irom0text.bin first: the settings come from flash.bin."""
    flash, irom, one, other = (tmp_path / n for n in ("flash.bin", "irom.bin", "one.bin", "other.bin"))
    updraft("image", "build", "--slot", "user1", "--map", "2", "--flash-mode", "dio", programs / "app1.elf", "-o", one)
    updraft("image", "build", "--boot", "none", "--map", "2", "--flash-mode", "dio", "--any-link",
            programs / "app1.elf", "-o", flash, "--irom-output", irom)
    updraft("image", "build", "--slot", "user1", "--flash-bin", flash, "--irom-bin", irom, "-o", other)
    assert one.read_bytes() == other.read_bytes()
    updraft("image", "build", "--slot", "user1", "--map", "3", "--flash-mode", "qio", "--flash-bin", flash,
            "--irom-bin", irom, "-o", other)
    assert updraft("image", "info", "--json", other).json["flash"] == \
        {"mode": "qio", "freq": "40m", "size": "2MB", "map": 3}


def test_esptool_reads_both_images(updraft, programs, tmp_path):
    bin_image = pytest.importorskip("esptool.bin_image")
    for slot, name in (("user1", "app1.elf"), ("user2", "app2.elf")):
        entry, ram, irom = parts(programs / name, tmp_path)
        updraft("image", "build", "--slot", slot, "--map", "2", programs / name, "-o", tmp_path / "out.bin")
        data = (tmp_path / "out.bin").read_bytes()
        image = bin_image.LoadFirmwareImage("esp8266", data)
        assert image.version == 2 and image.entrypoint == entry and image.checksum == image.calculate_checksum()
        assert [(s.addr, s.data) for s in image.segments] == [(0, pad(irom, 16))] + ram
        assert struct.unpack("<I", data[-4:])[0] == bin_image.esp8266_crc32(data[:-4])


def test_the_pair_differs_by_the_link_address_alone(updraft, programs, tmp_path):
    pair = []
    for slot, name in (("user1", "app1.elf"), ("user2", "app2.elf")):
        updraft("image", "build", "--slot", slot, "--map", "2", programs / name, "-o", tmp_path / "out.bin")
        pair.append((tmp_path / "out.bin").read_bytes())
    one, other = pair
    assert len(one) == len(other) and (one[3], other[3]) == (1, 2)
    distance = conftest.LINKS["app2.elf"] - conftest.LINKS["app1.elf"]
    checksum_at = len(one) - 5
    moved = 0
    at = 4
    while at < len(one) - 4:
        first, second = struct.unpack_from("<I", one, at)[0], struct.unpack_from("<I", other, at)[0]
        if first != second:
            if at <= checksum_at < at + 4:
                assert (first ^ second) >> 24 and (first ^ second) & 0xFFFFFF == 0
            else:
                assert second - first == distance, hex(at)
                moved += 1
        at += 4
    assert moved > 0, "nothing in this program refers to flash"


WRONG = [
    ("a missing section", "s/.irom0.text IROM/.irom1.text IROM/", "has no section .irom0.text"),
    ("a missing entry", "s/call_user_start1/other_start/g", "has no symbol call_user_start1"),
    ("a missing _data_start", "s/_data_start = ABSOLUTE(.);//", "has no symbol _data_start"),
    ("a missing _rodata_start", "s/_rodata_start = ABSOLUTE(.);//", "has no symbol _rodata_start"),
    ("an empty section", r"s/\*(.rodata .rodata.\*)//", "rodata section is empty"),
    ("code outside of its RAM", "s/.text 0x40100000/.text 0x40210000/", "instruction RAM"),
]


@pytest.mark.parametrize("name, change, message", WRONG, ids=[row[0] for row in WRONG])
def test_a_program_that_lacks_something_is_told_what(updraft, programs, tmp_path, name, change, message):
    source = conftest.ROOT / "tests" / "nonos_app"
    for file in ("app.c", "app.ld"):
        (tmp_path / file).write_text((source / file).read_text())
        subprocess.run(["sed", "-i", change, tmp_path / file], check=True)
    subprocess.run([conftest.XTENSA, "-Os", "-nostdlib", "-ffreestanding", "-mlongcalls", "-mtext-section-literals",
                    "-Wl,--defsym=IROM=0x40201010,--no-gc-sections", "-T", tmp_path / "app.ld", tmp_path / "app.c",
                    "-o", tmp_path / "app.elf"], check=True)
    out = tmp_path / "out.bin"
    result = updraft("image", "build", "--slot", "user1", "--map", "2", tmp_path / "app.elf", "-o", out, code=1)
    assert message in result.err and result.err.count("\n") == 1 and not out.exists()


def test_a_program_for_the_other_slot_is_refused(updraft, programs, tmp_path):
    out = tmp_path / "out.bin"
    result = updraft("image", "build", "--slot", "user2", "--map", "2", programs / "app1.elf", "-o", out, code=1)
    assert "0x40201010" in result.err and "0x40281010" in result.err and "app2.ld" in result.err
    assert not out.exists()
    updraft("image", "build", "--slot", "user2", "--map", "2", "--any-link", programs / "app1.elf", "-o", out)


def test_one_link_address_serves_both_slots_of_1024_1024_maps(updraft, programs, tmp_path):
    for slot in ("user1", "user2"):
        for map_ in (5, 6, 8, 9):
            updraft("image", "build", "--slot", slot, "--map", map_, programs / "app1.elf", "-o", tmp_path / "out.bin")
            updraft("image", "verify", "--slot", slot, "--map", map_, tmp_path / "out.bin")


@pytest.mark.parametrize("words", [
    ["--slot", "user1", "--map", "7"], ["--slot", "user1", "--map", "1"], ["--map", "2"], ["--boot", "none"],
    ["--boot", "none", "--slot", "user1", "--irom-output", "i.bin"], ["--slot", "user1", "--irom-output", "i.bin"],
    ["--slot", "user1", "--flash-bin", "f.bin", "--irom-bin", "i.bin"], ["--slot", "user1", "--irom-bin", "i.bin"],
])
def test_what_the_make_files_refuse_is_refused(updraft, programs, tmp_path, words):
    result = updraft("image", "build", *words, programs / "app1.elf", "-o", "out.bin", cwd=tmp_path, code=None)
    assert result.code in (1, 2) and result.err.count("\n") == 1 and list(tmp_path.iterdir()) == []


def test_files_that_are_no_program_are_refused(updraft, programs, tmp_path):
    whole = (programs / "app1.elf").read_bytes()
    for name, data in (("empty", b""), ("text", b"hello"), ("cut", whole[:-1]), ("header alone", whole[:52]),
                       ("host", open("/bin/true", "rb").read())):
        path = tmp_path / "bad.elf"
        path.write_bytes(data)
        result = updraft("image", "build", "--slot", "user1", "--map", "2", path, "-o", tmp_path / "out.bin", code=1)
        assert str(path) in result.err and result.err.count("\n") == 1 and not (tmp_path / "out.bin").exists(), name


def test_json_describes_what_was_made(updraft, programs, tmp_path):
    out = tmp_path / "out.bin"
    made = updraft("image", "build", "--json", "--slot", "user2", "--map", "2", programs / "app2.elf", "-o", out).json
    told = updraft("image", "info", "--json", out).json
    assert made["address"] == 0x81000
    for key in ("format", "slot", "flash", "entry", "segments", "crc32", "covered"):
        assert made[key] == told[key]
