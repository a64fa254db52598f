// Start and stop.
#include "internal.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

atomic_uint running;

/// How many interpreters have been started.
static unsigned started;

/// Whether CPython's own start has failed. It is half initialized then, and cannot start in this process any more.
static bool start_has_failed;

/// Whether Python's main thread is the caller of cshim_start, and which that is; otherwise it is the bridge's own.
static bool starts_on_caller;
static pthread_t starter;

/// The number of the interpreter that is being stopped; 0 while none is.
static atomic_uint stopping;

/// Whether Python forked this process.
static bool is_child;

/// What is to be done before it.
static void (*before_stop)(void);

/// Who stops it, or was the last to stop one.
static const cshim_thread *_Atomic stopping_thread;

/// Whether somebody else had started the running interpreter.
static bool is_adopted;

/// Whether numpy was loaded in an interpreter that has stopped: no process can load it twice.
static bool numpy_was_loaded;

/// The daemon threads that ran Python code when it stopped (gettid). They end as soon as they want the GIL, unless
/// another interpreter has it by then.
enum { most_left_threads = 256 };
static struct {
    int count;
    pid_t threads[most_left_threads];
} left;

/// The number of the interpreter that ran when a fork that is not Python's own made this process; otherwise 0.
static unsigned forked_from;

// MARK: - What Python tells

/// Calls `module.function(definition)`, or with a keyword. Returns false with an exception raised.
static bool call_with(PyMethodDef *definition, const char *module, const char *function, const char *keyword) {
    PyObject *argument = PyCFunction_New(definition, NULL);
    PyObject *imported = PyImport_ImportModule(module);
    PyObject *callable = imported == NULL ? NULL : PyObject_GetAttrString(imported, function);
    PyObject *keywords = keyword == NULL || argument == NULL ? NULL : Py_BuildValue("{s:O}", keyword, argument);
    PyObject *arguments = keyword == NULL && argument != NULL ? PyTuple_Pack(1, argument) : PyTuple_New(0);
    bool is_ready = argument != NULL && callable != NULL && arguments != NULL;
    PyObject *result = is_ready ? PyObject_Call(callable, arguments, keywords) : NULL;
    Py_XDECREF(arguments);
    Py_XDECREF(keywords);
    Py_XDECREF(callable);
    Py_XDECREF(imported);
    Py_XDECREF(argument);
    Py_XDECREF(result);
    return result != NULL;
}

/// The child of a fork by Python, which has put itself in order, goes on.
static PyObject *python_forked(PyObject *self, PyObject *unused) {
    (void)self;
    (void)unused;
    if (forked_from != 0) {
        atomic_store_explicit(&running, forked_from, memory_order_release);
        threads_admit(forked_from);
        forked_from = 0;
        is_child = true;
    }
    Py_RETURN_NONE;
}

static PyMethodDef forked_definition = {"python_forked", python_forked, METH_NOARGS, NULL};

static void end(void);

/// The adopted interpreter is about to end: waits for the calls that are under way.
static PyObject *leave(PyObject *self, PyObject *unused) {
    (void)self;
    (void)unused;
    if (is_adopted && cshim_running() != 0) {
        cshim_admit(false);
        while (!cshim_close()) {
            Py_BEGIN_ALLOW_THREADS;
            usleep(1000);
            Py_END_ALLOW_THREADS;
        }
        end();
        is_adopted = false;
    }
    atomic_fetch_add(&generation, 1);
    Py_RETURN_NONE;
}

static PyMethodDef leave_definition = {"leave", leave, METH_NOARGS, NULL};

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

/// What begins with an interpreter and ends before it. The thread is attached. Returns false with an exception raised.
static bool begin(void) {
    bool is_ready = cshim_exporter_type_start() && exception_types_start() &&
                    call_with(&forked_definition, "os", "register_at_fork", "after_in_child");
    if (is_ready) {
        started += 1;
        atomic_store_explicit(&running, started, memory_order_release);
        threads_admit(started);
    }
    return is_ready;
}

/// Ends it. Until the interpreter itself has ended, what is left is released on this thread.
static void end(void) {
    threads_admit(0);
    stopping_thread = &this_thread;
    if (PyDict_GetItemString(PyImport_GetModuleDict(), "numpy") != NULL) numpy_was_loaded = true;
    atomic_store(&stopping, cshim_running());
    atomic_store_explicit(&running, 0, memory_order_release);
    cshim_exporter_type_stop();
    exception_types_stop();
}

/// Notes which threads Python will not wait for.
static void note_daemon_threads(void) {
    PyObject *threading = PyImport_ImportModule("threading");
    PyObject *threads = threading == NULL ? NULL : PyObject_CallMethod(threading, "enumerate", NULL);
    PyObject *dummy = threading == NULL ? NULL : PyObject_GetAttrString(threading, "_DummyThread");
    Py_ssize_t count = threads != NULL && dummy != NULL && PyList_Check(threads) ? PyList_GET_SIZE(threads) : 0;
    for (Py_ssize_t i = 0; i < count && left.count < most_left_threads; i += 1) {
        PyObject *thread = PyList_GET_ITEM(threads, i);
        if (PyObject_IsInstance(thread, dummy) != 0) continue; // one of the host's
        PyObject *is_daemon = PyObject_GetAttrString(thread, "daemon");
        PyObject *identity = PyObject_GetAttrString(thread, "native_id");
        long number = is_daemon == Py_True && identity != NULL ? PyLong_AsLong(identity) : -1;
        if (number > 0) left.threads[left.count++] = (pid_t)number;
        Py_XDECREF(is_daemon);
        Py_XDECREF(identity);
    }
    PyErr_Clear();
    Py_XDECREF(dummy);
    Py_XDECREF(threads);
    Py_XDECREF(threading);
}

