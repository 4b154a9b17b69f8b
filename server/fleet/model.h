/*
 * updraftd: the nouns of a fleet, as they are stored, decided on and shown.
 *
 *     product --< release --< image ---- blob (a file, by its SHA-256)
 *        |           |
 *        |           +---< update >---+            an update is one device x one release
 *        |                            |
 *        +----------------< device >--+            member: user x product, with a role
 *
 * Every noun is one flat struct of fixed size: no pointers, nothing to free, copied by assignment.
 * Texts are UTF-8 and end with NUL; an empty text is "not told". Times are milliseconds since 1970
 * in UTC, 0 is never. `no` is the number inside of the store, 0 is none; it is never shown. `id` is
 * what the world sees: a prefix and 16 random characters.
 *
 * The names of the fields are also their names in queries (server/store/store.h).
 */
#ifndef UPDRAFT_SERVER_MODEL_H
#define UPDRAFT_SERVER_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <updraft/chip.h>

#include "text/sentence.h"

enum {
    ID_SIZE = 20,      /* "p_0123456789abcdef" and NUL */
    NAME_SIZE = 404,   /* 100 characters of at most 4 bytes */
    VERSION_SIZE = 68, /* 64 bytes: what OTAdrive and updraft allow */
    KEY_SIZE = 44,     /* 40 hexadecimal digits, or a UUID of 36 characters */
    SERIAL_SIZE = 68,  /* 64 bytes */
    MAC_SIZE = 20,     /* "18:fe:34:00:00:01", always lower case with colons */
    HEX32_SIZE = 33,   /* an MD5 in lower-case hexadecimal */
    HEX64_SIZE = 65,   /* a SHA-256 likewise */
    NOTES_SIZE = 4096,
    TABLE_SIZE = 8192, /* a partition table as CSV */
    ADDRESS_SIZE = 48, /* of a peer, as text */
    WORD_SIZE = 36,    /* a stable word: channel, group's key, variant, reason */
    SENTENCE_SIZE = 256,
};

/* X(NAME, "word"): what a fleet is built with, which decides how its devices behave. */
#define PRODUCT_KINDS(X)                                                                           \
    X(NONOS, "nonos")       /* Espressif's NONOS SDK: user1 and user2, reboots when told */        \
    X(ARDUINO, "arduino")   /* ESPhttpUpdate, HTTPUpdate: one app, reboots by itself */            \
    X(OTADRIVE, "otadrive") /* as arduino, with OTAdrive's life cycle of devices */                \
    X(IDF, "idf")                                                                                  \
    X(RTOS, "rtos")                                                                                \
    X(UPDRAFT, "updraft")

/* X(NAME, "word"): who has to say yes. */
#define CONSENTS(X)                                                                                \
    X(AUTOMATIC, "automatic")                                                                      \
    X(ASK_DOWNLOAD, "ask_download") /* the owner, before a byte is fetched */                      \
    X(ASK_REBOOT, "ask_reboot")     /* the owner, when it is downloaded: Espressif's procedure */  \
    X(OPERATOR, "operator")         /* only what an operator orders, device by device */

/* X(NAME, "word"): what becomes of a device that was never heard of, under a valid product key. */
#define STRANGERS(X)                                                                               \
    X(REFUSE, "refuse") /* absent means no */                                                      \
    X(HOLD, "hold")     /* registered, and nothing is served until an operator admits it */        \
    X(ADMIT, "admit")

/* X(NAME, "word"): the standing of a device. */
#define STANDINGS(X)                                                                               \
    X(NEW, "new") /* registered by itself, not admitted */                                         \
    X(ADMITTED, "admitted")                                                                        \
    X(BLOCKED, "blocked")                                                                          \
    X(DISABLED, "disabled")

/* X(NAME, "word"): an image's part in a release; those from CONFIG on are OTAdrive's and in none: what
 * devices are configured with, files that they keep beside the firmware, and what a group of devices
 * (named in `file`) is configured with instead. */
#define PARTS(X)                                                                                   \
    X(APP, "app")                                                                                  \
    X(USER1, "user1")                                                                              \
    X(USER2, "user2")                                                                              \
    X(FILESYSTEM, "filesystem")                                                                    \
    X(CONFIG, "config")                                                                            \
    X(RESOURCE, "resource")                                                                        \
    X(GROUP_CONFIG, "group_config")

/* X(NAME, "word"): how a device talks to us. */
#define PROTOCOLS(X)                                                                               \
    X(NONE, "none")                                                                                \
    X(ESPRESSIF_LINK, "espressif-link")                                                            \
    X(ESPRESSIF_HTTP, "espressif-http")                                                            \
    X(ESPHTTPUPDATE, "esphttpupdate")                                                              \
    X(OTADRIVE, "otadrive")                                                                        \
    X(PLAIN, "plain")                                                                              \
    X(UPDRAFT, "updraft")

