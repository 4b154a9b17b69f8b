/* The verbs' table, and what is said from it: help, man page, completion. */
#include "main/verbs.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

const struct verb verbs[] = {
    {.name = "serve",
     .summary = "run the server",
     .keys = true,
     .run = run_serve,
     .text =
         "Makes what is missing in the data directory, then serves until SIGTERM or SIGINT. The\n"
         "ports in use are printed and written to DATA/ports.json. SIGHUP reads the\n"
         "certificate again."},
    {.name = "init",
     .summary = "make a data directory, print the administrator's token",
     .keys = true,
     .json = true,
     .run = run_init,
     .text = "Makes the database, a certificate authority and a certificate. The token makes the\n"
             "first administrator, once. A directory that has one is left as it is."},
    {.name = "check-config",
     .summary = "check the configuration, and show it",
     .keys = true,
     .run = run_check_config,
     .text = "Prints every key with the value that holds, in the form of updraftd.conf."},
    {.name = "backup",
     .summary = "copy the data directory, also while the server runs",
     .keys = true,
     .operand = "FOLDER",
     .operand_help = "a folder to make; must not be there",
     .run = run_backup,
     .text =
         "The copy is one consistent state: database, images, certificates, and a manifest with\n"
         "SHA-256 of each file. It has secrets: keep it as you keep the original."},
    {.name = "restore",
     .summary = "make a data directory from a backup",
     .keys = true,
     .operand = "FOLDER",
     .operand_help = "what 'updraftd backup' made",
     .run = run_restore,
     .text =
         "Each file is checked against the manifest before anything is written. The data\n"
         "directory must not hold a database. The exit status is 3 when the backup is damaged."},
    {.name = "routes",
     .summary = "show what the server answers, and to whom",
     .json = true,
     .run = run_routes,
     .text = "Every method and path, and who may call it. What does not exist for somebody is\n"
             "answered as what exists for nobody."},
    {.name = "version", .summary = "show the version", .run = run_version, .text = ""},
    {.name = "help",
     .summary = "show help; 'man' shows the man page",
     .operand = "COMMAND",
     .operand_help = "a command, or 'man'",
     .run = run_help,
     .text = ""},
    {.name = "completion",
     .summary = "print the completion of the command line for bash",
     .run = run_completion,
     .text = ""},
    {0},
};

static const char exit_codes[] =
    "0 done, 1 failed, 2 wrong command line or configuration, 3 a backup is damaged.";

enum exit_code complain(enum exit_code code, const char *format, ...)
{
    va_list arguments;

