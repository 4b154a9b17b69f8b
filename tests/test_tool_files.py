"""Goal: whatever is wrong with a file, there is one clear line with its name, the right exit code, and nothing left.

Method: every reading command meets a folder, a missing, an empty, an oversized and a shrinking file; every writing
command meets a full disk, a size limit, a broken disk and an interrupt. What the file system shows only now and then is
made to happen by a small library that is loaded into the program (fixtures/faults.c).
"""
import json
import os
import resource
import shutil
import signal
import subprocess

import conftest
import pytest

# Command lines that read {file}, and their exit codes for an empty file and for one of 2 GiB. An image that is empty or
# larger than any chip can map does not verify (3); a table of nothing can be built, as by the original tool (0).
READERS = {
    "image info": (["image", "info", "{file}"], 3, 3),
    "image verify": (["image", "verify", "{file}"], 3, 3),
    "image split": (["image", "split", "{file}"], 3, 1),
    "image build": (["image", "build", "--slot", "user1", "{file}", "-o", "o.bin"], 1, 1),
    "image build flash-bin": (["image", "build", "--slot", "user1", "--flash-bin", "{file}", "--irom-bin", "user1.bin",
                               "-o", "o.bin"], 3, 1),
    "partition build": (["partition", "build", "{file}", "-o", "o.bin"], 0, 1),
    "partition show": (["partition", "show", "{file}"], 2, 1),
    "partition check": (["partition", "check", "{file}"], 2, 1),
    "flash build boot": (["flash", "build", "--map", "2", "--boot", "{file}", "--user1", "user1.bin", "-o", "o.bin"],
                         1, 1),
    "flash build user1": (["flash", "build", "--map", "2", "--boot", "boot.bin", "--user1", "{file}", "-o", "o.bin"],
                          1, 1),
    "flash build table": (["flash", "build", "--partition-table", "{file}", "--boot", "bootloader.bin", "-o", "o.bin"],
                          None, 1),
    "flash info": (["flash", "info", "{file}"], 1, 1),
    "flash extract": (["flash", "extract", "{file}"], 1, 1),
    "flash burn": (["flash", "burn", "--dry-run", "{file}"], 1, 1),
    "bootflag show": (["bootflag", "show", "{file}"], 1, 1),
    "bootflag set": (["bootflag", "set", "{file}", "user2"], 1, 1),
    "otadata show": (["otadata", "show", "{file}"], 1, 1),
    "otadata set": (["otadata", "set", "{file}", "ota_0"], 1, 1),
    "otadata erase": (["otadata", "erase", "{file}"], 1, 1),
    "rom-version check": (["rom-version", "check", "v1.0.2t45772(a)", "--existing-file", "{file}"], 0, 1),
}
# What a good file for each of them is, so that a fault is the only thing that is wrong.
GOOD = {"image build": "app1.elf", "image build flash-bin": "eagle.flash.bin", "partition build": "partitions.csv",
        "partition show": "partitions.bin", "partition check": "partitions.bin", "flash build boot": "boot.bin",
        "flash build table": "partitions.csv", "rom-version check": "names.txt"}

readers = pytest.mark.parametrize("name", READERS)


@pytest.fixture(scope="session")
def faults(tmp_path_factory):
    path = tmp_path_factory.mktemp("faults") / "faults.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-Wall", "-Werror", "-O1", conftest.ROOT / "tests" / "fixtures" /
                    "faults.c", "-o", path, "-ldl"], check=True)

    def environment(fault, **more):
        return {"LD_PRELOAD": str(path), "FAULT": fault, "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0",
                **more}
    return environment


def words_of(name, file):
    return [str(file) if word == "{file}" else word for word in READERS[name][0]]


def one_line(result, file):
    """A clear line: the only one, and it names the file."""
    assert result.err.count("\n") == 1 and str(file) in result.err, result.err
    assert "\n" not in result.err.strip()


def listing(folder):
    return sorted(p.name for p in folder.iterdir())


