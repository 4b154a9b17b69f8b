#include <updraft/partition_csv.h>

#include <updraft/bytes.h>

#include "partition_rules.h"

/* Columns: name, type, subtype, offset, size, flags. What follows is ignored. */
#define CELL_COUNT 6

/* Larger than any number of a table, and small enough that sums of them stay within 64 bits. */
#define NUMBER_MAX ((int64_t)1 << 48)

/* --- Characters ----------------------------------------------------------------------------- */

enum encoding { UTF8, UTF16_LE, UTF16_BE, UTF32_LE, UTF32_BE };

struct decoder {
    struct upd_reader in;
    enum encoding encoding;
};

enum decoded { CHARACTER, END, BAD };

/* The byte order mark is not part of the text. The RTOS tool does not know it. */
static struct decoder decoder_on(const struct upd_partition_rules *rules, const void *data,
                                 uint32_t size)
{
    static const struct {
        uint8_t size, bytes[4];
        enum encoding encoding;
    } marks[] = {
        {4, {0xFF, 0xFE, 0x00, 0x00}, UTF32_LE}, /* before UTF-16, whose mark it begins with */
        {4, {0x00, 0x00, 0xFE, 0xFF}, UTF32_BE},
        {3, {0xEF, 0xBB, 0xBF}, UTF8},
        {2, {0xFF, 0xFE}, UTF16_LE},
        {2, {0xFE, 0xFF}, UTF16_BE},
    };
    struct decoder decoder = {{data, size}, UTF8};

    for (uint32_t i = 0; rules->dialect == UPD_PARTITION_IDF && i < 5; i++) {
        if (size >= marks[i].size && memcmp(data, marks[i].bytes, marks[i].size) == 0) {
            decoder.in.at += marks[i].size;
            decoder.in.left -= marks[i].size;
            decoder.encoding = marks[i].encoding;
            break;
        }
    }
    return decoder;
}

/* Take one unit of UTF-16 or UTF-32. */
static bool take_unit(struct decoder *decoder, uint32_t *unit)
{
    const uint8_t *p;
    bool is_wide = decoder->encoding == UTF32_LE || decoder->encoding == UTF32_BE;

    if (!upd_take(&decoder->in, is_wide ? 4 : 2, &p)) {
        return false;
    }
    switch (decoder->encoding) {
    case UTF16_LE:
        *unit = upd_get_le16(p);
        return true;
    case UTF16_BE:
        *unit = (uint32_t)p[0] << 8 | p[1];
        return true;
    case UTF32_LE:
        *unit = upd_get_le32(p);
        return true;
    case UTF32_BE:
        *unit = upd_get_be32(p);
        return true;
    case UTF8:
        break;
    }
    return false;
}

/* Take one character. On BAD the reader stands where the bad one begins. */
static enum decoded decode(struct decoder *decoder, uint32_t *point)
{
    const struct upd_reader start = decoder->in;
    uint32_t low;

    if (start.left == 0) {
        return END;
    }
    if (decoder->encoding == UTF8) {
        uint32_t size = upd_utf8_decode(start.at, start.left, point);
        decoder->in.at += size;
        decoder->in.left -= size;
        return size != 0 ? CHARACTER : BAD;
    }
    if (take_unit(decoder, point)) {
        bool is_pair = *point >= 0xD800 && *point <= 0xDFFF;
        if (!is_pair && *point <= 0x10FFFF) {
            return CHARACTER;
        }
        if (is_pair && *point < 0xDC00 &&
            (decoder->encoding == UTF16_LE || decoder->encoding == UTF16_BE) &&
            take_unit(decoder, &low) && low >= 0xDC00 && low <= 0xDFFF) {
            *point = 0x10000 + ((*point - 0xD800) << 10) + (low - 0xDC00);
            return CHARACTER;
        }
    }
    decoder->in = start;
    return BAD;
}

