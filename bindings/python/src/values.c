/* values.c -- arguments of calls: bytes, numbers, times, names. See module.h. */
#include "module.h"

#include <math.h>
#include <string.h>

/* ---------------------------------------------------------------- bytes */

/* A buffer is copied, because another thread might change it during a call without the GIL: the library must
 * see the same bytes whenever it looks. A buffer that is read-only may be a view of one that is not. */
static bool take_buffer(PyObject *o, bytes_in *in)
{
    Py_buffer view;
    if (PyObject_GetBuffer(o, &view, PyBUF_SIMPLE) < 0) {
        PyErr_Format(PyExc_TypeError, "expected str, bytes or an object with a contiguous buffer, not %R",
                     Py_TYPE(o));
        return false;
    }
    size_t size = (size_t)view.len;
    in->copy = PyMem_Malloc(size ? size : 1);
    if (in->copy && size) memcpy(in->copy, view.buf, size);
    PyBuffer_Release(&view);
    in->slice = holt_bytes(in->copy, size);
    if (!in->copy) PyErr_NoMemory();
    return in->copy != NULL;
}

bool bytes_take_other(PyObject *o, bytes_in *in)
{
    Py_ssize_t size;
    in->copy = NULL;
    if (!PyUnicode_Check(o)) return take_buffer(o, in);
    const char *data = PyUnicode_AsUTF8AndSize(o, &size);
    if (data) in->slice = holt_bytes(data, (size_t)size);
    return data != NULL;
}

bool bytes_take_bound(PyObject *o, bytes_in *in)
{
    if (o && o != Py_None) return bytes_take(o, in);
    in->slice = holt_bytes(NULL, 0);
    in->copy = NULL;
    return true;
}

/* ---------------------------------------------------------------- arguments */

static bool take_keyword(const signature *s, PyObject *name, PyObject *value, PyObject **out)
{
    for (int i = 0; i < s->count; i++) {
        if (PyUnicode_CompareWithASCIIString(name, s->names[i]) != 0) continue;
        if (out[i]) PyErr_Format(PyExc_TypeError, "%s() got '%U' twice", s->function, name);
        if (out[i]) return false;
        out[i] = value;
        return true;
    }
    PyErr_Format(PyExc_TypeError, "%s() has no parameter '%U'", s->function, name);
    return false;
}

bool arguments(const signature *s, PyObject *const *args, Py_ssize_t n, PyObject *keywords, PyObject **out)
{
    if (n > s->positional) {
        PyErr_Format(PyExc_TypeError, "%s() takes at most %d positional arguments (%zd given)", s->function,
                     s->positional, n);
        return false;
    }
    for (int i = 0; i < s->count; i++)
        out[i] = i < n ? args[i] : NULL;
    Py_ssize_t named = keywords ? PyTuple_Size(keywords) : 0;
    for (Py_ssize_t i = 0; i < named; i++) {
        if (!take_keyword(s, PyTuple_GetItem(keywords, i), args[n + i], out)) return false;
    }
    for (int i = 0; i < s->required; i++) {
        if (out[i]) continue;
        PyErr_Format(PyExc_TypeError, "%s() needs the argument '%s'", s->function, s->names[i]);
        return false;
    }
    return true;
}

bool take_flag(PyObject *o, bool *out)
{
    int truth = o ? PyObject_IsTrue(o) : *out;
    *out = truth > 0;
    return truth >= 0;
}

bool take_u64(PyObject *o, uint64_t *out)
{
    if (!o || o == Py_None) return true;
    *out = PyLong_AsUnsignedLongLong(o);
    return !PyErr_Occurred();
}

bool take_u32(PyObject *o, uint32_t *out)
{
    uint64_t wide = *out;
    if (!take_u64(o, &wide)) return false;
    *out = (uint32_t)wide;
    if (wide <= UINT32_MAX) return true;
    PyErr_SetString(PyExc_OverflowError, "the number does not fit into 32 bits");
    return false;
}

int parse_u64(PyObject *o, void *out)
{
    return take_u64(o, (uint64_t *)out);
}

int parse_u32(PyObject *o, void *out)
{
    return take_u32(o, (uint32_t *)out);
}

const char *take_name(PyObject *o, const char *what)
{
    Py_ssize_t size = 0;
    if (!PyUnicode_Check(o)) {
        PyErr_Format(PyExc_TypeError, "%s must be str, not %R", what, Py_TYPE(o));
        return NULL;
    }
    const char *name = PyUnicode_AsUTF8AndSize(o, &size);
    if (name && strlen(name) != (size_t)size) {
        PyErr_Format(PyExc_ValueError, "%s contains a null character", what);
        return NULL;
    }
    return name;
}

/* ---------------------------------------------------------------- times */

/* An argument that is a number of seconds, or an object of a type with a method that returns one. */
static bool take_seconds(PyObject *o, const char *argument, const char *type, const char *method, double *out)
{
    PyObject *number =
        PyFloat_Check(o) || PyLong_Check(o) ? Py_NewRef(o) : PyObject_CallMethod(o, method, NULL);
    if (!number && PyErr_ExceptionMatches(PyExc_AttributeError))
        PyErr_Format(PyExc_TypeError, "%s must be a number of seconds or a %s, not %R", argument, type,
                     Py_TYPE(o));
    *out = number ? PyFloat_AsDouble(number) : 0;
    Py_XDECREF(number);
    if (PyErr_Occurred()) return false;
    /* 2^63 ms are 292 million years. */
    if (isfinite(*out) && *out > -9.2e15 && *out < 9.2e15) return true;
    PyErr_SetString(PyExc_ValueError, "the time is not a number of seconds in range");
    return false;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

bool take_expiry(PyObject *expires, PyObject *ttl, uint64_t *ms)
{
    double seconds;
    bool has_expires = expires && expires != Py_None, has_ttl = ttl && ttl != Py_None;
    *ms = 0;
    if (!has_expires && !has_ttl) return true;
    if (has_expires && has_ttl) {
        PyErr_SetString(PyExc_TypeError, "either expires or ttl, not both");
        return false;
    }
    if (has_expires && !take_seconds(expires, "expires", "datetime", "timestamp", &seconds)) return false;
    if (has_ttl && !take_seconds(ttl, "ttl", "timedelta", "total_seconds", &seconds)) return false;
    if (has_ttl) seconds += now();
    /* 0 means "never", so what lies at or before 1970 expires one millisecond after it. */
    *ms = seconds < 0.001 ? 1 : (uint64_t)(seconds * 1000);
    return true;
}
