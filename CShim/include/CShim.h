// What only C can do for the bridge: start CPython, attach a thread, export memory, call, and take an exception.
//
// Handles are opaque. "New reference" means that the caller owns one count and gives it up with cshim_release;
// "borrowed" means that the callee keeps it. Unless a comment says otherwise the calling thread must be attached,
// and a function that fails leaves a Python exception to be taken with cshim_exception_take.
#ifndef CSHIM_H
#define CSHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/// A Python object (PyObject).
typedef struct cshim_object cshim_object;

/// The Python object that owns, or borrows, memory and hands out views of it.
typedef struct cshim_exporter cshim_exporter;

// MARK: - interpreter.c

/// How to start CPython (PyConfig). Strings are UTF-8, borrowed for the call; null leaves CPython's own choice.
typedef struct {
    const char *_Nullable executable; ///< the environment's python, which decides sys.prefix and the packages found
    const char *_Nullable home;       ///< the directory that holds lib/pythonX.Y, as PYTHONHOME
    bool uses_environment_variables;  ///< honour PYTHONPATH and its kin
    bool uses_user_site;              ///< add the user's own site-packages
    bool installs_signal_handlers;    ///< let Python take SIGINT and ignore SIGPIPE
} cshim_configuration;

/// Starts CPython on a thread of its own, or on this one if it is to install signal handlers; or takes the one that
/// somebody else started. No thread is attached
/// afterwards. One start or stop at a time. Returns null, or why it failed, to be freed with free(). The GIL is free
/// then, but CPython cannot be started in this process any more.
char *_Nullable cshim_start(const cshim_configuration *configuration);

/// How cshim_stop ended.
typedef enum __attribute__((enum_extensibility(closed))) {
    CSHIM_STOPPED,
    CSHIM_NOT_FLUSHED,  ///< it has stopped, and output was lost
    CSHIM_FORKED,       ///< it goes on: this is the child of a fork by Python, which not every CPython can end
    CSHIM_WRONG_THREAD, ///< it goes on: Python's signal handlers were wanted, and another thread started it
} cshim_stopped;

/// Ends CPython (Py_FinalizeEx) on the thread that started it, or leaves it to whoever else started it. No other thread
/// is inside, and none is admitted. `before` is called first, on the thread that stops, attached.
cshim_stopped cshim_stop(void (*before)(void));

/// Whether numpy was loaded in an interpreter that has stopped.
bool cshim_numpy_was_loaded(void);

/// Whether CPython runs, whoever started it. cshim_start takes one that runs as it is, and cshim_stop leaves that
/// running.
bool cshim_is_initialized(void);

/// Whether a daemon thread of an interpreter that has stopped is still there. It would go on in the next one.
bool cshim_threads_are_left(void);

/// Whether this process was forked from one where Python ran, and not by Python: it cannot run here.
bool cshim_was_forked(void);

/// The number of the running interpreter, counted from 1; 0 while there is none. Any thread, attached or not.
uint32_t cshim_running(void);

/// The linked libpython's version as (major << 8) | minor. Needs no interpreter.
int32_t cshim_version(void);

/// The path of the linked libpython (dladdr), or null where the loader does not say. Needs no interpreter.
const char *_Nullable cshim_library_path(void);

// MARK: - thread.c

/// What cshim_attach did, which cshim_detach must undo.
typedef enum __attribute__((enum_extensibility(closed))) {
    CSHIM_NOT_RUNNING,      ///< there is no interpreter; nothing was done
    CSHIM_ALREADY_ATTACHED, ///< this thread held its thread state before
    CSHIM_RESTORED,         ///< this thread's kept state is current again
    CSHIM_ENSURED,          ///< a state that Python's own thread made is current again
} cshim_attachment;

/// Makes this OS thread's thread state current and takes the GIL. Any thread may call it.
cshim_attachment cshim_attach(void);

/// Attaches this thread to the interpreter of that number, if it is the one that runs.
cshim_attachment cshim_attach_to(uint32_t interpreter);

/// As cshim_attach, for a thread that calls nothing but interrupts others: it is admitted while a stop waits for them.
cshim_attachment cshim_attach_late(void);

/// Undoes one cshim_attach.
void cshim_detach(cshim_attachment attachment);

/// Whether this thread is attached. Any thread.
bool cshim_is_attached(void);

/// Whether this thread is within an attachment, attached or not. Any thread.
bool cshim_is_inside(void);

/// Admits threads to the running interpreter, or none but those that are inside. Any thread.
void cshim_admit(bool admits);

