"""Goal: what surrounds the emulated chip is there as docs/emulator.md says: time, pins, watchdog, flash window, radio.

Method: small programs (fixtures/chip/programs.c) that the ROM starts from flash 0, with no boot loader.
"""
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nonos import Flash, v1_image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "sim"))

from emulator import Emulator, EmulatorError                # noqa: E402

ROM = ROOT / "build/lx106/sim/rom/rom.elf"
GCC = "xtensa-lx106-elf-gcc"
SOURCE = ROOT / "tests/fixtures/chip/programs.c"
pytestmark = pytest.mark.skipif(not shutil.which(GCC), reason=f"{GCC} is not installed")

ENDLESS_LOOP = bytes([0x06, 0xFF, 0xFF])        # j .


def section(elf, name):
    file = elf.with_suffix(name)
    subprocess.run(["xtensa-lx106-elf-objcopy", "-O", "binary", "-j", name, "--set-section-flags", f"{name}=alloc,load,contents",
                    elf, file], check=True)
    return file.read_bytes()


def flash_with(folder, program):
    elf = folder / "program.elf"
    subprocess.run([GCC, "-Os", "-ffreestanding", "-nostdlib", "-mlongcalls", "-mtext-section-literals", "-w",
                    f"-DPROGRAM={program}", "-T", SOURCE.with_suffix(".ld"), SOURCE, "-o", elf], check=True)
    symbols = subprocess.run(["xtensa-lx106-elf-nm", elf], check=True, capture_output=True, text=True).stdout
    [entry] = [int(line.split()[0], 16) for line in symbols.splitlines() if line.endswith(" call_user_start1")]
    flash = Flash(2)
    flash.put(0, v1_image([(0x40100000, section(elf, ".text")), (0x3FFE8000, section(elf, ".data"))], entry))
    flash.put(0x1000, ENDLESS_LOOP)
    return flash


@pytest.fixture()
def chip(tmp_path):
    """chip("program", radio=[...]): an emulator whose flash holds that program."""
    def make(program, **options):
        path = tmp_path / "flash.bin"
        flash_with(tmp_path, program).write(path)
        return Emulator(path, ROM, nanoseconds=8, **options)
    return make


def test_delays_pass_on_the_chips_timer(chip):
    with chip("waits_seven_seconds") as machine:
        run = machine.boot()
    assert run.event == "app" and 7000 <= run.value <= 7010


def test_a_pin_changes_at_its_time(chip):
    with chip("watches_a_pin") as machine:
        assert machine.boot().value == 0
        assert machine.boot("pin 0 0").value == 10000
        assert abs(machine.boot("pin 0 1 at 8000 pin 0 0 at 1000").value - 7000) <= 10


def test_a_run_is_halted_and_the_next_one_starts(chip):
    with chip("idles") as machine:
        machine.start()
        assert "idle\nidle\n" in machine.wait_for("idle\nidle\n")
        assert machine.halt().event == "halted"
        machine.start()
        machine.wait_for("idle")
        assert machine.halt().event == "halted"


def test_a_program_that_never_calls_the_rom_is_halted(chip):
    with chip("spins") as machine:
        machine.start()
        machine.wait_for("csum")
        assert machine.halt().event == "halted"


def test_waiting_for_what_is_not_said_tells_how_the_run_ended(chip):
    with chip("waits_seven_seconds") as machine:
        machine.start()
        with pytest.raises(EmulatorError, match="ended .app"):
            machine.wait_for("no such words")


@pytest.mark.parametrize("program, restarts", [("hangs", 1), ("feeds", 0)])
def test_the_watchdog_bites_who_does_not_feed_it(chip, program, restarts):
    with chip(program) as machine:
        run = machine.boot()
    assert (run.event, run.restarts) == ("app", restarts)


def test_a_crash_restarts_the_chip_when_its_watchdog_runs(chip):
    with chip("crashes") as machine:
        assert machine.boot().event == "exception"
        run = machine.boot("survive")
    assert (run.event, run.value, run.restarts) == ("app", 4, 1)
    assert "Fatal exception (0)" in run.console


def test_a_crash_without_watchdog_is_the_end(chip):
    with chip("crashes_unwatched") as machine:
        assert machine.boot("survive").event == "exception"


def test_flash_and_its_window_take_turns(chip):
    with chip("reads_around_the_window") as machine:
        run = machine.boot()
    assert run.value & 0xFF == 0xE9


@pytest.mark.parametrize("program, message", [
    ("reads_through_an_open_window", "an access to flash while open: the flash window"),
    ("runs_in_a_shut_window", "runs while shut: code in the flash window"),
])
def test_a_breach_of_the_windows_rules_is_said(chip, program, message):
    with chip(program) as machine:
        with pytest.raises(EmulatorError, match=message):
            machine.boot()


class Server:
    """A TCP server on a port of its own; answer(connection, number) deals with each connection, from 1."""

    def __init__(self, answer):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"
        self.heard = []
        self.answer = answer
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        number = 0
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            number += 1
            with connection:
                self.answer(self, connection, number)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(10)


def test_the_radio_leads_to_its_addresses(chip):
    data = bytes(range(256)) * 300 + b"the end"         # more than a FIFO holds

    def answer(server, connection, _):
        server.heard.append(connection.makefile("rb").readline())
        connection.sendall(data)

    with Server(answer) as one, Server(answer) as other:
        with chip("talks", radio=[one.address, other.address]) as machine:
            run = machine.boot()
        assert (run.event, run.value) == ("app", sum(data))
        assert f"first {sum(data)}\n" in run.console
        assert (one.heard, other.heard) == ([b"hello 0\n"], [b"hello 1\n"])


def test_nobody_at_the_other_end(chip):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    with chip("talks", radio=[address]) as machine:     # and connection 1 has no address at all
        run = machine.boot()
    assert run.value == 0xFFFFFFFF and "first 4294967295\n" in run.console


def test_no_radio(chip):
    with chip("talks") as machine:
        assert machine.boot().value == 0xFFFFFFFF


def test_what_came_for_a_closed_connection_is_dropped(chip):
    def answer(server, connection, number):
        if number == 1:
            try:
                while True:
                    connection.sendall(bytes(1000))
            except OSError:
                server.heard.append(b"hung up")
        else:
            server.heard.append(connection.makefile("rb").readline())
            connection.sendall(b"\x01\x02")

    with Server(answer) as server:
        with chip("hangs_up_early", radio=[server.address]) as machine:
            run = machine.boot()
        assert (run.event, run.value) == ("app", 3)
        assert server.heard == [b"hung up", b"hello 0\n"]
