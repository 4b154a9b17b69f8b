#include "api/simulation.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <updraft/chip.h>

#include "api/inside.h"
#include "api/show.h"

/* They go on for so long, or until all run another version. */
#define DEVICES "12"
#define SECONDS "3600"
enum { ARGUMENTS = 24, IMAGE_ROOM = 65536 };

struct api_simulation {
    const char *program;
    pthread_mutex_t lock; /* one start or end at a time */
    pid_t child;          /* 0: none */
};

struct api_simulation *api_simulation_new(const char *program)
{
    struct api_simulation *simulation = calloc(1, sizeof *simulation);

    if (simulation == NULL) {
        abort();
    }
    simulation->program = program;
    pthread_mutex_init(&simulation->lock, NULL);
    return simulation;
}

static void end_child(struct api_simulation *simulation)
{
    if (simulation->child != 0) {
        kill(simulation->child, SIGKILL); /* what it simulates is worth nothing */
        waitpid(simulation->child, NULL, 0);
        simulation->child = 0;
    }
}

void api_simulation_free(struct api_simulation *simulation)
{
    end_child(simulation);
    pthread_mutex_destroy(&simulation->lock);
    free(simulation);
}

bool api_simulation_possible(const struct api_simulation *simulation)
{
    return simulation->program != NULL;
}

/* With the lock. */
static bool runs(struct api_simulation *simulation)
{
    if (simulation->child != 0 && waitpid(simulation->child, NULL, WNOHANG) != 0) {
        simulation->child = 0;
    }
    return simulation->child != 0;
}

bool api_simulation_runs(struct api_simulation *simulation)
{
    pthread_mutex_lock(&simulation->lock);
    bool running = runs(simulation);
    pthread_mutex_unlock(&simulation->lock);
    return running;
}

/* --- The program ------------------------------------------------------------------------------ */

