// A search with AVX-512 or AVX2 where the processor has it. It is in C because Swift compiles a function for one kind
// of processor only: on x86-64 the oldest that the package runs on, whose vectors are a quarter or half as wide.
#ifndef CSEARCH_H
#define CSEARCH_H

#include <stdint.h>

#pragma clang assume_nonnull begin
#pragma GCC visibility push(hidden) // another library in the process may have one of its own

enum {
    /// How many samples are searched at most.
    CSEARCH_CAPACITY = 16384,
    /// How many positions beyond the last one may be written to.
    CSEARCH_SLACK = 7,
};

/// Writes the positions of the samples below `lower` or above `upper`, ascending, each plus `offset`; NaN is neither.
/// `samples` are doubles of any alignment, up to CSEARCH_CAPACITY of them; `positions` has room for as many and
/// CSEARCH_SLACK more, which may be written to as well. Both are borrowed. Returns how many there are.
intptr_t csearch_beyond(
    const void *samples, intptr_t count, double lower, double upper, intptr_t offset, intptr_t *positions);

/// The same with vectors that every processor has: what `csearch_beyond` does where there are none wider.
intptr_t csearch_beyond_baseline(
    const void *samples, intptr_t count, double lower, double upper, intptr_t offset, intptr_t *positions);

/// A function that does the same.
typedef intptr_t (*csearch_function)(
    const void *samples, intptr_t count, double lower, double upper, intptr_t offset, intptr_t *positions);

/// The one with AVX2, or null where the processor has none.
csearch_function _Nullable csearch_beyond_avx2(void);

/// The one with AVX-512 (VBMI2, which moves the positions of a word together), likewise.
csearch_function _Nullable csearch_beyond_avx512(void);

#pragma GCC visibility pop
#pragma clang assume_nonnull end

#endif
