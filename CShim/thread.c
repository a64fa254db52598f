// The threads that run Python: attach, detach, who is inside, and interruptions.
#include "internal.h"

#include <pthread.h>

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <unwind.h>

atomic_uint admitting;

/// The same for threads that call nothing but interrupt others or free their own state, and for callbacks on Python's
/// own threads: they come in while a stop waits.
static atomic_uint admitting_late;

_Thread_local cshim_thread this_thread;

atomic_uint generation;

/// Whether this thread is at its end: what is listed then would not be taken off the list.
static _Thread_local bool has_ended;

/// Guards the list of the threads that have attached and not ended.
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static cshim_thread *first;

static void lock(void) { pthread_mutex_lock(&mutex); }
static void unlock(void) { pthread_mutex_unlock(&mutex); }

bool has_membarrier;

static void register_membarrier(void) {
    has_membarrier = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
}

/// In the child of a fork there is one thread left.
static void keep_this_thread(void) {
    register_membarrier();
    first = this_thread.is_listed ? &this_thread : NULL;
    this_thread.previous = this_thread.next = NULL;
    unlock();
    interpreter_forked();
}

// MARK: - Who is inside

void threads_admit(uint32_t interpreter) {
    static bool is_prepared;
    if (!is_prepared) {
        is_prepared = true;
        pthread_atfork(lock, unlock, keep_this_thread);
        register_membarrier();
    }
    atomic_store_explicit(&admitting, interpreter, memory_order_release);
    atomic_store(&admitting_late, interpreter);
}

void cshim_admit(bool admits) {
    atomic_store_explicit(&admitting, admits ? cshim_running() : 0, memory_order_release);
    if (admits) atomic_store(&admitting_late, cshim_running());
}

bool cshim_close(void) {
    if (cshim_others_inside(NULL, 0) > 0) return false;
    atomic_store(&admitting_late, 0);
    bool is_empty = cshim_others_inside(NULL, 0) == 0;
    if (!is_empty) atomic_store(&admitting_late, cshim_running());
    return is_empty;
}

int32_t cshim_others_inside(uint64_t *identities, int32_t capacity) {
    // After this barrier a thread is either seen to be inside, or it sees that it is not admitted.
    if (!has_membarrier || syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) != 0)
        atomic_thread_fence(memory_order_seq_cst);
    int32_t count = 0;
    pthread_mutex_lock(&mutex);
    for (const cshim_thread *thread = first; thread != NULL; thread = thread->next) {
        if (thread == &this_thread || atomic_load(&thread->depth) == 0) continue;
        if (count < capacity) identities[count] = thread->identity;
        count += 1;
    }
    pthread_mutex_unlock(&mutex);
    return count;
}

bool cshim_is_inside(void) { return atomic_load_explicit(&this_thread.depth, memory_order_relaxed) > 0; }

// MARK: - The list

static void delist(cshim_thread *thread) {
    pthread_mutex_lock(&mutex);
    if (thread->next != NULL) thread->next->previous = thread->previous;
    *(thread->previous != NULL ? &thread->previous->next : &first) = thread->next;
    thread->is_listed = false;
    pthread_mutex_unlock(&mutex);
}

static _Unwind_Reason_Code find_exit(struct _Unwind_Context *context, void *is_found) {
    void *function = _Unwind_FindEnclosingFunction((char *)_Unwind_GetIP(context) - 1);
    if (function != (void *)exit) return _URC_NO_REASON;
    *(bool *)is_found = true;
    return _URC_END_OF_STACK;
}

/// Whether it is the process that ends: exit(3) begins with what is due at the end of the thread that calls it.
static bool process_ends(void) {
    bool is_found = false;
    _Unwind_Backtrace(find_exit, &is_found);
    return is_found;
}

/// At the end of an OS thread: frees the state that was made for it, unless its interpreter did so first.
static void end_thread(void *unused) {
    (void)unused;
    cshim_thread *thread = &this_thread;
    // Nothing is freed by exit(), since the GIL may be kept by code in C; nor within a call, where the state is in use.
    bool is_outside = atomic_load_explicit(&thread->depth, memory_order_relaxed) == 0;
    has_ended = !process_ends(); // at the process's end there may be handlers to come that call Python
    if (is_outside && thread->owns_state && has_state(thread) && has_ended) {
        cshim_attachment attachment = cshim_attach_late();
        if (attachment == CSHIM_RESTORED) {
            // The count that enter() took: the state is cleared and deleted.
            PyGILState_Release(PyGILState_UNLOCKED);
            thread->state = NULL;
            thread->owns_state = false;
            atomic_store_explicit(&thread->depth, 0, memory_order_release);
        } else {
            cshim_detach(attachment);
        }
    }
    delist(thread);
}

/// Returns false at the end of the thread.
static bool enlist(cshim_thread *thread) {
    if (thread->is_listed) return true;
    if (has_ended) return false;
    pthread_mutex_lock(&mutex);
    thread->previous = NULL;
    thread->next = first;
    if (first != NULL) first->previous = thread;
    first = thread;
    thread->is_listed = true;
    pthread_mutex_unlock(&mutex);
    thread->identity = PyThread_get_thread_ident();
    // A pthread key's destructor would come too late: CPython finds the state through a key of its own, cleared first.
    __cxa_thread_atexit_impl(end_thread, NULL, &__dso_handle);
    return true;
}

