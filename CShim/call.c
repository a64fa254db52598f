// Import, look up, call, and plain values in both directions.
#include "internal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

// MARK: - Names

cshim_object *cshim_import(cshim_object *name) { return handle(PyImport_Import(py(name))); }

bool cshim_add_search_path(const char *path) {
    PyObject *search_path = PySys_GetObject("path"); // borrowed
    if (search_path == NULL || !PyList_Check(search_path)) {
        PyErr_SetString(PyExc_RuntimeError, "sys.path is not a list");
        return false;
    }
    PyObject *entry = PyUnicode_DecodeFSDefault(path);
    if (entry == NULL) return false;
    Py_ssize_t position = PySequence_Index(search_path, entry);
    PyErr_Clear(); // it was not there
    bool succeeded = position < 0 || PySequence_DelItem(search_path, position) == 0;
    succeeded = succeeded && PyList_Insert(search_path, 0, entry) == 0;
    Py_DECREF(entry); // the list holds its own count
    return succeeded;
}

cshim_object *cshim_attribute(cshim_object *object, cshim_object *name) {
    bool ran;
    if (!python_begins(&ran)) return NULL;
    PyObject *attribute = PyObject_GetAttr(py(object), py(name));
    python_ends(ran);
    return handle(attribute);
}

bool cshim_has_attribute(cshim_object *object, const char *name) { return PyObject_HasAttrString(py(object), name); }

bool cshim_is_callable(cshim_object *object) { return PyCallable_Check(py(object)); }

const char *cshim_type_name(cshim_object *object) { return Py_TYPE(py(object))->tp_name; }

// MARK: - Calls

/// Room for the arguments of a few nested calls.
enum { stack_capacity = 128 };
static _Thread_local struct {
    ptrdiff_t used;
    cshim_object *cells[stack_capacity];
} stack;

/// What lies before a frame's references.
typedef struct {
    uint32_t size; ///< cells on the stack, this included; 0 for a frame from malloc
    cshim_attachment attachment;
} frame_head;

static_assert(sizeof(frame_head) == sizeof(cshim_object *), "a head is one cell");

static inline frame_head *head_of(cshim_object **frame) { return (frame_head *)frame - 1; }

cshim_object **cshim_frame_begin(uint32_t interpreter, ptrdiff_t capacity) {
    cshim_attachment attachment = attach_to(interpreter);
    if (attachment == CSHIM_NOT_RUNNING) {
        errno = ESRCH;
        return NULL;
    }
    ptrdiff_t size = 2 * capacity + 2; // the head, the callee's slot, arguments and exporters
    bool fits = size <= stack_capacity - stack.used;
    cshim_object **cells = fits ? stack.cells + stack.used : PyMem_RawMalloc((size_t)size * sizeof *cells);
    if (cells == NULL) {
        detach(attachment);
        errno = ENOMEM;
        return NULL;
    }
    if (fits) stack.used += size;
    cshim_object **frame = cells + 1;
    *head_of(frame) = (frame_head){fits ? (uint32_t)size : 0, attachment};
    return frame;
}

bool cshim_frame_release(cshim_object **frame, ptrdiff_t capacity, ptrdiff_t count) {
    bool has_escapes = false;
    cshim_object **arguments = frame + 1, **exporters = arguments + capacity;
    for (ptrdiff_t i = 0; i < count; i += 1) {
        if (arguments[i] == NULL) continue;
        if (exporters[i] == NULL) {
            Py_DECREF(py(arguments[i]));
        } else if (((cshim_exporter *)exporters[i])->kept != NULL) {
            ledger_add(CSHIM_BYTES_SHARED, kept_view_end(((cshim_exporter *)exporters[i])->kept));
            exporters[i] = NULL;
        } else if (lend_end((cshim_exporter *)exporters[i], py(arguments[i]))) {
            exporters[i] = NULL;
        } else {
            has_escapes = true;
        }
        arguments[i] = NULL;
    }
    return has_escapes;
}

