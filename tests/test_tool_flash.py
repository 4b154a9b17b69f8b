"""Goal: whole flash images are what a factory-fresh chip holds, are told apart, and are changed so that no cut hurts.

Method: images are built and compared byte by byte with the layout put together here; what `flash info` says would start
is compared with a table; changes in place are cut off at every single write (fixtures/faults.c), and after each cut the
old choice or the new one must start.
"""
import hashlib
import json
import os
import re
import shutil
import stat
import struct

import images
import nonos
import pytest
from test_tool_files import faults  # noqa: F401  a fixture

# map: size of the chip, user2, init data, device key (esp8266-nonos layout, docs/formats/flash_map.md)
MAPS = {0: (0x80000, 0x41000, 0x7C000, 0x3E000), 2: (0x100000, 0x81000, 0xFC000, 0x7E000),
        3: (0x200000, 0x81000, 0x1FC000, 0x7E000), 4: (0x400000, 0x81000, 0x3FC000, 0x7E000),
        5: (0x200000, 0x101000, 0x1FC000, 0xFE000), 6: (0x400000, 0x101000, 0x3FC000, 0xFE000),
        8: (0x800000, 0x101000, 0x7FC000, 0xFE000), 9: (0x1000000, 0x101000, 0xFFC000, 0xFE000)}


def user_pair(map_, size_freq=None):
    """user1 and user2 for a map, linked for where they will lie."""
    user2 = MAPS[map_][1]
    code = map_ << 4 if size_freq is None else size_freq
    return images.user_image(1, 0x40201010, code), images.user_image(2, 0x40200010 + user2 % 0x100000, code)


@pytest.fixture()
def files(tmp_path):
    (tmp_path / "boot.bin").write_bytes(images.boot())
    (tmp_path / "init.bin").write_bytes(bytes(range(128)))
    (tmp_path / "key.bin").write_bytes(b"key" * 20)
    return tmp_path


@pytest.mark.parametrize("map_", MAPS)
def test_a_nonos_flash_is_that_of_a_factory_fresh_chip(updraft, files, map_):
    size, user2_at, init_at, key_at = MAPS[map_]
    user1, user2 = user_pair(map_)
    (files / "user1.bin").write_bytes(user1)
    (files / "user2.bin").write_bytes(user2)
    updraft("flash", "build", "--map", map_, "--boot", "boot.bin", "--user1", "user1.bin", "--user2", "user2.bin",
            "--init-data", "init.bin", "--device-key", "key.bin", "-o", "flash.bin", cwd=files)
    wanted = bytearray(b"\xff" * size)
    boot = bytearray((files / "boot.bin").read_bytes())
    boot[3] = map_ << 4
    for at, data in ((0, boot), (0x1000, user1), (user2_at, user2), (init_at, bytes(range(128))), (key_at, b"key" * 20)):
        wanted[at:at + len(data)] = data
    assert (files / "flash.bin").read_bytes() == wanted
    info = updraft("flash", "info", "--json", "flash.bin", cwd=files).json
    assert info["map"]["number"] == map_ and info["kind"] == "nonos" and info["boot"]["starts"] == "user1"
    regions = {r["name"]: r for r in info["regions"]}
    assert regions["user2"]["address"] == user2_at and regions["user2"]["image"]["slot"] == "user2"
    assert regions["init-data"]["address"] == init_at and regions["device-key"]["address"] == key_at
    flat = [r for r in info["regions"] if not r["nested"]]
    assert flat[0]["address"] == 0 and flat[-1]["address"] + flat[-1]["size"] == size
    for one, other in zip(flat, flat[1:]):
        assert one["address"] + one["size"] == other["address"], "every byte of the chip is drawn"


def test_flash_settings_are_written_into_the_first_sector(updraft, files):
    (files / "user1.bin").write_bytes(user_pair(2, 0x2F)[0])
    command = ["flash", "build", "--map", "2", "--boot", "boot.bin", "--user1", "user1.bin", "-o", "flash.bin"]
    rows = [([], (0, 0x2F)), (["--flash-mode", "dio", "--flash-freq", "40m"], (2, 0x20)),
            (["--flash-mode", "DOUT", "--flash-freq", "26m"], (3, 0x21)), (["--flash-freq", "20m"], (0, 0x22))]
    for words, (mode, size_freq) in rows:
        updraft(*command, *words, cwd=files)
        assert tuple((files / "flash.bin").read_bytes()[2:4]) == (mode, size_freq), words
    assert "no 60m" in updraft(*command, "--flash-freq", "60m", cwd=files, code=2).err


