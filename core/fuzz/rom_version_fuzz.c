/* Any text, strictly and leniently: one value has one spelling, and every error has its place. */
#include <updraft/bytes.h>
#include <updraft/rom_version.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool truth)
{
    if (!truth) {
        __builtin_trap();
    }
}

/* A list of one version. */
static bool next_once(void *ctx, struct upd_rom_version *version)
{
    static const struct upd_rom_version only = {'v', 'o', {10, 20, 30}, 45772};
    bool *done = ctx;
    bool first = !*done;

    *done = true;
    *version = only;
    return first;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct upd_rom_version version, lenient;
    struct upd_rom_version_error error;
    char again[UPD_ROM_VERSION_BUFFER];
    bool done = false;
    struct upd_rom_version_list known = {next_once, &done};
    uint32_t repairs = 0;
    enum upd_err err = upd_rom_version_parse(text, (uint32_t)size, &version, &error);
    enum upd_err read = upd_rom_version_read(text, (uint32_t)size, &known, &lenient, &repairs);

    require((err == UPD_OK) == (error.problem == UPD_ROM_VERSION_NONE));
    require(error.offset <= size);
    if (err == UPD_OK) {
        require(upd_rom_version_format(&version, again) == size);
        require(memcmp(again, text, size) == 0);
        require(read == UPD_OK && repairs == 0);
        require(!upd_rom_version_newer(&version, &version));
        (void)upd_rom_version_warnings(&version);
    }
    if (read == UPD_OK) {
        require((repairs == 0) == (err == UPD_OK));
        require(upd_rom_version_format(&lenient, again) <= UPD_ROM_VERSION_MAX);
        require(upd_rom_version_parse(again, upd_rom_version_format(&lenient, again), &version,
                                      NULL) == UPD_OK);
    }
    return 0;
}
