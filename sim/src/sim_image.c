#include <updraft/sim_image.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <updraft/bytes.h>
#include <updraft/image_build.h>
#include <updraft/sha256.h>
#include <updraft/sim_random.h>

enum { SECTOR = 4096 };

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "simulation: %s%s\n", what, why);
    exit(3);
}

static void *take(size_t size)
{
    void *memory = malloc(size);

    if (memory == NULL) {
        die("out of memory", "");
    }
    return memory;
}

/* Bytes that are written one after the other into a buffer that is large enough. */
struct pen {
    uint8_t *data;
    uint32_t at;
    uint8_t sum; /* of the segments */
};

static void put(struct pen *pen, const void *data, uint32_t size)
{
    memcpy(pen->data + pen->at, data, size);
    pen->at += size;
}

static void put8(struct pen *pen, uint32_t value)
{
    pen->data[pen->at++] = (uint8_t)value;
}

static void put32(struct pen *pen, uint32_t value)
{
    upd_put_le32(pen->data + pen->at, value);
    pen->at += 4;
}

/* Every other run of 16 bytes is random; the others repeat, so that compression has work. */
static void fill(uint8_t *data, uint32_t size, uint64_t seed)
{
    struct sim_random random = {seed};

    for (uint32_t i = 0; i < size; i++) {
        data[i] = (i & 16) != 0 ? (uint8_t)(i >> 5) : (uint8_t)sim_random_next(&random);
    }
}

static uint8_t *random_bytes(uint32_t size, uint64_t seed)
{
    uint8_t *data = take(size + 1);

    fill(data, size, seed);
    return data;
}

/* What the image says of itself, where its flash part begins: the version as sketches for OTAdrive
 * have it, and what it does. */
static void put_label(uint8_t *data, uint32_t size, const struct sim_recipe *recipe)
{
    char label[SIM_LABEL_SIZE];

    if (recipe->name == NULL) {
        return;
    }
    const int length =
        snprintf(label, sizeof label, SIM_LABEL_FORMAT, recipe->name, sim_plan_name(recipe->plan));
    if (length < 0 || (size_t)length >= sizeof label || (uint32_t)length > size) {
        die("no room for the label of version ", recipe->name);
    }
    memcpy(data, label, (size_t)length);
}

const char *sim_plan_name(enum sim_plan plan)
{
    static const char *const names[] = {
#define X(NAME, name, text) name,
        SIM_PLANS(X)
#undef X
    };

    return (uint32_t)plan < SIM_PLAN_COUNT ? names[plan] : "unknown";
}

bool sim_plan_find(const char *name, enum sim_plan *plan)
{
    for (uint32_t i = 0; i < SIM_PLAN_COUNT; i++) {
        if (strcmp(name, sim_plan_name((enum sim_plan)i)) == 0) {
            *plan = (enum sim_plan)i;
            return true;
        }
    }
    return false;
}

static void put_segment(struct pen *pen, uint32_t address, const void *data, uint32_t size)
{
    put32(pen, address);
    put32(pen, size);
    for (uint32_t i = 0; i < size; i++) {
        pen->sum ^= ((const uint8_t *)data)[i];
    }
    put(pen, data, size);
}

static void put_sum(struct pen *pen, uint32_t base)
{
    while ((pen->at - base) % 16 != 15) {
        put8(pen, 0);
    }
    put8(pen, pen->sum);
}

static void put_sha256(struct pen *pen)
{
    struct upd_sha256 sha256;
    uint8_t digest[UPD_SHA256_SIZE];

    upd_sha256_init(&sha256);
    upd_sha256_update(&sha256, pen->data, pen->at);
    upd_sha256_final(&sha256, digest);
    put(pen, digest, sizeof digest);
}

static struct sim_image finish(const struct pen *pen)
{
    return (struct sim_image){pen->data, pen->at};
}

/* --- NONOS SDK -------------------------------------------------------------------------------- */

