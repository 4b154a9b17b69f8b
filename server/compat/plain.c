/*
 * Released files by plain GET, for esp_https_ota, native OTA examples and anything else that
 * fetches a URL.
 *
 *     GET, HEAD /<product>/<file>.bin      product: id, name or key; file: app, user1, user2, or a
 * released file's name
 *
 * With Range, If-Range, ETag and exact lengths. Such a device does not say who it is, unless its
 * URL does: ?serial=…, ?version=… The client takes any status from 400 on, and 304, for "no
 * update".
 */
#include <string.h>

#include "compat/compat.h"

static void fetch(struct http_exchange *x)
{
    struct device_facts facts = DEVICE_FACTS_INIT;
    struct fleet_answer *answer = http_alloc(x, sizeof *answer);

    facts.protocol = PROTOCOL_PLAIN;
    facts.product = http_path(x, "product");
    facts.wanted_file = http_printf(x, "%s.bin", http_path(x, "file"));
    facts.serial = http_query(x, "serial");
    facts.mac = http_query(x, "mac");
    facts.version = http_query_plus(x, "version");
    facts.address = http_peer(x)->address;
    compat_read_report(x, &facts);
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

const struct http_route plain_routes[] = {
    {HTTP_GET, "/{product}/{file}.bin", HTTP_DEVICE, HTTP_PLAIN | HTTP_BRIEF, 0, fetch, NULL, NULL},
};
const size_t plain_count = sizeof plain_routes / sizeof plain_routes[0];
