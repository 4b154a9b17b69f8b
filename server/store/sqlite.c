/*
 * updraftd: the store on SQLite.
 *
 * One connection writes, on one thread; readers have connections of their own, lent from a pool.
 * The log is written ahead (WAL) and synced at each commit (synchronous=FULL): what store_write()
 * acknowledged survives a power cut.
 *
 *   (1) Only the writer's thread touches the writer's connection once store_open() returned.
 *   (2) A write's caller is woken after the commit, or the roll-back, of the transaction that holds
 *       it; never before.
 *   (3) A change's stripes have the number of its transaction after the commit and before (2); who
 *       takes the newest number as his moment reads at least what it committed.
 *   (4) Notes are in `pending` or `flushing` until the transaction that writes them is committed,
 *       so that store_noted() overlooks none.
 */
#include "store.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sqlite3.h>

#include "schema.h"

enum {
    GROUP_MAX = 256,
    STATEMENTS = 64, /* kept per connection */
    SQL_SIZE = 8192, /* of the longest statement that is put together here */
    LISTENERS = 16,
    /* Notes are written half a second after the first. When there are many, piece by piece, and
     * after each the writer rests for so many times as long as it took: it is for those who wait. */
    FLUSH_MS = 500,
    FLUSH_REST = 8,
    SLICE = 1024,    /* notes in one transaction */
    BUCKETS = 65536, /* of notes */
    STRIPES = 16384, /* of devices and of their names */
    TOUCHED = 4096,  /* stripes of one transaction that are counted one by one */
    BUSY_MS = 10000, /* a backup or another program holds the file so long at most */
};

struct cached {
    char *key; /* NULL: nothing is here */
    sqlite3_stmt *statement;
    bool busy;
};

struct store_view {
    struct store *store;
    sqlite3 *db;
    struct cached cache[STATEMENTS];
    size_t next; /* of the cache, to be replaced */
    bool writing;
    bool begun; /* its transaction; a view that is read from begins one with its first statement */
    enum store_result failed; /* a failure that no roll-back to a savepoint mends */
    int64_t newest;           /* event of this transaction */
    size_t touched;           /* stripes that it changed; more than TOUCHED: everything */
    uint16_t stripes[TOUCHED];
    struct store_view *idle; /* next in the pool */
};

struct job {
    store_work *work;
    void *ctx;
    enum store_result result;
    sem_t done;
    struct job *next;
};

struct note {
    struct telemetry what;
    struct note *next;
};

struct notes {
    struct note *buckets[BUCKETS];
    int64_t count;
};

/** How far the writing of notes is. */
struct flush {
    size_t bucket;
    struct note *next;
};

struct store {
    char *path;
    uint32_t group_max;
    pthread_t thread;
    struct store_view *writer;
    struct flush flush; /* of `flushing`, the writer's */

    /* The number of the newest transaction that changed something which is remembered, and for each
     * stripe of the one that changed it last. Written by the writer's thread alone. */
    atomic_uint_least64_t moment, everything, changed[STRIPES];

    pthread_mutex_t lock; /* everything below */
    pthread_cond_t wake;
    struct job *first, **last;
    bool stopping, flush_now;
    struct notes *pending, *flushing;
    struct store_view *pool;
    struct {
        store_listener *function;
        void *ctx;
    } listeners[LISTENERS];
    struct store_stats stats;
};

static const char *const results[] = {
#define X(name, text) text,
    STORE_RESULTS(X)
#undef X
};

