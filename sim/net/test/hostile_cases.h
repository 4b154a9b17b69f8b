/*
 * What servers do wrong: one row each. An answer is a head, made of a template, and a body, made by a
 * function; it stops at some place, in some way.
 *
 * Templates: %S status line, with Content-Range for a part   %E ETag   %M x-MD5   %L Content-Length
 *            %n bytes that are to come, %m one more   %T bytes of the image   %F first byte   %Z last byte
 *            %U "http://127.0.0.1:PORT", or https
 *            %d MD5 alone, %D in capitals   %X a text of 300 bytes
 */
#ifndef SIM_TEST_HOSTILE_CASES_H
#define SIM_TEST_HOSTILE_CASES_H

#include <updraft/trouble.h>

#include "peer.h"

/** What is sent for the image. */
enum body {
    BODY_IMAGE,   /* the image, from the first byte that was asked for */
    BODY_WHOLE,   /* all of it, whatever was asked for */
    BODY_FLIPPED, /* the image with a bit turned at `arg` thousandths of what is sent */
    BODY_FORGED,  /* as well, and the image's own checksum and digest are made right again */
    BODY_OTHER,   /* another version, whole and good */
    BODY_CHIP,    /* an image for another chip */
    BODY_LOADER,  /* a boot loader */
    BODY_PAGE,    /* a page of HTML, as long as the image */
    BODY_ZEROS,
    BODY_ONES,
    BODY_NOISE,
    BODY_MORE,    /* the image, and `arg` bytes more */
    BODY_LESS,    /* the image, without its last `arg` bytes */
    BODY_TWICE,   /* the image, and the image again */
    BODY_SHIFTED, /* the image, without its first `arg` bytes, but as long */
    BODY_PLACE,   /* the image, made for the place where the running one lies */
    BODY_ZIP,     /* compressed; `arg` is an enum zip */
    BODY_NONE,
};

/** What is wrong with compressed content. */
enum zip {
    ZIP_GOOD,
    ZIP_STORED,    /* not compressed, but gzip; good too */
    ZIP_CRC,       /* wrong */
    ZIP_SIZE,      /* wrong by one */
    ZIP_HUGE_SIZE, /* wrong by 4 GB */
    ZIP_MAGIC,
    ZIP_METHOD,
    ZIP_FLAGS,   /* reserved ones */
    ZIP_NAME,    /* without an end */
    ZIP_DAMAGED, /* a bit in the middle */
    ZIP_TRAILING,
    ZIP_ONE_MORE,
    ZIP_TWICE, /* two members */
    ZIP_HALF,
    ZIP_NO_TRAILER,
    ZIP_HALF_TRAILER,
    ZIP_HEAD, /* and nothing else */
    ZIP_BYTE,
    ZIP_BOMB,  /* the image, and 64 MB */
    ZIP_ZEROS, /* 4 MB */
    ZIP_CHIP,  /* for another chip */
    ZIP_NOTHING,
    ZIP_SHORT,   /* the image without its last 16 bytes */
    ZIP_FLIPPED, /* the image with a bit turned */
    ZIP_IN_ZIP,
};

/** How the body is wrapped. */
enum wrap {
    WRAP_NONE,
    WRAP_CHUNKS,       /* of 4096 bytes */
    WRAP_ONES,         /* chunks of one byte */
    WRAP_NO_SIZE,      /* a chunk without a size */
    WRAP_NEGATIVE,     /* "-1000" */
    WRAP_HUGE,         /* "ffffffff" */
    WRAP_OVERFLOW,     /* "100001000", which is 4096 when 32 bits of it are looked at */
    WRAP_NO_HEX,       /* "xyz" */
    WRAP_NO_CR,        /* LF alone after the size */
    WRAP_SHORTER,      /* each chunk is one byte shorter than it says */
    WRAP_LONGER,       /* ... longer */
    WRAP_NO_LAST,      /* the last chunk is missing */
    WRAP_ENDLESS,      /* chunks that do not end */
    WRAP_ENDLESS_ONES, /* chunks of one byte that do not end */
    WRAP_EXTENSIONS,   /* an extension that does not end */
    WRAP_TRAILERS,     /* trailers that do not end */
    WRAP_ENDLESS_BODY, /* no chunks: bytes that do not end */
    WRAP_ENDLESS_HEAD, /* fields that do not end */
    WRAP_ENDLESS_LINE, /* a field that does not end */
    WRAP_ENDLESS_100,  /* informational answers that do not end */
};

