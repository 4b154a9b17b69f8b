#include "cause.h"

static const struct {
    const char *code, *reason, *sentence;
} causes[] = {
#define X(name, code, reason, sentence) {code, reason, sentence},
    CAUSES(X)
#undef X
};

const char *cause_code(enum cause_code code)
{
    return causes[code].code;
}

const char *cause_sentence(enum cause_code code)
{
    return causes[code].sentence;
}

const char *cause_reason(enum cause_code code)
{
    return causes[code].reason[0] != '\0' ? causes[code].reason : NULL;
}
