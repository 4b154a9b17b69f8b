#include "refusal.h"

static const struct {
    const char *code, *sentence;
} refusals[] = {
#define X(name, code, sentence) {code, sentence},
    REFUSALS(X)
#undef X
};

const char *refusal_code(enum refusal refusal)
{
    return refusals[refusal].code;
}

const char *refusal_sentence(enum refusal refusal)
{
    return refusals[refusal].sentence;
}