def esp32_files(folder, chip_id=0):
    (folder / "bootloader.bin").write_bytes(images.esp32_boot(chip_id))
    (folder / "app.bin").write_bytes(images.esp32(chip_id))
    (folder / "table.csv").write_text("nvs,data,nvs,,0x4000\notadata,data,ota,,0x2000\nphy,data,phy,,0x1000\n"
                                      "factory,app,factory,,128K\nota_0,app,ota_0,,128K\nota_1,app,ota_1,,128K\n")


@pytest.mark.parametrize("chip_id, chip, boot_at", [(0, "esp32", 0x1000), (2, "esp32s2", 0x1000), (5, "esp32c3", 0),
                                                    (9, "esp32s3", 0), (18, "esp32p4", 0x2000)])
def test_a_flash_with_a_partition_table_has_everything_where_the_table_says(updraft, tmp_path, chip_id, chip, boot_at):
    esp32_files(tmp_path, chip_id)
    (tmp_path / "nvs.bin").write_bytes(b"N" * 0x4000)
    updraft("partition", "build", "table.csv", "-o", "table.bin", cwd=tmp_path)
    for table in ("table.csv", "table.bin"):
        updraft("flash", "build", "--partition-table", table, "--boot", "bootloader.bin", "--partition",
                "factory=app.bin", "--partition", "nvs=nvs.bin", "-o", "flash.bin", cwd=tmp_path)
        data = (tmp_path / "flash.bin").read_bytes()
        wanted = bytearray(b"\xff" * (4 << 20))
        for at, name in ((boot_at, "bootloader.bin"), (0x8000, "table.bin"), (0x9000, "nvs.bin"), (0x10000, "app.bin")):
            piece = (tmp_path / name).read_bytes()
            wanted[at:at + len(piece)] = piece
        assert data == wanted
    info = updraft("flash", "info", "--json", "flash.bin", cwd=tmp_path).json
    assert info["kind"] == "partitions" and info["chip"] == chip and info["boot"]["starts"] == "factory"
    assert [r["name"] for r in info["regions"]] == \
        ["bootloader", "partition-table", "nvs", "otadata", "phy", "factory", "ota_0", "ota_1"]


def test_settings_of_a_hashed_boot_loader_change_with_its_digest(updraft, tmp_path):
    """As the flashing tool does it: the SHA-256 behind the image covers the header."""
    esp32_files(tmp_path)
    updraft("flash", "build", "--partition-table", "table.csv", "--boot", "bootloader.bin", "--flash-size", "8MB",
            "--flash-mode", "qout", "--flash-freq", "80m", "-o", "flash.bin", cwd=tmp_path)
    data = (tmp_path / "flash.bin").read_bytes()
    assert len(data) == 8 << 20
    boot = data[0x1000:0x1000 + (tmp_path / "bootloader.bin").stat().st_size]
    assert boot[2:4] == bytes([1, 0x3F]) and boot[-32:] == hashlib.sha256(boot[:-32]).digest()
    (tmp_path / "patched.bin").write_bytes(boot)
    updraft("image", "verify", "patched.bin", cwd=tmp_path)


def test_a_flash_of_the_rtos_sdk_is_told_from_a_nonos_one(updraft, tmp_path):
    """Same chip, same first byte: the partition table makes the difference. Its boot loader lies at 0."""
    (tmp_path / "boot.bin").write_bytes(images.v1([(0x40100000, bytes(64))], 0x40100000, size_freq=0x20))
    (tmp_path / "one.bin").write_bytes(images.rtos(0x40210000))
    (tmp_path / "two.bin").write_bytes(images.rtos(0x40280000))
    (tmp_path / "table.csv").write_text("nvs,data,nvs,0x9000,0x4000\notadata,data,ota,0xd000,0x2000\n"
                                        "phy,data,phy,0xf000,0x1000\nota_0,0,ota_0,0x10000,0x70000\n"
                                        "ota_1,0,ota_1,0x80000,0x70000\n")
    made = updraft("flash", "build", "--json", "--partition-table", "table.csv", "--boot", "boot.bin", "--partition",
                   "ota_0=one.bin", "--partition", "ota_1=two.bin", "-o", "flash.bin", cwd=tmp_path).json
    assert made["size"] == 1 << 20 and [p["address"] for p in made["pieces"]] == [0, 0x8000, 0x10000, 0x80000]
    data = (tmp_path / "flash.bin").read_bytes()
    assert b"\xeb\xeb" not in data[0x8000:0x8C00], "the RTOS SDK builds its tables without MD5"
    info = updraft("flash", "info", "--json", "flash.bin", cwd=tmp_path).json
    assert info["kind"] == "partitions" and info["chip"] == "esp8266"
    assert (info["boot"]["loader"], info["boot"]["starts"]) == ("rtos", "ota_0")
    updraft("otadata", "set", "flash.bin", "ota_1", cwd=tmp_path)
    assert starts(updraft, tmp_path / "flash.bin") == "ota_1"
    assert "no trial" in updraft("otadata", "set", "--trial", "flash.bin", "ota_1", cwd=tmp_path, code=2).err
    result = updraft("flash", "build", "--partition-table", "table.csv", "--boot", "boot.bin", "--partition",
                     "ota_1=one.bin", "-o", "no.bin", cwd=tmp_path, code=3)
    assert "linked for another place" in result.err


