#!/usr/bin/env python3
"""Every figure in one table: docs/bench.md, and the short form of it that README.md shows.

Usage: table.py           run all benchmarks, write both tables; what each measured is kept in build/bench/
       table.py --kept    the same, but do not run again what is kept there
       table.py --check   fail when README.md does not show what docs/bench.md says
       table.py --readme  write README.md's table anew from docs/bench.md

A figure stands beside that of a peer in the same run, or beside the limit that is the aim for it: the same
machine does both, so the ratio says more than either. Nothing is written when a benchmark fails.
"""
import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE, README = ROOT / "docs" / "bench.md", ROOT / "README.md"
KEPT = ROOT / "build" / "bench"
BEGIN, END = "<!-- ./dev bench writes from here -->\n", "<!-- to here -->\n"
HEAD = ("| figure | updraft | peer or limit | ratio |\n|---|---:|---:|---:|\n")


def row(figure, ours, unit, *, peer="", theirs=None, ratio=None, aim="", short=False):
    """A line of the table. The ratio is ours to the peer's; an aim says from which ratio or value on it is met."""
    return {"figure": figure, "ours": f"{number(ours)} {unit}".strip(), "ratio": "" if ratio is None else f"{ratio:.2f}",
            "peer": "; ".join(filter(None, [peer if theirs is None else f"{peer}: {number(theirs)} {unit}".strip(), aim])), "short": short}


def number(value):
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


# What a benchmark's JSON says, as rows. One function for each; a benchmark without one is an error.

# Those without a unit are of a ratio.
SERVER_AIMS = {"update checks": "aim 0.5", "downloads of": "aim 0.9", "downloads of 400 KB, nginx before us": "aim 1.0",
               "start to the first check": "aim 3 s", "memory with": "aim 1024 MiB"}


def server(result):
    for one in result["rows"]:
        if "gnutls_us" in one:
            yield row(one["figure"], one["updraft_us"], "µs", peer="GnuTLS alone", theirs=one["gnutls_us"],
                      ratio=one["updraft_us"] / one["gnutls_us"])
            continue
        aim = max((start for start in SERVER_AIMS if one["figure"].startswith(start)), key=len, default=None)
        versus = {"peer": "nginx", "theirs": one["nginx"], "ratio": one["ratio"]} if "nginx" in one else {}
        yield row(one["figure"], one["updraft"], one["unit"], **versus, aim=SERVER_AIMS[aim] if aim and (versus or " " in SERVER_AIMS[aim].removeprefix("aim ")) else "",
                  short=True)
        if "updraft_us" in one:
            yield row(f"processor time, each of {one['figure']}", one["updraft_us"], "µs", peer="nginx", theirs=one["nginx_us"],
                      ratio=one["updraft_us"] / one["nginx_us"])


def pages(result):
    devices, few = result["devices"], result["peer_devices"]
    slowest = max(result["rows"], key=lambda one: one["large_ms"])
    yield row(f"page queries over {result['limit_ms']} ms among {devices:,} devices", result["over"], f"of {result['asked']:,} asked", aim="aim 0", short=True)
    for one in result["rows"]:
        yield row(f"page query, {devices:,} devices: {one['query']}", one["large_ms"], "ms", peer=f"{few:,} devices",
                  theirs=one["small_ms"], ratio=one["ratio"], aim=f"aim {result['limit_ms']} ms", short=one is slowest)


def fleet(result):
    for one in result["rows"]:
        yield row(f"fleet store, {result['devices']:,} devices: {one['figure']}", one["large"], "",
                  peer=f"{result['peer_devices']:,} devices", theirs=one["small"], ratio=one["ratio"])


def device(result):
    for one in result["protocols"]:
        name = one["protocol"]
        yield row(f"a check by {name}", one["check_received"] + one["check_sent"],
                  f"bytes, {number(one['check_connections'])} connections")
        yield row(f"an update by {name}", one["update_received"] + one["update_sent"],
                  f"bytes, {number(one['update_connections'])} connections", peer="the image's bytes", ratio=one["update_to_image"],
                  short=True)
    whole = result["fleet"]
    yield row(f"{whole['devices']:,} virtual devices in one process", whole["memory_per_device"], "bytes each", short=True)
    yield row("their updates", whole["updates_per_second"], f"a second; of {whole['processors']} processors the server kept "
              f"{whole['server_busy']} at work", short=True)


