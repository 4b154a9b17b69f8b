/*
 * updraft: read one gzip member, inflating as the bytes arrive.
 *
 * The reader is pulled: the caller hands in what arrived, and takes out what became of it, until
 * neither side has more. Nothing is called back, and one step makes at most UPD_GZIP_PIECE_SIZE
 * bytes: a chip that has to feed its watchdog, to program a sector or to stop does so between two
 * steps.
 *
 *     struct upd_reader in = {data, size}, out;
 *     do {
 *         enum upd_err err = upd_gzip_step(&gzip, &in, &out);
 *         if (err != UPD_OK) {
 *             return err;                          gzip.reason and gzip.offset tell more
 *         }
 *         ... use the out.left bytes at out.at ...
 *     } while (in.left != 0 || out.left != 0);
 *
 * and at the end of the input upd_gzip_end(), which alone can tell that the file was cut short.
 *
 * What is accepted is what zlib accepts as a gzip file of exactly one member, and nothing else:
 * damaged codes, wrong check values, reserved flags, further members and trailing bytes are
 * refused.
 *
 * Memory, all of the caller's: struct upd_gzip, at most 1152 bytes, and a window of up to 32 KiB.
 * Format: docs/formats/gzip.md
 */
#ifndef UPDRAFT_GZIP_H
#define UPDRAFT_GZIP_H

#include <stdbool.h>
#include <stdint.h>

#include <updraft/bytes.h>
#include <updraft/err.h>

/** Most bytes that one step gives. A power of two; pieces do not cross its multiples. */
#define UPD_GZIP_PIECE_SIZE 4096u

/** A window of this size reads every gzip file. */
#define UPD_GZIP_WINDOW_SIZE 32768u

/*
 * X(name, code, text). Why a file is refused. A text is a predicate of the file: "app.bin.gz: at
 * offset 17: has a block of the reserved type".
 */
#define UPD_GZIP_REASONS(X)                                                                        \
    X(OK, UPD_OK, "has nothing wrong so far")                                                      \
    X(MAGIC, UPD_E_FORMAT, "does not start with the bytes 1f 8b of gzip")                          \
    X(METHOD, UPD_E_FORMAT, "is compressed by another method than deflate")                        \
    X(FLAGS, UPD_E_FORMAT, "has reserved flags set in its header")                                 \
    X(HEADER_CRC, UPD_E_AUTH, "has a header that does not match its CRC")                          \
    X(BLOCK_TYPE, UPD_E_FORMAT, "has a block of the reserved type")                                \
    X(STORED_SIZE, UPD_E_FORMAT, "has a stored block whose two sizes differ")                      \
    X(CODE_COUNT, UPD_E_FORMAT, "has a block with more codes than there are symbols")              \
    X(LENGTHS_CODE, UPD_E_FORMAT, "has a block whose code for code lengths does not add up")       \
    X(LITERAL_CODE, UPD_E_FORMAT, "has a block whose code for literals does not add up")           \
    X(DISTANCE_CODE, UPD_E_FORMAT, "has a block whose code for distances does not add up")         \
    X(REPEAT, UPD_E_FORMAT, "has a block that repeats a code length where it must not")            \
    X(ENDLESS, UPD_E_FORMAT, "has a block without a code for its end")                             \
    X(SYMBOL, UPD_E_FORMAT, "uses a literal or length code that means nothing")                    \
    X(DISTANCE, UPD_E_FORMAT, "uses a distance code that means nothing")                           \
    X(TOO_FAR, UPD_E_FORMAT, "copies from before its own beginning")                               \
    X(WINDOW, UPD_E_SPACE, "copies from farther back than the window reaches")                     \
    X(OUTPUT, UPD_E_SPACE, "inflates to more bytes than there is room for")                        \
    X(CRC, UPD_E_AUTH, "inflates to bytes that do not match their CRC")                            \
    X(SIZE, UPD_E_FORMAT, "inflates to another number of bytes than it says")                      \
    X(TRAILING, UPD_E_FORMAT, "goes on after its end")                                             \
    X(SHORT, UPD_E_SHORT, "ends before it is complete")

enum upd_gzip_reason {
#define X(name, code, text) UPD_GZIP_##name,
    UPD_GZIP_REASONS(X)
#undef X
};

/** The sentence of a reason; "unknown reason" for a value that is not in the list. Never NULL. */
const char *upd_gzip_reason_text(enum upd_gzip_reason reason);

/** The error code that goes with a reason; UPD_E_ARG for a value that is not in the list. */
enum upd_err upd_gzip_reason_code(enum upd_gzip_reason reason);

/**
 * The header alone, for who looks at a gzip file but does not inflate it. Owned by the caller, 16
 * bytes; `size` may be read, the rest is the module's own.
 */
struct upd_gzip_head {
    uint32_t size; /* bytes read so far; once complete, the offset of the compressed data */
    uint32_t crc;  /* of these bytes, as far as the header's own check covers them */
    uint16_t left; /* bytes of the extra field still to come */
    uint8_t field; /* being read */
    uint8_t index; /* of the byte to come in the field, where the field has a fixed size */
    uint8_t flags;
};

/**
 * Begin a header.
 *
 * @param head  state, not NULL; what it held before does not matter
 */
void upd_gzip_head_init(struct upd_gzip_head *head);