def test_an_app_is_no_boot_loader(updraft, tmp_path):
    esp32_files(tmp_path)
    result = updraft("flash", "build", "--partition-table", "table.csv", "--boot", "app.bin", "-o", "flash.bin",
                     cwd=tmp_path, code=3)
    assert "app.bin" in result.err and result.err.count("\n") == 1


OVERFLOWS = [
    # files: bytes by name; words; what the message names
    ({"user1.bin": lambda: images.user_image(1, 0x40201010, size=0x7C000)}, [], ["user1", "user-param"]),
    ({"user2.bin": lambda: images.user_image(2, 0x40281010, size=0x7C000)}, ["--user2", "user2.bin"],
     ["user2", "sysparam"]),
    ({"boot.bin": lambda: images.v1([(0x40100000, bytes(0x1000))])}, [], ["boot", "user1"]),
    ({"init.bin": lambda: bytes(0x1001)}, ["--init-data", "init.bin"], ["init-data", "sysparam-copy0"]),
    ({"key.bin": lambda: bytes(0x1001)}, ["--device-key", "key.bin"], ["device-key", "user-param"]),
    ({"x.bin": lambda: bytes(16)}, ["--at", "0x1800=x.bin"], ["user1", "--at 0x1800"]),
    ({"x.bin": lambda: bytes(0x2000)}, ["--at", "1020K=x.bin"], ["--at 1020K", "flash"]),
]


@pytest.mark.parametrize("made, words, names", OVERFLOWS, ids=[" ".join(row[2]) for row in OVERFLOWS])
def test_what_overlaps_or_overflows_is_refused_by_both_names(updraft, files, made, words, names):
    (files / "user1.bin").write_bytes(user_pair(2)[0])
    for name, make in made.items():
        (files / name).write_bytes(make())
    result = updraft("flash", "build", "--map", "2", "--boot", "boot.bin", "--user1", "user1.bin", *words, "-o",
                     "flash.bin", cwd=files, code=1)
    assert result.err.count("\n") == 1 and all(name in result.err for name in names), result.err
    assert not (files / "flash.bin").exists()


def test_a_partition_that_overflows_names_its_neighbour(updraft, tmp_path):
    esp32_files(tmp_path)
    (tmp_path / "big.bin").write_bytes(bytes(0x4001))
    command = ["flash", "build", "--partition-table", "table.csv", "--boot", "bootloader.bin", "-o", "flash.bin"]
    result = updraft(*command, "--partition", "nvs=big.bin", cwd=tmp_path, code=1)
    assert "nvs" in result.err and "otadata" in result.err
    (tmp_path / "bootloader.bin").write_bytes(images.esp32(0, [(0x3FFF0030, bytes(0x7000))]))
    result = updraft(*command, cwd=tmp_path, code=1)
    assert "boot loader" in result.err and "partition table" in result.err
    assert "no partition 'nosuch'" in updraft(*command, "--partition", "nosuch=app.bin", cwd=tmp_path, code=None).err


@pytest.mark.parametrize("slot, image, reason", [
    ("--user1", 2, "wrong-slot"), ("--user2", 1, "wrong-slot"), ("--user1", "other map", "wrong-map"),
    ("--user1", "damaged", "crc32"), ("--boot", 1, "wrong-format")])
def test_images_for_another_place_are_refused_unless_forced(updraft, files, slot, image, reason):
    user1, user2 = user_pair(2)
    data = {1: user1, 2: user2, "other map": user_pair(3)[0], "damaged": user1[:-1] + bytes([user1[-1] ^ 1])}[image]
    (files / "user1.bin").write_bytes(user1)
    (files / "bad.bin").write_bytes(data if slot != "--boot" else data[:0x400])
    words = {"--boot": "boot.bin", "--user1": "user1.bin", slot: "bad.bin"}
    command = ["flash", "build", "--map", "2", *sum(map(list, words.items()), []), "-o", "flash.bin"]
    result = updraft(*command, cwd=files, code=3)
    assert "bad.bin" in result.err and result.err.count("\n") == 1 and not (files / "flash.bin").exists()
    if slot != "--boot":
        assert "warning" in updraft(*command, "--force", cwd=files).err


