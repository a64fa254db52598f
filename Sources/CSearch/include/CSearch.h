// A search with the widest vectors that this processor has. It is in C because Swift compiles a function for one kind
// of processor only, the oldest that the package runs on, which has half of them.
#ifndef CSEARCH_H
#define CSEARCH_H

#include <stdint.h>

#pragma clang assume_nonnull begin

enum {
    /// How many samples are searched at most.
    CSEARCH_CAPACITY = 16384,
    /// How many positions beyond the last one may be written to.
    CSEARCH_SLACK = 6,
};

/// Writes the positions of the samples below `lower` or above `upper`, ascending, each plus `offset`; NaN is neither.
/// `samples` are doubles of any alignment, up to CSEARCH_CAPACITY of them; `positions` has room for as many and
/// CSEARCH_SLACK more, which may be written to as well. Both are borrowed. Returns how many there are.
intptr_t csearch_beyond(
    const void *samples, intptr_t count, double lower, double upper, intptr_t offset, intptr_t *positions);

/// The same with vectors that every processor has: what `csearch_beyond` does where there are none wider.
intptr_t csearch_beyond_baseline(
    const void *samples, intptr_t count, double lower, double upper, intptr_t offset, intptr_t *positions);

#pragma clang assume_nonnull end

#endif
