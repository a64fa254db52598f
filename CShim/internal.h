// What the shim's files share among themselves.
#ifndef CSHIM_INTERNAL_H
#define CSHIM_INTERNAL_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

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

/// Makes the exporter type for an interpreter that has just started. Returns false with an exception raised.
bool cshim_exporter_type_start(void);

/// Gives the type up before the interpreter ends; exporters that outlive it hold their own count on it.
void cshim_exporter_type_stop(void);

#endif
