// The exporter type: memory of the host as CPython's buffer protocol, and the host's views of Python's memory.
#include "internal.h"

#include <stdatomic.h>

struct cshim_exporter {
    PyObject_HEAD void *base;
    Py_ssize_t count;
    Py_ssize_t stride; ///< in bytes
    Py_ssize_t item_size;
    const char *format;
    void *owner; ///< keeps the memory; null while it is lent
    cshim_release_owner release_owner;
    bool read_only;
    atomic_bool has_ended; ///< a lend that is over: no new view
};

/// One count is this file's own, from start to stop; each exporter holds another.
static PyTypeObject *exporter_type;

/// Exporters that are gone, with their count on the type, for the next ones: most of what making one costs is
/// allocation. The GIL guards it, so there is none in a free-threaded CPython, nor under AddressSanitizer, which it
/// would blind.
#if !defined(Py_GIL_DISABLED) && !defined(Py_TRACE_REFS) && !__has_feature(address_sanitizer)
enum { spare_capacity = 16 };
#else
enum { spare_capacity = 0 };
#endif
static struct {
    int count;
    cshim_exporter *exporters[spare_capacity + 1];
} spare;

static int refuse(Py_buffer *view, const char *why) {
    view->obj = NULL;
    PyErr_SetString(PyExc_BufferError, why);
    return -1;
}

static void free_exporter(cshim_exporter *exporter) {
    PyTypeObject *type = Py_TYPE(exporter);
    PyObject_Free(exporter);
    Py_DECREF(type); // the exporter's count, taken by PyObject_New
}

/// Whether the memory's strides are what a view of these flags can describe.
static bool suits(const cshim_exporter *exporter, int flags) {
    const int contiguous = (PyBUF_C_CONTIGUOUS | PyBUF_F_CONTIGUOUS | PyBUF_ANY_CONTIGUOUS) & ~PyBUF_STRIDES;
    bool wants_contiguous = (flags & PyBUF_STRIDES) != PyBUF_STRIDES || (flags & contiguous);
    return !wants_contiguous || exporter->stride == exporter->item_size || exporter->count <= 1;
}

static int exporter_get_buffer(PyObject *object, Py_buffer *view, int flags) {
    cshim_exporter *exporter = (cshim_exporter *)object;
    if (atomic_load_explicit(&exporter->has_ended, memory_order_acquire))
        return refuse(view, "this memory was lent for one call, which is over");
    if ((flags & PyBUF_WRITABLE) && exporter->read_only) return refuse(view, "this memory is read-only");
    // memoryview asks for everything, and every other view of lent memory is made from one.
    if (flags != PyBUF_FULL_RO && !suits(exporter, flags))
        return refuse(view, "this memory is strided, and a contiguous view was asked for");
    view->buf = exporter->base;
    view->len = exporter->count * exporter->item_size;
    view->itemsize = exporter->item_size;
    view->readonly = exporter->read_only;
    view->ndim = 1;
    view->format = flags & PyBUF_FORMAT ? (char *)exporter->format : NULL;
    view->shape = flags & PyBUF_ND ? &exporter->count : NULL;
    view->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? &exporter->stride : NULL;
    view->suboffsets = NULL;
    view->internal = NULL;
    view->obj = Py_NewRef(object); // the view's count, given up by PyBuffer_Release
    return 0;
}

/// Empty, and needed all the same: numpy.frombuffer keeps a view open only where the exporter has one.
static void exporter_release_buffer(PyObject *object, Py_buffer *view) {
    (void)object;
    (void)view;
}

static void exporter_dealloc(PyObject *object) {
    cshim_exporter *exporter = (cshim_exporter *)object;
    if (exporter->owner != NULL) exporter->release_owner(exporter->owner);
    if (spare.count < spare_capacity && exporter_type != NULL) { // not while the interpreter ends
        spare.exporters[spare.count++] = exporter;
    } else {
        free_exporter(exporter);
    }
}

