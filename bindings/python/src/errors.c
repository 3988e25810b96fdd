/* errors.c -- exceptions. Their classes are defined in the package's _errors.py, one for each status. */
#include "module.h"

enum { STATUSES = HOLT_CLOSED + 1 };

static PyObject *classes[STATUSES]; /* by status; [HOLT_OK] is the base class */

bool errors_init(void)
{
    PyObject *module = PyImport_ImportModule("holt._errors");
    PyObject *list = module ? PyObject_GetAttrString(module, "CLASSES") : NULL;
    bool done = list && PyTuple_Size(list) == STATUSES;
    for (Py_ssize_t i = 0; done && i < STATUSES; i++) {
        classes[i] = PyTuple_GetItem(list, i);
        Py_XINCREF(classes[i]);
    }
    if (!done && !PyErr_Occurred())
        PyErr_SetString(PyExc_ImportError, "holt._errors does not fit holt._holt");
    Py_XDECREF(list);
    Py_XDECREF(module);
    return done;
}

static PyObject *class_of(uint32_t status)
{
    return classes[status < STATUSES ? status : HOLT_OK];
}

PyObject *error_object(const holt_error *e)
{
    PyObject *offset =
        e->offset == HOLT_NO_OFFSET ? Py_NewRef(Py_None) : PyLong_FromUnsignedLongLong(e->offset);
    PyObject *message = PyUnicode_DecodeUTF8(e->message, (Py_ssize_t)strlen(e->message), "replace");
    PyObject *file = e->file[0] ? PyUnicode_DecodeUTF8(e->file, (Py_ssize_t)strlen(e->file), "replace")
                                : Py_NewRef(Py_None);
    PyObject *error = NULL;
    if (offset && message && file)
        error = PyObject_CallMethod(class_of(e->status), "_make", "OiOO", message, (int)e->os_errno, file,
                                    offset);
    Py_XDECREF(offset);
    Py_XDECREF(message);
    Py_XDECREF(file);
    return error;
}

static PyObject *raise_error(const holt_error *e)
{
    PyObject *error = error_object(e);
    if (error) PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_XDECREF(error);
    return NULL;
}

PyObject *raise_status(holt_status status)
{
    holt_error e;
    holt_error_get(&e, sizeof e);
    /* A read that finds no key leaves the message of an older failure. */
    if (e.status != (uint32_t)status) return raise_message(status, holt_status_name(status));
    return raise_error(&e);
}

PyObject *raise_message(holt_status status, const char *message)
{
    holt_error e = {.status = (uint32_t)status, .offset = HOLT_NO_OFFSET};
    PyOS_snprintf(e.message, sizeof e.message, "%s", message);
    return raise_error(&e);
}

PyObject *raise_missing(PyObject *key)
{
    PyErr_SetObject(classes[HOLT_NOT_FOUND], key);
    return NULL;
}

PyObject *raise_closed(const char *what)
{
    char message[100];
    PyOS_snprintf(message, sizeof message, "%s is closed", what);
    return raise_message(HOLT_CLOSED, message);
}
