/*
 * updraft: everything that can go wrong between a device and its server, in one list. Each has a
 * name for machines, a sentence for people, and says what is worth doing about it.
 */
#ifndef UPDRAFT_TROUBLE_H
#define UPDRAFT_TROUBLE_H

#include <stdint.h>

#include <updraft/err.h>

/** What to do about a trouble. */
enum upd_remedy {
    UPD_REMEDY_AGAIN, /* try again soon: it may pass */
    UPD_REMEDY_LATER, /* ask again when the next check is due: trying now would change nothing */
    UPD_REMEDY_AVOID, /* this very content is bad: do not fetch it for ever */
};

/*
 * X(NAME, remedy, "sentence"), without its first capital and its full stop. Names appear in reports
 * and are stable; the order is not.
 */
#define UPD_TROUBLES(X)                                                                            \
    X(NONE, LATER, "nothing went wrong")                                                           \
    /* the connection */                                                                           \
    X(NO_ADDRESS, AGAIN, "the server's name has no address")                                       \
    X(UNREACHABLE, AGAIN, "the server cannot be reached")                                          \
    X(CONNECT_TIMEOUT, AGAIN, "the connection was not there in time")                              \
    X(CONNECTION_LOST, AGAIN, "the connection broke")                                              \
    X(SEND_TIMEOUT, AGAIN, "the server did not take the request in time")                          \
    X(NO_TLS, LATER, "this device was built without TLS")                                          \
    X(TLS_EXPIRED, LATER, "the server's certificate has expired")                                  \
    X(TLS_NOT_YET, LATER, "the server's certificate is not valid yet, or this device's clock is")  \
    X(TLS_WRONG_HOST, LATER, "the server's certificate is for another name")                       \
    X(TLS_UNKNOWN_CA, LATER, "nobody whom this device trusts vouches for the certificate")         \
    X(TLS_BAD_CERTIFICATE, LATER, "the server's certificate cannot be accepted")                   \
    X(TLS_OLD, LATER, "the server speaks no version of TLS that is new enough")                    \
    X(TLS_NO_TLS, LATER, "what answers does not speak TLS")                                        \
    X(TLS_FAILED, AGAIN, "the TLS handshake failed")                                               \
    X(TLS_BROKEN, AGAIN, "a TLS record was damaged, or TLS ended without saying so")               \
    /* the request */                                                                              \
    X(BAD_URL, LATER, "the URL is malformed")                                                      \
    X(URL_TOO_LONG, LATER, "the URL is longer than this device has room for")                      \
    X(FIELD_TOO_LONG, LATER, "a field of the request is longer than this device has room for")     \
    /* the head of the answer */                                                                   \
    X(NO_ANSWER, AGAIN, "the connection ended before an answer came")                              \
    X(ANSWER_TIMEOUT, AGAIN, "the head of the answer did not come in time")                        \
    X(HEAD_CUT, AGAIN, "the connection ended within the head of the answer")                       \
    X(HEAD_TOO_LONG, LATER, "the head of the answer does not end")                                 \
    X(NOT_HTTP, LATER, "the answer is not HTTP/1.0 or HTTP/1.1")                                   \
    X(BAD_STATUS, LATER, "the status is no number that HTTP knows")                                \
    X(BAD_LINE, LATER, "a line of the head is malformed")                                          \
    X(BAD_LENGTH, LATER, "the stated length is no number of bytes")                                \
    X(TWO_LENGTHS, LATER, "the length is stated twice")                                            \
    X(LENGTH_AND_CHUNKS, LATER, "the answer has a length and comes in chunks")                     \
    X(BAD_CODING, LATER, "the answer is coded in a way that is not understood")                    \
    X(COMPRESSED, LATER, "the content is compressed although nobody asked for that")               \
    X(NO_LENGTH, LATER, "the answer does not state its length")                                    \
    X(EMPTY, LATER, "the answer has no content")                                                   \
    X(TOO_LONG, LATER, "more content than this device has room for")                               \
    X(BAD_ETAG, LATER, "the ETag is malformed, or stated twice")                                   \
    X(BAD_DIGEST, LATER, "the stated digest is malformed, or stated twice")                        \
    X(BAD_VERSION, LATER, "the stated version is malformed, or stated twice")                      \
    /* redirects */                                                                                \
    X(BAD_REDIRECT, LATER, "a redirect that does not say where to")                                \
    X(REDIRECT_TO_PLAIN, LATER, "a redirect that leads from HTTPS to plain HTTP")                  \
    X(TOO_MANY_REDIRECTS, LATER, "redirects that do not end")                                      \
    /* the status */                                                                               \
    X(UNAUTHORIZED, LATER, "the server wants to know who asks (401)")                              \
    X(FORBIDDEN, LATER, "the server refuses this device (403)")                                    \
    X(NOT_FOUND, LATER, "the server has no such file (404)")                                       \
    X(BUSY, AGAIN, "the server is busy (429, 503)")                                                \
    X(SERVER_FAILED, AGAIN, "the server has failed (5xx)")                                         \
    X(UNEXPECTED_STATUS, LATER, "the server answers with a status that makes no sense here")       \
    /* the body */                                                                                 \
    X(BODY_CUT, AGAIN, "the connection ended within the content")                                  \
    X(STALLED, AGAIN, "no byte came for too long")                                                 \
    X(TOO_SLOW, AGAIN, "the bytes come too slowly")                                                \
    X(BAD_CHUNK, LATER, "a chunk is malformed")                                                    \
    X(NO_PART, LATER, "a part was sent that nobody asked for")                                     \
    X(BAD_PART, LATER, "a part was sent that is not the one asked for")                            \
    X(CHANGED, AGAIN, "the content changed during the download")                                   \
    /* the image */                                                                                \
    X(IMAGE_SHORT, AVOID, "the image is not complete")                                             \
    X(IMAGE_FORMAT, AVOID, "the image is malformed")                                               \
    X(IMAGE_DIGEST, AVOID, "a digest of the image does not match")                                 \
    X(IMAGE_TARGET, AVOID, "the image is meant for another chip, slot or flash")                   \
    X(IMAGE_TOO_LARGE, AVOID, "the image does not fit its slot")                                   \
    X(IMAGE_TOO_OLD, AVOID, "the image is older than this device allows")                          \
    X(KNOWN_BAD, LATER, "this release was tried before, and is bad")                               \
    X(FELL_BACK, LATER, "the image was started, and given up")                                     \
    X(DECLINED, LATER, "somebody declined the update")                                             \
    /* the device */                                                                               \
    X(FLASH_FAILED, AGAIN, "the flash has failed")                                                 \
    X(FLASH_HOLDS_OTHER, AGAIN, "the flash does not hold what was written")                        \
    X(NO_SLOT, LATER, "this device has no slot that could be written")                             \
    X(NO_WAY_BACK, LATER, "there would be no way back from this image")                            \
    X(NOT_NOW, LATER, "this device has to restart before it can be updated")                       \
    X(TRIAL_OVER, LATER, "the image on trial did not reach its server in time")                    \
    /* the link */                                                                                 \
    X(LINK_MESSAGE, AGAIN, "a message on the link is malformed")                                   \
    X(LINK_TOO_LONG, AGAIN, "a message on the link is longer than any")                            \
    X(LINK_SILENT, AGAIN, "the link is silent")                                                    \
    X(LINK_REFUSED, LATER, "the server does not know this device's key")                           \
    X(LINK_VERSION, LATER, "the server orders an update without a version")                        \
    X(BUG, LATER, "the application broke the library's contract")

enum upd_trouble {
#define X(name, remedy, text) UPD_TROUBLE_##name,
    UPD_TROUBLES(X)
#undef X
        UPD_TROUBLE_COUNT
};

/** The name, such as "TLS_EXPIRED"; "UNKNOWN" for a value without one. */
const char *upd_trouble_name(enum upd_trouble trouble);
/** The sentence; "unknown trouble" for a value without one. */
const char *upd_trouble_text(enum upd_trouble trouble);
enum upd_remedy upd_trouble_remedy(enum upd_trouble trouble);

/** What an error of the writer or of the device means here. UPD_OK is NONE. */
enum upd_trouble upd_trouble_of(enum upd_err err);

#endif
