/*
 * The server of the hostile cases: answers as a row of the table says, with images of the kind of
 * device that asks.
 */
#ifndef SIM_TEST_HOSTILE_SERVER_H
#define SIM_TEST_HOSTILE_SERVER_H

#include <ctype.h>

#include <zlib.h>

#include <updraft/bytes.h>
#include <updraft/md5.h>
#include <updraft/sha256.h>
#include <updraft/sim_device.h>

#include "hostile_cases.h"

/* --- Images ----------------------------------------------------------------------------------- */

enum { IMAGE_MAX = 0x8000, MORE = 20000 };

struct image {
    uint8_t bytes[IMAGE_MAX];
    uint32_t size;
};

static struct image old_image, new_image, other_image, chip_image, loader_image;
static struct image forged_image; /* as long as the new one, and as good; size 0: made by seal() */
static struct image place_image;  /* for a place where it would not lie; size 0: none */
static struct image sent_image;   /* compressed; size 0: the new one is sent as it is */
static uint8_t vector[1024];
static char new_md5[33];

static uint32_t load(const char *name, void *to, uint32_t size)
{
    char path[300];

    snprintf(path, sizeof path, "%s%s", UPD_IMAGES, name);
    const int32_t got = check_load(path, to, size);
    CHECK(got > 0);
    return got > 0 ? (uint32_t)got : 0;
}

/* An ESP32 image's checksum and digest, made anew. */
static void seal(struct image *image)
{
    uint8_t *bytes = image->bytes;
    uint32_t at = 24;
    uint8_t sum = 0xEF;
    struct upd_sha256 sha256;

    for (uint32_t i = 0; i < bytes[1]; i++) {
        uint32_t size = upd_get_le32(bytes + at + 4);
        for (at += 8; size > 0; size--, at++) {
            sum ^= bytes[at];
        }
    }
    memset(bytes + at, 0, 16);
    bytes[at | 15] = sum;
    at = (at | 15) + 1;
    upd_sha256_init(&sha256);
    upd_sha256_update(&sha256, bytes, at);
    upd_sha256_final(&sha256, bytes + at);
    image->size = at + UPD_SHA256_SIZE;
}

/* The vector, with a longer first segment of noise. */
static inline void make_image(struct image *image, uint32_t seed)
{
    const uint32_t vector_size = load("esp32.bin", vector, sizeof vector);
    const uint32_t segment = upd_get_le32(vector + 28);
    const uint32_t body = 32 + segment;
    uint32_t noise = seed;

    memcpy(image->bytes, vector, body);
    for (uint32_t i = 0; i < MORE; i++) {
        noise = noise * 1664525 + 1013904223;
        image->bytes[body + i] = (uint8_t)(noise >> 24);
    }
    memcpy(image->bytes + body + MORE, vector + body, vector_size - body);
    upd_put_le32(image->bytes + 28, segment + MORE);
    seal(image);
}

static void tell_md5(const struct image *image)
{
    uint8_t digest[16];
    struct upd_md5 md5;

    upd_md5_init(&md5);
    upd_md5_update(&md5, image->bytes, image->size);
    upd_md5_final(&md5, digest);
    for (uint32_t i = 0; i < sizeof digest; i++) {
        snprintf(new_md5 + 2 * i, 3, "%02x", digest[i]);
    }
}

static void load_foreign_images(void)
{
    chip_image.size = load("esp32c3.bin", chip_image.bytes, sizeof chip_image.bytes);
    loader_image.size = load("esp32-loader.bin", loader_image.bytes, sizeof loader_image.bytes);
}

/* Of an ESP32. */
static inline void make_images(void)
{
    make_image(&old_image, 1);
    make_image(&new_image, 2);
    make_image(&other_image, 3);
    load_foreign_images();
    tell_md5(&new_image);
}

static inline void take_image(struct image *image, struct sim_image from)
{
    CHECK(from.size <= sizeof image->bytes);
    memcpy(image->bytes, from.data, from.size);
    image->size = from.size;
    free(from.data);
}