@readers
@pytest.mark.parametrize("json_", [False, True])
def test_a_folder_or_a_missing_file_is_one_clear_line(updraft, workbench, name, json_):
    takes_json = "--json" in updraft(*READERS[name][0][:2], "--help").out
    if json_ and not takes_json:
        return
    (workbench / "folder").mkdir()
    before = listing(workbench)
    for file, text in (("folder", "directory"), ("missing.bin", "No such file"), ("boot.bin/below", "Not a directory")):
        result = updraft(*words_of(name, file), *(["--json"] if json_ else []), cwd=workbench, code=1)
        one_line(result, file)
        assert text.lower() in result.err.lower()
        if json_:
            assert result.json["problem"]["reason"] in ("read", "write") and file in result.json["problem"]["text"]
        assert listing(workbench) == before


@readers
def test_an_empty_file_is_one_clear_line(updraft, workbench, name):
    (workbench / "empty.bin").touch()
    before = listing(workbench)
    code = READERS[name][1]
    if code is None:  # a table without partitions: the rest of the command decides
        return
    result = updraft(*words_of(name, "empty.bin"), cwd=workbench, code=code)
    if name != "rom-version check":  # no versions exist: nothing to say
        one_line(result, "empty.bin")
    if code != 0:
        assert listing(workbench) == before


@readers
def test_a_file_of_2_gib_is_refused_by_its_size(updraft, workbench, name):
    with open(workbench / "huge.bin", "wb") as file:
        file.truncate(2 << 30)
    before = listing(workbench)

    def limit():  # if it were read into memory, there would be none
        if "asan" not in str(updraft.path):
            resource.setrlimit(resource.RLIMIT_AS, (512 << 20, 512 << 20))

    result = updraft(*words_of(name, "huge.bin"), cwd=workbench, code=READERS[name][2], preexec_fn=limit)
    one_line(result, "huge.bin")
    assert "more than" in result.err or "too much" in result.err
    assert listing(workbench) == before


@readers
@pytest.mark.parametrize("fault", ["shrink", "grow"])
def test_a_file_that_changes_its_size_while_it_is_read_is_refused(updraft, workbench, faults, name, fault):
    (workbench / "names.txt").write_text("v1.0.0t45772(a)\n")
    file = workbench / ("changing" + os.path.splitext(GOOD.get(name, "x.bin"))[1])
    shutil.copy(workbench / GOOD.get(name, "flash.bin" if name.split()[0] in ("flash", "bootflag") else
                                     "esp32-flash.bin" if name.startswith("otadata") else "user1.bin"), file)
    before = listing(workbench)
    in_place = READERS[name][0][0] in ("bootflag", "otadata") or name in ("flash info", "flash extract", "flash burn")
    if in_place:  # these read parts of a file, by pread(), which the library leaves alone
        return
    result = updraft(*words_of(name, file.name), cwd=workbench, env=faults(fault, VICTIM=file.name), code=1)
    one_line(result, file.name)
    assert ("shrank" if fault == "shrink" else "grew") + " while it was read" in result.err
    assert listing(workbench) == before


def test_a_flash_image_that_shrinks_while_it_is_read_is_refused(updraft, tmp_path):
    """Kernel files state a size and hold less: reading them ends early, as reading a file that shrinks does."""
    candidates = [p for p in ("/sys/kernel/mm/transparent_hugepage/enabled", "/sys/class/net/lo/address",
                              "/sys/kernel/uevent_seqnum") if os.path.exists(p)]
    if not candidates:
        pytest.skip("no file here states a size and holds less")
    result = updraft("flash", "info", candidates[0], code=1)
    assert "shrank while it was read" in result.err and result.err.count("\n") == 1


def test_standard_input_is_read_like_a_file(updraft, workbench):
    data = (workbench / "user1.bin").read_bytes()
    from_file = updraft("image", "info", "--json", "user1.bin", cwd=workbench).json
    piped = updraft("image", "info", "--json", "-", input=data).json
    assert piped["file"].pop("path") == "standard input" and from_file["file"].pop("path") == "user1.bin"
    assert piped == from_file
    assert "standard input" in updraft("image", "verify", "-", input=b"", code=3).err
    big = updraft("image", "verify", "-", input=data.ljust((16 << 20) + 1, b"\xff"), code=3)
    assert big.err.count("\n") == 1


