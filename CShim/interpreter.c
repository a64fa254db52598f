// Start, stop, attach, detach.
#include "internal.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
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

/// Whether CPython's own start has failed. It is half initialized then, and cannot start in this process any more.
static bool start_has_failed;

/// Whether Python's main thread is the caller of cshim_start, and which that is; otherwise it is the bridge's own.
static bool starts_on_caller;
static pthread_t starter;

/// The thread state that this OS thread keeps between two attachments.
static _Thread_local struct {
    PyThreadState *state;
    unsigned interpreter;
    bool is_attached; ///< attached by cshim_attach; Python code running below may have let go of the GIL since
} kept;

/// The number of the interpreter that is being stopped; 0 while none is.
static atomic_uint stopping;

// MARK: - Start and stop

static PyStatus set_string(PyConfig *config, wchar_t **field, const char *value) {
    return value == NULL ? PyStatus_Ok() : PyConfig_SetBytesString(config, field, value);
}

#if __has_feature(address_sanitizer)
// To find leaks, AddressSanitizer must see each object by itself, and the frames of Python's functions, which lie in
// arenas: it looks for pointers in what malloc gave, and not in what mmap did.
static void *allocate_arena(void *unused, size_t size) {
    (void)unused;
    return malloc(size);
}

static void free_arena(void *unused, void *arena, size_t size) {
    (void)unused;
    (void)size;
    free(arena);
}

static PyObjectArenaAllocator visible_arenas = {NULL, allocate_arena, free_arena};
#endif

static PyStatus initialize(const cshim_configuration *wanted) {
    bool isolated = !wanted->uses_environment_variables && !wanted->uses_user_site;

    // UTF-8 mode: a host program seldom calls setlocale, and in the C locale Python could not name a file in Cyrillic.
    PyPreConfig before;
    PyPreConfig_InitIsolatedConfig(&before);
    before.isolated = isolated;
    before.use_environment = wanted->uses_environment_variables;
    before.utf8_mode = 1;
#if __has_feature(address_sanitizer)
    before.allocator = PYMEM_ALLOCATOR_MALLOC;
#endif
    PyStatus status = Py_PreInitialize(&before);
    if (PyStatus_Exception(status)) return status;
#if __has_feature(address_sanitizer)
    PyObject_SetArenaAllocator(&visible_arenas);
#endif

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

/// Starts on this thread, which is Python's main thread from here on.
static char *start(const cshim_configuration *configuration) {
    if (start_has_failed)
        return strdup("its first start in this process failed, and CPython cannot be started after that");
    PyStatus status = initialize(configuration);
    if (PyStatus_Exception(status)) {
        start_has_failed = true;
        // CPython may leave the GIL held and the state current.
        if (PyThreadState_GetUnchecked() != NULL) PyEval_SaveThread();
        const char *reason = PyStatus_IsExit(status) ? "it asked the process to exit" : status.err_msg;
        return strdup(reason != NULL ? reason : "no reason given");
    }
    // The thread that imports threading first is the one that threading waits for at the end, unless it ends Python
    // itself.
    PyObject *threading = PyImport_ImportModule("threading");
    // The signal module takes SIGINT when it is first imported, even where no handlers were asked for.
    struct sigaction interrupt;
    sigaction(SIGINT, NULL, &interrupt);
    PyObject *signals = PyImport_ImportModule("_signal");
    if (!configuration->installs_signal_handlers) sigaction(SIGINT, &interrupt, NULL);
    bool is_ready = threading != NULL && signals != NULL && cshim_exporter_type_start();
    Py_XDECREF(threading);
    Py_XDECREF(signals);
    if (!is_ready) {
        PyErr_Clear();
        Py_FinalizeEx();
        return strdup("its standard library cannot be imported");
    }
    started += 1;
    // The interpreter's first state stays with this thread and is freed by Py_FinalizeEx.
    kept.state = PyEval_SaveThread();
    kept.interpreter = started;
    atomic_store_explicit(&running, started, memory_order_release);
    return NULL;
}

/// Stops on this thread, the one that started.
static bool stop(void) {
    PyEval_RestoreThread(kept.state);
    atomic_store(&stopping, kept.interpreter);
    atomic_store_explicit(&running, 0, memory_order_release);
    cshim_exporter_type_stop();
    // Python puts back the default for the handlers that it thinks are its own.
    struct sigaction interrupt;
    sigaction(SIGINT, NULL, &interrupt);
    bool flushed = Py_FinalizeEx() == 0;
    atomic_store(&stopping, 0);
    if (!starts_on_caller) sigaction(SIGINT, &interrupt, NULL);
    kept.state = NULL;
    return flushed;
}

/// A thread of the bridge's own on which Python starts and stops. A host's threads come and go, and exit() may be
/// called on any of them; CPython wants to be ended by the thread that started it, or waits for that thread for ever.
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool exists;
    bool is_asked;                            ///< there is something to do, until it is done
    const cshim_configuration *configuration; ///< to start with; null to stop
    char *failure;                            ///< why the start failed
    bool flushed;                             ///< what stop returned
} main_thread = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void *run_main_thread(void *unused) {
    (void)unused;
    pthread_mutex_lock(&main_thread.mutex);
    for (;;) {
        while (!main_thread.is_asked) pthread_cond_wait(&main_thread.changed, &main_thread.mutex);
        if (main_thread.configuration != NULL) {
            main_thread.failure = start(main_thread.configuration);
        } else {
            main_thread.flushed = stop();
        }
        main_thread.is_asked = false;
        pthread_cond_broadcast(&main_thread.changed);
    }
    return NULL;
}

