/*
 * Goal: whatever a server says and wherever it stops, an update ends with the right word on the
 * display, and with a verified image in the other slot or the old one still selected. Method: a
 * server and a flash in memory, under updraft's real writer; the server misbehaves as each row
 * says.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "text.h"
#include "update.h"

enum { FLASH_SIZE = 1 << 20, SECTOR = 4096, USER1 = 0x1000, USER2 = 0x81000, PARAMETERS = 0xFC000 };

/* --- A flash --------------------------------------------------------------------------------- */

static uint8_t flash_bytes[FLASH_SIZE];
static bool flash_is_broken;

static enum upd_err flash_read(void *ctx, uint32_t offset, void *data, uint32_t size)
{
    (void)ctx;
    memcpy(data, flash_bytes + offset, size);
    return UPD_OK;
}

static enum upd_err flash_write(void *ctx, uint32_t offset, const void *data, uint32_t size)
{
    (void)ctx;
    for (uint32_t i = 0; i < size; i++) {
        flash_bytes[offset + i] &= ((const uint8_t *)data)[i];
    }
    return flash_is_broken ? UPD_E_IO : UPD_OK;
}

static enum upd_err flash_erase(void *ctx, uint32_t offset)
{
    (void)ctx;
    memset(flash_bytes + offset, 0xFF, SECTOR);
    return UPD_OK;
}

static const struct upd_flash flash = {flash_read, flash_write, flash_erase, NULL,
                                       FLASH_SIZE, SECTOR,      256,         4};

/* As after the first start from user1 by boot v1.7, on map 2. */
static void new_flash(void)
{
    static const uint8_t header[] = {0xE9, 3, 0, 0x20};
    static const uint8_t block[] = {0xFC, 0xE7};

    memset(flash_bytes, 0xFF, sizeof flash_bytes);
    memcpy(flash_bytes, header, sizeof header);
    memcpy(flash_bytes + PARAMETERS + SECTOR, block, sizeof block);
    flash_bytes[PARAMETERS + 3 * SECTOR] = 0;
    flash_is_broken = false;
}

/* --- An image -------------------------------------------------------------------------------- */

static uint8_t image[600000];
static uint32_t image_size;

static void append(const void *bytes, uint32_t size)
{
    memcpy(image + image_size, bytes, size);
    image_size += size;
}

static void append_word(uint32_t word)
{
    uint8_t bytes[4] = {(uint8_t)word, (uint8_t)(word >> 8), (uint8_t)(word >> 16),
                        (uint8_t)(word >> 24)};
    append(bytes, 4);
}

static uint32_t sdk_crc(const uint8_t *data, uint32_t size)
{
    uint32_t crc = 0xFFFFFFFF;

    for (uint32_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (0xEDB88320 & (0 - (crc & 1)));
        }
    }
    return (crc & 0x80000000) != 0 ? 0 - crc : crc;
}

/* An image of the SDK's kind for a slot of map 2, with so much code in flash. */
static void make_image(uint32_t slot, uint32_t irom_size)
{
    static const uint32_t addresses[] = {0x40100000, 0x3FFE8000, 0x3FFE8010};
    uint8_t sum = 0xEF;

    image_size = 0;
    append_word(0x000004EA | slot << 24);
    append_word(0x40100004);
    append_word(0);
    append_word(irom_size);
    for (uint32_t i = 0; i < irom_size; i++) {
        image[image_size++] = (uint8_t)(i * 7 + i / 256);
    }
    append_word(0x200003E9);
    append_word(0x40100004);
    for (uint32_t i = 0; i < 3; i++) {
        append_word(addresses[i]);
        append_word(16);
        for (uint32_t k = 0; k < 16; k++) {
            uint8_t byte = (uint8_t)(16 * i + k);
            sum ^= byte;
            append(&byte, 1);
        }
    }
    while (image_size % 16 != 15) {
        append("", 1);
    }
    append(&sum, 1);
    append_word(sdk_crc(image, image_size));
}

/* --- A server -------------------------------------------------------------------------------- */

static struct server {
    const char *release; /* what release.txt says */
    bool refuses;        /* connections */
    bool is_silent;      /* takes requests, and answers nothing */
    bool has_no_ranges;  /* sends all of a file, always */
    bool sends_another_part;
    bool shrinks;       /* its image, when it is asked for the second time */
    const char *status; /* instead of 200 OK */
    const char *fields; /* more lines of the head, or in place of the length */
    bool has_no_length;
    uint32_t hangs_up_at; /* offset in the image's file; 0: never */
    uint32_t piece;       /* bytes that come at once */