/* Of another kind of device: what is installed goes to the last of its places. */
static inline void make_images_of(enum sim_kind kind)
{
    const uint32_t place = sim_kind_places(kind) - 1;

    take_image(&old_image, sim_kind_image(kind, 0, "1.0.0", SIM_PLAN_WORKS, 20000, 1));
    take_image(&new_image, sim_kind_image(kind, place, "1.0.1", SIM_PLAN_WORKS, 24000, 2));
    take_image(&other_image, sim_kind_image(kind, place, "1.0.1", SIM_PLAN_WORKS, 24000, 3));
    take_image(&forged_image, sim_kind_image(kind, place, "1.0.1", SIM_PLAN_WORKS, 24000, 4));
    take_image(&place_image, sim_kind_image(kind, 0, "1.0.1", SIM_PLAN_WORKS, 24000, 2));
    CHECK(other_image.size == new_image.size && forged_image.size == new_image.size);
    load_foreign_images();
    tell_md5(&new_image);
}

/* --- The server ------------------------------------------------------------------------------- */

static struct server {
    struct pki pki;
    struct peer peer;
    const struct hostile *hostile; /* NULL: an honest server, that breaks off in the middle */
    bool renames;                  /* the ETag is another one in each answer */
    bool keeps_turning;            /* whole content is always honest, parts never are */
    bool resumes; /* only requests for parts, and what follows the first one, are treated so */
    bool turned;  /* from here on the server is hostile */
    uint64_t content;
} server;

static void add_text(struct answer *answer, const char *text)
{
    const uint32_t size = (uint32_t)strlen(text);

    CHECK(answer->size + size <= ANSWER_MAX);
    memcpy(answer->bytes + answer->size, text, size);
    answer->size += size;
}

static void add_head(struct peer *peer, const char *template, uint32_t count)
{
    const uint32_t total = new_image.size;
    const struct ask *ask = &peer->ask;
    char text[200];

    for (; *template != '\0'; template ++) {
        if (*template != '%') {
            const char one[2] = {*template, '\0'};
            add_text(&peer->answer, one);
            continue;
        }
        text[0] = '\0';
        switch (*++template) {
        case 'S':
            if (ask->is_part) {
                snprintf(text, sizeof text,
                         "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %u-%u/%u\r\n",
                         ask->first, total - 1, total);
            } else {
                snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n");
            }
            break;
        case 'E':
            snprintf(text, sizeof text, "ETag: \"v%u\"\r\n",
                     server.renames ? peer->requests + 2 : 2);
            break;
        case 'M':
            snprintf(text, sizeof text, "x-MD5: %s\r\n", new_md5);
            break;
        case 'L':
            snprintf(text, sizeof text, "Content-Length: %u\r\n", count);
            break;
        case 'n':
            snprintf(text, sizeof text, "%u", count);
            break;
        case 'm':
            snprintf(text, sizeof text, "%u", count + 1);
            break;
        case 'T':
            snprintf(text, sizeof text, "%u", total);
            break;
        case 'F':
            snprintf(text, sizeof text, "%u", ask->first);
            break;
        case 'X': /* a text of 300 bytes, for the places where texts are kept */
            for (uint32_t i = 0; i < 6; i++) {
                add_text(&peer->answer, "12345678901234567890123456789012345678901234567890");
            }
            break;
        case 'D':
            for (uint32_t i = 0; i < 32; i++) {
                text[i] = (char)toupper(new_md5[i]);
            }
            text[32] = '\0';
            break;
        case 'd':
            snprintf(text, sizeof text, "%s", new_md5);
            break;
        case 'Z':
            snprintf(text, sizeof text, "%u", total - 1);
            break;
        case 'U':
            snprintf(text, sizeof text, "http%s://127.0.0.1:%u", peer->tls ? "s" : "", peer->port);
            break;
        case 'u':
            snprintf(text, sizeof text, "//127.0.0.1:%u", peer->port);
            break;
        default:
            CHECK_THAT("a letter that templates know", false);
            break;
        }
        add_text(&peer->answer, text);
    }
}

/* --- Compressed content ----------------------------------------------------------------------- */

static uint32_t zip(const struct image *image, uint32_t more, uint32_t window_bits, uint8_t *to)
{
    static uint8_t nothing[4096];
    z_stream stream = {0};
    const int level = window_bits == 0 ? 0 : 9;

    CHECK(deflateInit2(&stream, level, Z_DEFLATED, window_bits == 0 ? 31 : 16 + (int)window_bits, 9,
                       Z_DEFAULT_STRATEGY) == Z_OK);
    stream.next_out = to;
    stream.avail_out = ANSWER_MAX / 2;
    stream.next_in = (Bytef *)(uintptr_t)image->bytes;
    stream.avail_in = image->size;
    CHECK(deflate(&stream, Z_NO_FLUSH) == Z_OK);
    for (; more > 0; more -= (uint32_t)sizeof nothing) {
        stream.next_in = nothing;
        stream.avail_in = sizeof nothing;
        CHECK(deflate(&stream, Z_NO_FLUSH) == Z_OK);
    }
    CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    const uint32_t size = (uint32_t)stream.total_out;
    (void)deflateEnd(&stream);
    return size;
}

