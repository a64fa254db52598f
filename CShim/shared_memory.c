// Anonymous shared memory of a size that nobody can change. Swift's module of the C library leaves these functions out.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "CShim.h"

int32_t cshim_sealed_memory(ptrdiff_t length) {
    int descriptor = memfd_create("python-bridge", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (descriptor < 0) return -errno;
    bool is_ready = ftruncate(descriptor, length) == 0 &&
                    fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0;
    if (is_ready) return descriptor;
    int reason = errno;
    close(descriptor);
    return -reason;
}