@pytest.mark.parametrize("words", [
    ["--boot", "b"], ["--map", "2", "--boot", "b"], ["--map", "7", "--boot", "b", "--user1", "u"],
    ["--map", "2", "--partition-table", "t", "--boot", "b"], ["--partition-table", "t", "--boot", "b", "--user1", "u"],
    ["--map", "2", "--boot", "b", "--user1", "u", "--flash-size", "4M"],
    ["--map", "2", "--boot", "b", "--user1", "u", "--partition", "a=b"]])
def test_a_flash_that_cannot_be_meant_is_a_usage_error(updraft, tmp_path, words):
    assert updraft("flash", "build", *words, "-o", "f", cwd=tmp_path, code=2).err.count("\n") == 1


# --- info and boot ---------------------------------------------------------------------------------------------------


def nonos_flash(folder, updraft, map_=2, user2=True):
    user1_data, user2_data = user_pair(map_)
    for name, data in (("boot.bin", images.boot()), ("user1.bin", user1_data), ("user2.bin", user2_data)):
        (folder / name).write_bytes(data)
    updraft("flash", "build", "--map", map_, "--boot", "boot.bin", "--user1", "user1.bin",
            *(["--user2", "user2.bin"] if user2 else []), "-o", "flash.bin", cwd=folder)
    return folder / "flash.bin"


def starts(updraft, flash, *words):
    return updraft("flash", "info", "--json", *words, flash).json["boot"]["starts"]


def patch(path, at, data):
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(data)


def put_block(flash, block, flag=b"\0", map_=2):
    base = MAPS[map_][2]
    patch(flash, base + 0x1000, block.ljust(0x1000, b"\xff"))
    patch(flash, base + 0x3000, flag.ljust(0x1000, b"\xff"))


def test_the_map_is_drawn_to_scale(updraft, tmp_path):
    for map_ in (2, 9):
        flash = nonos_flash(tmp_path, updraft, map_)
        lines = updraft("flash", "info", flash).out.splitlines()
        bar = next(line for line in lines if line.startswith("["))
        legend = {line[2]: line.split() for line in lines if re.match(r"  [A-Z] \S+ +0x", line)}
        assert len(bar) == 66
        for letter, row in legend.items():
            share = (int(row[3], 16) - int(row[2], 16)) / MAPS[map_][0] * 64
            assert abs(bar.count(letter) - share) <= 1.01, row
        assert lines[-1].startswith("  user1 at 0x1000")


# version, boot block B0, what starts (all rows of the sheet's truth table; both images are good)
TRUTH = [("1.6", 0xF8, "user2"), ("1.6", 0xF9, "user1"), ("1.6", 0xFC, "user1"), ("1.6", 0xFD, "user2"),
         ("1.6", 0xFA, None), ("1.6", 0xFE, None), ("1.6", 0xFB, "user1"), ("1.6", 0xFF, "user1"),
         ("1.7", 0xF8, "user2"), ("1.7", 0xF9, "user1"), ("1.7", 0xFC, "user1"), ("1.7", 0xFD, "user2"),
         ("1.4", 0xF8, "user1"), ("1.4", 0xF9, "user1"), ("1.4", 0xFD, "user2"),
         ("1.2", 0x00, "user1"), ("1.2", 0x01, "user2"), ("1.2", 0x02, None)]


@pytest.mark.parametrize("version, b0, slot", TRUTH)
def test_info_says_what_the_original_boot_loaders_start(updraft, tmp_path, version, b0, slot):
    flash = nonos_flash(tmp_path, updraft)
    number = int(version[2])
    put_block(flash, bytes([b0, 0x02 if number == 2 else 0xE0 | number]) + b"\xff" * 6)
    assert starts(updraft, flash, "--loader", version) == slot


def test_the_loader_is_recognised_and_an_unknown_one_is_said_to_be_assumed(updraft, tmp_path):
    flash = nonos_flash(tmp_path, updraft)
    boot = updraft("flash", "info", "--json", flash).json["boot"]
    assert boot["loader"] == "1.7" and boot["assumed"] is False
    patch(flash, 0, nonos.v1_image([(0x40100000, b"another loader")], 0x40100000, byte3=0x20))
    boot = updraft("flash", "info", "--json", flash).json["boot"]
    assert boot["loader"] == "1.7" and boot["assumed"] is True
    assert "assumed" in updraft("flash", "info", flash).out


def test_a_bad_image_is_seen_as_its_boot_loader_sees_it(updraft, tmp_path):
    flash = nonos_flash(tmp_path, updraft)
    patch(flash, 0x1000, b"\0")  # magic: v1.7 tries four times, then the other slot
    boot = updraft("flash", "info", "--json", flash).json["boot"]
    assert boot["starts"] == "user2" and [(t["name"], t["times"]) for t in boot["trials"]] == [("user1", 4), ("user2", 1)]
    patch(flash, 0x81000, b"\0")
    boot = updraft("flash", "info", "--json", flash).json["boot"]
    assert boot["starts"] is None
    assert "nothing starts" in updraft("flash", "info", flash).out
    flash = nonos_flash(tmp_path, updraft)
    patch(flash, 0x1100, b"\x5a")  # flash code: no boot loader looks at it
    boot = updraft("flash", "info", "--json", flash).json["boot"]
    assert boot["starts"] == "user1" and "does not notice" in boot["trials"][0]["problem"]


