/// Loads a script file as a module, in Python, whose own lock keeps two threads from running it twice.
enum ScriptLoader {
    // A script is named after its file, so that its classes can be pickled, unless that is the name of another module. One that
    // fails is forgotten, like a module that fails to import.
    private static let source = """
        import sys
        import threading

        lock = threading.RLock()
        scripts = {}

        def name_of(path, stem):
            from importlib.util import find_spec

            name, number = stem, 1
            while name in sys.modules or getattr(find_spec(name), "origin", path) != path:
                number += 1
                name = f"{stem}_{number}"
            return name

        def load(path, directory):
            with lock:
                if path in scripts:
                    return scripts[path]
                import os
                from importlib.machinery import SourceFileLoader
                from importlib.util import module_from_spec, spec_from_loader

                if directory not in sys.path:
                    sys.path.insert(0, directory)
                stem = os.path.splitext(os.path.basename(path))[0].replace(".", "_")
                name = name_of(path, stem)
                loader = SourceFileLoader(name, path)
                module = module_from_spec(spec_from_loader(name, loader))
                sys.modules[name] = scripts[path] = module
                try:
                    loader.exec_module(module)
                except BaseException:
                    del sys.modules[name], scripts[path]
                    raise
                return module
        """

    /// The function `load(path, directory)`. The thread is attached.
    static func make() throws(PythonError) -> PythonFunction {
        let builtins = try PythonObject(importing: "builtins")
        let namespace: PythonObject = try builtins.function("dict")()
        try builtins.function("exec")(source, namespace)
        let load: PythonObject = try namespace.function("__getitem__")("load")
        return PythonFunction(object: load, name: "load")
    }
}
