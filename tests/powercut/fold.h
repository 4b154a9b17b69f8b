/*
 * The normal form of a state: what the code of loader and library can tell apart, and nothing else.
 *
 * A cut leaves garbage, and no two garbages are equal; so without this a search over states never
 * ends. Each item of the flash that somebody reads (a mark, a head, a seal, a copy of the settings,
 * an image) is brought to one content for each thing that its readers can make of it:
 *
 *     blank            never written, for sure
 *     a value          one of those that are written there, and no cell of it unstable
 *     garbage          read as none of them, whatever its unstable cells say
 *     doubtful         read as one of the above now and as another one later: one unstable cell
 *
 * Each rule in fold.c says why nobody can tell the difference. Nothing is believed for that: the
 * search tries it, with lives that are never folded (closure.c).
 */
#ifndef POWERCUT_FOLD_H
#define POWERCUT_FOLD_H

#include "life.h"

/** Begin with a new device; what was learned of another one is forgotten. */
void fold_begin(struct life *life);
void fold_end(struct life *life);

/** Bytes that are about to be programmed: what was torn may turn out to be them. */
void fold_learn(const void *data, uint32_t size);

/** Bring the flash of a life into its normal form. Folding twice is folding once. */
void fold(struct life *life);

/**
 * In normal form: places that are used one after the other are used up by cuts. NONOS: a copy of
 * the settings is whole, and each of its seals was torn. eboot: the log of copies is LOST, after a
 * cut in each of its entries.
 */
bool fold_is_spent(const struct life *life);

#endif
