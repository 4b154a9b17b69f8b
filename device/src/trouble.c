#include <updraft/trouble.h>

const char *upd_trouble_name(enum upd_trouble trouble)
{
    static const char *const names[] = {
#define X(name, remedy, text) #name,
        UPD_TROUBLES(X)
#undef X
    };

    return (uint32_t)trouble < UPD_TROUBLE_COUNT ? names[trouble] : "UNKNOWN";
}

const char *upd_trouble_text(enum upd_trouble trouble)
{
    static const char *const texts[] = {
#define X(name, remedy, text) text,
        UPD_TROUBLES(X)
#undef X
    };

    return (uint32_t)trouble < UPD_TROUBLE_COUNT ? texts[trouble] : "unknown trouble";
}

enum upd_remedy upd_trouble_remedy(enum upd_trouble trouble)
{
    static const uint8_t remedies[] = {
#define X(name, remedy, text) UPD_REMEDY_##remedy,
        UPD_TROUBLES(X)
#undef X
    };

    return (uint32_t)trouble < UPD_TROUBLE_COUNT ? (enum upd_remedy)remedies[trouble]
                                                 : UPD_REMEDY_LATER;
}

enum upd_trouble upd_trouble_of(enum upd_err err)
{
    switch (err) {
    case UPD_OK:
        return UPD_TROUBLE_NONE;
    case UPD_E_ARG:
        break;
    case UPD_E_IO:
        return UPD_TROUBLE_FLASH_FAILED;
    case UPD_E_FORMAT:
        return UPD_TROUBLE_IMAGE_FORMAT;
    case UPD_E_NOT_FOUND:
        return UPD_TROUBLE_NO_SLOT;
    case UPD_E_AUTH:
        return UPD_TROUBLE_IMAGE_DIGEST;
    case UPD_E_SPACE:
        return UPD_TROUBLE_IMAGE_TOO_LARGE;
    case UPD_E_STATE:
        return UPD_TROUBLE_NOT_NOW;
    case UPD_E_TARGET:
        return UPD_TROUBLE_IMAGE_TARGET;
    case UPD_E_VERIFY:
        return UPD_TROUBLE_FLASH_HOLDS_OTHER;
    case UPD_E_ROLLBACK:
        return UPD_TROUBLE_IMAGE_TOO_OLD;
    case UPD_E_CHANGED:
        return UPD_TROUBLE_CHANGED;
    case UPD_E_SHORT:
        return UPD_TROUBLE_IMAGE_SHORT;
    }
    return UPD_TROUBLE_BUG;
}
