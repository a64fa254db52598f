// The Arrow C data interface: the host's memory as an Arrow array, and an Arrow array as the host's view.
//
// Source: "The Arrow C data interface", "The Arrow C stream interface" and "The Arrow PyCapsule Interface".
#include "internal.h"

#include <string.h>

// MARK: - The specification's structures

typedef struct arrow_schema {
    const char *format;
    const char *name;
    const char *metadata;
    int64_t flags;
    int64_t child_count;
    struct arrow_schema **children;
    struct arrow_schema *dictionary;
    void (*release)(struct arrow_schema *self); ///< null once it is released
    void *context;
} arrow_schema; // ArrowSchema

typedef struct arrow_array {
    int64_t length;
    int64_t null_count; ///< -1 when nobody has counted
    int64_t offset;
    int64_t buffer_count;
    int64_t child_count;
    const void **buffers; ///< for numbers: the bits of what is valid, or null; the elements
    struct arrow_array **children;
    struct arrow_array *dictionary;
    void (*release)(struct arrow_array *self); ///< null once it is released
    void *context;
} arrow_array; // ArrowArray

typedef struct arrow_stream {
    int (*get_schema)(struct arrow_stream *self, arrow_schema *schema); ///< 0, or an errno
    int (*get_next)(struct arrow_stream *self, arrow_array *array);     ///< likewise; at the end the array is released
    const char *(*get_last_error)(struct arrow_stream *self);
    void (*release)(struct arrow_stream *self); ///< null once it is released
    void *context;
} arrow_stream; // ArrowArrayStream

static const char schema_name[] = "arrow_schema", array_name[] = "arrow_array";
static const char stream_name[] = "arrow_array_stream";

/// The element types that both sides have. Arrow packs booleans into bits, and has no complex numbers.
static const struct {
    const char *format, *arrow;
    int item_size;
} elements[] = {
    {"b", "c", 1}, {"h", "s", 2}, {"i", "i", 4}, {"l", "l", 8}, {"B", "C", 1}, {"H", "S", 2},
    {"I", "I", 4}, {"L", "L", 8}, {"e", "e", 2}, {"f", "f", 4}, {"d", "g", 8},
};
enum { element_count = sizeof elements / sizeof *elements };

// MARK: - To Python

/// An Arrow array of an exporter's memory. Consumers copy `array` and leave this where it is.
typedef struct {
    exporter_hold hold;
    const void *buffers[2];
} exported_array;

static void release_schema(arrow_schema *schema) { schema->release = NULL; } // its strings are static

static void release_array(arrow_array *array) {
    exported_array *exported = array->context;
    exporter_let_go(exported->hold);
    PyMem_RawFree(exported);
    array->release = NULL;
}

static void free_schema_capsule(PyObject *capsule) {
    arrow_schema *schema = PyCapsule_GetPointer(capsule, schema_name);
    if (schema->release != NULL) schema->release(schema);
    PyMem_RawFree(schema);
}

static void free_array_capsule(PyObject *capsule) {
    arrow_array *array = PyCapsule_GetPointer(capsule, array_name);
    if (array->release != NULL) array->release(array);
    PyMem_RawFree(array);
}

/// New reference to a capsule of a schema, or null.
static PyObject *make_schema(const char *format) {
    arrow_schema *schema = PyMem_RawMalloc(sizeof *schema);
    if (schema == NULL) return PyErr_NoMemory();
    *schema = (arrow_schema){.format = format, .name = "", .release = release_schema};
    PyObject *capsule = PyCapsule_New(schema, schema_name, free_schema_capsule);
    if (capsule == NULL) PyMem_RawFree(schema);
    return capsule;
}

