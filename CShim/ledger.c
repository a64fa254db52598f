// What has been lent, shared, copied and given back: counters of each thread, and their total.
#include "internal.h"

#include <pthread.h>

_Thread_local ledger_cell this_ledger;

/// Guards the list of the threads' counters and the sum of those whose threads have ended.
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static ledger_cell *first;
static int64_t ended[CSHIM_LEDGER_ENTRIES];

/// At the end of an OS thread: its counters become part of the sum.
static void delist(void *unused) {
    (void)unused;
    pthread_mutex_lock(&mutex);
    for (int entry = 0; entry < CSHIM_LEDGER_ENTRIES; entry += 1) {
        ended[entry] += atomic_exchange_explicit(&this_ledger.entries[entry], 0, memory_order_relaxed);
    }
    if (this_ledger.next != NULL) this_ledger.next->previous = this_ledger.previous;
    *(this_ledger.previous != NULL ? &this_ledger.previous->next : &first) = this_ledger.next;
    pthread_mutex_unlock(&mutex);
    this_ledger.is_listed = false; // what runs later on this thread lists it anew
}

void ledger_enlist(void) {
    pthread_mutex_lock(&mutex);
    this_ledger.previous = NULL;
    this_ledger.next = first;
    if (first != NULL) first->previous = &this_ledger;
    first = &this_ledger;
    pthread_mutex_unlock(&mutex);
    this_ledger.is_listed = true;
    __cxa_thread_atexit_impl(delist, NULL, &__dso_handle);
}

static void accumulate(const ledger_cell *cell, int64_t *totals) {
    for (int entry = 0; entry < CSHIM_LEDGER_ENTRIES; entry += 1) {
        totals[entry] += atomic_load_explicit(&cell->entries[entry], memory_order_relaxed);
    }
}

void cshim_ledger_read(bool of_this_thread, int64_t *totals) {
    for (int entry = 0; entry < CSHIM_LEDGER_ENTRIES; entry += 1) totals[entry] = 0;
    if (of_this_thread) {
        accumulate(&this_ledger, totals);
        return;
    }
    pthread_mutex_lock(&mutex);
    for (int entry = 0; entry < CSHIM_LEDGER_ENTRIES; entry += 1) totals[entry] = ended[entry];
    for (const ledger_cell *cell = first; cell != NULL; cell = cell->next) accumulate(cell, totals);
    pthread_mutex_unlock(&mutex);
}

void cshim_ledger_add(cshim_ledger_entry entry, int64_t amount) { ledger_add(entry, amount); }