def image(result):
    for one in result["times"]:
        yield row(f"`image verify`, {one['images']}", one["updraft_s"] * 1e3, "ms", peer="sha256sum", theirs=one["sha256sum_s"] * 1e3,
                  ratio=one["ratio"], aim="aim 1.5 or less", short=one["images"] == "all images")
    for one in result["modules"]:
        yield row(f"lx106: {one['module']}", one["text"] + one["constants"], f"bytes, stack {one['stack']}")


def boot(result):
    loaders = dict(result["loaders"])
    original = loaders.get("boot v1.7")
    for name, one in loaders.items():
        ratio = one["instructions"] / original["instructions"] if original and one is not original else None
        yield row(f"reset to application, {result['image_bytes']:,} bytes, {name}", one["instructions"], "instructions",
                  peer="boot v1.7" if ratio else "", theirs=original["instructions"] if ratio else None, ratio=ratio,
                  short=name == "updraft")


# Of the thousands of lists that the page can ask for, a part that is the same each time; `./dev bench pages` asks for all.
SHORTER = {"pages": ("--every", "7")}
BENCHMARKS = {"server": server, "pages": pages, "fleet": fleet, "device": device, "image": image, "boot": boot}


def run(name, kept):
    """The JSON object that a benchmark ends with."""
    file = KEPT / f"{name}.json"
    if kept and file.exists():
        return json.loads(file.read_text(encoding="utf-8"))
    print(f"bench: {name} ...", file=sys.stderr, flush=True)
    done = subprocess.run([sys.executable, ROOT / "bench" / f"{name}.py", "--json", *SHORTER.get(name, ())], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"bench/{name}.py failed; no table is written")
    text = done.stdout
    result = json.loads(text[0 if text.startswith("{") else text.index("\n{"):])
    KEPT.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(result), encoding="utf-8")
    return result


def machine():
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    model = next((line.split(":", 1)[1].strip() for line in info.splitlines() if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} processors ({model}), {memory:.0f} GiB, {platform.system()} {platform.release().split('-')[0]}"


def line(one):
    return f"| {one['figure']} | {one['ours']} | {one['peer']} | {one['ratio']} |\n"


def page(sections, where, day):
    """docs/bench.md. Rows in bold are those that README.md shows."""
    text = ("# Figures\n\nWritten by `./dev bench`, which takes some minutes; the machine had nothing else to do. Peers run beside updraft, by turns. A ratio is updraft's\n"
            f"figure to the peer's, against nginx the median of all turns.\n\nMachine: {where}. Date: {day}.\n")
    for name, rows in sections.items():
        text += f"\n## `./dev bench {name}`\n\n{HEAD}"
        text += "".join(line({**one, "figure": f"**{one['figure']}**"} if one["short"] else one) for one in rows)
    return text


def readme(text, figures):
    """README.md with the table of docs/bench.md's bold rows."""
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    place = next(one for one in figures.splitlines() if one.startswith("Machine: "))
    rows = "".join(f"{one.replace('**', '')}\n" for one in figures.splitlines() if one.startswith("| **"))
    return f"{text[:begin]}{HEAD}{rows}\n{place}\n{text[end:]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--readme", action="store_true")
    parser.add_argument("--kept", action="store_true")
    options = parser.parse_args()
    unknown = {path.stem for path in Path(ROOT, "bench").glob("*.py")} - set(BENCHMARKS) - {"table"}
    if unknown:
        sys.exit(f"table.py: nothing here says what the figures of {', '.join(sorted(unknown))} mean")
    if options.check or options.readme:
        figures = PAGE.read_text(encoding="utf-8")
    else:
        figures = page({name: list(rows(run(name, options.kept))) for name, rows in BENCHMARKS.items()}, machine(), datetime.date.today().isoformat())
    before = README.read_text(encoding="utf-8")
    after = readme(before, figures)
    if options.check:
        if after != before:
            sys.exit("README.md does not show what docs/bench.md says: python3 bench/table.py --readme writes it")
        return
    PAGE.write_text(figures, encoding="utf-8")
    README.write_text(after, encoding="utf-8")
    print(figures)


if __name__ == "__main__":
    main()
