#include <updraft/protocol.h>

#include <updraft/bytes.h>
#include <updraft/fetch.h>
#include <updraft/http.h>

static bool told(const char *text)
{
    return text != NULL && text[0] != '\0';
}

/* "Name: value", or nothing at all: fetch leaves out a line that stays empty. */
static void say(struct upd_text *line, const char *name, const char *value)
{
    if (told(value)) {
        upd_text_add(line, name);
        upd_text_add(line, value);
    }
}

/* --- The Arduino cores ------------------------------------------------------------------------- */

static void core_name(const struct upd_asking *asking, struct upd_text *line, const char *name)
{
    upd_text_add(line, asking->identity->chip == UPD_CHIP_ESP8266 ? "x-ESP8266-" : "x-ESP32-");
    upd_text_add(line, name);
}

static void core_text(const struct upd_asking *asking, struct upd_text *line, const char *name,
                      const char *value)
{
    if (told(value)) {
        core_name(asking, line, name);
        upd_text_add(line, value);
    }
}

static void core_number(const struct upd_asking *asking, struct upd_text *line, const char *name,
                        uint32_t value)
{
    if (value != 0) {
        core_name(asking, line, name);
        upd_text_decimal(line, value);
    }
}

static bool core_field(const struct upd_asking *asking, uint32_t index, struct upd_text *line)
{
    const struct upd_identity *identity = asking->identity;

    switch (index) {
    case 0:
        core_text(asking, line, "STA-MAC: ", identity->mac);
        return true;
    case 1:
        core_number(asking, line, "free-space: ", identity->free_space);
        return true;
    case 2:
        core_number(asking, line, "sketch-size: ", identity->sketch_size);
        return true;
    case 3:
        core_text(asking, line, "sketch-md5: ", identity->sketch_md5);
        return true;
    case 4:
        core_number(asking, line, "chip-size: ", identity->chip_size);
        return true;
    case 5:
        core_text(asking, line, "sdk-version: ", identity->sdk);
        return true;
    case 6:
        core_text(asking, line, "mode: ", "sketch");
        return true;
    default:
        return false;
    }
}

static bool arduino_field(const struct upd_asking *asking, uint32_t index, struct upd_text *line)
{
    const struct upd_identity *identity = asking->identity;

    switch (index) {
    case 0:
        upd_text_add(line, "User-Agent: ");
        upd_text_add(line, identity->chip == UPD_CHIP_ESP8266 ? "ESP8266-http-Update"
                                                              : "ESP32-http-Update");
        return true;
    case 1:
        core_text(asking, line, "Chip-ID: ", identity->chip_id);
        return true;
    case 2:
        core_text(asking, line, "version: ", identity->version);
        return true;
    default:
        return core_field(asking, index - 3, line);
    }
}

const struct upd_protocol upd_protocol_arduino = {"arduino", true, true,
                                                  false,     NULL, arduino_field};

/* --- OTAdrive ---------------------------------------------------------------------------------- */

static void otadrive_target(const struct upd_asking *asking, struct upd_text *url)
{
    const struct upd_identity *identity = asking->identity;

    upd_text_add(url, "/DeviceApi/update");
    say(url, "?k=", identity->product_key);
    say(url, "&v=", identity->version);
    say(url, "&s=", identity->serial);
}

static bool otadrive_field(const struct upd_asking *asking, uint32_t index, struct upd_text *line)
{
    switch (index) {
    case 0:
        upd_text_add(line, "User-Agent: OTAdrive-SDK-v22");
        return true;
    case 1:
        upd_text_add(line, "x-check-sketch-md5: 1");
        return true;
    default:
        return core_field(asking, index - 2, line);
    }
}

const struct upd_protocol upd_protocol_otadrive = {"otadrive",      true,          true, false,
                                                   otadrive_target, otadrive_field};

/* --- Any file ---------------------------------------------------------------------------------- */

/* Whether what is appended to the URL begins its query, or goes on with one. */
static bool query_begins(const struct upd_text *url)
{
    for (uint32_t i = 0; i < url->length && i < url->size; i++) {
        if (url->start[i] == '?') {
            return false;
        }
    }
    return true;
}

static void plain_target(const struct upd_asking *asking, struct upd_text *url)
{
    const struct upd_identity *identity = asking->identity;

    say(url, query_begins(url) ? "?serial=" : "&serial=", identity->serial);
    say(url, query_begins(url) ? "?version=" : "&version=", identity->version);
}