def test_other_files_are_no_flash(updraft, tmp_path):
    flash = nonos_flash(tmp_path, updraft)
    data = flash.read_bytes()
    for name, bad, text in (("erased", b"\xff" * 0x10000, "no boot loader"), ("cut", data[:0x80000], "map 2"),
                            ("bad map", data[:3] + b"\xc0" + data[4:], "flash map"), ("text", b"hello", "no boot loader")):
        flash.write_bytes(bad)
        result = updraft("flash", "info", flash, code=1)
        assert text in result.err and result.err.count("\n") == 1, name


@pytest.mark.parametrize("data, text", [
    (images.esp32(segments=[(0x40080400, bytes(0x200000))]), "image for esp32"),
    (images.v1([(0x40100000, bytes(0x7000))], size_freq=0x20).ljust(0x100000, b"\0"), "no boot loader in its first")])
def test_an_application_is_no_flash_and_is_not_written_to(updraft, tmp_path, data, text):
    """It begins as a boot loader does, with a flash map's code, and is as long as that map's chip."""
    path = tmp_path / "app.bin"
    path.write_bytes(data)
    for words in (["flash", "info"], ["flash", "extract"], ["bootflag", "show"], ["bootflag", "set", "--loader", "1.7"],
                  ["flash", "info", "--kind", "nonos"]):
        result = updraft(*words, path, *(["user2"] if "set" in words else []), cwd=tmp_path, code=1)
        assert text in result.err and result.err.count("\n") == 1, words
    assert path.read_bytes() == data and os.listdir(tmp_path) == ["app.bin"]


def test_an_arduino_flash_is_told(updraft, tmp_path):
    sketch = images.arduino()
    flash = tmp_path / "flash.bin"
    flash.write_bytes(sketch.ljust(4 << 20, b"\xff"))
    info = updraft("flash", "info", "--json", flash).json
    assert info["kind"] == "arduino" and info["boot"]["starts"] == "sketch" and info["boot"]["loader"] == "eboot"
    assert {r["name"]: r["address"] for r in info["regions"]}["eeprom"] == 0x3FB000
    updraft("flash", "extract", "--region", "sketch", "-o", "sketch.bin", "flash.bin", cwd=tmp_path)
    assert (tmp_path / "sketch.bin").read_bytes() == sketch


# --- extract ---------------------------------------------------------------------------------------------------------


def test_what_was_built_is_extracted_again(updraft, tmp_path):
    flash = nonos_flash(tmp_path, updraft)
    files = updraft("flash", "extract", "--json", "-d", "out", "flash.bin", cwd=tmp_path).json["files"]
    assert {f["region"] for f in files} == {"boot", "user1", "user2"}
    for slot in ("user1", "user2"):
        assert (tmp_path / "out" / f"{slot}.bin").read_bytes() == (tmp_path / f"{slot}.bin").read_bytes()
    updraft("flash", "extract", "--region", "sysparam", "--region", "user2", "--whole", "-d", "out", "flash.bin",
            cwd=tmp_path)
    data = flash.read_bytes()
    assert (tmp_path / "out" / "sysparam.bin").read_bytes() == data[0xFC000:]
    assert (tmp_path / "out" / "user2.bin").read_bytes() == data[0x81000:0xFC000]
    assert updraft("flash", "extract", "--region", "user1", "-o", "-", flash).bytes == \
        (tmp_path / "user1.bin").read_bytes()
    assert "no region 'user3'" in updraft("flash", "extract", "--region", "user3", flash, cwd=tmp_path, code=2).err


def test_names_of_partitions_cannot_lead_out_of_the_folder(updraft, tmp_path):
    esp32_files(tmp_path)
    (tmp_path / "table.csv").write_text("../../evil,data,nvs,,0x4000\n..,0x40,1,,0x1000\na/b,0x40,2,,0x1000\n")
    (tmp_path / "x.bin").write_bytes(b"x")
    updraft("flash", "build", "--partition-table", "table.csv", "--boot", "bootloader.bin", "--partition",
            "../../evil=x.bin", "--partition", "..=x.bin", "--partition", "a/b=x.bin", "-o", "flash.bin", cwd=tmp_path)
    before = sorted(os.listdir(tmp_path.parent))
    files = updraft("flash", "extract", "--json", "-d", "out", "flash.bin", cwd=tmp_path).json["files"]
    assert sorted(os.listdir(tmp_path.parent)) == before
    assert {os.path.dirname(f["path"]) for f in files} == {"out"}
    assert all(name.endswith(".bin") and not name.startswith(".") for name in os.listdir(tmp_path / "out"))


