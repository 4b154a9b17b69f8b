#!/usr/bin/env python3
"""kill -9 under load, at random moments; usage: crash.py UPDRAFTD [COUNT [SEED]]

Goal: what the server has acknowledged is there after it was killed and started again: images byte by byte, releases,
devices, their names, tokens and that they were revoked, what devices said by HTTP and on their links. No file is seen
in part, the audit log is whole and has a line for each change, and the start needs no help.

Method: clients upload, write, poll and talk, each noting what it sends before it sends it and what was acknowledged
once it was. After a random time the server is killed by its process id, now and then while it still starts. A request
that was cut off may have been done or not: both are right, and anything else is not. Nothing depends on time: the
clients work until the kill, and each has to have had something acknowledged by the end.
"""
import hashlib
import json
import os
import random
import shutil
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

import images
from daemon import Client, Daemon, Refused, administrator, first_token

# What a client meets when its server is killed.
CUT = (OSError, EOFError, ValueError)


class Wrong(Exception):
    """The server lost something, or shows what it must not."""


def demand(true, *what):
    if not true:
        raise Wrong(" ".join(map(str, what)))


class Image:
    """An image of 64 KiB that nobody else has: two bytes differ, so that their exclusive or is the same."""
    base = None

    def __init__(self, number):
        if Image.base is None:
            flash, data, code = images.MEMORY[0]
            segments = [(flash + 0x20, images.app_descriptor() + bytes(65536)), (data, bytes(64)),
                        (code, bytes(range(128)) * 16)]
            Image.base = images.esp32(0, segments, entry=code + 0x400)[:-32]
        body = bytearray(Image.base)
        for place in (0x400, 0x800):
            body[place:place + 4] = number.to_bytes(4, "little")
        self.bytes = bytes(body) + hashlib.sha256(body).digest()
        self.sha256 = hashlib.sha256(self.bytes).hexdigest()


class State:
    """What each client knows. One thread writes a member while the load runs; the check reads when it does not."""

    def __init__(self, product, key, seed):
        self.product = product
        self.key = key
        self.random = random.Random(seed)
        self.images = {}       # sha256 of each that was acknowledged
        self.releases = {}     # version: sha256
        self.pending_release = None
        self.current = None    # version, and the one that was being set
        self.pending_current = None
        self.names = {}        # device id: the names that it may have
        self.gone = set()      # ids of deleted devices
        self.going = set()     # a delete was sent
        self.tokens = {}       # id: text
        self.revoked = {}
        self.going_tokens = set()
        self.reported = {}     # serial: versions of which the device's must be one
        self.linked = {}       # device id: versions
        self.writes = 0        # acknowledged changes that the audit log must have
        self.counts = {}
        self.lock = threading.Lock()

    def count(self, what):
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + 1

    def wrote(self):
        with self.lock:
            self.writes += 1


# --- The load ------------------------------------------------------------------------------------

def upload(state, client, number):
    image = Image(number)
    done = client("POST", f"/api/v1/products/{state.product}/images?part=app", image.bytes)
    demand(done["sha256"] == image.sha256, "an upload got the digest", done["sha256"])
    state.images[image.sha256] = image
    state.count("uploads")
    if number % 2:
        version = f"1.{number}"
        state.pending_release = (version, image.sha256)
        client("POST", f"/api/v1/products/{state.product}/releases", {"version": version, "images": {"app": image.sha256}})
        state.releases[version] = image.sha256
        state.pending_release = None
        state.wrote()
        state.count("releases")
        state.pending_current = version
        client("POST", f"/api/v1/products/{state.product}/releases/{version}/current", {})
        state.current, state.pending_current = version, None
        state.wrote()
        state.count("set current")


