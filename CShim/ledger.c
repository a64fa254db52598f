// What has been lent, shared, copied and given back: counters of each thread, and their total.
#include "internal.h"

#include <pthread.h>

_Thread_local ledger_cell this_ledger;

/// Whether this thread is at its end: what it counts from here on is counted in the sum at once.
static _Thread_local bool has_ended;

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
    this_ledger.is_listed = false;
    has_ended = true;
}

static void lock(void) { pthread_mutex_lock(&mutex); }
static void unlock(void) { pthread_mutex_unlock(&mutex); }

/// In the child of a fork there is one thread left, and the others' counters go with their memory.
static void keep_this_thread(void) {
    first = this_ledger.is_listed ? &this_ledger : NULL;
    this_ledger.previous = this_ledger.next = NULL;
    unlock();
}

static void prepare_for_forks(void) { pthread_atfork(lock, unlock, keep_this_thread); }

bool ledger_enlist(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, prepare_for_forks);
    if (has_ended) return false;
    pthread_mutex_lock(&mutex);
    this_ledger.previous = NULL;
    this_ledger.next = first;
    if (first != NULL) first->previous = &this_ledger;
    first = &this_ledger;
    pthread_mutex_unlock(&mutex);
    this_ledger.is_listed = true;
    __cxa_thread_atexit_impl(delist, NULL, &__dso_handle);
    return true;
}

void ledger_add_late(cshim_ledger_entry entry, int64_t amount) {
    pthread_mutex_lock(&mutex);
    ended[entry] += amount;
    pthread_mutex_unlock(&mutex);
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
