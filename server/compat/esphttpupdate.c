/*
 * ESPhttpUpdate (ESP8266) and HTTPUpdate (ESP32) of the Arduino cores.
 *
 *     GET /update/<product key>        with the headers of those libraries: docs/guides/arduino.md
 *
 * 200 with the image; 304 when there is nothing to do, whatever the reason is: any other status
 * makes a stock sketch try again, up to a hundred times in a row. `mode: version` is answered with
 * headers alone.
 */
#include <string.h>

#include "compat/compat.h"

/* The version that the device would get, or runs: the client takes any status but 200 for an error.
 */
static void answer_version(struct http_exchange *x, const struct fleet_answer *answer)
{
    const char *version = answer->version[0] != '\0' ? answer->version : answer->device.version;

    if (version[0] == '\0') {
        http_answer_empty(x, 304);
        return;
    }
    http_answer_header(x, "x-version", version);
    if (answer->reason == REASON_OFFER) {
        http_answer_header(x, "x-MD5", answer->image.md5);
    }
    http_answer_empty(x, 200);
}

static void update(struct http_exchange *x)
{
    struct device_facts facts = DEVICE_FACTS_INIT;

    facts.protocol = PROTOCOL_ESPHTTPUPDATE;
    facts.product_key = http_path(x, "key");
    facts.version = http_query_plus(x, "version");
    facts.serial = http_query(x, "serial");
    compat_read_headers(x, &facts);
    compat_read_report(x, &facts);
    facts.only_asks = http_method(x) == HTTP_HEAD || facts.asked == ASKED_VERSION;
    facts.again = compat_range_start(x) > 0;
    if (facts.asked != ASKED_VERSION && fleet_check_quiet(compat_fleet(http_context(x)), &facts)) {
        http_answer_empty(x, 304);
        return;
    }
    struct fleet_answer *answer = http_alloc(x, sizeof *answer);
    if (!compat_check(x, &facts, answer)) {
        return;
    }
    if (facts.asked == ASKED_VERSION) {
        answer_version(x, answer);
    } else if (answer->reason == REASON_OFFER) {
        compat_send_image(x, answer);
    } else {
        http_answer_empty(x, 304);
    }
}

const struct http_route esphttpupdate_routes[] = {
    {HTTP_GET, "/update/{key}", HTTP_DEVICE, HTTP_PLAIN | HTTP_BRIEF, 0, update, NULL, NULL},
};
const size_t esphttpupdate_count = sizeof esphttpupdate_routes / sizeof esphttpupdate_routes[0];