void store_mutex_init(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
    pthread_mutex_init(mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

const char *store_result_text(enum store_result result)
{
    return (size_t)result < sizeof results / sizeof results[0] ? results[result] : "unknown";
}

/** Remember the first failure that cannot be mended: what fails after it fails because of it. */
static enum store_result broken(struct store_view *view, enum store_result result)
{
    if (view->failed == STORE_OK) {
        view->failed = result;
    }
    return view->failed;
}

/** What a code of SQLite means; also remembers what cannot be mended. */
static enum store_result judge(struct store_view *view, int code)
{
    int system = sqlite3_system_errno(view->db);
    switch (code & 0xFF) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return STORE_OK;
    case SQLITE_CONSTRAINT:
        return STORE_CLASH;
    case SQLITE_FULL:
        return broken(view, STORE_FULL);
    case SQLITE_IOERR:
        if (system == ENOSPC || system == EDQUOT || system == EFBIG) {
            return broken(view, STORE_FULL);
        }
        return broken(view, STORE_FAILED);
    default:
        return broken(view, STORE_FAILED);
    }
}

/* --- Sets of numbers --------------------------------------------------------------------------- */

enum { SET_MAX = INT32_MAX }; /* numbers are given one after the other: a larger one is a fault */

struct store_set {
    uint64_t *words;
    int64_t room;  /* numbers, from 0 on */
    bool failed;   /* one did not fit */
    bool inverted; /* the bits are the numbers that are not in it */
};

static const char set_type[] = "updraft set";

struct store_set *store_set_new(void)
{
    return calloc(1, sizeof(struct store_set));
}

void store_set_free(struct store_set *set)
{
    if (set != NULL) {
        free(set->words);
        free(set);
    }
}

static void put(struct store_set *set, int64_t no)
{
    if (no >= set->room) {
        int64_t room = set->room < 4096 ? 4096 : set->room;
        while (room <= no && room <= SET_MAX) {
            room *= 2;
        }
        uint64_t *words = no < room ? realloc(set->words, (size_t)room / 8) : NULL;
        if (words == NULL) {
            set->failed = true;
            return;
        }
        memset(words + set->room / 64, 0, (size_t)(room - set->room) / 8);
        set->words = words;
        set->room = room;
    }
    set->words[no / 64] |= UINT64_C(1) << no % 64;
}

static bool holds(const struct store_set *set, int64_t no)
{
    bool bit = no >= 0 && no < set->room && (set->words[no / 64] >> no % 64 & 1) != 0;
    return bit != set->inverted;
}

bool store_set_inverted(const struct store_set *set)
{
    return set->inverted;
}

int64_t store_set_bits(const struct store_set *set)
{
    int64_t count = 0;
    for (int64_t i = 0; i < set->room / 64; i++) {
        count += __builtin_popcountll(set->words[i]);
    }
    return count;
}

void store_set_invert(struct store_set *set)
{
    set->inverted = !set->inverted;
}

/** So many bits as another one has. */
static void widen(struct store_set *set, const struct store_set *other)
{
    if (set->room < other->room) {
        put(set, other->room - 1);
        if (!set->failed) {
            set->words[(other->room - 1) / 64] &= ~(UINT64_C(1) << 63);
        }
    }
}

/* In the bits: both as they are, a & b; one inverted, the other without it; both inverted, a | b. */
bool store_set_keep(struct store_set *set, struct store_set *other)
{
    widen(set, other);
    widen(other, set);
    if (set->failed || other->failed) {
        return false;
    }
    for (int64_t i = 0; i < set->room / 64; i++) {
        uint64_t mine = set->words[i], its = other->words[i];
        set->words[i] = set->inverted     ? (other->inverted ? mine | its : its & ~mine)
                        : other->inverted ? mine & ~its
                                          : mine & its;
    }
    set->inverted = set->inverted && other->inverted;
    return true;
}

/* The same in SQL: set_put(set, number) over rows, and whether set_holds(set, number). */
static void sql_put(sqlite3_context *context, int count, sqlite3_value **values)
{
    struct store_set *set = sqlite3_value_pointer(values[0], set_type);
    (void)context;
    (void)count;
    int64_t no = sqlite3_value_int64(values[1]);
    if (set != NULL && no >= 0) {
        put(set, no);
    }
}

static void sql_put_end(sqlite3_context *context)
{
    sqlite3_result_null(context);
}

static void sql_holds(sqlite3_context *context, int count, sqlite3_value **values)
{
    const struct store_set *set = sqlite3_value_pointer(values[0], set_type);
    (void)count;
    sqlite3_result_int(context, set != NULL && holds(set, sqlite3_value_int64(values[1])));
}

static bool add_functions(sqlite3 *db)
{
    return sqlite3_create_function(db, "set_put", 2, SQLITE_UTF8 | SQLITE_DIRECTONLY, NULL, NULL,
                                   sql_put, sql_put_end) == SQLITE_OK &&
           sqlite3_create_function(db, "set_holds", 2,
                                   SQLITE_UTF8 | SQLITE_DIRECTONLY | SQLITE_DETERMINISTIC, NULL,
                                   sql_holds, NULL, NULL) == SQLITE_OK;
}

/* --- SQL, put together ------------------------------------------------------------------------ */

struct sql {
    char text[SQL_SIZE];
    size_t length;
    bool overflow;
};

/** Not by an initializer: that would clear all of the text, for each poll. */
static void begin_sql(struct sql *sql)
{
    sql->text[0] = '\0';
    sql->length = 0;
    sql->overflow = false;
}

static void add(struct sql *sql, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct sql *sql, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length =
        vsnprintf(sql->text + sql->length, sizeof sql->text - sql->length, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof sql->text - sql->length) {
        sql->overflow = true;
    } else {
        sql->length += (size_t)length;
    }
}

/** The same without a format: most of a statement is names, and every poll puts one together. */
static void add_text(struct sql *sql, const char *text)
{
    size_t size = strlen(text);
    if (size >= sizeof sql->text - sql->length) {
        sql->overflow = true;
        return;
    }
    memcpy(sql->text + sql->length, text, size + 1);
    sql->length += size;
}

static enum store_result run(struct store_view *view, const char *text);

static bool begin(struct store_view *view)
{
    if (!view->begun) {
        view->begun = true; /* for the statement that follows */
        view->begun = run(view, "BEGIN") == STORE_OK;
    }
    return view->begun;
}

/** The statement of a key that is not in use; NULL when there is none. */
static sqlite3_stmt *reuse(struct store_view *view, const char *key)
{
    if (!begin(view)) {
        return NULL;
    }
    for (size_t i = 0; i < STATEMENTS; i++) {
        struct cached *cached = &view->cache[i];
        if (cached->key != NULL && !cached->busy && strcmp(cached->key, key) == 0) {
            cached->busy = true;
            return cached->statement;
        }
    }
    return NULL;
}

static void forget(struct cached *cached)
{
    if (cached->key != NULL) {
        sqlite3_finalize(cached->statement);
        free(cached->key);
        *cached = (struct cached){0};
    }
}

/** Prepare a statement and keep it under a key; NULL when that fails. Give back by done_with(). */
static sqlite3_stmt *prepare(struct store_view *view, const char *key, const struct sql *sql)
{
    sqlite3_stmt *statement = NULL;
    if (!begin(view) || sql->overflow ||
        sqlite3_prepare_v3(view->db, sql->text, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) !=
            SQLITE_OK) {
        return NULL;
    }
    /* One that is in use by a query around this one stays. */
    for (size_t tries = 0; tries < STATEMENTS; tries++) {
        struct cached *cached = &view->cache[view->next++ % STATEMENTS];
        if (!cached->busy) {
            forget(cached);
            cached->key = strdup(key);
            if (cached->key != NULL) {
                cached->statement = statement;
                cached->busy = true;
            }
            break;
        }
    }
    return statement;
}

static void done_with(struct store_view *view, sqlite3_stmt *statement)
{
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    for (size_t i = 0; i < STATEMENTS; i++) {
        if (view->cache[i].key != NULL && view->cache[i].statement == statement) {
            view->cache[i].busy = false;
            return;
        }
    }
    sqlite3_finalize(statement);
}

/** A statement that is its own key. */
static sqlite3_stmt *prepare_text(struct store_view *view, const char *text)
{
    sqlite3_stmt *statement = reuse(view, text);
    if (statement == NULL) {
        struct sql sql;
        begin_sql(&sql);
        add_text(&sql, text);
        statement = prepare(view, text, &sql);
    }
    return statement;
}

static const char *const operators[] = {"] IS ?", "] IS NOT ?", "] < ?",   "] > ?",
                                        "] <= ?", "] >= ?",     "] LIKE ?"};
/* The parameters of sets, behind those of conditions. */
enum { WITHIN = 20, INTO = 21, CONDITIONS_MAX = 9 };
static const char *const numbers[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"};

static bool is_product(const struct store_where *where)
{
    return where->op == STORE_EQ && strcmp(where->field, "product") == 0;
}

/** The next field of "name|serial"; NULL: that was the last, or there is no such field. */
static const struct schema_field *next_field(enum store_kind kind, const char **names)
{
    size_t size = strcspn(*names, "|");
    const struct schema_field *field = size == 0 ? NULL : schema_field(kind, *names, size);
    *names += size + ((*names)[size] == '|');
    return field;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/** Fields that begin with a text, whose first two characters count in each letter case: ranges. */
static void add_beginnings(struct sql *sql, enum store_kind kind, const struct store_where *where,
                           const char *parameter)
{
    static const char *const cases[] = {"lower", "upper"};
    const char *names = where->field, *between = "";
    const struct schema_field *field;
    bool first = is_letter(where->text[0]);
    bool second = where->text[0] != '\0' && is_letter(where->text[1]);
    while ((field = next_field(kind, &names)) != NULL) {
        for (int i = 0; i < 4; i++) {
            char begin[80];
            if ((i / 2 != 0 && !first) || (i % 2 != 0 && !second)) {
                continue;
            }
            snprintf(begin, sizeof begin, "%s(substr(?%s,1,1))||%s(substr(?%s,2))", cases[i / 2],
                     parameter, cases[i % 2], parameter);
            add(sql, "%s(+[%s]>=%s AND +[%s]<%s||char(1114111))", between, field->name, begin,
                field->name, begin);
            between = " OR ";
        }
    }
}

/** The fields of a condition, "name|serial": one comparison each, on the same parameter. An index is
 *  kept from use for what is false: that is true of most. */
static bool add_condition(struct sql *sql, enum store_kind kind, const struct store_query *query,
                          size_t parameter, bool no_index)
{
    const struct store_where *where = &query->where[parameter - 1];
    if (where->op == STORE_BEGINS) {
        add_beginnings(sql, kind, where, numbers[parameter]);
        return true;
    }
    if (where->op == STORE_OF_PRODUCTS) {
        add_text(sql, "product IN (SELECT no FROM product)");
        return kind == STORE_DEVICE || kind == STORE_UPDATE;
    }
    if (where->op == STORE_MEMBER_OF) {
        add(sql, "product IN (SELECT product FROM member WHERE user = ?%s AND role > %d)",
            numbers[parameter], ROLE_NONE);
        return kind == STORE_DEVICE || kind == STORE_UPDATE;
    }
    if (where->op == STORE_SEEN_BY) {
        add(sql, "product IN (SELECT product FROM member WHERE user = ?%s AND role > %d) ",
            numbers[parameter], ROLE_NONE);
        add(sql, "OR owner = ?%s", numbers[parameter]);
        return kind == STORE_DEVICE;
    }
    if (where->op == STORE_OWN_ELSE) {
        add(sql,
            kind == STORE_DEVICE ? "owner = ?%s"
                                 : "device IN (SELECT no FROM device WHERE owner = ?%s)",
            numbers[parameter]);
        add(sql, " AND +product NOT IN (SELECT product FROM member WHERE user = ?%s AND role > %d)",
            numbers[parameter], ROLE_NONE);
        return kind == STORE_DEVICE || kind == STORE_UPDATE;
    }
    if (where->op == STORE_GOING_IN) {
        add(sql,
            no_index ? "EXISTS (SELECT 1 FROM [update] AS going WHERE going.no = device.[update] "
                       "AND going.state = ?%s)"
                     : "[update] IN (SELECT no FROM [update] AS going WHERE going.state = ?%s)",
            numbers[parameter]);
        return kind == STORE_DEVICE;
    }
    for (const char *name = where->field; *name != '\0';) {
        size_t size = strcspn(name, "|");
        const struct schema_field *field = schema_field(kind, name, size);
        if (field == NULL) {
            return false;
        }
        add_text(sql, name == where->field ? "" : " OR ");
        bool most = field->size == sizeof(bool) && where->number == 0;
        add_text(sql, no_index || most ? "+[" : "[");
        add_text(sql, field->name);
        add_text(sql, operators[where->op]);
        add_text(sql, numbers[parameter]);
        if (where->op == STORE_LIKE) {
            add_text(sql, " ESCAPE '\\'");
        }
        name += size + (name[size] == '|');
    }
    return true;
}

/* --- Searching texts ---------------------------------------------------------------------------- */

enum {
    TRIGRAMS = 32, /* of a text, that narrow the search down; the condition itself decides */
    TEXT_RARE = 20000,
};

/** The trigrams of a text as an expression of FTS5, "abc" AND "bcd"; false when it has none. */
static bool trigrams(const char *text, struct sql *match)
{
    const char *character[4] = {text};
    begin_sql(match);
    for (int count = 0, known = 0; count < TRIGRAMS && **character != '\0';) {
        const char *end = character[known];
        if (*end == '\0') {
            break;
        }
        for (end++; (*end & 0xC0) == 0x80; end++) {
        }
        character[++known] = end;
        if (known < 3) {
            continue;
        }
        add_text(match, count++ == 0 ? "\"" : " AND \"");
        for (const char *at = character[0]; at < end; at++) {
            add(match, *at == '"' ? "\"\"" : "%c", *at);
        }
        add_text(match, "\"");
        memmove(character, character + 1, 3 * sizeof character[0]);
        known = 2;
    }
    return match->length != 0 && !match->overflow;
}

/** The condition of a query that the trigrams can serve; NULL. */
static const struct store_where *text_condition(enum store_kind kind,
                                                const struct store_query *query)
{
    const struct schema_kind *schema = schema_kind(kind);
    for (size_t i = 0; schema->text_index != NULL && query != NULL && i < query->count; i++) {
        if (query->where[i].op == STORE_LIKE && strcmp(query->where[i].field, schema->texts) == 0) {
            return &query->where[i];
        }
    }
    return NULL;
}

/** Whether few records have the trigrams: then they are fetched; else it is quicker to look at one
 *  record after the other, since every few of them is one. */
static bool rare(struct store_view *view, const struct schema_kind *schema, const struct sql *match)
{
    struct sql sql;
    begin_sql(&sql);
    add(&sql, "SELECT count(*) FROM (SELECT 1 FROM [%s] WHERE [%s] MATCH ?1 LIMIT %d)",
        schema->text_index, schema->text_index, TEXT_RARE);
    sqlite3_stmt *statement = prepare_text(view, sql.text);
    bool few = false;
    if (statement != NULL) {
        sqlite3_bind_text(statement, 1, match->text, -1, SQLITE_STATIC);
        few =
            sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_int64(statement, 0) < TEXT_RARE;
        done_with(view, statement);
    }
    return few;
}

bool store_text_few(struct store_view *view, enum store_kind kind, const char *text)
{
    struct sql match;
    return schema_kind(kind)->text_index != NULL && trigrams(text, &match) &&
           rare(view, schema_kind(kind), &match);
}

static bool add_where(struct sql *sql, enum store_kind kind, const struct store_query *query,
                      bool by_text)
{
    const struct schema_kind *schema = schema_kind(kind);
    if (query != NULL && query->count > CONDITIONS_MAX) {
        return false;
    }
    for (size_t i = 0; query != NULL && i < query->count; i++) {
        add_text(sql, i == 0 ? " WHERE (" : " AND (");
        /* What the text finds is little: no index of another condition finds less. */
        bool chosen = query->by == 0 || query->by == i + 1 || is_product(&query->where[i]);
        if (!add_condition(sql, kind, query, i + 1, by_text || !chosen)) {
            return false;
        }
        add_text(sql, ")");
    }
    if (query != NULL && query->within != NULL) {
        add(sql, "%s set_holds(?%d, [%s])", query->count == 0 ? " WHERE" : " AND", WITHIN,
            query->within_field != NULL ? query->within_field : "no");
    }
    if (by_text) {
        add(sql, " AND no IN (SELECT rowid FROM [%s] WHERE [%s] MATCH ?%s)", schema->text_index,
            schema->text_index, numbers[query->count + 1]);
    }
    return true;
}

static bool add_order(struct sql *sql, enum store_kind kind, const struct store_query *query,
                      bool by_text)
{
    if (query == NULL) {
        return true;
    }
    if (query->order != NULL) {
        const struct schema_field *field = schema_field(kind, query->order, strlen(query->order));
        if (field == NULL) {
            return false;
        }
        /* The number makes the order total, so that pages neither repeat nor skip. */
        const char *way = query->descending ? "DESC" : "ASC",
                   *plus = by_text || query->by != 0 ? "+" : "";
        add(sql, " ORDER BY %s[%s] %s, %sno %s", plus, field->name, way, plus, way);
    }
    if (query->limit != 0 || query->offset != 0) {
        add(sql, " LIMIT %lld OFFSET %lld", (long long)(query->limit != 0 ? query->limit : -1),
            (long long)query->offset);
    }
    return true;
}

/** "%text%" with what LIKE takes for patterns escaped; NULL without memory. */
static char *pattern(const char *text)
{
    char *made = malloc(2 * strlen(text) + 3), *at = made;
    if (made == NULL) {
        return NULL;
    }
    *at++ = '%';
    for (; *text != '\0'; text++) {
        if (strchr("%_\\", *text) != NULL) {
            *at++ = '\\';
        }
        *at++ = *text;
    }
    strcpy(at, "%");
    return made;
}

static void bind_text(sqlite3_stmt *statement, int parameter, const char *text)
{
    if (*text == '\0') {
        sqlite3_bind_null(statement, parameter);
    } else {
        sqlite3_bind_text(statement, parameter, text, -1, SQLITE_TRANSIENT);
    }
}

static void bind_where(sqlite3_stmt *statement, const struct store_query *query)
{
    for (size_t i = 0; query != NULL && i < query->count; i++) {
        const struct store_where *where = &query->where[i];
        int parameter = (int)i + 1;
        if (where->text == NULL) {
            sqlite3_bind_int64(statement, parameter, where->number);
        } else if (where->op == STORE_LIKE) {
            sqlite3_bind_text(statement, parameter, pattern(where->text), -1, free);
        } else {
            bind_text(statement, parameter, where->text);
        }
    }
    if (query != NULL && query->within != NULL) {
        sqlite3_bind_pointer(statement, WITHIN, (void *)query->within, set_type, NULL);
    }
}

/* --- Between structs and columns ---------------------------------------------------------------
 */

static void load_field(sqlite3_stmt *statement, int column, const struct schema_field *field,
                       uint8_t *record)
{
    uint8_t *member = record + field->offset;
    if (field->type == FIELD_TEXT) {
        const unsigned char *text = sqlite3_column_text(statement, column);
        size_t size = text == NULL ? 0 : (size_t)sqlite3_column_bytes(statement, column);
        size = size < field->size ? size : field->size - 1;
        /* The record is all zero: the text ends. */
        if (size != 0) {
            memcpy(member, text, size);
        }
        return;
    }
    int64_t number = sqlite3_column_int64(statement, column);
    int32_t word = (int32_t)number;
    bool flag = number != 0;
    if (field->size == sizeof number) {
        memcpy(member, &number, sizeof number);
    } else if (field->size == sizeof word) {
        memcpy(member, &word, sizeof word);
    } else {
        memcpy(member, &flag, sizeof flag);
    }
}

static void bind_field(sqlite3_stmt *statement, int parameter, const struct schema_field *field,
                       const uint8_t *record)
{
    const uint8_t *member = record + field->offset;
    int64_t number = 0;
    int32_t word;
    if (field->type == FIELD_TEXT) {
        bind_text(statement, parameter, (const char *)member);
        return;
    }
    if (field->size == sizeof number) {
        memcpy(&number, member, sizeof number);
    } else if (field->size == sizeof word) {
        memcpy(&word, member, sizeof word);
        number = word;
    } else {
        number = *member != 0;
    }
    sqlite3_bind_int64(statement, parameter, number);
}

static void load(sqlite3_stmt *statement, const struct schema_kind *kind, void *record)
{
    memset(record, 0, kind->size);
    for (size_t i = 0; i < kind->count; i++) {
        load_field(statement, (int)i, &kind->fields[i], record);
    }
}

static void add_columns(struct sql *sql, const struct schema_kind *kind)
{
    for (size_t i = 0; i < kind->count; i++) {
        add_text(sql, i == 0 ? "[" : ",[");
        add_text(sql, kind->fields[i].name);
        add_text(sql, "]");
    }
}

/* --- Reading ---------------------------------------------------------------------------------- */

/** A statement that is ready to step; NULL when the query names a field that does not exist, which
 *  is our mistake, or when the database is broken. */
static sqlite3_stmt *start(struct store_view *view, enum store_kind kind,
                           const struct store_query *query, const char *what, bool ordered,
                           const char *tail)
{
    const struct schema_kind *schema = schema_kind(kind);
    const struct store_where *text = text_condition(kind, query);
    struct sql key, match;
    bool by_text = text != NULL && trigrams(text->text, &match) && rare(view, schema, &match);
    begin_sql(&key);
    /* Without the columns, which are most of a statement and always the same. */
    add_text(&key, what != NULL ? what : "SELECT *");
    add_text(&key, " FROM [");
    add_text(&key, schema->table);
    add_text(&key, "]");
    if (!add_where(&key, kind, query, by_text) ||
        (ordered && !add_order(&key, kind, query, by_text))) {
        return NULL;
    }
    add_text(&key, tail);
    sqlite3_stmt *statement = key.overflow ? NULL : reuse(view, key.text);
    if (statement == NULL && !key.overflow) {
        struct sql sql;
        begin_sql(&sql);
        if (what == NULL) {
            add_text(&sql, "SELECT ");
            add_columns(&sql, schema);
        }
        add_text(&sql, key.text + (what == NULL ? strlen("SELECT *") : 0));
        statement = prepare(view, key.text, &sql);
    }
    if (statement != NULL) {
        bind_where(statement, query);
    }
    if (statement != NULL && by_text) {
        sqlite3_bind_text(statement, (int)query->count + 1, match.text, -1, SQLITE_TRANSIENT);
    }
    return statement;
}

enum store_result store_each(struct store_view *view, enum store_kind kind,
                             const struct store_query *query,
                             bool (*each)(void *ctx, const void *record), void *ctx)
{
    const struct schema_kind *schema = schema_kind(kind);
    void *record = malloc(schema->size);
    sqlite3_stmt *statement = start(view, kind, query, NULL, true, "");
    if (statement == NULL || record == NULL) {
        free(record);
        return broken(view, STORE_FAILED);
    }
    int code = sqlite3_step(statement);
    while (code == SQLITE_ROW) {
        load(statement, schema, record);
        code = each(ctx, record) ? sqlite3_step(statement) : SQLITE_DONE;
    }
    done_with(view, statement);
    free(record);
    return judge(view, code);
}

/* --- Merging ---------------------------------------------------------------------------------- */

/** One query of several: its next number and what that is sorted by are the statement's row. */
struct branch {
    sqlite3_stmt *statement;
    int64_t no, number; /* `number` or `text`, by the type */
    const void *text;
    size_t size;
    int type;
};

static void read_branch(struct branch *branch)
{
    sqlite3_stmt *row = branch->statement;
    branch->no = sqlite3_column_int64(row, 0);
    branch->type = sqlite3_column_type(row, 1);
    if (branch->type == SQLITE_INTEGER) {
        branch->number = sqlite3_column_int64(row, 1);
    } else if (branch->type == SQLITE_TEXT) {
        branch->text = sqlite3_column_text(row, 1);
        branch->size = (size_t)sqlite3_column_bytes(row, 1);
    }
}

/** NULL, then numbers, then texts byte by byte, as SQLite sorts them. */
static int compare_keys(const struct branch *one, const struct branch *other)
{
    if (one->type == SQLITE_NULL || other->type == SQLITE_NULL) {
        return (one->type != SQLITE_NULL) - (other->type != SQLITE_NULL);
    }
    if (one->type == SQLITE_INTEGER) {
        return (one->number > other->number) - (one->number < other->number);
    }
    int order = memcmp(one->text, other->text, one->size < other->size ? one->size : other->size);
    return order != 0 ? order : (one->size > other->size) - (one->size < other->size);
}

static bool goes_before(const struct branch *one, const struct branch *other, bool descending)
{
    int order = compare_keys(one, other);
    order = order != 0 ? order : (one->no > other->no) - (one->no < other->no);
    return descending ? order > 0 : order < 0;
}

/** Let the branch at `at` of a heap sink to where it belongs. */
static void sink(struct branch *heap, size_t count, size_t at, bool descending)
{
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && goes_before(&heap[child + 1], &heap[child], descending)) {
            child++;
        }
        if (!goes_before(&heap[child], &heap[at], descending)) {
            break;
        }
        struct branch lighter = heap[child];
        heap[child] = heap[at];
        heap[at] = lighter;
    }
}

/** Start the queries; those that find something are in the heap, in no order yet. */
static enum store_result start_branches(struct store_view *view, enum store_kind kind,
                                        const struct store_query *queries, size_t query_count,
                                        int64_t offset, int64_t limit, struct branch *heap,
                                        size_t *count)
{
    char what[128];
    for (size_t i = 0; i < query_count; i++) {
        struct store_query query = queries[i];
        int64_t most = query_count == 1 ? limit : offset + limit;
        query.offset = query_count == 1 ? offset : 0;
        query.limit = query.limit != 0 && query.limit < most ? query.limit : most;
        snprintf(what, sizeof what, "SELECT no,[%s]", query.order);
        sqlite3_stmt *statement = start(view, kind, &query, what, true, "");
        if (statement == NULL) {
            return broken(view, STORE_FAILED);
        }
        int code = sqlite3_step(statement);
        if (code != SQLITE_ROW) {
            done_with(view, statement);
            enum store_result result = judge(view, code);
            if (result != STORE_OK) {
                return result;
            }
            continue;
        }
        heap[*count] = (struct branch){.statement = statement};
        read_branch(&heap[*count]);
        *count += 1;
    }
    return STORE_OK;
}

enum store_result store_merge(struct store_view *view, enum store_kind kind,
                              const struct store_query *queries, size_t query_count, int64_t offset,
                              int64_t limit, int64_t *found, size_t *count)
{
    size_t left = 0;
    int64_t skip = query_count == 1 ? 0 : offset; /* of one query SQLite skips */
    *count = 0;
    if (query_count == 0 || limit <= 0) {
        return STORE_OK;
    }
    struct branch *heap = calloc(query_count, sizeof *heap);
    if (heap == NULL) {
        return STORE_FAILED;
    }
    enum store_result result =
        start_branches(view, kind, queries, query_count, offset, limit, heap, &left);
    bool descending = queries[0].descending;
    for (size_t i = left / 2; i-- > 0;) {
        sink(heap, left, i, descending);
    }
    while (result == STORE_OK && left != 0) {
        if (skip != 0) {
            skip--;
        } else {
            found[(*count)++] = heap[0].no;
            if (*count == (size_t)limit) {
                break; /* where the next one is may be far */
            }
        }
        int code = sqlite3_step(heap[0].statement);
        if (code == SQLITE_ROW) {
            read_branch(&heap[0]);
        } else {
            done_with(view, heap[0].statement);
            result = judge(view, code);
            heap[0] = heap[--left];
        }
        sink(heap, left, 0, descending);
    }
    while (left != 0) {
        done_with(view, heap[--left].statement);
    }
    free(heap);
    return result;
}

enum store_result store_get(struct store_view *view, enum store_kind kind,
                            const struct store_query *query, void *record)
{
    struct store_query one = *query;
    one.limit = 1;
    sqlite3_stmt *statement = start(view, kind, &one, NULL, true, "");
    if (statement == NULL) {
        return broken(view, STORE_FAILED);
    }
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        load(statement, schema_kind(kind), record);
    }
    done_with(view, statement);
    return code == SQLITE_DONE ? STORE_NONE : judge(view, code);
}