# --- bootflag and otadata, cut off at every write --------------------------------------------------------------------


def cut_at_every_write(updraft, faults, flash, tmp_path, words, old, new, ask):  # noqa: F811
    """Cut at write 1, 2, ... until a run completes; after each cut the old or the new choice starts, and a second,
    uncut run leads to the new one. Returns the number of writes."""
    start = flash.read_bytes()
    for cut in range(1, 100):
        flash.write_bytes(start)
        result = updraft(*words, env=faults("cut", CUT=str(cut)), code=None)
        assert result.code in (0, 98), result.err
        found = ask()
        assert found in (old, new), f"cut {cut}: {found} starts"
        if result.code == 0:
            assert found == new
            return cut - 1
        updraft(*words)
        assert ask() == new, f"cut {cut}: a second run did not lead to {new}"
    raise AssertionError("it never ended")


@pytest.mark.parametrize("old, new", [("user1", "user2"), ("user2", "user1")])
@pytest.mark.parametrize("rounds", [0, 1, 2])
def test_a_bootflag_can_be_cut_off_anywhere(updraft, faults, tmp_path, old, new, rounds):  # noqa: F811
    flash = nonos_flash(tmp_path, updraft)
    put_block(flash, bytes([0xFC, 0xE7]) + b"\xff" * 6 + b"Wi-Fi settings " * 100)
    for _ in range(rounds):
        updraft("bootflag", "set", flash, "user2")
        updraft("bootflag", "set", flash, "user1")
    updraft("bootflag", "set", flash, old)
    writes = cut_at_every_write(updraft, faults, flash, tmp_path, ["bootflag", "set", flash, new], old, new,
                                lambda: starts(updraft, flash))
    assert writes >= 3  # erase and program the copy, then the flag
    shown = updraft("bootflag", "show", "--json", flash).json
    copy = MAPS[2][2] + 0x1000 * (1 + shown["sysparam"]["current"])
    assert flash.read_bytes()[copy + 8:copy + 8 + 1500] == b"Wi-Fi settings " * 100, "settings were lost"


def test_a_slot_without_an_image_is_selected_with_a_warning(updraft, tmp_path):
    flash = nonos_flash(tmp_path, updraft)
    assert updraft("bootflag", "set", flash, "user2").err == ""
    data = bytearray(flash.read_bytes())
    data[0x1000] = 0xFF
    flash.write_bytes(data)
    run = updraft("bootflag", "set", flash, "user1")
    assert run.code == 0 and "user1, at 0x1000, holds no image that verifies" in run.err
    assert updraft("bootflag", "set", "--json", flash, "user1").json["warnings"]
    data[0x1000:0x2000] = b"\xFF" * 0x1000
    flash.write_bytes(data)
    assert "warning" in updraft("bootflag", "set", flash, "user1").err


def test_a_bootflag_that_is_set_already_is_not_written(updraft, tmp_path):
    flash = nonos_flash(tmp_path, updraft)
    updraft("bootflag", "set", flash, "user2")
    before = flash.read_bytes()
    assert updraft("bootflag", "set", "--json", flash, "user2").json["writes"] == 0
    assert "already" in updraft("bootflag", "set", flash, "user2").out
    assert flash.read_bytes() == before
    outside = slice(0, MAPS[2][2] + 0x1000)
    assert before[outside] == nonos_flash(tmp_path, updraft).read_bytes()[outside], "only the parameters change"


def test_a_bootflag_is_what_the_sdk_writes(updraft, tmp_path):
    flash = nonos_flash(tmp_path, updraft)
    put_block(flash, bytes([0xFC, 0xE7]) + b"\xff" * 6)
    updraft("bootflag", "set", flash, "user2")
    shown = updraft("bootflag", "show", "--json", flash).json
    assert shown["block"]["bytes"] == "fde7" + "ff" * 6 and shown["sysparam"]["sdk_accepts"]
    flag = bytes.fromhex(shown["sysparam"]["flag"])
    assert flag[4:8] == struct.pack("<I", 0x55AA55AA) and flag[28:] == struct.pack("<I", 0xAA55AA55)


def test_a_loader_that_is_not_known_must_be_named(updraft, tmp_path):
    flash = nonos_flash(tmp_path, updraft)
    patch(flash, 0, nonos.v1_image([(0x40100000, b"another loader")], 0x40100000, byte3=0x20))
    assert "--loader" in updraft("bootflag", "set", flash, "user2", code=2).err
    updraft("bootflag", "set", "--loader", "1.2", flash, "user2")
    assert starts(updraft, flash, "--loader", "1.2") == "user2"


