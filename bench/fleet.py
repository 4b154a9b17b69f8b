#!/usr/bin/env python3
"""What a million devices cost the server: memory, time to start, polls, pages; against a fleet of 1,000.

Usage: fleet.py [--json] [--devices N]

The numbers are of fleet/ and store/ alone, without HTTP: an operation is called in the server's own process. A ratio is
the large fleet's figure over the small one's, in the same run on the same machine.
"""
import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build/release"
SMALL = 1_000


def build():
    """The measuring program, optimised as the server is."""
    for command in (["cmake", "--preset", "release"], ["cmake", "--build", str(BUILD), "--target", "fleet_bench"]):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(done.stdout + done.stderr)


def measure(devices):
    with tempfile.TemporaryDirectory(prefix="updraft-bench-") as directory:
        lines = subprocess.run([BUILD / "server/fleet_bench", directory, str(devices)], check=True,
                               capture_output=True, text=True).stdout.split("\n")
        size = sum(path.stat().st_size for path in Path(directory).rglob("*") if path.is_file())
    figures = {name: float(value) for name, value in (line.split() for line in lines if line)}
    return {**figures, "disk_mb": round(size / 1e6, 1)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--devices", type=int, default=1_000_000)
    options = parser.parse_args()
    build()
    small, large = measure(SMALL), measure(options.devices)
    rows = [{"figure": name, "small": small[name], "large": large[name],
             "ratio": round(large[name] / small[name], 2) if small[name] else None} for name in large]
    if options.json:
        print(json.dumps({"schema": 1, "devices": options.devices, "peer_devices": SMALL, "rows": rows}))
        return
    print(f"{'':24}{SMALL:>12,}{options.devices:>14,}{'ratio':>10}")
    for row in rows:
        print(f"{row['figure']:24}{row['small']:>12}{row['large']:>14}{row['ratio'] or '-':>10}")


if __name__ == "__main__":
    main()
