"""The emulated ESP8266 for scripts and tests: an lx106 in qemu-system-xtensa with updraft's stand-in
for the mask ROM, over a flash image in a file. docs/emulator.md tells what it is and is not.

    with Emulator("flash.bin", rom="build/lx106/sim/rom/rom.elf") as chip:
        run = chip.boot("cut 3 BITS seed 7")
        run.event, run.value, run.console

A run ends with an event (sim/rom/machine.c lists them). The flash file may be changed between two
runs, never during one.
"""
import ctypes
import os
import select
import signal
import subprocess
import tempfile
from dataclasses import dataclass


@dataclass
class Run:
    """What one power-on led to."""

    event: str      # app, stopped, cut, returned, rom, exception, restarts
    value: int      # what the event says: a report, an address
    ops: int        # erases and page programs since power on
    read: int       # flash address of the last SPIRead
    restarts: int
    cycles: int     # of the emulated CPU, in steps of its clock; exact only for equal programs
    console: str    # what this run printed


def _die_with_parent():
    """In the emulator's process: a program that spins must not outlive a test that was killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)      # PR_SET_PDEATHSIG


class EmulatorError(Exception):
    """The emulator itself could not go on; its message says why."""


class Emulator:
    def __init__(self, flash, rom, seconds=60):
        """seconds: how long one run may take before the machine counts as hung."""
        self.flash, self.rom, self.seconds = str(flash), str(rom), seconds
        self.process = None

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="updraft-emulator-")
        path = lambda name: os.path.join(self.folder.name, name)
        os.mkfifo(path("orders"))
        os.mkfifo(path("reports"))
        self.log = path("console")
        arguments = [os.path.abspath(self.flash), path("orders"), path("reports")]
        config = "enable=on,target=native" + "".join(f",arg={a}" for a in ["rom"] + arguments)
        self.process = subprocess.Popen(
            ["qemu-system-xtensa", "-M", "sim", "-cpu", "lx106", "-semihosting-config", config,
             # Virtual time follows instructions, so that a run is the same on a busy machine.
             "-icount", "shift=0,sleep=off", "-monitor", "none", "-display", "none",
             "-serial", f"file:{self.log}", "-kernel", self.rom],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            preexec_fn=_die_with_parent)
        # Opening a FIFO to write waits for its reader; without one the machine has failed.
        self.reports = os.open(path("reports"), os.O_RDONLY | os.O_NONBLOCK)
        self.orders = None
        for _ in range(self.seconds * 100):
            try:
                self.orders = os.open(path("orders"), os.O_WRONLY | os.O_NONBLOCK)
                break
            except OSError:
                if self.process.poll() is not None:
                    break
                select.select([], [], [], 0.01)
        if self.orders is None:
            self._fail()
        self.printed = 0
        return self

    def __exit__(self, *_):
        for descriptor in (self.orders, self.reports):
            if descriptor is not None:
                os.close(descriptor)
        if self.process is not None:
            try:
                self.process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process.stderr.close()
        self.folder.cleanup()

    def _console(self, start=0):
        with open(self.log, "rb") as file:
            file.seek(start)
            return file.read().decode("latin-1")

    def _fail(self, why="the emulator ended"):
        text = self._console() if os.path.exists(self.log) else ""
        if self.process.poll() is None:
            self.process.kill()
        errors = self.process.stderr.read().decode() if self.process.stderr else ""
        raise EmulatorError(f"{why}: {text[-500:]}{errors[-500:]}")

    def boot(self, order=""):
        """Power on; `order` as in machine.c ("rtc keep", "cut 3 BITS seed 7", "pin 4 0", "stop 0x40100004")."""
        os.write(self.orders, f"boot {order}\n".encode())
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([self.reports], [], [], self.seconds)
            if not ready:
                self._fail(f"no end of the run after {self.seconds} seconds")
            piece = os.read(self.reports, 4096)
            if not piece:
                self._fail()
            line += piece
        words = line.decode().split()
        fields = {key: int(value, 16) for key, value in (word.split("=") for word in words[2:])}
        console = self._console(self.printed)
        self.printed += len(console)
        return Run(words[0], int(words[1], 16), console=console, **fields)
