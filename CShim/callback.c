// A function of the host that Python can call.
#include "internal.h"

#include <stdlib.h>

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
    return py(function->callback(function->context, (cshim_object *const *)arguments, count));
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

void cshim_raise(const char *type, const char *message) {
    PyObject *class = PyDict_GetItemString(PyEval_GetBuiltins(), type); // borrowed
    bool is_exception = class != NULL && PyExceptionClass_Check(class);
    PyErr_SetString(is_exception ? class : PyExc_RuntimeError, message);
}
