#include "message.h"

#include <string.h>
#include <strings.h>

static const struct topic {
    enum link_topic topic;
    const char *path;
    const char *method;
} topics[] = {
#define X(name, path, method) {LINK_##name, path, method},
    LINK_TOPICS(X)
#undef X
};

/* Members whose type is certain; a device that sends another is broken or not a device. */
static const struct member {
    const char *name;
    json_type type;
    const char *why;
} members[] = {
    {"path", JSON_STRING, "this member has to be a text"},
    {"method", JSON_STRING, "this member has to be a text"},
    {"meta", JSON_OBJECT, "this member has to be an object"},
    {"get", JSON_OBJECT, "this member has to be an object"},
    {"body", JSON_OBJECT, "this member has to be an object"},
    {"nonce", JSON_INTEGER, "this member has to be a whole number"},
    {"status", JSON_INTEGER, "this member has to be a whole number"},
};

const char *link_text(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

const char *link_key_of(const char *authorization)
{
    static const char word[] = "token";
    const size_t size = sizeof word - 1;

    if (authorization == NULL || strncasecmp(authorization, word, size) != 0 ||
        authorization[size] != ' ') {
        return NULL;
    }
    authorization += size;
    return authorization + strspn(authorization, " ");
}

/* Compare segment by segment: "*" stands for one that is not empty. */
static bool path_fits(const char *pattern, const char *path)
{
    while (*pattern != '\0') {
        if (*pattern == '*') {
            const size_t size = strcspn(path, "/");
            if (size == 0) {
                return false;
            }
            path += size;
            pattern++;
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return path[0] == '\0' || (path[0] == '/' && path[1] == '\0');
}

static enum link_topic find_topic(const char *path, const char *method)
{
    for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++) {
        if (path_fits(topics[i].path, path) &&
            (topics[i].method == NULL || (method != NULL && !strcmp(topics[i].method, method)))) {
            return topics[i].topic;
        }
    }
    return LINK_UNKNOWN;
}

static bool check_members(const json_t *json, struct link_fault *fault)
{
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        const json_t *value = json_object_get(json, members[i].name);
        if (value != NULL && json_typeof(value) != members[i].type) {
            *fault = (struct link_fault){members[i].why, members[i].name};
            return false;
        }
    }
    return true;
}

static bool read_nonce(const json_t *json, int64_t *nonce)
{
    const json_t *value = json_object_get(json, "nonce");
    json_int_t number;

    *nonce = -1;
    if (value == NULL) {
        return true;
    }
    number = json_integer_value(value);
    if (!json_is_integer(value) || number < 0 || number > INT32_MAX) {
        return false;
    }
    *nonce = number;
    return true;
}

static bool judge(struct link_message *message, struct link_fault *fault)
{
    const json_t *json = message->json;

    if (!check_members(json, fault)) {
        return false;
    }
    if (!read_nonce(json, &message->nonce)) {
        *fault = (struct link_fault){"this number is not from 0 to 2147483647", "nonce"};
        return false;
    }
    message->path = link_text(json, "path");
    message->method = link_text(json, "method");
    message->key = link_key_of(link_text(json_object_get(json, "meta"), "Authorization"));
    message->get = json_object_get(json, "get");
    message->body = json_object_get(json, "body");
    message->action = link_text(message->get, "action");
    message->status = json_integer_value(json_object_get(json, "status"));
    if (message->path != NULL) {
        message->topic = find_topic(message->path, message->method);
    } else if (json_object_get(json, "status") != NULL && message->nonce >= 0) {
        message->topic = LINK_ANSWER;
    } else {
        *fault = (struct link_fault){"neither a request nor an answer", "path"};
        return false;
    }
    return true;
}

bool link_message_read(const char *line, size_t size, struct link_message *message,
                       struct link_fault *fault)
{
    json_error_t error;

    *message = (struct link_message){.nonce = -1, .topic = LINK_UNKNOWN};
    *fault = (struct link_fault){NULL, NULL};
    message->json = json_loadb(line, size, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(message->json)) {
        *fault = (struct link_fault){"this is not one object of JSON in a line", NULL};
        link_message_free(message);
        return false;
    }
    if (!judge(message, fault)) {
        int64_t nonce;
        (void)read_nonce(message->json, &nonce);
        link_message_free(message);
        message->nonce = nonce;
        return false;
    }
    return true;
}

void link_message_free(struct link_message *message)
{
    json_decref(message->json);
    *message = (struct link_message){.nonce = -1, .topic = LINK_UNKNOWN};
}
