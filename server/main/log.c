#include "main/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static bool as_json;

void log_open(bool json)
{
    as_json = json;
}

static void format_time(char *text, size_t size)
{
    struct timespec now;
    struct tm parts;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    size_t used = strftime(text, size, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + used, size - used, ".%03ldZ", now.tv_nsec / 1000000);
}

/* What a client sent must not end a line, or move the cursor of whoever reads it. */
static void clean(char *text)
{
    for (; *text != 0; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7F) {
            *text = '?';
        }
    }
}

/* One write() for a line: lines of threads do not mix. */
static void put(char *line, size_t size)
{
    line[size] = '\n';
    ssize_t written = write(STDERR_FILENO, line, size + 1);
    (void)written; /* There is nowhere to say that the log is full. */
}

static void say(enum log_level level, json_t *more, const char *format, va_list arguments)
{
    static const char *const levels[] = {"error", "warning", "info"};
    char message[1024], time_text[40], line[2048];

    vsnprintf(message, sizeof message, format, arguments);
    clean(message);
    format_time(time_text, sizeof time_text);
    if (!as_json) {
        int size = snprintf(line, sizeof line - 1, "%s %s: %s", time_text, levels[level], message);
        put(line, size < (int)sizeof line - 1 ? (size_t)size : sizeof line - 2);
        json_decref(more);
        return;
    }
    json_t *text = json_string(message);
    json_t *object = json_pack("{s:s, s:s, s:o}", "time", time_text, "level", levels[level],
                               "message", text != NULL ? text : json_string("(not UTF-8)"));
    if (more != NULL) {
        json_object_update(object, more);
    }
    size_t size = json_dumpb(object, line, sizeof line - 1, JSON_COMPACT | JSON_PRESERVE_ORDER);
    if (size > 0 && size < sizeof line) {
        put(line, size);
    }
    json_decref(object);
    json_decref(more);
}

void log_say(enum log_level level, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(level, NULL, format, arguments);
    va_end(arguments);
}

void log_with(enum log_level level, json_t *more, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(level, more, format, arguments);
    va_end(arguments);
}