/** Where an answer stops. */
enum place {
    AT_THE_END,
    IN_STATUS,    /* "HTTP/" */
    AFTER_STATUS, /* and its CR LF */
    IN_NAME,      /* of the first field */
    IN_VALUE,
    IN_BLANK_LINE, /* between its CR and its LF */
    BEFORE_BLANK_LINE,
    AFTER_HEAD,
    AFTER_FIRST,  /* byte of the body */
    IN_PAGE,      /* after 300 bytes of the body */
    AFTER_SECTOR, /* after 4096 bytes of the body */
    IN_MIDDLE,
    BEFORE_LAST,   /* byte of the answer */
    IN_CHUNK_SIZE, /* of the first chunk */
    IN_CHUNK_CRLF,
    BEFORE_CHUNK_END,
    IN_CHUNK_END,
    BEFORE_LAST_CHUNK,
    IN_LAST_CHUNK,
    BEFORE_NOTHING, /* nothing is said */
};

/** How fast. */
enum pace {
    AT_ONCE,
    DRIBBLES,     /* a byte in 5 seconds, from the beginning */
    SLOW_BODY,    /* the head at once, the body with 100 bytes in 5 seconds */
    STALLS,       /* 5000 bytes at once, and then a byte in 100 seconds */
    QUICK_ENOUGH, /* 250 bytes each second */
};

#define GOOD_HEAD "%S%E%M%L\r\n"
#define CHUNKED "%S%E%MTransfer-Encoding: chunked\r\n\r\n"
#define T(name) UPD_TROUBLE_##name
/** Nothing is wrong, after all: the image is installed. */
#define FINE UPD_TROUBLE_COUNT

struct hostile {
    const char *name;
    enum upd_trouble trouble; /* what it is found to be */
    enum upd_trouble tls;     /* by HTTPS, if that is something else; NONE: the same */
    enum upd_trouble part;    /* when a download goes on, if that is something else */
    const char *head;         /* NULL: GOOD_HEAD */
    enum body body;
    uint32_t arg;
    enum wrap wrap;
    enum place place;
    enum end end;
    enum pace pace;
    enum door door;
    enum pki_kind kind;
    uint32_t damage, cut; /* of TLS */
    bool tls_only;
};

/* A kind of stop for each place: in good order, by a break, or by silence. */
#define STOPS(text, at, head_, order, silence)                                                     \
    {.name = text ", then the end",                                                                \
     .trouble = order,                                                                             \
     .head = head_,                                                                                \
     .wrap = WRAP_OF(head_),                                                                       \
     .place = at,                                                                                  \
     .end = END_CLOSE},                                                                            \
        {.name = text ", then a break",                                                            \
         .trouble = T(CONNECTION_LOST),                                                            \
         .tls = T(TLS_BROKEN),                                                                     \
         .head = head_,                                                                            \
         .wrap = WRAP_OF(head_),                                                                   \
         .place = at,                                                                              \
         .end = END_BREAK},                                                                        \
        {.name = text ", then a reset",                                                            \
         .trouble = T(CONNECTION_LOST),                                                            \
         .head = head_,                                                                            \
         .wrap = WRAP_OF(head_),                                                                   \
         .place = at,                                                                              \
         .end = END_RESET},                                                                        \
    {                                                                                              \
        .name = text ", then silence", .trouble = silence, .head = head_, .wrap = WRAP_OF(head_),  \
        .place = at, .end = END_HANG                                                               \
    }
#define WRAP_OF(head_) (sizeof(head_) == sizeof(CHUNKED) ? WRAP_CHUNKS : WRAP_NONE)