/// Admits no late threads either. Returns false, and goes on to admit them, when a thread is
/// inside. cshim_stop follows, or cshim_admit.
bool cshim_close(void);

/// How many other threads are inside, and what names up to `capacity` of them to Python. Any thread.
int32_t cshim_others_inside(uint64_t *_Nullable identities, int32_t capacity);

/// What can be raised in another thread. The exceptions are classes of the module PythonBridge, and BaseExceptions.
typedef enum __attribute__((enum_extensibility(closed))) {
    CSHIM_NO_INTERRUPTION,
    CSHIM_CANCELLED,         ///< Cancelled
    CSHIM_DEADLINE_EXCEEDED, ///< DeadlineExceeded
} cshim_interruption;

/// An OS thread, as long as it lives.
typedef struct cshim_thread cshim_thread;

/// The calling thread. Any thread, attached or not.
cshim_thread *cshim_this_thread(void);

/// Raises an exception in the Python code that runs on a thread, at its next bytecode (PyThreadState_SetAsyncExc), and
/// in all that begins there until the interruption is set anew.
void cshim_interrupt(cshim_thread *thread, cshim_interruption interruption);

/// Sets what is raised in the Python code that begins on this thread. Attached or not.
void cshim_set_interruption(cshim_interruption interruption);

/// Keeps for this thread what the host needs to know of its innermost interruption. Returns what was kept before.
void *_Nullable cshim_set_scope(void *_Nullable scope);

// MARK: - buffer.c

/// Called once, attached, when Python holds the memory no longer.
typedef void (*cshim_release_owner)(void *owner);

/// A memoryview of memory that `owner` keeps alive: new reference. The memory has one dimension: `count` elements of
/// `item_size` bytes, `stride` bytes apart. `base` is never null, also for no elements; `format` is of static lifetime.
/// Takes over the count that the caller holds on `owner` (also when it fails) and gives it up through `release_owner`
/// in the exporter's dealloc.
cshim_object *_Nullable cshim_share(
    void *base,
    ptrdiff_t count,
    ptrdiff_t stride,
    ptrdiff_t item_size,
    const char *format,
    bool read_only,
    void *owner,
    cshim_release_owner release_owner);

/// As cshim_share, for any number of dimensions up to 64: `shape_and_strides` are that many lengths and then as many
/// strides in bytes, which are copied. No element lies outside the memory that `owner` keeps.
cshim_object *_Nullable cshim_share_array(
    void *base,
    int32_t dimensions,
    const ptrdiff_t *shape_and_strides,
    ptrdiff_t item_size,
    const char *format,
    bool read_only,
    void *owner,
    cshim_release_owner release_owner);

/// What is lent for one call: new references to the memoryview and to its exporter, both null on failure.
/// cshim_frame_release takes both.
typedef struct {
    cshim_object *_Nullable view;
    cshim_exporter *_Nullable exporter;
} cshim_lent;

/// A memoryview of memory that is lent for one call, its elements side by side. The parameters are those of
/// cshim_share. They are not one struct: it would be written field by field and read as vectors at once, for which the
/// processor has to wait.
cshim_lent cshim_lend(void *base, ptrdiff_t count, ptrdiff_t item_size, const char *format, bool read_only);

/// As cshim_lend, with the parameters of cshim_share_array.
cshim_lent cshim_lend_array(
    void *base,
    int32_t dimensions,
    const ptrdiff_t *shape_and_strides,
    ptrdiff_t item_size,
    const char *format,
    bool read_only);

/// Makes `owner` keep the escaped memory until the exporter's dealloc. Takes over the count on `owner` and the
/// reference to the exporter.
void cshim_lend_escaped(cshim_exporter *exporter, void *owner, cshim_release_owner release_owner);

/// New reference to the exporter behind a memoryview that cshim_share, cshim_share_array or a lend made.
cshim_object *cshim_exporter_of(cshim_object *view);

/// A view of memory that Python holds, or that it was given. The pointers are valid as long as the view.
typedef struct {
    void *_Nullable view; ///< null before it is acquired; give it up with cshim_view_release
    void *_Nullable base; ///< the first element; may be null when there are no bytes
    ptrdiff_t item_size;
    int32_t dimensions;
    const ptrdiff_t *_Nullable shape;   ///< `dimensions` lengths; null when there are no dimensions
    const ptrdiff_t *_Nullable strides; ///< in bytes; null when there are no dimensions
    const char *_Nullable format;       ///< null stands for "B"
    bool is_read_only;
} cshim_view;

