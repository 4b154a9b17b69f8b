#include "web/web.h"

#include <string.h>

#include <zlib.h>

/* Scripts of this server alone; core/ as WebAssembly; nothing else from anywhere, and nobody frames
 * the page. */
static const char policy[] =
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'";

static const struct web_file *find(const char *path)
{
    for (const struct web_file *file = web_files; file->path != NULL; file++) {
        if (strcmp(file->path, path) == 0) {
            return file;
        }
    }
    return NULL;
}

/* Whether gzip is among the codings that the client takes; every browser's is. */
static bool takes_gzip(const struct http_exchange *x)
{
    const char *codings = http_header(x, "Accept-Encoding");
    const char *found = codings != NULL ? strstr(codings, "gzip") : NULL;

    return found != NULL && strncmp(found + 4, ";q=0", 4) != 0;
}

static void answer_inflated(struct http_exchange *x, const struct web_file *file)
{
    enum { WINDOW_GZIP = 15 + 16 };
    unsigned char *whole = http_alloc(x, file->whole + 1);
    z_stream stream = {.next_in = (unsigned char *)(uintptr_t)file->data,
                       .avail_in = (uInt)file->size,
                       .next_out = whole,
                       .avail_out = (uInt)file->whole + 1};

    if (inflateInit2(&stream, WINDOW_GZIP) != Z_OK) {
        http_answer_empty(x, 500);
        return;
    }
    int ended = inflate(&stream, Z_FINISH);
    inflateEnd(&stream);
    if (ended != Z_STREAM_END || stream.total_out != file->whole) {
        http_answer_empty(x, 500);
        return;
    }
    http_answer(x, 200, file->type, whole, file->whole);
}

static void answer_page_file(struct http_exchange *x, const struct web_file *file)
{
    bool fingerprinted = strncmp(file->path, "/assets/", 8) == 0;

    if (takes_gzip(x)) {
        http_answer_static(x, 200, file->type, file->data, file->size);
        http_answer_header(x, "Content-Encoding", "gzip");
    } else {
        answer_inflated(x, file);
    }
    http_answer_header(x, "Vary", "Accept-Encoding");
    http_answer_header(x, "Cache-Control",
                       fingerprinted ? "public, max-age=31536000, immutable" : "no-cache");
    http_answer_header(x, "Content-Security-Policy", policy);
}

static void answer_path(struct http_exchange *x, const char *path)
{
    const struct web_file *file = find(path);

    if (file != NULL) {
        answer_page_file(x, file);
    } else if (web_files[0].path == NULL) {
        http_answer_text(
            x, 200,
            "updraftd runs, and was built without its web page: ./dev build makes both.\n"
            "The command line does all of it: updraft --help\n");
    } else {
        http_answer_not_found(x);
    }
}

/* The operator's page is one page for all of its addresses; so is the owner's. */
static void operator_page(struct http_exchange *x)
{
    answer_path(x, "/index.html");
}

static void owner_page(struct http_exchange *x)
{
    answer_path(x, "/app.html");
}

static void asset(struct http_exchange *x)
{
    answer_path(x, http_printf(x, "/assets/%s", http_path(x, "file")));
}

static void icon(struct http_exchange *x)
{
    answer_path(x, "/icon.svg");
}

static void manifest(struct http_exchange *x)
{
    answer_path(x, "/app.webmanifest");
}

#define PAGE(pattern, handler)                                                                     \
    {                                                                                              \
        HTTP_GET, pattern, HTTP_PUBLIC, HTTP_INLINE | HTTP_PLAIN, 0, handler, NULL, NULL           \
    }
static const struct http_route routes[] = {
    PAGE("/", operator_page),
    PAGE("/setup", operator_page),
    PAGE("/products", operator_page),
    PAGE("/products/{rest...}", operator_page),
    PAGE("/devices", operator_page),
    PAGE("/devices/{rest...}", operator_page),
    PAGE("/updates", operator_page),
    PAGE("/tokens", operator_page),
    PAGE("/users", operator_page),
    PAGE("/audit", operator_page),
    PAGE("/settings", operator_page),
    PAGE("/app", owner_page),
    PAGE("/app/{rest...}", owner_page),
    PAGE("/assets/{file}", asset),
    PAGE("/icon.svg", icon),
    PAGE("/app.webmanifest", manifest),
};

struct http_table web_table(void)
{
    return (struct http_table){HTTP_TABLE(routes), NULL};
}
