// Start, stop, attach, detach.
#include "internal.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#if PY_VERSION_HEX < 0x030D0000
#define PyThreadState_GetUnchecked _PyThreadState_UncheckedGet
#endif

/// The number of the running interpreter, counted from 1; 0 while there is none. A thread state that was kept
/// under another number died with its interpreter.
static atomic_uint running;

/// How many interpreters have been started.
static unsigned started;

/// What a start that failed half way leaves current. The next start goes on from it, as CPython requires.
static PyThreadState *half_started;

/// The thread state that this OS thread keeps between two attachments.
static _Thread_local struct {
    PyThreadState *state;
    unsigned interpreter;
    bool is_attached; ///< attached by cshim_attach; Python code running below may have let go of the GIL since
} kept;

/// Runs cshim's part of the end of a thread that keeps a state of its own.
static pthread_key_t thread_end;
static pthread_once_t thread_end_once = PTHREAD_ONCE_INIT;

// MARK: - Start and stop

static PyStatus set_string(PyConfig *config, wchar_t **field, const char *value) {
    return value == NULL ? PyStatus_Ok() : PyConfig_SetBytesString(config, field, value);
}

static PyStatus initialize(const cshim_configuration *wanted) {
    bool isolated = !wanted->uses_environment_variables && !wanted->uses_user_site;

    // UTF-8 mode: a host program seldom calls setlocale, and in the C locale Python could not name a file in Cyrillic.
    PyPreConfig before;
    PyPreConfig_InitIsolatedConfig(&before);
    before.isolated = isolated;
    before.use_environment = wanted->uses_environment_variables;
    before.utf8_mode = 1;
    PyStatus status = Py_PreInitialize(&before);
    if (PyStatus_Exception(status)) return status;

    PyConfig config;
    PyConfig_InitIsolatedConfig(&config);
    config.isolated = isolated;
    config.use_environment = wanted->uses_environment_variables;
    config.user_site_directory = wanted->uses_user_site;
    config.install_signal_handlers = wanted->installs_signal_handlers;
    status = set_string(&config, &config.executable, wanted->executable);
    if (!PyStatus_Exception(status)) status = set_string(&config, &config.home, wanted->home);
    if (!PyStatus_Exception(status)) status = Py_InitializeFromConfig(&config);
    PyConfig_Clear(&config);
    return status;
}

char *cshim_start(const cshim_configuration *configuration) {
    if (half_started != NULL) PyEval_RestoreThread(half_started);
    half_started = NULL;
    PyStatus status = initialize(configuration);
    if (PyStatus_Exception(status)) {
        if (PyThreadState_GetUnchecked() != NULL) half_started = PyEval_SaveThread();
        const char *reason = PyStatus_IsExit(status) ? "it asked the process to exit" : status.err_msg;
        return strdup(reason != NULL ? reason : "no reason given");
    }
    if (!cshim_exporter_type_start()) {
        PyErr_Clear();
        Py_FinalizeEx();
        return strdup("out of memory");
    }
    started += 1;
    // The interpreter's first state stays with the thread that started it and is freed by Py_FinalizeEx.
    kept.state = PyEval_SaveThread();
    kept.interpreter = started;
    atomic_store_explicit(&running, started, memory_order_release);
    return NULL;
}

bool cshim_stop(void) {
    if (cshim_attach() == CSHIM_NOT_RUNNING) return true;
    atomic_store_explicit(&running, 0, memory_order_release);
    cshim_exporter_type_stop();
    bool flushed = Py_FinalizeEx() == 0;
    kept.state = NULL;
    kept.is_attached = false;
    return flushed;
}

// MARK: - Attach and detach

/// At the end of an OS thread: frees the state that was made for it, unless its interpreter did so first.
static void end_thread(void *state) {
    if (kept.interpreter != atomic_load_explicit(&running, memory_order_acquire)) return;
    PyEval_RestoreThread(state);
    PyGILState_Release(PyGILState_UNLOCKED); // the count that first_attach took: the state is cleared and deleted
    kept.state = NULL;
}

static void make_thread_end(void) { pthread_key_create(&thread_end, end_thread); }

/// The first attachment of an OS thread, and every one of a thread whose state Python owns.
static cshim_attachment first_attach(unsigned interpreter) {
    if (PyGILState_GetThisThreadState() != NULL) {
        // A thread that Python started: its state is Python's to free, so nothing is kept.
        if (PyGILState_Check()) return CSHIM_ALREADY_ATTACHED;
        PyGILState_Ensure();
        return CSHIM_ENSURED;
    }
    // PyGILState_Ensure rather than PyThreadState_New: extensions that call PyGILState_Ensure themselves find it.
    PyGILState_Ensure();
    kept.state = PyThreadState_Get();
    kept.interpreter = interpreter;
    pthread_once(&thread_end_once, make_thread_end);
    pthread_setspecific(thread_end, kept.state);
    kept.is_attached = true;
    return CSHIM_RESTORED;
}

cshim_attachment cshim_attach(void) {
    unsigned interpreter = atomic_load_explicit(&running, memory_order_acquire);
    if (interpreter == 0) return CSHIM_NOT_RUNNING;
    if (kept.state == NULL || kept.interpreter != interpreter) return first_attach(interpreter);
    if (kept.is_attached) {
        if (PyGILState_Check()) return CSHIM_ALREADY_ATTACHED;
        // Called back by code that let go of the GIL. PyGILState_Ensure takes the same state again.
        PyGILState_Ensure();
        return CSHIM_ENSURED;
    }
    PyEval_RestoreThread(kept.state);
    kept.is_attached = true;
    return CSHIM_RESTORED;
}

void cshim_detach(cshim_attachment attachment) {
    switch (attachment) {
    case CSHIM_NOT_RUNNING:
    case CSHIM_ALREADY_ATTACHED: break;
    case CSHIM_RESTORED:
        kept.is_attached = false;
        PyEval_SaveThread();
        break;
    case CSHIM_ENSURED: PyGILState_Release(PyGILState_UNLOCKED); break;
    }
}

uint32_t cshim_running(void) { return atomic_load_explicit(&running, memory_order_acquire); }

bool cshim_is_attached(void) { return cshim_running() != 0 && PyGILState_Check(); }

// MARK: - The linked library

int32_t cshim_version(void) {
    int major = 0, minor = 0;
    sscanf(Py_GetVersion(), "%d.%d", &major, &minor);
    return major << 8 | minor;
}

const char *cshim_library_path(void) {
    Dl_info info;
    return dladdr((void *)Py_GetVersion, &info) != 0 ? info.dli_fname : NULL;
}