/**
 * Read on in a header.
 *
 * @param head  state begun by upd_gzip_head_init(), not NULL
 * @param in    what arrived, of any size; not NULL. Moved on to behind the bytes used, which on an
 *              error are those up to and with the wrong one
 *
 * @return UPD_GZIP_OK  all of `in` was used and the header goes on, or the header is complete: ask
 *                      upd_gzip_head_complete()
 * @return UPD_GZIP_MAGIC, UPD_GZIP_METHOD, UPD_GZIP_FLAGS, UPD_GZIP_HEADER_CRC
 *                      what is wrong with the byte at offset head->size - 1; the next call must be
 *                      upd_gzip_head_init()
 */
enum upd_gzip_reason upd_gzip_head_step(struct upd_gzip_head *head, struct upd_reader *in);

/** True when the whole header was read. */
bool upd_gzip_head_complete(const struct upd_gzip_head *head);

/**
 * A gzip member being read. Owned by the caller. The first group of fields may be read at any time;
 * the rest is the module's own.
 */
struct upd_gzip {
    uint32_t consumed; /* bytes of the file taken so far; once complete, the size of the member */
    uint32_t produced; /* bytes inflated so far */
    uint32_t offset; /* of the byte with which the file went wrong; 0 while reason is UPD_GZIP_OK */
    uint32_t reason; /* enum upd_gzip_reason */

    uint32_t state;
    uint32_t hold;     /* bits taken from the file and not yet used, the next one lowest */
    uint32_t held;     /* how many */
    uint32_t symbol;   /* found last */
    uint32_t size;     /* bits of its code */
    uint32_t index;    /* of the code length to be read next */
    uint32_t length;   /* bytes still to be copied */
    uint32_t distance; /* from this far back */
    uint32_t stop;     /* what `produced` must not pass in this step */
    uint32_t given;    /* bytes of `produced` that earlier steps gave, and that crc covers */
    uint8_t *window;
    uint32_t window_size;
    uint32_t max_output;
    uint32_t crc;
    uint32_t code_count, literal_count, distance_count;
    bool last;                  /* this block is the last one */
    uint8_t longest[2];         /* bits of the longest code, for literals and for distances */
    uint16_t counts[2][16];     /* how many codes have so many bits */
    uint16_t symbols[288 + 32]; /* in the order of their codes; first literals, then distances */
    uint8_t lengths[288 + 32];
    struct upd_gzip_head head;
};
_Static_assert(sizeof(struct upd_gzip) <= 1152, "upd_gzip: its header states the size");

/**
 * Begin a file.
 *
 * @param gzip         state, not NULL; what it held before does not matter
 * @param window       buffer of window_size bytes, not NULL; the module's own until the caller is
 *                     done with `gzip`
 * @param window_size  power of two from 256 to UPD_GZIP_WINDOW_SIZE. With less than the latter, a
 *                     file is refused (UPD_GZIP_WINDOW) where it copies from farther back
 * @param max_output   bytes that the file may inflate to, for instance the size of the slot
 *
 * @return UPD_OK     ready
 * @return UPD_E_ARG  window_size is none of those; *gzip is as it was
 */
UPD_MUST_CHECK enum upd_err upd_gzip_init(struct upd_gzip *gzip, uint8_t *window,
                                          uint32_t window_size, uint32_t max_output);

/**
 * Read on.
 *
 * @param gzip  state begun by upd_gzip_init(), not NULL
 * @param in    what arrived, of any size, also nothing; not NULL. Moved on to behind the bytes used
 * @param out   out: the bytes that became of it, at most UPD_GZIP_PIECE_SIZE, in the window, where
 *              they stay until the next step; not NULL
 *
 * When in->left and out->left are both 0 on return, the reader waits for more bytes or is complete.
 * Otherwise call it again, with what is left of `in`.
 *
 * @return UPD_OK        *in and *out say what was done
 * @return UPD_E_FORMAT  the file is not gzip, is damaged, or goes on after its end
 * @return UPD_E_AUTH    the inflated bytes or the header do not match their CRC
 * @return UPD_E_SPACE   the file inflates to more than max_output bytes, and none beyond was given;
 *                       or it needs a larger window
 *
 * After an error *out is empty, gzip->reason and gzip->offset tell what and where, and every
 * further call returns the same. The check values come last: until upd_gzip_end() said UPD_OK, what
 * was given may be damaged.
 *
 * Cost: the work for at most UPD_GZIP_PIECE_SIZE bytes, and for all of `in`. Stack: below 200 bytes
 * on lx106.
 */
UPD_MUST_CHECK enum upd_err upd_gzip_step(struct upd_gzip *gzip, struct upd_reader *in,
                                          struct upd_reader *out);

/**
 * True when the member has been read to its end, its check values included. A caller who expects
 * something else after the member, such as a signature, asks this before each step and takes the
 * bytes from here on himself: to upd_gzip_step() they are an error.
 */
bool upd_gzip_complete(const struct upd_gzip *gzip);

/**
 * Say that the file ends here.
 *
 * @param gzip  state, not NULL
 *
 * @return UPD_OK       it was one whole member, and its check values match
 * @return UPD_E_SHORT  it was cut off; gzip->reason is UPD_GZIP_SHORT and gzip->offset the number
 *                      of bytes there were
 * @return others       what upd_gzip_step() returned
 */
UPD_MUST_CHECK enum upd_err upd_gzip_end(struct upd_gzip *gzip);

#endif
