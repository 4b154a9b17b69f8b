"""Goal: images are described as esptool describes them, and every damage is found and named.

Method: every real image (../shared) and every kind of image made here goes through `updraft image info --json` and
through esptool's own loader, and each field is compared. Then bytes are flipped and files cut at sampled places: those
that a digest covers must be refused. (core/test tries every single place of three images.)
"""
import gzip
import hashlib
import json
import os
import random
import struct

import conftest
import images
import pytest

bin_image = pytest.importorskip("esptool.bin_image")
from esptool.targets import CHIP_DEFS  # noqa: E402


def real_images():
    folder = conftest.SHARED
    paths = sorted((folder / "corpus" / "img").glob("*.bin")) + sorted((folder / "vendor").glob("boot_*.bin"))
    return paths or [None]


def made_images():
    irom = bytes(range(256)) * 3
    ram = [(0x40100000, bytes(64)), (0x3FFE8000, b"data"), (0x3FFE8004, b"text")]
    return {
        "v1": images.v1(ram, size_freq=0x42),
        "v2-sdk": images.v2(1, irom, ram),
        "v2-rboot": images.v2(0, irom, ram, crc=False),
        "arduino": images.arduino(),
        "rtos": images.rtos(0x40210000),
        "esp32": images.esp32(),
        "esp32-unhashed": images.esp32(hashed=False),
        "esp32s3": images.esp32(9, [(0x3C000020, images.app_descriptor()), (0x40374000, bytes(256))]),
    }


MADE = made_images()


@pytest.fixture(params=real_images(), ids=lambda path: path.name if path else "none")
def real(request):
    if request.param is None:
        pytest.skip(f"no firmware images at {conftest.SHARED}")
    return request.param


@pytest.fixture(params=MADE)
def made(request, tmp_path):
    path = tmp_path / (request.param + ".bin")
    path.write_bytes(MADE[request.param])
    return path


def keys_of(table, value):
    return {name.lower() for name, code in table.items() if code == value}


def check_header(info, image, chip):
    definition = CHIP_DEFS[chip]
    assert info["chip"] == chip
    assert info["entry"] == image.entrypoint
    assert info["flash"]["mode"] == ["qio", "qout", "dio", "dout"][image.flash_mode]
    assert info["flash"]["size"].lower() in keys_of(definition.FLASH_SIZES, image.flash_size_freq & 0xF0)
    assert info["flash"]["freq"].lower() in keys_of(definition.FLASH_FREQUENCY, image.flash_size_freq & 0x0F)


