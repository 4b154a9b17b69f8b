#!/usr/bin/env python3
"""Print what each function costs on lx106: its code, its stack, and the stack with whatever it calls.

Usage: sizes.py BUILD FOLDER...   The libraries of each folder, as the lx106 preset built them in
BUILD: each object lies beside the compiler's call graph (.ci). A frame of no fixed size, a large
frame, recursion, a variable outside functions and any use of malloc fail: where the stack is 4 KiB and
shared with the vendor's code, they are crashes that somebody meets in the field.

Then what a device links for its updates: a scheme, the writer, and the image checker for its own kind
of image, without MD5. More than is stated below fails.
"""
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CC = "xtensa-lx106-elf-gcc"
SIZE, NM = "xtensa-lx106-elf-size", "xtensa-lx106-elf-nm"
FRAME_LIMIT = 512
# An image checker has 488 bytes of state. Who checks an image in flash without a writer has one on the stack.
FRAME_LIMITS = {"upd_flash_verify": 608}
# The libraries of a folder, beside the one of its own name.
LIBRARIES = {"device": ["nonos", "idf", "exchange", "port_nonos"], "firmware": ["clock", "clock_chip"]}
# Bytes of variables, at most: what the vendors' functions, which have no context, keep between two calls; and the machine.
VARIABLES = {"device/vendor/nonos/upgrade.c": 4, "device/vendor/nonos/user_esp_platform.c": 4,
             "device/vendor/idf/esp_partition.c": 4, "device/vendor/idf/esp_https_ota.c": 4,
             "firmware/esp8266/main.c": 6400}
HEAP = {"malloc", "calloc", "realloc", "free", "alloca", "os_malloc", "os_zalloc", "os_free", "pvPortMalloc", "vPortFree"}

NODE = re.compile(r'^node: \{ title: "([^"]+)" label: "[^"]*?(\d+) bytes \(([^)]+)\)')
EDGE = re.compile(r'^edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"')
INDIRECT = "__indirect_call"


# What is linked, compiled as docs/porting.md says for a small device, of the ESP32 family for one chip. Scheme, kind of image, its boot loader where the scheme has
# several, and the bytes that it may have; in a build without -flto, and with it, which lets the compiler see all at once.
LINKED = [
    ("nonos", "NONOS", "", 15150, 13100),
    ("nonos", "NONOS", "CRC32", 14150, 12288),
    ("otadata", "ESP32", "IDF", 13050, 11900),
    ("otadata", "ESP32", "IDF_ROLLBACK", 13350, 12288),
    ("otadata", "RTOS", "RTOS", 12800, 11650),
    ("eboot", "ARDUINO", "", 12450, 11000),
]
# What is compiled for each of them anew.
CHOSEN = ["image.c", "otadata.c", "scheme_otadata.c", "writer.c"]
# What it knows beside the kind of image: its boot loader, or no digest but the image's own CRC-32.
CHOICES = {"": [], "CRC32": ["-DUPD_WRITER_WITH_SHA256=0"],
           **{loader: [f"-DUPD_OTADATA_FOR=UPD_OTADATA_FOR_{loader}"] for loader in ("IDF", "IDF_ROLLBACK", "RTOS")}}
OPTIMISE = ["-Os", "-flto", "-fno-tree-pre", "-fno-move-loop-invariants", "-fno-code-hoisting", "-fno-cse-follow-jumps", "-mno-target-align"]
DEVICE_FLAGS = ["-std=c11", *OPTIMISE, "-ffreestanding", "-mlongcalls", "-mtext-section-literals", "-ffunction-sections",
                "-fdata-sections", "-DUPD_WRITER_WITH_MD5=0", "-DUPD_OTADATA_WITH_SDK_STYLES=0", f"-I{ROOT}/core/include", f"-I{ROOT}/device/include"]
# What a device's update code shall come to. docs/update-engine.md tells what each row is.
AIM = 12288
# Sources of each part; the rest is the scheme, and the decisions that it shares with boot loaders.
PARTS = {
    "writer": ["writer", "device", "flash_ops", "frame", "journal", "flash_verify"],
    "checker": ["image", "chip"],
    "digests": ["sha256", "crc32", "crc32_small"],
}
# In a link map: the bytes of an input section, and the source that it comes from.
PLACED = re.compile(r"^ \.(?:text|literal|rodata)\S*\s+0x\w+\s+(0x\w+)\s+\S*?(\w+)\.o$", re.MULTILINE)
GZIP = ["upd_gunzip_begin", "upd_gunzip_write", "upd_gunzip_end"]
CALLS = ["upd_device_view", "upd_device_start", "upd_device_confirm", "upd_device_roll_back",
         "upd_device_acknowledge", "upd_writer_begin", "upd_writer_resume", "upd_writer_write", "upd_writer_end",
         "upd_writer_activate", "upd_writer_abort"]


# Agents: name, scheme, kind of image, what is named beside the agent's own functions, and the bytes that it may have with -flto.
AGENT_CALLS = ["upd_agent_init", "upd_agent_poll", "upd_agent_check", "upd_agent_allow", "upd_agent_decline",
               "upd_agent_percent", "upd_agent_due_in_s", "upd_device_start"]