static enum upd_err collect(void *ctx, const void *data, uint32_t size)
{
    put(ctx, data, size);
    return UPD_OK;
}

struct sim_image sim_image_nonos(const struct sim_recipe *recipe)
{
    enum { TEXT = 64, DATA = 16, OVERHEAD = 16 + 8 + 3 * 8 + TEXT + 2 * DATA + 16 + 4 };
    uint32_t irom = recipe->size > OVERHEAD + 16 ? (recipe->size - OVERHEAD) & ~15u : 16;
    uint8_t *bytes = random_bytes(irom + TEXT + 2 * DATA, recipe->seed);
    put_label(bytes + TEXT + 2 * DATA, irom, recipe);
    struct upd_image_recipe build = {
        .boot = UPD_IMAGE_BOOT_NEW,
        .entry = 0x40100004,
        .text = {0x40100000, TEXT, bytes},
        .data = {0x3FFE8000, DATA, bytes + TEXT},
        .rodata = {0x3FFE8010, DATA, bytes + TEXT + DATA},
        .irom = {0, irom, bytes + TEXT + 2 * DATA},
        .slot = recipe->slot,
        .flash_map = recipe->map,
    };
    struct pen pen = {take(recipe->size + 4096), 0, 0xEF};

    if (upd_image_build(&build, collect, &pen, NULL) != UPD_OK) {
        die("no NONOS image: ", upd_image_recipe_fault_text(upd_image_recipe_check(&build)));
    }
    free(bytes);
    return finish(&pen);
}

/* --- ESP-IDF, RTOS SDK ------------------------------------------------------------------------ */

enum { DESCRIPTOR = 256 };

/* The application descriptor, which begins the first segment. */
static void put_descriptor(uint8_t *data, uint32_t size, const struct sim_recipe *recipe,
                           uint32_t secure_version)
{
    memset(data, 0, DESCRIPTOR);
    upd_put_le32(data, 0xABCD5432);
    upd_put_le32(data + 4, secure_version);
    snprintf((char *)data + 16, 32, "%s", recipe->name != NULL ? recipe->name : "1.2.3");
    snprintf((char *)data + 48, 32, "%s", recipe->name != NULL ? "simulation" : "powercut");
    put_label(data + DESCRIPTOR, size - DESCRIPTOR, recipe);
    data[178] = 99; /* highest revision of the eFuse block */
    data[180] = 16; /* 64 KiB pages */
}

struct sim_image sim_image_idf(const struct sim_recipe *recipe)
{
    enum { TEXT = 16, OVERHEAD = 24 + 2 * 8 + TEXT + 16 + 32 };
    uint32_t room = recipe->size > OVERHEAD + DESCRIPTOR ? recipe->size - OVERHEAD : DESCRIPTOR;
    uint32_t size = room & ~15u;
    uint8_t *bytes = random_bytes(size + TEXT, recipe->seed);
    struct pen pen = {take(recipe->size + 4096), 0, 0xEF};
    static const uint8_t header[16] = {0xEE, 0, 0, 0, 0, 0, 0, 0, 0, 0x8F, 0x01, 0, 0, 0, 0, 1};

    put_descriptor(bytes, size, recipe, recipe->version);
    put8(&pen, 0xE9);
    put8(&pen, 2);
    put8(&pen, 2);
    put8(&pen, 0x20);
    put32(&pen, 0x40080000);
    put(&pen, header, sizeof header);
    put_segment(&pen, 0x3F400020, bytes, size);
    put_segment(&pen, 0x40080000, bytes + size, TEXT);
    put_sum(&pen, 0);
    put_sha256(&pen);
    free(bytes);
    return finish(&pen);
}

struct sim_image sim_image_rtos(const struct sim_recipe *recipe)
{
    enum { TEXT = 16, OVERHEAD = 8 + 2 * 8 + TEXT + 16 + 32 };
    uint32_t room = recipe->size > OVERHEAD + DESCRIPTOR ? recipe->size - OVERHEAD : DESCRIPTOR;
    uint32_t size = room & ~15u;
    uint32_t link = 0x40200000 + recipe->offset % 0x100000 + 16;
    uint8_t *bytes = random_bytes(size + TEXT, recipe->seed);
    struct pen pen = {take(recipe->size + 4096), 0, 0xEF};

