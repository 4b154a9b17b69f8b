#!/usr/bin/env python3
"""How long the web page's queries take in the server: a million devices against a thousand.

Usage: pages.py [--json] [--devices N] [--data DIR] [--all] [--only WORD] [--every N]

The whole table of device lists is asked: each filter alone in each order and each pair of filters in PAIR_SORTS, with
and without a product, for an administrator and for a member who sees two products of four; then far pages of each
order, and the pages that are no lists. A query is asked once that does not count and once that does; one that took more than half of
LIMIT_MS is asked RETRIES times, and the median counts. The SHOWN slowest are printed (--all: each), with the same
query's time among SMALL devices, and the program ends with 1 when one is over the limit (not with --json, which says
so). --only keeps the rows that hold a word, --every each Nth list and all other pages. With --data, directories
DIR/small and DIR/large are kept and used again.
"""
import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote, urlencode

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "bench")]
import images  # noqa: E402
from daemon import PASSWORD, Daemon, Refused, administrator, first_token  # noqa: E402
from server import RELEASE, UPDRAFTD, build  # noqa: E402

SMALL = 1_000
RETRIES = 5
LIMIT_MS = 200
SHOWN = 25

ROLES = ("administrator", "member")
PAIR_SORTS = ("", "name", "-last_seen")
SORTS = ("name", "serial", "version", "last_seen", "created", "family")

# Values of each filter: frequent ones, rare ones, and what nobody has. {middle} is a device in the middle of the fleet.
FILTERS = {
    "version": ("1.0.0", "1.0.4", "none"),
    "group": ("house 7", "none"),
    "online": ("true", "false"),
    "heard_before": ("{day}",),
    "state": ("online", "silent", "new", "admitted", "blocked", "updating", "downloading", "offered", "failed"),
    "q": ("device {middle}", "vice {middle}", "fe:34:0", "{middle}", "nobody", "de", "7", "zz", "q"),
}

# What is no list of devices, asked for both roles where both may.
PAGES = (
    ("overview", "/overview"),
    ("overview of a product", "/overview?product={product}"),
    ("products", "/products"),
    ("product", "/products/{product}"),
    ("releases of a product", "/products/{product}/releases?limit=500"),
    ("release", "/products/{product}/releases/2.0.0"),
    ("forecast of a release", "/products/{product}/releases/2.0.0/forecast"),
    ("updates", "/updates"),
    ("updates of a product", "/updates?product={product}"),
    ("updates that failed", "/updates?state=failed"),
    ("audit", "/audit?limit=100"),
)


def combinations():
    """No filter, each value of each filter, each pair of values of two filters."""
    yield {}
    for name, values in FILTERS.items():
        yield from ({name: value} for value in values)
    for (one, these), (other, those) in itertools.combinations(FILTERS.items(), 2):
        yield from ({one: this, other: that} for this in these for that in those)