/// Whether the object has the buffer protocol, though it need not give a view.
bool cshim_has_buffer(cshim_object *object);

/// Takes a view by the buffer protocol (PyBUF_RECORDS_RO). Returns false on failure.
bool cshim_view_acquire(cshim_object *object, cshim_view *view);

/// New reference to the exporter that a memoryview, or an array made from one, holds; null when it holds none.
cshim_exporter *_Nullable cshim_exporter_behind(cshim_object *view);

/// What was given to cshim_share: borrowed from the exporter, or null when its memory is or was lent.
void *_Nullable cshim_owner(cshim_exporter *exporter);

/// Gives up one reference.
void cshim_exporter_release(cshim_exporter *exporter);

/// Takes a view by DLPack (`__dlpack__`), version 1 or before. Returns false on failure.
bool cshim_view_acquire_dlpack(cshim_object *object, cshim_view *view);

/// Takes a view by the Arrow C data interface (`__arrow_c_array__`, else an `__arrow_c_stream__` of one array). Returns
/// false on failure.
bool cshim_view_acquire_arrow(cshim_object *object, cshim_view *view);

/// Gives a view up.
void cshim_view_release(void *view);

// MARK: - kept.c

/// The view of shared memory that one call after the other is given. Attached threads use what changes.
typedef struct cshim_kept_view {
    // What never changes: the memory, as of cshim_share, and who keeps it.
    void *base;
    ptrdiff_t count;
    ptrdiff_t stride;
    ptrdiff_t item_size;
    const char *format;
    bool read_only;
    void *owner;
    cshim_release_owner retain_owner;
    cshim_release_owner release_owner;
    // What changes.
    bool is_in_use;               ///< by a call that was given view and exporter, and gives them back at its end
    cshim_object *_Nullable view; ///< owned, as is the exporter; both null while there is none
    cshim_exporter *_Nullable exporter;
    struct cshim_kept_view *_Nullable previous;
    struct cshim_kept_view *_Nullable next;
} cshim_kept_view;

/// A new one, without a view. `owner` lives until it is closed. Any thread, attached or not. Null when there is no
/// memory, or CPython has no GIL to guard it.
cshim_kept_view *_Nullable cshim_kept_view_new(
    void *base,
    ptrdiff_t count,
    ptrdiff_t stride,
    ptrdiff_t item_size,
    const char *format,
    bool read_only,
    void *owner,
    cshim_release_owner retain_owner,
    cshim_release_owner release_owner);

/// Has a call use the view, which is made if there is none; cshim_frame_release takes it back. If Python keeps it
/// longer, it is Python's from then on, with a count on `owner`. Nulls on failure, and with no exception raised when
/// another call uses it.
cshim_lent cshim_kept_view_use(cshim_kept_view *kept);

/// No call uses it any more, and its memory is about to be given back. Any thread, attached or not. Returns false if
/// somebody in Python has got hold of the exporter all the same: the memory must stay.
bool cshim_kept_view_close(cshim_kept_view *kept);

/// Gives up the view, if its interpreter still runs, and the memory of `kept` itself.
void cshim_kept_view_free(cshim_kept_view *kept);

// MARK: - call.c

/// New reference to an imported module. `name` is a str.
cshim_object *_Nullable cshim_import(cshim_object *name);

/// Puts a directory first on sys.path, moving it there if it is on it already. Returns false on failure.
bool cshim_add_search_path(const char *path);

/// New reference to an attribute. `name` is a str.
cshim_object *_Nullable cshim_attribute(cshim_object *object, cshim_object *name);

/// Whether the object has an attribute of that name.
bool cshim_has_attribute(cshim_object *object, const char *name);

bool cshim_is_callable(cshim_object *object);

/// The name of an object's type, as long as the type lives.
const char *cshim_type_name(cshim_object *object);

/// Begins a call of an object of the interpreter with the given number: attaches this thread and takes room on its own
/// stack of references (from malloc when that is full). Returns where the room is, not initialized: a cell for the
/// callee's own use, `capacity` arguments, and as many exporters of those that are lent; or null, with nothing done,
/// and errno set: ESRCH when this thread is not admitted, ENOMEM.
cshim_object *_Nullable *_Nullable cshim_frame_begin(uint32_t interpreter, ptrdiff_t capacity);

/// Gives up the first `count` arguments, and ends what was lent. Returns whether a view escaped: its exporter is left
/// in its cell, for cshim_lend_escaped.
bool cshim_frame_release(cshim_object *_Nullable *_Nonnull frame, ptrdiff_t capacity, ptrdiff_t count);