AGENTS = [
    ("the smallest: plain files", "nonos", "NONOS", ["upd_protocol_plain"], 26600),
    ("Arduino's protocol, over eboot", "eboot", "ARDUINO", ["upd_protocol_arduino"], 24900),
    ("all protocols, link, gzip, button", "nonos", "NONOS",
     ["upd_protocol_plain", "upd_protocol_arduino", "upd_protocol_otadrive", "upd_protocol_espressif", "upd_link_init",
      "upd_link_orders", "upd_inflate_gzip", "upd_agent_button", "upd_agent_state_text", "upd_trouble_text",
      "upd_agent_event_name", "upd_fall_text"], 39000),
]


class Module:
    """One object: its code and constants in bytes, its functions, and what is wrong with it."""

    def __init__(self, source, path):
        self.name = source
        self.text = self.constants = self.data = 0
        self.code, self.frame, self.calls, self.problems = {}, {}, {}, []
        self.read_sections(path)
        self.read_graph(path.with_suffix(".ci"))
        undefined = run(NM, "--undefined-only", "--format=posix", path).split()
        self.problems += [f"uses {name}()" for name in sorted(HEAP.intersection(undefined))]
        if self.data > VARIABLES.get(source, 0):
            self.problems.append(f"{self.data} bytes of variables outside functions")

    def read_sections(self, path):
        for line in run(SIZE, "-A", path).splitlines():
            section, size = (line.split() + ["", ""])[:2]
            if section.startswith((".text", ".literal")):
                self.text += int(size)
                self.code[section.removeprefix(".text.")] = int(size)
            elif section.startswith(".rodata"):
                self.constants += int(size)
            elif section.startswith((".data", ".bss")):
                self.data += int(size)

    def read_graph(self, path):
        for line in path.read_text(encoding="utf-8").splitlines():
            if node := NODE.match(line):
                title, frame, kind = node[1], int(node[2]), node[3]
                self.frame[title] = frame
                if kind != "static":
                    self.problems.append(f"{short(title)}(): its frame has no fixed size ({kind})")
                limit = FRAME_LIMITS.get(short(title), FRAME_LIMIT)
                if frame > limit:
                    self.problems.append(f"{short(title)}(): {frame} bytes of stack; the limit is {limit}")
            elif edge := EDGE.match(line):
                self.calls.setdefault(edge[1], set()).add(edge[2])


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def short(title):
    """A static function's title is FILE:NAME."""
    return title.rsplit(":", 1)[-1]


class Stacks:
    """The deepest stack below each function. What is not ours (the ROM) counts as nothing."""

    def __init__(self, modules):
        self.frame = {title: size for module in modules for title, size in module.frame.items()}
        self.calls = {}
        for module in modules:
            for title, callees in module.calls.items():
                self.calls.setdefault(title, set()).update(callees)
        self.known, self.recursive = {}, set()

    def deepest(self, title, above=()):
        """Return (bytes, whether a call through a pointer comes on top)."""
        if title in above:
            self.recursive.add(title)
            return 0, False
        if title not in self.known:
            below = [self.deepest(callee, (*above, title)) for callee in self.calls.get(title, ())]
            self.known[title] = (self.frame.get(title, 0) + max((size for size, _ in below), default=0),
                                 title == INDIRECT or any(pointer for _, pointer in below))
        return self.known[title]


def measure(build, folders):
    """Return the modules of the folders' libraries, and their Stacks."""
    modules = []
    for folder in folders:
        for library in [folder, *LIBRARIES.get(folder, [])]:
            objects = Path(build, folder, "CMakeFiles", f"updraft_{library}.dir")
            for path in sorted(objects.rglob("*.obj")):
                source = path.relative_to(objects).as_posix().removesuffix(".obj")
                modules.append(Module(f"{folder}/{source}", path))
    stacks = Stacks(modules)
    for module in modules:
        for title in module.frame:
            stacks.deepest(title)
        module.problems += [f"{short(title)}() calls itself" for title in module.frame if title in stacks.recursive]
    return modules, stacks


def report(modules, stacks):
    """Yield the lines of the table: a line for a module, then one for each of its functions."""
    yield f"{'lx106, bytes':44} {'text':>6} {'const':>6} {'data':>6} {'stack':>6} {'deepest':>8}"
    for module in modules:
        deepest = max((stacks.deepest(title) for title in module.frame), default=(0, False))
        yield (f"{module.name:44} {module.text:6} {module.constants:6} {module.data:6} {'':6} "
               f"{deepest[0]:7}{'+' if deepest[1] else ' '}")
        for title, frame in module.frame.items():
            size, pointer = stacks.deepest(title)
            code = module.code.get(short(title), 0)
            yield f"    {short(title):40} {code:6} {'':6} {'':6} {frame:6} {size:7}{'+' if pointer else ' '}"
    totals = [sum(getattr(module, field) for module in modules) for field in ("text", "constants", "data")]
    yield f"{'total':44} {totals[0]:6} {totals[1]:6} {totals[2]:6}"
    yield "deepest: with all that it calls; +: and with what it calls through a pointer on top"