/* --- Lines ---------------------------------------------------------------------------------- */

struct parser {
    const struct upd_partition_rules *rules;
    struct upd_partition_list *list;
    struct upd_partition_log *log;
    const uint8_t *data;
    struct decoder decoder;
    char *scratch; /* names that are kept, then the line being read, then its expanded form */
    uint32_t scratch_size;
    uint32_t kept; /* bytes of names */
    uint32_t line; /* number of the line being read, from 1 */
    uint32_t rows; /* rows so far, those that the list has no room for included */
};

static enum upd_err out_of_scratch(struct parser *parser)
{
    upd_text_add(&parser->log->error, "Line ");
    upd_text_decimal(&parser->log->error, parser->line);
    upd_text_add(&parser->log->error, " does not fit the memory set aside for it");
    return UPD_E_SPACE;
}

/* Append to a text that grows in scratch. */
static bool grow(const struct parser *parser, struct slice *text, const char *bytes, uint32_t size)
{
    char *end = parser->scratch + (text->at - parser->scratch) + text->size;
    uint32_t room = parser->scratch_size - (uint32_t)(end - parser->scratch);

    if (size > room) {
        return false;
    }
    if (size != 0) {
        memcpy(end, bytes, size);
        text->size += size;
    }
    return true;
}

/* Read a line into scratch, as UTF-8 and without its end. */
static enum upd_err read_line(struct parser *parser, struct slice *line, bool *is_last)
{
    uint32_t point = 0;
    char bytes[4];

    *line = (struct slice){parser->scratch + parser->kept, 0};
    for (;;) {
        switch (decode(&parser->decoder, &point)) {
        case END:
            *is_last = true;
            return UPD_OK;
        case BAD:
            upd_text_add(&parser->log->error, "Line ");
            upd_text_decimal(&parser->log->error, parser->line);
            upd_text_add(&parser->log->error, ": byte ");
            upd_text_decimal(&parser->log->error, parser->decoder.in.at - parser->data);
            upd_text_add(&parser->log->error,
                         " of the file does not belong to any text; save it as UTF-8");
            return UPD_E_FORMAT;
        case CHARACTER:
            break;
        }
        if (upd_is_line_end(point)) {
            break;
        }
        if (!grow(parser, line, bytes, upd_utf8_encode(point, bytes))) {
            return out_of_scratch(parser);
        }
    }
    if (point == '\r') {
        struct decoder after = parser->decoder;
        if (decode(&after, &point) == CHARACTER && point == '\n') {
            parser->decoder = after;
        }
    }
    *is_last = false;
    return UPD_OK;
}

/*
 * The variable that text[0], a dollar sign, begins: $NAME or ${NAME}.
 *
 * @return bytes of it, the dollar sign included; 0 when there is none
 */
static uint32_t variable_at(struct slice text, struct slice *name)
{
    uint32_t size = 1;

    if (size < text.size && text.at[size] == '{') {
        while (size < text.size && text.at[size] != '}') {
            size++;
        }
        *name = (struct slice){text.at + 2, size - 2};
        return size < text.size ? size + 1 : 0;
    }
    while (size < text.size && upd_is_word(text.at[size])) {
        size++;
    }
    *name = (struct slice){text.at + 1, size - 1};
    return size > 1 ? size : 0;
}

/* Expand variables; one that is not set stays as it is written, and values are not looked into. */
static enum upd_err expand(struct parser *parser, struct slice *line)
{
    const struct upd_partition_rules *rules = parser->rules;
    struct slice rest = *line;
    struct slice whole = {line->at + line->size, 0};

    while (rest.size != 0) {
        struct slice name, piece = {rest.at, 1};
        uint32_t size = *rest.at == '$' ? variable_at(rest, &name) : 0;
        if (size != 0) {
            const char *value =
                rules->variable != NULL ? rules->variable(rules->ctx, name.at, name.size) : NULL;
            piece = value != NULL ? upd_slice_of(value) : (struct slice){rest.at, size};
        } else {
            size = 1;
        }
        if (!grow(parser, &whole, piece.at, piece.size)) {
            return out_of_scratch(parser);
        }
        rest.at += size;
        rest.size -= size;
    }
    *line = whole;
    return UPD_OK;
}