// MARK: - Attach and detach

/// Makes a state for this thread, or takes up the one that it has.
static cshim_attachment enter(cshim_thread *thread) {
    if (has_state(thread)) {
        PyEval_RestoreThread(thread->state);
        return CSHIM_RESTORED;
    }
    if (PyGILState_GetThisThreadState() != NULL) {
        // A thread that Python started: its state is Python's to free, so nothing is kept.
        if (holds_gil()) return CSHIM_ALREADY_ATTACHED;
        PyGILState_Ensure();
        return CSHIM_ENSURED;
    }
    // PyGILState_Ensure rather than PyThreadState_New: extensions that call PyGILState_Ensure themselves find it.
    PyGILState_Ensure();
    thread->state = PyThreadState_Get();
    thread->owns_state = true;
    thread->generation = atomic_load(&generation);
    return CSHIM_RESTORED;
}

/// An attachment within no other.
static cshim_attachment attach_outermost(cshim_thread *thread) {
    if (!enlist(thread)) return leave_refused(thread);
    // Whoever looked through the list before this thread was on it has closed the door before.
    announce();
    unsigned interpreter = atomic_load_explicit(&admitting, memory_order_acquire);
    return interpreter == 0 ? leave_refused(thread) : enter(thread);
}

void thread_keeps(PyThreadState *state) {
    cshim_thread *thread = &this_thread;
    enlist(thread);
    thread->state = state;
    thread->owns_state = false;
    thread->generation = atomic_load(&generation);
}

cshim_attachment attach_again(void) {
    int depth = atomic_load_explicit(&this_thread.depth, memory_order_relaxed);
    atomic_store_explicit(&this_thread.depth, depth + 1, memory_order_relaxed);
    return CSHIM_ALREADY_ATTACHED;
}

/// An attachment within another.
static cshim_attachment attach_within(void) {
    if (cshim_running() == 0) { // it ended, or this is the child of a fork, in the middle of a call
        atomic_fetch_sub_explicit(&this_thread.depth, 1, memory_order_release);
        return CSHIM_NOT_RUNNING;
    }
    if (holds_gil()) return CSHIM_ALREADY_ATTACHED;
    // Called back by code that let go of the GIL. PyGILState_Ensure takes the same state again.
    PyGILState_Ensure();
    return CSHIM_ENSURED;
}

cshim_attachment cshim_attach(void) {
    cshim_thread *thread = &this_thread;
    int depth = atomic_load_explicit(&thread->depth, memory_order_relaxed);
    atomic_store_explicit(&thread->depth, depth + 1, memory_order_relaxed);
    return depth > 0 ? attach_within() : attach_outermost(thread);
}

bool callback_begins(void) {
    cshim_thread *thread = &this_thread;
    if (atomic_fetch_add(&thread->depth, 1) > 0) return true;
    // A thread of Python's own, for which a stop has to wait from here on, unless it is too late.
    bool is_admitted = enlist(thread) && atomic_load(&admitting_late) != 0;
    if (!is_admitted) leave_refused(thread);
    return is_admitted;
}

void callback_ends(bool was_admitted) {
    if (was_admitted) detach(CSHIM_ALREADY_ATTACHED);
}

cshim_attachment cshim_attach_late(void) {
    cshim_thread *thread = &this_thread;
    if (!enlist(thread)) return CSHIM_NOT_RUNNING;
    atomic_store(&thread->depth, 1);
    return atomic_load(&admitting_late) == 0 ? leave_refused(thread) : enter(thread);
}

cshim_attachment attach_otherwise(uint32_t interpreter) {
    cshim_attachment attachment = cshim_attach();
    if (attachment == CSHIM_NOT_RUNNING || cshim_running() == interpreter) return attachment; // no stop passes any more
    detach(attachment);
    return CSHIM_NOT_RUNNING;
}

cshim_attachment cshim_attach_to(uint32_t interpreter) { return attach_to(interpreter); }

void cshim_detach(cshim_attachment attachment) { detach(attachment); }

bool cshim_is_attached(void) { return cshim_running() != 0 && holds_gil(); }

// MARK: - Interruptions

cshim_thread *cshim_this_thread(void) { return &this_thread; }

void cshim_interrupt(cshim_thread *thread, cshim_interruption interruption) {
    atomic_store_explicit(&thread->interruption, interruption, memory_order_relaxed);
    if (atomic_load_explicit(&thread->runs_python, memory_order_relaxed))
        PyThreadState_SetAsyncExc(thread->identity, interruption_type(interruption));
}

void cshim_set_interruption(cshim_interruption interruption) {
    atomic_store_explicit(&this_thread.interruption, interruption, memory_order_relaxed);
}

void *cshim_set_scope(void *scope) {
    void *outer = this_thread.scope;
    this_thread.scope = scope;
    return outer;
}

void raise_interruption(cshim_interruption interruption) {
    PyObject *type = interruption_type(interruption);
    if (type != NULL) {
        PyErr_SetNone(type);
    } else { // what Python runs while it ends
        PyErr_SetString(PyExc_RuntimeError, "Python is stopping");
    }
}

void python_is_interrupted(cshim_thread *thread, bool will_run) {
    cshim_interruption interruption = atomic_load_explicit(&thread->interruption, memory_order_relaxed);
    PyThreadState_SetAsyncExc(thread->identity, will_run ? interruption_type(interruption) : NULL);
}