    bool open, closing;
    char path[UPDATE_PATH_SIZE];
    uint32_t requests, images_asked, from;
    uint32_t answer_size, answer_at;
    uint8_t answer[sizeof image + 1000];
} server;

static void new_server(const char *release)
{
    memset(&server, 0, sizeof server);
    server.release = release;
    server.piece = 1000;
}

static void net_open(void *ctx)
{
    (void)ctx;
    server.open = !server.refuses;
    server.closing = server.refuses;
    server.answer_size = server.answer_at = 0;
}

static enum net_state net_state(void *ctx)
{
    (void)ctx;
    bool all_received = server.answer_at == server.answer_size;
    return server.closing && all_received ? NET_ENDED : server.open ? NET_OPEN : NET_CLOSED;
}

static void answer_file(const uint8_t *data, uint32_t size, bool is_image)
{
    bool all = server.has_no_ranges || server.from == 0 || server.from >= size;
    uint32_t from = all ? 0 : server.from + server.sends_another_part;
    char *head = (char *)server.answer;
    int length = 0;

    if (server.status != NULL) {
        length = sprintf(head, "HTTP/1.0 %s\r\n", server.status);
    } else if (from > 0) {
        length = sprintf(head, "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %u-%u/%u\r\n",
                         from, size - 1, size);
    } else {
        length = sprintf(head, "HTTP/1.0 200 OK\r\nDate: Sat, 21 Nov 2026 02:57:35 GMT\r\n");
    }
    if (!server.has_no_length) {
        length += sprintf(head + length, "Content-Length: %u\r\n", size - from);
    }
    length +=
        sprintf(head + length, "%s\r\n", server.fields != NULL && is_image ? server.fields : "");
    uint32_t limit = is_image && server.hangs_up_at > 0 ? server.hangs_up_at : size;
    if (limit > from) {
        memcpy(server.answer + length, data + from, limit - from);
        length += (int)(limit - from);
    }
    server.answer_size = (uint32_t)length;
    server.closing = true;
}

static uint32_t net_send(void *ctx, const void *data, uint32_t size)
{
    char request[300];
    (void)ctx;

    CHECK(size < sizeof request);
    memcpy(request, data, size);
    request[size] = '\0';
    server.requests++;
    server.from = 0;
    CHECK(sscanf(request, "GET %79s HTTP/1.0", server.path) == 1);
    const char *range = strstr(request, "Range: bytes=");
    if (range != NULL) {
        server.from = (uint32_t)strtoul(range + 13, NULL, 10);
    }
    if (server.is_silent) {
        return size;
    }
    if (strcmp(server.path, "/release.txt") == 0) {
        answer_file((const uint8_t *)server.release, (uint32_t)strlen(server.release), false);
    } else {
        server.images_asked++;
        bool shrunk = server.shrinks && server.images_asked == 2;
        answer_file(image, image_size - (shrunk ? 16 : 0), true);
    }
    return size;
}

static uint32_t net_receive(void *ctx, void *data, uint32_t size)
{
    (void)ctx;
    uint32_t left = server.answer_size - server.answer_at;
    uint32_t got = left < size ? left : size;

    got = got < server.piece ? got : server.piece;
    memcpy(data, server.answer + server.answer_at, got);
    server.answer_at += got;
    return got;
}

static void net_close(void *ctx)
{
    (void)ctx;
    server.open = server.closing = false;
    server.answer_size = server.answer_at = 0;
}

static const struct net net = {net_open, net_state, net_send, net_receive, net_close, NULL};

/* --- A device -------------------------------------------------------------------------------- */

static struct update update;
static struct upd_device device;
static uint32_t now_ms;

/* What the clock would have seen. */
static struct seen {
    enum clock_event last;
    char version[CLOCK_VERSION_SIZE];
    char trouble[CLOCK_TROUBLE_SIZE];
    bool offered, received;
    uint32_t unix_s;
    uint8_t percent;
    bool percent_fell;
} seen;

static void power_on(const char *fallen)
{
    enum upd_start todo = UPD_START_RESTART;
    const struct upd_nonos_config nonos = {.running = USER1, .flash_map = 2};
    const struct update_config config = {.folder = "/",
                                         .version = "1.0.0",
                                         .flavour = "",
                                         .slot = 2,
                                         .fallen = fallen,
                                         .patience_ms = 15000};

    CHECK(upd_nonos_open(&device, &flash, &nonos) == UPD_OK);
    CHECK(upd_device_start(&device, &todo) == UPD_OK && todo == UPD_START_GO_ON);
    update_init(&update, &config, &net, &device);
}

