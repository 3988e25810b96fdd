/* module.c -- the module: its types, its functions, and fork(). */
#include "module.h"

#include <pthread.h>

uint32_t process_number;

static void count_process(void)
{
    process_number++;
}

PyTypeObject *module_type(PyObject *module, const char *name, PyType_Spec *spec, PyTypeObject *base)
{
    PyObject *type = PyType_FromSpecWithBases(spec, (PyObject *)base);
    if (!type) return NULL;
    if (PyModule_AddObjectRef(module, name, type) == 0) return (PyTypeObject *)type;
    Py_DECREF(type);
    return NULL;
}

static PyObject *module_version(PyObject *module, PyObject *unused)
{
    return PyUnicode_FromString(holt_version());
}

static PyObject *module_destroy(PyObject *module, PyObject *path)
{
    PyObject *bytes = NULL;
    holt_status rc;
    if (!PyUnicode_FSConverter(path, &bytes)) return NULL;
    const char *name = PyBytes_AsString(bytes);
    Py_BEGIN_ALLOW_THREADS rc = holt_destroy(name);
    Py_END_ALLOW_THREADS Py_DECREF(bytes);
    return rc == HOLT_OK ? Py_NewRef(Py_None) : raise_status(rc);
}

static PyMethodDef functions[] = {
    METHOD("version", module_version, METH_NOARGS, "version(): the version of the library."),
    METHOD("destroy", module_destroy, METH_O, "destroy(path): deletes a closed database."),
    METHOD("verify", module_verify, METH_O, "verify(path): verifies a closed database."),
    METHOD("_create_table", module_create_table, METH_VARARGS, "Creates a table."),
    METHOD("_encode_key", module_encode_key, METH_VARARGS, "Encodes a key of several parts."),
    METHOD("_decode_key", module_decode_key, METH_VARARGS, "Decodes a key of several parts."),
    METHOD("_close_all", module_close_all, METH_NOARGS, "Closes all databases."),
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "holt._holt",
    .m_doc = "The part of the package holt that is written in C.",
    .m_size = -1,
    .m_methods = functions,
};

PyMODINIT_FUNC PyInit__holt(void);

PyMODINIT_FUNC PyInit__holt(void)
{
    PyObject *module = PyModule_Create(&definition);
    if (!module) return NULL;
    bool done = errors_init() && store_init(module) && database_init(module) && collection_init(module) &&
                transaction_init(module) && range_init(module) && cursor_init(module) && load_init(module) &&
                table_init(module) && scan_init(module);
    if (done && pthread_atfork(NULL, NULL, count_process) != 0) {
        PyErr_NoMemory();
        done = false;
    }
    if (!done) Py_CLEAR(module);
    return module;
}
