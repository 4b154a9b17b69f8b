/*
 * OTAdrive's devices: sketches with its macro, its library, its component for ESP-IDF.
 *
 *     GET, HEAD /DeviceApi/update      ?k=<product key>&v=<version>&s=<serial>      also in pieces,
 * by Range GET, POST /DeviceApi/alive       likewise: says what runs
 *
 * The path is written in any case by those who use it, and the query has parameters without values
 * or none at all. 404 says that no firmware is assigned, 304 that there is nothing newer.
 */
#include <string.h>
#include <strings.h>

#include "compat/compat.h"

static void read_facts(struct http_exchange *x, struct device_facts *facts)
{
    facts->protocol = PROTOCOL_OTADRIVE;
    facts->product_key = http_query(x, "k");
    facts->serial = http_query(x, "s");
    facts->version = http_query_plus(x, "v"); /* not encoded by its clients */
    compat_read_headers(x, facts);
    compat_read_report(x, facts);
}

static void update(struct http_exchange *x)
{
    struct device_facts facts = DEVICE_FACTS_INIT;
    struct fleet_answer *answer = http_alloc(x, sizeof *answer);

    read_facts(x, &facts);
    facts.only_asks = http_method(x) == HTTP_HEAD;
    facts.again = compat_range_start(x) > 0;
    if (!compat_check(x, &facts, answer)) {
        return;
    }
    if (answer->reason == REASON_OFFER) {
        compat_send_image(x, answer);
    } else {
        http_answer_empty(
            x,
            answer->reason == REASON_NO_RELEASE || answer->reason == REASON_NO_IMAGE ? 404 : 304);
    }
}

static void alive(struct http_exchange *x)
{
    struct device_facts facts = DEVICE_FACTS_INIT;
    struct fleet_answer *answer = http_alloc(x, sizeof *answer);

    read_facts(x, &facts);
    facts.only_asks = true;
    if (compat_check(x, &facts, answer)) {
        http_answer_text(x, 200, "OK");
    }
}

static const struct {
    const char *name;
    bool post; /* also by POST */
    void (*handle)(struct http_exchange *x);
} calls[] = {
    {"update", false, update},
    {"alive", true, alive},
};

static void call(struct http_exchange *x)
{
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        if (strcasecmp(http_path(x, "call"), calls[i].name) == 0) {
            if (http_method(x) == HTTP_POST && !calls[i].post) {
                http_answer_header(x, "Allow", "GET, HEAD");
                http_answer_empty(x, 405);
            } else {
                calls[i].handle(x);
            }
            return;
        }
    }
    http_answer_not_found(x);
}

#define ROWS(base)                                                                                 \
    {HTTP_GET, base "/{call}", HTTP_DEVICE, HTTP_PLAIN | HTTP_BRIEF, 0, call, NULL, NULL},         \
    {                                                                                              \
        HTTP_POST, base "/{call}", HTTP_DEVICE, HTTP_PLAIN | HTTP_BRIEF, 4096, call, NULL, NULL    \
    }
const struct http_route otadrive_routes[] = {
    ROWS("/DeviceApi"), ROWS("/deviceapi"), ROWS("/DeviceAPI"),
    ROWS("/deviceApi"), ROWS("/DEVICEAPI"),
};
const size_t otadrive_count = sizeof otadrive_routes / sizeof otadrive_routes[0];
