/*
 * The web page, carried in the program: `/` for those who run a fleet, `/app` for those who own a
 * device.
 *
 * The files are those that web/build.mjs made; a build without Node.js has none, and says so at
 * `/`. All files are kept compressed. Names with a fingerprint are kept by browsers for a year, all
 * others are asked for anew.
 */
#ifndef UPDRAFT_SERVER_WEB_H
#define UPDRAFT_SERVER_WEB_H

#include "http/http.h"

/** Its routes; no context. */
struct http_table web_table(void);

/** A file of the page. */
struct web_file {
    const char *path; /* as it is asked for: "/assets/style-ABC.css" */
    const char *type;
    const unsigned char *data; /* gzip */
    size_t size;
    size_t whole; /* bytes once inflated */
};

/** Made by web/build.mjs, or empty; ended by a row of NULLs. */
extern const struct web_file web_files[];

#endif
