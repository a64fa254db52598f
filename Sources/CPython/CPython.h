// The C API of the CPython that pkg-config names as python3-embed. CShim is its one user.
#if !__has_include(<Python.h>)
#error "Python.h not found. Install CPython's development files: Debian and Ubuntu 'libpython3-dev', Fedora 'python3-devel'."
#endif
#define PY_SSIZE_T_CLEAN
#include <Python.h>
