// The CPython calls of one bridge call, written in plain C: what PythonBridge is measured against.
#ifndef CALL_PATH_IN_C_H
#define CALL_PATH_IN_C_H

#include <stdint.h>

#pragma clang assume_nonnull begin

/// Looks the function up in __main__. Call once, when the interpreter runs and this thread has called it through the bridge.
void c_prepare(const char *name);

/// `times` calls: the GIL taken and released for each, two fresh exporters with views, a vectorcall, an int back. Returns the sum.
int64_t c_call_lending(double *samples, intptr_t count, int64_t *indices, intptr_t capacity, intptr_t times);

/// The same without arguments.
int64_t c_call_without_arguments(intptr_t times);

#pragma clang assume_nonnull end

#endif
