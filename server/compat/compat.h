/*
 * The stock clients' protocols over HTTP, spoken to devices that were built for other servers. Each
 * is a table of routes which turns a request into the facts that the device presented, asks the
 * fleet, and writes the answer as that client expects it. No policy: what a device gets, and which
 * status refuses it, is the fleet's answer.
 *
 *     esphttpupdate.c   ESPhttpUpdate and HTTPUpdate of the Arduino cores: /update/<product key>
 *     otadrive.c        OTAdrive's devices: /DeviceApi/…
 *     plain.c           esp_https_ota and anything that fetches a file: /<product>/<file>.bin
 */
#ifndef UPDRAFT_SERVER_COMPAT_H
#define UPDRAFT_SERVER_COMPAT_H

#include "fleet/fleet.h"
#include "http/http.h"

struct compat;

/** Never NULL. Starts the thread that records what became of downloads. */
struct compat *compat_new(struct fleet *fleet);
/** Records what is left, and ends. */
void compat_free(struct compat *compat);

enum { COMPAT_TABLES = 3 };
void compat_tables(struct compat *compat, struct http_table tables[COMPAT_TABLES]);

/* The rows of each protocol, for the tables and for their tests. Their context is the struct
 * compat. */
extern const struct http_route esphttpupdate_routes[], otadrive_routes[], plain_routes[];
extern const size_t esphttpupdate_count, otadrive_count, plain_count;

struct fleet *compat_fleet(const struct compat *compat);

/* --- What they share ------------------------------------------------------------------------- */

/** The facts in the x-ESP8266-… or x-ESP32-… headers of the Arduino cores; those that are absent
 * stay. */
void compat_read_headers(const struct http_exchange *x, struct device_facts *facts);

/** The report of updraft's own agent, when it is one. */
void compat_read_report(struct http_exchange *x, struct device_facts *facts);

/** Where the pieces of a download stand: the first byte of the Range header; 0 without one. */
int64_t compat_range_start(const struct http_exchange *x);

/**
 * Ask the fleet.
 *
 * @param answer  out, when true
 * @return false  answered: the device was refused, as its product says, or the database cannot be
 * read
 */
bool compat_check(struct http_exchange *x, const struct device_facts *facts,
                  struct fleet_answer *answer);

/**
 * Send the image of an offer with `x-MD5` and `x-version`, or the part of it that was asked for,
 * and record what becomes of it.
 */
void compat_send_image(struct http_exchange *x, const struct fleet_answer *answer);

#endif