@pytest.fixture()
def esp32_flash(updraft, tmp_path):
    esp32_files(tmp_path)
    updraft("flash", "build", "--partition-table", "table.csv", "--boot", "bootloader.bin", "--partition",
            "factory=app.bin", "--partition", "ota_0=app.bin", "--partition", "ota_1=app.bin", "-o", "flash.bin",
            cwd=tmp_path)
    return tmp_path / "flash.bin"


STEPS = [([], "factory"), (["set", "ota_0"], "ota_0"), (["set", "ota_1"], "ota_1"), (["set", "0"], "ota_0"),
         (["set", "factory"], "factory"), (["set", "ota_1"], "ota_1"), (["erase"], "factory")]


def test_otadata_follows_every_choice_and_can_be_cut_off_anywhere(updraft, faults, esp32_flash, tmp_path):  # noqa: F811
    for (_, old), (words, new) in zip(STEPS, STEPS[1:]):
        command = ["otadata", words[0], esp32_flash, *words[1:]]
        outside = esp32_flash.read_bytes()
        writes = cut_at_every_write(updraft, faults, esp32_flash, tmp_path, command, old, new,
                                    lambda: starts(updraft, esp32_flash))
        assert writes >= 2
        data = esp32_flash.read_bytes()
        assert data[:0xD000] == outside[:0xD000] and data[0xF000:] == outside[0xF000:]


def test_otadata_numbers_go_up_as_the_sdk_counts(updraft, esp32_flash):
    updraft("otadata", "set", "--style", "idf", esp32_flash, "ota_0")
    updraft("otadata", "set", "--style", "idf", esp32_flash, "ota_1")
    copies = updraft("otadata", "show", "--json", esp32_flash).json["copies"]
    assert [c["sequence"] for c in copies] == [1, 2] and all(c["crc_ok"] and c["valid"] for c in copies)
    data = esp32_flash.read_bytes()
    assert data[0xD000:0xD004] + data[0xD01C:0xD020] == struct.pack("<II", 1, 0x4743989A)
    assert data[0xE000:0xE004] + data[0xE01C:0xE020] == struct.pack("<II", 2, 0x55F63774)


def test_a_trial_is_told_to_boot_loaders_with_rollback(updraft, esp32_flash):
    updraft("otadata", "set", "--trial", "--loader", "idf-rollback", esp32_flash, "ota_1")
    shown = updraft("otadata", "show", "--json", "--loader", "idf-rollback", esp32_flash).json
    assert shown["boot"]["starts"] == "ota_1" and shown["boot"]["writes"] == 1
    assert shown["copies"][shown["active"]]["state"] == "new"


def test_an_app_that_does_not_verify_is_passed_over(updraft, esp32_flash):
    updraft("otadata", "set", esp32_flash, "ota_1")
    patch(esp32_flash, 0x10000 + 2 * 0x20000 + 100, b"damage")
    boot = updraft("otadata", "show", "--json", esp32_flash).json["boot"]
    assert boot["starts"] == "ota_0" and [t["name"] for t in boot["trials"]] == ["ota_1", "ota_0"]
    assert "SHA-256" in boot["trials"][0]["problem"] or "checksum" in boot["trials"][0]["problem"]


@pytest.mark.parametrize("app", ["ota_2", "2", "user1", "ota_", "-1", "test", "ota_99"])
def test_an_app_that_the_table_lacks_is_a_usage_error(updraft, esp32_flash, app):
    before = esp32_flash.read_bytes()
    result = updraft("otadata", "set", "--", esp32_flash, app, code=2)
    assert app in result.err and esp32_flash.read_bytes() == before


def test_a_table_without_otadata_is_told(updraft, tmp_path):
    esp32_files(tmp_path)
    (tmp_path / "table.csv").write_text("factory,app,factory,,1M\n")
    updraft("flash", "build", "--partition-table", "table.csv", "--boot", "bootloader.bin", "-o", "flash.bin",
            cwd=tmp_path)
    assert "no otadata" in updraft("otadata", "show", "flash.bin", cwd=tmp_path, code=1).err


def test_a_file_that_ends_before_otadata_is_not_made_longer(updraft, esp32_flash):
    esp32_flash.write_bytes(esp32_flash.read_bytes()[:0xC000])
    result = updraft("otadata", "set", esp32_flash, "ota_1", code=1)
    assert "ends at 0xc000" in result.err and esp32_flash.stat().st_size == 0xC000


# --- burn ------------------------------------------------------------------------------------------------------------