bool cshim_exporter_type_start(void) {
    static PyType_Slot slots[] = {
        {Py_bf_getbuffer, exporter_get_buffer},
        {Py_bf_releasebuffer, exporter_release_buffer},
        {Py_tp_dealloc, exporter_dealloc},
        {Py_tp_doc, "Memory that a Swift program shares or lends."},
        {0, NULL},
    };
    static PyType_Spec spec = {
        .name = "PythonBridge.Memory",
        .basicsize = sizeof(cshim_exporter),
        .flags = Py_TPFLAGS_DEFAULT,
        .slots = slots,
    };
    exporter_type = (PyTypeObject *)PyType_FromSpec(&spec);
    if (exporter_type == NULL) return false;
    exporter_type->tp_new = NULL; // Python must not make one: it would describe no memory
    return true;
}

void cshim_exporter_type_stop(void) {
    Py_CLEAR(exporter_type);
    while (spare.count > 0) PyObject_Free(spare.exporters[--spare.count]);
}

/// New references to an exporter and to a view of it, or nulls.
static inline cshim_lent lend(
    void *base, Py_ssize_t count, Py_ssize_t stride, Py_ssize_t item_size, const char *format, bool read_only) {
    cshim_lent nothing = {NULL, NULL};
    cshim_exporter *exporter;
    if (spare.count > 0) {
        exporter = spare.exporters[--spare.count];
        Py_SET_REFCNT(exporter, 1); // all that a new reference to it takes: it has its type
    } else {
        exporter = PyObject_New(cshim_exporter, exporter_type);
        if (exporter == NULL) return nothing;
    }
    exporter->base = base;
    exporter->count = count;
    exporter->stride = stride;
    exporter->item_size = item_size;
    exporter->format = format;
    exporter->read_only = read_only;
    atomic_init(&exporter->has_ended, false);
    exporter->owner = NULL;
    PyObject *view = PyMemoryView_FromObject((PyObject *)exporter);
    if (view == NULL) {
        Py_DECREF(exporter);
        return nothing;
    }
    return (cshim_lent){handle(view), exporter};
}

cshim_lent cshim_lend(
    void *base, ptrdiff_t count, ptrdiff_t stride, ptrdiff_t item_size, const char *format, bool read_only) {
    return lend(base, count, stride, item_size, format, read_only);
}

cshim_object *cshim_share(
    void *base,
    ptrdiff_t count,
    ptrdiff_t stride,
    ptrdiff_t item_size,
    const char *format,
    bool read_only,
    void *owner,
    cshim_release_owner release_owner) {
    cshim_lent lent = lend(base, count, stride, item_size, format, read_only);
    if (lent.exporter == NULL) {
        release_owner(owner);
        return NULL;
    }
    lent.exporter->owner = owner;
    lent.exporter->release_owner = release_owner;
    Py_DECREF(lent.exporter); // the view holds it
    return lent.view;
}

bool cshim_lend_end(cshim_exporter *exporter, cshim_object *view) {
    atomic_store_explicit(&exporter->has_ended, true, memory_order_release);
    Py_DECREF(py(view));
    // Every way to keep the memory holds the exporter, so a single count, ours, means that no pointer is left.
    // Counting get_buffer and release_buffer would not do: numpy.ndarray(buffer=) releases its view at once.
    if (Py_REFCNT(exporter) != 1) return false;
    Py_DECREF(exporter);
    return true;
}

void cshim_lend_escaped(cshim_exporter *exporter, void *owner, cshim_release_owner release_owner) {
    exporter->owner = owner;
    exporter->release_owner = release_owner;
    Py_DECREF(exporter);
}

// MARK: - Views of Python's memory

bool cshim_view_acquire(cshim_object *object, cshim_view *result) {
    Py_buffer *view = PyMem_RawMalloc(sizeof(Py_buffer));
    if (view == NULL) {
        PyErr_NoMemory();
        return false;
    }
    if (PyObject_GetBuffer(py(object), view, PyBUF_FULL_RO) < 0) {
        PyMem_RawFree(view);
        return false;
    }
    *result = (cshim_view){
        .view = view,
        .base = view->buf,
        .item_size = view->itemsize,
        .dimensions = view->ndim,
        .count = view->ndim == 1 ? view->shape[0] : 0,
        .stride = view->ndim == 1 ? view->strides[0] : 0,
        .format = view->format,
    };
    return true;
}

void cshim_view_release(void *view) {
    PyBuffer_Release(view);
    PyMem_RawFree(view);
}