    fputs("updraftd: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return code;
}

/* "--link-tls ADDR:PORT" */
static void flag_text(const struct config_key *key, char *text, size_t size)
{
    snprintf(text, size, "--%s %s", key->name, key->value);
    for (char *at = text; *at != ' '; at++) {
        *at = *at == '_' ? '-' : *at;
    }
}

static void print_keys(void)
{
    char flag[64];

    for (const struct config_key *key = config_keys; key->name != NULL; key++) {
        flag_text(key, flag, sizeof flag);
        printf("  %-27s %s\n  %-27s default: %s\n", flag, key->help, "",
               key->fallback[0] != 0 ? key->fallback : "none");
    }
}

static void print_usage(const struct verb *verb)
{
    printf("Usage: updraftd %s%s%s%s%s%s\n", verb->name, verb->keys ? " [OPTION ...]" : "",
           verb->json ? " [--json]" : "", verb->operand != NULL ? " " : "",
           verb->operand != NULL ? verb->operand : "", "");
}

static void print_verb(const struct verb *verb)
{
    printf("updraftd %s: %s\n\n", verb->name, verb->summary);
    print_usage(verb);
    if (verb->text[0] != 0) {
        printf("\n%s\n", verb->text);
    }
    if (verb->operand != NULL) {
        printf("\nOperands:\n  %-27s %s\n", verb->operand, verb->operand_help);
    }
    printf("\nOptions:\n");
    if (verb->json) {
        printf("  %-27s %s\n", "--json", "print one JSON object instead of text");
    }
    if (verb->keys) {
        printf("  %-27s %s\n", "--config FILE",
               "configuration; default: DATA/updraftd.conf if it is there");
        print_keys();
    }
    printf("  %-27s %s\n", "-h, --help", "show this help and exit");
    if (verb->keys) {
        printf("\nEach key may also stand in the file (\"listen = :8070\") or in the environment\n"
               "(UPDRAFT_LISTEN); an option wins over both. Exit status: %s\n",
               exit_codes);
    }
}

static void print_program(void)
{
    printf("updraftd: the update server for ESP8266 and ESP32 class chips\n\n"
           "Examples:\n"
           "  updraftd init --data /var/lib/updraft --names updraft.example.org\n"
           "  updraftd serve --data /var/lib/updraft\n"
           "  updraftd backup --data /var/lib/updraft /srv/backup/monday\n\n"
           "Usage: updraftd COMMAND [OPTION ...] [OPERAND]\n\nCommands:\n");
    for (const struct verb *verb = verbs; verb->name != NULL; verb++) {
        printf("  %-23s %s\n", verb->name, verb->summary);
    }
    printf("\n'updraftd COMMAND --help' tells the options. Exit status: %s\n", exit_codes);
}

/* A line of roff that begins with a dot or a quote would be a request. */
static void print_roff(const char *text)
{
    bool start = true;

    for (; *text != 0; text++) {
        if (start && (*text == '.' || *text == '\'')) {
            fputs("\\&", stdout);
        }
        start = *text == '\n';
        fputs(*text == '-' ? "\\-" : *text == '\\' ? "\\e" : (char[]){*text, 0}, stdout);
    }
    putchar('\n');
}

static void print_man(void)
{
    char flag[64];

    printf(".TH UPDRAFTD 8 \"\" \"updraft %s\"\n.SH NAME\n", UPD_VERSION);
    print_roff("updraftd - the update server for ESP8266 and ESP32 class chips");
    printf(".SH SYNOPSIS\n.B updraftd\nCOMMAND [OPTION ...] [OPERAND]\n.SH COMMANDS\n");
    for (const struct verb *verb = verbs; verb->name != NULL; verb++) {
        printf(".TP\n.B %s%s%s\n", verb->name, verb->operand != NULL ? " " : "",
               verb->operand != NULL ? verb->operand : "");
        print_roff(verb->summary);
        if (verb->text[0] != 0) {
            printf(".br\n");
            print_roff(verb->text);
        }
    }
    printf(".SH CONFIGURATION\n");
    for (const struct config_key *key = config_keys; key->name != NULL; key++) {
        flag_text(key, flag, sizeof flag);
        printf(".TP\n.B ");
        print_roff(flag);
        print_roff(key->help);
        printf("(default: ");
        fputs(key->fallback[0] != 0 ? key->fallback : "none", stdout);
        printf(")\n");
    }
    printf(".SH EXIT STATUS\n");
    print_roff(exit_codes);
}

enum exit_code run_help(const struct run *run)
{
    const struct verb *verb = verbs;

    if (run->operand == NULL) {
        print_program();
        return EXIT_DONE;
    }
    if (strcmp(run->operand, "man") == 0) {
        print_man();
        return EXIT_DONE;
    }
    while (verb->name != NULL && strcmp(verb->name, run->operand) != 0) {
        verb++;
    }
    if (verb->name == NULL) {
        return complain(EXIT_USAGE, "there is no command %s; see 'updraftd help'", run->operand);
    }
    print_verb(verb);
    return EXIT_DONE;
}

enum exit_code run_version(const struct run *run)
{
    (void)run;
    printf("updraftd %s\n", UPD_VERSION);
    return EXIT_DONE;
}

enum exit_code run_completion(const struct run *run)
{
    char flag[64];

    (void)run;
    printf(
        "_updraftd() {\n    local words\n    if [ \"$COMP_CWORD\" -eq 1 ]; then\n        words=\"");
    for (const struct verb *verb = verbs; verb->name != NULL; verb++) {
        printf("%s%s", verb == verbs ? "" : " ", verb->name);
    }
    printf("\"\n    else\n        words=\"--help --config");
    for (const struct config_key *key = config_keys; key->name != NULL; key++) {
        flag_text(key, flag, sizeof flag);
        printf(" %.*s", (int)strcspn(flag, " "), flag);
    }
    printf(
        "\"\n    fi\n    mapfile -t COMPREPLY < <(compgen -W \"$words\" -f -- \"${COMP_WORDS[COMP_CWORD]}\")\n}\n"
        "complete -o filenames -F _updraftd updraftd\n");
    return EXIT_DONE;
}

enum exit_code run_check_config(const struct run *run)
{
    char text[1024];

    if (run->config->file != NULL) {
        printf("# %s, environment and options\n", run->config->file);
    }
    for (const struct config_key *key = config_keys; key->name != NULL; key++) {
        config_show(run->config, key, text, sizeof text);
        printf("%s = %s\n", key->name, text);
    }
    return EXIT_DONE;
}
