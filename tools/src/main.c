/* updraft: finds the command, lets it run, and prints what it has to say in JSON. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"
#include "help.h"
#include "options.h"

/* A word that names nothing: say so, with the word that was probably meant. */
static enum exit_code unknown(const char *group, const char *word)
{
    const char *near = NULL;

    for (const struct group *row = groups; group == NULL && row->name != NULL; row++) {
        near = word_nearer(word, near, row->name);
    }
    for (size_t i = 0; commands[i] != NULL; i++) {
        if (find_command(group, commands[i]->name) == commands[i]) {
            near = word_nearer(word, near, commands[i]->name);
        }
    }
    fprintf(stderr, "updraft: unknown command '%s%s%s'", group != NULL ? group : "",
            group != NULL ? " " : "", word);
    if (near != NULL) {
        fprintf(stderr, ", did you mean '%s'?", near);
    }
    fprintf(stderr, "; see 'updraft%s%s --help'\n", group != NULL ? " " : "",
            group != NULL ? group : "");
    return EXIT_USAGE;
}

/*
 * The command's object goes to standard output whatever happened, with the three keys that every
 * object has. A command that was done may say itself what is ok and what the problem is.
 */
static void print_json(struct call *call, enum exit_code code)
{
    json_t *whole = json_pack("{s:i}", "schema", 1);

    if (code != EXIT_DONE || json_object_get(call->json, "ok") == NULL) {
        json_object_set_new(call->json, "ok", json_boolean(code == EXIT_DONE));
    }
    if (call->problem != NULL && !json_is_object(json_object_get(call->json, "problem"))) {
        json_object_set(call->json, "problem", call->problem);
    }
    json_object_update(whole, call->json);
    json_dumpf(whole, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    putchar('\n');
    json_decref(whole);
    json_decref(call->json);
    json_decref(call->problem);
}

static enum exit_code run(const struct command *command, char **words, int count)
{
    struct call call = {.command = command};
    enum exit_code code = EXIT_FAILED;
    void *arguments = calloc(1, command->size > 0 ? command->size : 1);

    if (arguments == NULL) {
        return fail(&call, EXIT_FAILED, "memory", "out of memory");
    }
    call.arguments = arguments;
    switch (options_parse(&call, arguments, words, count)) {
    case PARSE_HELP:
        json_decref(call.json);
        call.json = NULL;
        help_print_command(stdout, command);
        code = EXIT_DONE;
        break;
    case PARSE_FAILED:
        code = EXIT_USAGE;
        break;
    case PARSE_DONE:
        code = command->run(&call);
        break;
    }
    if (call.json != NULL) {
        print_json(&call, code);
    }
    options_free(command, arguments);
    free(arguments);
    return code;
}

static bool wants_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/*
 * "updraft --server URL --token-file FILE --ca-file FILE product list": what every command that
 * talks to a server takes may stand in front. @return words consumed; -1: a value is missing,
 * reported
 */
static int take_leading(int argc, char **argv)
{
    static const struct {
        const char *option, *variable;
    } rows[] = {{"--server", "UPDRAFT_SERVER"},
                {"--token-file", "UPDRAFT_TOKEN_FILE"},
                {"--ca-file", "UPDRAFT_CA"}};
    int taken = 0;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (taken + 1 < argc && strcmp(argv[taken + 1], rows[i].option) == 0) {
            if (taken + 2 >= argc) {
                fprintf(stderr, "updraft: %s needs a value; see 'updraft --help'\n",
                        rows[i].option);
                return -1;
            }
            setenv(rows[i].variable, argv[taken + 2], 1);
            taken += 2;
            i = (size_t)-1; /* in any order */
        }
    }
    return taken;
}

static enum exit_code dispatch(int argc, char **argv)
{
    int taken = take_leading(argc, argv);

    if (taken < 0) {
        return EXIT_USAGE;
    }
    argc -= taken;
    argv += taken;
    const char *first = argc > 1 ? argv[1] : NULL;
    const struct group *group = first != NULL ? find_group(first) : NULL;
    const struct command *command = NULL;

    if (first == NULL) {
        help_print_program(stderr);
        return EXIT_USAGE;
    }
    if (wants_help(first)) {
        help_print_program(stdout);
        return EXIT_DONE;
    }
    if (strcmp(first, "--version") == 0) {
        puts("updraft " UPD_VERSION);
        return EXIT_DONE;
    }
    if (group == NULL) {
        command = find_command(NULL, first);
        return command != NULL ? run(command, argv + 2, argc - 2) : unknown(NULL, first);
    }
    if (argc < 3 || wants_help(argv[2])) {
        help_print_group(argc < 3 ? stderr : stdout, group);
        return argc < 3 ? EXIT_USAGE : EXIT_DONE;
    }
    command = find_command(group->name, argv[2]);
    return command != NULL ? run(command, argv + 3, argc - 3) : unknown(group->name, argv[2]);
}

int main(int argc, char **argv)
{
    files_start();
    enum exit_code code = dispatch(argc, argv);

    /* What could not be printed was not done: a full disk shows here at the latest. */
    errno = 0;
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "updraft: standard output: %s\n",
                errno != 0 ? strerror(errno) : "a part could not be written");
        code = code == EXIT_DONE ? EXIT_FAILED : code;
    }
    return (int)code;
}
