// The exporter type: memory of the host by CPython's buffer protocol.
#include "internal.h"

#include <string.h>

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

/// Exporters of lends that are over, each with its one memoryview: a lend costs mostly what CPython takes to make a
/// memoryview. They show no elements until they are lent again.
static struct {
    int count;
    cshim_lent lent[spare_capacity + 1]; ///< owned
} spare_lends;

static void free_exporter(cshim_exporter *exporter) {
    PyTypeObject *type = Py_TYPE(exporter);
    PyObject_Free(exporter);
    Py_DECREF(type); // the exporter's count, taken by PyObject_New
}

/// Where the elements would be of what has none.
static const max_align_t nothing;

/// Has an exporter and its memoryview show a line of elements side by side.
static inline void show_line(
    cshim_lent lent, void *base, Py_ssize_t count, Py_ssize_t item_size, const char *format, bool read_only) {
    cshim_exporter *exporter = lent.exporter;
    exporter->base = base;
    exporter->byte_count = count * item_size;
    exporter->item_size = item_size;
    exporter->format = format;
    exporter->read_only = read_only;
    exporter->line[0] = count;
    exporter->line[1] = item_size;
    PyMemoryViewObject *memoryview = (PyMemoryViewObject *)lent.view;
    Py_buffer *view = &memoryview->view;
    view->buf = base;
    view->len = count * item_size;
    view->itemsize = item_size;
    view->format = (char *)format;
    view->readonly = read_only;
    view->shape[0] = count;
    view->strides[0] = item_size;
    memoryview->hash = -1;
}

static inline bool is_like_new(cshim_lent lent) { return is_untouched((PyMemoryViewObject *)lent.view, lent.exporter); }

/// Keeps what was lent for the next lend, if nobody else has it. Takes both references then.
static inline bool spare_lend(cshim_lent lent) {
    bool is_line = lent.exporter->dimensions == 1 && lent.exporter->line[1] == lent.exporter->item_size;
    bool is_ending = exporter_type == NULL; // the interpreter, and what is spare has been freed
    if (spare_lends.count == spare_capacity || is_ending || !is_line || !is_like_new(lent)) return false;
    show_line(lent, (void *)&nothing, 0, 1, "B", true);
    spare_lends.lent[spare_lends.count++] = lent;
    ledger_add(CSHIM_VIEWS_RETURNED, 1);
    ledger_add(CSHIM_EXPORTERS_FREED, 1);
    return true;
}

/// What was kept for the next lend, or nulls.
static inline cshim_lent take_spare_lend(void) {
    while (spare_lends.count > 0) {
        cshim_lent lent = spare_lends.lent[--spare_lends.count];
        ledger_add(CSHIM_VIEWS_TAKEN, 1);
        ledger_add(CSHIM_EXPORTERS_MADE, 1);
        if (is_like_new(lent)) return lent;
        // Found meanwhile, by gc.get_objects() for one: it is whose it is, and shows nothing.
        give_up(lent);
    }
    return (cshim_lent){NULL, NULL};
}

cshim_exporter *as_exporter(PyObject *object) {
    return Py_TYPE(object) == exporter_type ? (cshim_exporter *)object : NULL;
}

bool exporter_is_open(cshim_exporter *exporter) {
    if (!atomic_load_explicit(&exporter->has_ended, memory_order_acquire)) return true;
    PyErr_SetString(PyExc_BufferError, "this memory was lent for one call, which is over");
    return false;
}

exporter_hold exporter_take_hold(cshim_exporter *exporter) {
    Py_INCREF(exporter);
    return (exporter_hold){exporter, current_interpreter()};
}

void exporter_let_go(exporter_hold hold) {
    cshim_attachment attachment = attach_to_release(hold.interpreter);
    if (attachment != CSHIM_NOT_RUNNING) Py_DECREF(hold.exporter);
    cshim_detach(attachment);
}

