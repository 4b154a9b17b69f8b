#!/usr/bin/env python3
"""How long the web page's queries take in the server: a million devices against a thousand.

Usage: pages.py [--json] [--devices N] [--data DIR]

Each query is asked over HTTP on one connection as an administrator, ROUNDS times after one that does not count; the
median counts, and the aim is LIMIT_MS. With --data, directories DIR/small and DIR/large are kept and used again.
"""
import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "bench")]
from daemon import Daemon, Refused, administrator, first_token  # noqa: E402
from server import RELEASE, UPDRAFTD, build  # noqa: E402

SMALL = 1_000
ROUNDS = 5
LIMIT_MS = 200

# {product}: the one that has all devices; {text}: what a device in the middle of the fleet is found by.
QUERIES = [
    ("overview", "/overview"),
    ("products", "/products"),
    ("product", "/products/{product}"),
    ("releases of a product", "/products/{product}/releases?limit=500"),
    ("devices, as they come", "/devices"),
    ("devices of a product", "/devices?product={product}"),
    ("devices by name", "/devices?sort=name"),
    ("devices of a product by name", "/devices?product={product}&sort=name"),
    ("devices by last contact", "/devices?sort=-last_seen"),
    ("devices by serial", "/devices?product={product}&sort=-serial"),
    ("devices by version", "/devices?product={product}&sort=version"),
    ("devices by group", "/devices?sort=family"),
    ("devices by age", "/devices?sort=-created"),
    ("devices online", "/devices?online=true"),
    ("devices offline", "/devices?online=false"),
    ("devices of a product online", "/devices?product={product}&online=true"),
    ("devices silent for a day", "/devices?product={product}&heard_before=1000000000000"),
    ("devices of a frequent version", "/devices?version=1.0.0"),
    ("devices of a rare version", "/devices?product={product}&version=1.0.4"),
    ("devices of a group", "/devices?group=house%207"),
    ("devices that update", "/devices?state=updating"),
    ("devices that wait to be admitted", "/devices?state=new"),
    ("search: a name", "/devices?q=device%20{text}"),
    ("search: the middle of a name", "/devices?q=vice%20{text}"),
    ("search: a serial", "/devices?q=S0{text}"),
    ("search: part of a MAC", "/devices?q=fe:34:0"),
    ("search: a number", "/devices?product={product}&q={text}"),
    ("search: what nobody has", "/devices?q=nobody"),
    ("search: two letters", "/devices?q=de"),
    ("search: one letter", "/devices?q=7"),
    ("search within the online, by name", "/devices?online=true&q=99&sort=name"),
    ("far page", "/devices?after=900&limit=100"),
    ("last page", "/devices?product={product}&after={last}&limit=100"),
    ("updates", "/updates"),
    ("updates that failed", "/updates?state=failed"),
    ("audit", "/audit?limit=100"),
]


def measure(folder, devices):
    if not (folder / "token").exists():
        said = subprocess.run([RELEASE / "server/fleet_bench", "fill", folder, str(devices), "arduino"], check=True,
                              capture_output=True, text=True).stdout
        secret = first_token(UPDRAFTD, folder)
        daemon = Daemon(UPDRAFTD, folder)
        daemon.wait()
        (folder / "token").write_text(administrator(daemon, secret) + " " + said.split()[1])
        daemon.stop()
    token, product = (folder / "token").read_text().split()
    daemon = Daemon(UPDRAFTD, folder)
    daemon.wait()
    client = daemon.client(token)
    figures = {}
    for name, path in QUERIES:
        path = "/api/v1" + path.format(product=product, text=f"{devices // 2 + 7}", last=devices - 50)
        times = []
        try:
            for _ in range(ROUNDS + 1):
                begin = time.monotonic()
                client("GET", path)
                times.append((time.monotonic() - begin) * 1000)
            figures[name] = statistics.median(times[1:])
        except Refused as refused:
            sys.exit(f"{path}: {refused}")
    daemon.stop()
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--devices", type=int, default=1_000_000)
    parser.add_argument("--data")
    options = parser.parse_args()
    build()
    with tempfile.TemporaryDirectory(prefix="updraft-bench-") as name:
        folder = Path(options.data or name)
        folder.mkdir(exist_ok=True)
        small, large = measure(folder / "small", SMALL), measure(folder / "large", options.devices)
    rows = [{"query": name, "small_ms": round(small[name], 2), "large_ms": round(large[name], 2),
             "ratio": round(large[name] / small[name], 2)} for name, _ in QUERIES]
    if options.json:
        print(json.dumps({"schema": 1, "devices": options.devices, "peer_devices": SMALL, "rows": rows}))
        return
    print(f"{'milliseconds':42}{SMALL:>12,}{options.devices:>14,}{'ratio':>10}")
    for row in rows:
        late = "  over the aim" if row["large_ms"] > LIMIT_MS else ""
        print(f"{row['query']:42}{row['small_ms']:>12.2f}{row['large_ms']:>14.2f}{row['ratio']:>10.1f}{late}")


if __name__ == "__main__":
    main()
