#include <updraft/gzip.h>

#include <updraft/crc32.h>

/*
 * The reader is a machine of small states, so that the file may pause after any bit and the output
 * after any byte:
 *
 *     HEAD --> BLOCK -- stored ---> STORED_SIZE --> STORED --> next block
 *                    -- fixed ----> SYMBOL
 *                    -- dynamic --> COUNTS --> CODE_LENGTHS --> LENGTHS --> SYMBOL
 *
 *     SYMBOL -- literal -------> SYMBOL
 *            -- length --------> LENGTH_BITS --> DISTANCE --> DISTANCE_BITS --> COPY --> SYMBOL
 *            -- end of block --> next block
 *
 *     next block: BLOCK, or after the last one CHECK_CRC --> CHECK_SIZE --> COMPLETE
 *
 * What stays true:
 *
 * (1) A state takes bits out of `hold` when it has all that it needs, or keeps in the struct what
 *     it did so far. So running a state again after a pause is running it on.
 *
 * (2) have() is asked for 15 bits at most, or for 32 at a boundary of bytes. So `hold` has room.
 *
 * (3) `produced` never passes `stop`; `stop` passes neither max_output nor the end of the piece. So
 *     a piece does not wrap round in the window, and is given before it is overwritten.
 *
 * (4) The check values are looked at in a step that gives nothing: `crc` then covers all that was
 *     given.
 */
enum state {
    HEAD,
    BLOCK,
    STORED_SIZE,
    STORED,
    COUNTS,
    CODE_LENGTHS,
    LENGTHS,
    SYMBOL,
    LENGTH_BITS,
    DISTANCE,
    DISTANCE_BITS,
    COPY,
    CHECK_CRC,
    CHECK_SIZE,
    COMPLETE
};

/* The codes of a block. That of the lengths is used up when another takes its place. */
enum code { LITERALS, DISTANCES, OF_LENGTHS = LITERALS };

enum { LONGEST = 15, LENGTH_SYMBOLS = 19, LITERAL_SYMBOLS = 286, DISTANCE_SYMBOLS = 30 };
enum { FIXED_LITERALS = 288, FIXED_DISTANCES = 32 }; /* their last two symbols each mean nothing */
enum { END_OF_BLOCK = 256, FIRST_LENGTH = 257, LAST_LENGTH = 285 };

static bool fail(struct upd_gzip *gzip, enum upd_gzip_reason reason)
{
    gzip->reason = reason;
    return false;
}

static bool go_to(struct upd_gzip *gzip, enum state state)
{
    gzip->state = state;
    return true;
}

static bool next_block(struct upd_gzip *gzip)
{
    return go_to(gzip, gzip->last ? CHECK_CRC : BLOCK);
}

/* Where byte `position` of the output lies in the window, whose size is a power of two. */
static uint8_t *place_of(const struct upd_gzip *gzip, uint32_t position)
{
    return gzip->window + (position & (gzip->window_size - 1));
}

/* There is output and no room for it: in this step, or ever. */
static bool full(struct upd_gzip *gzip)
{
    return gzip->stop == gzip->max_output && fail(gzip, UPD_GZIP_OUTPUT);
}

/* Have `count` bits in `hold`; or as many as there are, and false. */
static bool have(struct upd_gzip *gzip, struct upd_reader *in, uint32_t count)
{
    const uint8_t *byte;

    while (gzip->held < count) {
        if (!upd_take(in, 1, &byte)) {
            return false;
        }
        gzip->hold |= (uint32_t)*byte << gzip->held;
        gzip->held += 8;
    }
    return true;
}

/* Take `count` bits, fewer than 32, out of those in `hold`. */
static uint32_t bits(struct upd_gzip *gzip, uint32_t count)
{
    uint32_t value = gzip->hold & ((1u << count) - 1);

    gzip->hold >>= count;
    gzip->held -= count;
    return value;
}

/* Take the 32 bits that follow the next boundary of bytes, or say that they are not all there. */
static bool word(struct upd_gzip *gzip, struct upd_reader *in, uint32_t *value)
{
    (void)bits(gzip, gzip->held % 8);
    if (!have(gzip, in, 32)) {
        return false;
    }
    *value = gzip->hold;
    gzip->hold = 0;
    gzip->held = 0;
    return true;
}