/* Run an update until it has said its last word. */
static void run(enum update_goal goal)
{
    struct clock_inputs news = {.mode_pressed = false};

    memset(&seen, 0, sizeof seen);
    update_begin(&update, goal, now_ms);
    for (uint32_t steps = 0; steps < 100000; steps++) {
        bool busy = update_step(&update, now_ms, &news);
        now_ms += busy ? 0 : 10;
        seen.unix_s = news.unix_s != 0 ? news.unix_s : seen.unix_s;
        seen.percent_fell |= news.news == CLOCK_EVENT_NONE && news.percent < seen.percent;
        seen.percent = news.percent > seen.percent ? news.percent : seen.percent;
        if (news.news != CLOCK_EVENT_NONE) {
            seen.last = news.news;
        }
        seen.offered |= news.news == CLOCK_EVENT_OFFERED;
        seen.received |= news.news == CLOCK_EVENT_RECEIVED;
        if (news.news == CLOCK_EVENT_OFFERED) {
            text_copy(seen.version, sizeof seen.version, news.version);
        }
        text_copy(seen.trouble, sizeof seen.trouble, news.trouble);
        if (seen.last == CLOCK_EVENT_CURRENT || seen.last >= CLOCK_EVENT_READY ||
            (seen.last == CLOCK_EVENT_OFFERED && goal == UPDATE_PROBE)) {
            CHECK(!update_step(&update, now_ms, &news) && news.news == CLOCK_EVENT_NONE);
            CHECK(!server.open);
            return;
        }
    }
    CHECK_THAT("the update never ends", false);
}

static bool is_installed(void)
{
    struct upd_view view;

    return upd_device_view(&device, &view) == UPD_OK && view.pending && view.selected == 1 &&
           memcmp(flash_bytes + USER2, image, image_size) == 0;
}

static bool is_untouched(void)
{
    struct upd_view view;

    return upd_device_view(&device, &view) == UPD_OK && !view.pending && view.selected == 0;
}

/* --- Tests ----------------------------------------------------------------------------------- */

static void test_another_version_is_installed(void)
{
    static const uint32_t pieces[] = {1, 7, 256, 100000};

    make_image(2, 20000);
    for (uint32_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        new_flash();
        power_on("");
        new_server("1.0.1\n");
        server.piece = pieces[i];
        run(UPDATE_INSTALL);
        CHECK(seen.last == CLOCK_EVENT_READY && seen.offered && seen.received);
        CHECK(text_same(seen.version, "1.0.1"));
        CHECK(text_same(server.path, "/clock-1.0.1-user2.bin") && server.requests == 2);
        CHECK(seen.unix_s == 1795229855 && seen.percent == 100 && !seen.percent_fell);
        CHECK(is_installed());
    }
}

static void test_what_is_not_to_be_installed_is_not_asked_for(void)
{
    make_image(2, 20000);
    new_flash();
    power_on("1.0.1");

    new_server("1.0.0");
    run(UPDATE_INSTALL);
    CHECK(seen.last == CLOCK_EVENT_CURRENT && server.images_asked == 0);
    run(UPDATE_ANYWAY);
    CHECK(seen.last == CLOCK_EVENT_CURRENT && server.images_asked == 0);

    new_server("1.0.1\r\n");
    run(UPDATE_PROBE);
    CHECK(seen.last == CLOCK_EVENT_OFFERED && server.images_asked == 0);
    run(UPDATE_INSTALL);
    CHECK(seen.last == CLOCK_EVENT_REFUSED && text_same(seen.trouble, "1.0.1 failed"));
    CHECK(server.images_asked == 0 && is_untouched());
    run(UPDATE_ANYWAY);
    CHECK(seen.last == CLOCK_EVENT_READY && is_installed());

    new_flash();
    power_on("1.0.1");
    new_server("1.0.2");
    run(UPDATE_INSTALL);
    CHECK(seen.last == CLOCK_EVENT_READY && is_installed());
}

/* Method: the server hangs up after every so many bytes; what was written is not asked for again.
 */
