// What the shim's files share among themselves.
#ifndef CSHIM_INTERNAL_H
#define CSHIM_INTERNAL_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#if PY_VERSION_HEX < 0x030B0000
#include <longintrepr.h>
#endif

#include <stdatomic.h>

#include "CShim.h"

/// glibc's: runs `function` at the end of this thread, before any pthread key loses its value.
int __cxa_thread_atexit_impl(void (*function)(void *), void *argument, void *dso);
extern void *__dso_handle;

// What the files share is not looked up in a table of the program's: each access would take a further instruction.
#pragma GCC visibility push(hidden)

#if PY_VERSION_HEX < 0x030D0000
#define PyThreadState_GetUnchecked _PyThreadState_UncheckedGet
#define Py_IsFinalizing _Py_IsFinalizing
#endif

#if PY_VERSION_HEX < 0x030A0000
static inline PyObject *Py_NewRef(PyObject *object) {
    Py_INCREF(object);
    return object;
}
static inline PyObject *Py_XNewRef(PyObject *object) {
    Py_XINCREF(object);
    return object;
}
#endif

static inline PyObject *py(cshim_object *object) { return (PyObject *)object; }
static inline cshim_object *handle(PyObject *object) { return (cshim_object *)object; }

/// Reads a compact int, one of at most one digit, as most are. Returns false for a longer one.
static inline bool read_compact_int(PyObject *object, int64_t *value) {
    PyLongObject *integer = (PyLongObject *)object;
#if PY_VERSION_HEX >= 0x030C0000
    if (!PyUnstable_Long_IsCompact(integer)) return false;
    *value = PyUnstable_Long_CompactValue(integer);
#else
    Py_ssize_t signed_length = Py_SIZE(integer);
    if (signed_length < -1 || signed_length > 1) return false;
    *value = signed_length == 0 ? 0 : signed_length * (int64_t)integer->ob_digit[0];
#endif
    return true;
}

/// Memory of the host as Python sees it. Its members do not change while it lives, but for the last three.
struct cshim_exporter {
    PyObject_HEAD void *base;
    Py_ssize_t byte_count; ///< of the elements, as if they lay side by side
    Py_ssize_t item_size;
    const char *format;
    Py_ssize_t
        *shape_and_strides; ///< `dimensions` lengths, then as many strides in bytes: `line`, or memory of its own
    Py_ssize_t line[2];     ///< those of one dimension
    int dimensions;
    bool read_only;
    atomic_bool has_ended;             ///< a lend that is over: no new view
    void *owner;                       ///< keeps the memory; null while it is lent
    cshim_release_owner release_owner; ///< null while the host keeps the view: `owner` is not counted then
    cshim_kept_view *kept;             ///< where the host keeps the view; null when it does not
};

static inline Py_ssize_t *shape_of(const cshim_exporter *exporter) { return exporter->shape_and_strides; }
static inline Py_ssize_t *strides_of(const cshim_exporter *exporter) {
    return exporter->shape_and_strides + exporter->dimensions;
}

/// The object itself if it is an exporter, else null.
cshim_exporter *as_exporter(PyObject *object);

/// Calls the host to give an owner up, whatever exception is on its way meanwhile.
static inline void release_quietly(cshim_release_owner release, void *owner) {
#if PY_VERSION_HEX >= 0x030C0000
    PyObject *raised = PyErr_GetRaisedException();
    release(owner);
    PyErr_SetRaisedException(raised);
#else
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    release(owner);
    PyErr_Restore(type, value, traceback);
#endif
}

/// Returns false, with BufferError raised, when the exporter's lend is over.
bool exporter_is_open(cshim_exporter *exporter);

/// A consumer's hold on an exporter, for which it needs no Python.
typedef struct {
    cshim_exporter *exporter; ///< owned
    uint32_t interpreter;     ///< whose the exporter is
} exporter_hold;

/// Takes a hold. The thread is attached.
exporter_hold exporter_take_hold(cshim_exporter *exporter);

/// Gives a hold up on any thread, attached or not. Nothing is done once the interpreter has ended: there is nobody to
/// give the memory back to.
void exporter_let_go(exporter_hold hold);

