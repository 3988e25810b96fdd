/* datums.c -- values of tables: between Python objects and holt_datum. */
#include "module.h"

/* A buffer that is not bytes is copied, because it may change while the GIL is given up. */
static bool take_blob(PyObject *o, holt_datum *out, PyObject *objects)
{
    PyObject *copy = PyBytes_Check(o) ? Py_NewRef(o) : PyObject_CheckBuffer(o) ? PyBytes_FromObject(o) : NULL;
    if (!copy && !PyErr_Occurred())
        PyErr_Format(PyExc_TypeError, "expected None, bool, int, float, str or bytes, not %R", Py_TYPE(o));
    bool kept = copy && PyList_Append(objects, copy) == 0;
    if (kept) *out = holt_blob(PyBytes_AsString(copy), (size_t)PyBytes_Size(copy));
    Py_XDECREF(copy);
    return kept;
}

static bool take_text(PyObject *o, holt_datum *out)
{
    Py_ssize_t size;
    const char *data = PyUnicode_AsUTF8AndSize(o, &size);
    if (data) *out = holt_text_bytes(data, (size_t)size);
    return data != NULL;
}

static bool datum_take(PyObject *o, holt_datum *out, PyObject *objects)
{
    if (o == Py_None) {
        *out = holt_null();
    } else if (PyBool_Check(o)) {
        *out = holt_boolean(o == Py_True);
    } else if (PyLong_Check(o)) {
        *out = holt_integer(PyLong_AsLongLong(o));
        return !PyErr_Occurred();
    } else if (PyFloat_Check(o)) {
        *out = holt_real(PyFloat_AsDouble(o));
    } else if (PyUnicode_Check(o)) {
        return take_text(o, out);
    } else {
        return take_blob(o, out, objects);
    }
    return true;
}

bool datums_take(PyObject *values, datums *out)
{
    *out = (datums){0};
    if (!values || values == Py_None) return true;
    out->objects = PySequence_List(values); /* keeps the objects, whatever happens to the sequence */
    if (!out->objects) return false;
    Py_ssize_t count = PyList_Size(out->objects);
    out->list = (holt_datum *)PyMem_Calloc((size_t)count + 1, sizeof *out->list);
    if (!out->list) PyErr_NoMemory();
    for (Py_ssize_t i = 0; out->list && i < count; i++) {
        if (!datum_take(PyList_GetItem(out->objects, i), &out->list[i], out->objects)) break;
        out->count++;
    }
    if (out->list && out->count == (size_t)count) return true;
    datums_release(out);
    return false;
}

void datums_release(datums *d)
{
    PyMem_Free(d->list);
    Py_CLEAR(d->objects);
    d->list = NULL;
}

PyObject *datum_make(const holt_datum *d)
{
    switch (d->type) {
    case HOLT_BOOLEAN:
        return PyBool_FromLong(d->as.boolean);
    case HOLT_INTEGER:
        return PyLong_FromLongLong(d->as.integer);
    case HOLT_REAL:
        return PyFloat_FromDouble(d->as.real);
    case HOLT_TEXT:
        return bytes_make(true, d->as.bytes.data, d->as.bytes.size);
    case HOLT_BLOB:
        return bytes_make(false, d->as.bytes.data, d->as.bytes.size);
    default:
        return Py_NewRef(Py_None);
    }
}

PyObject *datums_tuple(const holt_datum *list, size_t count)
{
    PyObject *tuple = PyTuple_New((Py_ssize_t)count);
    for (size_t i = 0; tuple && i < count; i++) {
        PyObject *value = datum_make(&list[i]);
        if (!value || PyTuple_SetItem(tuple, (Py_ssize_t)i, value) < 0) Py_CLEAR(tuple);
    }
    return tuple;
}

/* ---------------------------------------------------------------- keys */

/* encode_key(values, descending): the bytes of a key; bit i of descending is set if part i is descending. */
PyObject *module_encode_key(PyObject *module, PyObject *args)
{
    PyObject *values, *result = NULL;
    uint64_t descending = 0;
    size_t size = 0;
    datums d;
    if (!PyArg_ParseTuple(args, "OO&:_encode_key", &values, parse_u64, &descending) ||
        !datums_take(values, &d))
        return NULL;
    holt_status rc = holt_key_encode(d.list, d.count, descending, NULL, 0, &size);
    if (rc == HOLT_TOO_LARGE) {
        result = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
        rc = result ? holt_key_encode(d.list, d.count, descending, PyBytes_AsString(result), size, &size)
                    : HOLT_OK;
    } else if (rc == HOLT_OK) {
        result = PyBytes_FromStringAndSize("", 0); /* no parts */
    }
    if (rc != HOLT_OK) {
        Py_CLEAR(result);
        raise_status(rc);
    }
    datums_release(&d);
    return result;
}

/* decode_key(bytes, descending): the tuple of the parts. */
PyObject *module_decode_key(PyObject *module, PyObject *args)
{
    PyObject *key, *result = NULL;
    uint64_t descending = 0;
    holt_datum parts[HOLT_KEY_PARTS_MAX];
    size_t count = HOLT_KEY_PARTS_MAX;
    bytes_in in;
    if (!PyArg_ParseTuple(args, "OO&:_decode_key", &key, parse_u64, &descending) || !bytes_take(key, &in))
        return NULL;
    void *room = PyMem_Malloc(in.slice.size + 1);
    if (!room) {
        PyErr_NoMemory();
    } else {
        holt_status rc = holt_key_decode(in.slice, descending, parts, &count, room, in.slice.size + 1);
        result = rc == HOLT_OK ? datums_tuple(parts, count) : raise_status(rc);
    }
    PyMem_Free(room);
    bytes_release(&in);
    return result;
}
