// What the C library's allocator holds, which Swift's module of the C library leaves out.
#include <malloc.h>

#include "CShim.h"

int64_t cshim_heap_bytes(void) {
#if __GLIBC_PREREQ(2, 33)
    struct mallinfo2 heap = mallinfo2();
    return (int64_t)(heap.uordblks + heap.hblkhd);
#else
    struct mallinfo heap = mallinfo(); // its numbers go round beyond 4 GiB
    return (int64_t)(unsigned)heap.uordblks + (unsigned)heap.hblkhd;
#endif
}

void cshim_heap_trim(void) { malloc_trim(0); }
