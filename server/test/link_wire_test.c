/*
 * Goal: bytes become lines and messages, and messages become bytes that stock firmware can read,
 * wherever they are cut.
 * Method: a conversation cut at every position and into single bytes gives the same lines; sizes
 * around every limit; a table of lies. The socket side is tests/test_link.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "link/message.h"
#include "link/wire.h"

static const char talk[] =
    "{\"path\": \"/v1/ping/\"}\n\n\r\n{\"nonce\": 5, \"path\": \"/v1/device/identify\"}\r\n"
    "{\"status\": 200, \"nonce\": 7}\n";

struct heard {
    char all[512];
    unsigned lines;
    unsigned stop_after;
};

static bool hear(void *ctx, const char *line, size_t size)
{
    struct heard *heard = ctx;

    strncat(heard->all, line, size);
    strcat(heard->all, "|");
    heard->lines++;
    return heard->stop_after == 0 || heard->lines % heard->stop_after != 0;
}

static const char expected[] =
    "{\"path\": \"/v1/ping/\"}|{\"nonce\": 5, \"path\": \"/v1/device/identify\"}|"
    "{\"status\": 200, \"nonce\": 7}|";

static void feed_all(struct wire_lines *lines, const char *bytes, size_t size, struct heard *heard)
{
    enum wire_result result = wire_feed(lines, bytes, size, hear, heard);

    while (result == WIRE_STOPPED) {
        result = wire_feed(lines, NULL, 0, hear, heard);
    }
    assert_int_equal(result, WIRE_OK);
}

static void test_cut_at_every_position_gives_the_same_lines(void **state)
{
    (void)state;
    for (size_t first = 0; first < sizeof talk; first++) {
        for (unsigned stop = 0; stop < 3; stop++) {
            struct wire_lines lines = {NULL, 0};
            struct heard heard = {.stop_after = stop};
            feed_all(&lines, talk, first, &heard);
            feed_all(&lines, talk + first, sizeof talk - 1 - first, &heard);
            assert_string_equal(heard.all, expected);
            assert_null(lines.held);
        }
    }
}

static void test_single_bytes_give_the_same_lines(void **state)
{
    struct wire_lines lines = {NULL, 0};
    struct heard heard = {.stop_after = 1};

    (void)state;
    for (size_t i = 0; i + 1 < sizeof talk; i++) {
        feed_all(&lines, talk + i, 1, &heard);
    }
    assert_string_equal(heard.all, expected);
    assert_null(lines.held);
}

static bool ignore(void *ctx, const char *line, size_t size)
{
    (void)line;
    *(size_t *)ctx = size;
    return true;
}

static void test_line_has_a_limit(void **state)
{
    char bytes[WIRE_LINE_MAX + 2];
    size_t got = 0;

    (void)state;
    memset(bytes, 'x', sizeof bytes);
    for (int whole = 0; whole < 2; whole++) {
        struct wire_lines lines = {NULL, 0};
        bytes[WIRE_LINE_MAX] = '\n';
        assert_int_equal(wire_feed(&lines, bytes, WIRE_LINE_MAX + 1, ignore, &got), WIRE_OK);
        assert_int_equal(got, WIRE_LINE_MAX);
        bytes[WIRE_LINE_MAX] = 'x';
        bytes[WIRE_LINE_MAX + 1] = whole ? '\n' : 'x';
        assert_int_equal(wire_feed(&lines, bytes, sizeof bytes, ignore, &got), WIRE_TOO_LONG);
        assert_null(lines.held);
    }
}

static void test_messages_are_written_for_the_stock_parser(void **state)
{
    char out[WIRE_MESSAGE_MAX];
    json_t *message =
        json_pack("{s:{s:s}, s:s}", "get", "action", "sys_upgrade", "name", "\xc3\xbc\n");
    const char text[] = "{\"nonce\": 2147483647, \"get\": {\"action\": \"sys_upgrade\"}, "
                        "\"name\": \"\\u00FC\\n\"}\n";

    (void)state;
    assert_int_equal(wire_write(message, 2147483647, out), sizeof text - 1);
    assert_memory_equal(out, text, sizeof text - 1);
    assert_int_equal(wire_write(message, 2147483648, out), 0);
    json_object_clear(message);
    assert_int_equal(wire_write(message, 1, out), 0);
    json_decref(message);
}

/* Every size of message up to beyond the limit: never a whole segment, never cut. */
static void test_no_message_fills_a_segment(void **state)
{
    char filler[1600];
    char out[WIRE_MESSAGE_MAX];
    size_t largest = 0;

    (void)state;
    memset(filler, 'y', sizeof filler);
    for (size_t size = 1300; size < sizeof filler; size++) {
        for (int64_t nonce = -1; nonce < 2; nonce++) {
            json_t *message = json_pack("{s:s%}", "x", filler, size);
            const size_t written = wire_write(message, nonce, out);
            assert_true(written < WIRE_SEGMENT);
            assert_true(written > 0 || size > 1400);
            assert_true(written == 0 || (out[written - 1] == '\n' && out[written - 2] == '}'));
            largest = written > largest ? written : largest;
            json_decref(message);
        }
    }
    assert_int_equal(largest, WIRE_MESSAGE_MAX);
}

