// DLPack: the host's memory as a tensor of any array library, and any library's tensor as the host's view.
//
// Source: the DLPack specification, versions 0.8 and 1.0, and "Python Specification for DLPack".
#include "internal.h"

#include <string.h>

// MARK: - The specification's structures

enum { cpu = 1 };                                                                          // DLDeviceType
enum { signed_code, unsigned_code, float_code, bfloat_code = 4, complex_code, bool_code }; // DLDataTypeCode
enum { is_read_only = 1 }; // DLManagedTensorVersioned.flags

typedef struct {
    void *data;
    struct {
        int32_t type, number;
    } device;
    int32_t dimensions;
    struct {
        uint8_t code, bits;
        uint16_t lanes;
    } element;
    int64_t *shape;
    int64_t *strides; ///< in elements; null for elements side by side in C's order
    uint64_t byte_offset;
} tensor; // DLTensor

typedef struct plain_tensor {
    tensor tensor;
    void *context;
    void (*delete)(struct plain_tensor *self);
} plain_tensor; // DLManagedTensor

typedef struct versioned_tensor {
    struct {
        uint32_t major, minor;
    } version;
    void *context;
    void (*delete)(struct versioned_tensor *self);
    uint64_t flags;
    tensor tensor;
} versioned_tensor; // DLManagedTensorVersioned

static const char plain_name[] = "dltensor", plain_used[] = "used_dltensor";
static const char versioned_name[] = "dltensor_versioned", versioned_used[] = "used_dltensor_versioned";

/// The element types that both sides have.
static const struct {
    const char *format;
    uint8_t code, bits;
} elements[] = {
    {"?", bool_code, 8},      {"b", signed_code, 8},     {"h", signed_code, 16},   {"i", signed_code, 32},
    {"l", signed_code, 64},   {"B", unsigned_code, 8},   {"H", unsigned_code, 16}, {"I", unsigned_code, 32},
    {"L", unsigned_code, 64}, {"e", float_code, 16},     {"f", float_code, 32},    {"d", float_code, 64},
    {"Zf", complex_code, 64}, {"Zd", complex_code, 128},
};
enum { element_count = sizeof elements / sizeof *elements };

// MARK: - To Python

/// A tensor of an exporter's memory: the structure that a capsule holds, and the strides.
typedef struct {
    union {
        plain_tensor plain;
        versioned_tensor versioned;
    };
    exporter_hold hold;
    int64_t strides[];
} exported_tensor;

static void delete_exported(exported_tensor *exported) {
    exporter_let_go(exported->hold);
    PyMem_RawFree(exported);
}

static void delete_plain(plain_tensor *self) { delete_exported((exported_tensor *)self); }
static void delete_versioned(versioned_tensor *self) { delete_exported((exported_tensor *)self); }

/// A capsule that nobody took the tensor out of still has its name.
static void free_capsule(PyObject *capsule) {
    const char *name = PyCapsule_GetName(capsule);
    if (name == plain_name || name == versioned_name) delete_exported(PyCapsule_GetPointer(capsule, name));
}

static void describe(const cshim_exporter *exporter, exported_tensor *exported, tensor *result) {
    *result = (tensor){
        .data = exporter->base,
        .device.type = cpu,
        .dimensions = exporter->dimensions,
        .element.lanes = 1,
        .shape = (int64_t *)shape_of(exporter),
        .strides = exported->strides,
    };
    for (int i = 0; i < element_count; i += 1) {
        if (strcmp(elements[i].format, exporter->format) != 0) continue;
        result->element.code = elements[i].code;
        result->element.bits = elements[i].bits;
    }
    for (int i = 0; i < exporter->dimensions; i += 1)
        exported->strides[i] = strides_of(exporter)[i] / exporter->item_size;
}

static PyObject *refuse(const char *why) {
    PyErr_SetString(PyExc_BufferError, why);
    return NULL;
}

/// Reads a tuple of two numbers. Returns false, with TypeError raised, when `name` is something else.
static bool read_pair(PyObject *pair, const char *name, long *first, long *second) {
    if (PyTuple_Check(pair)) return PyArg_ParseTuple(pair, "ll", first, second);
    PyErr_Format(PyExc_TypeError, "%s is no tuple of two numbers but a %s", name, Py_TYPE(pair)->tp_name);
    return false;
}