void cshim_frame_end(cshim_object **frame) {
    frame_head head = *head_of(frame);
    if (head.size > 0) {
        stack.used -= head.size;
    } else {
        PyMem_RawFree(head_of(frame));
    }
    detach(head.attachment);
}

static inline cshim_object *call(
    cshim_object *callable, cshim_object *const *arguments, size_t flags, cshim_object *names) {
    bool ran;
    if (!python_begins(&ran)) return NULL;
    PyObject *result = PyObject_Vectorcall(py(callable), (PyObject *const *)arguments, flags, py(names));
    python_ends(ran);
    return handle(result);
}

cshim_object *cshim_call(cshim_object *callable, cshim_object *const *arguments, ptrdiff_t count, cshim_object *names) {
    return call(callable, arguments, (size_t)count | PY_VECTORCALL_ARGUMENTS_OFFSET, names);
}

static_assert(CSHIM_CALL_OVER == 0, "CallState.isOver compares with that");

/// Reads a result that is a compact int, and gives it up.
static inline bool take_compact_int(cshim_object *result, int64_t *integer) {
    if (result == NULL || !PyLong_CheckExact(py(result)) || !read_compact_int(py(result), integer)) return false;
    Py_DECREF(py(result));
    return true;
}

cshim_call_state cshim_call_prepared(
    uint32_t interpreter,
    cshim_object *callable,
    cshim_object *const *arguments,
    ptrdiff_t count,
    cshim_object *names,
    bool reads_integer) {
    cshim_attachment attachment = attach_to(interpreter);
    if (attachment == CSHIM_NOT_RUNNING) return (cshim_call_state){.outcome = CSHIM_CALL_REFUSED};
    cshim_object *result = call(callable, arguments, (size_t)count, names);
    int64_t integer;
    if (reads_integer && take_compact_int(result, &integer)) {
        detach(attachment);
        return (cshim_call_state){.integer = integer, .outcome = CSHIM_CALL_OVER};
    }
    return (cshim_call_state){.result = result, .outcome = CSHIM_CALL_OPEN, .attachment = attachment};
}

__attribute__((always_inline)) static inline void end_kept(
    cshim_kept_view *const *views, ptrdiff_t count, cshim_attachment attachment) {
    int64_t byte_count = 0;
    for (ptrdiff_t i = 0; i < count; i += 1) byte_count += kept_view_end(views[i]);
    ledger_add(CSHIM_BYTES_SHARED, byte_count);
    detach(attachment);
}

