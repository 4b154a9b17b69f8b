#!/usr/bin/env python3
"""Show that the proof notices mistakes: make each of the deliberate ones below, and watch it fail.

Usage: mutations.py [--short | NAME...]   All of them, the few that run with the other tests, or those.

A mistake is an exact edit of one file, made in a copy of the tree in build/mutations. It is built, and
the cheapest part of the proof that shall notice it has to fail. A mistake that is not noticed fails
here, and so does an edit that does not apply any more: then the code has changed, and so must the
table. Before all, each part of the proof has to be green without a mistake.
"""
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COPY = ROOT / "build" / "mutations" / "tree"
BUILD = ROOT / "build" / "mutations" / "build"
FOLDERS = ("CMakeLists.txt", "cmake", "core", "device", "sim", "firmware/examples", "tests/powercut")

PATIENCE = 300  # seconds for a command that takes some

# A part of the proof: a target, and the arguments of its program.
PROOFS = {
    "writer": ("sim/sim_writer_test",),
    "nonos": ("sim/sim_scheme_nonos_test",),
    "nonos search": ("sim/sim_nonos_search_test",),
    "otadata": ("sim/sim_scheme_otadata_test",),
    "eboot": ("sim/sim_scheme_eboot_test",),
    "eboot's decisions": ("core/core_eboot_boot_test",),
    "closure eboot": ("tests/powercut/closure", "closure", "eboot", "5", "1", "1"),
    "undecided eboot": ("tests/powercut/closure", "undecided", "eboot", "5", "1", "1", "300"),
    "closure nonos": ("tests/powercut/closure", "closure", "nonos", "5", "1", "1"),
    "cuts nonos": ("tests/powercut/powercut", "cuts", "nonos-map0"),
    "cuts nonos-v1.7": ("tests/powercut/powercut", "cuts", "nonos-v1.7-map0"),
}

Mistake = namedtuple("Mistake", "name proof file old new")

WRITER, FRAME, OPS = "device/src/writer.c", "device/src/frame.c", "device/src/flash_ops.c"
NONOS, OTADATA, EBOOT = (f"device/src/scheme_{name}.c" for name in ("nonos", "otadata", "eboot"))
NONOS_BOOT, NONOS_SELECT, EBOOT_BOOT, COPY_LOG = (f"core/src/{name}.c" for name in ("nonos_boot", "nonos_select", "eboot_boot", "copy_log"))

