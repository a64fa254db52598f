internal import CShim

/// Loads a script file as a module, in Python, whose own lock keeps two threads from running it twice.
enum ScriptLoader {
    // The path is the module's name in sys.modules: it is the script's own, and no other module's. A script that fails is
    // forgotten, like a module that fails to import.
    private static let source = """
        import sys
        import threading

        lock = threading.RLock()

        def load(path, directory):
            with lock:
                if path in sys.modules:
                    return sys.modules[path]
                from importlib.machinery import SourceFileLoader
                from importlib.util import module_from_spec, spec_from_loader

                if directory not in sys.path:
                    sys.path.insert(0, directory)
                loader = SourceFileLoader(path, path)
                module = module_from_spec(spec_from_loader(path, loader))
                sys.modules[path] = module
                try:
                    loader.exec_module(module)
                except BaseException:
                    del sys.modules[path]
                    raise
                return module
        """

    /// The function `load(path, directory)`. The thread is attached.
    static func make() throws(PythonError) -> PythonFunction {
        let builtins = unsafe PythonObject(taking: try PythonValue(created: cshim_import("builtins")).take())
        let namespace: PythonObject = try builtins.function("dict")()
        try builtins.function("exec")(source, namespace)
        let load: PythonObject = try namespace.function("__getitem__")("load")
        return PythonFunction(object: load, name: "load")
    }
}