def write(state, client, number):
    """A device is made, renamed, and each third is deleted."""
    made = client("POST", f"/api/v1/products/{state.product}/devices", {"serial": f"w{number}", "name": "first"})
    state.names[made["id"]] = ["first"]
    state.wrote()
    state.count("devices")
    name = f"Gerät {number}"
    state.names[made["id"]].append(name)
    client("PATCH", f"/api/v1/devices/{made['id']}", {"name": name})
    state.names[made["id"]] = [name]
    state.wrote()
    state.count("renamed")
    if number % 3 == 0:
        state.going.add(made["id"])
        client("DELETE", f"/api/v1/devices/{made['id']}")
        state.gone.add(made["id"])
        state.wrote()
        state.count("deleted")


def tokens(state, client, number):
    made = client("POST", "/api/v1/tokens", {"name": f"token {number}"})
    state.tokens[made["id"]] = made["token"]
    state.count("tokens")
    if number % 2:
        state.going_tokens.add(made["id"])
        client("DELETE", f"/api/v1/tokens/{made['id']}")
        state.revoked[made["id"]] = state.tokens.pop(made["id"])
        state.count("revoked")


def poll(state, client, number):
    """A device says what it runs, and fetches what it is offered."""
    serial, version = f"p{number % 20}", f"0.{number}"
    state.reported[serial] = state.reported.get(serial, [None]) + [version]
    status, headers, body = client.raw(
        "GET", f"/update/{state.key}?serial={serial}&version={version}",
        headers={"User-Agent": "ESP32-http-Update", "x-ESP32-STA-MAC": f"18:fe:34:00:00:{number % 20:02x}"})
    demand(status in (200, 304), "a poll was answered with", status)
    if status == 200:
        demand(hashlib.md5(body).hexdigest() == headers["x-MD5"], "a download is not what its digest says")
        demand(hashlib.sha256(body).hexdigest() in state.images, "a download is no image that was uploaded")
        state.count("downloads")
    state.reported[serial] = [version]
    state.count("polls")


def talk(state, link, number):
    """A device says on its link what it runs."""
    version = f"v1.0.{number % 1000}t23701(b)"
    state.linked[link.device] = state.linked.get(link.device, [None]) + [version]
    answer = link.ask("/v1/device/identify", {"rom_version": version})
    demand(answer["status"] == 200, "identify was answered with", answer)
    state.linked[link.device] = [version]
    state.count("link messages")


class Link:
    def __init__(self, port, device, key):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.lines = self.socket.makefile("rb")
        self.device = device
        self.key = key
        self.nonce = 0

    def ask(self, path, body):
        self.nonce += 1
        self.socket.sendall((json.dumps({"nonce": self.nonce, "path": path, "method": "GET", "body": body,
                                         "meta": {"Authorization": f"token {self.key}"}}) + "\n").encode())
        while True:
            line = self.lines.readline()
            if not line:
                raise EOFError
            answer = json.loads(line)
            if answer.get("nonce") == self.nonce:
                return answer

    def close(self):
        self.lines.close()
        self.socket.close()


class Load:
    """The clients, each a thread, until the server is gone."""

    def __init__(self, state, daemon, token, link_device, numbers):
        self.wrong = []
        self.killed = threading.Event()
        self.threads = []
        makers = {
            upload: lambda: Client(daemon.ports["http"], token), write: lambda: Client(daemon.ports["http"], token),
            tokens: lambda: Client(daemon.ports["http"], token), poll: lambda: Client(daemon.ports["http"]),
            talk: lambda: Link(daemon.ports["link"], *link_device)}
        for work, make in makers.items():
            thread = threading.Thread(target=self.run, args=(state, work, make, numbers))
            thread.start()
            self.threads.append(thread)

    def run(self, state, work, make, numbers):
        try:
            client = make()
            try:
                while not self.killed.is_set():
                    number = numbers[work] = numbers.get(work, 0) + 1
                    work(state, client, number)
            finally:
                client.close()
        except Refused as refused:
            self.wrong.append(f"{work.__name__}: {refused}")
        except Wrong as wrong:
            self.wrong.append(f"{work.__name__}: {wrong}")
        except CUT as cut:
            if not self.killed.is_set():
                self.wrong.append(f"{work.__name__}: {cut!r} although the server was not killed")
        except Exception as cut:  # http.client has many names for a connection that ended
            if type(cut).__module__ != "http.client" or not self.killed.is_set():
                self.wrong.append(f"{work.__name__}: {cut!r}")

    def kill(self, daemon):
        self.killed.set()
        daemon.kill()
        for thread in self.threads:
            thread.join()
        if self.wrong:
            raise Wrong("; ".join(self.wrong))