/* X(NAME, "word"): roles in one product, each may what the ones before may. */
#define ROLES(X)                                                                                   \
    X(NONE, "none") X(VIEWER, "viewer") X(OPERATOR, "operator") X(DEVELOPER, "developer")

/* X(NAME, "word"): what a secret opens. */
#define TOKEN_KINDS(X)                                                                             \
    X(SESSION, "session")       /* a browser, by cookie */                                         \
    X(API, "api")               /* a program, by Authorization: Bearer */                          \
    X(USER_KEY, "user_key")     /* Espressif's key of a user */                                    \
    X(OWNER_KEY, "owner_key")   /* Espressif's key of the owner of one device */                   \
    X(ACTIVATION, "activation") /* binds a device to the user that made it, once */

enum product_kind {
#define X(name, word) KIND_##name,
    PRODUCT_KINDS(X)
#undef X
};
enum consent {
#define X(name, word) CONSENT_##name,
    CONSENTS(X)
#undef X
};
enum strangers {
#define X(name, word) STRANGERS_##name,
    STRANGERS(X)
#undef X
};
enum standing {
#define X(name, word) STANDING_##name,
    STANDINGS(X)
#undef X
};
enum part {
#define X(name, word) PART_##name,
    PARTS(X)
#undef X
};
enum protocol {
#define X(name, word) PROTOCOL_##name,
    PROTOCOLS(X)
#undef X
};
enum role {
#define X(name, word) ROLE_##name,
    ROLES(X)
#undef X
};
enum token_kind {
#define X(name, word) TOKEN_##name,
    TOKEN_KINDS(X)
#undef X
};

/*
 * The word of a value, "unknown" when it has none; and the value of a word, false and *value
 * unchanged when there is none.
 */
const char *product_kind_word(enum product_kind value);
bool product_kind_find(const char *word, enum product_kind *value);
const char *consent_word(enum consent value);
bool consent_find(const char *word, enum consent *value);
const char *strangers_word(enum strangers value);
bool strangers_find(const char *word, enum strangers *value);
const char *standing_word(enum standing value);
bool standing_find(const char *word, enum standing *value);
const char *part_word(enum part value);
bool part_find(const char *word, enum part *value);
const char *protocol_word(enum protocol value);
bool protocol_find(const char *word, enum protocol *value);
const char *role_word(enum role value);
bool role_find(const char *word, enum role *value);
const char *token_kind_word(enum token_kind value);

struct product {
    int64_t no;
    char id[ID_SIZE];
    char name[NAME_SIZE];
    char key[KEY_SIZE];           /* what all devices of the product hold: a UUID, lower case */
    char channels[SENTENCE_SIZE]; /* separated by commas; the first is what devices get */
    char table[TABLE_SIZE];       /* partition table as CSV, or empty */
    int64_t created;
    int64_t ptype; /* Espressif's number of the product; 0: none */
    enum product_kind kind;
    enum upd_chip chip;
    enum consent consent;
    enum strangers strangers;
    int32_t map; /* NONOS: flash map 0..9; -1: not told */
    int32_t
        reply_unknown; /* HTTP status for devices not known or not admitted: 304, 401, 403, 404 */
    int32_t reply_blocked; /* likewise for blocked ones */
    bool strict_kinds;     /* no v and b of one number side by side */
};

struct release {
    int64_t no;
    int64_t product;
    char id[ID_SIZE];
    char version[VERSION_SIZE];
    char channel[WORD_SIZE];
    char notes[NOTES_SIZE];
    char letter[4]; /* "o", "l", "a", "n" of a ROM version name; empty for free versions */
    int64_t created;
    int64_t withdrawn; /* when; 0: not */
    bool current;      /* of its channel */
};

enum { IMAGE_OF_PRODUCT = -1 }; /* from CONFIG on: kept until they are removed */

struct image {
    int64_t no;
    int64_t release; /* 0: uploaded, in no release yet; IMAGE_OF_PRODUCT */
    int64_t product;
    int64_t created;
    char sha256[HEX64_SIZE];      /* of the file, which is the blob's name */
    char md5[HEX32_SIZE];         /* of the file */
    char payload_md5[HEX32_SIZE]; /* inflated and without signature: what a device computes */
    char variant[WORD_SIZE];      /* hardware variant; empty: any */
    char file[NAME_SIZE];      /* name for GET /<product>/<file>.bin; path of a resource; group */
    char marker_key[KEY_SIZE]; /* OTAdrive's marker, when the image has one */
    char marker_version[VERSION_SIZE];
    char family[NAME_SIZE]; /* group of devices that a resource is for; empty: all */
    int64_t size;           /* bytes of the file */
    int64_t payload_size;   /* bytes once inflated */
    int64_t flash_size;     /* of the chip that its header names; 0: not told */
    enum part part;
    enum upd_chip chip;
};