enum store_result store_get_no(struct store_view *view, enum store_kind kind, int64_t no,
                               void *record)
{
    struct store_where where = STORE_NUMBER("no", no);
    return store_get(view, kind, &(struct store_query){.where = &where, .count = 1}, record);
}

enum store_result store_get_text(struct store_view *view, enum store_kind kind, const char *field,
                                 const char *text, void *record)
{
    struct store_where where = STORE_TEXT(field, text);
    if (*text == '\0') {
        return STORE_NONE;
    }
    return store_get(view, kind, &(struct store_query){.where = &where, .count = 1}, record);
}

enum store_result store_count(struct store_view *view, enum store_kind kind,
                              const struct store_query *query, int64_t *count)
{
    char tail[40] = "";
    if (query != NULL && query->count_max != 0) {
        snprintf(tail, sizeof tail, " LIMIT %lld)", (long long)query->count_max);
    }
    sqlite3_stmt *statement =
        start(view, kind, query,
              tail[0] == '\0' ? "SELECT count(*)" : "SELECT count(*) FROM (SELECT 1", false, tail);
    if (statement == NULL) {
        return broken(view, STORE_FAILED);
    }
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        *count = sqlite3_column_int64(statement, 0);
    }
    done_with(view, statement);
    return judge(view, code);
}