/// What became of a call.
typedef enum __attribute__((enum_extensibility(closed))) {
    CSHIM_CALL_OVER,     ///< the call is over, and its result was a compact int
    CSHIM_CALL_OPEN,     ///< there is a result, or an exception is raised, and the end of the call is due
    CSHIM_CALL_UNUSABLE, ///< nothing was done: another call uses one of the views, or there is none
    CSHIM_CALL_REFUSED,  ///< nothing was done: this thread is not admitted
} cshim_call_outcome;

typedef struct {
    union {
        cshim_object *_Nullable result; ///< of an open call: owned, or null with an exception raised
        int64_t integer;                ///< of one that is over
    };
    cshim_call_outcome outcome;
    cshim_attachment attachment; ///< of an open call
} cshim_call_state;

/// A call with views that are kept for all of its arguments, of an object of the interpreter with the given number.
/// Attaches this thread, until the call has ended. With `reads_integer` a result that is a compact int is read on the
/// way and given up, and the call ended.
cshim_call_state cshim_call_kept(
    uint32_t interpreter,
    cshim_object *callable,
    cshim_kept_view *const _Nonnull *_Nonnull views,
    ptrdiff_t count,
    bool reads_integer);

/// Ends a call that was made: its views are free for others, or Python's. Undoes the attachment.
void cshim_call_kept_end(cshim_kept_view *const _Nonnull *_Nonnull views, ptrdiff_t count, cshim_attachment attachment);

/// Ends the last call that began on this thread and has not ended.
void cshim_frame_end(cshim_object *_Nullable *_Nonnull frame);

/// Calls with `count` positional arguments and then one for each of `names` (a tuple of str, or null).
/// `arguments` are borrowed, and arguments[-1] must be a slot that the callee may use (PY_VECTORCALL_ARGUMENTS_OFFSET).
/// New reference to the result.
cshim_object *_Nullable cshim_call(
    cshim_object *callable,
    cshim_object *_Nullable const *_Nonnull arguments,
    ptrdiff_t count,
    cshim_object *_Nullable names);

/// Attaches this thread to the interpreter of that number and calls. The caller undoes the attachment of an open call.
/// There is no slot before the arguments, which the callee leaves as they are: several threads may call with them at
/// once. `reads_integer` as for cshim_call_kept.
cshim_call_state cshim_call_prepared(
    uint32_t interpreter,
    cshim_object *callable,
    cshim_object *_Nullable const *_Nullable arguments,
    ptrdiff_t count,
    cshim_object *_Nullable names,
    bool reads_integer);

/// Runs source text in the namespace of __main__, as statements or as one expression. New reference to its value.
cshim_object *_Nullable cshim_run(const char *source, ptrdiff_t length, const char *file_name, bool is_expression);

/// One more reference to the same object.
cshim_object *cshim_retain(cshim_object *object);

/// Gives up one reference.
void cshim_release(cshim_object *object);

// Values to Python: new references.
cshim_object *cshim_none(void);
cshim_object *cshim_bool(bool value);
cshim_object *_Nullable cshim_int(int64_t value);
cshim_object *_Nullable cshim_uint(uint64_t value);
cshim_object *_Nullable cshim_float(double value);
cshim_object *_Nullable cshim_complex(double real, double imaginary);
cshim_object *_Nullable cshim_string(const char *utf8, ptrdiff_t length);
cshim_object *_Nullable cshim_list(ptrdiff_t count);
cshim_object *_Nullable cshim_tuple(ptrdiff_t count);

/// Fills slot `index` of a new list or tuple. Takes over the reference to `item`.
void cshim_list_fill(cshim_object *list, ptrdiff_t index, cshim_object *item);
void cshim_tuple_fill(cshim_object *tuple, ptrdiff_t index, cshim_object *item);

/// How reading a value ended. None but CSHIM_RAISED leaves an exception.
typedef enum __attribute__((enum_extensibility(closed))) {
    CSHIM_READ,
    CSHIM_WRONG_TYPE,
    CSHIM_OUT_OF_RANGE,
    CSHIM_RAISED,
} cshim_reading;

// Values from Python. The object stays the caller's; a string's bytes live as long as the object.
bool cshim_is_none(cshim_object *object);
cshim_reading cshim_read_bool(cshim_object *object, bool *value);
cshim_reading cshim_read_int(cshim_object *object, int64_t *value);
cshim_reading cshim_read_uint(cshim_object *object, uint64_t *value);
cshim_reading cshim_read_float(cshim_object *object, double *value);
cshim_reading cshim_read_complex(cshim_object *object, double *real, double *imaginary);
cshim_reading cshim_read_string(cshim_object *object, const char *_Nullable *_Nonnull utf8, ptrdiff_t *length);

