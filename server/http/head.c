#include "http/head.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* One bit for each character of a token (RFC 9110, 5.6.2): each request has hundreds of them. */
static const uint32_t token_bits[8] = {
    0, 0x03FF6CFA, /* ! # $ % & ' * + - . 0-9 */
    0xC7FFFFFE,    /* A-Z ^ _ */
    0x57FFFFFF,    /* ` a-z | ~ */
};

static bool token(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;

    while ((token_bits[*at >> 5] >> (*at & 31) & 1) != 0) {
        at++;
    }
    return *at == 0 && *text != 0;
}

/* Bytes from 0x80 on are opaque in headers (RFC 9110, 5.5): devices put names of any encoding
 * there. */
static bool value_ok(const char *text)
{
    for (; *text != 0; text++) {
        unsigned char c = (unsigned char)*text;
        if ((c < 0x20 && c != '\t') || c == 0x7F) {
            return false;
        }
    }
    return true;
}

bool http_host_ok(const char *host)
{
    size_t size = strlen(host);

    /* An empty Host is allowed (RFC 9112, 3.2), and says nothing. */
    if (size > 255) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        if (!isalnum((unsigned char)host[i]) && strchr("-._~:[]%", host[i]) == NULL) {
            return false;
        }
    }
    return true;
}

/* Digits alone, within 63 bits: no sign, no blank, no list. */
static bool read_length(const char *text, uint64_t *size)
{
    *size = 0;
    if (*text == 0) {
        return false;
    }
    for (; *text != 0; text++) {
        if (*text < '0' || *text > '9' || *size > (INT64_MAX - 9) / 10) {
            return false;
        }
        *size = *size * 10 + (uint64_t)(*text - '0');
    }
    return true;
}

/* Headers that mean something once, and could mean two things when they are there twice. */
static const char *const once[] = {
    "Host",     "Content-Length", "Transfer-Encoding", "Authorization",    "Content-Type",  "Range",
    "If-Range", "X-CSRF-Token",   "Last-Event-ID",     "Content-Encoding", "Content-Range",
};
enum { HOST, LENGTH, ENCODING, ONCE_COUNT = sizeof once / sizeof once[0] };

bool http_head_check(const struct http_pair *headers, size_t count, int minor,
                     struct http_framing *framing, struct http_refusal *refusal)
{
    const char *found[ONCE_COUNT] = {0};

    *framing = (struct http_framing){0};
    *refusal = (struct http_refusal){.status = 400};
    if (count > HTTP_HEADERS_MAX) {
        *refusal = (struct http_refusal){431, "The request has too many headers."};
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!token(headers[i].name)) {
            refusal->text = "The name of a header is not a token.";
            return false;
        }
        if (!value_ok(headers[i].value)) {
            refusal->text = "A header has a control character.";
            return false;
        }
        for (size_t j = 0; j < ONCE_COUNT; j++) {
            if (http_same_name(headers[i].name, once[j])) {
                if (found[j] != NULL) {
                    refusal->text = "A header that counts once is there twice.";
                    return false;
                }
                found[j] = headers[i].value;
            }
        }
    }
    if (minor > 0 && found[HOST] == NULL) {
        refusal->text = "The request has no Host.";
        return false;
    }
    if (found[HOST] != NULL && !http_host_ok(found[HOST])) {
        refusal->text = "The Host is not the name of one.";
        return false;
    }
    if (found[ENCODING] != NULL) {
        if (minor == 0 || found[LENGTH] != NULL) {
            refusal->text = "The request says in two ways how long its body is.";
            return false;
        }
        if (strcasecmp(found[ENCODING], "chunked") != 0) {
            *refusal =
                (struct http_refusal){501, "The only Transfer-Encoding known here is chunked."};
            return false;
        }
        framing->chunked = true;
    } else if (found[LENGTH] != NULL && !read_length(found[LENGTH], &framing->size)) {
        refusal->text = "Content-Length is not a number.";
        return false;
    }
    return true;
}
