#!/usr/bin/env python3
"""What a device's agent costs: bytes and connections for a check and for an update, by protocol; and a fleet at once.

Usage: device.py [--json] [--devices N]

By protocol: a few devices that run what is current check again and again, then the same number update. Bytes are those of
TCP's content in both directions; an update is stated as a ratio to the image's own bytes, which is the least that any
protocol has to send. A connection is a round trip more than what is sent in it.

The fleet: N devices of all kinds in one process ask in one and the same instant, and update as fast as they can. Stated
are memory for each device, updates a second, and how much of the time the server's and the devices' processes were at
work: the greater one is the limit.
"""
import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests")]
import fleet  # noqa: E402

FEW, CHECKS_FOR = 20, 6
SIZE = 16384
OUT = ROOT / "out"


def processor_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Stand(fleet.Fleet):
    """A server with the products of all kinds, whose devices run 1.0.0."""

    def __init__(self, folder, devices):
        super().__init__(folder, OUT / "updraftd", OUT / "updraft-sim", devices)
        self.make_products()
        self.all = self.products
        for kind in self.all:
            self.release(kind, "1.0.0")

    def of(self, kinds, devices):
        self.products = {kind: self.all[kind] for kind in kinds}
        self.devices = devices


def one_protocol(stand, kind):
    stand.of([kind], FEW)
    # The link's devices ask by being there: what they send in this time is what staying costs.
    _, idle, _ = stand.run(1, "--every", 1, "--arrive", 0, "--seconds", CHECKS_FOR)
    stand.release(kind, "1.0.1")
    code, update, _ = stand.run(2, "--arrive", 0, "--seconds", 60)
    if code != 0:
        sys.exit(f"device.py: {kind}: the devices did not update: {update}")
    checks = max(idle["checks"], FEW)
    row = {"protocol": kind, "check_received": idle["bytes"] // checks, "check_sent": idle["bytes_sent"] // checks,
           "check_connections": round(idle["connections"] / checks, 2)}
    # Devices that have updated check once more to report it, which belongs to it.
    row.update({"update_received": update["bytes"] // FEW, "update_sent": update["bytes_sent"] // FEW,
                "update_connections": round(update["connections"] / FEW, 2),
                "update_to_image": round((update["bytes"] + update["bytes_sent"]) / FEW / SIZE, 3)})
    return row


def at_once(stand, devices):
    stand.of(list(stand.all), devices)
    before, began = processor_seconds(stand.daemon.process.pid), time.monotonic()
    children = os.times()
    code, result, _ = stand.run(3, "--arrive", 0, "--every", 60, "--seconds", 300)
    spent = time.monotonic() - began
    if code != 0:
        sys.exit(f"device.py: the fleet did not update: {result}")
    after = os.times()
    return {"devices": devices, "updates_per_second": round(1000 * result["confirmed"] / result["milliseconds"]),
            "memory_per_device": result["memory_per_device"],
            "server_busy": round((processor_seconds(stand.daemon.process.pid) - before) / spent, 2),
            "devices_busy": round((after.children_user - children.children_user + after.children_system
                                   - children.children_system) / spent, 2),
            "processors": os.cpu_count()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--devices", type=int, default=10000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="updraft-bench-") as folder:
        stand = Stand(Path(folder), max(arguments.devices, FEW * 5))
        rows = [one_protocol(stand, kind) for kind in list(stand.all)]
        whole = at_once(stand, arguments.devices)
        stand.client.close()
        stand.daemon.stop()
    if arguments.json:
        print(json.dumps({"schema": 1, "protocols": rows, "fleet": whole}))
        return
    print(f"device: bytes received + sent, and connections; an update of {SIZE} bytes as a ratio to them")
    for row in rows:
        print(f"  {row['protocol']:10} check {row['check_received']:5} + {row['check_sent']:5}  {row['check_connections']:5}   "
              f"update {row['update_received']:6} + {row['update_sent']:5}  {row['update_connections']:5}   "
              f"{row['update_to_image']:.3f}")
    print(f"  a fleet of {whole['devices']}: {whole['updates_per_second']} updates a second, {whole['memory_per_device']} bytes "
          f"for each device; of {whole['processors']} processors the server kept {whole['server_busy']} at work, the devices "
          f"{whole['devices_busy']}")


if __name__ == "__main__":
    main()
