// What the shim's files share among themselves.
#ifndef CSHIM_INTERNAL_H
#define CSHIM_INTERNAL_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdatomic.h>

#include "CShim.h"

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
    atomic_bool has_ended; ///< a lend that is over: no new view
    void *owner;           ///< keeps the memory; null while it is lent
    cshim_release_owner release_owner;
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

/// glibc's: runs `function` at the end of this thread, before any pthread key loses its value.
int __cxa_thread_atexit_impl(void (*function)(void *), void *argument, void *dso);
extern void *__dso_handle;

/// The number of the interpreter that runs or, within cshim_stop, is about to end.
uint32_t current_interpreter(void);

/// Attaches this thread in order to give up what is of the interpreter with that number, also while this thread stops
/// it. CSHIM_NOT_RUNNING when that interpreter has ended, or is
/// being ended by another thread and this one is not attached.
cshim_attachment attach_to_release(uint32_t interpreter);

// MARK: - buffer.c

/// Makes the exporter type for an interpreter that has just started. Returns false with an exception raised.
bool cshim_exporter_type_start(void);

/// Gives the type up before the interpreter ends; exporters that outlive it hold their own count on it.
void cshim_exporter_type_stop(void);

#endif
