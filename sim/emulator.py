"""The emulated ESP8266 for scripts and tests: an lx106 in qemu-system-xtensa with updraft's stand-in
for the mask ROM, over a flash image in a file. docs/emulator.md tells what it is and is not.

    with Emulator("flash.bin", rom="build/lx106/sim/rom/rom.elf") as chip:
        run = chip.boot("cut 3 BITS seed 7")
        run.event, run.value, run.console

A run ends with an event (sim/rom/machine.c lists them). The flash file may be changed between two
runs, never during one. A program that runs for ever is watched, and switched off:

    with Emulator("flash.bin", rom, radio=["127.0.0.1:8000"]) as chip:
        chip.start()
        chip.wait_for("Update confirmed")
        run = chip.halt()

As a program it runs one flash, in the host's time, until Ctrl-C:

    python3 sim/emulator.py flash.bin --radio 127.0.0.1:8000
"""
import argparse
import ctypes
import os
import pathlib
import select
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parent.parent


@dataclass
class Run:
    """What one power-on led to."""

    event: str      # app, stopped, cut, returned, rom, exception, restarts, halted
    value: int      # what the event says: a report, an address
    ops: int        # erases and page programs since power on
    read: int       # flash address of the last SPIRead
    restarts: int
    cycles: int     # of the emulated CPU, in steps of its clock; exact only for equal programs
    stack: int      # bytes that the application used, since it opened the flash window
    console: str    # what this run printed


def _die_with_parent():
    """In the emulator's process: a program that spins must not outlive a test that was killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)      # PR_SET_PDEATHSIG


class EmulatorError(Exception):
    """The emulator itself could not go on; its message says why."""


def find_radio():
    """updraft-radio: $UPDRAFT_RADIO, else that of the newest build."""
    if "UPDRAFT_RADIO" in os.environ:
        return os.environ["UPDRAFT_RADIO"]
    builds = [ROOT / "out/updraft-radio", *ROOT.glob("build/*/sim/radio/updraft-radio")]
    found = sorted((path for path in builds if path.exists()), key=lambda path: path.stat().st_mtime)
    if not found:
        raise EmulatorError("no updraft-radio: run ./dev build")
    return str(found[-1])


class Emulator:
    def __init__(self, flash, rom, seconds=60, radio=(), nanoseconds=1):
        """seconds: how long one run may take before the machine counts as hung.
        radio: HOST:PORT of what the program's connections 0, 1, ... lead to.
        nanoseconds: of the chip's time that one instruction takes, a power of two; 0: the host's clock."""
        self.flash, self.rom, self.seconds = str(flash), str(rom), seconds
        self.addresses, self.nanoseconds = list(radio), nanoseconds
        self.process = self.radio = None

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="updraft-emulator-")
        path = lambda name: os.path.join(self.folder.name, name)
        os.mkfifo(path("orders"))
        os.mkfifo(path("reports"))
        self.log = path("console")
        arguments = [os.path.abspath(self.flash), path("orders"), path("reports")]
        if self.addresses:
            fifos = [path("to-chip"), path("from-chip")]
            for fifo in fifos:
                os.mkfifo(fifo)
            self.radio = subprocess.Popen([find_radio(), *fifos, *self.addresses], stdin=subprocess.DEVNULL,
                                          preexec_fn=_die_with_parent)
            arguments += fifos
        # Virtual time follows instructions, so that a run is the same on a busy machine.
        pace = ["-icount", f"shift={self.nanoseconds.bit_length() - 1},sleep=off"] if self.nanoseconds else []
        config = "enable=on,target=native" + "".join(f",arg={a}" for a in ["rom"] + arguments)
        self.process = subprocess.Popen(
            ["qemu-system-xtensa", "-M", "sim", "-cpu", "lx106", "-semihosting-config", config,
             *pace, "-monitor", "none", "-display", "none",
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
        if self.radio is not None:
            self.radio.kill()
            self.radio.wait()
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

    def start(self, order=""):
        """Power on; `order` as in machine.c ("rtc keep", "cut 3 BITS seed 7", "pin 4 0", "stop 0x40100004")."""
        self.tell(f"boot {order}")

    def tell(self, order):
        """An order during a run, such as "pin 0 1"."""
        os.write(self.orders, f"{order}\n".encode())

    def end(self):
        """Wait until the run ends by itself. Return the Run."""
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

    def has_ended(self):
        """True when the present run has ended by itself: end() does not wait."""
        return bool(select.select([self.reports], [], [], 0)[0])

    def boot(self, order=""):
        """Power on and wait until the run ends."""
        self.start(order)
        return self.end()

    def console(self):
        """What the present run has printed so far."""
        return self._console(self.printed)

    def wait_for(self, text):
        """Wait until the present run has printed `text`. Return all that it printed."""
        deadline = time.monotonic() + self.seconds
        while text not in (console := self.console()):
            ended, _, _ = select.select([self.reports], [], [], 0.01)
            if ended:
                run = self.end()
                raise EmulatorError(f"ended ({run.event} {run.value:#x}) before it said {text!r}: {run.console[-2000:]}")
            if time.monotonic() > deadline:
                self._fail(f"did not say {text!r} in {self.seconds} seconds")
        return console

    def halt(self):
        """Switch off, if the run has not ended by itself. Return the Run."""
        self.tell("halt")
        return self.end()


def main():
    parser = argparse.ArgumentParser(description="Run a flash image on the emulated ESP8266, until Ctrl-C.")
    parser.add_argument("flash", help="flash image; the program on the chip changes it")
    parser.add_argument("--rom", default=ROOT / "build/lx106/sim/rom/rom.elf", help="default: %(default)s")
    parser.add_argument("--radio", metavar="HOST:PORT", action="append", default=[],
                        help="where the program's connections lead, the first, the second, ...")
    parser.add_argument("--boot", metavar="WORDS", default="", help="words of the order boot, such as 'pin 0 0 at 5000'")
    parser.add_argument("--until", metavar="TEXT", help="switch off when the console has shown this")
    arguments = parser.parse_args()
    try:
        with Emulator(arguments.flash, arguments.rom, radio=arguments.radio, nanoseconds=0) as chip:
            chip.start(f"live survive {arguments.boot}")
            shown, ended = 0, False
            while not ended:
                ended = bool(select.select([chip.reports], [], [], 0.05)[0])
                console = chip.console()
                sys.stdout.write(console[shown:])
                sys.stdout.flush()
                shown = len(console)
                if not ended and arguments.until and arguments.until in console:
                    # The rest of what it is printing comes yet.
                    time.sleep(0.2)
                    run, ended = chip.halt(), True
                    sys.stdout.write(run.console[shown:])
                    break
            else:
                run = chip.end()
            print(f"ended: {run.event} {run.value:#x}")
    except EmulatorError as error:
        sys.exit(f"emulator: {error}")
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