def check_segments(listed, image, base=0):
    """esptool gives the offset of the segment's header, and pads what it has read to 4 bytes."""
    assert [(s["address"], -(-s["size"] // 4) * 4, s["offset"]) for s in listed] == \
        [(s.addr, len(s.data), s.file_offs + 8 + base) for s in image.segments]


def check_against_esptool(info, data):
    """Field by field; Arduino files are two images, of which esptool reads one at a time."""
    chip = info["chip"]
    if info["format"] == "arduino":
        loader = bin_image.LoadFirmwareImage(chip, data[:0x1000])
        app = bin_image.LoadFirmwareImage(chip, data[0x1000:])
        check_segments(info["segments"][:len(loader.segments)], loader)
        check_segments(info["segments"][len(loader.segments):], app, 0x1000)
        check_header(info, app, chip)
        assert int(info["checksum"]["stored"], 16) == app.checksum
        # The builder takes the checksum before it fills in length and CRC.
        zeroed = bin_image.LoadFirmwareImage(chip, data[0x1000:0x1010] + bytes(8) + data[0x1018:])
        assert int(info["checksum"]["computed"], 16) == zeroed.calculate_checksum()
        return
    image = bin_image.LoadFirmwareImage(chip, data)
    check_header(info, image, chip)
    check_segments(info["segments"], image)
    assert int(info["checksum"]["stored"], 16) == image.checksum
    assert int(info["checksum"]["computed"], 16) == image.calculate_checksum()
    if info["format"] == "esp8266-v3":  # to esp8266 tools an image of version 1; its digest is behind its end
        assert info["sha256"]["computed"] == hashlib.sha256(data[:-32]).hexdigest() and image.version == 1
        return
    assert info["format"] == ("esp32" if chip != "esp8266" else f"esp8266-v{image.version}")
    if chip == "esp8266":
        if "crc32" in info:
            assert int(info["crc32"]["computed"], 16) == bin_image.esp8266_crc32(data[:-4])
        return
    assert ("sha256" in info) == bool(image.append_digest)
    if image.append_digest:
        assert info["sha256"]["stored"] == image.stored_digest.hex()
        assert info["sha256"]["computed"] == image.calc_digest.hex()
    assert info["chip_revision"] == {"min": image.min_rev_full, "max": image.max_rev_full, "min_legacy": image.min_rev}
    assert info["pins"]["wp"] == image.wp_pin


def check_descriptor(info, data):
    """As `esptool image-info` prints it: the 256 bytes at the start of the first segment."""
    at = info["segments"][0]["offset"]
    magic, = struct.unpack_from("<I", data, at)
    if magic != 0xABCD5432:
        assert info["app"] is None
        return
    secure, = struct.unpack_from("<I", data, at + 4)
    text = [f.split(b"\0")[0].decode() for f in struct.unpack_from("32s32s16s16s32s", data, at + 16)]
    app = info["app"]
    assert [app["version"], app["project"], app["time"], app["date"], app["idf_version"]] == text
    assert app["secure_version"] == secure and app["elf_sha256"] == data[at + 144:at + 176].hex()


def check_whole(updraft, path):
    data = path.read_bytes()
    info = updraft("image", "info", "--json", path).json
    check_against_esptool(info, data)
    check_descriptor(info, data)
    assert info["ok"] and info["problem"] is None and info["size"] == len(data)
    for digest in ("checksum", "crc32", "sha256"):
        assert digest not in info or info[digest]["ok"]
    covered = sum(r["size"] for r in info["covered"]["ranges"])
    assert covered == info["covered"]["bytes"] <= len(data)
    assert updraft("image", "verify", path).out.startswith(f"{path}: ok")
    text = updraft("image", "info", path).out
    assert info["format"] in text and info["chip"] in text and f"0x{info['entry']:08x}" in text
    return info, data


def test_real_images_are_described_as_esptool_describes_them(updraft, real):
    check_whole(updraft, real)


def test_made_images_are_described_as_esptool_describes_them(updraft, made):
    check_whole(updraft, made)


def damage(info, data, seed):
    """Names and bytes of damaged copies: flips in what is covered, cuts anywhere."""
    random_ = random.Random(seed)
    ranges = info["covered"]["ranges"]
    places = {ranges[0]["offset"], ranges[-1]["offset"] + ranges[-1]["size"] - 1}
    places |= {s["offset"] + s["size"] // 2 for s in info["segments"] if s["size"]}
    for _ in range(4):
        part = random_.choice(ranges)
        places.add(part["offset"] + random_.randrange(part["size"]))
    for at in sorted(places):
        if any(r["offset"] <= at < r["offset"] + r["size"] for r in ranges):
            yield f"flip at {at}", data[:at] + bytes([data[at] ^ 1 << random_.randrange(8)]) + data[at + 1:]
    for size in {1, 7, 8, 23, len(data) - 1, len(data) - 4, len(data) - 33, random_.randrange(len(data))}:
        if 0 < size < len(data):
            yield f"cut to {size}", data[:size]


def check_damage(updraft, path, tmp_path):
    data = path.read_bytes()
    info = updraft("image", "info", "--json", path).json
    copies = dict(damage(info, data, path.name))
    for i, copy in enumerate(copies.values()):
        (tmp_path / f"{i}.bin").write_bytes(copy)
    files = [tmp_path / f"{i}.bin" for i in range(len(copies))]
    rows = updraft("image", "verify", "--json", *files, code=3).json["images"]
    for name, row, copy in zip(copies, rows, copies.values()):
        assert not row["ok"], f"{name}: {row}"
        assert row["problem"]["text"] and 0 <= row["problem"]["offset"] <= len(copy), f"{name}: {row}"
        if name.startswith("cut"):
            assert row["problem"]["reason"] in ("truncated", "chip", "checksum", "magic", "crc32", "sha256", "length",
                                                "filler"), f"{name}: {row}"


def test_damage_to_real_images_is_found(updraft, real, tmp_path):
    check_damage(updraft, real, tmp_path)


def test_damage_to_made_images_is_found(updraft, made, tmp_path):
    check_damage(updraft, made, tmp_path / "..")


def test_a_gzip_file_is_described_by_what_is_inside(updraft, tmp_path):
    inner = MADE["arduino"]
    path = tmp_path / "sketch.bin.gz"
    path.write_bytes(gzip.compress(inner))
    info = updraft("image", "info", "--json", path).json
    assert info["format"] == "arduino" and info["size"] == len(inner) and info["file"]["size"] == path.stat().st_size
    assert info["packed"] == {"method": "gzip", "size": path.stat().st_size}
    assert "gzip" in updraft("image", "info", path).out
    assert "packed with gzip" in updraft("image", "verify", path).out


def test_a_signature_behind_a_gzip_file_is_told(updraft, tmp_path):
    packed = gzip.compress(MADE["arduino"])
    path = tmp_path / "signed.bin.gz"
    path.write_bytes(packed + bytes(256) + struct.pack("<I", 256))
    info = updraft("image", "info", "--json", path).json
    assert info["signatures"] == [{"scheme": info["signatures"][0]["scheme"], "offset": len(packed), "size": 256}]
    assert "arduino" in info["signatures"][0]["scheme"]


@pytest.mark.parametrize("name, change, reason", [
    ("cut in the deflate data", lambda d: d[:len(d) // 2], "gzip"),
    ("cut in the trailer", lambda d: d[:-1], "gzip"),
    ("wrong CRC", lambda d: d[:-8] + bytes([d[-8] ^ 1]) + d[-7:], "gzip"),
    ("zeros behind it", lambda d: d + bytes(4), "gzip"),
    ("a second member", lambda d: d + d, "gzip"),
    ("a length that is not the signature's", lambda d: d + bytes(256) + struct.pack("<I", 255), "gzip"),
    ("damage inside", lambda d: gzip.compress(gzip.decompress(d)[:-1]), "truncated"),
])
def test_a_damaged_gzip_file_is_refused(updraft, tmp_path, name, change, reason):
    path = tmp_path / "bad.bin.gz"
    path.write_bytes(change(gzip.compress(MADE["arduino"])))
    result = updraft("image", "verify", "--json", path, code=3)
    problem = result.json["images"][0]["problem"]
    assert problem["reason"] == reason, problem
    assert ("inside" in problem) == (reason == "truncated")
    assert result.err.count("\n") == 1 and str(path) in result.err


def test_a_damaged_image_is_described_as_far_as_it_goes(updraft, tmp_path):
    path = tmp_path / "bad.bin"
    path.write_bytes(MADE["v2-sdk"][:-1] + b"\0")
    result = updraft("image", "info", "--json", path, code=3)
    info = json.loads(result.bytes)
    assert info["ok"] is False and info["problem"]["reason"] == "crc32" and info["crc32"]["ok"] is False
    assert info["format"] == "esp8266-v2" and info["slot"] == "user1" and len(info["segments"]) == 4
    assert info["covered"] == {"bytes": 0, "ranges": []}
    assert "CRC-32 does not match" in updraft("image", "info", path, code=3).out


def test_texts_from_an_image_cannot_steer_a_terminal(updraft, tmp_path):
    path = tmp_path / "evil.bin"
    path.write_bytes(images.esp32(0, [(0x3F400020, images.app_descriptor(b"\x1b[31m\xff\xc2\x9b", b"a\rb"))]))
    out = updraft("image", "info", path).out
    assert "\\x1b[31m\\xff\\xc2\\x9b" in out and "a\\x0db" in out
    app = updraft("image", "info", "--json", path).json["app"]
    assert app["version"] == "\x1b[31m\\xff\x9b" and app["project"] == "a\rb"


FITS = [
    # image, words that name the place, reason or None
    ("user1", ["--slot", "user1", "--map", "2"], None),
    ("user1", ["--slot", "user2", "--map", "2"], "wrong-slot"),
    ("user2", ["--slot", "user2", "--map", "2"], None),
    ("user1", ["--slot", "user1", "--map", "3"], "wrong-map"),
    ("user1", ["--slot", "user1", "--map", "2", "--chip", "esp32"], "wrong-chip"),
    ("rboot", ["--slot", "user1", "--map", "2"], "no-slot"),
    ("arduino", ["--slot", "user1", "--map", "2"], "wrong-format"),
    ("arduino", ["--layout", "4m2m"], None),
    ("arduino", ["--layout", "512k"], "flash-too-small"),
    ("user1", ["--layout", "4m2m"], "wrong-format"),
    ("app", ["--partition-table", "p.csv", "--partition", "factory"], None),
    ("app", ["--partition-table", "p.csv", "--partition", "small"], "too-large"),
    ("app", ["--partition-table", "p.csv", "--partition", "factory", "--chip", "esp32s3"], "wrong-chip"),
    ("app", ["--chip", "esp32"], None),
    ("app", ["--chip", "esp8266"], "wrong-chip"),
]


@pytest.mark.parametrize("name, place, reason", FITS)
def test_an_image_fits_its_place_and_no_other(updraft, tmp_path, name, place, reason):
    made = {"user1": images.user_image(1, 0x40201010), "user2": images.user_image(2, 0x40281010),
            "rboot": MADE["v2-rboot"], "arduino": MADE["arduino"],
            "app": images.esp32(segments=[(0x3F400020, images.app_descriptor()), (0x40080000, bytes(8192))])}
    (tmp_path / "p.csv").write_text("factory,app,factory,,64K\nsmall,app,ota_0,,4K\n")
    path = tmp_path / "image.bin"
    path.write_bytes(made[name])
    row = updraft("image", "verify", "--json", *place, path, cwd=tmp_path, code=0 if reason is None else 3)
    problem = json.loads(row.bytes)["images"][0]["problem"]
    assert problem is None if reason is None else problem["reason"] == reason, problem
    assert row.err == "" if reason is None else "does not fit" in row.err


@pytest.mark.parametrize("words", [
    ["--slot", "user1"], ["--map", "2"], ["--partition", "factory"], ["--partition-table", "p.csv"],
    ["--slot", "user1", "--map", "1"], ["--layout", "5m"], ["--layout", "4m2m", "--slot", "user1", "--map", "2"],
    ["--partition-table", "p.csv", "--partition", "no such"],
])
def test_a_place_that_is_none_is_a_usage_error(updraft, tmp_path, words):
    (tmp_path / "p.csv").write_text("factory,app,factory,,64K\n")
    (tmp_path / "image.bin").write_bytes(MADE["v1"])
    result = updraft("image", "verify", *words, "image.bin", cwd=tmp_path, code=2)
    assert result.err.count("\n") == 1


# --- split -----------------------------------------------------------------------------------------------------------


def test_real_images_are_built_again_from_their_two_parts(updraft, shared, tmp_path):
    """Images of the NONOS SDK, that is: they name their slot."""
    built = 0
    for path in sorted((shared / "corpus" / "img").glob("*.bin")):
        info = updraft("image", "info", "--json", path).json
        if info["slot"] is None:
            continue
        updraft("image", "split", "-d", tmp_path / "parts", path)
        stem = tmp_path / "parts" / path.stem
        updraft("image", "build", "--slot", info["slot"], "--flash-bin", f"{stem}.flash.bin", "--irom-bin",
                f"{stem}.irom0text.bin", "-o", tmp_path / "again.bin")
        assert (tmp_path / "again.bin").read_bytes() == path.read_bytes(), path
        built += 1
    assert built >= 20


def test_segments_are_written_as_they_are(updraft, made, tmp_path):
    data = made.read_bytes()
    parts = updraft("image", "split", "--json", "--segments", "-d", tmp_path / "out", made).json["parts"]
    info = updraft("image", "info", "--json", made).json
    assert [(p["offset"], p["size"], p["address"]) for p in parts] == \
        [(s["offset"], s["size"], s["address"]) for s in info["segments"]]
    for part in parts:
        with open(part["path"], "rb") as file:
            assert file.read() == data[part["offset"]:part["offset"] + part["size"]]


def test_an_arduino_image_is_split_into_loader_and_application(updraft, tmp_path):
    for name, data in (("s.bin", MADE["arduino"]), ("s.bin.gz", gzip.compress(MADE["arduino"]))):
        (tmp_path / name).write_bytes(data)
        updraft("image", "split", "-d", tmp_path, tmp_path / name)
        assert (tmp_path / "s.eboot.bin").read_bytes() == MADE["arduino"][:0x1000]
        assert (tmp_path / "s.app.bin").read_bytes() == MADE["arduino"][0x1000:]
        for part in ("s.eboot.bin", "s.app.bin"):
            os.unlink(tmp_path / part)


def test_two_images_in_one_file_become_two_files(updraft, tmp_path):
    one, other = images.rtos(0x40210000), images.rtos(0x40280000)
    assert len(one) == len(other)
    path = tmp_path / "demo.ota.bin"
    path.write_bytes(one + other)
    assert "split the file first" in updraft("image", "verify", path, code=3).err
    updraft("image", "split", "-d", tmp_path, path)
    assert (tmp_path / "demo.app1.bin").read_bytes() == one
    assert (tmp_path / "demo.app2.bin").read_bytes() == other


def test_a_damaged_image_is_not_split(updraft, made, tmp_path):
    data = bytearray(made.read_bytes())
    data[-1] ^= 1
    made.write_bytes(data)
    updraft("image", "split", "-d", tmp_path / "out", made, code=3)
    assert not (tmp_path / "out").exists()
