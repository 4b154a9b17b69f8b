#!/usr/bin/env python3
"""The main job of updraft, on this machine and without hardware: a server, a product, two releases, and devices that
update over the air. `./dev demo` runs it; usage: demo.py [--ask] [--stay]

    --ask   the owner's question is answered by you, in the browser
    --stay  the server goes on until Ctrl-C, so that its page can be looked at

What runs here is what would run elsewhere: updraftd, the tool updraft, an emulated ESP8266 with updraft's boot loader
and the smart clock from a whole-flash image, and virtual devices with updraft's library over the stock protocols.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from emulator import Emulator, EmulatorError

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "out"
FIRMWARE = OUT / "firmware"
ROM = ROOT / "build/lx106/sim/rom/rom.elf"
PTYPE = 45772
OLD, NEW = f"v1.0.0t{PTYPE}(a)", f"v1.0.1t{PTYPE}(a)"
PASSWORD = "a password for the demo"
CUT = "cut 150 BITS seed 1"    # power fails in this erase or program of the flash from the start: in the middle of the download
PATIENCE = 180  # seconds, for any one step, on a machine that is busy and slow
COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ


class Failed(Exception):
    """The demo did not go as it has to."""


def bold(text):
    return f"\033[1m{text}\033[0m" if COLOUR else text


class Timeline:
    """What happened when; printed as it happens, and once more at the end."""

    def __init__(self):
        self.began, self.rows = time.monotonic(), []

    def __call__(self, text):
        self.rows.append((time.monotonic() - self.began, text))
        print(bold(f"\n== {text}"), flush=True)

    def show(self):
        print(bold("\nWhat happened:"))
        for seconds, text in self.rows:
            print(f"  {seconds:6.1f} s  {text}")


class Api:
    """The server's API, as somebody who is logged in."""

    def __init__(self, address, token=None):
        self.address, self.token = address, token

    def __call__(self, method, path, body=None):
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise Failed(f"{method} {path}: {error.code} {error.read().decode()}") from error
        return json.loads(text) if text else None

    def log_in(self, user):
        return Api(self.address, self("POST", "/api/v1/tokens/login",
                                      {"user": user, "password": PASSWORD, "name": "demo"})["token"])


def shown(*words, quiet=False):
    """Run one of updraft's programs, and show it as somebody would have typed it."""
    words = [str(word) for word in words]
    print("$ " + " ".join(f"'{word}'" if re.search(r"[() ]", word) else word for word in words), flush=True)
    done = subprocess.run([str(OUT / words[0]), *words[1:]], stdout=subprocess.PIPE, text=True)
    if not quiet:
        print(done.stdout, end="", flush=True)
    if done.returncode != 0:
        raise Failed(f"{words[0]} ended with {done.returncode}")
    return done.stdout


def wait_until(what, true):
    deadline = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > deadline:
            raise Failed(f"after {PATIENCE} seconds still not: {what}")
        time.sleep(0.2)


class Server:
    def __init__(self, folder):
        self.data = folder / "server"
        self.token = json.loads(shown("updraftd", "init", "--data", self.data, "--json", quiet=True))["token"]
        print(f"$ updraftd serve --data {self.data} --listen 127.0.0.1:0", flush=True)
        self.log = open(folder / "server.log", "wb")
        self.process = subprocess.Popen(
            [OUT / "updraftd", "serve", "--data", self.data, "--listen", "127.0.0.1:0", "--link", "127.0.0.1:0"],
            stdout=self.log, stderr=self.log)
        ports = self.data / "ports.json"
        wait_until("the server serves", lambda: self.process.poll() is not None or ports.exists())
        if self.process.poll() is not None:
            raise Failed((folder / "server.log").read_text())
        self.ports = json.loads(ports.read_text())
        self.address = f"http://127.0.0.1:{self.ports['http']}"
        Api(self.address)("POST", "/api/v1/setup", {"token": self.token, "user": "ada", "password": PASSWORD})
        self.api = Api(self.address).log_in("ada")
        os.environ["UPDRAFT_SERVER"] = self.address
        os.environ["UPDRAFT_TOKEN"] = self.api.token

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)
        self.log.close()


# --- The clock ---------------------------------------------------------------------------------

def displays(console):
    """The clock's displays on its console, each as its lines."""
    frame = r"\+-{20}\+\n(?:\|.{20}\|\n){4}\+-{20}\+\n"
    return re.findall(frame, console)