/* A line that still begins with a variable is a mistake, and not a name. */
static enum upd_err refuse_variable(struct parser *parser, struct slice line)
{
    struct slice name;

    if (line.size < 2 || line.at[0] != '$' || !upd_is_word(line.at[1]) ||
        (line.at[1] >= '0' && line.at[1] <= '9') || variable_at(line, &name) == 0) {
        return UPD_OK;
    }
    upd_text_add(&parser->log->error, "unknown variable '");
    upd_text_slice(&parser->log->error, name);
    upd_text_add(&parser->log->error, "'");
    return UPD_E_FORMAT;
}

/* --- Cells ---------------------------------------------------------------------------------- */

static struct upd_text *row_error(struct parser *parser)
{
    upd_text_add(&parser->log->error, "Error at line ");
    upd_text_decimal(&parser->log->error, parser->line);
    upd_text_add(&parser->log->error, ": ");
    return &parser->log->error;
}

static enum upd_err refuse_row(struct parser *parser, const char *why)
{
    upd_text_add(row_error(parser), why);
    return UPD_E_FORMAT;
}

static enum upd_err refuse_value(struct parser *parser, struct slice value, const char *why)
{
    struct upd_text *error = row_error(parser);

    upd_text_add(error, "Value '");
    upd_text_slice(error, value);
    upd_text_add(error, "' ");
    upd_text_add(error, why);
    return UPD_E_FORMAT;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static uint32_t digit_of(char c)
{
    return c >= '0' && c <= '9'                 ? (uint32_t)(c - '0')
           : lower(c) >= 'a' && lower(c) <= 'z' ? (uint32_t)(lower(c) - 'a' + 10)
                                                : UINT32_MAX;
}

/* Digits of a base, with single underscores between them. Stops growing above NUMBER_MAX. */
static bool read_digits(struct slice text, uint32_t base, int64_t *value)
{
    bool was_digit = false;

    *value = 0;
    for (uint32_t i = 0; i < text.size; i++) {
        uint32_t digit = digit_of(text.at[i]);
        if (text.at[i] == '_' && was_digit) {
            was_digit = false;
            continue;
        }
        if (digit >= base) {
            return false;
        }
        was_digit = true;
        *value = *value > NUMBER_MAX ? *value : *value * base + digit;
    }
    return was_digit;
}

/*
 * int(text, 0) of Python: a sign, then decimal, 0x, 0o or 0b. A decimal number may begin with 0
 * only when it is zero. Digits of other scripts, which Python takes too, are not numbers here.
 */
static bool read_integer(struct slice text, int64_t *value)
{
    static const struct {
        char letter;
        uint8_t base;
    } prefixes[] = {{'x', 16}, {'o', 8}, {'b', 2}};
    bool is_negative = false;

    text = upd_slice_trim(text);
    if (text.size != 0 && (*text.at == '+' || *text.at == '-')) {
        is_negative = *text.at == '-';
        text.at++;
        text.size--;
    }
    uint32_t base = 10;
    for (uint32_t i = 0; i < 3; i++) {
        if (text.size > 2 && text.at[0] == '0' && lower(text.at[1]) == prefixes[i].letter) {
            uint32_t skipped = text.at[2] == '_' ? 3 : 2;
            base = prefixes[i].base;
            text.at += skipped;
            text.size -= skipped;
            break;
        }
    }
    if (!read_digits(text, base, value) || (base == 10 && *text.at == '0' && *value != 0)) {
        return false;
    }
    *value = is_negative ? -*value : *value;
    return true;
}

/* The original's list of the words that it would have taken. */
static enum upd_err refuse_word(struct parser *parser, struct slice word, uint32_t keyword_type)
{
    struct upd_text *error = &parser->log->error;
    struct slice keyword;
    uint8_t value;

