/*
 * updraft: the protocols by which a device asks for an update. Each is a constant: a translator
 * between what the agent knows and what one kind of server understands. No policy is here.
 *
 *     upd_protocol_arduino    ESPhttpUpdate, HTTPUpdate     http://server/update/<product key>
 *     upd_protocol_otadrive   OTAdrive                      http://server
 *     upd_protocol_plain      any file by HTTP              https://server/<product>/app.bin
 *     upd_protocol_espressif  Espressif's cloud             http://server; ordered over the link
 *
 * All of them send, beside what the stock clients send, the field of docs/formats/agent_report.md, by
 * which updraft's server learns what it would have to guess about a stock client.
 */
#ifndef UPDRAFT_PROTOCOL_H
#define UPDRAFT_PROTOCOL_H

#include <stdbool.h>
#include <stdint.h>

#include <updraft/chip.h>
#include <updraft/text.h>
#include <updraft/trouble.h>

/** Of a version and of texts that name content; a longer one is cut, and compared as it is cut. */
#define UPD_VERSION_SIZE 48u

/**
 * What a device says of itself. Texts are visible ASCII, NUL-terminated, and stay valid; NULL and 0
 * mean "not told".
 */
struct upd_identity {
    enum upd_chip chip;      /* UPD_CHIP_ESP8266, or one of the ESP32 family */
    const char *version;     /* of the firmware that runs */
    const char *serial;      /* OTAdrive, plain */
    const char *product_key; /* OTAdrive */
    const char *device_key;  /* Espressif: 40 digits */
    const char *mac;         /* "DE:BA:7A:B1:E0:42" */
    const char *chip_id;     /* decimal */
    const char *sketch_md5;  /* 32 hexadecimal digits */
    const char *sdk;
    uint32_t sketch_size; /* bytes */
    uint32_t free_space;
    uint32_t chip_size;
};

/** What the running image has to say of itself or of the one that was given up. */
enum upd_report {
    UPD_REPORT_NOTHING,
    UPD_REPORT_TRIAL,     /* it is on trial */
    UPD_REPORT_CONFIRMED, /* it is confirmed */
    UPD_REPORT_FELL,      /* the image of asking.report_version was given up: asking.report_why */
};

/** One question to a server, and what was heard of its answer. */
struct upd_asking {
    const struct upd_identity *identity;
    enum upd_report report;
    const char *report_version;
    const char *report_why;         /* a name of UPD_FALLS or UPD_TROUBLES */
    char wanted[UPD_VERSION_SIZE];  /* Espressif: the version that was ordered */
    uint8_t user;                   /* Espressif: the slot to be written, 1 or 2 */
    const char *have_etag;          /* of the content that runs; "": not known. For plain */
    char version[UPD_VERSION_SIZE]; /* heard; "": not */
    bool has_md5;                   /* heard */
    uint8_t md5[16];
};

/** What an answer's status means. */
enum upd_verdict {
    UPD_VERDICT_OFFER,   /* the content is an image to be installed */
    UPD_VERDICT_CURRENT, /* there is nothing newer */
    UPD_VERDICT_TROUBLE, /* see *trouble */
};

struct upd_protocol {
    const char *name;
    bool asks;         /* false: only what was ordered over the link is fetched */
    bool tells_itself; /* a 200 without MD5, version or ETag is an answer of somebody else */
    bool looks_inside; /* only the image tells that it is the version which runs */
    /** Write what comes behind the server's URL; NULL: nothing does. */
    void (*target)(const struct upd_asking *asking, struct upd_text *url);
    /** Write field number `index` as "Name: value"; nothing when it is not told. False: no more. */
    bool (*field)(const struct upd_asking *asking, uint32_t index, struct upd_text *line);
};

extern const struct upd_protocol upd_protocol_arduino, upd_protocol_otadrive, upd_protocol_plain,
    upd_protocol_espressif;

/** Forget what was heard. */
void upd_asking_begin(struct upd_asking *asking);

/**
 * Hear a field of the answer.
 *
 * @param name  in lower case
 * @return NONE, BAD_DIGEST, BAD_VERSION
 */
enum upd_trouble upd_asking_hear(struct upd_asking *asking, const char *name, const char *value);

/** Write field number `index` of the request; false: there is no such one. */
bool upd_asking_field(const struct upd_asking *asking, const struct upd_protocol *protocol,
                      uint32_t index, struct upd_text *line);

/** @param trouble  out: with TROUBLE, what it is; never NONE then */
enum upd_verdict upd_asking_verdict(uint16_t status, enum upd_trouble *trouble);

#endif