class Clock:
    """The emulated ESP8266, whose display is shown as it changes."""

    def __init__(self, flash, server):
        self.chip = Emulator(flash, ROM, seconds=PATIENCE, nanoseconds=8,
                             radio=[f"127.0.0.1:{server.ports[name]}" for name in ("http", "link")])

    def __enter__(self):
        self.chip.__enter__()
        return self

    def __exit__(self, *error):
        self.chip.__exit__(*error)

    def power_on(self, order=""):
        self.chip.start(f"live survive {order}")
        self.shown, self.drawn = 0, False

    def watch(self, what, ends, every=1, until_dark=False):
        """Show each `every`-th display until one of them makes `ends` true, or until power fails. @return the last one"""
        deadline, seen, frame = time.monotonic() + PATIENCE, 0, ""
        while time.monotonic() < deadline:
            is_dark = self.chip.has_ended()
            frames = displays(self.chip.console())
            for number, frame in enumerate(frames[self.shown:], self.shown):
                last = ends(frame)
                self.shown = number + 1
                seen += 1
                if last or COLOUR or seen % every == 1:
                    self.draw(frame)
                if last:
                    self.drawn = False
                    return frame
            if is_dark:
                run = self.chip.end()
                if not until_dark or run.event != "cut":
                    raise Failed(f"the clock ended ({run.event}) before: {what}\n{run.console[-2000:]}")
                self.drawn = False
                return frame
            time.sleep(0.05)
        raise Failed(f"the clock did not show in {PATIENCE} seconds: {what}\n{self.chip.console()[-2000:]}")

    def draw(self, frame):
        """On a terminal one display stands still, and changes."""
        if self.drawn:
            print(f"\033[{len(frame.splitlines())}A", end="")
        print(frame, end="", flush=True)
        self.drawn = COLOUR

    def said(self, pattern):
        """What it said last on its console that matches; None."""
        found = re.findall(pattern, self.chip.console())
        return found[-1] if found else None

    def power_off(self):
        return self.chip.halt()


def percent_of(frame):
    found = re.search(r"(\d+)%", frame)
    return int(found[1]) if found else -1


def run_clock(server, timeline, folder, ask):
    timeline("a product: smart-clock, whose owners are asked before their clock downloads anything")
    shown("updraft", "product", "create", "smart-clock", "--chip", "esp8266", "--map", "2", "--ptype", PTYPE, "--consent",
          "ask_download")
    for version, name in ((OLD, "1.0.0"), (NEW, "1.0.1")):
        shown("updraft", "release", "upload", "smart-clock", version, "--user1", FIRMWARE / f"clock-cloud-{name}-user1.bin",
              "--user2", FIRMWARE / f"clock-cloud-{name}-user2.bin", quiet=True)
    shown("updraft", "release", "set-current", "smart-clock", OLD, quiet=True)

    timeline(f"an ESP8266 with updraft's boot loader, {OLD} and its own key, as it comes out of the factory")
    flash, key = folder / "clock.bin", folder / "master_device_key.bin"
    device = json.loads(shown("updraft", "device", "create", "smart-clock", "--serial", "C10C33", "-o", key, "--json", quiet=True))
    shown("updraft", "flash", "build", "--map", "2", "--boot", OUT / "boot/nonos.bin", "--user1",
          FIRMWARE / "clock-cloud-1.0.0-user1.bin", "--device-key", key, "-o", flash)

    with Clock(flash, server) as clock:
        clock.power_on(CUT)
        timeline("it starts, and activates itself over its link")
        clock.watch("activation", lambda frame: "Activated" in frame)
        clock.watch("the time", lambda frame: "|Online  " in frame)
        wait_until("the server knows what runs", lambda: seen(server, device)["version"] == OLD)
        timeline(f"activated; it is online, and runs {OLD}. Its owner claims it with the code from its box")
        owner = make_owner(server, device)
        timeline(f"{NEW} becomes the current release; the server asks the owner")
        shown("updraft", "release", "set-current", "smart-clock", NEW, quiet=True)
        wait_until("the owner is asked", lambda: question(owner, device) is not None)
        if ask:
            print(f"\nAnswer in the browser: {server.address}/app, user minh, password: {PASSWORD}", flush=True)
            wait_until_answered(server, device)
        else:
            update = question(owner, device)
            print(f"The owner sees: a new version is ready: {update['version']}. Now, tonight, no?  He says: now.")
            owner("POST", f"/api/v1/my/devices/{device['id']}/answer", {"update": update["update"], "answer": "now"})
        timeline("the clock downloads")
        last = clock.watch("power to fail", lambda frame: False, every=6, until_dark=True)
        timeline(f"power fails at {percent_of(last)} % of the download, in the middle of a write")
        clock.power_on()
        timeline("power is back")
        clock.watch("the download", lambda frame: percent_of(frame) > 0)
        there = int(clock.said(r"download from byte (\d+)"))
        if there == 0:
            raise Failed("the download began anew after the power cut")
        timeline(f"it goes on from byte {there}: what is in flash is not sent again")
        clock.watch("the restart", lambda frame: "Restarting" in frame, every=6)
        timeline("verified in flash; the server lets it restart into slot user2, on trial")
        clock.watch("confirmed", lambda frame: "|v1.0.1 -" in frame and "confirmed" in frame)
        wait_until("the server says that it is over", lambda: last_state(server, device) in ("confirmed", "running"))
        timeline(f"it reached the server with {NEW}: confirmed")
        clock.power_off()
    shown("updraft", "flash", "info", flash)
    shown("updraft", "device", "show", device["id"])