def compile_all(folder, sources, *flags):
    """Compile sources into the folder; return the objects."""
    folder.mkdir(parents=True, exist_ok=True)
    objects = [folder / f"{source.stem}.o" for source in sources]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda pair: run(CC, *DEVICE_FLAGS, *flags, "-c", *pair), ((source, "-o", made) for source, made in zip(sources, objects))))
    return objects


def link(program, objects, flags, *names):
    """Link what the functions of these names need; return its bytes of code and constants, and the bytes of each part."""
    roots = [f"-Wl,--undefined={name}" for name in names]
    run(CC, *OPTIMISE, *flags, "-nostdlib", "-Wl,--gc-sections", f"-Wl,--entry={names[0]}", *roots, f"-Wl,-Map={program}.map",
        "-Wl,--unresolved-symbols=ignore-all", *objects, "-lgcc", "-o", program)
    sections = [line.split() for line in run(SIZE, "-A", program).splitlines()]
    parts = dict.fromkeys([*PARTS, "scheme"], 0)
    placed = Path(f"{program}.map").read_text(encoding="utf-8").partition("Linker script and memory map")[2]
    for size, name in PLACED.findall(placed):
        parts[next((part for part, sources in PARTS.items() if name in sources), "scheme")] += int(size, 16)
    return sum(int(words[1]) for words in sections if words and words[0].startswith((".text", ".rodata"))), parts


def linked_sizes(folder, *flags):
    """Yield for each row of LINKED the bytes that it needs, those of its parts, and what gzip comes to."""
    sources = sorted([*ROOT.glob("core/src/*.c"), *ROOT.glob("device/src/*.c")])
    chosen = [source for source in sources if source.name in CHOSEN]
    objects = compile_all(folder, [source for source in sources if source not in chosen], *flags)
    for scheme, kind, loader, *_ in LINKED:
        choice = [f"-DUPD_IMAGE_WITH=UPD_IMAGE_WITH_{kind}", "-DUPD_IMAGE_FOR=UPD_CHIP_ESP32", *CHOICES[loader]]
        own = compile_all(folder / (kind + loader), chosen, *choice, *flags)
        names = [f"upd_{scheme}_open", *CALLS]
        program = folder / (scheme + kind + loader)
        size, parts = link(program, [*own, *objects], flags, *names)
        with_gzip, _ = link(program, [*own, *objects], flags, *names, *GZIP)
        yield size, parts, with_gzip - size


def linked(build):
    """Print what devices link, and return what is too large."""
    problems = []
    plain, whole = linked_sizes(Path(build, "linked"), "-fno-lto"), linked_sizes(Path(build, "linked-lto"))
    for (scheme, kind, loader, most, most_whole), (size, parts, _), (size_whole, _, gzip) in zip(LINKED, plain, whole):
        name = f"updates by {scheme}, images of kind {kind}" + (f", {loader}" if loader else "")
        print(f"linked: {name + ':':60} {size_whole:6} bytes; {size} without -flto; gzip {gzip} more")
        print(f"        {', '.join(f'{part} {count}' for part, count in parts.items())}, without -flto; {size_whole - AIM:+} from the aim")
        if size > most or size_whole > most_whole:
            problems.append(f"{name}: the limits are {most_whole} bytes, and {most} without -flto")
    return problems


def agents(build):
    """Print what devices link that update themselves, transport and flash port aside; return what is too large."""
    problems = []
    folder = Path(build, "linked-lto")
    for name, scheme, kind, more, most in AGENTS:
        own = [path.with_suffix(".o").name for path in map(Path, CHOSEN)]
        objects = [*(path for path in folder.glob("*.o") if path.name not in own), *(folder / kind / name for name in own)]
        program = folder / "agent.elf"
        roots = [f"-Wl,--undefined={root}" for root in (f"upd_{scheme}_open", *AGENT_CALLS, *more)]
        run(CC, *OPTIMISE, "-nostdlib", "-Wl,--gc-sections", "-Wl,--entry=upd_agent_poll", *roots,
            "-Wl,--unresolved-symbols=ignore-all", *objects, "-lgcc", "-o", program)
        sections = [line.split() for line in run(SIZE, "-A", program).splitlines()]
        size = sum(int(words[1]) for words in sections if words and words[0].startswith((".text", ".rodata")))
        print(f"agent:  {name + ', ' + scheme + ':':44} {size:6} bytes with -flto")
        if size > most:
            problems.append(f"agent, {name}: the limit is {most} bytes")
    return problems


def main():
    modules, stacks = measure(sys.argv[1], sys.argv[2:])
    print("\n".join(report(modules, stacks)))
    problems = [f"{module.name}: {problem}" for module in modules for problem in module.problems]
    problems += linked(sys.argv[1])
    problems += agents(sys.argv[1])
    print("\n".join([*problems, f"{len(modules)} modules, {len(problems)} problems"]))
    return 1 if problems or not any(module.frame for module in modules) else 0


if __name__ == "__main__":
    sys.exit(main())