    put_descriptor(bytes, size, recipe, 0);
    put8(&pen, 0xE9);
    put8(&pen, 2);
    put8(&pen, 3);
    put8(&pen, 0x20);
    put32(&pen, link + 4);
    put_segment(&pen, link, bytes, size);
    put_segment(&pen, 0x40100000, bytes + size, TEXT);
    put_sum(&pen, 0);
    put_sha256(&pen);
    free(bytes);
    return finish(&pen);
}

/* --- Arduino ---------------------------------------------------------------------------------- */

static uint32_t mpeg2(const uint8_t *data, uint32_t size)
{
    uint32_t crc = 0xFFFFFFFF;

    for (uint32_t i = 0; i < size; i++) {
        crc ^= (uint32_t)data[i] << 24;
        for (int bit = 0; bit < 8; bit++) {
            crc = crc << 1 ^ ((crc >> 31) != 0 ? 0x04C11DB7u : 0);
        }
    }
    return crc;
}

/* The loader of the file is eboot's size: it leaves the last 16 bytes of its sector alone. */
struct sim_image sim_image_arduino(const struct sim_recipe *recipe)
{
    enum { LOADER = 16, OVERHEAD = SECTOR + 8 + 2 * 8 + 16 + 16, HOLE = 8 };
    uint32_t room = recipe->size > OVERHEAD + 64 ? recipe->size - OVERHEAD : 64;
    uint32_t size = room & ~3u;
    uint8_t *bytes = random_bytes(size + 2 * LOADER, recipe->seed);
    struct pen pen = {take(recipe->size + 2 * SECTOR), 0, 0xEF};

    put8(&pen, 0xE9);
    put8(&pen, 2);
    put8(&pen, 2);
    put8(&pen, 0); /* for chips of 512 KiB and more */
    put32(&pen, 0x4010F000);
    put_segment(&pen, 0x4010F000, "eboot's text\0\0\0", LOADER);
    put_segment(&pen, 0x3FFF20B8, "eboot's rodata\0", LOADER);
    put_sum(&pen, 0);
    memset(pen.data + pen.at, 0xAA, SECTOR - pen.at);
    pen.at = SECTOR;
    pen.sum = 0xEF;
    put8(&pen, 0xE9);
    put8(&pen, 2);
    put8(&pen, 2);
    put8(&pen, 0);
    put32(&pen, 0x40100008);
    put_label(bytes + HOLE, size - HOLE, recipe);
    memset(bytes, 0, HOLE); /* length and CRC of the file, which are summed up as zeros */
    put_segment(&pen, 0x40201010, bytes, size);
    put_segment(&pen, 0x40100000, bytes + size, LOADER);
    put_sum(&pen, SECTOR);
    uint32_t crc = mpeg2(pen.data, pen.at);
    upd_put_le32(pen.data + SECTOR + 16, pen.at);
    upd_put_le32(pen.data + SECTOR + 20, crc);
    free(bytes);
    return finish(&pen);
}

/* --- gzip ------------------------------------------------------------------------------------- */

struct sim_image sim_image_gzip(const struct sim_image *file)
{
    z_stream stream = {0};
    uint32_t room = file->size + file->size / 8 + 1024;
    struct sim_image gzip = {take(room), 0};

    if (deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK) {
        die("zlib does not begin", "");
    }
    stream.next_in = file->data;
    stream.avail_in = file->size;
    stream.next_out = gzip.data;
    stream.avail_out = room;
    if (deflate(&stream, Z_FINISH) != Z_STREAM_END) {
        die("zlib does not end", "");
    }
    gzip.size = room - stream.avail_out;
    (void)deflateEnd(&stream);
    return gzip;
}
