#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "progress.h"

#define LINE_SIZE 4096

static void add_problem(struct call *call, enum exit_code code, const char *reason,
                        const char *text)
{
    if (call->json != NULL && call->problem == NULL) {
        call->problem = json_pack("{s:s, s:s%}", "reason", reason, "text", text, strlen(text));
        if (call->problem == NULL) { /* a path that is not UTF-8 */
            call->problem = json_pack("{s:s, s:s}", "reason", reason, "text",
                                      "see standard error: the text is not UTF-8");
        }
    }
    call->code = call->code == EXIT_DONE ? code : call->code;
}

enum exit_code fail(struct call *call, enum exit_code code, const char *reason, const char *format,
                    ...)
{
    char line[LINE_SIZE];
    va_list list;

    va_start(list, format);
    vsnprintf(line, sizeof line, format, list);
    va_end(list);
    progress_clear();
    fprintf(stderr, "updraft: %s\n", line);
    add_problem(call, code, reason, line);
    return code;
}

enum exit_code fail_plainly(struct call *call, enum exit_code code, const char *reason,
                            const char *format, ...)
{
    char line[LINE_SIZE];
    va_list list;

    va_start(list, format);
    vsnprintf(line, sizeof line, format, list);
    va_end(list);
    progress_clear();
    fprintf(stderr, "%s\n", line);
    add_problem(call, code, reason, line);
    return code;
}

void problem_add(struct call *call, const char *key, json_t *value)
{
    if (call->problem != NULL) {
        json_object_set_new(call->problem, key, value);
    } else {
        json_decref(value);
    }
}

static void add_warning(struct call *call, const char *text)
{
    if (call->json == NULL) {
        return;
    }
    json_t *warnings = json_object_get(call->json, "warnings");
    if (warnings == NULL) {
        warnings = json_array();
        json_object_set_new(call->json, "warnings", warnings);
    }
    json_array_append_new(warnings, json_string(text));
}

void warn(struct call *call, const char *format, ...)
{
    char line[LINE_SIZE];
    va_list list;

    va_start(list, format);
    vsnprintf(line, sizeof line, format, list);
    va_end(list);
    progress_clear();
    fprintf(stderr, "updraft: warning: %s\n", line);
    add_warning(call, line);
}

void warn_plainly(struct call *call, const char *format, ...)
{
    char line[LINE_SIZE];
    va_list list;

    va_start(list, format);
    vsnprintf(line, sizeof line, format, list);
    va_end(list);
    progress_clear();
    fprintf(stderr, "%s\n", line);
    add_warning(call, line);
}
