"""Goal: tables become the same bytes and the same words as with ESP-IDF's gen_esp32part.py 1.5.

Method: tables drawn at random from cells that are right, odd and wrong, through `updraft partition build` and through
the original's code as the PyPI package esp-idf-defs carries it; then back from binary to CSV. That package leaves out
warnings and lists, and words three messages in its own way; `words` puts the original's back. The RTOS SDK's rules
have no such witness: there the package is given the RTOS tables, and parsing and placing are compared.
"""
import random
import struct

import pytest

original = pytest.importorskip("esp_idf_defs.partitions")

NAMES = ["nvs", "otadata", "factory", "ota_0", "a", "data", "app", "Xé日本語longname_more_than_16", "  b c", "", "x" * 16,
         "#c", "$X", "${HOME_}", "$FOO", "q$FOO", "bootloader", "${FOO}z", "$ {", "$", "$1", "tee_0"]
TYPES = ["app", "data", "0", "1", "0x40", "bootloader", "partition_table", "DATA", "App", "", "foo", "datak", "-1", "256",
         "2", "3", "010", "1_0", "0b1", "0o1", "0x"]
SUBTYPES = ["factory", "ota_0", "ota_1", "ota", "nvs", "phy", "coredump", "", "6", "0x81", "primary", "recovery", "OTA_15",
            "tee_0", "tee_ota", "0x10", "bar", "undefined", "00", "1k", "nvs_keys", "-5", "300"]
OFFSETS = [""] * 6 + ["0x9000", "0x10000", "64K", "1M", "0xd000", "0x110000", "N/A", "-4", "0x1_0000", "36864", "0x9004",
                      "4kk", "0x100000000", "+0x20000", "0X30000", "1 M", "0o100000", "1mK", "k"]
SIZES = ["0x4000", "16K", "1M", "-1M", "-0x200000", "0x1001", "", "64k", "8K", "0x2000", "0x2FFF", "0x3000", "5M", "0x800",
         "abc", "-2M", "0", "0xFFFFFFFF", "1_000", "4 K", "-64K"]
FLAGS = ["", "", "", "encrypted", "readonly", "encrypted:readonly", "foo", ":", "readonly:", "Encrypted", " readonly",
         "readonly :encrypted"]
ENDS = ["\n", "\n", "\n", "\r\n", "\r", "\x0b", "\u2028", "\x85"]
BLANKS = ["", "", " ", "\t", "\u00a0", "\u3000"]
ENCODINGS = [("utf-8", b""), ("utf-8", b""), ("utf-8", b"\xef\xbb\xbf"), ("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")]

# What updraft says where the original ends with a traceback.
OWN_WORDS = ["does not fit in one byte", "is too large for a partition table", "do not fit in 32 bits", "below its offset"]


def odd_row(draw):
    cells = [draw.choice(NAMES), draw.choice(TYPES[:10] if draw.random() < 0.85 else TYPES), draw.choice(SUBTYPES),
             draw.choice(OFFSETS), draw.choice(SIZES), draw.choice(FLAGS), "ignored"]
    count = draw.randrange(2, 8) if draw.random() < 0.2 else 6
    return ",".join(draw.choice(BLANKS) + cell + draw.choice(BLANKS) for cell in cells[:count])


def plain_row(draw, index):
    if draw.random() < 0.5:
        kind = f"app, ota_{index % 16}", ["64K", "1M", "0x10000", "128k", "0x21000", "0x800"]
    else:
        subtype = draw.choice(["nvs", "phy", "fat", "spiffs", "", "0x99", "littlefs", "ota", "coredump", "tee_ota"])
        kind = f"data, {subtype}", ["0x3000", "0x4000", "8K", "0x2000"]
    name = draw.choice([f"p{index}", "nvs", f"name_long_name_{index}", "app", f"ota_{index}"])
    offset = draw.choice(["", "", "", f"0x{0x10000 * (index + 1):x}", "0x9000"])
    return f"{name}, {kind[0]}, {offset}, {draw.choice(kind[1])}, {draw.choice(['', '', 'encrypted', 'readonly'])}"


def draw_table(draw):
    """Text of a table, as bytes."""
    if draw.random() < 0.6:
        lines = [plain_row(draw, i) for i in range(draw.randrange(1, 9))]
    else:
        lines = [odd_row(draw) for _ in range(draw.randrange(1, 4))]
    if draw.random() < 0.3:
        lines.insert(0, draw.choice(["# c", "", "   ", "\t# x"]))
    encoding, mark = draw.choice(ENCODINGS)
    return mark + "".join(line + draw.choice(ENDS) for line in lines).encode(encoding)


def draw_options(draw):
    options = {"offset": 0x8000, "primary": None, "recovery": None, "secure": None, "md5": True, "flash_size": 0,
               "verify": True}
    if draw.random() < 0.4:
        options["primary"] = draw.choice([0, 0x1000, 0x2000])
    if draw.random() < 0.3:
        options["recovery"] = 0x3F0000
    if draw.random() < 0.2:
        options["secure"] = draw.choice(["v1", "v2"])
    if draw.random() < 0.2:
        options["offset"] = draw.choice([0x5000, 0x10000])
    options["md5"] = draw.random() < 0.8
    if draw.random() < 0.3:
        options["flash_size"] = draw.choice([1, 2, 4]) << 20
    options["verify"] = draw.random() < 0.9
    return options