def queries(devices, product):
    """(name, path) of each row of the table, the same names whatever the number of devices."""
    here = {"middle": devices // 2 + 7, "day": int((time.time() - 86400) * 1000)}
    orders = [way + sort for sort in SORTS for way in ("", "-")]
    for scope in ("", product):
        of = " of a product" if scope else ""
        fixed = {"product": scope} if scope else {}
        for combination in combinations():
            asked = {**fixed, **{name: value.format(**here) for name, value in combination.items()}}
            shown = " ".join(f"{name}={value}" for name, value in combination.items()) or "all"
            for sort in ["", *orders] if len(combination) < 2 else PAIR_SORTS:
                path = "/devices?" + urlencode({**asked, **({"sort": sort} if sort else {})}, quote_via=quote)
                yield f"devices{of}: {shown}" + (f", by {sort}" if sort else ""), path
        for share in (0.25, 0.5, 0.6):
            for sort in ["", *orders]:
                path = "/devices?" + urlencode({**fixed, "after": int(devices * share),
                                                **({"sort": sort} if sort else {})})
                yield f"devices{of}: {share:.0%} on" + (f", by {sort}" if sort else ""), path
    for name, path in PAGES:
        yield name, path.format(product=product)


def fill(folder, devices):
    """A server's data: its tokens by role, and the product that has most of the devices."""
    said = subprocess.run([RELEASE / "server/fleet_bench", "fill", folder, str(devices), "arduino", "spread"],
                          check=True, capture_output=True, text=True).stdout
    secret = first_token(UPDRAFTD, folder)
    daemon = Daemon(UPDRAFTD, folder)
    daemon.wait()
    tokens = {"administrator": administrator(daemon, secret)}
    client = daemon.client(tokens["administrator"])
    user = client("POST", "/api/v1/users", {"name": "member", "password": PASSWORD})["id"]
    products = client("GET", "/api/v1/products")
    for product in products["items"] if isinstance(products, dict) else products:
        if product["name"] in ("bench", "bench 2"):
            client("PUT", f"/api/v1/products/{product['id']}/members/{user}", {"role": "viewer"})
    tokens["member"] = client("POST", "/api/v1/tokens/login",
                              {"user": "member", "password": PASSWORD, "name": "bench"})["token"]
    product = f"/api/v1/products/{said.split()[1]}"
    image = client("POST", f"{product}/images", images.arduino())["sha256"]
    client("POST", f"{product}/releases", {"version": "2.0.0", "images": {"app": image}, "current": True})
    daemon.stop()
    (folder / "bench.json").write_text(json.dumps({"tokens": tokens, "product": said.split()[1]}))


def ask(client, path):
    begin = time.monotonic()
    client("GET", path)
    return (time.monotonic() - begin) * 1000


def measure(folder, devices, only, every):
    """Milliseconds by row."""
    if not (folder / "bench.json").exists():
        fill(folder, devices)
    known = json.loads((folder / "bench.json").read_text())
    daemon = Daemon(UPDRAFTD, folder)
    daemon.wait()
    figures = {}
    for role in ROLES:
        client = daemon.client(known["tokens"][role])
        for number, (name, path) in enumerate(queries(devices, known["product"])):
            if number % every != 0 and "/devices" in path:
                continue
            if only not in f"{role}: {name}" or (role != "administrator" and name == "audit"):
                continue
            path = "/api/v1" + path
            try:
                first = ask(client, path)
                took = ask(client, path) if first < 10 * LIMIT_MS else first
                if LIMIT_MS / 2 < took < 5 * LIMIT_MS:
                    took = statistics.median(ask(client, path) for _ in range(RETRIES))
                figures[f"{role}: {name}"] = took
            except Refused as refused:
                sys.exit(f"{path}: {refused}")
    daemon.stop()
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--all", action="store_true", help="print each row, not only the slowest")
    parser.add_argument("--only", default="", metavar="WORD", help="only the rows that hold it")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="each Nth list alone, for a quick look")
    parser.add_argument("--devices", type=int, default=1_000_000)
    parser.add_argument("--data")
    options = parser.parse_args()
    build()
    with tempfile.TemporaryDirectory(prefix="updraft-bench-") as name:
        folder = Path(options.data or name)
        folder.mkdir(exist_ok=True)
        small = measure(folder / "small", SMALL, options.only, options.every)
        large = measure(folder / "large", options.devices, options.only, options.every)
    rows = [{"query": name, "small_ms": round(small[name], 2), "large_ms": round(large[name], 2),
             "ratio": round(large[name] / small[name], 2)} for name in large]
    rows.sort(key=lambda row: -row["large_ms"])
    over = sum(row["large_ms"] > LIMIT_MS for row in rows)
    if options.json:
        print(json.dumps({"schema": 2, "devices": options.devices, "peer_devices": SMALL, "limit_ms": LIMIT_MS,
                          "asked": len(rows), "every": options.every, "over": over, "rows": rows if options.all else rows[:SHOWN]}))
        return
    print(f"{'milliseconds':82}{SMALL:>9,}{options.devices:>12,}{'ratio':>9}")
    for row in rows if options.all else rows[:SHOWN]:
        late = "  over" if row["large_ms"] > LIMIT_MS else ""
        print(f"{row['query']:82}{row['small_ms']:>9.2f}{row['large_ms']:>12.2f}{row['ratio']:>9.1f}{late}")
    print(f"{len(rows)} queries, {over} over {LIMIT_MS} ms")
    sys.exit(over != 0)


if __name__ == "__main__":
    main()