    (void)refuse_value(parser, word, "is not valid. Known keywords: ");
    for (uint32_t i = 0; upd_partition_keyword(parser->rules, keyword_type, i, &keyword, &value);
         i++) {
        upd_text_add(error, i == 0 ? "" : ", ");
        upd_text_slice(error, keyword);
    }
    return UPD_E_FORMAT;
}

/* Keywords do not look at the case of the word; an added one with capitals is never found. */
static bool find_keyword(const struct parser *parser, struct slice word, uint32_t keyword_type,
                         int64_t *value)
{
    struct slice keyword;
    uint8_t its_value;

    for (uint32_t i = 0;
         upd_partition_keyword(parser->rules, keyword_type, i, &keyword, &its_value); i++) {
        uint32_t same = 0;
        while (same < keyword.size && same < word.size &&
               keyword.at[same] == lower(word.at[same])) {
            same++;
        }
        if (same == keyword.size && same == word.size) {
            *value = its_value;
            return true;
        }
    }
    return false;
}

#define NO_KEYWORDS UINT32_MAX

/*
 * A number with any suffixes K and M, or a keyword.
 *
 * The suffix is looked for first, and also behind a keyword: the original reads "datak" as 1024.
 * So a keyword that ends in k or m, which only a project can have added, is never found.
 */
static enum upd_err read_value(struct parser *parser, struct slice cell, uint32_t keyword_type,
                               int64_t *value)
{
    struct slice word = cell, keyword;
    uint8_t its_value;
    uint32_t shift = 0;

    while (word.size != 0) {
        char last = lower(word.at[word.size - 1]);
        if (last != 'k' && last != 'm') {
            break;
        }
        shift += last == 'k' ? 10 : 20;
        word.size--;
    }
    if (!read_integer(word, value)) {
        if (keyword_type == NO_KEYWORDS ||
            !upd_partition_keyword(parser->rules, keyword_type, 0, &keyword, &its_value)) {
            upd_text_add(row_error(parser), "Invalid field value ");
            upd_text_slice(&parser->log->error, word);
            return UPD_E_FORMAT;
        }
        if (!find_keyword(parser, word, keyword_type, value)) {
            return refuse_word(parser, word, keyword_type);
        }
    }
    for (; shift != 0 && *value <= NUMBER_MAX && *value >= -NUMBER_MAX; shift -= 10) {
        *value *= 1024;
    }
    if (*value > NUMBER_MAX || *value < -NUMBER_MAX) {
        return refuse_value(parser, cell, "is too large for a partition table");
    }
    return UPD_OK;
}

static enum upd_err read_byte(struct parser *parser, struct slice cell, uint32_t keyword_type,
                              uint8_t *byte)
{
    int64_t value;
    enum upd_err err = read_value(parser, cell, keyword_type, &value);

    if (err != UPD_OK) {
        return err;
    }
    if (value < 0 || value > 0xFF) {
        return refuse_value(parser, cell, "does not fit in one byte: it must be 0 to 255");
    }
    *byte = (uint8_t)value;
    return UPD_OK;
}

static enum upd_err read_type(struct parser *parser, struct slice cell, uint8_t *type)
{
    if (cell.size == 0) {
        return refuse_row(parser, "Field 'type' can't be left empty.");
    }
    return read_byte(parser, cell, UPD_PARTITION_TYPES, type);
}

static enum upd_err read_subtype(struct parser *parser, struct slice cell, uint8_t type,
                                 uint8_t *subtype)
{
    if (cell.size != 0) {
        return read_byte(parser, cell, type, subtype);
    }
    if (parser->rules->dialect == UPD_PARTITION_RTOS) {
        *subtype = 0;
        return UPD_OK;
    }
    if (type == UPD_PARTITION_APP) {
        return refuse_row(parser, "App partition cannot have an empty subtype");
    }
    *subtype = UPD_PARTITION_DATA_UNDEFINED;
    return UPD_OK;
}

#define NO_PRIMARY                                                                                 \
    "Primary bootloader offset is not defined. Please use --primary-bootloader-offset"
#define NO_RECOVERY                                                                                \
    "Recovery bootloader offset is not defined. Please use --recovery-bootloader-offset"

/* Offset of a row; a boot loader and the table itself have a place that the rules know. */
static enum upd_err read_offset(struct parser *parser, struct slice cell,
                                const struct upd_partition *row,
                                struct upd_partition_source *source)
{
    const struct upd_partition_rules *rules = parser->rules;
    bool is_idf = rules->dialect == UPD_PARTITION_IDF;
    uint32_t place = UPD_PARTITION_NOWHERE;