static void test_versions_that_devices_keep(void **state)
{
    (void)state;
    assert_true(wire_version_arrives("v1.0.1t23701(a)"));
    assert_false(wire_version_arrives("v1.0.1t2355(a)"));
    assert_false(wire_version_arrives("v1.0.10t23701(a)"));
}

static const struct {
    const char *line;
    int topic; /* -1: a fault */
} rows[] = {
    {"{\"path\": \"/v1/device/activate/\", \"method\": \"POST\"}", LINK_ACTIVATE},
    {"{\"path\": \"/v1/device/activate\"}", LINK_ACTIVATE},
    {"{\"path\": \"/v1/device/identify/\", \"method\": \"POST\", \"router\": {}}", LINK_IDENTIFY},
    {"{\"path\": \"/v1/ping\", \"method\": \"GET\"}", LINK_PING},
    {"{\"path\": \"/v1/messages/\", \"method\": \"POST\"}", LINK_SAYING},
    {"{\"path\": \"/v1/messages/\", \"method\": \"GET\"}", LINK_UNKNOWN},
    {"{\"path\": \"/v1/messages/\"}", LINK_UNKNOWN},
    {"{\"path\": \"/v1/device/timers/\"}", LINK_TIMERS},
    {"{\"path\": \"/v1/datastreams/tem_hum/datapoint/\"}", LINK_DATAPOINT},
    {"{\"path\": \"/v1/datastreams/a/datapoints\"}", LINK_DATAPOINTS},
    {"{\"path\": \"/v1/datastreams//datapoint/\"}", LINK_UNKNOWN},
    {"{\"path\": \"/v1/datastreams/a/b/datapoint/\"}", LINK_UNKNOWN},
    {"{\"path\": \"/v1/ping//\"}", LINK_UNKNOWN},
    {"{\"path\": \"/v1/pingx\"}", LINK_UNKNOWN},
    {"{\"path\": \"\"}", LINK_UNKNOWN},
    {"{\"status\": 200, \"nonce\": 1, \"deliver_to_device\": true}", LINK_ANSWER},
    {"{\"status\": \"200\", \"nonce\": 1}", -1},
    {"{\"status\": 200}", -1},
    {"{}", -1},
    {"[]", -1},
    {"", -1},
    {"{\"path\": null}", -1},
    {"{\"path\": \"/v1/ping/\", \"body\": []}", -1},
    {"{\"path\": \"/v1/ping/\", \"nonce\": -1}", -1},
    {"{\"path\": \"/v1/ping/\", \"nonce\": 1e3}", -1},
    {"{\"path\": \"/v1/ping/\"} x", -1},
};

static void test_messages_find_their_topic(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct link_message message;
        struct link_fault fault;
        const bool good = link_message_read(rows[i].line, strlen(rows[i].line), &message, &fault);
        if (good != (rows[i].topic >= 0) || (good && (int)message.topic != rows[i].topic)) {
            fail_msg("%s", rows[i].line);
        }
        assert_int_equal(good, fault.why == NULL);
        link_message_free(&message);
    }
}

static void test_the_scheme_word_has_no_case(void **state)
{
    (void)state;
    assert_string_equal(link_key_of("token k"), "k");
    assert_string_equal(link_key_of("Token   k"), "k");
    assert_null(link_key_of("tokenk"));
    assert_null(link_key_of("Bearer k"));
    assert_null(link_key_of(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_at_every_position_gives_the_same_lines),
        cmocka_unit_test(test_single_bytes_give_the_same_lines),
        cmocka_unit_test(test_line_has_a_limit),
        cmocka_unit_test(test_messages_are_written_for_the_stock_parser),
        cmocka_unit_test(test_no_message_fills_a_segment),
        cmocka_unit_test(test_versions_that_devices_keep),
        cmocka_unit_test(test_messages_find_their_topic),
        cmocka_unit_test(test_the_scheme_word_has_no_case),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