static void test_what_breaks_off_goes_on_where_it_was(void)
{
    make_image(2, 50000);
    for (uint32_t cut = 1; cut < image_size; cut += 1777) {
        for (uint32_t way = 0; way < 4; way++) {
            bool power_cut = (way & 1) != 0;
            new_flash();
            power_on("");
            new_server("1.0.1\n");
            server.hangs_up_at = cut;
            run(UPDATE_INSTALL);
            CHECK(seen.last == CLOCK_EVENT_FAILED && text_same(seen.trouble, "Server hung up"));
            CHECK(is_untouched());
            if (power_cut) {
                power_on("");
            }
            new_server("1.0.1\n");
            server.has_no_ranges = (way & 2) != 0;
            run(UPDATE_INSTALL);
            CHECK(seen.last == CLOCK_EVENT_READY && is_installed());
            CHECK(server.from == cut / SECTOR * SECTOR);
        }
    }
}

static void test_all_that_is_missing_may_be_the_last_word(void)
{
    make_image(2, 20000);
    new_flash();
    power_on("");
    new_server("1.0.1\n");
    server.hangs_up_at = image_size - 1;
    run(UPDATE_INSTALL);
    CHECK(seen.last == CLOCK_EVENT_FAILED);

    /* Another image, of the same version and size: the parts do not go together. */
    make_image(2, 20000);
    for (uint32_t i = 0; i < 5; i++) {
        image[16 + i] ^= 0xFF;
    }
    image_size -= 4;
    append_word(sdk_crc(image, image_size));
    new_server("1.0.1\n");
    run(UPDATE_INSTALL);
    CHECK(seen.last == CLOCK_EVENT_FAILED && text_same(seen.trouble, "Download is broken"));
    CHECK(is_untouched());

    /* Nobody is to blame for that; from its first byte it is a good one. */
    new_server("1.0.1\n");
    run(UPDATE_INSTALL);
    CHECK(seen.last == CLOCK_EVENT_READY && is_installed() && server.from == 0);
}

static void test_another_size_begins_anew(void)
{
    make_image(2, 20000);
    new_flash();
    power_on("");
    new_server("1.0.1\n");
    server.hangs_up_at = 15000;
    run(UPDATE_INSTALL);
    make_image(2, 30000);
    new_server("1.0.1\n");
    run(UPDATE_INSTALL);
    CHECK(seen.last == CLOCK_EVENT_READY && is_installed() && server.from == 0);
}

static void test_what_servers_do_wrong(void)
{
    static const struct {
        const char *name;
        struct server as;
        enum clock_event last;
        const char *trouble;
    } rows[] = {
        {"not there", {.release = "1.0.1", .refuses = true}, CLOCK_EVENT_FAILED, "No connection"},
        {"silent", {.release = "1.0.1", .is_silent = true}, CLOCK_EVENT_FAILED, "No answer"},
        {"not found",
         {.release = "1.0.1", .status = "404 Not Found"},
         CLOCK_EVENT_FAILED,
         "Server says 404"},
        {"moved",
         {.release = "1.0.1", .status = "302 Found"},
         CLOCK_EVENT_FAILED,
         "Server says 302"},
        {"part of what was not asked for",
         {.release = "1.0.1", .status = "206 Partial Content"},
         CLOCK_EVENT_FAILED,
         "Server says 206"},
        {"no length",
         {.release = "1.0.1", .has_no_length = true},
         CLOCK_EVENT_FAILED,
         "Answer has no length"},
        {"chunked image",
         {.release = "1.0.1", .fields = "Transfer-Encoding: chunked\r\n"},
         CLOCK_EVENT_FAILED,
         "Answer not understood"},
        {"two lengths",
         {.release = "1.0.1", .fields = "Content-Length: 7\r\n"},
         CLOCK_EVENT_FAILED,
         "Answer not understood"},
        {"not HTTP",
         {.release = "1.0.1", .status = "nonsense"},
         CLOCK_EVENT_FAILED,
         "Answer not understood"},
        {"an empty release", {.release = ""}, CLOCK_EVENT_FAILED, "Release is no version"},
        {"a path as release", {.release = "../../x"}, CLOCK_EVENT_FAILED, "Release is no version"},
        {"a page as release",
         {.release = "<!DOCTYPE html>"},
         CLOCK_EVENT_FAILED,
         "Release is no version"},
        {"a release of 16 characters",
         {.release = "1234567890123456"},
         CLOCK_EVENT_FAILED,
         "Release is no version"},
        {"a release of 300 characters",
         {.release =
              "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
              "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
              "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
              "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
         CLOCK_EVENT_FAILED,
         "Release is too long"},
    };

    make_image(2, 20000);
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        new_flash();
        power_on("");
        server = rows[i].as;
        server.piece = 100;
        run(UPDATE_INSTALL);
        CHECK_THAT(rows[i].name, seen.last == rows[i].last);
        char trouble[CLOCK_TROUBLE_SIZE];
        text_copy(trouble, sizeof trouble, rows[i].trouble);
        CHECK_THAT(rows[i].name, text_same(seen.trouble, trouble));
        CHECK_THAT(rows[i].name, is_untouched());
    }
}