/// New reference to a capsule of an array, or null.
static PyObject *make_array(cshim_exporter *exporter) {
    arrow_array *array = PyMem_RawMalloc(sizeof *array);
    exported_array *exported = PyMem_RawMalloc(sizeof *exported);
    if (array == NULL || exported == NULL) {
        PyMem_RawFree(array);
        PyMem_RawFree(exported);
        return PyErr_NoMemory();
    }
    *exported = (exported_array){.hold = exporter_take_hold(exporter), .buffers = {NULL, exporter->base}};
    *array = (arrow_array){
        .length = shape_of(exporter)[0],
        .buffer_count = 2,
        .buffers = exported->buffers,
        .release = release_array,
        .context = exported,
    };
    PyObject *capsule = PyCapsule_New(array, array_name, free_array_capsule);
    if (capsule == NULL) {
        release_array(array);
        PyMem_RawFree(array);
    }
    return capsule;
}

PyObject *exporter_arrow_array(PyObject *object, PyObject *arguments, PyObject *keywords) {
    static char *names[] = {"requested_schema", NULL};
    PyObject *requested = Py_None; // a wish; a consumer casts what it gets otherwise
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|O:__arrow_c_array__", names, &requested)) return NULL;
    cshim_exporter *exporter = (cshim_exporter *)object;
    if (!exporter_is_open(exporter)) return NULL;
    const char *format = NULL;
    for (int i = 0; i < element_count; i += 1) {
        if (strcmp(elements[i].format, exporter->format) == 0) format = elements[i].arrow;
    }
    if (format == NULL) {
        return PyErr_Format(
            PyExc_BufferError, "Arrow has no elements of format '%s' in memory of this kind", exporter->format);
    }
    bool is_line = exporter->dimensions == 1;
    if (!is_line || (exporter->line[0] > 1 && exporter->line[1] != exporter->item_size)) {
        PyErr_SetString(PyExc_BufferError, "an Arrow array has one dimension, and its elements side by side");
        return NULL;
    }
    PyObject *schema = make_schema(format);
    PyObject *array = schema != NULL ? make_array(exporter) : NULL;
    if (array == NULL) {
        Py_XDECREF(schema);
        return NULL;
    }
    return Py_BuildValue("(NN)", schema, array); // takes both references
}

// MARK: - From Python

/// Of an array that has no memory.
static void release_nothing(arrow_array *array) { array->release = NULL; }

/// An array moved out of its capsule.
typedef struct {
    cshim_view_handle handle;
    arrow_array array;
    ptrdiff_t length;
    ptrdiff_t stride;
    char format[24];
} arrow_view;

static void release_arrow_view(cshim_view_handle *handle) {
    arrow_view *view = (arrow_view *)handle;
    if (view->array.release != NULL) view->array.release(&view->array);
    PyMem_RawFree(view);
}

/// Whether an element is missing.
static bool has_nulls(const arrow_array *array) {
    const uint8_t *valid = array->buffer_count > 0 ? array->buffers[0] : NULL;
    if (valid == NULL || array->null_count == 0) return false;
    if (array->null_count > 0) return true;
    for (int64_t i = array->offset; i < array->offset + array->length; i += 1) {
        if (!(valid[i / 8] >> (i % 8) & 1)) return true;
    }
    return false;
}

/// Describes an array in the view that now owns it. Returns false with an exception raised.
static bool describe(arrow_view *view, const arrow_schema *schema, cshim_view *result) {
    const arrow_array *array = &view->array;
    ptrdiff_t item_size = 0;
    // What Swift has no type for keeps Arrow's own name for it.
    bool is_dictionary = schema->dictionary != NULL;
    snprintf(view->format, sizeof view->format, "Arrow's %s", is_dictionary ? "dictionary" : schema->format);
    for (int i = 0; i < element_count && !is_dictionary; i += 1) {
        if (strcmp(elements[i].arrow, schema->format) != 0) continue;
        snprintf(view->format, sizeof view->format, "%s", elements[i].format);
        item_size = elements[i].item_size;
    }
    if (item_size > 0 && has_nulls(array)) {
        PyErr_SetString(PyExc_BufferError, "the Arrow array has nulls");
        return false;
    }
    view->length = array->length;
    view->stride = item_size;
    bool has_elements = item_size > 0 && array->buffer_count == 2 && array->buffers[1] != NULL;
    *result = (cshim_view){
        .view = view,
        .base = has_elements ? (char *)array->buffers[1] + array->offset * item_size : NULL,
        .item_size = item_size,
        .dimensions = 1,
        .shape = &view->length,
        .strides = &view->stride,
        .format = view->format,
        .is_read_only = true,
    };
    return true;
}