# --- What must be there --------------------------------------------------------------------------

def check_blobs(state, data, known):
    """Each file under its name is whole; what came in part is not there."""
    for folder, _, names in os.walk(data / "blobs"):
        if folder == str(data / "blobs" / "tmp"):
            demand(not names, "left in blobs/tmp:", names)
            continue
        for name in names:
            sha256 = Path(folder).name + name
            if sha256 not in known:
                content = (Path(folder) / name).read_bytes()
                demand(hashlib.sha256(content).hexdigest() == sha256, "blob", sha256, "is not what its name says")
                known.add(sha256)
    missing = set(state.images) - known
    demand(not missing, "images that were acknowledged are missing:", missing)


def everything(client, path):
    items, after = [], ""
    while after is not None:
        page = client("GET", f"{path}{'&' if '?' in path else '?'}limit=500{after}")
        items += page["items"]
        after = f"&after={page['next']}" if page.get("next") else None
    return items


def check_releases(state, client):
    shown = {row["version"]: row for row in everything(client, f"/api/v1/products/{state.product}/releases")}
    for version in state.releases:
        demand(version in shown, "release", version, "is lost")
    if state.pending_release and state.pending_release[0] in shown:
        state.releases[state.pending_release[0]] = state.pending_release[1]
    demand(set(shown) == set(state.releases), "releases that nobody made:", set(shown) - set(state.releases))
    state.pending_release = None
    current = [version for version, row in shown.items() if row["current"]]
    demand(current in [[state.current] if state.current else [], [state.pending_current]], "current is", current,
           "and not", state.current, "or", state.pending_current)
    state.current, state.pending_current = (current or [None])[0], None


def check_current_image(state, client):
    if state.current:
        status, _, body = client.raw("GET", f"/{state.product}/lamp.bin")
        demand(status == 200 and hashlib.sha256(body).hexdigest() == state.releases[state.current],
               "the current image is not what was uploaded:", status)


def check_devices(state, client):
    shown = {row["id"]: row for row in everything(client, f"/api/v1/devices?product={state.product}")}
    for device, names in list(state.names.items()):
        if device in state.gone or (device in state.going and device not in shown):
            demand(device not in shown, "device", device, "was deleted and is there")
            del state.names[device]
            state.gone.discard(device)
            state.going.discard(device)
            continue
        demand(device in shown, "device", device, "is lost")
        demand(shown[device]["name"] in names, "device", device, "is called", shown[device]["name"], "not", names)
        state.names[device] = [shown[device]["name"]]
    serials = {row["serial"]: row for row in shown.values()}
    for serial, versions in state.reported.items():
        version = serials[serial]["version"] if serial in serials else None
        demand(version in versions, serial, "runs", version, "and had said", versions)
        state.reported[serial] = [version]


def check_linked(state, client):
    for device, versions in state.linked.items():
        version = client("GET", f"/api/v1/devices/{device}")["version"]
        demand(version in versions, device, "runs", version, "and had said", versions)
        state.linked[device] = [version]