MISTAKES = [
    # --- The writer, the journal, the flash -----------------------------------------------------
    Mistake("what was programmed is not read back", "writer", OPS,
            "memcmp(found, wanted, now) != 0", "memcmp(found, wanted, 0) != 0"),
    Mistake("marks are not read back", "otadata", FRAME,
            "if (!read_mark(device, frame_offset(frame), mark)) {", "if (false) {"),
    Mistake("only the first sector is erased", "writer", WRITER,
            "first % UPD_JOURNAL_SIZE == 0", "first == 0"),
    Mistake("the flash is not verified at the end", "writer", WRITER,
            "is_protected(writer) ? verify(writer)", "is_protected(writer) ? UPD_OK"),
    Mistake("what no digest protects is taken", "writer", WRITER,
            "err = is_protected(writer) ? verify(writer) : UPD_E_AUTH;", "err = verify(writer);"),
    Mistake("activation before the flash was verified", "writer", WRITER,
            "writer->state != UPD_WRITER_VERIFIED", "writer->state == UPD_WRITER_IDLE"),
    Mistake("resuming does not look at the validator", "writer", WRITER,
            "memcmp(old->validator, head->validator, sizeof head->validator) == 0", "true"),
    Mistake("resuming believes the journal without the flash", "writer", WRITER,
            "progress != read_unit(writer, unit)", "progress == 0xFF"),
    Mistake("bytes that are kept are not compared", "writer", WRITER,
            "writer->written, data, size);", "writer->written, data, 0);"),
    Mistake("an update begins while the image is on trial", "writer", WRITER,
            "if (view.on_trial || view.pending) {", "if (view.pending) {"),
    Mistake("progress that does not read well stops the update", "writer", WRITER,
            "        upd_flash_tolerate(device); /* as", "        /* as"),
    Mistake("an update that was refused may be resumed", "writer", WRITER,
            "    upd_frame_mark(writer->device, UPD_MARK_CLOSED);\n    bool blind", "    bool blind"),
    Mistake("what was kept wrongly is the image's fault", "writer", WRITER,
            "blind ? UPD_E_CHANGED : err", "err"),
    Mistake("progress is lost by resuming", "writer", WRITER,
            "device->err == UPD_OK ? keep_progress(writer) : device->err", "device->err"),
    Mistake("an old frame of the journal is believed", "nonos", FRAME,
            "i > 0 && index == UPD_JOURNAL_FRAMES; i--", "i > 0; i--"),
    Mistake("a journal is erased before it is wiped", "nonos", FRAME,
            "frame > 0; frame--) {\n        wipe(", "frame > UPD_JOURNAL_FRAMES; frame--) {\n        wipe("),
    Mistake("a frame is taken without TAKEN", "cuts nonos", FRAME,
            "    upd_frame_mark(device, UPD_MARK_TAKEN);\n", ""),
    Mistake("a frame is free when its head is", "cuts nonos", FRAME,
            "at < 2 * UPD_JOURNAL_PAGE_SIZE", "at < UPD_JOURNAL_BODY_SIZE"),
    Mistake("what is wiped is not read back", "otadata", FRAME,
            "if (upd_journal_cover_is_valid(body) || upd_journal_head_slot(body) >= 0) {", "if (false) {"),
    # --- nonos ----------------------------------------------------------------------------------
    Mistake("nonos: the running slot is written", "cuts nonos", NONOS,
            "uint32_t target = device->running == 0 ? 1 : 0;", "uint32_t target = device->running == 0 ? 0 : 1;"),
    Mistake("nonos: the flag before the trial", "nonos search", NONOS_BOOT,
            "if (!has(state->sure, UPD_MARK_ARMED)) {",
            "if (!has(state->sure, UPD_MARK_ARMED) && to_select(state, (enum upd_slot)state->slot).what == UPD_NONOS_DONE) {"),
    Mistake("nonos: the flag before its copy", "nonos", NONOS,
            "err = write_copy(device, state, (enum upd_slot)step.which);",
            "err = write_flag(device, state, !current);\n        if (err == UPD_OK) {\n            err = write_copy(device, state, (enum upd_slot)step.which);\n        }"),
    Mistake("nonos: the flag's seal before its record", "cuts nonos", NONOS_SELECT,
            "    {SEALS_AT, FIRST_SEAL *SEAL, ZEROS},\n    {MAGIC_AT, HEAD - MAGIC_AT, RECORD + MAGIC_AT},\n    {0, MAGIC_AT, RECORD},\n    {SEALS_AT + FIRST_SEAL * SEAL, SEAL, NEW_SEAL},\n};\n\n/* Without",
            "    {SEALS_AT, FIRST_SEAL *SEAL, ZEROS},\n    {SEALS_AT + FIRST_SEAL * SEAL, SEAL, NEW_SEAL},\n    {MAGIC_AT, HEAD - MAGIC_AT, RECORD + MAGIC_AT},\n    {0, MAGIC_AT, RECORD},\n};\n\n/* Without"),
    Mistake("nonos: seals are carried over with the copy", "nonos", NONOS,
            "!is_of_seals(at) && !is_all(page", "!is_all(page"),
    Mistake("nonos: confirmed without a record", "nonos", NONOS,
            "err = carry_out(device, &state, confirm_running);", "err = UPD_OK;"),
    Mistake("nonos: a start is not counted", "nonos", NONOS,
            "return upd_frame_mark(device, (enum upd_journal_mark)(UPD_MARK_START_1 + starts));", "return UPD_OK;"),
    Mistake("nonos: the loader does not count", "nonos", NONOS_BOOT,
            "return trial && allowed && !counted ? step(UPD_NONOS_MARK, UPD_MARK_START_1 + count)\n                                            : step(UPD_NONOS_START, slot);",
            "return step(UPD_NONOS_START, slot);"),
    Mistake("nonos: what a cut left open is not settled", "cuts nonos-v1.7", NONOS,
            "        err = carry_out(device, &state, upd_nonos_settle);\n    }\n    if (err == UPD_OK && is_ours(device, &state) && !is_given_up",
            "        err = UPD_OK;\n    }\n    if (err == UPD_OK && is_ours(device, &state) && !is_given_up"),
    Mistake("nonos: the selection is not held before an update", "nonos", NONOS,
            "err = carry_out(device, &state, upd_nonos_hold);", "err = UPD_OK;"),
    Mistake("nonos: given up for an image that does not verify", "nonos", NONOS,
            "return upd_flash_verify(device, &target) == UPD_OK;", "return upd_flash_verify(device, &target) != UPD_E_IO;"),
    Mistake("nonos: a flag in doubt is believed", "nonos search", NONOS_BOOT,
            "upd_flag_trust(&state->area) == UPD_FLAG_DOUBT && state->tries < TRIES", "false"),
    Mistake("nonos: on a new chip no place for a seal is left", "closure nonos", NONOS_SELECT,
            "!area->copy[current].sealed && upd_flag_trust(area) == UPD_FLAG_NEW", "false"),
    # --- otadata --------------------------------------------------------------------------------
    Mistake("otadata: the running slot is written", "otadata", OTADATA,
            "    *area = device->slots[target];\n    if (size", "    *area = device->slots[device->running >= 0 ? device->running : target];\n    if (size"),
    Mistake("otadata: the slot is toggled instead of set", "otadata", OTADATA,
            "upd_otadata_plan_slot(&data, (int8_t)device->frame.head.slot,",
            "upd_otadata_plan_slot(&data, (int8_t)(device->running == 0),"),
    Mistake("otadata: the record before its journal", "otadata", OTADATA,
            "    upd_frame_mark(device, UPD_MARK_ARMED);\n    write_record(device, sector, last->record);\n",
            "    write_record(device, sector, last->record);\n    upd_frame_mark(device, UPD_MARK_ARMED);\n"),
    Mistake("otadata: a record's CRC before its state (O2)", "otadata", OTADATA,
            "    upd_flash_program(device, sector, record, UPD_OTADATA_CRC_OFFSET);\n    return upd_flash_program(device, sector + UPD_OTADATA_CRC_OFFSET,\n                             record + UPD_OTADATA_CRC_OFFSET, CRC_SIZE);",
            "    return upd_flash_program(device, sector, record, UPD_OTADATA_RECORD_SIZE);"),
    Mistake("otadata: nothing names what runs (O1)", "otadata", OTADATA,
            "    err = upd_otadata_plan_begin(&data, UPD_OTADATA_SAFE, target, &plan);\n    if (err == UPD_OK) {\n        err = carry_out(device, &data, &plan);\n    }\n",
            "    plan.count = 0;\n"),
    Mistake("otadata: a record over what an attempt left (O3)", "otadata", OTADATA,
            "    make_room(device);\n", ""),
    Mistake("otadata: a torn record is not written anew (O4)", "otadata", OTADATA,
            "if (!given_up && !upd_frame_has(&device->frame, UPD_MARK_SWITCHED)) {", "if (false) {"),
    Mistake("otadata: a journal is emptied under a good record (O5)", "otadata", OTADATA,
            "    forget_record(device, data, copy);\n    return upd_frame_clear(", "    (void)data;\n    return upd_frame_clear("),
    Mistake("otadata: a record that is forgotten is not read back", "otadata", OTADATA,
            "return upd_otadata_crc_is_good(record) ? upd_flash_trouble(device, sector) : device->err;", "return device->err;"),
    Mistake("otadata: a state that is not known is left so", "otadata", OTADATA,
            "mend_state(device, &data) : device->err", "device->err : device->err"),
    Mistake("otadata: a confirmed record may be a torn one", "otadata", OTADATA,
            "(state == UPD_OTADATA_VALID &&\n                upd_frame_is_covered(device, copy_sector(device, copy)))", "state == UPD_OTADATA_VALID"),
    Mistake("otadata: confirmed by a record that is not there", "otadata", OTADATA,
            "device->running < 0 || copy == UPD_OTADATA_NONE", "device->running < 2"),
    Mistake("otadata: a record that does not read well is no trial's", "otadata", OTADATA,
            "(!upd_otadata_crc_is_good(data->copy[copy]) ||\n             ", "("),
    Mistake("otadata: a record that reads as given up is no trial's", "otadata", OTADATA,
            " ||\n             upd_otadata_slot(data, (uint32_t)copy) == data->running)", ")"),
    Mistake("otadata: a start is not counted", "otadata", OTADATA,
            "return upd_frame_mark(device, starts[count]);", "return UPD_OK;"),
    Mistake("otadata: confirmed without a record", "otadata", OTADATA,
            "find_trial(device, &data) ? upd_frame_mark(device, UPD_MARK_CLOSED) : device->err", "device->err"),
    Mistake("otadata: the trial is looked for in one sector", "otadata", OTADATA,
            "    if (!is_open(&device->frame, device->running)) {\n        find_frame(device, staging);\n    }\n", ""),
    Mistake("otadata: the selection is not noted as whole", "otadata", OTADATA,
            "return upd_frame_mark(device, UPD_MARK_SWITCHED);", "return device->err;"),
    Mistake("otadata: back to an image that does not verify", "otadata", OTADATA,
            "area->size != 0 && upd_flash_verify(device, &target) == UPD_OK;", "area->size != 0;"),
    Mistake("otadata: what is given up keeps its record", "otadata", OTADATA,
            "        err = forget_record(device, data, own);\n", ""),
    Mistake("otadata: the fuse is not read", "otadata", OTADATA,
            "config_of(device)->fuse_read != NULL) {", "config_of(device)->fuse_read == NULL) {"),
    Mistake("otadata: the fuse is not burned", "otadata", OTADATA,
            "err == UPD_OK && WITH_FUSES && config->fuse_burn != NULL", "err != UPD_OK && WITH_FUSES && config->fuse_burn != NULL"),
    # --- eboot ----------------------------------------------------------------------------------
    Mistake("eboot: staged over what runs", "eboot", EBOOT,
            "source >= larger(running_end(device), room)", "source >= room"),
    Mistake("eboot: no backup is made", "eboot", EBOOT,
            "err = back_up(device, install->area.size, backup);", "err = UPD_OK;"),
    Mistake("eboot: armed before there is a note", "eboot", EBOOT,
            "        err = upd_frame_write_note(device, &note);\n    }\n    return err == UPD_OK ? upd_frame_mark(device, UPD_MARK_ARMED) : err;",
            "        err = upd_frame_mark(device, UPD_MARK_ARMED);\n    }\n    return err == UPD_OK ? upd_frame_write_note(device, &note) : err;"),
    Mistake("eboot: closed, and not proven", "eboot", EBOOT,
            "return err == UPD_OK ? upd_frame_mark(device, UPD_MARK_PROVEN) : err;", "return err;"),
    Mistake("eboot: confirmed without a record", "eboot", EBOOT,
            "return err == UPD_OK && now.on_trial ? close(device) : err;", "return err;"),
    Mistake("eboot: what a cut left open is not settled", "closure eboot", EBOOT,
            "        return close(device);\n    }\n    enum upd_journal_mark again", "        return err;\n    }\n    enum upd_journal_mark again"),
    Mistake("eboot: a note is believed without its loader", "eboot", EBOOT,
            "record.installs && record.counts && record.journal == journal", "record.installs && record.counts"),
    Mistake("eboot: taken back to what does not verify", "eboot", EBOOT,
            "!now.tried || !backup_verifies(device, &now.note)", "!now.tried"),
    Mistake("eboot: the loader installs what does not verify", "eboot's decisions", EBOOT_BOOT,
            "state->verdict[UPD_EBOOT_STAGED] == UPD_EBOOT_UNKNOWN", "state->verdict[UPD_EBOOT_STAGED] == UPD_EBOOT_GOOD"),
    Mistake("eboot: the loader does not verify what it installed", "eboot's decisions", EBOOT_BOOT,
            "if (again && state->verdict[UPD_EBOOT_INSTALLED] == UPD_EBOOT_GOOD) {", "if (again) {"),
    Mistake("eboot: a mark starts half a sketch", "eboot's decisions", EBOOT_BOOT,
            "(unfinished || !has(state->marks, UPD_MARK_CLOSED))", "!has(state->marks, UPD_MARK_CLOSED)"),
    Mistake("eboot: the loader installs by a mark that may be torn", "eboot", EBOOT_BOOT,
            "if (!has(state->sure, UPD_MARK_ARMED)) {", "if (false) {"),
    Mistake("eboot: the loader does not count", "eboot", EBOOT_BOOT,
            "if (!state->has_backup || upd_journal_starts(state->sure) != 0) {", "if (true) {"),
    Mistake("eboot: the loader restores what does not verify", "eboot's decisions", EBOOT_BOOT,
            "return state->verdict[UPD_EBOOT_BACKUP] == UPD_EBOOT_GOOD ? step(UPD_EBOOT_DO_RESTORE, again)", "return true ? step(UPD_EBOOT_DO_RESTORE, again)"),
    Mistake("eboot: the loader gives up by a mark that may be torn", "eboot's decisions", EBOOT_BOOT,
            "if ((state->sure & UPD_MARKS_GIVEN_UP) == 0) {", "if (false) {"),
    Mistake("eboot: a log is emptied from its end on", "undecided eboot", COPY_LOG,
            "(uint32_t)(sector->used - log->left--)", "--log->left"),
]
SHORT = ("what was programmed is not read back", "nonos: confirmed without a record",
         "otadata: what is given up keeps its record", "eboot: the loader does not verify what it installed")


