/*
 * updraft: JSON put together in the caller's buffer (RFC 8259), for what core/ describes to people
 * and programs. The host tool, the server and the web page show the same text.
 *
 *     struct upd_json json = upd_json_on(buffer, sizeof buffer);
 *
 *     upd_json_open(&json, NULL, '{');
 *     upd_json_number(&json, "size", 4096);
 *     upd_json_open(&json, "list", '[');
 *     upd_json_string(&json, NULL, "a");
 *     upd_json_close(&json, ']');
 *     upd_json_close(&json, '}');              {"size":4096,"list":["a"]}
 *
 * As with text.h nothing is written outside of the buffer, and json.text tells whether all of it
 * fitted. Pairing opens and closes, and keys within objects alone, is up to the caller.
 *
 * Cost: no heap; at most 160 bytes of stack.
 */
#ifndef UPDRAFT_JSON_H
#define UPDRAFT_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include <updraft/text.h>

/** A writer; `text` is for reading only. */
struct upd_json {
    struct upd_text text;
    bool more; /* a value precedes the next one at this level */
};

/** Start an empty document in a buffer; see upd_text_on(). */
struct upd_json upd_json_on(char *buffer, uint32_t size);

/*
 * One value each. `key` is the name within an object, which is written as it is and must need no
 * escape; NULL within an array and for the outermost value.
 */

/** Begin an object, bracket '{', or an array, '['. */
void upd_json_open(struct upd_json *json, const char *key, char bracket);
/** End it, with '}' or ']'. */
void upd_json_close(struct upd_json *json, char bracket);
void upd_json_number(struct upd_json *json, const char *key, int64_t value);
void upd_json_bool(struct upd_json *json, const char *key, bool value);
void upd_json_null(struct upd_json *json, const char *key);
/** A NUL-terminated text in UTF-8; see upd_json_bytes() for what is not. */
void upd_json_string(struct upd_json *json, const char *key, const char *value);
/**
 * Bytes from anywhere, as text up to the first NUL. Control characters are escaped; each byte that
 * is no part of a character in UTF-8 becomes \xNN, which a reader of the JSON sees as these four
 * characters.
 */
void upd_json_bytes(struct upd_json *json, const char *key, const void *bytes, uint32_t size);
/** Bytes as lower-case hexadecimal text. */
void upd_json_hex(struct upd_json *json, const char *key, const uint8_t *bytes, uint32_t size);

#endif
