#include <updraft/err.h>

const char *upd_err_text(enum upd_err err)
{
    switch (err) {
#define X(name, value, text)                                                                       \
    case UPD_##name:                                                                               \
        return text;
        UPD_ERRORS(X)
#undef X
    }
    return "unknown error";
}