/// Whether a consumer that asks with these flags can understand the strides of the view, which is complete.
static bool suits(const Py_buffer *view, int flags) {
    const int strides = PyBUF_STRIDES;
    if ((flags & PyBUF_C_CONTIGUOUS) == PyBUF_C_CONTIGUOUS || (flags & strides) != strides)
        return PyBuffer_IsContiguous(view, 'C');
    if ((flags & PyBUF_F_CONTIGUOUS) == PyBUF_F_CONTIGUOUS) return PyBuffer_IsContiguous(view, 'F');
    if ((flags & PyBUF_ANY_CONTIGUOUS) == PyBUF_ANY_CONTIGUOUS) return PyBuffer_IsContiguous(view, 'A');
    return true;
}

static int exporter_get_buffer(PyObject *object, Py_buffer *view, int flags) {
    cshim_exporter *exporter = (cshim_exporter *)object;
    view->obj = NULL;
    if (!exporter_is_open(exporter)) return -1;
    if ((flags & PyBUF_WRITABLE) && exporter->read_only) {
        PyErr_SetString(PyExc_BufferError, "this memory is read-only");
        return -1;
    }
    view->buf = exporter->base;
    view->len = exporter->byte_count;
    view->itemsize = exporter->item_size;
    view->readonly = exporter->read_only;
    view->ndim = exporter->dimensions;
    view->format = (char *)exporter->format;
    view->shape = exporter->dimensions > 0 ? shape_of(exporter) : NULL;
    view->strides = exporter->dimensions > 0 ? strides_of(exporter) : NULL;
    view->suboffsets = NULL;
    view->internal = NULL;
    // memoryview asks for everything, and every other view of lent memory is made from one.
    if (flags != PyBUF_FULL_RO) {
        if (!suits(view, flags)) {
            PyErr_SetString(PyExc_BufferError, "this memory is strided, and a contiguous view was asked for");
            return -1;
        }
        if (!(flags & PyBUF_FORMAT)) view->format = NULL;
        if (!(flags & PyBUF_ND)) {
            view->shape = NULL;
            view->ndim = 1; // a line of bytes: what has more dimensions has a shape
        }
        if ((flags & PyBUF_STRIDES) != PyBUF_STRIDES) view->strides = NULL;
    }
    view->obj = Py_NewRef(object); // the view's count, given up by PyBuffer_Release
    ledger_add(CSHIM_VIEWS_TAKEN, 1);
    return 0;
}

/// Nothing is to be given back, but the slot is needed: numpy.frombuffer keeps a view open only where the exporter has
/// one.
static void exporter_release_buffer(PyObject *object, Py_buffer *view) {
    (void)object;
    (void)view;
    ledger_add(CSHIM_VIEWS_RETURNED, 1);
}

static void exporter_dealloc(PyObject *object) {
    cshim_exporter *exporter = (cshim_exporter *)object;
    ledger_add(CSHIM_EXPORTERS_FREED, 1);
    if (exporter->shape_and_strides != exporter->line) PyMem_Free(exporter->shape_and_strides);
    if (exporter->release_owner != NULL) release_quietly(exporter->release_owner, exporter->owner);
    if (spare.count < spare_capacity && exporter_type != NULL) { // not while the interpreter ends
        spare.exporters[spare.count++] = exporter;
    } else {
        free_exporter(exporter);
    }
}

bool cshim_exporter_type_start(void) {
    static PyMethodDef methods[] = {
        {"__dlpack__", (PyCFunction)(void (*)(void))exporter_dlpack, METH_VARARGS | METH_KEYWORDS, NULL},
        {"__dlpack_device__", exporter_dlpack_device, METH_NOARGS, NULL},
        {"__arrow_c_array__", (PyCFunction)(void (*)(void))exporter_arrow_array, METH_VARARGS | METH_KEYWORDS, NULL},
        {NULL, NULL, 0, NULL},
    };
    static PyType_Slot slots[] = {
        {Py_bf_getbuffer, exporter_get_buffer},
        {Py_bf_releasebuffer, exporter_release_buffer},
        {Py_tp_dealloc, exporter_dealloc},
        {Py_tp_methods, methods},
        {Py_tp_doc, "Memory that a Swift program shares or lends."},
        {0, NULL},
    };
    static PyType_Spec spec = {
        .name = "PythonBridge.Memory",
        .basicsize = sizeof(cshim_exporter),
        .flags = Py_TPFLAGS_DEFAULT,
        .slots = slots,
    };
    kept_views_start();
    exporter_type = (PyTypeObject *)PyType_FromSpec(&spec);
    if (exporter_type == NULL) return false;
    exporter_type->tp_new = NULL; // Python must not make one: it would describe no memory
    return true;
}

