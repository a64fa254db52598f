// A raised exception as a plain C value.
#include "internal.h"

#include <stdlib.h>
#include <string.h>

/// A copy of a str's UTF-8 with what cannot be encoded replaced, or nothing. Gives up the reference to `text`.
static cshim_text copy_text(PyObject *text) {
    cshim_text copy = {NULL, 0};
    bool is_text = text != NULL && PyUnicode_Check(text);
    PyObject *bytes = is_text ? PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace") : NULL;
    if (bytes != NULL) {
        copy.length = PyBytes_GET_SIZE(bytes);
        copy.utf8 = malloc((size_t)copy.length + 1);
        if (copy.utf8 != NULL) memcpy(copy.utf8, PyBytes_AS_STRING(bytes), (size_t)copy.length);
    }
    Py_XDECREF(bytes);
    Py_XDECREF(text);
    PyErr_Clear();
    return copy;
}

/// The type's name, with its module unless that is builtins.
static cshim_text copy_type_name(PyTypeObject *type) {
    PyObject *name = PyObject_GetAttrString((PyObject *)type, "__qualname__");
    PyObject *module = PyObject_GetAttrString((PyObject *)type, "__module__");
    PyErr_Clear();
    bool has_module = module != NULL && PyUnicode_Check(module);
    bool is_plain = !has_module || PyUnicode_CompareWithASCIIString(module, "builtins") == 0;
    PyObject *text = is_plain || name == NULL ? Py_XNewRef(name) : PyUnicode_FromFormat("%U.%U", module, name);
    Py_XDECREF(name);
    Py_XDECREF(module);
    return copy_text(text);
}

/// What the traceback module prints for an exception, with its causes or without.
static cshim_text copy_traceback(PyObject *exception, bool with_causes) {
    PyObject *module = PyImport_ImportModule("traceback");
    PyObject *format = module != NULL ? PyObject_GetAttrString(module, "format_exception") : NULL;
    PyObject *traceback = PyException_GetTraceback(exception); // new reference, or null for one that was never raised
    PyObject *arguments = Py_BuildValue("OOO", Py_TYPE(exception), exception, traceback != NULL ? traceback : Py_None);
    PyObject *options = Py_BuildValue("{s:O}", "chain", with_causes ? Py_True : Py_False);
    bool is_ready = format != NULL && arguments != NULL && options != NULL;
    PyObject *lines = is_ready ? PyObject_Call(format, arguments, options) : NULL;
    PyObject *empty = PyUnicode_FromString("");
    PyObject *text = lines != NULL && empty != NULL ? PyUnicode_Join(empty, lines) : NULL;
    Py_XDECREF(empty);
    Py_XDECREF(lines);
    Py_XDECREF(options);
    Py_XDECREF(arguments);
    Py_XDECREF(traceback);
    Py_XDECREF(format);
    Py_XDECREF(module);
    return copy_text(text);
}

/// Empties the frames that an exception went through. What is kept of it for a function of the host must not keep what
/// was lent to the call that raised it.
static void clear_frames(PyObject *exception) {
    PyObject *traceback = PyException_GetTraceback(exception); // new reference, or null
    PyObject *module = traceback == NULL ? NULL : PyImport_ImportModule("traceback");
    PyObject *result = module == NULL ? NULL : PyObject_CallMethod(module, "clear_frames", "O", traceback);
    Py_XDECREF(result);
    Py_XDECREF(module);
    Py_XDECREF(traceback);
    PyErr_Clear();
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

/// More links than any real chain has.
enum { longest_chain = 64 };

static bool contains(PyObject *const *exceptions, int count, const PyObject *exception) {
    for (int i = 0; i < count; i += 1) {
        if (exceptions[i] == exception) return true;
    }
    return false;
}

cshim_exception *cshim_exception_take(void) {
    PyObject *chain[longest_chain]; // owned
    int length = 0;
    cshim_exception *first = NULL, **next = &first;
    PyObject *exception = take_raised();
    uint64_t number = exception == NULL ? 0 : note_taken(exception);
    // A chain can be made to go in a circle.
    while (exception != NULL && length < longest_chain && !contains(chain, length, exception)) {
        cshim_exception *link = calloc(1, sizeof *link);
        if (link == NULL) break;
        link->type = copy_type_name(Py_TYPE(exception));
        link->message = copy_text(PyObject_Str(exception));
        link->traceback = copy_traceback(exception, length == 0);
        link->holder = handle(host_error_holder(exception, &link->host_error));
        link->number = length == 0 ? number : 0;
        if (number != 0) clear_frames(exception);
        *next = link;
        next = &link->cause;
        chain[length++] = exception;
        exception = reason_of(exception);
    }
    Py_XDECREF(exception);
    while (length > 0) Py_DECREF(chain[--length]);
    return first;
}

bool cshim_exception_occurred(void) { return PyErr_Occurred() != NULL; }

void cshim_exception_free(cshim_exception *exception) {
    while (exception != NULL) {
        cshim_exception *cause = exception->cause;
        if (exception->holder != NULL) cshim_release(exception->holder);
        free(exception->type.utf8);
        free(exception->message.utf8);
        free(exception->traceback.utf8);
        free(exception);
        exception = cause;
    }
}

// MARK: - The bridge's own exceptions

/// One count each is this file's own, from start to stop.
static PyObject *interruption_types[CSHIM_DEADLINE_EXCEEDED + 1];
static PyObject *swift_error;

bool exception_types_start(void) {
    // Not Exceptions: code that carries on after any error must not carry on after these.
    interruption_types[CSHIM_CANCELLED] = PyErr_NewExceptionWithDoc(
        "PythonBridge.Cancelled", "The Swift task that made this call was cancelled.", PyExc_BaseException, NULL);
    interruption_types[CSHIM_DEADLINE_EXCEEDED] = PyErr_NewExceptionWithDoc(
        "PythonBridge.DeadlineExceeded", "The time that this call had is over.", PyExc_BaseException, NULL);
    swift_error = PyErr_NewExceptionWithDoc(
        "PythonBridge.SwiftError", "A Swift closure that Python called threw an error.", PyExc_RuntimeError, NULL);
    return interruption_types[CSHIM_CANCELLED] != NULL && interruption_types[CSHIM_DEADLINE_EXCEEDED] != NULL &&
           swift_error != NULL;
}

void exception_types_stop(void) {
    Py_CLEAR(interruption_types[CSHIM_CANCELLED]);
    Py_CLEAR(interruption_types[CSHIM_DEADLINE_EXCEEDED]);
    Py_CLEAR(swift_error);
}

PyObject *interruption_type(cshim_interruption interruption) { return interruption_types[interruption]; }

PyObject *swift_error_type(void) { return swift_error; }