def seen(server, device):
    return server.api("GET", f"/api/v1/devices/{device['id']}")


def last_state(server, device):
    history = seen(server, device)["history"]
    return history[0]["state"] if history else None


def make_owner(server, device):
    server.api("POST", "/api/v1/users", {"name": "minh", "password": PASSWORD})
    owner = Api(server.address).log_in("minh")
    owner("POST", "/api/v1/devices/claim", {"code": device["claim_code"]})
    return owner


def question(owner, device):
    """The update that the owner is asked about; None."""
    return owner("GET", f"/api/v1/my/devices/{device['id']}")["offer"]


def wait_until_answered(server, device):
    while last_state(server, device) == "offered":
        time.sleep(0.5)


# --- Devices by the stock protocols ------------------------------------------------------------

# Kind of the virtual device, chip, kind of the product, what its stock firmware is built with.
OTHERS = [("arduino", "esp8266", "arduino", "an Arduino sketch with ESPhttpUpdate"),
          ("rtos", "esp8266", "rtos", "an ESP8266 with the RTOS SDK"),
          ("idf", "esp32", "idf", "an ESP32 with esp_https_ota")]


def run_other(server, timeline, folder, kind, chip, words, text):
    timeline(f"{text}, and power that fails once")
    product = json.loads(shown("updraft", "product", "create", kind, "--chip", chip, "--kind", words, "--strangers", "admit",
                               "--json", quiet=True))
    images = {}
    for version in ("1.0.0", "1.0.1"):
        images[version] = folder / f"{kind}-{version}.bin"
        shown("updraft-sim", "image", "--as", kind, "--version", version, "-o", images[version])
    shown("updraft", "release", "upload", kind, "1.0.1", "--app", images["1.0.1"], quiet=True)
    shown("updraft", "release", "set-current", kind, "1.0.1", quiet=True)
    shown("updraft-sim", "device", "--as", kind, "--flash", folder / f"{kind}.flash", "--image", images["1.0.0"],
          "--server", server.address, "--product-key", product["key"], "--cut", "60", "--until", "current", "--seconds",
          PATIENCE)
    devices = server.api("GET", f"/api/v1/devices?product={product['id']}")["items"]
    wait_until("the server says that it is over", lambda: last_state(server, devices[0]) == "confirmed")
    timeline(f"{kind}: confirmed, as the server says, too")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ask", action="store_true", help="wait for the owner's answer in the browser")
    parser.add_argument("--stay", action="store_true", help="leave the server running until Ctrl-C")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="updraft-demo-"))
    timeline = Timeline()
    server = None
    try:
        timeline("a server, on an empty directory")
        server = Server(folder)
        run_clock(server, timeline, folder, arguments.ask)
        for row in OTHERS:
            run_other(server, timeline, folder, *row)
        timeline.show()
        print(f"\nFiles: {folder} (the flash images, the server's data and log)")
        if arguments.stay:
            print(f"The page: {server.address}/, user ada; the owner's app: {server.address}/app, user minh; "
                  f"password: {PASSWORD}\nCtrl-C ends the server.", flush=True)
            server.process.wait()
        else:
            print("With --stay the server goes on, and its page can be looked at.")
    except (Failed, EmulatorError) as error:
        sys.exit(f"demo: {error}")
    except KeyboardInterrupt:
        print()
    finally:
        if server is not None:
            server.stop()


if __name__ == "__main__":
    main()