void cshim_exporter_type_stop(void) {
    kept_views_stop();
    for (cshim_lent lent = take_spare_lend(); lent.exporter != NULL; lent = take_spare_lend()) give_up(lent);
    while (spare.count > 0) free_exporter(spare.exporters[--spare.count]);
    Py_CLEAR(exporter_type);
}

/// A new reference to an exporter whose shape_and_strides are still to be filled in, or null.
static inline cshim_exporter *make_exporter(void *base, Py_ssize_t item_size, const char *format, bool read_only) {
    cshim_exporter *exporter;
    if (exporter_type == NULL) { // what Python runs while it ends
        PyErr_SetString(PyExc_RuntimeError, "Python is stopping");
        return NULL;
    }
    if (spare.count > 0) {
        exporter = spare.exporters[--spare.count];
        Py_SET_REFCNT(exporter, 1); // all that a new reference to it takes: it has its type
    } else {
        exporter = PyObject_New(cshim_exporter, exporter_type);
        if (exporter == NULL) return NULL;
    }
    exporter->base = base;
    exporter->item_size = item_size;
    exporter->format = format;
    exporter->read_only = read_only;
    atomic_init(&exporter->has_ended, false);
    exporter->owner = NULL;
    exporter->release_owner = NULL;
    exporter->kept = NULL;
    exporter->shape_and_strides = exporter->line;
    ledger_add(CSHIM_EXPORTERS_MADE, 1);
    return exporter;
}

/// The exporter and a view of it, or nulls. Takes over the reference to the exporter.
static inline cshim_lent view_of(cshim_exporter *exporter) {
    PyObject *view = PyMemoryView_FromObject((PyObject *)exporter);
    if (view == NULL) {
        Py_DECREF(exporter);
        return (cshim_lent){NULL, NULL};
    }
    return (cshim_lent){handle(view), exporter};
}

cshim_lent export_line(
    void *base, Py_ssize_t count, Py_ssize_t stride, Py_ssize_t item_size, const char *format, bool read_only) {
    cshim_exporter *exporter = make_exporter(base, item_size, format, read_only);
    if (exporter == NULL) return (cshim_lent){NULL, NULL};
    exporter->byte_count = count * item_size;
    exporter->dimensions = 1;
    exporter->line[0] = count;
    exporter->line[1] = stride;
    return view_of(exporter);
}

static cshim_lent export_array(
    void *base,
    int32_t dimensions,
    const ptrdiff_t *shape_and_strides,
    Py_ssize_t item_size,
    const char *format,
    bool read_only) {
    cshim_exporter *exporter = make_exporter(base, item_size, format, read_only);
    if (exporter == NULL) return (cshim_lent){NULL, NULL};
    size_t size = 2 * (size_t)dimensions * sizeof *shape_and_strides;
    if (size > sizeof exporter->line) {
        Py_ssize_t *own = PyMem_Malloc(size);
        if (own == NULL) {
            Py_DECREF(exporter);
            PyErr_NoMemory();
            return (cshim_lent){NULL, NULL};
        }
        exporter->shape_and_strides = own;
    }
    memcpy(exporter->shape_and_strides, shape_and_strides, size);
    exporter->dimensions = dimensions;
    exporter->byte_count = item_size;
    for (int i = 0; i < dimensions; i += 1) exporter->byte_count *= shape_and_strides[i];
    return view_of(exporter);
}