/* --- Gathering --------------------------------------------------------------------------------- */

/** What one statement finds. */
static enum store_result gather(struct store_view *view, enum store_kind kind,
                                const struct store_query *query, const char *field,
                                struct store_set *set)
{
    char what[128];
    snprintf(what, sizeof what, "SELECT set_put(?%d,[%s])", INTO, field);
    sqlite3_stmt *statement = start(view, kind, query, what, false, "");
    if (statement == NULL) {
        return broken(view, STORE_FAILED);
    }
    sqlite3_bind_pointer(statement, INTO, set, set_type, NULL);
    int code = sqlite3_step(statement);
    done_with(view, statement);
    return set->failed ? broken(view, STORE_FAILED) : judge(view, code);
}

/** The two texts between which those are that begin with a text, in one of the four letter cases of
 *  its first two characters; false when that is not another case. */
static bool range_of(const char *text, int way, char begin[KEY_SIZE], char end[KEY_SIZE])
{
    static const char last[] = "\xF4\x8F\xBF\xBF"; /* the last character there is */
    snprintf(begin, KEY_SIZE - sizeof last, "%s", text);
    for (int i = 0; i < 2; i++) {
        bool upper = (way >> i & 1) != 0;
        if (!is_letter(begin[i])) {
            if (upper) {
                return false;
            }
            if (begin[i] == '\0') {
                break;
            }
            continue;
        }
        begin[i] = (char)(upper ? begin[i] & ~0x20 : begin[i] | 0x20);
    }
    snprintf(end, KEY_SIZE, "%.*s%s", (int)(KEY_SIZE - sizeof last), begin, last);
    return true;
}