    if (upd_partition_is_primary(rules, row)) {
        place = row->type == UPD_PARTITION_TABLE ? rules->table_offset : rules->primary_bootloader;
        if (place == UPD_PARTITION_NOWHERE) {
            return refuse_row(parser, NO_PRIMARY);
        }
    } else if (is_idf && row->type == UPD_PARTITION_BOOTLOADER &&
               row->subtype == UPD_PARTITION_RECOVERY) {
        place = rules->recovery_bootloader;
        if (place == UPD_PARTITION_NOWHERE) {
            return refuse_row(parser, NO_RECOVERY);
        }
    }
    source->is_placed = place != UPD_PARTITION_NOWHERE || cell.size != 0;
    source->offset = place;
    if (place != UPD_PARTITION_NOWHERE || cell.size == 0) {
        return UPD_OK;
    }
    return read_value(parser, cell, NO_KEYWORDS, &source->offset);
}

static enum upd_err read_size(struct parser *parser, struct slice cell, uint8_t type, int64_t *size)
{
    const struct upd_partition_rules *rules = parser->rules;

    if (rules->dialect == UPD_PARTITION_IDF && type == UPD_PARTITION_BOOTLOADER) {
        if (rules->primary_bootloader == UPD_PARTITION_NOWHERE) {
            return refuse_row(parser, NO_PRIMARY);
        }
        *size = (int64_t)rules->table_offset - rules->primary_bootloader;
        return UPD_OK;
    }
    if (rules->dialect == UPD_PARTITION_IDF && type == UPD_PARTITION_TABLE) {
        *size = UPD_PARTITION_SECTOR_SIZE;
        return UPD_OK;
    }
    if (cell.size == 0) {
        return refuse_row(parser, "Size field can't be empty");
    }
    return read_value(parser, cell, NO_KEYWORDS, size);
}

static enum upd_err read_flags(struct parser *parser, struct slice cell, uint32_t *flags)
{
    *flags = 0;
    while (cell.size != 0) {
        struct slice word = upd_slice_split(&cell, ':'), name;
        bool is_known = word.size == 0;
        uint32_t bit;
        for (uint32_t i = 0; upd_partition_flag(parser->rules, i, &name, &bit); i++) {
            if (upd_slice_equal(word, name)) {
                *flags |= bit;
                is_known = true;
            }
        }
        if (!is_known) {
            struct upd_text *error = row_error(parser);
            upd_text_add(error, "CSV flag column contains unknown flag '");
            upd_text_slice(error, word);
            upd_text_add(error, "'");
            return UPD_E_FORMAT;
        }
    }
    return UPD_OK;
}

/* --- Rows ----------------------------------------------------------------------------------- */

static enum upd_err parse_row(struct parser *parser, struct slice line, struct upd_partition *row,
                              struct upd_partition_source *source)
{
    struct slice cells[CELL_COUNT];
    enum upd_err err;

