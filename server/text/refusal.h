/*
 * updraftd: everything that the server refuses, and why: the one table of what errors of the API say.
 */
#ifndef UPDRAFT_SERVER_REFUSAL_H
#define UPDRAFT_SERVER_REFUSAL_H

#include "sentence.h"

/*
 * X(NAME, "code", "sentence"). Codes and the names in braces are stable. Several refusals may have
 * one code; a page, which has one text for a code, uses what all of them tell, and shows the sentence
 * beside it.
 */
#define REFUSALS(X)                                                                                         \
    X(ANSWERED, "answered", "this update is not asked about any more")                                      \
    X(BAD_ADDRESS, "bad_address", "The address is refused: {problem}.")                                     \
    X(BAD_ADDRESS_SLASH, "bad_address", "The address is refused: an encoded slash.")                        \
    X(BAD_AFTER, "bad_after", "after is the \"next\" of another page.")                                     \
    X(BAD_CHANNELS, "bad_channels",                                                                         \
      "Channels are words without blanks, separated by single commas.")                                     \
    X(BAD_CHIP, "bad_chip", "There is no such chip; esp8266 and esp32 are two that there are.")             \
    X(BAD_CHIP_NONOS, "bad_chip", "The NONOS SDK is for the esp8266 alone.")                                \
    X(BAD_FIELD, "bad_field", "The field {field} has to be {kind}.")                                        \
    X(BAD_JSON, "bad_json", "The body is not JSON: line {line}, column {column}: {problem}.")               \
    X(BAD_JSON_OBJECT, "bad_json", "The body has to be one JSON object.")                                   \
    X(BAD_KEY, "bad_key", "A device key has 40 hexadecimal digits, in lower case.")                         \
    X(BAD_KIND, "bad_kind", "There is no such kind of token.")                                              \
    X(BAD_LETTER, "bad_letter", "The upgrade letter is o, l, a or n.")                                      \
    X(OTHER_LETTER, "bad_letter", "The letter is {letter}, and the version's own is {own}.")                \
    X(BAD_LOGIN, "bad_login", "The name or the password is wrong.")                                         \
    X(BAD_MAC, "bad_mac", "A MAC address is twelve hexadecimal digits, as 18:fe:34:00:00:01.")              \
    X(BAD_MAP, "bad_map", "Flash map {map} does not exist or has no two slots.")                            \
    X(BAD_MAP_KIND, "bad_map", "Only products of kind nonos have a flash map.")                             \
    X(BAD_GROUP, "bad_name", "A group's name has 1 to 100 characters, and no control characters.")          \
    X(BAD_NAME, "bad_name", "A name has 1 to 100 characters, and no control characters.")                   \
    X(BAD_PASSWORD, "bad_password", "A password has {least} to {most} bytes.")                              \
    X(BAD_PATH, "bad_path", "A path has 1 to 100 characters, and no control characters.")                   \
    X(BAD_PTYPE, "bad_ptype", "A product type is a number from 1 to 9999999999.")                           \
    X(BAD_REPLY_BLOCKED, "bad_reply", "The reply to blocked devices is 304, 401, 403 or 404.")              \
    X(BAD_REPLY_UNKNOWN, "bad_reply", "The reply to unknown devices is 304, 401, 403 or 404.")              \
    X(BAD_REQUEST, "bad_request", "{problem}")                                                              \
    X(BAD_REQUEST_HEAD, "bad_request",                                                                      \
      "The request's head is not lines that end in CR LF, each with one header.")                           \
    X(BAD_REQUEST_HEADERS, "bad_request", "The request has too many headers.")                              \
    X(BAD_REQUEST_LONG, "bad_request", "The request's head is longer than {most} bytes.")                   \
    X(BAD_SORT, "bad_sort", "sort is one of: {sorts}; or one of them after a '-', backwards.")              \
    X(BAD_STANDING, "bad_standing", "There is no standing \"{standing}\" of a device.")                     \
    X(BAD_STATE, "bad_state", "There is no state \"{state}\" of an update.")                                \
    X(BAD_TOKEN, "bad_token", "The token is wrong or no longer valid.")                                     \
    X(USED_TOKEN, "bad_token", "The token is wrong or was used already.")                                   \
    X(BAD_VALUE, "bad_value",                                                                               \
      "The parameter {parameter} has to be a whole number from {least} to {most}.")                         \
    X(BAD_VARIANT, "bad_variant", "A variant is one word of at most {most} characters.")                    \
    X(BAD_HTTP_VERSION, "bad_version", "Only HTTP/1.1 and HTTP/1.0 are spoken here.")                       \
    X(BAD_ROM_VERSION, "bad_version",                                                                       \
      "\"{version}\" is no ROM version name like v1.0.1t45772(a): at character {place}: {problem}.")        \
    X(BAD_VERSION, "bad_version",                                                                           \
      "A version has 1 to 64 printable ASCII characters without blanks.")                                   \
    X(BAD_WORD, "bad_word",                                                                                 \
      "The {field} has at most {most} printable ASCII characters, and no blanks.")                          \
    X(BLOB_MISSING, "blob_missing", "The image's file is missing on the server: {problem}.")                \
    X(BODY_TOO_LARGE, "body_too_large", "The body may have {most} bytes, not more.")                        \
    X(CONTENT_ENCODING, "content_encoding", "Bodies have to come without Content-Encoding.")                \
    X(CSRF, "csrf", "The X-CSRF-Token is missing or not this session's: load the page again.")              \
    X(DATA, "data", "{path}: cannot be made: {problem}")                                                    \
    X(DATABASE, "database", "The server's database: {problem}.")                                            \
    X(DATABASE_FILE, "database", "{path}: {problem}")                                                       \
    X(DISK, "disk", "The server cannot store the file: {problem}.")                                         \
    X(DISK_FULL, "disk_full", "The server's disk is full; nothing was changed.")                            \
    X(DUPLICATE_FIELD, "duplicate_field",                                                                   \
      "The body is not JSON: line {line}, column {column}: {problem}.")                                     \
    X(EXISTS, "exists", "Another object has this name, serial or key already.")                             \
    X(FORBIDDEN, "forbidden", "You may see this {object}, but not do that to it.")                          \
    X(FORBIDDEN_OWN, "forbidden", "You may change your language and password only.")                        \
    X(FORBIDDEN_PRODUCTS, "forbidden", "Only administrators make products.")                                \
    X(FORBIDDEN_REQUEST, "forbidden", "requests to devices are an operator's")                              \
    X(FORBIDDEN_ROLE, "forbidden", "Your role does not allow this.")                                        \
    X(FORBIDDEN_TOKENS, "forbidden", "Only users have tokens.")                                             \
    X(FORBIDDEN_USERS, "forbidden", "Only administrators handle users.")                                    \
    X(GONE, "gone", "Events after {event} are no longer kept; the oldest is {oldest}.")                     \
    X(GONE_AHEAD, "gone", "There is no event {event} yet; the newest is {newest}.")                         \
    X(HAS_DEVICES, "has_devices", "The product has {devices} devices; delete them first.")                  \
    X(HTTPS_REQUIRED, "https_required",                                                                     \
      "This needs HTTPS: over plain HTTP anybody on the way could read it.")                                \
    X(IMAGE_TWICE, "image_twice", "{slot} is given twice.")                                                 \
    X(INVALID_ACTION, "invalid", "the body is a JSON object with an action")                                \
    X(INVALID_CHANNELS, "invalid", "channels is a list of short names without commas")                      \
    X(INVALID_CHIP, "invalid", "{chip} is no chip of these families")                                       \
    X(INVALID_CONFIG, "invalid", "the configuration is no object of JSON: {problem}")                       \
    X(INVALID_DEVICE, "invalid", "device names the device of an owner_key, and of nothing else")            \
    X(INVALID_FORMAT, "invalid", "format is json or csv")                                                   \
    X(INVALID_IMAGES, "invalid",                                                                            \
      "images: {slot} is not app, user1, user2 or filesystem with a SHA-256")                               \
    X(INVALID_ONLINE, "invalid", "online is true or false")                                                 \
    X(INVALID_PART, "invalid", "part is app, user1, user2 or filesystem")                                   \
    X(INVALID_STATE, "invalid",                                                                             \
      "state is online, silent, a device's standing, updating or that of an update")                        \
    X(INVALID_UPDATE_STATE, "invalid", "{state} is no state of an update")                                  \
    X(KEY_TAKEN, "key_taken", "A device has this key already.")                                             \
    X(LAST_ADMINISTRATOR, "last_administrator", "This is the last administrator who can log in.")           \
    X(LOG_IN, "log_in", "Log in first, or send a token.")                                                   \
    X(MEMORY, "memory", "There is no memory.")                                                              \
    X(METHOD_NOT_ALLOWED, "method_not_allowed", "{method} is not possible here.")                           \
    X(MISSING_DEVICE, "missing", "device names the device of an owner_key, and of nothing else")            \
    X(MISSING_PASSWORD, "missing", "old_password is needed to change your own password")                    \
    X(MISSING_FIELD, "missing_field", "The field {field} is missing.")                                      \
    X(NAME_TAKEN, "name_taken", "There is a product of this name already.")                                 \
    X(USER_NAME_TAKEN, "name_taken", "There is a user of this name already.")                               \
    X(NO_IMAGES, "no_images", "A release has at least one image of firmware.")                              \
    X(NO_MEMORY, "no_memory", "The server has no memory for this now.")                                     \
    X(NO_SUCH_CHANNEL, "no_such_channel", "The product's channels are {channels}.")                         \
    X(NO_SUCH_CODE, "no_such_code", "No device has this code.")                                             \
    X(NO_SUCH_IMAGE, "no_such_image",                                                                       \
      "No image of this product has the SHA-256 {sha256}; upload it first.")                                \
    X(NO_SUCH_KEY, "no_such_key", "There is no device with this key.")                                      \
    X(NO_CURRENT_RELEASE, "no_such_release", "No release is current for this device.")                      \
    X(NO_SUCH_RELEASE, "no_such_release", "The product has no such release.")                               \
    X(NO_SUCH_TOKEN, "no_such_token", "No device came with this activation token.")                         \
    X(NO_SUCH_USER, "no_such_user", "There is no such user.")                                               \
    X(NOT_ANSWERED, "not_answered", "The server made a mistake.")                                           \
    X(NOT_FOUND, "not_found", "There is no such thing here.")                                               \
    X(NOT_INSTALLED, "not_installed", "updraft-sim is not installed beside the server")                     \
    X(NOT_JSON, "not_json", "The body has to be application/json.")                                         \
    X(NOT_LINKED, "not_linked", "the device holds no link to the server, or does not answer")               \
    X(NOT_LOGGED_IN, "not_logged_in", "Log in first.")                                                      \
    X(NOT_OWNER, "not_owner",                                                                               \
      "Only the owner of a device has its owner key: claim the device first.")                              \
    X(NOTES_TOO_LONG, "notes_too_long", "Notes have at most {most} bytes.")                                 \
    X(NOTHING_TO_ANSWER, "nothing_to_answer", "No update of this device waits for an answer.")              \
    X(PAIR_INCOMPLETE, "pair_incomplete",                                                                   \
      "{slot} is there and {missing} is missing: a device takes the one of the slot that it does not run.") \
    X(PASSWORD, "password", "The password cannot be hashed.")                                               \
    X(PLAIN_HTTP, "plain_http", "log in by HTTPS: this connection can be read by others")                   \
    X(RUNNING, "running", "virtual devices run already")                                                    \
    X(SERIAL_TAKEN, "serial_taken", "The product has a device with this serial already.")                   \
    X(SET_UP, "set_up", "The server has users already.")                                                    \
    X(SIMULATION, "simulation", "{program} does not start")                                                 \
    X(SIMULATION_IMAGE, "simulation", "{program} makes no image")                                           \
    X(STOPPING, "stopping", "The server is stopping.")                                                      \
    X(TARGET_TOO_LONG, "target_too_long", "The address is longer than {most} bytes.")                       \
    X(THROTTLED, "throttled", "Too many failed log-ins; try again in {seconds} seconds.")                   \
    X(TIMEOUT, "timeout", "Nobody answered in time.")                                                       \
    X(TOO_MANY, "too_many",                                                                                 \
      "{devices} devices are too many for one file of at most {most}: filter more")                         \
    X(UNKNOWN_FIELD, "unknown_field", "There is no field {field} here.")                                    \
    X(UNKNOWN_METHOD, "unknown_method", "The method of the request is not known here.")                     \
    X(UNKNOWN_PARAMETER, "unknown_parameter", "{parameter} is no parameter of this list")                   \
    X(UPDATE_OVER, "update_over", "The update is {state} already.")                                         \
    X(VERSION_CLASH, "version_clash", "{version} clashes with {other}: {problem}.")                         \
    X(VERSION_EXISTS, "version_exists", "The product has a release {version} already.")                     \
    X(WITHDRAWN, "withdrawn", "{release} was withdrawn.")                                                   \
    X(WRONG, "wrong", "this is not your present password")                                                  \
    X(WRONG_SLOT, "wrong-slot", "The image is for {slot}, and was given as {given}.")                       \
    X(WRONG_PTYPE, "wrong_ptype",                                                                           \
      "The version is of product type {ptype}, and the product's is {own}.")

enum refusal {
#define X(name, code, sentence) REFUSAL_##name,
    REFUSALS(X)
#undef X
};

const char *refusal_code(enum refusal refusal);
const char *refusal_sentence(enum refusal refusal);

#endif
