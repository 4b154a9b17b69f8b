"""The tool and updraft's own boot loader: what its file is, and what it would start.

Witness: the loader itself in the emulator, over the same flash images.
"""
import pytest

from nonos import SECTOR
from test_boot_nonos import (FIRST, GOOD, LOADER, NOTHING, Bench, block_of, outcome, pair, select)

NAMES = {FIRST: "user1", NOTHING: None}


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    bench = Bench(tmp_path_factory.mktemp("loader"))
    yield bench
    bench.close()


@pytest.fixture
def damaged(tmp_path):
    def make(at, value):
        path = tmp_path / "loader.bin"
        data = bytearray(LOADER.read_bytes())
        data[at] ^= value
        path.write_bytes(data)
        return path
    return make


def image_end():
    return len(LOADER.read_bytes()[:0xFF0].rstrip(b"\xFF"))


def test_its_file_is_described_and_verifies(updraft):
    found = updraft("image", "info", "--json", LOADER).json
    assert (found["ok"], found["format"], found["size"]) == (True, "esp8266-v1", SECTOR)
    assert found["loader_record"] == {"version": 1, "counts": True, "installs": False}
    assert "updraft's, version 1, counts starts on trial" in updraft("image", "info", LOADER).out
    updraft("image", "verify", LOADER)


@pytest.mark.parametrize("at, reason", [(0xFF5, "loader-record"), (0xFFF, "loader-record"), (0xFEF, "filler"),
                                        (0xFF0, "trailing"), (0x200, "checksum")])
def test_a_damaged_file_says_what_is_damaged(updraft, damaged, at, reason):
    path = damaged(at, 0x10)
    problem = updraft("image", "info", "--json", path, code=3).json["problem"]
    assert problem["reason"] == reason
    if reason in ("loader-record", "filler"):
        assert problem["offset"] == (0xFF0 if reason == "loader-record" else at)


def test_a_byte_behind_its_image_is_found_wherever_it_is(updraft, damaged):
    for at in range(image_end(), 0xFF0, 7):
        assert updraft("image", "info", "--json", damaged(at, 1), code=3).json["problem"]["offset"] == at


def test_a_sector_of_another_size_is_no_loader(updraft, tmp_path):
    for size in (SECTOR - 1, SECTOR + 1):
        path = tmp_path / "cut.bin"
        path.write_bytes(LOADER.read_bytes().ljust(size, b"\xFF")[:size])
        assert updraft("image", "info", "--json", path, code=3).json["problem"]["reason"] == "trailing"


def test_a_damaged_loader_is_not_built_into_a_flash(updraft, damaged, tmp_path):
    user = tmp_path / "user1.bin"
    user.write_bytes(bytes(pair(2, LOADER.read_bytes()).data[0x1000:0x2000]).rstrip(b"\xFF"))
    updraft("flash", "build", "--map", 2, "--boot", damaged(0xFF5, 1), "--user1", user, "-o", tmp_path / "flash.bin",
            code=3)
    assert not (tmp_path / "flash.bin").exists()


def told(updraft, path):
    boot = updraft("flash", "info", "--json", path).json["boot"]
    assert (boot["loader"], boot["assumed"]) == ("updraft", False)
    return boot


@pytest.mark.parametrize("map_number", [2, 6, 9])
def test_what_starts_is_what_the_loader_starts(updraft, bench, tmp_path, map_number):
    loader = LOADER.read_bytes()
    blocks = [block_of(bits) for bits in range(8)] + [b"\xFF" * 8, b"\0" * 8, block_of(5, 6), b"\xF1\x02" + b"\xFF" * 6]
    path = tmp_path / "flash.bin"
    for good in GOOD:
        for flag in (0, 1):
            for block in blocks if map_number == 2 else blocks[:6]:
                flash = pair(map_number, loader, good)
                select(flash, block, flag)
                path.write_bytes(flash.data)
                boot = told(updraft, path)
                run = bench.run(flash)
                started = outcome(run)
                wanted = NAMES.get(started, "user2")
                assert boot["starts"] == wanted, (good, flag, block.hex())
                assert (boot["writes"] > 0) == (run.ops > 0), (good, flag, block.hex())
                if started == NOTHING:
                    assert len(boot["trials"]) == 2 and all(trial["problem"] for trial in boot["trials"])


def test_an_image_with_a_wrong_crc_does_not_start(updraft, tmp_path):
    flash = pair(2, LOADER.read_bytes())
    select(flash, block_of(4))
    flash.data[0x1010] ^= 1
    path = tmp_path / "flash.bin"
    path.write_bytes(flash.data)
    boot = told(updraft, path)
    assert boot["starts"] == "user2"
    assert "CRC-32 does not match" in boot["trials"][0]["problem"]
    # The original would start it: it never looks at the code in flash.
    assert updraft("flash", "info", "--json", "--loader", "1.7", path).json["boot"]["starts"] == "user1"


def test_another_flash_has_no_such_loader(updraft, tmp_path):
    path = tmp_path / "flash.bin"
    flash = pair(2, LOADER.read_bytes())
    flash.data[0xFF0:0x1000] = b"\xFF" * 16
    path.write_bytes(flash.data)
    assert updraft("flash", "info", "--json", path).json["boot"]["loader"] == "1.7"
    assert updraft("flash", "info", "--json", "--loader", "updraft", path).json["boot"]["loader"] == "updraft"