// The exporter's methods. `__dlpack__`, `__dlpack_device__` and `__arrow_c_array__` of Python.
PyObject *exporter_dlpack(PyObject *object, PyObject *arguments, PyObject *keywords);
PyObject *exporter_dlpack_device(PyObject *object, PyObject *unused);
PyObject *exporter_arrow_array(PyObject *object, PyObject *arguments, PyObject *keywords);

/// What every handle of a view starts with: how to give it up.
typedef struct cshim_view_handle {
    void (*release)(struct cshim_view_handle *handle);
} cshim_view_handle;

// MARK: - ledger.c

/// The counters of one thread. Only that thread writes to them; any may read.
typedef struct ledger_cell {
    _Atomic int64_t entries[CSHIM_LEDGER_ENTRIES];
    struct ledger_cell *previous, *next;
    bool is_listed;
} ledger_cell;

extern _Thread_local ledger_cell this_ledger;

/// Lists this thread's counters among those that a total is made of, until the thread ends. Returns false at its end.
bool ledger_enlist(void);

/// Counts for a thread that is at its end.
void ledger_add_late(cshim_ledger_entry entry, int64_t amount);

static inline void ledger_add(cshim_ledger_entry entry, int64_t amount) {
    if (!this_ledger.is_listed && !ledger_enlist()) {
        ledger_add_late(entry, amount);
        return;
    }
    // Not an atomic addition: no other thread writes here.
    int64_t value = atomic_load_explicit(&this_ledger.entries[entry], memory_order_relaxed);
    atomic_store_explicit(&this_ledger.entries[entry], value + amount, memory_order_relaxed);
}

// MARK: - interpreter.c

/// The number of the interpreter that runs or, within cshim_stop, is about to end.
uint32_t current_interpreter(void);

/// Whether this thread holds the GIL. Not PyGILState_Check, which says so of every thread once there has been a
/// subinterpreter.
static inline bool holds_gil(void) {
    PyThreadState *own = PyGILState_GetThisThreadState();
    return own != NULL && own == PyThreadState_GetUnchecked();
}

/// Whether another thread ends Python, so that this one must not enter it again.
bool python_has_gone(void);

/// Attaches this thread in order to give up what is of the interpreter with that number, also while this thread stops
/// it. CSHIM_NOT_RUNNING when that interpreter has ended, or is
/// being ended by another thread and this one is not attached.
cshim_attachment attach_to_release(uint32_t interpreter);

/// Called in the child of a fork. Python, if it was Python that forked, says so afterwards.
void interpreter_forked(void);

/// The number of the running interpreter, counted from 1; 0 while there is none. A thread state that was kept
/// under another number died with its interpreter.
extern atomic_uint running;

// MARK: - thread.c

/// What is kept of an OS thread that has attached, until it ends.
struct cshim_thread {
    PyThreadState *state; ///< null where Python made the thread, and keeps its state itself
    bool owns_state;      ///< it is freed when the thread ends; the interpreter's first one is not
    uint32_t generation;  ///< how many CPythons had ended when the state was made; it died with the next one
    /// How many attachments are open on this thread; other threads read it.
    _Atomic int32_t depth;
    /// Whether Python code of a call runs, rather than what the bridge does in Python.
    atomic_bool runs_python;
    /// What is raised in all Python code on this thread until it is taken back.
    _Atomic(cshim_interruption) interruption;
    void *scope; ///< the host's
    unsigned long identity;
    struct host_call *host_call; ///< the innermost function of the host that runs on this thread
    uint32_t let_go_in;          ///< how many CPythons had ended when a function of the host let go of the GIL
    bool is_listed;
    struct cshim_thread *previous, *next;
};

extern _Thread_local cshim_thread this_thread;

/// How many CPythons have ended in this process.
extern atomic_uint generation;

/// Whether the state that a thread keeps still lives.
static inline bool has_state(const cshim_thread *thread) {
    return thread->state != NULL && thread->generation == atomic_load_explicit(&generation, memory_order_acquire);
}

/// The number of the interpreter that threads may enter; 0 while there is none, or it is about to stop.
extern atomic_uint admitting;