static uint16_t *symbols_of(struct upd_gzip *gzip, enum code code)
{
    return gzip->symbols + (code == DISTANCES ? FIXED_LITERALS : 0);
}

/*
 * Make a code from the sizes of its symbols' codes, where 0 says that a symbol has none.
 *
 * @return 0 when the code is complete, more when some strings of bits mean nothing, less when some
 *         mean two things
 */
static int32_t make_code(struct upd_gzip *gzip, enum code code, const uint8_t *sizes,
                         uint32_t count)
{
    uint16_t *counts = gzip->counts[code], *symbols = symbols_of(gzip, code), next[LONGEST + 1];
    uint32_t place = 0;
    int32_t unused = 1; /* codes of the size at hand that no symbol has, nor the beginning of */

    memset(counts, 0, sizeof gzip->counts[code]);
    for (uint32_t i = 0; i < count; i++) {
        counts[sizes[i]]++;
    }
    gzip->longest[code] = 0;
    for (uint32_t size = 1; size <= LONGEST; size++) {
        next[size] = (uint16_t)place;
        place += counts[size];
        unused = 2 * unused - counts[size];
        if (unused < 0) {
            return unused;
        }
        if (counts[size] != 0) {
            gzip->longest[code] = (uint8_t)size;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (sizes[i] != 0) {
            symbols[next[sizes[i]]++] = (uint16_t)i;
        }
    }
    return unused;
}

/*
 * As make_code(), for the codes of data. They may be incomplete in two ways: one code of one bit is
 * what a compressor makes for one symbol, and no code at all is right as long as none is used.
 */
static bool make_data_code(struct upd_gzip *gzip, enum code code, const uint8_t *sizes,
                           uint32_t count)
{
    int32_t unused = make_code(gzip, code, sizes, count);

    return unused == 0 || (unused > 0 && gzip->longest[code] <= 1);
}

/*
 * Find the symbol whose code comes next, without taking its bits: they are gzip->size many.
 *
 * The codes of one size are consecutive numbers, in the order of their symbols, and the first of a
 * size is the number after the last of the size before, with a zero appended. So one walk over the
 * sizes does it.
 */
static bool find(struct upd_gzip *gzip, struct upd_reader *in, enum code code,
                 enum upd_gzip_reason otherwise)
{
    const uint16_t *counts = gzip->counts[code], *symbols = symbols_of(gzip, code);
    uint32_t number = 0, first = 0, rest;

    (void)have(gzip, in, LONGEST); /* fewer may do */
    rest = gzip->hold;
    for (uint32_t size = 1; size <= gzip->longest[code]; size++) {
        if (size > gzip->held) {
            return false;
        }
        number = 2 * number + rest % 2;
        rest /= 2;
        if (number - first < counts[size]) {
            gzip->size = size;
            gzip->symbol = symbols[number - first];
            return true;
        }
        symbols += counts[size];
        first = 2 * (first + counts[size]);
    }
    return fail(gzip, otherwise);
}

static bool run_head(struct upd_gzip *gzip, struct upd_reader *in)
{
    enum upd_gzip_reason reason = upd_gzip_head_step(&gzip->head, in);

    if (reason != UPD_GZIP_OK) {
        return fail(gzip, reason);
    }
    return upd_gzip_head_complete(&gzip->head) && go_to(gzip, BLOCK);
}

/* Both codes from their sizes, which lie one after the other. */
static bool make_codes(struct upd_gzip *gzip)
{
    if (gzip->lengths[END_OF_BLOCK] == 0) {
        return fail(gzip, UPD_GZIP_ENDLESS);
    }
    if (!make_data_code(gzip, LITERALS, gzip->lengths, gzip->literal_count)) {
        return fail(gzip, UPD_GZIP_LITERAL_CODE);
    }
    if (!make_data_code(gzip, DISTANCES, gzip->lengths + gzip->literal_count,
                        gzip->distance_count)) {
        return fail(gzip, UPD_GZIP_DISTANCE_CODE);
    }
    return go_to(gzip, SYMBOL);
}

static bool make_fixed_codes(struct upd_gzip *gzip)
{
    for (uint32_t i = 0; i < FIXED_LITERALS; i++) {
        gzip->lengths[i] = i < 144 || i >= 280 ? 8 : i < 256 ? 9 : 7;
    }
    memset(gzip->lengths + FIXED_LITERALS, 5, FIXED_DISTANCES);
    gzip->literal_count = FIXED_LITERALS;
    gzip->distance_count = FIXED_DISTANCES;
    return make_codes(gzip);
}

static bool run_block(struct upd_gzip *gzip, struct upd_reader *in)
{
    if (!have(gzip, in, 3)) {
        return false;
    }
    gzip->last = bits(gzip, 1) != 0;
    switch (bits(gzip, 2)) {
    case 0:
        return go_to(gzip, STORED_SIZE);
    case 1:
        return make_fixed_codes(gzip);
    case 2:
        return go_to(gzip, COUNTS);
    default:
        return fail(gzip, UPD_GZIP_BLOCK_TYPE);
    }
}

static bool run_stored_size(struct upd_gzip *gzip, struct upd_reader *in)
{
    uint32_t sizes;

    if (!word(gzip, in, &sizes)) {
        return false;
    }
    gzip->length = sizes & 0xFFFF;
    if (gzip->length != ~sizes >> 16) {
        return fail(gzip, UPD_GZIP_STORED_SIZE);
    }
    return go_to(gzip, STORED);
}

/* `hold` is empty: the sizes were the 32 bits of it. */
static bool run_stored(struct upd_gzip *gzip, struct upd_reader *in)
{
    uint32_t size = gzip->length, room = gzip->stop - gzip->produced;
    const uint8_t *bytes;

    if (size == 0) {
        return next_block(gzip);
    }
    if (room == 0) {
        return full(gzip);
    }
    if (in->left == 0) {
        return false;
    }
    size = size < room ? size : room;
    size = size < in->left ? size : in->left;
    (void)upd_take(in, size, &bytes);
    memcpy(place_of(gzip, gzip->produced), bytes, size);
    gzip->produced += size;
    gzip->length -= size;
    return true;
}

static bool run_counts(struct upd_gzip *gzip, struct upd_reader *in)
{
    if (!have(gzip, in, 14)) {
        return false;
    }
    gzip->literal_count = 257 + bits(gzip, 5);
    gzip->distance_count = 1 + bits(gzip, 5);
    gzip->code_count = 4 + bits(gzip, 4);
    if (gzip->literal_count > LITERAL_SYMBOLS || gzip->distance_count > DISTANCE_SYMBOLS) {
        return fail(gzip, UPD_GZIP_CODE_COUNT);
    }
    memset(gzip->lengths, 0, LENGTH_SYMBOLS);
    gzip->index = 0;
    return go_to(gzip, CODE_LENGTHS);
}

/* The symbols of lengths in their odd order: 16 17 18 0 8 7 9 6 10 5 11 4 12 3 13 2 14 1 15. */
static uint32_t symbol_at(uint32_t i)
{
    if (i < 4) {
        return i < 3 ? 16 + i : 0;
    }
    return i % 2 == 0 ? 6 + i / 2 : 9 - i / 2;
}

static bool run_code_lengths(struct upd_gzip *gzip, struct upd_reader *in)
{
    for (; gzip->index < gzip->code_count; gzip->index++) {
        if (!have(gzip, in, 3)) {
            return false;
        }
        gzip->lengths[symbol_at(gzip->index)] = (uint8_t)bits(gzip, 3);
    }
    if (make_code(gzip, OF_LENGTHS, gzip->lengths, LENGTH_SYMBOLS) != 0) {
        return fail(gzip, UPD_GZIP_LENGTHS_CODE);
    }
    gzip->index = 0;
    return go_to(gzip, LENGTHS);
}

/* Symbol 16 repeats the length before, 17 and 18 repeat zero. */
static bool repeat_length(struct upd_gzip *gzip, struct upd_reader *in, uint32_t left)
{
    uint32_t extra = gzip->symbol == 18 ? 7 : gzip->symbol - 14;
    uint32_t times = gzip->symbol == 18 ? 11 : 3;
    uint8_t *at = gzip->lengths + gzip->index;

    if (!have(gzip, in, gzip->size + extra)) {
        return false;
    }
    (void)bits(gzip, gzip->size);
    times += bits(gzip, extra);
    if (times > left || (gzip->symbol == 16 && gzip->index == 0)) {
        return fail(gzip, UPD_GZIP_REPEAT);
    }
    memset(at, gzip->symbol == 16 ? at[-1] : 0, times);
    gzip->index += times;
    return true;
}

static bool run_lengths(struct upd_gzip *gzip, struct upd_reader *in)
{
    uint32_t left = gzip->literal_count + gzip->distance_count - gzip->index;

    if (left == 0) {
        return make_codes(gzip);
    }
    if (!find(gzip, in, OF_LENGTHS, UPD_GZIP_LENGTHS_CODE)) {
        return false;
    }
    if (gzip->symbol >= 16) {
        return repeat_length(gzip, in, left);
    }
    (void)bits(gzip, gzip->size);
    gzip->lengths[gzip->index++] = (uint8_t)gzip->symbol;
    return true;
}

static bool run_symbol(struct upd_gzip *gzip, struct upd_reader *in)
{
    while (find(gzip, in, LITERALS, UPD_GZIP_SYMBOL)) {
        uint32_t symbol = gzip->symbol;

        if (symbol < END_OF_BLOCK && gzip->produced == gzip->stop) {
            return full(gzip);
        }
        (void)bits(gzip, gzip->size);
        if (symbol == END_OF_BLOCK) {
            return next_block(gzip);
        }
        if (symbol > END_OF_BLOCK) {
            return symbol > LAST_LENGTH ? fail(gzip, UPD_GZIP_SYMBOL) : go_to(gzip, LENGTH_BITS);
        }
        *place_of(gzip, gzip->produced++) = (uint8_t)symbol;
    }
    return false;
}

/*
 * Symbol i of lengths or distances stands for a range of numbers, and extra bits choose one of it.
 * Ranges come in groups of 2^k of one width; each group's ranges are twice as wide as those of the
 * group before it, the first two groups' being single numbers.
 */
static bool choose(struct upd_gzip *gzip, struct upd_reader *in, uint32_t i, uint32_t k,
                   uint32_t *value)
{
    uint32_t group = i >> k, extra = group < 2 ? 0 : group - 1;

    if (!have(gzip, in, extra)) {
        return false;
    }
    *value = ((i - (extra << k)) << extra) + bits(gzip, extra);
    return true;
}

static bool run_length_bits(struct upd_gzip *gzip, struct upd_reader *in)
{
    uint32_t value = 255;

    if (gzip->symbol != LAST_LENGTH && !choose(gzip, in, gzip->symbol - FIRST_LENGTH, 2, &value)) {
        return false;
    }
    gzip->length = 3 + value;
    return go_to(gzip, DISTANCE);
}

static bool run_distance(struct upd_gzip *gzip, struct upd_reader *in)
{
    if (!find(gzip, in, DISTANCES, UPD_GZIP_DISTANCE)) {
        return false;
    }
    (void)bits(gzip, gzip->size);
    return gzip->symbol < DISTANCE_SYMBOLS ? go_to(gzip, DISTANCE_BITS)
                                           : fail(gzip, UPD_GZIP_DISTANCE);
}

static bool run_distance_bits(struct upd_gzip *gzip, struct upd_reader *in)
{
    uint32_t value;

    if (!choose(gzip, in, gzip->symbol, 1, &value)) {
        return false;
    }
    gzip->distance = 1 + value;
    if (gzip->distance > gzip->produced) {
        return fail(gzip, UPD_GZIP_TOO_FAR);
    }
    return gzip->distance > gzip->window_size ? fail(gzip, UPD_GZIP_WINDOW) : go_to(gzip, COPY);
}

/* Byte by byte: a copy may read the bytes that it makes. */
static bool run_copy(struct upd_gzip *gzip)
{
    uint32_t to = gzip->produced, from = to - gzip->distance, mask = gzip->window_size - 1;
    uint32_t room = gzip->stop - to, size = gzip->length < room ? gzip->length : room;
    uint8_t *window = gzip->window;

    gzip->produced += size;
    gzip->length -= size;
    for (; size != 0; size--) {
        window[to++ & mask] = window[from++ & mask];
    }
    return gzip->length != 0 ? full(gzip) : go_to(gzip, SYMBOL);
}

static bool run_check(struct upd_gzip *gzip, struct upd_reader *in)
{
    uint32_t value;

    if (gzip->produced != gzip->given || !word(gzip, in, &value)) {
        return false;
    }
    if (gzip->state == CHECK_CRC) {
        return value == gzip->crc ? go_to(gzip, CHECK_SIZE) : fail(gzip, UPD_GZIP_CRC);
    }
    if (value != gzip->produced) {
        return fail(gzip, UPD_GZIP_SIZE);
    }
    /* What follows may be of use to the caller; if not, it is for the next step to refuse. */
    gzip->state = COMPLETE;
    return false;
}

static bool run_complete(struct upd_gzip *gzip, struct upd_reader *in)
{
    const uint8_t *byte;

    return upd_take(in, 1, &byte) && fail(gzip, UPD_GZIP_TRAILING);
}

/* Run the state at hand: true to go on with what is the state then, false to pause or to fail. */
static bool run(struct upd_gzip *gzip, struct upd_reader *in)
{
    switch ((enum state)gzip->state) {
    case HEAD:
        return run_head(gzip, in);
    case BLOCK:
        return run_block(gzip, in);
    case STORED_SIZE:
        return run_stored_size(gzip, in);
    case STORED:
        return run_stored(gzip, in);
    case COUNTS:
        return run_counts(gzip, in);
    case CODE_LENGTHS:
        return run_code_lengths(gzip, in);
    case LENGTHS:
        return run_lengths(gzip, in);
    case SYMBOL:
        return run_symbol(gzip, in);
    case LENGTH_BITS:
        return run_length_bits(gzip, in);
    case DISTANCE:
        return run_distance(gzip, in);
    case DISTANCE_BITS:
        return run_distance_bits(gzip, in);
    case COPY:
        return run_copy(gzip);
    case CHECK_CRC:
    case CHECK_SIZE:
        return run_check(gzip, in);
    case COMPLETE:
        return run_complete(gzip, in);
    }
    return false;
}

enum upd_err upd_gzip_reason_code(enum upd_gzip_reason reason)
{
    switch (reason) {
#define X(name, code, text)                                                                        \
    case UPD_GZIP_##name:                                                                          \
        return code;
        UPD_GZIP_REASONS(X)
#undef X
    }
    return UPD_E_ARG;
}

enum upd_err upd_gzip_init(struct upd_gzip *gzip, uint8_t *window, uint32_t window_size,
                           uint32_t max_output)
{
    if (window_size < 256 || window_size > UPD_GZIP_WINDOW_SIZE ||
        (window_size & (window_size - 1)) != 0) {
        return UPD_E_ARG;
    }
    memset(gzip, 0, sizeof *gzip);
    upd_gzip_head_init(&gzip->head);
    gzip->window = window;
    gzip->window_size = window_size;
    gzip->max_output = max_output;
    gzip->crc = UPD_CRC32_INIT;
    return UPD_OK;
}

/* Where this step has to stop: at the end of the piece, or of what the file may inflate to. */
static uint32_t stop_of(const struct upd_gzip *gzip)
{
    uint32_t piece =
        gzip->window_size < UPD_GZIP_PIECE_SIZE ? gzip->window_size : UPD_GZIP_PIECE_SIZE;
    uint32_t room = piece - (gzip->produced & (piece - 1));
    uint32_t most = gzip->max_output - gzip->produced;

    return gzip->produced + (room < most ? room : most);
}

enum upd_err upd_gzip_step(struct upd_gzip *gzip, struct upd_reader *in, struct upd_reader *out)
{
    uint32_t before = in->left;

    out->at = place_of(gzip, gzip->produced);
    out->left = 0;
    if (gzip->reason == UPD_GZIP_OK) {
        gzip->stop = stop_of(gzip);
        while (run(gzip, in)) {
        }
        gzip->consumed += before - in->left;
        if (gzip->reason == UPD_GZIP_OK) {
            out->left = gzip->produced - gzip->given;
            gzip->given = gzip->produced;
            gzip->crc = upd_crc32(gzip->crc, out->at, out->left);
        } else {
            gzip->offset = gzip->consumed - 1 - gzip->held / 8;
        }
    }
    return upd_gzip_reason_code((enum upd_gzip_reason)gzip->reason);
}

bool upd_gzip_complete(const struct upd_gzip *gzip)
{
    return gzip->state == COMPLETE && gzip->reason == UPD_GZIP_OK;
}

enum upd_err upd_gzip_end(struct upd_gzip *gzip)
{
    if (gzip->reason == UPD_GZIP_OK && gzip->state != COMPLETE) {
        gzip->reason = UPD_GZIP_SHORT;
        gzip->offset = gzip->consumed;
    }
    return upd_gzip_reason_code((enum upd_gzip_reason)gzip->reason);
}