PyObject *exporter_dlpack(PyObject *object, PyObject *arguments, PyObject *keywords) {
    static char *names[] = {"stream", "max_version", "dl_device", "copy", NULL};
    PyObject *stream = Py_None, *version = Py_None, *device = Py_None, *copy = Py_None;
    cshim_exporter *exporter = (cshim_exporter *)object;
    if (!PyArg_ParseTupleAndKeywords(
            arguments, keywords, "|$OOOO:__dlpack__", names, &stream, &version, &device, &copy))
        return NULL;
    if (!exporter_is_open(exporter)) return NULL;
    if (stream != Py_None) return refuse("this memory has no stream");
    long type = cpu, number = 0;
    if (device != Py_None && !read_pair(device, "dl_device", &type, &number)) return NULL;
    if (type != cpu || number != 0) return refuse("this memory is the CPU's");
    if (copy == Py_True) return refuse("this memory is shared, not copied");
    long major = 0, minor = 0;
    if (version != Py_None && !read_pair(version, "max_version", &major, &minor)) return NULL;
    bool is_versioned = major >= 1;
    if (!is_versioned && exporter->read_only)
        return refuse("this memory is read-only, which DLPack can say from version 1.0 on only");

    exported_tensor *exported =
        PyMem_RawMalloc(sizeof *exported + (size_t)exporter->dimensions * sizeof *exported->strides);
    if (exported == NULL) return PyErr_NoMemory();
    exported->hold = exporter_take_hold(exporter);
    if (is_versioned) {
        exported->versioned = (versioned_tensor){
            .version = {1, 0}, .delete = delete_versioned, .flags = exporter->read_only ? is_read_only : 0};
        describe(exporter, exported, &exported->versioned.tensor);
    } else {
        exported->plain = (plain_tensor){.delete = delete_plain};
        describe(exporter, exported, &exported->plain.tensor);
    }
    PyObject *capsule = PyCapsule_New(exported, is_versioned ? versioned_name : plain_name, free_capsule);
    if (capsule == NULL) delete_exported(exported);
    return capsule;
}

PyObject *exporter_dlpack_device(PyObject *object, PyObject *unused) {
    (void)object;
    (void)unused;
    return Py_BuildValue("(ii)", cpu, 0);
}

// MARK: - From Python

/// A tensor taken out of its capsule.
typedef struct {
    cshim_view_handle handle;
    plain_tensor *plain;
    versioned_tensor *versioned; ///< one of the two
    ptrdiff_t strides[];         ///< in bytes
} tensor_view;

static void release_tensor_view(cshim_view_handle *handle) {
    tensor_view *view = (tensor_view *)handle;
    if (view->plain != NULL && view->plain->delete != NULL) view->plain->delete(view->plain);
    if (view->versioned != NULL && view->versioned->delete != NULL) view->versioned->delete(view->versioned);
    PyMem_RawFree(view);
}

/// Always null, with BufferError raised.
static PyObject *refuse_device(long type) {
    return PyErr_Format(PyExc_BufferError, "the memory is of DLPack's device type %ld, not the CPU's", type);
}

/// Calls __dlpack__ of a tensor in this machine's memory: new reference to the capsule, or null.
static PyObject *request_capsule(PyObject *object) {
    PyObject *device = PyObject_CallMethod(object, "__dlpack_device__", NULL);
    if (device == NULL) return NULL;
    long type, number;
    bool is_pair = read_pair(device, "what __dlpack_device__ returned", &type, &number);
    Py_DECREF(device);
    if (!is_pair) return NULL;
    if (type != cpu) return refuse_device(type);

    PyObject *request = PyObject_GetAttrString(object, "__dlpack__");
    PyObject *nothing = PyTuple_New(0);
    PyObject *version = Py_BuildValue("{s:(ii)}", "max_version", 1, 0);
    PyObject *capsule = NULL;
    if (request != NULL && nothing != NULL && version != NULL) {
        capsule = PyObject_Call(request, nothing, version);
        if (capsule == NULL && PyErr_ExceptionMatches(PyExc_TypeError)) { // it is older than max_version
            PyErr_Clear();
            capsule = PyObject_Call(request, nothing, NULL);
        }
    }
    Py_XDECREF(version);
    Py_XDECREF(nothing);
    Py_XDECREF(request);
    return capsule;
}