static inline cshim_object *keep_owner(cshim_lent lent, void *owner, cshim_release_owner release_owner) {
    if (lent.exporter == NULL) {
        release_owner(owner);
        return NULL;
    }
    ledger_add(CSHIM_BYTES_SHARED, lent.exporter->byte_count);
    lent.exporter->owner = owner;
    lent.exporter->release_owner = release_owner;
    Py_DECREF(lent.exporter); // the view holds it
    return lent.view;
}

static inline cshim_lent count_lend(cshim_lent lent) {
    if (lent.exporter != NULL) ledger_add(CSHIM_BYTES_LENT, lent.exporter->byte_count);
    return lent;
}

cshim_lent cshim_lend(void *base, ptrdiff_t count, ptrdiff_t item_size, const char *format, bool read_only) {
    cshim_lent lent = take_spare_lend();
    if (lent.exporter == NULL) return count_lend(export_line(base, count, item_size, item_size, format, read_only));
    show_line(lent, base, count, item_size, format, read_only);
    atomic_store_explicit(&lent.exporter->has_ended, false, memory_order_relaxed);
    return count_lend(lent);
}

cshim_lent cshim_lend_array(
    void *base,
    int32_t dimensions,
    const ptrdiff_t *shape_and_strides,
    ptrdiff_t item_size,
    const char *format,
    bool read_only) {
    return count_lend(export_array(base, dimensions, shape_and_strides, item_size, format, read_only));
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
    return keep_owner(export_line(base, count, stride, item_size, format, read_only), owner, release_owner);
}

cshim_object *cshim_share_array(
    void *base,
    int32_t dimensions,
    const ptrdiff_t *shape_and_strides,
    ptrdiff_t item_size,
    const char *format,
    bool read_only,
    void *owner,
    cshim_release_owner release_owner) {
    return keep_owner(
        export_array(base, dimensions, shape_and_strides, item_size, format, read_only), owner, release_owner);
}

bool lend_end(cshim_exporter *exporter, PyObject *view) {
    atomic_store_explicit(&exporter->has_ended, true, memory_order_release);
    if (spare_lend((cshim_lent){handle(view), exporter})) return true;
    Py_DECREF(view);
    // Every way to keep the memory holds the exporter, so a single count, ours, means that no pointer is left. (Of
    // numpy's arrays that is so unless somebody calls release() on an array's base, which leaves any memory's array
    // dangling.) Counting get_buffer and release_buffer would not do: numpy.ndarray(buffer=) releases its view at once.
    if (Py_REFCNT(exporter) != 1) return false;
    Py_DECREF(exporter);
    return true;
}

void cshim_lend_escaped(cshim_exporter *exporter, void *owner, cshim_release_owner release_owner) {
    ledger_add(CSHIM_ESCAPES, 1);
    exporter->owner = owner;
    exporter->release_owner = release_owner;
    Py_DECREF(exporter);
}

cshim_object *cshim_exporter_of(cshim_object *view) {
    return handle(Py_NewRef(PyMemoryView_GET_BUFFER(py(view))->obj));
}

cshim_exporter *cshim_exporter_behind(cshim_object *view) {
    enum { longest_chain = 64 };
    PyObject *object = Py_NewRef(py(view));
    for (int i = 0; i < longest_chain && object != NULL && as_exporter(object) == NULL; i += 1) {
        // An array has another array, a memoryview or the exporter for its base; a memoryview may be one of an array.
        // One that was released still has the pointer, and raises.
        PyObject *base = PyObject_GetAttrString(object, PyMemoryView_Check(object) ? "obj" : "base");
        PyErr_Clear();
        Py_DECREF(object);
        object = base;
    }
    cshim_exporter *exporter = object != NULL ? as_exporter(object) : NULL;
    if (exporter == NULL) Py_XDECREF(object);
    return exporter;
}

void *cshim_owner(cshim_exporter *exporter) {
    return atomic_load_explicit(&exporter->has_ended, memory_order_acquire) ? NULL : exporter->owner;
}

void cshim_exporter_release(cshim_exporter *exporter) { Py_DECREF(exporter); }
