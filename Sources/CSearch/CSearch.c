#include "CSearch.h"

#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

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
_Static_assert(CSEARCH_SLACK >= BURST - 1, "a mask that is not 0 has one position at least");
_Static_assert(CSEARCH_SLACK >= LANES - 1, "and eight are written at a time");

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

typedef intptr_t (*put_function)(uint64_t mask, intptr_t offset, intptr_t *positions);

// The positions in the first strip are written on the way: while those in the others are, nothing is read.
INLINE intptr_t search(
    const double *samples,
    intptr_t count,
    double lower,
    double upper,
    intptr_t offset,
    intptr_t *positions,
    put_function put_mask) {
    uint64_t masks[CSEARCH_CAPACITY / WORD];
    intptr_t words = count / WORD, length = words / STRIPS, found = 0;
    for (intptr_t word = 0; word < length; word++) {
        for (int strip = 0; strip < STRIPS; strip++) {
            intptr_t other = word + strip * length;
            mark(samples + WORD * other, lower, upper, masks + other);
        }
        found += put_mask(masks[word], offset + WORD * word, positions + found);
    }
    for (intptr_t word = STRIPS * length; word < words; word++) {
        mark(samples + WORD * word, lower, upper, masks + word);
    }
    for (intptr_t word = length; word < words; word++) {
        found += put_mask(masks[word], offset + WORD * word, positions + found);
    }
    for (intptr_t i = WORD * words; i < count; i++) {
        double value;
        memcpy(&value, (const char *)samples + sizeof value * i, sizeof value);
        positions[found] = offset + i;
        found += value < lower || value > upper;
    }
    return found;
}

intptr_t csearch_beyond_baseline(
    const void *samples, intptr_t count, double lower, double upper, intptr_t offset, intptr_t *positions) {
    return search(samples, count, lower, upper, offset, positions, put);
}

#if defined(__x86_64__)

static bool has_avx2(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("popcnt");
}

static bool has_avx512(void) {
    return has_avx2() && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi2");
}

__attribute__((target("avx2,bmi,popcnt"))) static intptr_t search_avx2(
    const void *samples, intptr_t count, double lower, double upper, intptr_t offset, intptr_t *positions) {
    return search(samples, count, lower, upper, offset, positions, put);
}

#define AVX512 __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx512vbmi2,bmi,popcnt")))

static const uint8_t all_numbers[WORD] = {
    0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
    22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
    44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63,
};

// Writes the same, eight at a time: one instruction moves the numbers of the bits that are set together.
AVX512 static inline intptr_t put_compressed(uint64_t mask, intptr_t offset, intptr_t *positions) {
    if (mask == 0) return 0;
    __m512i numbers = _mm512_loadu_si512(all_numbers);
    int count = __builtin_popcountll(mask);
    __m512i those = _mm512_maskz_compress_epi8(mask, numbers), offsets = _mm512_set1_epi64(offset);
    for (int i = 0; i < count; i += LANES) {
        __m512i eight = _mm512_cvtepu8_epi64(_mm512_castsi512_si128(those));
        _mm512_storeu_si512(positions + i, _mm512_add_epi64(eight, offsets));
        those = _mm512_alignr_epi64(those, those, 1);
    }
    return count;
}

AVX512 static intptr_t search_avx512(
    const void *samples, intptr_t count, double lower, double upper, intptr_t offset, intptr_t *positions) {
    return search(samples, count, lower, upper, offset, positions, put_compressed);
}

csearch_function csearch_beyond_avx2(void) { return has_avx2() ? search_avx2 : NULL; }

csearch_function csearch_beyond_avx512(void) { return has_avx512() ? search_avx512 : NULL; }

#else

csearch_function csearch_beyond_avx2(void) { return NULL; }

csearch_function csearch_beyond_avx512(void) { return NULL; }

#endif

intptr_t csearch_beyond(
    const void *samples, intptr_t count, double lower, double upper, intptr_t offset, intptr_t *positions) {
#if defined(__x86_64__)
    if (has_avx512()) return search_avx512(samples, count, lower, upper, offset, positions);
    if (has_avx2()) return search_avx2(samples, count, lower, upper, offset, positions);
#endif
    return csearch_beyond_baseline(samples, count, lower, upper, offset, positions);
}