/// Whether the kernel can have all threads pass a memory barrier. Then those that attach need none of their own.
extern bool has_membarrier;

/// Between a thread's word that it is inside and its look at `admitting`.
static inline void announce(void) {
    if (has_membarrier) {
        atomic_signal_fence(memory_order_seq_cst);
    } else {
        atomic_thread_fence(memory_order_seq_cst);
    }
}

/// Takes back a thread's word that it is inside. Returns what one that is not admitted is told.
static inline cshim_attachment leave_refused(cshim_thread *thread) {
    atomic_store_explicit(&thread->depth, 0, memory_order_release);
    return CSHIM_NOT_RUNNING;
}

/// What cshim_detach does.
static inline void detach(cshim_attachment attachment) {
    switch (attachment) {
    case CSHIM_NOT_RUNNING: return;
    case CSHIM_ALREADY_ATTACHED: break;
    case CSHIM_RESTORED: PyEval_SaveThread(); break;
    case CSHIM_ENSURED: PyGILState_Release(PyGILState_UNLOCKED); break;
    }
    int depth = atomic_load_explicit(&this_thread.depth, memory_order_relaxed);
    atomic_store_explicit(&this_thread.depth, depth - 1, memory_order_release);
}

/// What cshim_attach_to does for a thread that has no state of its own, uses another one at the moment, or is refused.
cshim_attachment attach_otherwise(uint32_t interpreter);

/// What cshim_attach_to does. It looks at last when no stop can pass any more.
__attribute__((always_inline)) static inline cshim_attachment attach_to(uint32_t interpreter) {
    // 0 is nobody's number, but what `admitting` and `running` are while there is no interpreter.
    if (interpreter == 0) return CSHIM_NOT_RUNNING;
    cshim_thread *thread = &this_thread;
    int depth = atomic_load_explicit(&thread->depth, memory_order_relaxed);
    if (depth > 0) {
        bool is_current = thread->state != NULL && PyThreadState_GetUnchecked() == thread->state;
        bool runs = atomic_load_explicit(&running, memory_order_acquire) == interpreter;
        if (!is_current || !runs) return attach_otherwise(interpreter);
        atomic_store_explicit(&thread->depth, depth + 1, memory_order_relaxed);
        return CSHIM_ALREADY_ATTACHED;
    }
    atomic_store_explicit(&thread->depth, 1, memory_order_relaxed);
    announce();
    bool is_admitted = atomic_load_explicit(&admitting, memory_order_acquire) == interpreter;
    if (!is_admitted || !has_state(thread)) {
        leave_refused(thread);
        return attach_otherwise(interpreter);
    }
    PyEval_RestoreThread(thread->state);
    if (atomic_load_explicit(&running, memory_order_acquire) == interpreter) return CSHIM_RESTORED;
    detach(CSHIM_RESTORED);
    return CSHIM_NOT_RUNNING;
}

/// Lets threads enter the interpreter with that number, or none when it is 0.
void threads_admit(uint32_t interpreter);

/// Has this thread, which is attached, keep a state that is not the thread's to free.
void thread_keeps(PyThreadState *state);

/// A function of the host begins on this thread, and a stop waits for it. Returns false when Python is about to end,
/// too late to wait for anybody: what the function calls is refused.
bool callback_begins(void);

/// It has ended.
void callback_ends(bool was_admitted);

/// An attachment of a thread that Python knows to be attached, whether or not threads are admitted.
cshim_attachment attach_again(void);

void raise_interruption(cshim_interruption interruption);

/// Raises the interruption in the Python code that this thread goes on with, or takes back what was not raised yet.
void python_is_interrupted(cshim_thread *thread, bool will_run);

static inline bool set_runs_python(cshim_thread *thread, bool runs) {
    bool ran = atomic_load_explicit(&thread->runs_python, memory_order_relaxed);
    atomic_store_explicit(&thread->runs_python, runs, memory_order_relaxed);
    if (atomic_load_explicit(&thread->interruption, memory_order_relaxed) != CSHIM_NO_INTERRUPTION)
        python_is_interrupted(thread, runs);
    return ran;
}