def refresh(source, target):
    """Copy what differs, so that nothing is built twice, and nothing that is gone stays."""
    names = {path.relative_to(source) for path in source.rglob("*") if path.is_file()} if source.is_dir() else {Path()}
    for path in target.rglob("*") if target.is_dir() else ():
        if path.is_file() and path.relative_to(target) not in names:
            path.unlink()
    for name in names:
        content = (source / name).read_bytes()
        if not (target / name).is_file() or (target / name).read_bytes() != content:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes(content)


def run(*command):
    """Run a command; return whether it succeeded, and its output. What never ends is no proof of anything."""
    words = [str(word) for word in command]
    try:
        result = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                errors="replace", timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        sys.exit(f"mutations.py: {' '.join(words)} does not end: that mistake teaches nothing")
    return result.returncode == 0, result.stdout


def build(*targets):
    return run("cmake", "--build", BUILD, "-j", os.cpu_count() or 1, "--target", *(Path(target).name for target in targets))


def prepare():
    for folder in FOLDERS:
        refresh(ROOT / folder, COPY / folder)
    # What a mistake leaves without use is no error here.
    return run("cmake", "-G", "Ninja", "-S", COPY, "-B", BUILD, "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_C_FLAGS=-Wno-unused")


def first_complaint(output):
    """The line of a failed run that tells most."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("FAILED", "powercut:", "FAIL")) or ".c:" in line]
    return (telling or lines or ["(nothing was printed)"])[0][:150]


def prove(proof):
    target, *arguments = PROOFS[proof]
    return run(BUILD / target, *arguments)


def try_mistake(mistake):
    """Return what is wrong with the proof, or None; print the line."""
    path = COPY / mistake.file
    right = path.read_text(encoding="utf-8")
    if right.count(mistake.old) != 1:
        return f"the text to change is there {right.count(mistake.old)} times"
    try:
        path.write_text(right.replace(mistake.old, mistake.new), encoding="utf-8")
        good, output = build(PROOFS[mistake.proof][0])
        if not good:
            return "it does not build:\n" + output[-2000:]
        good, output = prove(mistake.proof)
        if good:
            return f"not noticed by: {mistake.proof}"
        print(f"passed {mistake.name}\n    {mistake.proof}: {first_complaint(output)}", flush=True)
    finally:
        path.write_text(right, encoding="utf-8")
    return None


def chosen(arguments):
    names = SHORT if arguments == ["--short"] else arguments
    unknown = [name for name in names if name not in {mistake.name for mistake in MISTAKES}]
    if unknown:
        sys.exit(f"mutations.py: no such mistake: {', '.join(unknown)}")
    return [mistake for mistake in MISTAKES if not names or mistake.name in names]


def main():
    mistakes = chosen(sys.argv[1:])
    if len({mistake.name for mistake in MISTAKES}) != len(MISTAKES):
        sys.exit("mutations.py: two mistakes have the same name")
    good, output = prepare()
    proofs = sorted({mistake.proof for mistake in mistakes})
    if good:
        good, output = build(*{PROOFS[proof][0] for proof in proofs})
    if not good:
        sys.exit(output[-4000:])
    failed = 0
    for proof in proofs:
        good, output = prove(proof)
        if not good:
            failed += 1
            print(f"FAILED {proof}, without any mistake\n    {first_complaint(output)}", flush=True)
    for mistake in mistakes:
        problem = try_mistake(mistake)
        if problem is not None:
            failed += 1
            print(f"FAILED {mistake.name}\n    {problem}", flush=True)
    count = len(mistakes) + len(proofs)
    print(f"{count - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
