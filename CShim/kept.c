// The views of shared memory that are kept from call to call.
#include "internal.h"

#include <pthread.h>
#include <stdlib.h>

/// Guards the list of those that have a view. Who changes one, but for closing it, is attached as well.
static pthread_mutex_t kept_mutex = PTHREAD_MUTEX_INITIALIZER;
static cshim_kept_view *first_kept;

// In the child of a fork no other thread holds the mutex.
static void lock(void) { pthread_mutex_lock(&kept_mutex); }
static void unlock(void) { pthread_mutex_unlock(&kept_mutex); }
static void prepare_for_forks(void) { pthread_atfork(lock, unlock, unlock); }

void kept_views_start(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, prepare_for_forks);
}

cshim_kept_view *cshim_kept_view_new(
    void *base,
    ptrdiff_t count,
    ptrdiff_t stride,
    ptrdiff_t item_size,
    const char *format,
    bool read_only,
    void *owner,
    cshim_release_owner retain_owner,
    cshim_release_owner release_owner) {
#ifdef Py_GIL_DISABLED
    return NULL;
#endif
    cshim_kept_view *kept = malloc(sizeof *kept);
    if (kept == NULL) return NULL;
    *kept = (cshim_kept_view){
        .base = base,
        .count = count,
        .stride = stride,
        .item_size = item_size,
        .format = format,
        .read_only = read_only,
        .owner = owner,
        .retain_owner = retain_owner,
        .release_owner = release_owner,
    };
    return kept;
}

static bool make_view(cshim_kept_view *kept) {
    cshim_lent lent =
        export_line(kept->base, kept->count, kept->stride, kept->item_size, kept->format, kept->read_only);
    if (lent.exporter == NULL) return false;
    // Nobody in Python can find it while no call uses it: the garbage collector does not know of it either. It does not
    // count as Python's.
    PyObject_GC_UnTrack(py(lent.view));
    ledger_add(CSHIM_VIEWS_RETURNED, 1);
    ledger_add(CSHIM_EXPORTERS_FREED, 1);
    lent.exporter->owner = kept->owner;
    lent.exporter->kept = kept;
    lock();
    kept->view = lent.view;
    kept->exporter = lent.exporter;
    kept->previous = NULL;
    kept->next = first_kept;
    if (first_kept != NULL) first_kept->previous = kept;
    first_kept = kept;
    unlock();
    return true;
}

/// Takes the view out: whoever calls has both references, and the ledger counts them.
static cshim_lent keep_no_more(cshim_kept_view *kept) {
    lock();
    cshim_lent lent = {kept->view, kept->exporter};
    kept->view = NULL;
    kept->exporter = NULL;
    if (kept->next != NULL) kept->next->previous = kept->previous;
    *(kept->previous != NULL ? &kept->previous->next : &first_kept) = kept->next;
    unlock();
    lent.exporter->kept = NULL;
    lent.exporter->owner = NULL;
    PyObject_GC_Track(py(lent.view)); // its dealloc takes it from the collector
    ledger_add(CSHIM_VIEWS_TAKEN, 1);
    ledger_add(CSHIM_EXPORTERS_MADE, 1);
    return lent;
}

void kept_views_stop(void) {
    while (first_kept != NULL) give_up(keep_no_more(first_kept));
}

cshim_lent cshim_kept_view_use(cshim_kept_view *kept) {
    if (kept->is_in_use || (kept->view == NULL && !make_view(kept))) return (cshim_lent){NULL, NULL};
    kept->is_in_use = true;
    return (cshim_lent){kept->view, kept->exporter};
}

void kept_view_leave(cshim_kept_view *kept) {
    cshim_lent lent = keep_no_more(kept);
    kept->retain_owner(kept->owner);
    lent.exporter->owner = kept->owner; // the exporter's count
    lent.exporter->release_owner = kept->release_owner;
    give_up(lent);
}

bool cshim_kept_view_close(cshim_kept_view *kept) {
    lock();
    bool is_alone = true;
    if (kept->exporter != NULL) {
        atomic_store(&kept->exporter->has_ended, true);
        is_alone = Py_REFCNT(kept->exporter) == 2;
    }
    unlock();
    return is_alone;
}

void cshim_kept_view_free(cshim_kept_view *kept) {
    if (kept->view != NULL) give_up(keep_no_more(kept));
    free(kept);
}