def check_tokens(state, daemon, client):
    shown = {row["id"] for row in client("GET", "/api/v1/tokens")["items"]}
    for token in list(state.tokens):
        demand(token in shown or token in state.going_tokens, "token", token, "is lost")
        if token not in shown:
            del state.tokens[token]
    for token, text in state.revoked.items():
        demand(token not in shown, "token", token, "was revoked and is there")
        demand(daemon.client(text).raw("GET", "/api/v1/session")[0] == 401, "a revoked token opens a session")
    state.revoked.clear()
    for text in list(state.tokens.values())[-3:]:
        demand(daemon.client(text).raw("GET", "/api/v1/session")[0] == 200, "a token does not work")


def check_audit(state, client):
    page = client("GET", "/api/v1/audit?limit=1")
    demand(page["chain"]["ok"], "the audit log is broken at", page["chain"]["broken_at"])
    demand(page["total"] == page["chain"]["checked"], "the audit log was not read to its end")
    demand(page["total"] >= state.writes, page["total"], "lines of audit for", state.writes, "changes")


def check(state, daemon, token, known):
    client = daemon.client(token)
    check_blobs(state, daemon.data, known)
    check_releases(state, client)
    check_current_image(state, client)
    check_devices(state, client)
    check_linked(state, client)
    check_tokens(state, daemon, client)
    check_audit(state, client)
    client.close()


# --- The run -------------------------------------------------------------------------------------

def prepare(program, data):
    secret = first_token(program, data)
    daemon = Daemon(program, data)
    daemon.wait()
    token = administrator(daemon, secret)
    client = daemon.client(token)
    product = client("POST", "/api/v1/products", {"name": "lamp", "kind": "idf", "chip": "esp32", "strangers": "admit"})
    cloud = client("POST", "/api/v1/products", {"name": "plug", "kind": "nonos", "chip": "esp8266", "map": 2,
                                                "ptype": 23701})
    device = client("POST", f"/api/v1/products/{cloud['id']}/devices", {"serial": "link"})
    key = client("GET", f"/api/v1/devices/{device['id']}")["device_key"]
    client.close()
    daemon.kill()
    return token, product, (device["id"], key)


def run(program, data, count, seed):
    token, product, link_device = prepare(program, data)
    state = State(product["id"], product["key"], seed)
    starts, known, numbers, done, early = [], set(), {}, 0, 0
    while done < count:
        daemon = Daemon(program, data)
        if state.random.random() < 0.1:
            # While it starts.
            time.sleep(state.random.random() * 0.05)
            daemon.kill()
            early += 1
            done += 1
            continue
        starts.append(daemon.wait())
        check(state, daemon, token, known)
        load = Load(state, daemon, token, link_device, numbers)
        time.sleep(state.random.random() ** 2 * 0.25)
        load.kill(daemon)
        done += 1
    daemon = Daemon(program, data)
    starts.append(daemon.wait())
    check(state, daemon, token, set())
    daemon.stop()
    print(f"{count} kills, {early} of them while it started; acknowledged and found again: " +
          ", ".join(f"{number} {what}" for what, number in sorted(state.counts.items())))
    print(f"note: {count} kills; start to serving: median {sorted(starts)[len(starts) // 2] * 1000:.0f} ms, longest "
          f"{max(starts) * 1000:.0f} ms; {sum(state.counts.values())} acknowledged changes and polls, none lost")
    lacking = {"uploads", "releases", "devices", "renamed", "deleted", "tokens", "revoked", "polls", "downloads",
               "link messages"} - set(state.counts)
    demand(not lacking, "the load never came to:", lacking)


def main():
    program = Path(sys.argv[1]).resolve()
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    seed = sys.argv[3] if len(sys.argv) > 3 else str(time.time_ns())
    folder = Path(tempfile.mkdtemp(prefix="updraft-crash-"))
    print(f"seed {seed}")
    try:
        run(program, folder / "data", count, seed)
    except Exception as wrong:
        print(f"FAILED: {wrong!r}; seed {seed}; the data is left in {folder}")
        print("0 passed, 1 failed, 0 skipped")
        raise
    shutil.rmtree(folder)
    print(f"{count} passed, 0 failed, 0 skipped")


if __name__ == "__main__":
    main()