struct device {
    int64_t no;
    int64_t product;
    char id[ID_SIZE];
    char name[NAME_SIZE];
    char serial[SERIAL_SIZE]; /* unique in the product when told */
    char chip_id[SERIAL_SIZE];
    char mac[MAC_SIZE];
    char device_key[KEY_SIZE];  /* 40 hexadecimal digits; the master key of Espressif's devices */
    char claim_code[WORD_SIZE]; /* who types it becomes the owner; empty: none */
    char family[NAME_SIZE];     /* the group */
    char channel[WORD_SIZE];    /* empty: the product's first */
    char variant[WORD_SIZE];
    int64_t owner; /* user */
    /* As reported. */
    char version[VERSION_SIZE];
    char slot[8]; /* "user1", "user2", "app0"; what runs */
    char sketch_md5[HEX32_SIZE];
    char sdk[WORD_SIZE];
    char address[ADDRESS_SIZE];
    int64_t free_space; /* bytes; 0: not told */
    int64_t chip_size;  /* bytes of flash; 0: not told */
    int64_t sketch_size;
    int64_t created;
    int64_t activated;
    int64_t last_seen;
    int64_t version_since; /* when the version was first heard */
    int64_t poll_every;    /* milliseconds, of its habit; 0: no habit yet (habit.h) */
    int64_t polls;         /* contacts counted by the habit */
    /* Standing answers. */
    int64_t ordered;    /* release that an operator ordered; 0: none */
    int64_t declined;   /* release that the owner declined */
    int64_t accepted;   /* release that the owner accepted */
    int64_t not_before; /* "tonight": nothing is offered before */
    int64_t failed;     /* release that failed last, and how often in a row */
    int32_t failures;
    int64_t update; /* the one that is going on; 0: none */
    int32_t map;    /* as reported; -1: not told */
    enum standing standing;
    enum protocol protocol; /* of the last contact */
    bool downgrade;         /* the order may go back */
    bool linked;            /* a device link is open */
    bool reboot_wanted;     /* to be told at the next occasion */
    bool reboot_accepted;   /* the owner agrees to the reboot */
};

struct update {
    int64_t no;
    int64_t device;
    int64_t product;
    int64_t release;
    char id[ID_SIZE];
    char version[VERSION_SIZE]; /* of the release */
    char before[VERSION_SIZE];  /* what ran before */
    char reason[WORD_SIZE];     /* of a failure, as a stable word */
    char text[SENTENCE_SIZE];   /* and as a sentence */
    int64_t started;
    int64_t changed;
    int64_t bytes; /* sent so far */
    int64_t size;
    int32_t state;  /* enum update_state, lifecycle.h */
    int32_t served; /* how often the image was sent from its start */
    bool inferred;  /* the last step was concluded, not said */
};

/** A step of an update's life. */
struct step {
    int64_t no;
    int64_t update;
    int64_t time;
    char cause[SENTENCE_SIZE];
    char code[WORD_SIZE];     /* of the cause, cause.h; empty: of before causes had codes */
    char detail[DETAIL_SIZE]; /* the values of its sentence, as an object of JSON; or empty */
    int32_t state;
    bool inferred;
};

struct user {
    int64_t no;
    char id[ID_SIZE];
    char name[NAME_SIZE]; /* for log-in; unique */
    char password[160];   /* "pbkdf2-sha256$ROUNDS$SALT$HASH", or empty: cannot log in */
    char language[8];
    int64_t created;
    int64_t last_login;
    bool administrator;
    bool disabled;
};

struct member {
    int64_t no;
    int64_t product;
    int64_t user;
    enum role role;
};

struct token {
    int64_t no;
    int64_t user;   /* whose; 0: nobody's yet */
    int64_t device; /* OWNER_KEY: which; 0: all that the user may */
    char id[ID_SIZE];
    char name[NAME_SIZE];
    char hash[HEX64_SIZE]; /* SHA-256 of the secret, which is shown once and not kept */
    char csrf[KEY_SIZE];   /* SESSION: what the header has to say */
    int64_t created;
    int64_t last_used;
    int64_t expires; /* 0: never */
    enum token_kind kind;
};

/** A line of the audit log. hash = SHA-256(hash of the line before, fields of this one). */
struct audit {
    int64_t no; /* from 1, without gaps */
    int64_t time;
    char who[NAME_SIZE];
    char what[WORD_SIZE];
    char object[ID_SIZE];
    char before[2048]; /* JSON, or empty; longer ones are cut and say so */
    char after[2048];
    char hash[HEX64_SIZE];
};

/** A change that the world is told of. */
struct event {
    int64_t no; /* the sequence number */
    int64_t time;
    int64_t product;      /* 0: of no product */
    int64_t device;       /* 0: of no device */
    int64_t user;         /* the owner, who may see it; 0: none */
    char kind[WORD_SIZE]; /* "device.changed", "update.changed", "release.current" ... */
    char json[2048];
};

struct setting {
    int64_t no;
    char key[WORD_SIZE];
    char value[2048];
};

#endif
