/* updraft: the one list of error codes, shared by core/, device/ and boot/. */
#ifndef UPDRAFT_ERR_H
#define UPDRAFT_ERR_H

/*
 * X(name, value, text). Values are stable: they appear in device reports and in the API.
 * A text is a sentence without its first capital and its full stop, so that it can follow
 * what the caller knows: "user2.bin: bytes do not follow the format".
 */
#define UPD_ERRORS(X)                                                                              \
    X(OK, 0, "ok")                                                                                 \
    X(E_ARG, -1, "caller broke the documented contract")                                           \
    X(E_IO, -2, "flash or network driver reported a failure")                                      \
    X(E_FORMAT, -3, "bytes do not follow the format")                                              \
    X(E_NOT_FOUND, -4, "no such thing")                                                            \
    X(E_AUTH, -5, "digest or signature does not match")                                            \
    X(E_SPACE, -6, "does not fit the slot or the buffer")                                          \
    X(E_STATE, -7, "event is not allowed in this state")                                           \
    X(E_TARGET, -8, "meant for another chip, slot, map or flash")                                  \
    X(E_VERIFY, -9, "flash does not hold what was written to it")                                  \
    X(E_ROLLBACK, -10, "refused: the version is older than allowed")                               \
    X(E_CHANGED, -11, "the image changed since the download began")                                \
    X(E_SHORT, -12, "ended before it was complete")

enum upd_err {
#define X(name, value, text) UPD_##name = (value),
    UPD_ERRORS(X)
#undef X
};

/** The result must be looked at; compilers warn when it is not. */
#define UPD_MUST_CHECK __attribute__((warn_unused_result))

/** The sentence of a code; "unknown error" for a value that is not in the list. Never NULL. */
const char *upd_err_text(enum upd_err err);

#endif
