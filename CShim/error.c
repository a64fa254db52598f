// A raised exception as a plain C value.
#include "internal.h"

#include <stdlib.h>
#include <string.h>

/// A copy of a str's UTF-8 with what cannot be encoded replaced, or null. Gives up the reference to `text`.
static char *copy_text(PyObject *text) {
    if (text == NULL) {
        PyErr_Clear();
        return NULL;
    }
    PyObject *bytes = PyUnicode_Check(text) ? PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace") : NULL;
    char *copy = bytes != NULL ? strdup(PyBytes_AS_STRING(bytes)) : NULL;
    Py_XDECREF(bytes);
    Py_DECREF(text);
    PyErr_Clear();
    return copy;
}

/// The type's name, with its module unless that is builtins.
static char *copy_type_name(PyTypeObject *type) {
    PyObject *name = PyObject_GetAttrString((PyObject *)type, "__qualname__");
    PyObject *module = PyObject_GetAttrString((PyObject *)type, "__module__");
    PyErr_Clear();
    bool is_plain =
        module == NULL || !PyUnicode_Check(module) || PyUnicode_CompareWithASCIIString(module, "builtins") == 0;
    PyObject *text = is_plain || name == NULL ? Py_XNewRef(name) : PyUnicode_FromFormat("%U.%U", module, name);
    Py_XDECREF(name);
    Py_XDECREF(module);
    return copy_text(text);
}

/// What the traceback module prints for an exception, its causes included.
static char *copy_traceback(PyObject *exception) {
    PyObject *module = PyImport_ImportModule("traceback");
    PyObject *traceback = PyException_GetTraceback(exception); // new reference, or null for one that was never raised
    PyObject *lines = module == NULL ? NULL
                                     : PyObject_CallMethod(
                                           module, "format_exception", "OOO", Py_TYPE(exception), exception,
                                           traceback != NULL ? traceback : Py_None);
    PyObject *empty = PyUnicode_FromString("");
    PyObject *text = lines != NULL && empty != NULL ? PyUnicode_Join(empty, lines) : NULL;
    Py_XDECREF(empty);
    Py_XDECREF(lines);
    Py_XDECREF(traceback);
    Py_XDECREF(module);
    return copy_text(text);
}

/// What Python would name as the reason: __cause__, else __context__ unless it is suppressed. New reference or null.
static PyObject *reason_of(PyObject *exception) {
    PyObject *cause = PyException_GetCause(exception);
    if (cause != NULL || ((PyBaseExceptionObject *)exception)->suppress_context) return cause;
    return PyException_GetContext(exception);
}

/// Takes the raised exception, normalized and with its traceback attached: new reference, or null.
static PyObject *take_raised(void) {
#if PY_VERSION_HEX >= 0x030C0000
    return PyErr_GetRaisedException();
#else
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (type == NULL) return NULL;
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL) PyException_SetTraceback(value, traceback);
    Py_DECREF(type);
    Py_XDECREF(traceback);
    return value;
#endif
}

/// More links than any real chain has; it also ends one that was made to go in a circle.
enum { longest_chain = 64 };

cshim_exception *cshim_exception_take(void) {
    cshim_exception *first = NULL, **next = &first;
    PyObject *exception = take_raised();
    for (int length = 0; exception != NULL && length < longest_chain; length += 1) {
        cshim_exception *link = calloc(1, sizeof *link);
        if (link == NULL) break;
        link->type = copy_type_name(Py_TYPE(exception));
        link->message = copy_text(PyObject_Str(exception));
        link->traceback = copy_traceback(exception);
        *next = link;
        next = &link->cause;
        PyObject *reason = reason_of(exception);
        Py_DECREF(exception);
        exception = reason;
    }
    Py_XDECREF(exception);
    return first;
}

bool cshim_exception_occurred(void) { return PyErr_Occurred() != NULL; }

void cshim_exception_free(cshim_exception *exception) {
    while (exception != NULL) {
        cshim_exception *cause = exception->cause;
        free(exception->type);
        free(exception->message);
        free(exception->traceback);
        free(exception);
        exception = cause;
    }
}