/* What is wrong with it, or with what is in it. */
static uint32_t zip_body(uint32_t how, uint8_t *to)
{
    static const struct image nothing;
    static struct image wrong;
    uint32_t size = 0;

    switch ((enum zip)how) {
    case ZIP_BOMB: /* 64 MB in 64 KB */
        return zip(&new_image, 1 << 26, 15, to);
    case ZIP_ZEROS:
        return zip(&nothing, 1 << 22, 15, to);
    case ZIP_CHIP:
        return zip(&chip_image, 0, 15, to);
    case ZIP_NOTHING:
        return zip(&nothing, 0, 15, to);
    case ZIP_SHORT:
        wrong = new_image;
        wrong.size -= 16;
        return zip(&wrong, 0, 15, to);
    case ZIP_FLIPPED:
        wrong = new_image;
        wrong.bytes[wrong.size / 2] ^= 4;
        return zip(&wrong, 0, 15, to);
    case ZIP_STORED:
        return zip(&new_image, 0, 0, to);
    case ZIP_TWICE:
        size = zip(&new_image, 0, 15, to);
        return size + zip(&new_image, 0, 15, to + size);
    case ZIP_IN_ZIP:
        wrong.size = zip(&new_image, 0, 15, wrong.bytes);
        return zip(&wrong, 0, 15, to);
    default:
        break;
    }
    size = zip(&new_image, 0, 15, to);
    switch ((enum zip)how) {
    case ZIP_CRC:
        to[size - 8] ^= 1;
        break;
    case ZIP_SIZE:
        to[size - 4] ^= 1;
        break;
    case ZIP_HUGE_SIZE:
        to[size - 1] = 0xFF;
        break;
    case ZIP_MAGIC:
        to[1] ^= 1;
        break;
    case ZIP_METHOD:
        to[2] = 7;
        break;
    case ZIP_FLAGS:
        to[3] = 0xE0;
        break;
    case ZIP_NAME: /* which does not end */
        to[3] = 8;
        memset(to + 10, 'a', size - 10);
        break;
    case ZIP_DAMAGED:
        to[size / 2] ^= 0x10;
        break;
    case ZIP_TRAILING:
        memset(to + size, 'x', 100);
        return size + 100;
    case ZIP_ONE_MORE:
        to[size] = 0;
        return size + 1;
    case ZIP_HALF:
        return size / 2;
    case ZIP_NO_TRAILER:
        return size - 8;
    case ZIP_HALF_TRAILER:
        return size - 1;
    case ZIP_HEAD:
        return 10;
    case ZIP_BYTE:
        return 1;
    default:
        break;
    }
    return size;
}

/* @return bytes of it, from the first one that was asked for */
static uint32_t make_body(const struct hostile *row, uint32_t first, uint8_t *to)
{
    static struct image forged;
    const uint32_t left = new_image.size - first;
    uint32_t noise = 99;

    memcpy(to, new_image.bytes + first, left);
    switch (row->body) {
    case BODY_IMAGE:
        break;
    case BODY_WHOLE:
        memcpy(to, new_image.bytes, new_image.size);
        return new_image.size;
    case BODY_FLIPPED:
        to[left * row->arg / 1000] ^= 0x04;
        break;
    case BODY_FORGED:
        forged = forged_image;
        if (forged.size == 0) {
            forged = new_image;
            forged.bytes[first + left * row->arg / 1000] ^= 0x04;
            seal(&forged);
        }
        memcpy(to, forged.bytes + first, left);
        break;
    case BODY_OTHER:
        memcpy(to, other_image.bytes + first, left);
        break;
    case BODY_CHIP:
        memcpy(to, chip_image.bytes, chip_image.size);
        return chip_image.size;
    case BODY_LOADER:
        memcpy(to, loader_image.bytes, loader_image.size);
        return loader_image.size;
    case BODY_PAGE:
        for (uint32_t i = 0; i < left; i++) {
            to[i] = (uint8_t) "<html><body>Please log in</body></html>\n"[i % 40];
        }
        break;
    case BODY_ZEROS:
        memset(to, 0, left);
        break;
    case BODY_ONES:
        memset(to, 0xFF, left);
        break;
    case BODY_NOISE:
        for (uint32_t i = 0; i < left; i++) {
            noise = noise * 1664525 + 1013904223;
            to[i] = (uint8_t)(noise >> 24);
        }
        break;
    case BODY_MORE:
        memset(to + left, 0x5A, row->arg);
        return left + row->arg;
    case BODY_LESS:
        return left - row->arg;
    case BODY_TWICE:
        memcpy(to + left, new_image.bytes, new_image.size);
        return left + new_image.size;
    case BODY_SHIFTED:
        memmove(to, to + row->arg, left - row->arg);
        break;
    case BODY_PLACE:
        memcpy(to, place_image.bytes, place_image.size);
        return place_image.size;
    case BODY_ZIP:
        return zip_body(row->arg, to);
    case BODY_NONE:
        return 0;
    }
    return left;
}