/* Between fork and exec only what is safe there: other threads may have held any lock. */
static void become(const char *program, char *const arguments[])
{
    sigset_t none;
    int null = open("/dev/null", O_RDWR);

    /* The devices end with the server, however it ends. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0) {
        _exit(127);
    }
    close_range(3, ~0U, 0);
    execv(program, arguments);
    _exit(127);
}

static pid_t begin(const char *program, const char *const arguments[])
{
    pid_t child = fork();

    if (child == 0) {
        become(program, (char *const *)(uintptr_t)arguments);
    }
    return child;
}

static size_t read_file(const char *path, uint8_t *bytes, size_t room)
{
    FILE *file = fopen(path, "rbe");
    size_t size = file != NULL ? fread(bytes, 1, room, file) : 0;

    if (file != NULL) {
        fclose(file);
    }
    return size;
}

/* An image of this version, of the simulation's own making; its size, 0: it could not be made. */
static size_t make_image(const char *program, const char *version, uint8_t *image)
{
    const char *parent = getenv("TMPDIR");
    char folder[PATH_MAX - 16], path[PATH_MAX];
    const char *const arguments[] = {program,  "image", "--as", "arduino", "--version", version,
                                     "--size", "16K",   "-o",   path,      NULL};
    int status = -1;
    size_t size = 0;

    if (parent == NULL || parent[0] == '\0') {
        parent = "/tmp";
    }
    if (snprintf(folder, sizeof folder, "%s/updraft-show-XXXXXX", parent) >= (int)sizeof folder ||
        mkdtemp(folder) == NULL) {
        return 0;
    }
    snprintf(path, sizeof path, "%s/image.bin", folder);
    pid_t child = begin(program, arguments);
    if (child > 0 && waitpid(child, &status, 0) == child && status == 0) {
        size = read_file(path, image, IMAGE_ROOM);
    }
    unlink(path);
    rmdir(folder);
    return size;
}

/* --- What it is about ------------------------------------------------------------------------- */

static bool add_release(struct http_exchange *x, const struct product *product, const char *version,
                        bool current, const char *notes)
{
    const struct api_simulation *simulation = api_of(x)->simulation;
    uint8_t *bytes = http_alloc(x, IMAGE_ROOM);
    size_t size = make_image(simulation->program, version, bytes);
    struct fleet_upload *upload;
    struct image image;
    struct release release;
    struct fleet_error error;

    if (size == 0) {
        http_answer_error(x, 500, REFUSAL_SIMULATION_IMAGE, NULL,
                          VALUES({"program", simulation->program, 0}));
        return false;
    }
    if (api_failed(
            x,
            fleet_upload_begin(api_fleet(x), api_actor(x), product->id, PART_APP, &upload, &error),
            &error)) {
        return false;
    }
    if (fleet_upload_feed(upload, bytes, size, &error) != FLEET_OK) {
        fleet_upload_abort(upload);
        (void)api_failed(x, error.status, &error);
        return false;
    }
    const struct fleet_release_image part = {.part = PART_APP, .sha256 = image.sha256};
    const struct fleet_release_new wanted = {
        .version = version, .notes = notes, .images = &part, .image_count = 1, .current = current};
    return !api_failed(x, fleet_upload_end(upload, &image, NULL, 0, &error), &error) &&
           !api_failed(x,
                       fleet_release_create(api_fleet(x), api_actor(x), product->id, &wanted,
                                            &release, NULL, &error),
                       &error);
}

/* Two releases, of which the older one is current: the next step is a click. */
static bool make_product(struct http_exchange *x, struct product *product)
{
    struct fleet_error error;

    *product = (struct product){
        .kind = KIND_ARDUINO, .chip = UPD_CHIP_ESP8266, .map = -1, .strangers = STRANGERS_ADMIT};
    snprintf(product->name, sizeof product->name, "Virtual devices");
    return !api_failed(x, fleet_product_create(api_fleet(x), api_actor(x), product, &error),
                       &error) &&
           add_release(x, product, "1.0.0", true, "") &&
           add_release(x, product, "1.1.0", false, "Set it as current, and see it go out.");
}

/* This machine reaches the server by its loopback, at the port that the configuration chose. */
static const char *own_address(struct http_exchange *x)
{
    const char *http = json_string_value(json_object_get(api_of(x)->options.addresses, "http"));
    const char *port = http != NULL ? strrchr(http, ':') : NULL;

    return http_printf(x, "http://127.0.0.1%s", port != NULL ? port : "");
}

void api_simulation_start(struct http_exchange *x)
{
    struct api_simulation *simulation = api_of(x)->simulation;
    struct product *product = http_alloc(x, sizeof *product);

    if (simulation->program == NULL) {
        http_answer_error(x, 409, REFUSAL_NOT_INSTALLED, NULL, NULL);
        return;
    }
    pthread_mutex_lock(&simulation->lock);
    if (runs(simulation)) {
        http_answer_error(x, 409, REFUSAL_RUNNING, NULL, NULL);
    } else if (make_product(x, product)) {
        const char *const arguments[ARGUMENTS] = {simulation->program,
                                                  "fleet",
                                                  "--devices",
                                                  DEVICES,
                                                  "--server",
                                                  own_address(x),
                                                  "--product",
                                                  http_printf(x, "arduino=%s", product->key),
                                                  "--from",
                                                  "1.0.0",
                                                  "--every",
                                                  "3",
                                                  "--arrive",
                                                  "1",
                                                  "--seconds",
                                                  SECONDS};
        simulation->child = begin(simulation->program, arguments);
        if (simulation->child > 0) {
            http_answer_json(x, 201, show_product(product, ROLE_DEVELOPER, true));
        } else {
            simulation->child = 0;
            http_answer_error(x, 500, REFUSAL_SIMULATION, NULL,
                              VALUES({"program", simulation->program, 0}));
        }
    }
    pthread_mutex_unlock(&simulation->lock);
}

void api_simulation_stop(struct http_exchange *x)
{
    struct api_simulation *simulation = api_of(x)->simulation;

    pthread_mutex_lock(&simulation->lock);
    end_child(simulation);
    pthread_mutex_unlock(&simulation->lock);
    http_answer_empty(x, 204);
}
