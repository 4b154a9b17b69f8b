"""Whole programs: what every test of tests/ has at hand.

The program under test is $UPDRAFT_BIN, else out/updraft, else the dev build. Real firmware images lie in
$UPDRAFT_SHARED, else in ../shared beside the repository; tests that need them are skipped when they are absent.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import images

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("UPDRAFT_SHARED", ROOT.parent / "shared"))

# A shell lets what it starts in the background ignore SIGINT, and so would the programs under test.
signal.signal(signal.SIGINT, signal.default_int_handler)


def find_program():
    named = os.environ.get("UPDRAFT_BIN")
    if named:
        return Path(named).resolve()
    for path in (ROOT / "out" / "updraft", ROOT / "build" / "dev" / "tools" / "updraft"):
        if path.exists():
            return path
    pytest.exit("no program to test: run ./dev build, or set UPDRAFT_BIN", 1)


def find_simulation():
    """updraft-sim: $UPDRAFT_SIM, else that of the newest build; None."""
    if "UPDRAFT_SIM" in os.environ:
        return Path(os.environ["UPDRAFT_SIM"]).resolve()
    found = sorted(ROOT.glob("build/*/sim/updraft-sim"), key=lambda path: path.stat().st_mtime)
    return found[-1] if found else None


def find_clock():
    """updraft-clock: $UPDRAFT_CLOCK, else that of out/ or of the dev build, else None."""
    named = os.environ.get("UPDRAFT_CLOCK")
    if named:
        return Path(named).resolve()
    paths = [ROOT / "out" / "updraft-clock", ROOT / "build" / "dev" / "sim" / "clock" / "updraft-clock"]
    return next((path for path in paths if path.exists()), None)


class Result:
    """What one run left: exit code, standard output (bytes and text), standard error."""

    def __init__(self, process):
        self.code = process.returncode
        self.bytes = process.stdout
        self.err = process.stderr.decode()

    @property
    def out(self):
        return self.bytes.decode()

    @property
    def json(self):
        value = json.loads(self.bytes)
        assert value["schema"] == 1
        assert value["ok"] is (self.code == 0)
        return value


class Program:
    """updraft("image", "info", path, code=0): run it, and demand its exit code."""

    def __init__(self, path):
        self.path = path

    def __call__(self, *words, code=0, **kwargs):
        kwargs.setdefault("stdin", subprocess.DEVNULL if "input" not in kwargs else None)
        if kwargs["stdin"] is None:
            del kwargs["stdin"]
        environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "UPDRAFT_SERVER")}
        environment.update(kwargs.pop("env", {}))
        result = Result(subprocess.run([self.path, *map(str, words)], stdout=kwargs.pop("stdout", subprocess.PIPE),
                                       stderr=subprocess.PIPE, timeout=120, env=environment, **kwargs))
        if code is not None:
            assert result.code == code, f"exit {result.code}, not {code}\n{result.bytes[:2000]}\n{result.err}"
        return result


@pytest.fixture(scope="session")
def updraft():
    return Program(find_program())


@pytest.fixture(scope="session")
def shared():
    if not (SHARED / "corpus").is_dir():
        pytest.skip(f"no firmware images at {SHARED}")
    return SHARED


XTENSA = "xtensa-lx106-elf-gcc"
# Where the flash code of each slot runs, on the maps of 512+512 KiB: flash address modulo 1 MiB, plus 0x10.
LINKS = {"app1.elf": 0x40201010, "app2.elf": 0x40281010, "app0.elf": 0x40210000}


@pytest.fixture(scope="session")
def programs(tmp_path_factory):
    """A NONOS application linked for user1, for user2 and for a chip without boot loader."""
    if not shutil.which(XTENSA):
        pytest.skip(f"{XTENSA} is not installed")
    folder = tmp_path_factory.mktemp("programs")
    source = ROOT / "tests" / "nonos_app"
    for name, link in LINKS.items():
        subprocess.run([XTENSA, "-Os", "-nostdlib", "-ffreestanding", "-mlongcalls", "-mtext-section-literals", "-g",
                        f"-Wl,--defsym=IROM={link:#x}", "-T", source / "app.ld", source / "app.c", "-o", folder / name],
                       check=True)
    return folder


TABLE = """# Name, Type, SubType, Offset, Size, Flags
nvs,      data, nvs,     ,        0x4000,
otadata,  data, ota,     ,        0x2000,
phy_init, data, phy,     ,        0x1000,
factory,  app,  factory, ,        256K,
ota_0,    app,  ota_0,   ,        256K,
ota_1,    app,  ota_1,   ,        256K,
"""


@pytest.fixture()
def workbench(tmp_path, updraft, programs):
    """A folder with the files that the examples of help and documents name."""
    for name in LINKS:
        shutil.copy(programs / name, tmp_path)
    (tmp_path / "boot.bin").write_bytes(images.boot())
    (tmp_path / "user1.bin").write_bytes(images.user_image(1, 0x40201010))
    (tmp_path / "user2.bin").write_bytes(images.user_image(2, 0x40281010))
    (tmp_path / "esp_init_data_default.bin").write_bytes(bytes(range(128)))
    (tmp_path / "bootloader.bin").write_bytes(images.esp32_boot())
    (tmp_path / "app.bin").write_bytes(images.esp32())
    (tmp_path / "sketch.bin").write_bytes(images.arduino())
    (tmp_path / "partitions.csv").write_text(TABLE)

    # What `./dev build` makes, and the emulator, where a reader in the repository has them.
    (tmp_path / "out").mkdir()
    for name in ("boot", "firmware"):
        (tmp_path / "out" / name).symlink_to(ROOT / "build" / "lx106" / name)
    (tmp_path / "sim").symlink_to(ROOT / "sim")

    def make(*words):
        updraft(*words, cwd=tmp_path)

    make("partition", "build", "partitions.csv", "-o", "partitions.bin")
    make("image", "build", "--boot", "none", "--map", "2", "app0.elf", "-o", "eagle.flash.bin", "--irom-output",
         "eagle.irom0text.bin")
    make("flash", "build", "--map", "2", "--boot", "boot.bin", "--user1", "user1.bin", "--user2", "user2.bin", "-o",
         "flash.bin")
    make("flash", "build", "--partition-table", "partitions.csv", "--boot", "bootloader.bin", "--partition",
         "factory=app.bin", "--partition", "ota_0=app.bin", "--partition", "ota_1=app.bin", "--flash-size", "4M", "-o",
         "esp32-flash.bin")
    return tmp_path


@pytest.fixture(scope="session")
def shell_path(updraft, tmp_path_factory):
    """A PATH in which `updraft` and `updraftd` are the programs under test."""
    from test_server import find_server  # it needs this file itself
    folder = tmp_path_factory.mktemp("path")
    (folder / "updraftd").symlink_to(find_server())
    (folder / "updraft").symlink_to(updraft.path)
    if clock := find_clock():
        (folder / "updraft-clock").symlink_to(clock)
    if simulation := find_simulation():
        (folder / "updraft-sim").symlink_to(simulation)
    return f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}"