    for (uint32_t i = 0; i < CELL_COUNT; i++) {
        cells[i] = upd_slice_trim(upd_slice_split(&line, ','));
    }
    source->name = cells[0].at;
    source->name_size = cells[0].size;
    source->line = parser->line;
    err = read_type(parser, cells[1], &row->type);
    if (err != UPD_OK) {
        return err;
    }
    err = read_subtype(parser, cells[2], row->type, &row->subtype);
    if (err != UPD_OK) {
        return err;
    }
    err = read_offset(parser, cells[3], row, source);
    if (err != UPD_OK) {
        return err;
    }
    err = read_size(parser, cells[4], row->type, &source->size);
    if (err != UPD_OK) {
        return err;
    }
    return read_flags(parser, cells[5], &row->flags);
}

/* Keep a row: its name moves down to the other names, over the line that it was part of. */
static void keep_row(struct parser *parser, struct upd_partition *row,
                     struct upd_partition_source *source)
{
    struct upd_partition_list *list = parser->list;
    char *name = parser->scratch + parser->kept;
    uint32_t size = source->name_size;

    parser->rows++;
    if (list->count == list->capacity) {
        return;
    }
    if (size != 0) {
        memmove(name, source->name, size);
    }
    parser->kept += size;
    source->name = name;
    memset(row->name, 0, sizeof row->name);
    memcpy(row->name, name, size < sizeof row->name ? size : sizeof row->name);
    list->rows[list->count] = *row;
    list->sources[list->count++] = *source;
}

static enum upd_err parse_line(struct parser *parser, struct slice line)
{
    struct upd_partition row = {0};
    struct upd_partition_source source = {0};
    enum upd_err err;

    err = expand(parser, &line);
    if (err != UPD_OK) {
        return err;
    }
    err = refuse_variable(parser, line);
    if (err != UPD_OK) {
        return err;
    }
    line = upd_slice_trim(line);
    if (line.size == 0 || *line.at == '#') {
        return UPD_OK;
    }
    err = parse_row(parser, line, &row, &source);
    if (err == UPD_OK) {
        keep_row(parser, &row, &source);
    } else if (parser->rules->dialect == UPD_PARTITION_IDF) {
        upd_text_add(&parser->log->error, "\nPlease check extra_partition_subtypes.inc file in "
                                          "build/config directory");
    }
    return err;
}

/* --- Places --------------------------------------------------------------------------------- */

/* The original compares rows by content, so a copy of the first row counts as the first one. */
static bool is_first(const struct upd_partition_list *list, uint32_t index)
{
    const struct upd_partition *row = &list->rows[index], *first = &list->rows[0];
    const struct upd_partition_source *source = &list->sources[index], *its = &list->sources[0];

    return row->type == first->type && row->subtype == first->subtype &&
           source->offset == its->offset && source->size == its->size &&
           upd_slice_equal((struct slice){source->name, source->name_size},
                           (struct slice){its->name, its->name_size});
}

static void say_hex(struct upd_text *text, const char *before, int64_t value)
{
    upd_text_add(text, before);
    upd_text_hex(text, value, 1);
}

static enum upd_err refuse_place(struct parser *parser, uint32_t index, int64_t end)
{
    const struct upd_partition_source *source = &parser->list->sources[index];
    struct upd_text *error = &parser->log->error;
    uint32_t table = parser->rules->table_offset;

