#include "CSearch.h"

#include <string.h>

#define INLINE static inline __attribute__((always_inline))

enum {
    LANES = 8,
    WORD = 64, // the samples of a mask
    BURST = 6, // the positions that are written without a branch
    // A processor prefetches within pages only, and waits at the start of each. Going along four strips of the samples
    // at a time, and not along one, reads 80 MB at up to 1.4 times the rate.
    STRIPS = 4,
};

typedef double lanes __attribute__((vector_size(LANES * sizeof(double)), aligned(1)));
typedef _Bool flags __attribute__((ext_vector_type(LANES))); // a byte, the first lane in its lowest bit
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && sizeof(flags) == 1, "the first sample is the lowest bit");
_Static_assert(CSEARCH_SLACK == BURST - 1, "a mask that is not 0 has one position at least");

// Sets a bit for each of 64 samples that is beyond, the first in the lowest. The bytes are stored one by one, which is
// quicker than to join them.
INLINE void mark(const double *samples, double lower, double upper, uint64_t *mask) {
    for (int i = 0; i < WORD / LANES; i++) {
        lanes values = *(const lanes *)(samples + LANES * i);
        flags beyond = __builtin_convertvector((values < lower) | (values > upper), flags);
        memcpy((char *)mask + i, &beyond, 1);
    }
}

// Writes the positions of the bits that are set. To stop at their number is a branch that is mispredicted each time, so
// that most masks have none but the first: what is written beyond the last one is overwritten by those of the next
// mask.
INLINE intptr_t put(uint64_t mask, intptr_t offset, intptr_t *positions) {
    if (mask == 0) return 0;
    int count = __builtin_popcountll(mask);
    for (int i = 0; i < BURST; i++, mask &= mask - 1) positions[i] = offset + __builtin_ctzg(mask, WORD);
    for (int i = BURST; mask != 0; i++, mask &= mask - 1) positions[i] = offset + __builtin_ctzg(mask, WORD);
    return count;
}

INLINE intptr_t
search(const double *samples, intptr_t count, double lower, double upper, intptr_t offset, intptr_t *positions) {
    uint64_t masks[CSEARCH_CAPACITY / WORD];
    intptr_t words = count / WORD, length = words / STRIPS;
    for (intptr_t i = 0; i < length; i++) {
        for (int strip = 0; strip < STRIPS; strip++) {
            intptr_t word = i + strip * length;
            mark(samples + WORD * word, lower, upper, masks + word);
        }
    }
    for (intptr_t word = STRIPS * length; word < words; word++) {
        mark(samples + WORD * word, lower, upper, masks + word);
    }
    intptr_t found = 0;
    for (intptr_t word = 0; word < words; word++) {
        found += put(masks[word], offset + WORD * word, positions + found);
    }
    for (intptr_t i = WORD * words; i < count; i++) {
        double value;
        memcpy(&value, (const char *)samples + sizeof value * i, sizeof value);
        positions[found] = offset + i;
        found += value < lower || value > upper;
    }
    return found;
}

#if defined(__x86_64__)
__attribute__((target("avx2,bmi,popcnt"))) static intptr_t search_avx2(
    const double *samples, intptr_t count, double lower, double upper, intptr_t offset, intptr_t *positions) {
    return search(samples, count, lower, upper, offset, positions);
}
#endif

intptr_t csearch_beyond_baseline(
    const void *samples, intptr_t count, double lower, double upper, intptr_t offset, intptr_t *positions) {
    return search(samples, count, lower, upper, offset, positions);
}

intptr_t csearch_beyond(
    const void *samples, intptr_t count, double lower, double upper, intptr_t offset, intptr_t *positions) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("popcnt"))
        return search_avx2(samples, count, lower, upper, offset, positions);
#endif
    return csearch_beyond_baseline(samples, count, lower, upper, offset, positions);
}