/// New reference to an iterator, or null: without an exception when the object is text, bytes or not iterable.
cshim_object *_Nullable cshim_iterator(cshim_object *object);

/// New reference to the next item, or null: without an exception at the end.
cshim_object *_Nullable cshim_next(cshim_object *iterator);

// MARK: - callback.c

/// A function of the host, called attached. `arguments` are borrowed. Returns a new reference, or null with an
/// exception raised.
typedef cshim_object *_Nullable (*cshim_callback)(
    void *context, cshim_object *_Nonnull const *_Nullable arguments, ptrdiff_t count);

/// New reference to a Python function of positional arguments that calls `callback`. Takes over the count that the
/// caller holds on `context` (also when it fails) and gives it up through `release_context` when Python holds the
/// function no longer.
cshim_object *_Nullable cshim_function(void *context, cshim_callback callback, cshim_release_owner release_context);

/// Raises an exception of a built-in class, or PythonBridge.SwiftError (a RuntimeError) when there is none of that
/// name. It carries an error of the host. Takes over the count that the caller holds on `error` (also when it fails)
/// and gives it up through `release_error` when nobody holds the exception.
void cshim_raise(const char *type, const char *message, void *error, cshim_release_owner release_error);

/// Raises once more the last exception that was taken in the function of the host that runs, if it has that number.
bool cshim_raise_again(uint64_t number);

/// Raises an interruption, for one that a function of the host met.
void cshim_raise_interruption(cshim_interruption interruption);

/// Lets go of the GIL in the middle of a call, for cshim_take_back on the same thread.
void *cshim_let_go(void);

/// Takes the GIL again.
void cshim_take_back(void *state);

// MARK: - shared_memory.c

/// A descriptor of zeroed anonymous memory of `length` bytes that can neither shrink nor grow (memfd_create, sealed),
/// to be closed by the caller; or a negative errno. Needs no interpreter.
int32_t cshim_sealed_memory(ptrdiff_t length);

// MARK: - heap.c

/// How many bytes malloc has handed out that were not freed, over all threads (mallinfo2). Needs no interpreter.
int64_t cshim_heap_bytes(void);

/// Gives free memory of malloc back to the system (malloc_trim). Needs no interpreter.
void cshim_heap_trim(void);

// MARK: - ledger.c

/// What is counted, in bytes or pieces.
typedef enum __attribute__((enum_extensibility(closed))) {
    CSHIM_BYTES_LENT,
    CSHIM_BYTES_SHARED,
    CSHIM_BYTES_COPIED,
    CSHIM_BYTES_ON_DEMAND,
    CSHIM_VIEWS_TAKEN,
    CSHIM_VIEWS_RETURNED,
    CSHIM_EXPORTERS_MADE,
    CSHIM_EXPORTERS_FREED,
    CSHIM_ESCAPES,
    CSHIM_LEDGER_ENTRIES, ///< how many there are
} cshim_ledger_entry;

/// Adds to this thread's count. Any thread, attached or not.
void cshim_ledger_add(cshim_ledger_entry entry, int64_t amount);

/// Reads all CSHIM_LEDGER_ENTRIES counts: of this thread, or of all threads, those that have ended included. Any
/// thread, attached or not.
void cshim_ledger_read(bool of_this_thread, int64_t *counts);

// MARK: - error.c

/// UTF-8 that may hold NUL; null when Python could not make it.
typedef struct {
    char *_Nullable utf8;
    ptrdiff_t length;
} cshim_text;

/// A raised exception without any Python in it. The texts belong to the struct.
typedef struct cshim_exception {
    cshim_text type; ///< qualified with its module unless built in
    cshim_text message;
    cshim_text traceback; ///< as the traceback module formats it; the first one's with its causes
    uint64_t number;      ///< for cshim_raise_again; 0 outside of a function of the host
    struct cshim_exception *_Nullable cause;
    void *_Nullable host_error; ///< borrowed from `holder`: what was given to cshim_raise
    cshim_object *_Nullable holder;
} cshim_exception;

/// Takes the raised exception and clears the indicator; null when none is raised. Free with cshim_exception_free, on
/// this thread while it is attached.
cshim_exception *_Nullable cshim_exception_take(void);

/// Whether an exception is raised.
bool cshim_exception_occurred(void);

void cshim_exception_free(cshim_exception *_Nullable exception);

#pragma clang assume_nonnull end

#endif
