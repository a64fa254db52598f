#ifndef CALL_PATH_IN_C_H
#define CALL_PATH_IN_C_H

#include <stdint.h>

// What a program in plain C would write, to measure the bridge against. There is no check for errors and escapes.

/// Looks the function up in __main__; it takes two arguments.
void c_look_up(const char *_Nonnull name);

/// Keeps this thread's state for the calls that follow, which are this thread's.
void c_use_this_thread(void);

/// Calls it `times` times with views of two buffers, made and given up for each call, the GIL taken for each.
int64_t c_call_lending(
    double *_Nonnull samples, intptr_t count, int64_t *_Nonnull indices, intptr_t capacity, intptr_t times);

/// The same with the GIL taken once.
int64_t c_call_lending_attached(
    double *_Nonnull samples, intptr_t count, int64_t *_Nonnull indices, intptr_t capacity, intptr_t times);

/// The same with the views made once, and the GIL taken for each call.
int64_t c_call_prepared(
    double *_Nonnull samples, intptr_t count, int64_t *_Nonnull indices, intptr_t capacity, intptr_t times);

/// The same with the views made once and the GIL taken once.
int64_t c_call_prepared_attached(
    double *_Nonnull samples, intptr_t count, int64_t *_Nonnull indices, intptr_t capacity, intptr_t times);

/// Calls it with two integers, the GIL taken for each call, or once.
int64_t c_call_numbers(intptr_t times);
int64_t c_call_numbers_attached(intptr_t times);

/// Calls it with two integers between PyGILState_Ensure and PyGILState_Release, which make and free the state of a thread that
/// has none.
int64_t c_call_ensured(void);

/// Reads so many samples, a multiple of 16, and adds them up.
double c_read(const double *_Nonnull samples, intptr_t count);

#endif