    if (parser->rules->dialect == UPD_PARTITION_RTOS) {
        if (is_first(parser->list, index)) {
            say_hex(error, "CSV Error: First partition offset 0x", source->offset);
            say_hex(error, " overlaps end of partition table 0x", end);
        } else {
            upd_text_add(error, "CSV Error: Partitions overlap. Partition at line ");
            upd_text_decimal(error, source->line);
            say_hex(error, " sets offset 0x", source->offset);
            say_hex(error, ". Previous partition ends 0x", end);
        }
        return UPD_E_FORMAT;
    }
    upd_text_add(error, "CSV Error at line ");
    upd_text_decimal(error, source->line);
    say_hex(error, ": Partitions overlap. Partition sets offset 0x", source->offset);
    if (is_first(parser->list, index)) {
        say_hex(error, ". But partition table occupies the whole sector 0x", table);
        say_hex(error, ". Use a free offset 0x", end);
        upd_text_add(error, " or higher.");
    } else {
        say_hex(error, ". Previous partition ends 0x", end);
    }
    return UPD_E_FORMAT;
}

/* Numbers that the binary form has no room for; the original ends with a traceback there. */
static enum upd_err check_range(struct parser *parser, const struct upd_partition_source *source)
{
    struct upd_text *error = &parser->log->error;

    if (source->offset >= 0 && source->offset <= UINT32_MAX && source->size >= 0 &&
        source->size <= UINT32_MAX) {
        return UPD_OK;
    }
    upd_text_add(error, "CSV Error at line ");
    upd_text_decimal(error, source->line);
    if (source->size < 0) {
        say_hex(error, ": Partition ends at 0x", source->offset + source->size);
        say_hex(error, ", below its offset 0x", source->offset);
    } else {
        say_hex(error, ": Partition has offset 0x", source->offset);
        say_hex(error, " and size 0x", source->size);
        upd_text_add(error, ", which do not fit in 32 bits");
    }
    return UPD_E_FORMAT;
}

/* Give every row its place, in the order of the file; section 3 of the format page. */
static enum upd_err place_rows(struct parser *parser)
{
    const struct upd_partition_rules *rules = parser->rules;
    struct upd_partition_list *list = parser->list;
    int64_t end = (int64_t)rules->table_offset + UPD_PARTITION_SECTOR_SIZE;

    for (uint32_t i = 0; i < list->count; i++) {
        struct upd_partition *row = &list->rows[i];
        struct upd_partition_source *source = &list->sources[i];
        bool is_primary = upd_partition_is_primary(rules, row);

        if (!is_primary && source->is_placed && source->offset < end) {
            return refuse_place(parser, i, end);
        }
        if (!source->is_placed) {
            int64_t alignment = upd_partition_alignment(rules, row->type);
            source->offset = (end + alignment - 1) & -alignment;
        }
        if (!is_primary && source->size < 0) {
            source->size = -source->size - source->offset;
        }
        enum upd_err err = check_range(parser, source);
        if (err != UPD_OK) {
            return err;
        }
        if (!is_primary) {
            end = source->offset + source->size;
        }
        row->offset = (uint32_t)source->offset;
        row->size = (uint32_t)source->size;
    }
    return UPD_OK;
}

static enum upd_err read_all(struct parser *parser)
{
    bool is_last = false;
    enum upd_err err = UPD_OK;

    for (parser->line = 1; !is_last && err == UPD_OK; parser->line++) {
        struct slice line;
        err = read_line(parser, &line, &is_last);
        if (err == UPD_OK) {
            err = parse_line(parser, line);
        }
    }
    if (err != UPD_OK) {
        return err;
    }
    if (parser->rows > parser->list->capacity) {
        upd_partition_say_too_long(parser->rules, parser->rows, parser->log);
        return UPD_E_SPACE;
    }
    return place_rows(parser);
}

enum upd_err upd_partition_csv_read(const struct upd_partition_rules *rules, const void *data,
                                    uint32_t size, char *scratch, uint32_t scratch_size,
                                    struct upd_partition_list *list, struct upd_partition_log *log)
{
    struct parser parser = {
        .rules = rules,
        .list = list,
        .log = log,
        .data = data,
        .decoder = decoder_on(rules, data, size),
        .scratch = scratch,
        .scratch_size = scratch_size,
    };
    enum upd_err err;

    list->count = 0;
    err = read_all(&parser);
    if (err != UPD_OK) {
        list->count = 0;
    }
    return err;
}