/// Begins Python code of a call, which can be interrupted. Returns false with an exception raised when it is already.
static inline bool python_begins(bool *ran) {
    cshim_thread *thread = &this_thread;
    cshim_interruption interruption = atomic_load_explicit(&thread->interruption, memory_order_relaxed);
    if (interruption != CSHIM_NO_INTERRUPTION) {
        raise_interruption(interruption);
        return false;
    }
    *ran = set_runs_python(thread, true);
    return true;
}

/// Ends it: what the bridge does from here on is left alone.
static inline void python_ends(bool ran) { set_runs_python(&this_thread, ran); }

// MARK: - error.c

/// Makes the bridge's own exception classes for an interpreter that has just started. Returns false with an exception
/// raised.
bool exception_types_start(void);

/// Gives them up before the interpreter ends.
void exception_types_stop(void);

/// Borrowed; null for no interruption.
PyObject *interruption_type(cshim_interruption interruption);

/// Borrowed.
PyObject *swift_error_type(void);

// MARK: - callback.c

/// A function of the host while it runs.
typedef struct host_call {
    PyObject *taken; ///< owned: the last exception that was taken meanwhile, in case the host throws it on
    uint64_t number; ///< its number
    struct host_call *outer;
} host_call;

/// Notes that an exception has been taken. Returns its number, or 0 when no function of the host runs on this thread.
uint64_t note_taken(PyObject *exception);

/// New reference to what keeps the host's error that an exception carries, or null.
PyObject *host_error_holder(PyObject *exception, void **error);

// MARK: - buffer.c

/// A new exporter of a line of elements, as of cshim_share, and a memoryview of it, or nulls with an exception raised.
cshim_lent export_line(
    void *base, Py_ssize_t count, Py_ssize_t stride, Py_ssize_t item_size, const char *format, bool read_only);

/// Gives both references up.
static inline void give_up(cshim_lent lent) {
    Py_DECREF(py(lent.view));
    Py_DECREF(lent.exporter);
}

/// Whether nobody but the host knows of an exporter and its memoryview, and nobody changed what they are. Who has a
/// buffer of the view, or another view of the same memory, has a reference to it or to its managed buffer; which is
/// released with the view only. Of a released view the exporter's count says nothing: in place of the buffer's
/// reference there may be that of an array.
static inline bool is_untouched(const PyMemoryViewObject *view, const cshim_exporter *exporter) {
    const int like_new = _Py_MEMORYVIEW_C | _Py_MEMORYVIEW_FORTRAN;
    return Py_REFCNT(view) == 1 && view->weakreflist == NULL && (view->flags | like_new) == like_new &&
           Py_REFCNT(view->mbuf) == 1 && Py_REFCNT(exporter) == 2;
}

/// Ends a lend: gives up the view, and from here on the exporter refuses new views. Returns true when nothing in
/// Python points at the memory any more; the exporter is gone then. Otherwise a view escaped, and the caller still
/// owns its reference to the exporter and must hand it to cshim_lend_escaped.
bool lend_end(cshim_exporter *exporter, PyObject *view);

/// Makes the exporter type for an interpreter that has just started. Returns false with an exception raised.
bool cshim_exporter_type_start(void);

/// Gives the type up before the interpreter ends; exporters that outlive it hold their own count on it.
void cshim_exporter_type_stop(void);

// MARK: - kept.c

/// Before the first view is kept.
void kept_views_start(void);

/// Gives up all views that are kept, before the interpreter ends. No call is under way.
void kept_views_stop(void);

/// Leaves a view to Python, which has kept it.
void kept_view_leave(cshim_kept_view *kept);

/// Ends a call's use of a view that the host keeps, and goes on keeping, unless Python keeps it too.
/// Returns the bytes that the call was given, for the ledger.
static inline int64_t kept_view_end(cshim_kept_view *kept) {
    int64_t byte_count = kept->exporter->byte_count;
    kept->is_in_use = false;
    ((PyMemoryViewObject *)kept->view)->hash = -1; // of the elements, which Swift may change from here on
    if (!is_untouched((PyMemoryViewObject *)kept->view, kept->exporter)) kept_view_leave(kept);
    return byte_count;
}

#pragma GCC visibility pop

#endif