/// Has the thread start, or stop for a null configuration, and waits for it. Returns false when there can be no thread.
static bool ask_main_thread(const cshim_configuration *configuration) {
    pthread_mutex_lock(&main_thread.mutex);
    if (!main_thread.exists) {
        pthread_t thread;
        main_thread.exists = pthread_create(&thread, NULL, run_main_thread, NULL) == 0;
        if (main_thread.exists) pthread_detach(thread);
    }
    if (main_thread.exists) {
        main_thread.configuration = configuration;
        main_thread.is_asked = true;
        pthread_cond_broadcast(&main_thread.changed);
        while (main_thread.is_asked) pthread_cond_wait(&main_thread.changed, &main_thread.mutex);
    }
    pthread_mutex_unlock(&main_thread.mutex);
    return main_thread.exists;
}

char *cshim_start(const cshim_configuration *configuration) {
    // Python delivers signals to its main thread alone: whoever asks for its handlers wants that to be the calling
    // thread.
    starts_on_caller = configuration->installs_signal_handlers;
    starter = pthread_self();
    if (starts_on_caller) return start(configuration);
    return ask_main_thread(configuration) ? main_thread.failure : strdup("there can be no further thread");
}

bool cshim_stop(void) {
    if (cshim_running() == 0) return true;
    if (starts_on_caller) return pthread_equal(starter, pthread_self()) && stop();
    return ask_main_thread(NULL) && main_thread.flushed;
}

// MARK: - Attach and detach

/// At the end of an OS thread: frees the state that was made for it, unless its interpreter did so first.
static void end_thread(void *unused) {
    (void)unused;
    if (kept.state == NULL || kept.interpreter != cshim_running()) return;
    if (kept.is_attached) return; // exit() within a call: the state is in use
    PyEval_RestoreThread(kept.state);
    kept.is_attached = true;                 // for what the state's own objects run when they go
    PyGILState_Release(PyGILState_UNLOCKED); // the count that first_attach took: the state is cleared and deleted
    kept.is_attached = false;
    kept.state = NULL;
}

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
    // A pthread key's destructor would come too late: CPython finds the state through a key of its own, cleared first.
    __cxa_thread_atexit_impl(end_thread, NULL, &__dso_handle);
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

uint32_t current_interpreter(void) {
    uint32_t interpreter = cshim_running();
    return interpreter != 0 ? interpreter : atomic_load(&stopping);
}

cshim_attachment attach_to_release(uint32_t interpreter) {
    if (interpreter != 0 && interpreter == atomic_load(&stopping)) {
        // Nobody can attach any more. The stopping thread's state goes before the last of what CPython frees.
        bool is_attached = PyGILState_Check() && PyThreadState_GetUnchecked() != NULL;
        return is_attached ? CSHIM_ALREADY_ATTACHED : CSHIM_NOT_RUNNING;
    }
    return interpreter == cshim_running() ? cshim_attach() : CSHIM_NOT_RUNNING;
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