def arguments(options):
    words = ["--offset", options["offset"]]
    for name, option in (("primary", "--primary-bootloader-offset"), ("recovery", "--recovery-bootloader-offset"),
                         ("secure", "--secure")):
        if options[name] is not None:
            words += [option, options[name]]
    if options["flash_size"]:
        words += ["--flash-size", options["flash_size"]]
    return words + ["--no-md5"] * (not options["md5"]) + ["--no-verify"] * (not options["verify"])


def words(message):
    """The original's words for what the package says."""
    if message.startswith("Error at line"):
        message += "\nPlease check extra_partition_subtypes.inc file in build/config directory"
    for which in ("Primary", "Recovery"):
        message = message.replace(f"{which} bootloader offset is not provided", f"{which} bootloader offset is not defined. "
                                  f"Please use --{which.lower()}-bootloader-offset")
    if "available flash size" in message:
        message = message.replace("available flash size", "configured flash size")
        message += " Change the flash size in menuconfig under the 'Serial Flasher Config' menu."
    return message


def convert(text, options):
    """The original's answer: bytes, a message, or None where it ends with a traceback."""
    try:
        table = original.PartitionTable.from_csv(text.decode(original.get_encoding(text)), options["offset"],
                                                 options["primary"], options["recovery"])
        if options["verify"]:
            table.verify(options["offset"], options["secure"])
        if options["flash_size"]:
            table.verify_size_fits(options["flash_size"])
        return table.to_binary(options["md5"])
    except original.InputError as error:
        return words(str(error))
    except (struct.error, OverflowError):
        return None


@pytest.mark.parametrize("seed", range(4))
def test_random_tables_are_built_as_by_the_original(updraft, seed, monkeypatch):
    monkeypatch.setenv("FOO", "foo,data")
    monkeypatch.delenv("X", raising=False)
    draw = random.Random(seed)
    built = refused = 0
    for _ in range(150):
        text, options = draw_table(draw), draw_options(draw)
        expected = convert(text, options)
        result = updraft("partition", "build", *arguments(options), "-", input=text, code=None)
        context = (text, options, expected, result.err)
        if isinstance(expected, bytes):
            built += 1
            assert (result.code, result.bytes) == (0, expected), context
            continue
        refused += 1
        assert result.code == 2 and result.bytes == b"" and result.err, context
        if expected and not any(own in result.err for own in OWN_WORDS):
            assert ("\n" + result.err).endswith("\n" + expected + "\n"), context
    assert built >= 10 and refused >= 50


def test_random_binaries_are_shown_as_by_the_original(updraft, tmp_path):
    draw = random.Random(99)
    shown = 0
    for _ in range(150):
        options = draw_options(draw)
        table = convert(draw_table(draw), options)
        if not isinstance(table, bytes) or table[:2] != b"\xaa\x50" or not options["md5"]:
            continue
        try:
            expected = original.PartitionTable.from_binary(table).to_csv()
        except UnicodeDecodeError:
            continue
        (tmp_path / "table.bin").write_bytes(table)
        result = updraft("partition", "show", "--csv", "--no-verify", tmp_path / "table.bin")
        assert result.out == expected
        shown += 1
    assert shown >= 10


def test_the_rtos_rules_place_as_their_tool_does(updraft, monkeypatch):
    monkeypatch.setenv("FOO", "foo,data")
    monkeypatch.setattr(original, "TYPES", {"app": 0, "data": 1})
    subtypes = {kind: dict(names) for kind, names in original.SUBTYPES.items() if kind < 2}
    for name in ("tee_0", "tee_1"):
        del subtypes[0][name]
    for name in ("undefined", "littlefs", "tee_ota"):
        del subtypes[1][name]
    monkeypatch.setattr(original, "SUBTYPES", subtypes)
    monkeypatch.setattr(original, "BOOTLOADER_TYPE", -1)
    monkeypatch.setattr(original, "PARTITION_TABLE_TYPE", -1)
    monkeypatch.setattr(original, "ALIGNMENT", {0: 0x1000, 1: 4})
    monkeypatch.setattr(original.PartitionDefinition, "FLAGS", {"encrypted": 0})
    monkeypatch.setattr(original.PartitionDefinition, "parse_subtype", lambda self, text: original.parse_int(
        text, subtypes.get(self.type, {})) if text else 0)
    monkeypatch.setattr(original, "get_encoding", lambda text: "utf-8")
    draw = random.Random(7)
    built = 0
    for _ in range(300):
        text, options = draw_table(draw), draw_options(draw)
        options.update(verify=False, flash_size=0, primary=None, recovery=None, secure=None)
        try:
            expected = convert(text, options)
        except UnicodeDecodeError:
            expected = None
        result = updraft("partition", "build", "--rules", "rtos", *arguments(options), "-", input=text, code=None)
        context = (text, options, expected, result.err)
        if isinstance(expected, bytes):
            built += 1
            assert (result.code, result.bytes) == (0, expected), context
        else:
            assert result.code == 2 and result.bytes == b"" and result.err, context
    assert built >= 10
