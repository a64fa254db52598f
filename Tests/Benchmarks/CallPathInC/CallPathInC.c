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
static PyThreadState *state;

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

void c_prepare(const char *name) {
    PyGILState_STATE gil = PyGILState_Ensure();
    PyType_Slot slots[] = {
        {Py_bf_getbuffer, get_buffer}, {Py_bf_releasebuffer, release_buffer}, {Py_tp_dealloc, dealloc}, {0, NULL}};
    PyType_Spec spec = {.name = "baseline.Memory", .basicsize = sizeof(exporter), .flags = Py_TPFLAGS_DEFAULT, .slots = slots};
    exporter_type = (PyTypeObject *)PyType_FromSpec(&spec);
    function = PyObject_GetAttrString(PyImport_AddModule("__main__"), name);
    state = PyThreadState_Get();
    PyGILState_Release(gil);
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

int64_t c_call_lending(double *samples, intptr_t count, int64_t *indices, intptr_t capacity, intptr_t times) {
    int64_t sum = 0;
    for (intptr_t i = 0; i < times; i += 1) {
        PyEval_RestoreThread(state);
        PyObject *arguments[] = {NULL, new_view(samples, count, "d", 1), new_view(indices, capacity, "l", 0)};
        PyObject *result = PyObject_Vectorcall(function, arguments + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
        sum += PyLong_AsLong(result);
        Py_DECREF(result);
        Py_DECREF(arguments[1]);
        Py_DECREF(arguments[2]);
        state = PyEval_SaveThread();
    }
    return sum;
}

int64_t c_call_without_arguments(intptr_t times) {
    int64_t sum = 0;
    for (intptr_t i = 0; i < times; i += 1) {
        PyEval_RestoreThread(state);
        PyObject *arguments[] = {NULL};
        PyObject *result = PyObject_Vectorcall(function, arguments + 1, PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
        sum += PyLong_AsLong(result);
        Py_DECREF(result);
        state = PyEval_SaveThread();
    }
    return sum;
}