/** A condition of beginnings, by the index of each field. */
static enum store_result gather_beginnings(struct store_view *view, enum store_kind kind,
                                           const struct store_query *query, size_t which,
                                           struct store_set *set)
{
    struct store_where where[CONDITIONS_MAX];
    struct store_query ranges = *query;
    const char *names = query->where[which].field;
    const struct schema_field *field;
    enum store_result result = STORE_OK;
    memcpy(where, query->where, query->count * sizeof where[0]);
    ranges.where = where;
    ranges.count++;
    while (result == STORE_OK && (field = next_field(kind, &names)) != NULL) {
        for (int way = 0; way < 4 && result == STORE_OK; way++) {
            char begin[KEY_SIZE], end[KEY_SIZE];
            if (range_of(query->where[which].text, way, begin, end)) {
                where[which] = (struct store_where){field->name, STORE_GE, 0, begin};
                where[query->count] = (struct store_where){field->name, STORE_LT, 0, end};
                result = gather(view, kind, &ranges, "no", set);
            }
        }
    }
    return result;
}

enum store_result store_gather(struct store_view *view, enum store_kind kind,
                               const struct store_query *query, struct store_set *set)
{
    for (size_t i = 0; i < query->count; i++) {
        if (query->where[i].op == STORE_BEGINS) {
            return query->count < CONDITIONS_MAX ? gather_beginnings(view, kind, query, i, set)
                                                 : STORE_FAILED;
        }
    }
    return gather(view, kind, query, "no", set);
}

/** The rows of a value and a count; the statement is done with. */
static enum store_result tally(struct store_view *view, sqlite3_stmt *statement,
                               void (*each)(void *ctx, const char *value, int64_t count), void *ctx)
{
    if (statement == NULL) {
        return broken(view, STORE_FAILED);
    }
    int code = sqlite3_step(statement);
    for (; code == SQLITE_ROW; code = sqlite3_step(statement)) {
        const char *value = (const char *)sqlite3_column_text(statement, 0);
        each(ctx, value == NULL ? "" : value, sqlite3_column_int64(statement, 1));
    }
    done_with(view, statement);
    return judge(view, code);
}

enum store_result store_tally(struct store_view *view, enum store_kind kind, const char *field,
                              const struct store_query *query,
                              void (*each)(void *ctx, const char *value, int64_t count), void *ctx)
{
    char what[128], tail[192];
    if (schema_field(kind, field, strlen(field)) == NULL) {
        return STORE_FAILED;
    }
    snprintf(what, sizeof what, "SELECT [%s], count(*)", field);
    snprintf(tail, sizeof tail, " GROUP BY [%s] ORDER BY [%s]", field, field);
    sqlite3_stmt *statement = start(view, kind, query, what, false, tail);
    return tally(view, statement, each, ctx);
}

enum store_result store_kept(struct store_view *view, enum store_kind kind, const char *field,
                             int64_t product,
                             void (*each)(void *ctx, const char *value, int64_t count), void *ctx)
{
    char text[256];
    snprintf(text, sizeof text,
             "SELECT [%s], sum(count) FROM %s_count WHERE product = ?1 GROUP BY 1 "
             "HAVING sum(count) > 0 ORDER BY 1",
             field, schema_kind(kind)->table);
    sqlite3_stmt *statement = prepare_text(view, text);
    if (statement != NULL) {
        sqlite3_bind_int64(statement, 1, product);
    }
    return tally(view, statement, each, ctx);
}

/* --- What has changed ------------------------------------------------------------------------- */

static uint16_t stripe_of_number(int64_t no)
{
    return (uint16_t)((uint64_t)no * 0x9E3779B97F4A7C15u >> 50); /* 14 bits: STRIPES */
}

static uint16_t stripe_of_name(const char *name)
{
    uint64_t hash = 0xCBF29CE484222325u;
    for (; *name != '\0'; name++) {
        hash = (hash ^ (uint8_t)*name) * 0x100000001B3u;
    }
    return stripe_of_number((int64_t)hash);
}

static void touch_all(struct store_view *view)
{
    view->touched = TOUCHED + 1;
}

static void touch(struct store_view *view, uint16_t stripe)
{
    if (view->touched < TOUCHED) {
        view->stripes[view->touched++] = stripe;
    } else {
        touch_all(view);
    }
}

/** A record is written; NULL: some of its kind are removed. Only devices are asked for one by one. */
static void touch_record(struct store_view *view, enum store_kind kind, const void *record)
{
    const struct device *device = record;
    if (kind != STORE_DEVICE) {
        return;
    }
    if (record == NULL) {
        touch_all(view);
    } else {
        const char *const names[] = {device->serial, device->chip_id, device->mac,
                                     device->device_key};
        touch(view, stripe_of_number(device->no));
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
            if (names[i][0] != '\0') {
                touch(view, stripe_of_name(names[i]));
            }
        }
    }
}

/** After a commit. */
static void publish_changes(struct store *store, struct store_view *view)
{
    if (view->touched == 0) {
        return;
    }
    uint64_t moment = atomic_load(&store->moment) + 1;
    if (view->touched > TOUCHED) {
        atomic_store(&store->everything, moment);
    }
    for (size_t i = 0; view->touched <= TOUCHED && i < view->touched; i++) {
        atomic_store_explicit(&store->changed[view->stripes[i]], moment, memory_order_relaxed);
    }
    atomic_store(&store->moment, moment);
}

uint64_t store_moment(struct store *store)
{
    return atomic_load(&store->moment);
}

bool store_unchanged(struct store *store, uint64_t moment, int64_t no, const char *const *names,
                     size_t count)
{
    /* Whoever was told of a change comes after (3) by other means than these numbers. */
    bool same = atomic_load(&store->everything) <= moment &&
                atomic_load(&store->changed[stripe_of_number(no)]) <= moment;
    for (size_t i = 0; same && i < count; i++) {
        same =
            names[i][0] == '\0' || atomic_load(&store->changed[stripe_of_name(names[i])]) <= moment;
    }
    return same;
}

/* --- Writing ---------------------------------------------------------------------------------- */