static void test_an_answer_to_a_resumed_download_must_fit(void)
{
    static const struct {
        const char *name;
        struct server as;
        const char *trouble;
    } rows[] = {
        {"another part", {.release = "1.0.1", .sends_another_part = true}, "Image has changed"},
        {"another size", {.release = "1.0.1", .shrinks = true}, "Image has changed"},
        {"another size, all of it",
         {.release = "1.0.1", .shrinks = true, .has_no_ranges = true},
         "Image has changed"},
        {"two ranges",
         {.release = "1.0.1", .fields = "Content-Range: bytes 0-1/2\r\n"},
         "Answer not understood"},
    };

    make_image(2, 20000);
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        new_flash();
        power_on("");
        new_server("1.0.1");
        server.hangs_up_at = 15000;
        run(UPDATE_INSTALL);
        server = rows[i].as;
        server.piece = 100;
        run(UPDATE_INSTALL);
        CHECK_THAT(rows[i].name, seen.last == CLOCK_EVENT_FAILED && is_untouched());
        CHECK_THAT(rows[i].name, strncmp(seen.trouble, rows[i].trouble, 20) == 0);
        new_server("1.0.1");
        run(UPDATE_INSTALL);
        CHECK_THAT(rows[i].name, seen.last == CLOCK_EVENT_READY && is_installed());
    }
}

static void test_images_that_must_not_start(void)
{
    static const struct {
        const char *name;
        uint32_t slot, irom_size, flip;
        const char *trouble;
    } rows[] = {
        {"for the other slot", 1, 20000, 0, "Image does not fit"},
        {"for another map", 2, 16, 16 + 16 + 3, "Image does not fit"},
        {"another byte of flash code", 2, 20000, 10000, "Image is damaged"},
        {"another magic", 2, 20000, 1, "Image is damaged"},
    };
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        make_image(rows[i].slot, rows[i].irom_size);
        if (rows[i].flip > 0) {
            image[rows[i].flip] ^= 0x60;
        }
        new_flash();
        power_on("");
        new_server("1.0.1");
        run(UPDATE_INSTALL);
        CHECK_THAT(rows[i].name, seen.last == CLOCK_EVENT_REFUSED);
        CHECK_THAT(rows[i].name, text_same(seen.trouble, rows[i].trouble));
        CHECK_THAT(rows[i].name, is_untouched());
    }
}

static void test_an_image_larger_than_the_slot_erases_nothing(void)
{
    make_image(2, 20000);
    image_size = sizeof image;
    new_flash();
    memset(flash_bytes + USER2, 0x55, SECTOR);
    power_on("");
    new_server("1.0.1");
    run(UPDATE_INSTALL);
    CHECK(seen.last == CLOCK_EVENT_REFUSED && text_same(seen.trouble, "Image is too large"));
    CHECK(flash_bytes[USER2] == 0x55 && is_untouched());
}

static void test_a_broken_flash_is_said(void)
{
    make_image(2, 20000);
    new_flash();
    power_on("");
    new_server("1.0.1");
    flash_is_broken = true;
    run(UPDATE_INSTALL);
    CHECK(seen.last == CLOCK_EVENT_REFUSED && text_same(seen.trouble, "Flash has failed"));
}

int main(void)
{
    CHECK_RUN(test_another_version_is_installed);
    CHECK_RUN(test_what_is_not_to_be_installed_is_not_asked_for);
    CHECK_RUN(test_what_breaks_off_goes_on_where_it_was);
    CHECK_RUN(test_all_that_is_missing_may_be_the_last_word);
    CHECK_RUN(test_another_size_begins_anew);
    CHECK_RUN(test_what_servers_do_wrong);
    CHECK_RUN(test_an_answer_to_a_resumed_download_must_fit);
    CHECK_RUN(test_images_that_must_not_start);
    CHECK_RUN(test_an_image_larger_than_the_slot_erases_nothing);
    CHECK_RUN(test_a_broken_flash_is_said);
    check_end();
}
