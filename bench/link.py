#!/usr/bin/env python3
"""The device link: memory of an idle link, and how long one command takes to reach every device.

Opens as many links as the system lets us (LINKS, 20,000) to server/link_stand, lets each identify itself, and measures
the server's resident memory before and after; then sends one command to all of them and lets all answer.
"""
import json
import os
import resource
import selectors
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WANTED = int(os.environ.get("LINKS", "20000"))


def resident(pid):
    for row in Path(f"/proc/{pid}/status").read_text().splitlines():
        if row.startswith("VmRSS:"):
            return int(row.split()[1]) * 1024
    raise SystemExit("no VmRSS")


def identify(number):
    return (f'{{"nonce": {number + 1}, "path": "/v1/device/identify", "method": "GET","meta": '
            f'{{"Authorization": "token {number:040d}"}}}}\n').encode()


class Server:
    def __init__(self):
        program = ROOT / "build" / "release" / "server" / "link_stand"
        if not program.exists():
            sys.exit("build it first: cmake --preset release && cmake --build --preset release --target link_stand")
        self.process = subprocess.Popen([program, "--answer-ms", "120000"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.port = self.read()["link"]

    def send(self, command):
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()

    def read(self):
        return json.loads(self.process.stdout.readline())

    def wait_for(self, links):
        while True:
            self.send("stats")
            stats = self.read()
            if stats["devices"] == links:
                return stats
            time.sleep(0.1)


def main():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(WANTED, hard - 100)
    server = Server()
    before = resident(server.process.pid)
    links = []
    begin = time.monotonic()
    for number in range(count):
        # Two local addresses: one alone has fewer ports than there are links.
        link = socket.socket()
        link.bind((f"127.0.0.{1 + number % 2}", 0))
        link.connect(("127.0.0.1", server.port))
        link.sendall(identify(number))
        links.append(link)
    stats = server.wait_for(count)
    opened = time.monotonic() - begin
    for link in links:
        link.recv(4096)
    after = resident(server.process.pid)
    print(f"{count} links identified in {opened:.1f} s")
    print(f"memory per idle link: {(after - before) / count:.0f} bytes resident, of which the struct has "
          f"{stats['link_size']}")

    selector = selectors.DefaultSelector()
    for link in links:
        selector.register(link, selectors.EVENT_READ)
    begin = time.monotonic()
    server.send('all {"get": {"action": "sys_upgrade", "version": "v1.0.1t23701(a)"}, "method": "GET"}')
    left, reached = count, 0.0
    while left:
        for key, _ in selector.select():
            nonce = key.fileobj.recv(4096).split(b",", 1)[0].rsplit(b" ", 1)[1]
            key.fileobj.sendall(b'{"status": 200, "nonce": ' + nonce + b', "deliver_to_device": true}\n')
            left -= 1
    reached = time.monotonic() - begin
    report = server.read()
    print(f"one command to {count} links: all reached after {reached:.2f} s, {report['answered']} answers after "
          f"{time.monotonic() - begin:.2f} s (the devices are this program, on the same machine)")
    server.process.stdin.close()
    server.process.wait()


if __name__ == "__main__":
    main()
