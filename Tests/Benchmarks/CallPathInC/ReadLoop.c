#include "CallPathInC.h"

typedef double vector __attribute__((vector_size(16), aligned(8)));

// Vectors of the processor that Swift compiles for too, SSE2 or NEON; eight sums, so that no addition waits for another.
double c_read(const double *samples, intptr_t count) {
    vector sums[8] = {0};
    for (intptr_t i = 0; i < count; i += 16) {
        for (int j = 0; j < 8; j++) sums[j] += *(const vector *)(samples + i + 2 * j);
    }
    for (int j = 1; j < 8; j++) sums[0] += sums[j];
    return sums[0][0] + sums[0][1];
}