// From the start of a cache line: half a line later a call took 2 to 4 % longer.
__attribute__((aligned(64))) cshim_call_state cshim_call_kept(
    uint32_t interpreter, cshim_object *callable, cshim_kept_view *const *views, ptrdiff_t count, bool reads_integer) {
    enum { most = 6 };
    cshim_object *cells[1 + most]; // the callee's own, and borrowed ones
    assert(count <= most);
    cshim_attachment attachment = attach_to(interpreter);
    if (attachment == CSHIM_NOT_RUNNING) return (cshim_call_state){.outcome = CSHIM_CALL_REFUSED};
    for (ptrdiff_t i = 0; i < count; i += 1) {
        if (views[i]->view == NULL || views[i]->is_in_use) {
            while (i > 0) views[--i]->is_in_use = false;
            detach(attachment);
            return (cshim_call_state){.outcome = CSHIM_CALL_UNUSABLE};
        }
        views[i]->is_in_use = true; // here already, for the same may come twice
        cells[1 + i] = views[i]->view;
    }
    cshim_object *result = call(callable, cells + 1, (size_t)count | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    int64_t integer;
    if (reads_integer && take_compact_int(result, &integer)) {
        end_kept(views, count, attachment);
        return (cshim_call_state){.integer = integer, .outcome = CSHIM_CALL_OVER};
    }
    return (cshim_call_state){.result = result, .outcome = CSHIM_CALL_OPEN, .attachment = attachment};
}

void cshim_call_kept_end(cshim_kept_view *const *views, ptrdiff_t count, cshim_attachment attachment) {
    end_kept(views, count, attachment);
}

cshim_object *cshim_run(const char *source, ptrdiff_t length, const char *file_name, bool is_expression) {
    if (strlen(source) != (size_t)length) {
        PyErr_SetString(PyExc_ValueError, "source code string cannot contain null bytes");
        return NULL;
    }
    PyObject *main_module = PyImport_AddModule("__main__"); // borrowed
    if (main_module == NULL) return NULL;
    PyObject *code = Py_CompileString(source, file_name, is_expression ? Py_eval_input : Py_file_input);
    if (code == NULL) return NULL;
    PyObject *names = PyModule_GetDict(main_module); // borrowed
    bool ran;
    PyObject *value = NULL;
    if (python_begins(&ran)) {
        value = PyEval_EvalCode(code, names, names);
        python_ends(ran);
    }
    Py_DECREF(code);
    return handle(value);
}

cshim_object *cshim_retain(cshim_object *object) { return handle(Py_NewRef(py(object))); }

void cshim_release(cshim_object *object) { Py_DECREF(py(object)); }

// MARK: - Values to Python

cshim_object *cshim_none(void) { return handle(Py_NewRef(Py_None)); }
cshim_object *cshim_bool(bool value) { return handle(PyBool_FromLong(value)); }
cshim_object *cshim_int(int64_t value) { return handle(PyLong_FromLongLong(value)); }
cshim_object *cshim_uint(uint64_t value) { return handle(PyLong_FromUnsignedLongLong(value)); }
cshim_object *cshim_float(double value) { return handle(PyFloat_FromDouble(value)); }
cshim_object *cshim_complex(double real, double imaginary) { return handle(PyComplex_FromDoubles(real, imaginary)); }
cshim_object *cshim_string(const char *utf8, ptrdiff_t length) {
    return handle(PyUnicode_FromStringAndSize(utf8, length));
}
cshim_object *cshim_list(ptrdiff_t count) { return handle(PyList_New(count)); }
cshim_object *cshim_tuple(ptrdiff_t count) { return handle(PyTuple_New(count)); }

void cshim_list_fill(cshim_object *list, ptrdiff_t index, cshim_object *item) {
    PyList_SET_ITEM(py(list), index, py(item));
}
void cshim_tuple_fill(cshim_object *tuple, ptrdiff_t index, cshim_object *item) {
    PyTuple_SET_ITEM(py(tuple), index, py(item));
}

// MARK: - Values from Python

bool cshim_is_none(cshim_object *object) { return py(object) == Py_None; }

/// numpy's scalar is not a subclass of bool; its type is called numpy.bool_ before numpy 2 and numpy.bool since.
static bool is_numpy_bool(cshim_object *object) {
    const char *name = cshim_type_name(object);
    return strcmp(name, "numpy.bool") == 0 || strcmp(name, "numpy.bool_") == 0;
}

cshim_reading cshim_read_bool(cshim_object *object, bool *value) {
    if (!PyBool_Check(py(object)) && !is_numpy_bool(object)) return CSHIM_WRONG_TYPE;
    int truth = PyObject_IsTrue(py(object));
    if (truth < 0) return CSHIM_RAISED;
    *value = truth != 0;
    return CSHIM_READ;
}

/// What has __index__ but is no int (numpy's integers) as an int: new reference, or null with the reading set.
static PyObject *index_of(cshim_object *object, cshim_reading *reading) {
    *reading = CSHIM_WRONG_TYPE;
    if (!PyIndex_Check(py(object)) || is_numpy_bool(object)) return NULL; // older numpy lends its bool an __index__
    *reading = CSHIM_RAISED;
    return PyNumber_Index(py(object));
}

/// After a conversion that returned its error value: which reading it was, with the overflow's exception cleared.
static cshim_reading reading_after_error(void) {
    if (!PyErr_Occurred()) return CSHIM_READ;
    if (!PyErr_ExceptionMatches(PyExc_OverflowError)) return CSHIM_RAISED;
    PyErr_Clear();
    return CSHIM_OUT_OF_RANGE;
}

cshim_reading cshim_read_int(cshim_object *object, int64_t *value) {
    if (PyLong_Check(py(object))) {
        if (read_compact_int(py(object), value)) return CSHIM_READ;
        *value = PyLong_AsLongLong(py(object));
        return *value == -1 ? reading_after_error() : CSHIM_READ;
    }
    cshim_reading reading;
    PyObject *number = index_of(object, &reading);
    if (number == NULL) return reading;
    reading = cshim_read_int(handle(number), value);
    Py_DECREF(number);
    return reading;
}

cshim_reading cshim_read_uint(cshim_object *object, uint64_t *value) {
    if (PyLong_Check(py(object))) {
        *value = PyLong_AsUnsignedLongLong(py(object));
        return *value == UINT64_MAX ? reading_after_error() : CSHIM_READ;
    }
    cshim_reading reading;
    PyObject *number = index_of(object, &reading);
    if (number == NULL) return reading;
    reading = cshim_read_uint(handle(number), value);
    Py_DECREF(number);
    return reading;
}

cshim_reading cshim_read_float(cshim_object *object, double *value) {
    // Floats, ints and numpy's real numbers. Not text, which has no __float__; nor arrays and numpy's complex numbers,
    // which have.
    PyTypeObject *type = Py_TYPE(py(object));
    PyNumberMethods *number = type->tp_as_number;
    bool is_number = number != NULL && (number->nb_float != NULL || number->nb_index != NULL);
    bool is_sequence = type->tp_as_sequence != NULL && type->tp_as_sequence->sq_length != NULL;
    if (!is_number || is_sequence || PyComplex_Check(py(object)) || strncmp(type->tp_name, "numpy.c", 7) == 0)
        return CSHIM_WRONG_TYPE;
    *value = PyFloat_AsDouble(py(object));
    return *value == -1.0 ? reading_after_error() : CSHIM_READ;
}

cshim_reading cshim_read_complex(cshim_object *object, double *real, double *imaginary) {
    // numpy's complex128 is a subclass of complex; complex64 has __complex__, as other libraries' numbers do.
    bool is_complex = PyComplex_Check(py(object)) || strncmp(cshim_type_name(object), "numpy.c", 7) == 0;
    if (!is_complex) {
        *imaginary = 0;
        return cshim_read_float(object, real);
    }
    Py_complex value = PyComplex_AsCComplex(py(object));
    *real = value.real;
    *imaginary = value.imag;
    return value.real == -1.0 ? reading_after_error() : CSHIM_READ;
}

cshim_reading cshim_read_string(cshim_object *object, const char **utf8, ptrdiff_t *length) {
    if (!PyUnicode_Check(py(object))) return CSHIM_WRONG_TYPE;
    *utf8 = PyUnicode_AsUTF8AndSize(py(object), length);
    if (*utf8 != NULL) return CSHIM_READ;
    *length = 0;
    return CSHIM_RAISED;
}

cshim_object *cshim_iterator(cshim_object *object) {
    PyObject *iterable = py(object);
    bool is_text = PyUnicode_Check(iterable) || PyBytes_Check(iterable) || PyByteArray_Check(iterable);
    bool is_iterable = Py_TYPE(iterable)->tp_iter != NULL || PySequence_Check(iterable);
    bool ran;
    if (is_text || !is_iterable || !python_begins(&ran)) return NULL;
    PyObject *iterator = PyObject_GetIter(iterable);
    python_ends(ran);
    return handle(iterator);
}

cshim_object *cshim_next(cshim_object *iterator) {
    bool ran;
    if (!python_begins(&ran)) return NULL;
    PyObject *item = PyIter_Next(py(iterator));
    python_ends(ran);
    return handle(item);
}