/* clang-format off */
static const struct hostile hostiles[] = {
    /* Truncation at every kind of place. */
    STOPS("nothing", BEFORE_NOTHING, GOOD_HEAD, T(NO_ANSWER), T(ANSWER_TIMEOUT)),
    STOPS("half a status line", IN_STATUS, GOOD_HEAD, T(HEAD_CUT), T(ANSWER_TIMEOUT)),
    STOPS("a status line", AFTER_STATUS, GOOD_HEAD, T(HEAD_CUT), T(ANSWER_TIMEOUT)),
    STOPS("half a field's name", IN_NAME, GOOD_HEAD, T(HEAD_CUT), T(ANSWER_TIMEOUT)),
    STOPS("half a field's value", IN_VALUE, GOOD_HEAD, T(HEAD_CUT), T(ANSWER_TIMEOUT)),
    STOPS("all fields", BEFORE_BLANK_LINE, GOOD_HEAD, T(HEAD_CUT), T(ANSWER_TIMEOUT)),
    STOPS("half the empty line", IN_BLANK_LINE, GOOD_HEAD, T(HEAD_CUT), T(ANSWER_TIMEOUT)),
    STOPS("a head", AFTER_HEAD, GOOD_HEAD, T(BODY_CUT), T(TOO_SLOW)),
    STOPS("a byte of content", AFTER_FIRST, GOOD_HEAD, T(BODY_CUT), T(TOO_SLOW)),
    STOPS("a page of content", IN_PAGE, GOOD_HEAD, T(BODY_CUT), T(STALLED)),
    STOPS("a sector of content", AFTER_SECTOR, GOOD_HEAD, T(BODY_CUT), T(STALLED)),
    STOPS("half the content", IN_MIDDLE, GOOD_HEAD, T(BODY_CUT), T(STALLED)),
    STOPS("all but the last byte", BEFORE_LAST, GOOD_HEAD, T(BODY_CUT), T(STALLED)),
    STOPS("half a chunk's size", IN_CHUNK_SIZE, CHUNKED, T(BODY_CUT), T(TOO_SLOW)),
    STOPS("half a chunk's line end", IN_CHUNK_CRLF, CHUNKED, T(BODY_CUT), T(TOO_SLOW)),
    STOPS("half a chunk", IN_PAGE, CHUNKED, T(BODY_CUT), T(STALLED)),
    STOPS("a chunk without its end", BEFORE_CHUNK_END, CHUNKED, T(BODY_CUT), T(STALLED)),
    STOPS("a chunk and half its end", IN_CHUNK_END, CHUNKED, T(BODY_CUT), T(STALLED)),
    STOPS("all but the last chunk", BEFORE_LAST_CHUNK, CHUNKED, T(BODY_CUT), T(STALLED)),
    STOPS("half of the last chunk", IN_LAST_CHUNK, CHUNKED, T(BODY_CUT), T(STALLED)),
    STOPS("all chunks but the last byte", BEFORE_LAST, CHUNKED, T(BODY_CUT), T(STALLED)),
    {.name = "no length, and the end in the middle", .trouble = T(BODY_CUT),
     .head = "%S%E%M\r\n", .place = IN_MIDDLE, .end = END_CLOSE},
    {.name = "no length, and a break in the middle", .trouble = T(CONNECTION_LOST), .tls = T(TLS_BROKEN),
     .head = "%S%E%M\r\n", .place = IN_MIDDLE, .end = END_BREAK},
    {.name = "no length, and a break at the end", .trouble = T(CONNECTION_LOST), .tls = T(TLS_BROKEN), .part = FINE,
     .head = "%S%E%M\r\n", .end = END_BREAK},

    /* Lengths. */
    {.name = "a length of nothing", .trouble = T(EMPTY), .part = T(BAD_PART), .head = "%S%E%MContent-Length: 0\r\n\r\n",
     .body = BODY_NONE},
    {.name = "no length, and nothing", .trouble = T(EMPTY), .part = T(BODY_CUT), .head = "%S%E%M\r\n",
     .body = BODY_NONE, .end = END_CLOSE},
    {.name = "a length one too small", .trouble = T(IMAGE_SHORT), .part = T(BAD_PART), .body = BODY_LESS, .arg = 1},
    {.name = "a length one too large", .trouble = T(IMAGE_FORMAT), .part = T(BAD_PART), .body = BODY_MORE, .arg = 1},
    {.name = "a length one too large, of which one is missing", .trouble = T(BODY_CUT), .part = T(BAD_PART),
     .head = "%S%E%MContent-Length: %m\r\n\r\n", .end = END_CLOSE},
    {.name = "a length that says less than is sent", .trouble = T(IMAGE_SHORT), .part = T(BAD_PART),
     .head = "%S%E%MContent-Length: 4096\r\n\r\n"},
    {.name = "two lengths", .trouble = T(TWO_LENGTHS), .head = "%S%E%M%LContent-Length: 7\r\n\r\n"},
    {.name = "the same length twice", .trouble = T(TWO_LENGTHS), .head = "%S%E%M%L%L\r\n"},
    {.name = "a list of lengths", .trouble = T(BAD_LENGTH), .head = "%S%E%MContent-Length: %n, %n\r\n\r\n"},
    {.name = "a negative length", .trouble = T(BAD_LENGTH), .head = "%S%E%MContent-Length: -%n\r\n\r\n"},
    {.name = "a length of -1 in 32 bits", .trouble = T(BAD_LENGTH), .head = "%S%E%MContent-Length: 4294967295\r\n\r\n"},
    {.name = "a huge length", .trouble = T(TOO_LONG), .part = T(BAD_PART),
     .head = "%S%E%MContent-Length: 4294967294\r\n\r\n"},
    {.name = "a length beyond 32 bits", .trouble = T(BAD_LENGTH), .head = "%S%E%MContent-Length: 42949672960\r\n\r\n"},
    {.name = "a length beyond 64 bits", .trouble = T(BAD_LENGTH),
     .head = "%S%E%MContent-Length: 18446744073709551617\r\n\r\n"},
    {.name = "a length in hexadecimal", .trouble = T(BAD_LENGTH), .head = "%S%E%MContent-Length: 0x5000\r\n\r\n"},
    {.name = "a length with a sign", .trouble = T(BAD_LENGTH), .head = "%S%E%MContent-Length: +%n\r\n\r\n"},
    {.name = "a length with a fraction", .trouble = T(BAD_LENGTH), .head = "%S%E%MContent-Length: %n.0\r\n\r\n"},
    {.name = "a length without digits", .trouble = T(BAD_LENGTH), .head = "%S%E%MContent-Length: \r\n\r\n"},
    {.name = "a length and chunks", .trouble = T(LENGTH_AND_CHUNKS),
     .head = "%S%E%M%LTransfer-Encoding: chunked\r\n\r\n", .wrap = WRAP_CHUNKS},
    {.name = "larger than the slot", .trouble = T(IMAGE_TOO_LARGE), .part = T(BAD_PART), .body = BODY_MORE, .arg = 70000},
    {.name = "larger than the slot, without a length", .trouble = T(IMAGE_FORMAT), .part = FINE,
     .head = "%S%E%M\r\n", .body = BODY_MORE, .arg = 70000, .end = END_CLOSE},

    /* Chunks. */
    {.name = "a chunk without a size", .trouble = T(BAD_CHUNK), .head = CHUNKED, .wrap = WRAP_NO_SIZE},
    {.name = "a chunk of negative size", .trouble = T(BAD_CHUNK), .head = CHUNKED, .wrap = WRAP_NEGATIVE},
    {.name = "a chunk of 4 GiB", .trouble = T(IMAGE_FORMAT), .part = T(TOO_LONG), .head = CHUNKED, .wrap = WRAP_HUGE},
    {.name = "a chunk whose size overflows", .trouble = T(BAD_CHUNK), .head = CHUNKED, .wrap = WRAP_OVERFLOW},
    {.name = "a chunk's size in no hexadecimal", .trouble = T(BAD_CHUNK), .head = CHUNKED, .wrap = WRAP_NO_HEX},
    {.name = "a chunk's size that ends in LF", .trouble = T(BAD_CHUNK), .head = CHUNKED, .wrap = WRAP_NO_CR},
    {.name = "chunks shorter than they say", .trouble = T(BAD_CHUNK), .head = CHUNKED, .wrap = WRAP_SHORTER},
    {.name = "chunks longer than they say", .trouble = T(BAD_CHUNK), .head = CHUNKED, .wrap = WRAP_LONGER},
    {.name = "no last chunk", .trouble = T(BODY_CUT), .head = CHUNKED, .wrap = WRAP_NO_LAST, .end = END_CLOSE},
    {.name = "endless chunks", .trouble = T(IMAGE_FORMAT), .part = T(TOO_LONG), .head = CHUNKED, .wrap = WRAP_ENDLESS},
    {.name = "endless chunks of one byte", .trouble = T(IMAGE_FORMAT), .part = T(TOO_LONG), .head = CHUNKED,
     .wrap = WRAP_ENDLESS_ONES},
    {.name = "an endless extension of a chunk", .trouble = T(BAD_CHUNK), .head = CHUNKED, .wrap = WRAP_EXTENSIONS},
    {.name = "endless trailers", .trouble = T(BAD_CHUNK), .head = CHUNKED, .wrap = WRAP_TRAILERS},
    {.name = "chunks in HTTP/1.0", .trouble = T(BAD_CODING),
     .head = "HTTP/1.0 200 OK\r\n%E%MTransfer-Encoding: chunked\r\n\r\n", .wrap = WRAP_CHUNKS},
    {.name = "chunks of one byte", .trouble = FINE, .head = CHUNKED, .wrap = WRAP_ONES},

    /* Heads. */
    {.name = "an endless body", .trouble = T(IMAGE_FORMAT), .part = FINE, .head = "%S%E%M\r\n", .wrap = WRAP_ENDLESS_BODY},
    {.name = "endless fields", .trouble = T(HEAD_TOO_LONG), .wrap = WRAP_ENDLESS_HEAD},
    {.name = "an endless field", .trouble = T(HEAD_TOO_LONG), .wrap = WRAP_ENDLESS_LINE},
    {.name = "endless informational answers", .trouble = T(HEAD_TOO_LONG), .wrap = WRAP_ENDLESS_100},
    {.name = "another protocol", .trouble = T(NOT_HTTP), .head = "220 ready\r\n", .body = BODY_NONE},
    {.name = "HTTP/2", .trouble = T(NOT_HTTP), .head = "HTTP/2 200 OK\r\n\r\n"},
    {.name = "HTTP/0.9", .trouble = T(NOT_HTTP), .head = "\xE9", .body = BODY_WHOLE},
    {.name = "no status", .trouble = T(BAD_STATUS), .head = "HTTP/1.1 OK\r\n\r\n"},
    {.name = "a status of 999", .trouble = T(BAD_STATUS), .head = "HTTP/1.1 999 OK\r\n\r\n"},
    {.name = "a status of 0200", .trouble = T(BAD_STATUS), .head = "HTTP/1.1 0200 OK\r\n\r\n"},
    {.name = "lines that end in LF", .trouble = T(NOT_HTTP), .head = "HTTP/1.1 200 OK\nContent-Length: %n\n\n"},
    {.name = "a field that ends in LF", .trouble = T(BAD_LINE), .head = "%SX: y\nContent-Length: 3\r\n\r\n"},
    {.name = "a folded field", .trouble = T(BAD_LINE), .head = "%SX: y\r\n Content-Length: 3\r\n\r\n"},
    {.name = "a blank before the colon", .trouble = T(BAD_LINE), .head = "%SContent-Length : 3\r\n\r\n"},
    {.name = "a field without a colon", .trouble = T(BAD_LINE), .head = "%Snonsense\r\n\r\n"},
    {.name = "compressed content", .trouble = T(COMPRESSED), .head = "%S%E%M%LContent-Encoding: gzip\r\n\r\n"},
    {.name = "an unknown transfer coding", .trouble = T(BAD_CODING), .head = "%S%E%MTransfer-Encoding: gzip\r\n\r\n"},
    {.name = "two ETags", .trouble = T(BAD_ETAG), .head = "%S%E%E%M%L\r\n"},
    {.name = "an ETag without quotes", .trouble = T(BAD_ETAG), .head = "%SETag: v2\r\n%M%L\r\n"},
    {.name = "a switch to another protocol", .trouble = T(UNEXPECTED_STATUS), .head = "HTTP/1.1 101 Up\r\n\r\n"},

    /* Ranges. */
    {.name = "a range that is ignored", .trouble = FINE, .head = "HTTP/1.1 200 OK\r\n%E%MContent-Length: %T\r\n\r\n",
     .body = BODY_WHOLE},
    {.name = "a part that nobody asked for", .trouble = T(NO_PART), .part = T(BAD_PART),
     .head = "HTTP/1.1 206 P\r\n%E%MContent-Range: bytes 0-99/%T\r\nContent-Length: 100\r\n\r\n"},
    {.name = "a part from one byte too early", .trouble = T(NO_PART), .part = T(BAD_PART),
     .head = "HTTP/1.1 206 P\r\n%E%MContent-Range: bytes 4095-%Z/%T\r\n\r\n"},
    {.name = "a part of another size", .trouble = T(NO_PART), .part = T(CHANGED),
     .head = "HTTP/1.1 206 P\r\n%E%MContent-Range: bytes %F-%Z/99999\r\n\r\n"},
    {.name = "a part of unknown size", .trouble = T(BAD_PART),
     .head = "HTTP/1.1 206 P\r\n%E%MContent-Range: bytes %F-%Z/*\r\n\r\n"},
    {.name = "a part that ends before it begins", .trouble = T(BAD_PART),
     .head = "HTTP/1.1 206 P\r\n%E%MContent-Range: bytes %Z-0/%T\r\n\r\n"},
    {.name = "a part behind the end", .trouble = T(BAD_PART),
     .head = "HTTP/1.1 206 P\r\n%E%MContent-Range: bytes %F-%T/%T\r\n\r\n"},
    {.name = "a part in other units", .trouble = T(BAD_PART),
     .head = "HTTP/1.1 206 P\r\n%E%MContent-Range: sectors 3-4/5\r\n\r\n"},
    {.name = "a part without a range", .trouble = T(NO_PART), .part = T(BAD_PART), .head = "HTTP/1.1 206 P\r\n%E%M%L\r\n"},
    {.name = "two ranges", .trouble = T(BAD_PART),
     .head = "HTTP/1.1 206 P\r\n%E%MContent-Range: bytes %F-%Z/%T\r\nContent-Range: bytes %F-%Z/%T\r\n\r\n"},
    {.name = "parts in parts", .trouble = T(NO_PART), .part = T(BAD_PART),
     .head = "HTTP/1.1 206 P\r\n%E%MContent-Type: multipart/byteranges; boundary=b\r\n\r\n--b\r\n"},
    {.name = "a range that cannot be satisfied", .trouble = T(UNEXPECTED_STATUS), .part = T(CHANGED),
     .head = "HTTP/1.1 416 No\r\nContent-Range: bytes */%T\r\n\r\n", .body = BODY_NONE},
    {.name = "a part without an ETag", .trouble = T(NO_PART), .part = T(BAD_PART),
     .head = "HTTP/1.1 206 P\r\n%MContent-Range: bytes %F-%Z/%T\r\n\r\n"},

    /* Content that changes in the middle; in a full download, it is simply the other one, and wrong. */
    {.name = "another ETag, the old content", .trouble = FINE, .part = T(CHANGED), .head = "%SETag: \"v3\"\r\n%M%L\r\n"},
    {.name = "no ETag any more", .trouble = FINE, .part = T(BAD_PART), .head = "%S%M%L\r\n"},
    {.name = "the same ETag, another content", .trouble = T(IMAGE_DIGEST), .part = T(CHANGED), .body = BODY_OTHER},
    {.name = "the same ETag, another content and no digest", .trouble = FINE, .part = T(CHANGED),
     .head = "%S%E%L\r\n", .body = BODY_OTHER},
    {.name = "gone", .trouble = T(NOT_FOUND), .head = "HTTP/1.1 404 Gone\r\nContent-Length: 0\r\n\r\n", .body = BODY_NONE},
    {.name = "forbidden", .trouble = T(FORBIDDEN), .head = "HTTP/1.1 403 No\r\n\r\n", .body = BODY_NONE},
    {.name = "unauthorized", .trouble = T(UNAUTHORIZED), .head = "HTTP/1.1 401 Who\r\n\r\n", .body = BODY_NONE},
    {.name = "failed", .trouble = T(SERVER_FAILED), .head = "HTTP/1.1 500 Oh\r\n\r\n", .body = BODY_NONE},
    {.name = "busy", .trouble = T(BUSY), .head = "HTTP/1.1 503 Wait\r\nRetry-After: 30\r\n\r\n", .body = BODY_NONE},
    {.name = "no content", .trouble = T(UNEXPECTED_STATUS), .head = "HTTP/1.1 204 No\r\n\r\n", .body = BODY_NONE},

    /* Redirects. */
    {.name = "a redirect to itself", .trouble = T(TOO_MANY_REDIRECTS), .head = "HTTP/1.1 302 F\r\nLocation: /fw\r\n\r\n",
     .body = BODY_NONE},
    {.name = "a redirect to its whole URL", .trouble = T(TOO_MANY_REDIRECTS),
     .head = "HTTP/1.1 307 T\r\nLocation: %U/fw\r\n\r\n", .body = BODY_NONE},
    {.name = "a redirect to plain HTTP", .trouble = T(TOO_MANY_REDIRECTS), .tls = T(REDIRECT_TO_PLAIN),
     .head = "HTTP/1.1 301 M\r\nLocation: http:%u/fw\r\n\r\n", .body = BODY_NONE},
    {.name = "a redirect to plain HTTP, in capitals", .trouble = T(TOO_MANY_REDIRECTS), .tls = T(REDIRECT_TO_PLAIN),
     .head = "HTTP/1.1 308 M\r\nLOCATION: HTTP:%u/fw\r\n\r\n", .body = BODY_NONE},
    {.name = "a redirect to nowhere", .trouble = T(BAD_REDIRECT), .head = "HTTP/1.1 302 F\r\n\r\n", .body = BODY_NONE},
    {.name = "a redirect to another scheme", .trouble = T(BAD_REDIRECT),
     .head = "HTTP/1.1 302 F\r\nLocation: ftp://127.0.0.1/fw\r\n\r\n", .body = BODY_NONE},
    {.name = "two redirects at once", .trouble = T(BAD_REDIRECT),
     .head = "HTTP/1.1 302 F\r\nLocation: /a\r\nLocation: /b\r\n\r\n", .body = BODY_NONE},
    {.name = "a redirect with a user's name", .trouble = T(BAD_REDIRECT),
     .head = "HTTP/1.1 302 F\r\nLocation: //u:p@127.0.0.1/fw\r\n\r\n", .body = BODY_NONE},

    /* Digests and images. */
    {.name = "a bit of the image's head", .trouble = T(IMAGE_FORMAT), .body = BODY_FLIPPED, .arg = 0, .part = T(CHANGED)},
    {.name = "a bit at the beginning", .trouble = T(IMAGE_DIGEST), .part = T(CHANGED), .body = BODY_FLIPPED, .arg = 10},
    {.name = "a bit in the middle", .trouble = T(IMAGE_DIGEST), .part = T(CHANGED), .body = BODY_FLIPPED, .arg = 500},
    {.name = "a bit near the end", .trouble = T(IMAGE_DIGEST), .part = T(CHANGED), .body = BODY_FLIPPED, .arg = 990},
    {.name = "a bit of the image's digest", .trouble = T(IMAGE_DIGEST), .part = T(CHANGED), .body = BODY_FLIPPED, .arg = 999},
    {.name = "forged at the beginning", .trouble = T(IMAGE_DIGEST), .part = T(CHANGED), .body = BODY_FORGED, .arg = 50},
    {.name = "forged in the middle", .trouble = T(IMAGE_DIGEST), .part = T(CHANGED), .body = BODY_FORGED, .arg = 500},
    {.name = "forged near the end", .trouble = T(IMAGE_DIGEST), .part = T(CHANGED), .body = BODY_FORGED, .arg = 900},
    {.name = "the right image, a wrong MD5", .trouble = T(IMAGE_DIGEST), .part = FINE,
     .head = "%S%Ex-MD5: 00112233445566778899aabbccddeeff\r\n%L\r\n"},
    {.name = "an MD5 that is none", .trouble = T(BAD_DIGEST), .part = FINE, .head = "%S%Ex-MD5: 123\r\n%L\r\n"},
    {.name = "two MD5s that differ", .trouble = T(BAD_DIGEST), .part = FINE,
     .head = "%S%E%Mx-MD5: 00112233445566778899aabbccddeeff\r\n%L\r\n"},
    {.name = "the right MD5, 16 bytes too few", .trouble = T(IMAGE_SHORT), .part = T(BAD_PART), .body = BODY_LESS, .arg = 16},
    {.name = "the right MD5, 16 bytes too many", .trouble = T(IMAGE_FORMAT), .part = T(BAD_PART), .body = BODY_MORE, .arg = 16},
    {.name = "the image twice", .trouble = T(IMAGE_FORMAT), .part = T(BAD_PART), .body = BODY_TWICE},
    {.name = "the image, shifted", .trouble = T(IMAGE_FORMAT), .part = T(CHANGED), .body = BODY_SHIFTED, .arg = 1},
    {.name = "another chip's image", .trouble = T(IMAGE_TARGET), .part = T(BAD_PART), .body = BODY_CHIP},
    {.name = "a boot loader", .trouble = T(IMAGE_TARGET), .part = T(BAD_PART), .body = BODY_LOADER},
    {.name = "a page", .trouble = T(IMAGE_FORMAT), .part = T(CHANGED), .body = BODY_PAGE},
    {.name = "zeros", .trouble = T(IMAGE_FORMAT), .part = T(CHANGED), .body = BODY_ZEROS},
    {.name = "what an erased flash holds", .trouble = T(IMAGE_FORMAT), .part = T(CHANGED), .body = BODY_ONES},
    {.name = "noise", .trouble = T(IMAGE_FORMAT), .part = T(CHANGED), .body = BODY_NOISE},

    /* Time. */
    {.name = "a head that dribbles", .trouble = T(ANSWER_TIMEOUT), .pace = DRIBBLES},
    {.name = "a body that dribbles", .trouble = T(TOO_SLOW), .pace = SLOW_BODY},
    {.name = "a body that stalls", .trouble = T(STALLED), .pace = STALLS},
    {.name = "slow, but quick enough", .trouble = FINE, .pace = QUICK_ENOUGH},

    /* The connection. */
    {.name = "nobody listens", .trouble = T(UNREACHABLE), .door = DOOR_SHUT},
    {.name = "accepted, and silent", .trouble = T(ANSWER_TIMEOUT), .tls = T(CONNECT_TIMEOUT), .door = DOOR_SILENT},
    {.name = "accepted, and closed", .trouble = T(NO_ANSWER), .tls = T(TLS_FAILED), .door = DOOR_CLOSES},
    {.name = "accepted, and reset", .trouble = T(CONNECTION_LOST), .door = DOOR_RESETS},
    {.name = "another service answers", .trouble = T(NOT_HTTP), .tls = T(TLS_NO_TLS), .door = DOOR_BABBLES,
     .head = "SSH-2.0-OpenSSH_9.2\r\n", .body = BODY_NONE},
    {.name = "TLS without, plain HTTP with TLS", .trouble = T(NOT_HTTP), .tls = T(TLS_NO_TLS), .door = DOOR_OTHER},

    /* TLS. */
    {.name = "an expired certificate", .trouble = T(TLS_EXPIRED), .kind = PKI_EXPIRED, .tls_only = true},
    {.name = "a certificate of tomorrow", .trouble = T(TLS_NOT_YET), .kind = PKI_NOT_YET, .tls_only = true},
    {.name = "a certificate for another address", .trouble = T(TLS_WRONG_HOST), .kind = PKI_WRONG_ADDRESS, .tls_only = true},
    {.name = "a certificate for a name", .trouble = T(TLS_WRONG_HOST), .kind = PKI_WRONG_NAME, .tls_only = true},
    {.name = "an unknown authority", .trouble = T(TLS_UNKNOWN_CA), .kind = PKI_UNKNOWN_CA, .tls_only = true},
    {.name = "an unknown authority of the same name", .trouble = T(TLS_BAD_CERTIFICATE), .kind = PKI_NAMESAKE,
     .tls_only = true},
    {.name = "nobody vouches", .trouble = T(TLS_UNKNOWN_CA), .kind = PKI_SELF_SIGNED, .tls_only = true},
    {.name = "a client's certificate", .trouble = T(TLS_BAD_CERTIFICATE), .kind = PKI_FOR_CLIENTS, .tls_only = true},
    {.name = "issued by a server", .trouble = T(TLS_UNKNOWN_CA), .kind = PKI_BY_NO_CA, .tls_only = true},
    {.name = "a damaged signature", .trouble = T(TLS_BAD_CERTIFICATE), .kind = PKI_DAMAGED, .tls_only = true},
    {.name = "TLS 1.1 at the most", .trouble = T(TLS_OLD), .door = DOOR_OLD, .tls_only = true},
    {.name = "TLS ends in its first message", .trouble = T(TLS_FAILED), .cut = 20, .tls_only = true},
    {.name = "TLS ends in the certificate", .trouble = T(TLS_FAILED), .cut = 300, .tls_only = true},
    {.name = "a damaged greeting", .trouble = T(TLS_FAILED), .damage = 60, .tls_only = true},
    {.name = "a damaged record of content", .trouble = T(TLS_BROKEN), .damage = 6000, .tls_only = true},
    {.name = "half a record, and the end", .trouble = T(TLS_BROKEN), .cut = 5000, .tls_only = true},
};
/* clang-format on */

enum { HOSTILES = sizeof hostiles / sizeof hostiles[0] };

#endif