enum store_result store_insert(struct store_view *view, enum store_kind kind, void *record)
{
    const struct schema_kind *schema = schema_kind(kind);
    int64_t no;
    struct sql key;
    begin_sql(&key);
    if (!view->writing) {
        return STORE_FAILED;
    }
    memcpy(&no, record, sizeof no);
    add(&key, "INSERT [%s]", schema->table);
    sqlite3_stmt *statement = reuse(view, key.text);
    if (statement == NULL) {
        struct sql sql;
        begin_sql(&sql);
        add(&sql, "INSERT INTO [%s] (", schema->table);
        add_columns(&sql, schema);
        add(&sql, ") VALUES (");
        for (size_t i = 0; i < schema->count; i++) {
            add(&sql, "%s?%d", i == 0 ? "" : ",", (int)i + 1);
        }
        add(&sql, ")");
        statement = prepare(view, key.text, &sql);
    }
    if (statement == NULL) {
        return broken(view, STORE_FAILED);
    }
    for (size_t i = 0; i < schema->count; i++) {
        bind_field(statement, (int)i + 1, &schema->fields[i], record);
    }
    if (no == 0) {
        sqlite3_bind_null(statement, 1);
    }
    enum store_result result = judge(view, sqlite3_step(statement));
    done_with(view, statement);
    if (result == STORE_OK) {
        no = sqlite3_last_insert_rowid(view->db);
        memcpy(record, &no, sizeof no);
        touch_record(view, kind, record);
        if (kind == STORE_EVENT) {
            view->newest = no;
        }
    }
    return result;
}

enum store_result store_update(struct store_view *view, enum store_kind kind, const void *record)
{
    const struct schema_kind *schema = schema_kind(kind);
    struct sql key;
    begin_sql(&key);
    if (!view->writing) {
        return STORE_FAILED;
    }
    add(&key, "UPDATE [%s]", schema->table);
    sqlite3_stmt *statement = reuse(view, key.text);
    if (statement == NULL) {
        struct sql sql;
        begin_sql(&sql);
        add(&sql, "UPDATE [%s] SET ", schema->table);
        for (size_t i = 1; i < schema->count; i++) {
            add(&sql, "%s[%s]=?%d", i == 1 ? "" : ",", schema->fields[i].name, (int)i + 1);
        }
        add(&sql, " WHERE no=?1");
        statement = prepare(view, key.text, &sql);
    }
    if (statement == NULL) {
        return broken(view, STORE_FAILED);
    }
    for (size_t i = 0; i < schema->count; i++) {
        bind_field(statement, (int)i + 1, &schema->fields[i], record);
    }
    enum store_result result = judge(view, sqlite3_step(statement));
    done_with(view, statement);
    touch_record(view, kind, record);
    return result == STORE_OK && sqlite3_changes(view->db) == 0 ? STORE_NONE : result;
}

enum store_result store_remove(struct store_view *view, enum store_kind kind,
                               const struct store_query *query, int64_t *removed)
{
    if (!view->writing) {
        return STORE_FAILED;
    }
    sqlite3_stmt *statement = start(view, kind, query, "DELETE", false, "");
    if (statement == NULL) {
        return broken(view, STORE_FAILED);
    }
    enum store_result result = judge(view, sqlite3_step(statement));
    done_with(view, statement);
    touch_record(view, kind, NULL);
    if (result == STORE_OK && removed != NULL) {
        *removed = sqlite3_changes(view->db);
    }
    return result;
}

static enum store_result run(struct store_view *view, const char *text)
{
    sqlite3_stmt *statement = prepare_text(view, text);
    if (statement == NULL) {
        return broken(view, STORE_FAILED);
    }
    enum store_result result = judge(view, sqlite3_step(statement));
    done_with(view, statement);
    return result;
}

static bool pragma(struct store_view *view, const char *text)
{
    return sqlite3_exec(view->db, text, NULL, NULL, NULL) == SQLITE_OK;
}

/** One caller's function, within its savepoint. */
static enum store_result run_job(struct store_view *view, const struct job *job)
{
    int64_t newest = view->newest;
    enum store_result result = run(view, "SAVEPOINT job");
    if (result == STORE_OK) {
        result = job->work(view, job->ctx);
    }
    if (result == STORE_OK && view->failed != STORE_OK) {
        result = view->failed;
    }
    if (result != STORE_OK && !sqlite3_get_autocommit(view->db)) {
        view->newest = newest;
        if (run(view, "ROLLBACK TO job") != STORE_OK) {
            (void)broken(view, STORE_FAILED);
        }
    }
    if (!sqlite3_get_autocommit(view->db) && run(view, "RELEASE job") != STORE_OK) {
        (void)broken(view, STORE_FAILED);
    }
    return result;
}

/** All of a group, in one transaction; the results are in the jobs. */
static void run_group(struct store *store, struct job *jobs)
{
    struct store_view *view = store->writer;
    int64_t count = 0;

    view->failed = STORE_OK;
    view->newest = 0;
    view->touched = 0;
    enum store_result result = run(view, "BEGIN IMMEDIATE");
    for (struct job *job = jobs; job != NULL && result == STORE_OK; job = job->next) {
        count++;
        job->result = run_job(view, job);
        /* A full disk makes SQLite give up the whole transaction, whoever filled it. */
        if (view->failed != STORE_OK) {
            result = view->failed;
        }
    }
    if (result == STORE_OK) {
        result = run(view, "COMMIT");
    }
    if (result != STORE_OK) {
        if (!sqlite3_get_autocommit(view->db)) {
            (void)run(view, "ROLLBACK");
        }
        for (struct job *job = jobs; job != NULL; job = job->next) {
            job->result = result;
        }
    }
    /* After a failed commit too: nobody has to know whether it failed before or behind the disk. */
    publish_changes(store, view);
    pthread_mutex_lock(&store->lock);
    store->stats.writes += count;
    store->stats.transactions += result == STORE_OK;
    int64_t newest = result == STORE_OK ? view->newest : 0;
    for (size_t i = 0; i < LISTENERS && newest != 0; i++) {
        if (store->listeners[i].function != NULL) {
            store->listeners[i].function(store->listeners[i].ctx, newest);
        }
    }
    pthread_mutex_unlock(&store->lock);
    while (jobs != NULL) {
        struct job *next = jobs->next;
        sem_post(&jobs->done); /* the job is its caller's from here on */
        jobs = next;
    }
}

/* --- Notes ------------------------------------------------------------------------------------ */

static struct note **find_note(struct notes *notes, int64_t device)
{
    struct note **at = &notes->buckets[(uint64_t)device % BUCKETS];
    while (*at != NULL && (*at)->what.device != device) {
        at = &(*at)->next;
    }
    return at;
}

static void merge(struct telemetry *into, const struct telemetry *from)
{
    struct telemetry before = *into;
    *into = *from;
    if (into->last_seen < before.last_seen) {
        into->last_seen = before.last_seen;
    }
    if (into->poll_every == 0) {
        into->poll_every = before.poll_every;
    }
    if (into->polls == 0) {
        into->polls = before.polls;
    }
    if (into->address[0] == '\0') {
        memcpy(into->address, before.address, sizeof into->address);
    }
    if (into->update == 0) {
        into->update = before.update;
        into->bytes = before.bytes;
    }
}

void store_note(struct store *store, const struct telemetry *telemetry)
{
    struct note *fresh = malloc(sizeof *fresh);
    bool first = false;
    if (fresh != NULL) {
        *fresh = (struct note){.what = *telemetry};
    }
    pthread_mutex_lock(&store->lock);
    struct note **at = find_note(store->pending, telemetry->device);
    if (*at != NULL) {
        merge(&(*at)->what, telemetry);
    } else if (fresh == NULL) {
        store->stats.notes_lost++;
    } else {
        *at = fresh;
        fresh = NULL;
        first = ++store->pending->count == 1;
    }
    pthread_mutex_unlock(&store->lock);
    free(fresh);
    if (first) {
        pthread_cond_signal(&store->wake);
    }
}

bool store_noted(struct store *store, int64_t device, struct telemetry *telemetry)
{
    pthread_mutex_lock(&store->lock);
    struct note *older = store->flushing == NULL ? NULL : *find_note(store->flushing, device);
    struct note *newer = *find_note(store->pending, device);
    if (older != NULL) {
        *telemetry = older->what;
    }
    if (newer != NULL) {
        struct telemetry so_far = older != NULL ? *telemetry : newer->what;
        merge(&so_far, &newer->what);
        *telemetry = so_far;
    }
    pthread_mutex_unlock(&store->lock);
    return older != NULL || newer != NULL;
}