/// Makes a view of an array, which it takes over. Returns false with an exception raised.
static bool take_array(arrow_array *array, const arrow_schema *schema, cshim_view *result) {
    arrow_view *view = PyMem_RawMalloc(sizeof *view);
    if (view == NULL) {
        PyErr_NoMemory();
        return false;
    }
    view->handle.release = release_arrow_view;
    view->array = *array;
    array->release = NULL; // moved: the array is the view's now
    bool succeeded = describe(view, schema, result);
    if (!succeeded) release_arrow_view(&view->handle);
    return succeeded;
}

/// What a capsule of that name holds; null for anything else. Raises nothing.
static void *content_of(PyObject *capsule, const char *name) {
    return PyCapsule_IsValid(capsule, name) ? PyCapsule_GetPointer(capsule, name) : NULL;
}

static bool acquire_from_array(PyObject *object, cshim_view *result) {
    PyObject *pair = PyObject_CallMethod(object, "__arrow_c_array__", NULL);
    if (pair == NULL) return false;
    bool is_pair = PyTuple_Check(pair) && PyTuple_GET_SIZE(pair) == 2;
    arrow_schema *schema = is_pair ? content_of(PyTuple_GET_ITEM(pair, 0), schema_name) : NULL;
    arrow_array *array = is_pair ? content_of(PyTuple_GET_ITEM(pair, 1), array_name) : NULL;
    bool has_array = schema != NULL && schema->release != NULL && array != NULL && array->release != NULL;
    if (!has_array) PyErr_SetString(PyExc_TypeError, "__arrow_c_array__ returned no Arrow array");
    bool succeeded = has_array && take_array(array, schema, result);
    Py_DECREF(pair);
    return succeeded;
}

static void raise_last_error(arrow_stream *stream) {
    const char *reason = stream->get_last_error(stream);
    PyErr_SetString(PyExc_BufferError, reason != NULL ? reason : "the Arrow stream failed");
}

/// The first array of a stream, which must be its only one. Returns false with an exception raised.
static bool take_only_array(arrow_stream *stream, const arrow_schema *schema, cshim_view *result) {
    arrow_array array = {.release = NULL}, next = {.release = NULL};
    if (stream->get_next(stream, &array) != 0 || (array.release != NULL && stream->get_next(stream, &next) != 0)) {
        raise_last_error(stream);
    } else if (next.release != NULL) {
        PyErr_SetString(PyExc_BufferError, "the Arrow array is in several chunks");
    } else if (array.release == NULL) { // no chunk: no elements
        array = (arrow_array){.release = release_nothing};
    }
    if (next.release != NULL) next.release(&next);
    bool succeeded = !PyErr_Occurred() && take_array(&array, schema, result);
    if (array.release != NULL) array.release(&array);
    return succeeded;
}

static bool acquire_from_stream(PyObject *object, cshim_view *result) {
    PyObject *capsule = PyObject_CallMethod(object, "__arrow_c_stream__", NULL);
    if (capsule == NULL) return false;
    arrow_stream *stream = content_of(capsule, stream_name);
    arrow_schema schema = {.release = NULL};
    bool succeeded = false;
    if (stream == NULL || stream->release == NULL) {
        PyErr_SetString(PyExc_TypeError, "__arrow_c_stream__ returned no Arrow stream");
    } else if (stream->get_schema(stream, &schema) != 0) {
        raise_last_error(stream);
    } else {
        succeeded = take_only_array(stream, &schema, result);
        if (schema.release != NULL) schema.release(&schema);
    }
    Py_DECREF(capsule);
    return succeeded;
}

bool cshim_view_acquire_arrow(cshim_object *object, cshim_view *result) {
    bool has_array = PyObject_HasAttrString(py(object), "__arrow_c_array__");
    return has_array ? acquire_from_array(py(object), result) : acquire_from_stream(py(object), result);
}