static bool plain_field(const struct upd_asking *asking, uint32_t index, struct upd_text *line)
{
    if (index == 0) {
        say(line, "If-None-Match: ", asking->have_etag);
    }
    return index == 0;
}

const struct upd_protocol upd_protocol_plain = {"plain", true,         true,
                                                true,    plain_target, plain_field};

/* --- Espressif's cloud: the file that was ordered ---------------------------------------------- */

static void espressif_target(const struct upd_asking *asking, struct upd_text *url)
{
    upd_text_add(url, "/v1/device/rom/?action=download_rom");
    say(url, "&version=", asking->wanted);
    upd_text_add(url, "&filename=user");
    upd_text_decimal(url, asking->user);
    upd_text_add(url, ".bin");
}

static bool espressif_field(const struct upd_asking *asking, uint32_t index, struct upd_text *line)
{
    if (index == 0) {
        say(line, "Authorization: token ", asking->identity->device_key);
    }
    return index == 0;
}

const struct upd_protocol upd_protocol_espressif = {"espressif",      false,          false, false,
                                                    espressif_target, espressif_field};

/* --- What they share --------------------------------------------------------------------------- */

static void write_report(const struct upd_asking *asking, struct upd_text *line)
{
    switch (asking->report) {
    case UPD_REPORT_NOTHING:
        break;
    case UPD_REPORT_TRIAL:
        upd_text_add(line, "x-updraft: trial");
        break;
    case UPD_REPORT_CONFIRMED:
        upd_text_add(line, "x-updraft: confirmed");
        break;
    case UPD_REPORT_FELL:
        upd_text_add(line, "x-updraft: fell ");
        upd_text_add(line, asking->report_why);
        say(line, " ", asking->report_version);
        break;
    }
}

bool upd_asking_field(const struct upd_asking *asking, const struct upd_protocol *protocol,
                      uint32_t index, struct upd_text *line)
{
    if (index == 0) {
        write_report(asking, line);
        return true;
    }
    return protocol->field(asking, index - 1, line);
}

void upd_asking_begin(struct upd_asking *asking)
{
    asking->version[0] = '\0';
    asking->has_md5 = false;
}

static int32_t hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum upd_trouble hear_md5(struct upd_asking *asking, const char *value)
{
    uint8_t md5[16];

    for (uint32_t i = 0; i < sizeof md5; i++) {
        const int32_t high = hex_digit(value[2 * i]);
        const int32_t low = high < 0 ? -1 : hex_digit(value[2 * i + 1]);
        if (low < 0) {
            return UPD_TROUBLE_BAD_DIGEST;
        }
        md5[i] = (uint8_t)(high << 4 | low);
    }
    /* Twice the same is a server behind a proxy that says it too. */
    if (value[2 * sizeof md5] != '\0' ||
        (asking->has_md5 && memcmp(md5, asking->md5, sizeof md5) != 0)) {
        return UPD_TROUBLE_BAD_DIGEST;
    }
    memcpy(asking->md5, md5, sizeof md5);
    asking->has_md5 = true;
    return UPD_TROUBLE_NONE;
}

static enum upd_trouble hear_version(struct upd_asking *asking, const char *value)
{
    struct upd_text text;

    if (asking->version[0] != '\0') {
        return UPD_TROUBLE_BAD_VERSION;
    }
    for (uint32_t i = 0; value[i] != '\0'; i++) {
        if (value[i] < ' ' || value[i] > '~') {
            return UPD_TROUBLE_BAD_VERSION;
        }
    }
    text = upd_text_on(asking->version, sizeof asking->version);
    upd_text_add(&text, value);
    return UPD_TROUBLE_NONE;
}

enum upd_trouble upd_asking_hear(struct upd_asking *asking, const char *name, const char *value)
{
    if (upd_http_same(name, "x-md5")) {
        return hear_md5(asking, value);
    }
    return upd_http_same(name, "x-version") ? hear_version(asking, value) : UPD_TROUBLE_NONE;
}

enum upd_verdict upd_asking_verdict(uint16_t status, enum upd_trouble *trouble)
{
    switch (status) {
    case 200:
        return UPD_VERDICT_OFFER;
    case 304:
        return UPD_VERDICT_CURRENT;
    default:
        *trouble = upd_trouble_of_status(status);
        if (*trouble == UPD_TROUBLE_NONE) {
            *trouble = UPD_TROUBLE_UNEXPECTED_STATUS;
        }
        return UPD_VERDICT_TROUBLE;
    }
}
