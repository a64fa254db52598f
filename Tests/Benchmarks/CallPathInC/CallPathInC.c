#include "CallPathInC.h"

#include "../../../Sources/CPython/CPython.h"

typedef struct {
    PyObject_HEAD
    void *base;
    Py_ssize_t count, stride;
    const char *format;
    int read_only;
} exporter;

static PyTypeObject *exporter_type;
static PyObject *function;
static _Thread_local PyThreadState *state;

static int get_buffer(PyObject *object, Py_buffer *view, int flags) {
    exporter *self = (exporter *)object;
    if (self->read_only && (flags & PyBUF_WRITABLE)) {
        PyErr_SetString(PyExc_BufferError, "read-only");
        return -1;
    }
    view->buf = self->base;
    view->len = self->count * 8;
    view->itemsize = 8;
    view->readonly = self->read_only;
    view->ndim = 1;
    view->format = (flags & PyBUF_FORMAT) ? (char *)self->format : NULL;
    view->shape = &self->count;
    view->strides = &self->stride;
    view->suboffsets = NULL;
    view->internal = NULL;
    Py_INCREF(object);
    view->obj = object;
    return 0;
}

static void release_buffer(PyObject *object, Py_buffer *view) {
    (void)object;
    (void)view;
}

static void dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    PyObject_Free(object);
    Py_DECREF(type);
}

void c_look_up(const char *name) {
    PyGILState_STATE gil = PyGILState_Ensure();
    PyType_Slot slots[] = {
        {Py_bf_getbuffer, get_buffer}, {Py_bf_releasebuffer, release_buffer}, {Py_tp_dealloc, dealloc}, {0, NULL}};
    PyType_Spec spec = {.name = "baseline.Memory", .basicsize = sizeof(exporter), .flags = Py_TPFLAGS_DEFAULT, .slots = slots};
    exporter_type = (PyTypeObject *)PyType_FromSpec(&spec);
    function = PyObject_GetAttrString(PyImport_AddModule("__main__"), name);
    PyGILState_Release(gil);
}

void c_use_this_thread(void) {
    PyGILState_Ensure(); // never released, so that the state stays
    state = PyEval_SaveThread();
}

static PyObject *new_view(void *base, Py_ssize_t count, const char *format, int read_only) {
    exporter *self = PyObject_New(exporter, exporter_type);
    self->base = base;
    self->count = count;
    self->stride = 8;
    self->format = format;
    self->read_only = read_only;
    PyObject *view = PyMemoryView_FromObject((PyObject *)self);
    Py_DECREF(self);
    return view;
}

static int64_t call(PyObject *const *arguments, size_t flags) {
    PyObject *result = PyObject_Vectorcall(function, arguments, flags, NULL);
    int64_t value = PyLong_AsLong(result);
    Py_DECREF(result);
    return value;
}

static int64_t lend(double *samples, intptr_t count, int64_t *indices, intptr_t capacity) {
    PyObject *arguments[] = {NULL, new_view(samples, count, "d", 1), new_view(indices, capacity, "l", 0)};
    int64_t value = call(arguments + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET);
    Py_DECREF(arguments[1]);
    Py_DECREF(arguments[2]);
    return value;
}

static int64_t call_numbers(void) {
    PyObject *arguments[] = {NULL, PyLong_FromLong(1), PyLong_FromLong(2)};
    int64_t value = call(arguments + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET);
    Py_DECREF(arguments[1]);
    Py_DECREF(arguments[2]);
    return value;
}

int64_t c_call_lending(double *samples, intptr_t count, int64_t *indices, intptr_t capacity, intptr_t times) {
    int64_t sum = 0;
    for (intptr_t i = 0; i < times; i += 1) {
        PyEval_RestoreThread(state);
        sum += lend(samples, count, indices, capacity);
        state = PyEval_SaveThread();
    }
    return sum;
}

int64_t c_call_lending_attached(double *samples, intptr_t count, int64_t *indices, intptr_t capacity, intptr_t times) {
    int64_t sum = 0;
    PyEval_RestoreThread(state);
    for (intptr_t i = 0; i < times; i += 1) sum += lend(samples, count, indices, capacity);
    state = PyEval_SaveThread();
    return sum;
}

/// With views that are made once; attaches for each call or once.
static int64_t call_prepared(
    double *samples, intptr_t count, int64_t *indices, intptr_t capacity, intptr_t times, int stays_attached) {
    int64_t sum = 0;
    PyEval_RestoreThread(state);
    PyObject *arguments[] = {NULL, new_view(samples, count, "d", 1), new_view(indices, capacity, "l", 0)};
    for (intptr_t i = 0; i < times; i += 1) {
        if (!stays_attached) state = PyEval_SaveThread();
        if (!stays_attached) PyEval_RestoreThread(state);
        sum += call(arguments + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET);
    }
    Py_DECREF(arguments[1]);
    Py_DECREF(arguments[2]);
    state = PyEval_SaveThread();
    return sum;
}

int64_t c_call_prepared(double *samples, intptr_t count, int64_t *indices, intptr_t capacity, intptr_t times) {
    return call_prepared(samples, count, indices, capacity, times, 0);
}

int64_t c_call_prepared_attached(double *samples, intptr_t count, int64_t *indices, intptr_t capacity, intptr_t times) {
    return call_prepared(samples, count, indices, capacity, times, 1);
}

int64_t c_call_numbers(intptr_t times) {
    int64_t sum = 0;
    for (intptr_t i = 0; i < times; i += 1) {
        PyEval_RestoreThread(state);
        sum += call_numbers();
        state = PyEval_SaveThread();
    }
    return sum;
}

int64_t c_call_numbers_attached(intptr_t times) {
    int64_t sum = 0;
    PyEval_RestoreThread(state);
    for (intptr_t i = 0; i < times; i += 1) sum += call_numbers();
    state = PyEval_SaveThread();
    return sum;
}

int64_t c_call_ensured(void) {
    PyGILState_STATE gil = PyGILState_Ensure();
    int64_t value = call_numbers();
    PyGILState_Release(gil);
    return value;
}
