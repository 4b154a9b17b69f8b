/* The texts of gzip.h, in a file of their own: a chip that does not print them does not carry them.
 */
#include <updraft/gzip.h>

const char *upd_gzip_reason_text(enum upd_gzip_reason reason)
{
    switch (reason) {
#define X(name, code, text)                                                                        \
    case UPD_GZIP_##name:                                                                          \
        return text;
        UPD_GZIP_REASONS(X)
#undef X
    }
    return "unknown reason";
}
