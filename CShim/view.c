// The host's views of memory that Python holds, by the buffer protocol.
#include "internal.h"

#include <string.h>

typedef struct {
    cshim_view_handle handle;
    Py_buffer buffer;
    Py_ssize_t strides[PyBUF_MAX_NDIM]; ///< of a buffer that gives none
} buffer_view;

static void release_buffer_view(cshim_view_handle *handle) {
    buffer_view *view = (buffer_view *)handle;
    PyBuffer_Release(&view->buffer);
    PyMem_RawFree(view);
}

bool cshim_has_buffer(cshim_object *object) { return PyObject_CheckBuffer(py(object)); }

bool cshim_view_acquire(cshim_object *object, cshim_view *result) {
    buffer_view *view = PyMem_RawMalloc(sizeof *view);
    if (view == NULL) {
        PyErr_NoMemory();
        return false;
    }
    view->handle.release = release_buffer_view;
    Py_buffer *buffer = &view->buffer;
    if (PyObject_GetBuffer(py(object), buffer, PyBUF_RECORDS_RO) < 0) {
        PyMem_RawFree(view);
        return false;
    }
    if (buffer->strides == NULL && buffer->ndim > 0) {
        // The flags ask for strides, but arrays of ctypes and numpy's dates have none to give.
        buffer->strides = view->strides;
        Py_ssize_t distance = buffer->itemsize;
        for (int i = buffer->ndim - 1; i >= 0; i -= 1) {
            view->strides[i] = distance;
            distance *= buffer->shape[i];
        }
    }
    *result = (cshim_view){
        .view = view,
        .base = buffer->buf,
        .item_size = buffer->itemsize,
        .dimensions = buffer->ndim,
        .shape = buffer->shape,
        .strides = buffer->strides,
        .format = buffer->format,
        .is_read_only = buffer->readonly,
    };
    return true;
}

void cshim_view_release(void *view) {
    cshim_view_handle *handle = view;
    handle->release(handle);
}
