/*
 * Released files by plain GET, for esp_https_ota, native OTA examples and anything else that
 * fetches a URL.
 *
 *     GET, HEAD /<product>/<file>.bin      product: id, name or key; file: app, user1, user2, or a
 * released file's name
 *
 *     GET /<product>/release.txt           the version that the device shall run, in a line: that of
 *                                          the offer, else its own, else that of the current release
 *
 * With Range, If-Range, ETag and exact lengths. Such a device does not say who it is, unless its
 * URL does: ?serial=…, ?version=…, ?slot=user1 The client takes any status from 400 on, and 304, for "no
 * update".
 */
#include <string.h>

#include "compat/compat.h"

static void read_facts(struct http_exchange *x, struct device_facts *facts)
{
    facts->protocol = PROTOCOL_PLAIN;
    facts->product = http_path(x, "product");
    facts->serial = http_query(x, "serial");
    facts->mac = http_query(x, "mac");
    facts->version = http_query_plus(x, "version");
    facts->slot = http_query(x, "slot");
    facts->address = http_peer(x)->address;
    compat_read_report(x, facts);
}

static void fetch(struct http_exchange *x)
{
    struct device_facts facts = DEVICE_FACTS_INIT;
    struct fleet_answer *answer = http_alloc(x, sizeof *answer);

    read_facts(x, &facts);
    facts.wanted_file = http_join(x, http_path(x, "file"), ".bin", "");
    facts.only_asks = http_method(x) == HTTP_HEAD;
    facts.again = compat_range_start(x) > 0;
    if (!compat_check(x, &facts, answer)) {
        return;
    }
    if (answer->reason == REASON_OFFER) {
        compat_send_image(x, answer);
    } else if (answer->reason == REASON_NO_RELEASE || answer->reason == REASON_NO_IMAGE ||
               answer->reason == REASON_WITHDRAWN) {
        http_answer_not_found(x);
    } else {
        http_answer_empty(x, 304);
    }
}

/* For clients that compare versions by themselves. */
static void tell_version(struct http_exchange *x)
{
    struct device_facts facts = DEVICE_FACTS_INIT;
    struct fleet_answer *answer = http_alloc(x, sizeof *answer);

    read_facts(x, &facts);
    if (!compat_check(x, &facts, answer)) {
        return;
    }
    const bool is_known = answer->device.no != 0 && answer->device.version[0] != '\0';
    const char *version =
        answer->reason != REASON_OFFER && is_known ? answer->device.version : answer->version;
    if (version[0] == '\0') {
        http_answer_not_found(x);
    } else {
        http_answer_text(x, 200, "%s\n", version);
    }
}

const struct http_route plain_routes[] = {
    {HTTP_GET, "/{product}/release.txt", HTTP_DEVICE, HTTP_PLAIN, 0, tell_version, NULL, NULL},
    {HTTP_GET, "/{product}/{file}.bin", HTTP_DEVICE, HTTP_PLAIN | HTTP_BRIEF, 0, fetch, NULL, NULL},
};
const size_t plain_count = sizeof plain_routes / sizeof plain_routes[0];