static const char *format_of(const tensor *tensor) {
    if (tensor->element.lanes != 1) return "vectors";
    for (int i = 0; i < element_count; i += 1) {
        if (elements[i].code == tensor->element.code && elements[i].bits == tensor->element.bits)
            return elements[i].format;
    }
    return tensor->element.code == bfloat_code ? "bfloat16" : "a DLPack type that Swift has not";
}

/// What keeps a tensor from being looked at, as an exception; true when nothing does.
static bool check(const tensor *tensor) {
    if (tensor->device.type != cpu) return refuse_device(tensor->device.type);
    bool has_shape = tensor->dimensions == 0 || tensor->shape != NULL;
    if (tensor->dimensions >= 0 && tensor->dimensions <= PyBUF_MAX_NDIM && has_shape) return true;
    PyErr_Format(PyExc_BufferError, "a tensor of %d dimensions that is none", tensor->dimensions);
    return false;
}

/// Fills the strides in bytes in. Returns false with BufferError raised when they do not fit.
static bool byte_strides(const tensor *tensor, ptrdiff_t *strides) {
    ptrdiff_t item_size = tensor->element.bits / 8, distance = 1;
    bool overflows = false;
    for (int i = tensor->dimensions - 1; i >= 0; i -= 1) {
        ptrdiff_t stride = tensor->strides != NULL ? tensor->strides[i] : distance;
        overflows |= __builtin_mul_overflow(stride, item_size, &strides[i]);
        if (tensor->strides == NULL) overflows |= __builtin_mul_overflow(distance, tensor->shape[i], &distance);
    }
    if (overflows) PyErr_SetString(PyExc_BufferError, "a tensor whose bytes cannot be counted");
    return !overflows;
}

bool cshim_view_acquire_dlpack(cshim_object *object, cshim_view *result) {
    PyObject *capsule = request_capsule(py(object));
    if (capsule == NULL) return false;
    plain_tensor *plain = NULL;
    versioned_tensor *versioned = NULL;
    if (PyCapsule_IsValid(capsule, versioned_name)) {
        versioned = PyCapsule_GetPointer(capsule, versioned_name);
    } else if (PyCapsule_IsValid(capsule, plain_name)) {
        plain = PyCapsule_GetPointer(capsule, plain_name);
    } else {
        PyErr_SetString(PyExc_TypeError, "__dlpack__ returned no tensor, or one that was taken before");
    }
    if (versioned != NULL && versioned->version.major != 1) {
        PyErr_Format(PyExc_BufferError, "DLPack version %u is not known", (unsigned)versioned->version.major);
        versioned = NULL;
    }
    const tensor *tensor = versioned != NULL ? &versioned->tensor : plain != NULL ? &plain->tensor : NULL;
    tensor_view *view = NULL;
    if (tensor != NULL && check(tensor)) {
        view = PyMem_RawMalloc(sizeof *view + (size_t)tensor->dimensions * sizeof *view->strides);
        if (view == NULL) PyErr_NoMemory();
    }
    if (view == NULL) {
        Py_DECREF(capsule);
        return false;
    }
    if (!byte_strides(tensor, view->strides)) {
        PyMem_RawFree(view);
        Py_DECREF(capsule);
        return false;
    }
    // From here on the tensor is the view's, and the capsule only its empty shell.
    PyCapsule_SetName(capsule, versioned != NULL ? versioned_used : plain_used);
    Py_DECREF(capsule);
    view->handle.release = release_tensor_view;
    view->plain = plain;
    view->versioned = versioned;
    ptrdiff_t item_size = tensor->element.bits / 8;
    *result = (cshim_view){
        .view = view,
        .base = tensor->data != NULL ? (char *)tensor->data + tensor->byte_offset : NULL,
        .item_size = item_size,
        .dimensions = tensor->dimensions,
        .shape = (const ptrdiff_t *)tensor->shape,
        .strides = view->strides,
        .format = format_of(tensor),
        .is_read_only = versioned == NULL || (versioned->flags & is_read_only),
    };
    return true;
}
