#!/usr/bin/env python3
"""Checking firmware images, beside sha256sum of the same files.

Both are one process over all images of the corpus, in turns; the best of the rounds counts, so that what
else the machine does drops out. Then the checker's share of a small chip, as lx106 code and stack.
"""
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("UPDRAFT_SHARED", ROOT.parent / "shared"))
ROUNDS = 7


def seconds(command):
    """CPU time of a command and of nothing else."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    images = [str(path) for path in sorted((SHARED / "corpus" / "img").glob("*.bin"))]
    if not images:
        sys.exit(f"bench image: no images in {SHARED}/corpus/img")
    with tempfile.TemporaryDirectory() as folder:
        program = str(Path(folder) / "image")
        library = ROOT / "build" / "release" / "core" / "libupdraft_core.a"
        source = ROOT / "bench" / "image.c"
        subprocess.run(["cc", "-O2", "-I", str(ROOT / "core" / "include"), str(source), str(library), "-o", program], check=True)
        check, digest = [], []
        for _ in range(ROUNDS):
            check.append(seconds([program, *images]))
            digest.append(seconds(["sha256sum", *images]))
    size = sum(Path(image).stat().st_size for image in images)
    print(f"image: {len(images)} images, {size / 1e6:.1f} MB")
    print(f"  check      {min(check) * 1e3:8.1f} ms")
    print(f"  sha256sum  {min(digest) * 1e3:8.1f} ms")
    print(f"  ratio      {min(check) / min(digest):8.2f}")
    sizes = ROOT / "build" / "lx106"
    if sizes.is_dir():
        table = subprocess.run([sys.executable, str(ROOT / "tests" / "sizes.py"), str(sizes), "core"], capture_output=True, text=True)
        for line in table.stdout.splitlines():
            if not line.startswith(" ") and "/image" in line:
                print("  lx106: " + line)


if __name__ == "__main__":
    main()