def test_a_file_that_cannot_be_read_is_one_clear_line(updraft):
    """The memory of a process begins with a page that is not there: reading it fails, whoever asks."""
    for words in (["image", "info"], ["image", "verify"], ["image", "split"], ["partition", "show"], ["flash", "info"]):
        result = updraft(*words, "/proc/self/mem", code=1)
        assert result.err == "updraft: /proc/self/mem: Input/output error\n" or \
            words[0] == "flash" and "/proc/self/mem" in result.err and result.err.count("\n") == 1


def test_an_endless_stream_is_given_up(updraft):
    for words in (["image", "info", "/dev/zero"], ["partition", "show", "/dev/zero"], ["image", "split", "/dev/zero"]):
        result = updraft(*words, code=None)
        assert result.code in (1, 3) and result.err.count("\n") == 1 and "/dev/zero" in result.err


# --- Output ----------------------------------------------------------------------------------------------------------

WRITERS = {
    "image build": ["image", "build", "--slot", "user1", "--map", "2", "app1.elf", "-o", "{file}"],
    "image build none": ["image", "build", "--boot", "none", "--map", "2", "app0.elf", "-o", "{file}", "--irom-output",
                         "irom.out"],
    "partition build": ["partition", "build", "partitions.csv", "-o", "{file}"],
    "flash build": ["flash", "build", "--map", "2", "--boot", "boot.bin", "--user1", "user1.bin", "-o", "{file}"],
    "flash build table": ["flash", "build", "--partition-table", "partitions.csv", "--boot", "bootloader.bin",
                          "--flash-size", "2M", "-o", "{file}"],
    "flash extract": ["flash", "extract", "--region", "user1", "--whole", "flash.bin", "-o", "{file}"],
}
writers = pytest.mark.parametrize("name", WRITERS)


def writer_words(name, file):
    return [str(file) if word == "{file}" else word for word in WRITERS[name]]


@writers
@pytest.mark.parametrize("existed", [False, True])
@pytest.mark.parametrize("fault, code, text", [
    ("full", 1, "No space left on device"), ("fsync", 1, "Input/output error"), ("interrupt", 130, None),
    ("terminate", -signal.SIGTERM, None)])
def test_nothing_is_left_of_a_write_that_fails(updraft, workbench, faults, name, existed, fault, code, text):
    if fault == "full" and name == "partition build":
        fault_words = faults("fsync")  # its one write is over before the disk is full
        text = "Input/output error"
    else:
        fault_words = faults(fault)
    if existed:
        (workbench / "out.bin").write_bytes(b"what was there before")
    before = listing(workbench)
    result = updraft(*writer_words(name, "out.bin"), cwd=workbench, env=fault_words, code=code)
    assert listing(workbench) == before
    if existed:
        assert (workbench / "out.bin").read_bytes() == b"what was there before"
    if text:
        assert result.err.count("\n") == 1 and text in result.err


@writers
def test_a_file_size_limit_is_one_clear_line(updraft, workbench, name):
    before = listing(workbench)

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))

    result = updraft(*writer_words(name, "out.bin"), cwd=workbench, code=1, preexec_fn=limit)
    assert "File too large" in result.err and result.err.count("\n") == 1 and listing(workbench) == before


@writers
def test_a_full_device_is_one_clear_line(updraft, workbench, name):
    result = updraft(*writer_words(name, "/dev/full"), cwd=workbench, code=1)
    assert result.err == "updraft: /dev/full: No space left on device\n"
    assert os.path.exists("/dev/full")


@writers
def test_a_small_disk_is_one_clear_line(updraft, workbench, name, tmp_path_factory):
    disk = tmp_path_factory.mktemp("disk")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", disk], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("mounting needs rights that are missing here")
    try:
        (disk / "fill").write_bytes(bytes(4096))
        result = updraft(*writer_words(name, disk / "out.bin"), cwd=workbench, code=1)
        assert "No space left on device" in result.err and result.err.count("\n") == 1
        assert listing(disk) == ["fill"]
    finally:
        subprocess.run(["umount", disk], check=True)


