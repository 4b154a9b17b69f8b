"""The emulated ESP8266, with the original boot loaders as its witness: what they are known to
decide, they must decide here. Needs ../shared/vendor (the original binaries) and qemu-system-xtensa."""
import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "sim"))

from emulator import Emulator                                               # noqa: E402
from nonos import MAPS, SECTOR, USER1, USER2, Flash, reporting_image        # noqa: E402

ROM = ROOT / "build/lx106/sim/rom/rom.elf"
SHARED = pathlib.Path(os.environ.get("UPDRAFT_SHARED", ROOT.parent / "shared"))

FIRST, SECOND = 0x11, 0x22      # what the programs in the two slots report


def original(version):
    path = SHARED / "vendor" / f"boot_v{version}.bin"
    if not path.exists():
        pytest.skip(f"{path.name}: no original boot loaders beside the repository")
    return path.read_bytes()


def flash_with_pair(map_number, boot):
    flash = Flash(map_number, boot)
    flash.put(USER1, reporting_image(1, FIRST))
    flash.put(USER2[map_number], reporting_image(2, SECOND))
    return flash


def run(tmp_path, flash, order=""):
    path = tmp_path / "flash.bin"
    flash.write(path)
    with Emulator(path, ROM) as chip:
        result = chip.boot(order)
    flash.read(path)
    return result


@pytest.mark.parametrize("version,block", [("1.2", b"\x00\x02"), ("1.7", b"\xFC\xE7" + b"\xFF" * 6)])
def test_a_factory_fresh_chip_starts_user1_and_is_initialised(tmp_path, version, block):
    flash = flash_with_pair(2, original(version))
    result = run(tmp_path, flash)
    assert (result.event, result.value) == ("app", FIRST)
    assert "jump to run user1" in result.console
    assert flash.copy().startswith(block)
    assert flash.sector(flash.parameters + 3)[0] == 0


@pytest.mark.parametrize("map_number", [m for m in MAPS if m not in (8, 9)])
@pytest.mark.parametrize("bits,slot", [(0, 2), (1, 1), (3, 1), (4, 1), (5, 2), (7, 1)])
def test_v17_selects_as_its_table_says(tmp_path, map_number, bits, slot):
    flash = flash_with_pair(map_number, original("1.7"))
    flash.select(bytes([0xF8 | bits, 0xE7]) + b"\xFF" * 6)
    result = run(tmp_path, flash)
    assert (result.event, result.value) == ("app", SECOND if slot == 2 else FIRST)
    where = USER1 if slot == 1 else USER2[map_number]
    assert f"jump to run user{slot} @ {where:x}" in result.console


@pytest.mark.parametrize("bits", [2, 6])
def test_v17_gives_up_on_an_impossible_index(tmp_path, bits):
    flash = flash_with_pair(2, original("1.7"))
    flash.select(bytes([0xF8 | bits, 0xE7]) + b"\xFF" * 6)
    assert run(tmp_path, flash).event == "returned"


@pytest.mark.parametrize("map_number", [0, 2, 3, 4])
@pytest.mark.parametrize("index,slot", [(0, 1), (1, 2)])
def test_v12_selects_as_its_table_says(tmp_path, map_number, index, slot):
    flash = flash_with_pair(map_number, original("1.2"))
    flash.select(bytes([index, 2]) + b"\xFF" * 6)
    result = run(tmp_path, flash)
    assert (result.event, result.value) == ("app", SECOND if slot == 2 else FIRST)


@pytest.mark.parametrize("map_number", [8, 9])
def test_v17_cannot_see_parameters_beyond_four_megabytes(tmp_path, map_number):
    flash = flash_with_pair(map_number, original("1.7"))
    flash.select(b"\xFD\xE7" + b"\xFF" * 6)     # user2 is selected
    assert run(tmp_path, flash).value == FIRST


def test_v17_tries_a_bad_magic_four_times_and_takes_the_other_slot(tmp_path):
    flash = flash_with_pair(2, original("1.7"))
    flash.select(b"\xFD\xE7" + b"\xFF" * 6)
    flash.put(USER2[2], b"\0\0\0\0")
    result = run(tmp_path, flash)
    assert (result.event, result.value, result.restarts) == ("app", FIRST, 4)
    assert "first boot failed" in result.console
    assert flash.copy()[:2] == b"\xF9\xE7"


@pytest.mark.parametrize("version", ["1.2", "1.7"])
def test_the_originals_start_an_image_with_a_wrong_irom_byte(tmp_path, version):
    flash = flash_with_pair(2, original(version))
    flash.data[USER1 + 0x20] ^= 0xFF
    assert run(tmp_path, flash).value == FIRST


def test_power_cut_inside_an_erase_leaves_a_mixed_sector(tmp_path):
    flash = flash_with_pair(2, original("1.7"))
    flash.select(b"\xFC\xE6" + b"\xFF" * 6)     # another loader's version: copies are written anew
    other = (flash.parameters + 2) * SECTOR
    flash.put(other, b"\x00" * SECTOR)
    result = run(tmp_path, flash, "cut 0 PREFIX amount 100")
    assert (result.event, result.value) == ("cut", other)
    assert set(flash.sector(flash.parameters + 2)) == {0x00, 0xFF}


def test_rtc_memory_is_lost_with_power_and_kept_on_demand(tmp_path):
    flash = flash_with_pair(2, original("1.7"))
    flash.select(b"\xFD\xE7" + b"\xFF" * 6)
    flash.put(USER2[2], b"\0\0\0\0")
    path = tmp_path / "flash.bin"
    flash.write(path)
    with Emulator(path, ROM) as chip:
        # Three of four attempts are counted in RTC memory when power goes at the first flash operation.
        assert chip.boot("cut 0 BEFORE").restarts == 3
        assert chip.boot("rtc keep cut 0 BEFORE").restarts == 0
        assert chip.boot("rtc zero cut 0 BEFORE").restarts == 3
        assert chip.boot("rtc garbage seed 5 cut 0 BEFORE").restarts == 3


def test_a_breakpoint_stops_at_the_entry_of_a_genuine_image(tmp_path):
    image = SHARED / "corpus/img/nonos-at-esp8266-28f25bd154a3.bin"
    flash = Flash(2, original("1.7"))
    flash.put(USER1, image.read_bytes())
    result = run(tmp_path, flash, "stop 0x40100004")
    assert (result.event, result.value) == ("stopped", 0x40100004)


def test_no_loader_at_all_is_said(tmp_path):
    result = run(tmp_path, Flash(2))
    assert result.event == "rom"
    assert "no image at flash 0" in result.console
