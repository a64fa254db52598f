// A function of the host that Python can call.
#include "internal.h"

#include <stdlib.h>
#include <unistd.h>

/// What the capsule holds that is the Python function's `self`.
typedef struct {
    cshim_callback callback;
    void *context;
    cshim_release_owner release_context;
} host_function;

static const char capsule_name[] = "PythonBridge.function";

static PyObject *call_host(PyObject *capsule, PyObject *const *arguments, Py_ssize_t count) {
    host_function *function = PyCapsule_GetPointer(capsule, capsule_name);
    if (function == NULL) return NULL;
    bool is_admitted = callback_begins();
    bool ran = set_runs_python(&this_thread, false);
    host_call this_call = {NULL, 0, this_thread.host_call};
    this_thread.host_call = &this_call;
    PyObject *result = py(function->callback(function->context, (cshim_object *const *)arguments, count));
    this_thread.host_call = this_call.outer;
    Py_XDECREF(this_call.taken);
    set_runs_python(&this_thread, ran);
    callback_ends(is_admitted);
    return result;
}

/// Python holds the function no longer.
static void free_host_function(PyObject *capsule) {
    host_function *function = PyCapsule_GetPointer(capsule, capsule_name);
    release_quietly(function->release_context, function->context);
    PyMem_RawFree(function);
}

cshim_object *cshim_function(void *context, cshim_callback callback, cshim_release_owner release_context) {
    static PyMethodDef definition = {
        .ml_name = "swift_function",
        .ml_meth = (PyCFunction)(void (*)(void))call_host,
        .ml_flags = METH_FASTCALL,
        .ml_doc = "A function of the Swift program.",
    };
    host_function *function = PyMem_RawMalloc(sizeof *function);
    PyObject *capsule = function == NULL ? PyErr_NoMemory() : PyCapsule_New(function, capsule_name, free_host_function);
    if (capsule == NULL) {
        PyMem_RawFree(function);
        release_context(context);
        return NULL;
    }
    *function = (host_function){callback, context, release_context};
    PyObject *callable = PyCFunction_New(&definition, capsule);
    Py_DECREF(capsule); // the callable holds it; without one it goes, and the context with it
    return handle(callable);
}

static const char error_name[] = "PythonBridge.error";

/// An error of the host that an exception carries.
typedef struct {
    void *error;
    cshim_release_owner release_error;
} host_error;

/// Python holds the exception no longer.
static void free_host_error(PyObject *capsule) {
    host_error *error = PyCapsule_GetPointer(capsule, error_name);
    release_quietly(error->release_error, error->error);
    PyMem_RawFree(error);
}

/// New reference to what holds an error of the host, or null with an exception raised. Takes over the count on the
/// error.
static PyObject *hold_error(void *error, cshim_release_owner release_error) {
    host_error *content = PyMem_RawMalloc(sizeof *content);
    PyObject *capsule = content == NULL ? PyErr_NoMemory() : PyCapsule_New(content, error_name, free_host_error);
    if (capsule == NULL) {
        PyMem_RawFree(content);
        release_error(error);
        return NULL;
    }
    *content = (host_error){error, release_error};
    return capsule;
}

void cshim_raise(const char *type, const char *message, void *error, cshim_release_owner release_error) {
    PyObject *capsule = hold_error(error, release_error);
    if (capsule == NULL) return;
    PyObject *named = PyDict_GetItemString(PyEval_GetBuiltins(), type); // borrowed
    bool is_exception = named != NULL && PyExceptionClass_Check(named);
    PyObject *class = is_exception ? named : swift_error_type();
    PyObject *exception = PyObject_CallFunction(class, "s", message);
    if (exception != NULL && PyObject_SetAttrString(exception, "_swift_error", capsule) == 0)
        PyErr_SetObject(class, exception);
    Py_XDECREF(exception);
    Py_DECREF(capsule); // the exception holds it
}

PyObject *host_error_holder(PyObject *exception, void **error) {
    PyObject *capsule = PyObject_GetAttrString(exception, "_swift_error");
    if (capsule != NULL && PyCapsule_IsValid(capsule, error_name)) {
        *error = ((host_error *)PyCapsule_GetPointer(capsule, error_name))->error;
        return capsule;
    }
    PyErr_Clear();
    Py_XDECREF(capsule);
    return NULL;
}

uint64_t note_taken(PyObject *exception) {
    static _Atomic uint64_t numbers;
    host_call *call = this_thread.host_call;
    if (call == NULL) return 0;
    Py_XSETREF(call->taken, Py_NewRef(exception));
    call->number = atomic_fetch_add_explicit(&numbers, 1, memory_order_relaxed) + 1;
    return call->number;
}

bool cshim_raise_again(uint64_t number) {
    const host_call *call = this_thread.host_call;
    if (number == 0 || call == NULL || call->number != number) return false;
    PyErr_SetObject((PyObject *)Py_TYPE(call->taken), call->taken);
    return true;
}

void cshim_raise_interruption(cshim_interruption interruption) { raise_interruption(interruption); }

void *cshim_let_go(void) {
    this_thread.let_go_in = atomic_load(&generation);
    return PyEval_SaveThread();
}

void cshim_take_back(void *state) {
    // CPython before 3.14 would end the thread here, and Swift's frames with it; after a restart the state is gone.
    while (python_has_gone() || atomic_load(&generation) != this_thread.let_go_in) {
        atomic_store_explicit(&this_thread.depth, 0, memory_order_release); // the next stop does not wait for this one
        pause();
    }
    PyEval_RestoreThread(state);
}