bool cshim_threads_are_left(void) {
    while (left.count > 0 && syscall(SYS_tgkill, getpid(), left.threads[left.count - 1], 0) != 0) left.count -= 1;
    return left.count > 0;
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
    bool is_ready = threading != NULL && signals != NULL && begin();
    Py_XDECREF(threading);
    Py_XDECREF(signals);
    if (!is_ready) {
        PyErr_Clear();
        Py_FinalizeEx();
        return strdup("its standard library cannot be imported");
    }
    // The interpreter's first state stays with this thread and is freed by Py_FinalizeEx.
    thread_keeps(PyThreadState_Get());
    PyEval_SaveThread();
    return NULL;
}

/// Takes an interpreter that somebody else has started, who will end it.
static char *adopt(void) {
    PyGILState_STATE state = PyGILState_Ensure();
    bool is_ready = begin() && call_with(&leave_definition, "atexit", "register", NULL);
    PyErr_Clear();
    PyGILState_Release(state);
    is_adopted = is_ready;
    return is_ready ? NULL : strdup("the one that runs in this process already cannot be used");
}

/// Stops on this thread, the one that started or, in the child of a fork, forked.
static bool stop(void) {
    if (this_thread.state != NULL) {
        PyEval_RestoreThread(this_thread.state);
    } else {
        PyGILState_Ensure(); // a thread of Python's own forked
    }
    before_stop();
    note_daemon_threads();
    // Python puts back the default for the handlers that it thinks are its own.
    struct sigaction interrupt;
    sigaction(SIGINT, NULL, &interrupt);
    end();
    bool flushed = Py_FinalizeEx() == 0;
    atomic_fetch_add(&generation, 1);
    atomic_store(&stopping, 0);
    if (!starts_on_caller) sigaction(SIGINT, &interrupt, NULL);
    this_thread.state = NULL;
    this_thread.owns_state = false;
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
    if (Py_IsInitialized()) return adopt();
    // Python delivers signals to its main thread alone: whoever asks for its handlers wants that to be the calling
    // thread.
    starts_on_caller = configuration->installs_signal_handlers;
    starter = pthread_self();
    if (starts_on_caller) return start(configuration);
    return ask_main_thread(configuration) ? main_thread.failure : strdup("there can be no further thread");
}

cshim_stopped cshim_stop(void (*before)(void)) {
    if (cshim_running() == 0) return CSHIM_STOPPED;
    if (is_adopted) {
        PyGILState_STATE state = PyGILState_Ensure();
        before();
        end();
        PyGILState_Release(state);
        atomic_store(&stopping, 0);
        is_adopted = false;
        return CSHIM_STOPPED;
    }
    if (is_child) return CSHIM_FORKED;
    if (starts_on_caller && !pthread_equal(starter, pthread_self())) return CSHIM_WRONG_THREAD;
    before_stop = before;
    bool flushed = starts_on_caller ? stop() : ask_main_thread(NULL) && main_thread.flushed;
    return flushed ? CSHIM_STOPPED : CSHIM_NOT_FLUSHED;
}

bool cshim_is_initialized(void) { return Py_IsInitialized(); }

void interpreter_forked(void) {
    forked_from = cshim_running();
    left.count = 0;
    threads_admit(0);
    atomic_store_explicit(&running, 0, memory_order_release);
    // The thread that started Python is not in this process; another start makes another one.
    main_thread.exists = main_thread.is_asked = false;
    pthread_mutex_init(&main_thread.mutex, NULL);
    pthread_cond_init(&main_thread.changed, NULL);
}

bool cshim_numpy_was_loaded(void) { return numpy_was_loaded; }

bool cshim_was_forked(void) { return forked_from != 0; }

// MARK: - Which interpreter

bool python_has_gone(void) { return Py_IsFinalizing() && atomic_load(&stopping_thread) != &this_thread; }

uint32_t current_interpreter(void) {
    uint32_t interpreter = cshim_running();
    return interpreter != 0 ? interpreter : atomic_load(&stopping);
}

cshim_attachment attach_to_release(uint32_t interpreter) {
    if (interpreter != 0 && interpreter == atomic_load(&stopping)) {
        // Nobody can attach any more. The stopping thread's state goes before the last of what CPython frees.
        return holds_gil() ? attach_again() : CSHIM_NOT_RUNNING;
    }
    return attach_to(interpreter);
}

uint32_t cshim_running(void) { return atomic_load_explicit(&running, memory_order_acquire); }

// MARK: - The linked library

static int32_t version;

static void read_version(void) {
    int major = 0, minor = 0;
    sscanf(Py_GetVersion(), "%d.%d", &major, &minor);
    version = (int32_t)(major << 8 | minor);
}

int32_t cshim_version(void) {
    // Py_GetVersion writes to a buffer of its own, which another thread must not read meanwhile.
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, read_version);
    return version;
}

const char *cshim_library_path(void) {
    Dl_info info;
    return dladdr((void *)Py_GetVersion, &info) != 0 ? info.dli_fname : NULL;
}