@writers
def test_a_place_that_cannot_be_written_is_one_clear_line(updraft, workbench, name):
    (workbench / "folder").mkdir()
    before = listing(workbench)
    for file in ("folder", "missing/out.bin", "boot.bin/out.bin"):
        result = updraft(*writer_words(name, file), cwd=workbench, code=1)
        one_line(result, file)
    assert listing(workbench) == before


def test_no_command_overwrites_what_it_reads(updraft, workbench):
    """By name, by another spelling of the name, by a link, by a hard link."""
    (workbench / "link.csv").symlink_to("partitions.csv")
    os.link(workbench / "partitions.csv", workbench / "hard.csv")
    text = (workbench / "partitions.csv").read_text()
    for out in ("partitions.csv", "./partitions.csv", "link.csv", "hard.csv"):
        result = updraft("partition", "build", "partitions.csv", "-o", out, cwd=workbench, code=2)
        assert "would overwrite the input" in result.err
        assert (workbench / "partitions.csv").read_text() == text
    updraft("flash", "build", "--map", "2", "--boot", "boot.bin", "--user1", "user1.bin", "-o", "user1.bin",
            cwd=workbench, code=2)
    updraft("image", "build", "--slot", "user1", "--map", "2", "app1.elf", "-o", "app1.elf", cwd=workbench, code=2)


def test_two_outputs_cannot_be_one_file(updraft, workbench):
    before = listing(workbench)
    for one, other in (("x.bin", "x.bin"), ("x.bin", "./x.bin"), ("../" + workbench.name + "/x.bin", "x.bin")):
        result = updraft("image", "build", "--boot", "none", "--map", "2", "app0.elf", "-o", one, "--irom-output", other,
                         cwd=workbench, code=2)
        assert "written twice" in result.err and listing(workbench) == before


def test_a_link_stays_a_link_and_rights_stay_as_they_were(updraft, workbench):
    target = workbench / "target.bin"
    target.write_bytes(b"old")
    target.chmod(0o640)
    (workbench / "link.bin").symlink_to("target.bin")
    updraft("partition", "build", "partitions.csv", "-o", "link.bin", cwd=workbench)
    assert (workbench / "link.bin").is_symlink() and target.stat().st_size == 0xC00
    assert target.stat().st_mode & 0o777 == 0o640
    updraft("partition", "build", "partitions.csv", "-o", "new.bin", cwd=workbench, umask=0o027)
    assert (workbench / "new.bin").stat().st_mode & 0o777 == 0o640


def test_bytes_go_to_standard_output_when_asked_for(updraft, workbench):
    updraft("partition", "build", "partitions.csv", "-o", "table.bin", cwd=workbench)
    table = (workbench / "table.bin").read_bytes()
    assert updraft("partition", "build", "partitions.csv", cwd=workbench).bytes == table
    assert updraft("partition", "build", "partitions.csv", "-o", "-", cwd=workbench).bytes == table
    with open("/dev/full", "wb") as full:
        result = updraft("partition", "build", "partitions.csv", cwd=workbench, stdout=full, code=1)
    assert result.err == "updraft: standard output: No space left on device\n"


def test_all_files_of_a_split_appear_or_none(updraft, workbench):
    """The last file cannot be made: those before it must not appear either."""
    parts = updraft("image", "split", "--json", "-d", "trial", "user1.bin", cwd=workbench).json["parts"]
    last = os.path.basename(parts[-1]["path"])
    (workbench / "parts" / last).mkdir(parents=True)
    updraft("image", "split", "-d", "parts", "user1.bin", cwd=workbench, code=1)
    assert listing(workbench / "parts") == [last]


def test_json_says_what_failed(updraft, workbench):
    result = updraft("flash", "info", "--json", "missing.bin", cwd=workbench, code=1)
    value = json.loads(result.bytes)
    assert value == {"schema": 1, "ok": False, "problem": {"reason": "read",
                     "text": "missing.bin: No such file or directory"}}
    name = b"not-utf8-\xff.bin"
    result = subprocess.run([updraft.path, "image", "info", "--json", name], cwd=workbench, capture_output=True)
    assert result.returncode == 1 and json.loads(result.stdout)["problem"]["reason"] == "read"