static void drop(struct notes *notes)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        while (notes->buckets[i] != NULL) {
            struct note *note = notes->buckets[i];
            notes->buckets[i] = note->next;
            free(note);
        }
    }
    free(notes);
}

static enum store_result write_note(struct store_view *view, const struct telemetry *what)
{
    sqlite3_stmt *statement = prepare_text(
        view,
        "UPDATE device SET last_seen=max(last_seen,?2), "
        "poll_every=CASE ?3 WHEN 0 THEN poll_every ELSE ?3 END, "
        "polls=CASE ?4 WHEN 0 THEN polls ELSE ?4 END, address=ifnull(?5,address) WHERE no=?1");
    if (statement == NULL) {
        return STORE_FAILED;
    }
    sqlite3_bind_int64(statement, 1, what->device);
    sqlite3_bind_int64(statement, 2, what->last_seen);
    sqlite3_bind_int64(statement, 3, what->poll_every);
    sqlite3_bind_int64(statement, 4, what->polls);
    bind_text(statement, 5, what->address);
    enum store_result result = judge(view, sqlite3_step(statement));
    done_with(view, statement);
    if (result != STORE_OK || what->update == 0) {
        return result;
    }
    statement = prepare_text(view, "UPDATE [update] SET bytes=?2 WHERE no=?1");
    if (statement == NULL) {
        return STORE_FAILED;
    }
    if (statement == NULL) {
        return STORE_FAILED;
    }
    sqlite3_bind_int64(statement, 1, what->update);
    sqlite3_bind_int64(statement, 2, what->bytes);
    result = judge(view, sqlite3_step(statement));
    done_with(view, statement);
    return result;
}

/** SLICE notes of those that are being flushed, in a transaction of their own: their failure is
 *  nobody's. Its commit is not waited for on disk: the next one of a job takes it along. */
static enum store_result write_slice(struct store *store)
{
    struct store_view *view = store->writer;
    struct flush *flush = &store->flush;
    view->failed = STORE_OK;
    (void)pragma(view, "PRAGMA synchronous=NORMAL");
    enum store_result result = run(view, "BEGIN IMMEDIATE");
    for (int left = SLICE; result == STORE_OK && left != 0 && flush->bucket < BUCKETS;) {
        if (flush->next == NULL) {
            flush->bucket++;
            flush->next = flush->bucket < BUCKETS ? store->flushing->buckets[flush->bucket] : NULL;
            continue;
        }
        result = write_note(view, &flush->next->what);
        flush->next = flush->next->next;
        left--;
    }
    if (result == STORE_OK) {
        result = run(view, "COMMIT");
    }
    if (result != STORE_OK && !sqlite3_get_autocommit(view->db)) {
        (void)run(view, "ROLLBACK");
    }
    (void)pragma(view, "PRAGMA synchronous=FULL");
    return result;
}

/** Begin to flush, unless that has begun; false: there is nothing. */
static bool begin_flush(struct store *store)
{
    if (store->flushing != NULL) {
        return true;
    }
    struct notes *fresh = calloc(1, sizeof *fresh);
    pthread_mutex_lock(&store->lock);
    bool any = store->pending->count != 0 && fresh != NULL;
    if (any) {
        store->flushing = store->pending;
        store->pending = fresh;
        store->flush = (struct flush){.next = store->flushing->buckets[0]};
    }
    pthread_mutex_unlock(&store->lock);
    if (!any) {
        free(fresh);
    }
    return any;
}

/** A slice; true when it was the last one. */
static bool go_on_flushing(struct store *store)
{
    enum store_result result = write_slice(store);
    if (result == STORE_OK && store->flush.bucket < BUCKETS) {
        return false;
    }
    pthread_mutex_lock(&store->lock);
    struct notes *written = store->flushing;
    store->flushing = NULL;
    if (result != STORE_OK) {
        store->stats.notes_lost += written->count;
    }
    pthread_mutex_unlock(&store->lock);
    drop(written);
    return true;
}

/** All that was noted so far. */
static void flush_all(struct store *store)
{
    for (int i = 0; i < 2; i++) { /* what is on its way, and what came since */
        if (begin_flush(store)) {
            while (!go_on_flushing(store)) {
            }
        }
    }
}

/* --- The writer ------------------------------------------------------------------------------- */