/* Chunks, right or wrong in one way. */
static void add_chunks(struct answer *answer, enum wrap wrap, const uint8_t *body, uint32_t size)
{
    const uint32_t most = wrap == WRAP_ONES ? 1 : 4096;
    char line[40];

    for (uint32_t at = 0; at < size;) {
        const uint32_t count = size - at < most ? size - at : most;
        const uint32_t said = count + (wrap == WRAP_SHORTER) - (wrap == WRAP_LONGER);
        snprintf(line, sizeof line,
                 wrap == WRAP_NO_SIZE    ? "\r\n"
                 : wrap == WRAP_NEGATIVE ? "-%x\r\n"
                 : wrap == WRAP_HUGE     ? "ffffffff\r\n"
                 : wrap == WRAP_OVERFLOW ? "10000%x\r\n"
                 : wrap == WRAP_NO_HEX   ? "xyz\r\n"
                 : wrap == WRAP_NO_CR    ? "%x\n"
                                         : "%x\r\n",
                 said);
        add_text(answer, line);
        memcpy(answer->bytes + answer->size, body + at, count);
        answer->size += count;
        add_text(answer, "\r\n");
        at += count;
    }
    if (wrap != WRAP_NO_LAST && wrap != WRAP_TRAILERS) {
        add_text(answer, "0\r\n\r\n");
    }
}

/* What does not end: a beginning, and what is said again and again. */
static void add_endless(struct answer *answer, const char *begin, const char *again)
{
    add_text(answer, begin);
    answer->loop = answer->size;
    for (uint32_t i = 0; i < 500; i++) {
        add_text(answer, again);
    }
}