FAKE = """#!/bin/sh
# An esptool that says its version, and keeps what it is given.
[ "$1" = version ] && { echo "esptool VERSION"; exit 0; }
printf '%s\\n' "$@" > "$KEPT/words"
for word; do case $word in *.bin) cp "$word" "$KEPT/";; esac; done
[ -z "$INTERRUPTED" ] || kill -INT $$
exit ${FAIL:-0}
"""


@pytest.fixture()
def fake_esptool(tmp_path):
    def make(version="v5.1.0", name="esptool"):
        folder, kept = tmp_path / "path", tmp_path / "kept"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        kept.mkdir(exist_ok=True)
        path = folder / name
        path.write_text(FAKE.replace("VERSION", version))
        path.chmod(path.stat().st_mode | stat.S_IEXEC)
        work = tmp_path / "tmp"
        work.mkdir(exist_ok=True)
        return {"PATH": f"{folder}:/usr/bin:/bin", "KEPT": str(kept), "TMPDIR": str(work)}
    return make


def test_burn_hands_the_regions_to_esptool(updraft, tmp_path, fake_esptool):
    flash = nonos_flash(tmp_path, updraft)
    for name, version, verb in (("esptool", "v5.1.0", "write-flash"), ("esptool.py", "v4.8.1", "write_flash")):
        environment = fake_esptool(version, name)
        result = updraft("flash", "burn", "--port", "/dev/ttyX", "--baud", "460800", flash, env=environment)
        words = (tmp_path / "kept" / "words").read_text().splitlines()
        assert result.out.split()[0] == name and result.out.split()[1:] == words, "it prints the command that it runs"
        assert words[:6] == ["--chip", "esp8266", "--port", "/dev/ttyX", "--baud", "460800"] and words[6] == verb
        pairs = dict(zip(words[13::2], words[14::2]))
        assert list(pairs) == ["0x0", "0x1000", "0x81000", "0xfc000"]
        data = flash.read_bytes()
        for offset, path in pairs.items():
            piece = (tmp_path / "kept" / os.path.basename(path)).read_bytes()
            at = int(offset, 16)
            assert data[at:at + len(piece)] == piece and len(piece) % 4096 == 0
        assert len((tmp_path / "kept" / "0xfc000.bin").read_bytes()) == 0x4000, "old parameters do not survive"
        assert os.listdir(tmp_path / "tmp") == [], "its files are gone"


def test_burn_tells_when_esptool_fails_or_is_missing(updraft, tmp_path, fake_esptool):
    flash = nonos_flash(tmp_path, updraft)
    environment = fake_esptool()
    assert "esptool failed" in updraft("flash", "burn", flash, env={**environment, "FAIL": "2"}, code=1).err
    assert os.listdir(tmp_path / "tmp") == []
    updraft("flash", "burn", flash, env={**environment, "INTERRUPTED": "1"}, code=130)
    assert os.listdir(tmp_path / "tmp") == []
    empty = tmp_path / "empty"
    empty.mkdir()
    result = updraft("flash", "burn", flash, env={**environment, "PATH": str(empty)}, code=1)
    assert "no esptool answers" in result.err and "pip install esptool" in result.err
    dry = updraft("flash", "burn", "--dry-run", flash, env={**environment, "PATH": str(empty)})
    assert dry.out.startswith("esptool --chip esp8266 write-flash")


def test_burn_writes_where_it_is_told_or_nowhere(updraft, tmp_path, fake_esptool):
    flash = nonos_flash(tmp_path, updraft)
    environment = fake_esptool()
    for folder, says in ((str(tmp_path / "nowhere"), f"{tmp_path}/nowhere/updraft-"), ("/" + 300 * "x", "TMPDIR: its path is too long")):
        result = updraft("flash", "burn", flash, env={**environment, "TMPDIR": folder}, code=1)
        assert says in result.err and 300 * "x" not in result.err
    assert not (tmp_path / "kept" / "words").exists(), "esptool is not run"


def test_a_dry_run_runs_nothing(updraft, tmp_path, fake_esptool):
    flash = nonos_flash(tmp_path, updraft)
    environment = fake_esptool()
    command = updraft("flash", "burn", "--json", "-n", "--region", "user2", flash, env=environment).json["command"]
    assert command[0] == "esptool" and command[-2] == "0x81000"
    assert not (tmp_path / "kept" / "words").exists() and os.listdir(tmp_path / "tmp") == []


def test_burn_erases_otadata_of_an_old_chip(updraft, esp32_flash, tmp_path, fake_esptool):
    command = updraft("flash", "burn", "--json", "-n", esp32_flash, env=fake_esptool()).json["command"]
    offsets = command[command.index("keep", command.index("--flash-size")) + 1::2]
    assert offsets == ["0x1000", "0x8000", "0xd000", "0x10000", "0x30000", "0x50000"]
    assert json.dumps(command)