static struct job *take_group(struct store *store)
{
    struct job *jobs = store->first, *last = jobs;
    for (uint32_t i = 1; last != NULL && i < store->group_max && last->next != NULL; i++) {
        last = last->next;
    }
    if (last != NULL) {
        store->first = last->next;
        last->next = NULL;
        if (store->first == NULL) {
            store->last = &store->first;
        }
    }
    return jobs;
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/** Sleep until somebody wants something, or until a time; 0: none. With the lock. */
static void doze(struct store *store, int64_t until_us)
{
    struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
    if (until_us == 0) {
        pthread_cond_wait(&store->wake, &store->lock);
    } else {
        pthread_cond_timedwait(&store->wake, &store->lock, &until);
    }
}

/** One step of the telemetry, when its time has come. @return when the next is due; 0: none is */
static int64_t flush_step(struct store *store, int64_t due_us)
{
    int64_t begun = now_us();
    if (due_us == 0 || begun < due_us) {
        return due_us;
    }
    pthread_mutex_unlock(&store->lock);
    bool done = !begin_flush(store) || go_on_flushing(store);
    pthread_mutex_lock(&store->lock);
    int64_t end = now_us();
    int64_t next = end + FLUSH_REST * (end - begun);
    return !done                                     ? next
           : store->pending->count == 0              ? 0
           : next > begun + (int64_t)FLUSH_MS * 1000 ? next
                                                     : begun + (int64_t)FLUSH_MS * 1000;
}

static void *write_on(void *argument)
{
    struct store *store = argument;
    int64_t due_us = 0; /* the next step of the telemetry; 0: nothing is noted */

    pthread_mutex_lock(&store->lock);
    while (!store->stopping || store->first != NULL || store->pending->count != 0 ||
           store->flushing != NULL) {
        if (store->flush_now || store->stopping) {
            store->flush_now = false;
            due_us = 0;
            pthread_mutex_unlock(&store->lock);
            flush_all(store);
            pthread_mutex_lock(&store->lock);
        }
        if (due_us == 0 && store->pending->count != 0) {
            due_us = now_us() + (int64_t)FLUSH_MS * 1000;
        }
        due_us = flush_step(store, due_us);
        /* Who asks for a flush has put a job behind it. */
        struct job *jobs = store->flush_now ? NULL : take_group(store);
        if (jobs != NULL) {
            pthread_mutex_unlock(&store->lock);
            run_group(store, jobs);
            pthread_mutex_lock(&store->lock);
        } else if (!store->stopping && !store->flush_now &&
                   (due_us != 0 || store->pending->count == 0)) {
            doze(store, due_us);
        }
    }
    pthread_mutex_unlock(&store->lock);
    return NULL;
}

enum store_result store_write(struct store *store, store_work *work, void *ctx)
{
    struct job job = {.work = work, .ctx = ctx};
    sem_init(&job.done, 0, 0);
    pthread_mutex_lock(&store->lock);
    *store->last = &job;
    store->last = &job.next;
    pthread_cond_signal(&store->wake);
    pthread_mutex_unlock(&store->lock);
    while (sem_wait(&job.done) != 0) {
        /* A signal; the job is still the writer's. */
    }
    sem_destroy(&job.done);
    return job.result;
}

static enum store_result nothing(struct store_view *view, void *ctx)
{
    (void)view;
    (void)ctx;
    return STORE_OK;
}

enum store_result store_flush(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    store->flush_now = true;
    pthread_cond_signal(&store->wake);
    pthread_mutex_unlock(&store->lock);
    /* The writer flushes before it takes jobs: once this one is done the notes are written. */
    return store_write(store, nothing, NULL);
}

/* --- Connections ------------------------------------------------------------------------------ */

static void disconnect(struct store_view *view)
{
    if (view == NULL) {
        return;
    }
    for (size_t i = 0; i < STATEMENTS; i++) {
        forget(&view->cache[i]);
    }
    sqlite3_close_v2(view->db);
    free(view);
}

static struct store_view *connect_to(struct store *store, int flags)
{
    struct store_view *view = calloc(1, sizeof *view);
    if (view == NULL) {
        return NULL;
    }
    view->store = store;
    view->begun = true; /* the writer begins by itself; see store_read() for others */
    if (sqlite3_open_v2(store->path, &view->db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK ||
        !add_functions(view->db)) {
        disconnect(view);
        return NULL;
    }
    sqlite3_busy_timeout(view->db, BUSY_MS);
    /* What a fleet of a hundred thousand has written each second stays in the writer's memory. */
    if ((flags & SQLITE_OPEN_READWRITE) != 0) {
        (void)pragma(view, "PRAGMA cache_size=-32768");
    }
    sqlite3_extended_result_codes(view->db, 1);
    return view;
}

struct store_view *store_read(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    struct store_view *view = store->pool;
    if (view != NULL) {
        store->pool = view->idle;
    }
    pthread_mutex_unlock(&store->lock);
    if (view == NULL) {
        view = connect_to(store, SQLITE_OPEN_READONLY);
    }
    if (view == NULL) {
        return NULL;
    }
    view->failed = STORE_OK;
    view->begun = false;
    return view;
}

void store_end(struct store_view *view)
{
    if (view == NULL) {
        return;
    }
    struct store *store = view->store;
    if (view->begun && run(view, "COMMIT") != STORE_OK) {
        disconnect(view);
        return;
    }
    pthread_mutex_lock(&store->lock);
    view->idle = store->pool;
    store->pool = view;
    pthread_mutex_unlock(&store->lock);
}

/* --- Open and close --------------------------------------------------------------------------- */

static int64_t user_version(struct store_view *view)
{
    sqlite3_stmt *statement;
    int64_t version = -1;
    if (sqlite3_prepare_v2(view->db, "PRAGMA user_version", -1, &statement, NULL) == SQLITE_OK) {
        if (sqlite3_step(statement) == SQLITE_ROW) {
            version = sqlite3_column_int64(statement, 0);
        }
        sqlite3_finalize(statement);
    }
    return version;
}

/** Bring the database on, each step in a transaction. */
static enum store_result migrate(struct store_view *view, char *why)
{
    int64_t version = user_version(view), newest = 0;
    while (schema_steps[newest] != NULL) {
        newest++;
    }
    if (version < 0) {
        snprintf(why, SENTENCE_SIZE, "it is no database: %s", sqlite3_errmsg(view->db));
        return STORE_FAILED;
    }
    if (version > newest) {
        snprintf(why, SENTENCE_SIZE, "it has form %lld, and this updraftd knows forms up to %lld",
                 (long long)version, (long long)newest);
        return STORE_NEWER;
    }
    for (; version < newest; version++) {
        char done[64];
        snprintf(done, sizeof done, "PRAGMA user_version=%lld; COMMIT", (long long)version + 1);
        if (!pragma(view, "BEGIN IMMEDIATE") || !pragma(view, schema_steps[version]) ||
            !pragma(view, done)) {
            snprintf(why, SENTENCE_SIZE, "cannot be brought to form %lld: %s",
                     (long long)version + 1, sqlite3_errmsg(view->db));
            (void)pragma(view, "ROLLBACK");
            return judge(view, sqlite3_errcode(view->db)) == STORE_FULL ? STORE_FULL : STORE_FAILED;
        }
    }
    return STORE_OK;
}

static enum store_result prepare_writer(struct store *store, char *why)
{
    store->writer = connect_to(store, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    if (store->writer == NULL) {
        snprintf(why, SENTENCE_SIZE, "cannot be opened or made");
        return STORE_FAILED;
    }
    store->writer->writing = true;
    if (!pragma(store->writer, "PRAGMA journal_mode=WAL") ||
        !pragma(store->writer, "PRAGMA synchronous=FULL")) {
        enum store_result result = judge(store->writer, sqlite3_errcode(store->writer->db));
        snprintf(why, SENTENCE_SIZE, "cannot be written: %s",
                 result == STORE_FULL ? store_result_text(result)
                                      : sqlite3_errmsg(store->writer->db));
        return result;
    }
    return migrate(store->writer, why);
}

static void release(struct store *store)
{
    while (store->pool != NULL) {
        struct store_view *view = store->pool;
        store->pool = view->idle;
        disconnect(view);
    }
    /* The last one to go cleans up the log, which readers may not. */
    disconnect(store->writer);
    if (store->pending != NULL) {
        drop(store->pending);
    }
    pthread_mutex_destroy(&store->lock);
    pthread_cond_destroy(&store->wake);
    free(store->path);
    free(store);
}

/* SQLite's own counting of memory, which nobody reads, has one lock for all threads. */
static void configure_once(void)
{
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

enum store_result store_open(const char *path, const struct store_options *options,
                             struct store **opened, char *why)
{
    static pthread_once_t configured = PTHREAD_ONCE_INIT;
    struct store *store = calloc(1, sizeof *store);
    *opened = NULL;
    why[0] = '\0';
    pthread_once(&configured, configure_once);
    if (store == NULL) {
        return STORE_FAILED;
    }
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    store_mutex_init(&store->lock);
    pthread_cond_init(&store->wake, &clock);
    pthread_condattr_destroy(&clock);
    store->path = strdup(path);
    store->pending = calloc(1, sizeof *store->pending);
    store->last = &store->first;
    store->group_max = options != NULL && options->group_max != 0 ? options->group_max : GROUP_MAX;
    enum store_result result =
        store->path == NULL || store->pending == NULL ? STORE_FAILED : prepare_writer(store, why);
    if (result == STORE_OK && pthread_create(&store->thread, NULL, write_on, store) != 0) {
        snprintf(why, SENTENCE_SIZE, "cannot start a thread");
        result = STORE_FAILED;
    }
    if (result != STORE_OK) {
        release(store);
        return result;
    }
    *opened = store;
    return STORE_OK;
}

void store_close(struct store *store)
{
    if (store == NULL) {
        return;
    }
    pthread_mutex_lock(&store->lock);
    store->stopping = true;
    pthread_cond_signal(&store->wake);
    pthread_mutex_unlock(&store->lock);
    pthread_join(store->thread, NULL);
    release(store);
}

/* --- Listeners, statistics, backup --------------------------------------------------------------
 */

bool store_listen(struct store *store, store_listener *listener, void *ctx)
{
    bool found = false;
    pthread_mutex_lock(&store->lock);
    for (size_t i = 0; i < LISTENERS && !found; i++) {
        if (store->listeners[i].function == NULL) {
            store->listeners[i].function = listener;
            store->listeners[i].ctx = ctx;
            found = true;
        }
    }
    pthread_mutex_unlock(&store->lock);
    return found;
}

void store_unlisten(struct store *store, store_listener *listener, void *ctx)
{
    pthread_mutex_lock(&store->lock);
    for (size_t i = 0; i < LISTENERS; i++) {
        if (store->listeners[i].function == listener && store->listeners[i].ctx == ctx) {
            store->listeners[i].function = NULL;
        }
    }
    pthread_mutex_unlock(&store->lock);
}

void store_stats(struct store *store, struct store_stats *stats)
{
    pthread_mutex_lock(&store->lock);
    *stats = store->stats;
    pthread_mutex_unlock(&store->lock);
}

enum store_result store_backup(struct store *store, const char *path)
{
    struct store_view *view = store_read(store);
    sqlite3 *copy = NULL;
    if (view == NULL) {
        return STORE_FAILED;
    }
    enum store_result result = STORE_FAILED;
    if (sqlite3_open(path, &copy) == SQLITE_OK) {
        sqlite3_backup *backup = sqlite3_backup_init(copy, "main", view->db, "main");
        if (backup != NULL) {
            int code = sqlite3_backup_step(backup, -1);
            result = code == SQLITE_DONE   ? STORE_OK
                     : code == SQLITE_FULL ? STORE_FULL
                                           : STORE_FAILED;
            if (sqlite3_backup_finish(backup) != SQLITE_OK && result == STORE_OK) {
                result = STORE_FAILED;
            }
        }
    }
    sqlite3_close(copy);
    store_end(view);
    return result;
}