static void add_body(struct answer *answer, enum wrap wrap, const uint8_t *body, uint32_t size)
{
    switch (wrap) {
    case WRAP_NONE:
    case WRAP_ENDLESS_HEAD:
    case WRAP_ENDLESS_LINE:
    case WRAP_ENDLESS_100:
        memcpy(answer->bytes + answer->size, body, size);
        answer->size += size;
        break;
    case WRAP_ENDLESS:
        add_chunks(answer, WRAP_NO_LAST, body, size);
        add_endless(answer, "",
                    "40\r\naaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd\r\n");
        break;
    case WRAP_ENDLESS_ONES:
        add_chunks(answer, WRAP_NO_LAST, body, size);
        add_endless(answer, "", "1\r\na\r\n");
        break;
    case WRAP_EXTENSIONS:
        add_endless(answer, "10;a=", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb");
        break;
    case WRAP_TRAILERS:
        add_chunks(answer, wrap, body, size);
        add_endless(answer, "0\r\n", "X-Trailer: aaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n");
        break;
    case WRAP_ENDLESS_BODY:
        memcpy(answer->bytes + answer->size, body, size);
        answer->size += size;
        add_endless(answer, "", "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd");
        break;
    default:
        add_chunks(answer, wrap, body, size);
        break;
    }
}

/* Where the answer stops. */
static uint32_t find_place(const struct answer *answer, enum place place)
{
    const uint32_t head = answer->head;
    const char *text = (const char *)answer->bytes;
    const uint32_t line = (uint32_t)(strstr(text, "\r\n") - text) + 2;
    const uint32_t size = answer->size;
    const uint32_t left = size - head;

    switch (place) {
    case AT_THE_END:
        return size;
    case IN_STATUS:
        return 5;
    case AFTER_STATUS:
        return line;
    case IN_NAME:
        return line + 2;
    case IN_VALUE:
        return line + 8;
    case BEFORE_BLANK_LINE:
        return head - 2;
    case IN_BLANK_LINE:
        return head - 1;
    case AFTER_HEAD:
        return head;
    case AFTER_FIRST:
        return head + 1;
    case IN_PAGE:
        return head + 300;
    case AFTER_SECTOR:
        return left > 4096 ? head + 4096 : size - 1;
    case IN_MIDDLE:
        return head + left / 2;
    case BEFORE_LAST:
        return size - 1;
    case IN_CHUNK_SIZE:
        return head + 2;
    case IN_CHUNK_CRLF:
        return (uint32_t)(strstr(text + head, "\r\n") - text) + 1;
    case BEFORE_CHUNK_END: /* the first one has 4096 bytes, or the last one is the first */
        return left > 4110 ? head + 6 + 4096 : size - 7;
    case IN_CHUNK_END:
        return left > 4110 ? head + 6 + 4097 : size - 6;
    case BEFORE_LAST_CHUNK:
        return size - 5;
    case IN_LAST_CHUNK:
        return size - 2;
    case BEFORE_NOTHING:
        return 0;
    }
    return size;
}

static void set_pace(struct answer *answer, enum pace pace)
{
    static const struct {
        uint32_t burst, every_ms;
    } paces[] = {{0, 0}, {1, 5000}, {100, 5000}, {1, 100000}, {250, 1000}};

    answer->burst = paces[pace].burst;
    answer->every_ms = paces[pace].every_ms;
    answer->quick = pace == SLOW_BODY ? answer->head : pace == STALLS ? answer->head + 5000 : 0;
    answer->quick = answer->quick < answer->size ? answer->quick : answer->size;
}

/* An answer as it should be; and what the first half of a download that is cut is made of. */
static void reply_honestly(struct peer *peer, bool breaks_off)
{
    struct answer *answer = &peer->answer;
    const struct image *image = sent_image.size > 0 ? &sent_image : &new_image;
    const uint32_t left = image->size - peer->ask.first;

    add_head(peer, GOOD_HEAD, left);
    memcpy(answer->bytes + answer->size, image->bytes + peer->ask.first, left);
    answer->size += breaks_off ? left * 6 / 10 : left;
}

static void reply(void *ctx, struct peer *peer)
{
    static uint8_t body[ANSWER_MAX / 2];
    const struct hostile *row = server.hostile;
    struct answer *answer = &peer->answer;

    (void)ctx;
    if (row == NULL || (server.resumes && !peer->ask.is_part && !server.turned)) {
        server.turned = row != NULL && !server.keeps_turning;
        reply_honestly(peer, row == NULL);
        return;
    }
    const uint32_t size = make_body(row, peer->ask.first, body);
    add_head(peer, row->head != NULL ? row->head : GOOD_HEAD, size);
    answer->head = answer->size;
    if (row->wrap >= WRAP_ENDLESS_HEAD) {
        answer->size = 0;
        add_text(answer, row->wrap == WRAP_ENDLESS_100 ? "" : "HTTP/1.1 200 OK\r\n");
        add_endless(answer, row->wrap == WRAP_ENDLESS_LINE ? "X: " : "",
                    row->wrap == WRAP_ENDLESS_HEAD   ? "X-Field: aaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"
                    : row->wrap == WRAP_ENDLESS_LINE ? "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                                                     : "HTTP/1.1 100 Continue\r\n\r\n");
        answer->loop = answer->loop != 0 ? answer->loop : 25;
    } else {
        add_body(answer, row->wrap, body, size);
        answer->bytes[answer->size] = '\0';
        answer->size = find_place(answer, row->place);
    }
    set_pace(answer, row->pace);
    answer->end = row->end;
}

static void greet(void *ctx, struct peer *peer)
{
    const struct hostile *row = server.hostile;

    (void)ctx;
    if (row == NULL || (server.resumes && !server.turned)) {
        return;
    }
    peer->door = row->door;
    peer->kind = row->kind;
    peer->answer.damage = row->damage;
    peer->answer.cut = row->cut;
    if (row->door == DOOR_BABBLES) {
        add_text(&peer->answer, row->head);
    }
}

#endif
