// api.js: the only module that talks to the server.
//
// Every function returns a promise. It fails with an ApiError, whose message is a sentence for people: what
// the server answered, or that it did not answer (status 0). Three things are handled here, for all pages:
//
//   the server is away       `watch.away` is called once, `watch.back` when a request succeeds again
//   a sign-in is asked for    `watch.signIn` is called, and the request is made again when it resolves
//   numbers of 64 bits        JSON numbers that a double cannot hold become BigInt, where the browser can
//
// The sign-in lives in sessionStorage, so it ends with the tab. Requests carry it explicitly and nothing else
// (credentials: "omit"), which also keeps the browser from asking with a window of its own.

import {asMember, memberOf, percentEncode} from "./bytes.js";

const STORED = "holt-authorization";

export const watch = {away() {}, back() {}, signIn: async () => false};

let isAway = false;
let signingIn = null;

class ApiError extends Error {
  constructor(status, code, message, details = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = details;
  }
}

/* ---- signing in */

export function isSignedIn() {
  return sessionStorage.getItem(STORED) !== null;
}

export function signInWithToken(token) {
  sessionStorage.setItem(STORED, `Bearer ${token.trim()}`);
}

export function signInWithPassword(user, password) {
  const text = new TextEncoder().encode(`${user}:${password}`);
  sessionStorage.setItem(STORED, `Basic ${btoa(String.fromCharCode(...text))}`);
}

export function signOut() {
  sessionStorage.removeItem(STORED);
}

/* ---- requests */

/* Pages that load at the same time share one question. */
async function askToSignIn() {
  signingIn ??= watch.signIn().finally(() => {
    signingIn = null;
  });
  return signingIn;
}

async function send(method, path, {headers, body, signal, cache}) {
  const authorization = sessionStorage.getItem(STORED);
  try {
    const response = await fetch(path, {
      method,
      body,
      signal,
      credentials: "omit",
      cache: cache ?? "no-store",
      headers: authorization ? {...headers, Authorization: authorization} : headers,
    });
    if (isAway) watch.back();
    isAway = false;
    return response;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    if (!isAway) watch.away();
    isAway = true;
    throw new ApiError(0, "away", "The server does not answer.");
  }
}

function apiError(status, error) {
  const message = error.message ?? `The server answered with status ${status}.`;
  const sentence = message.charAt(0).toUpperCase() + message.slice(1);
  return new ApiError(status, error.code ?? "", /[.!?]$/.test(sentence) ? sentence : `${sentence}.`, error);
}

async function errorOf(response) {
  try {
    return apiError(response.status, (await response.json()).error ?? {});
  } catch {
    return apiError(response.status, {}); // A proxy may answer with anything.
  }
}

/** Makes a request; returns the Response, whose status is below 400. */
export async function request(method, path, options = {}) {
  for (;;) {
    const response = await send(method, path, options);
    if (response.ok) return response;
    const error = await errorOf(response);
    if (response.status !== 401 || options.quiet || !(await askToSignIn())) throw error;
  }
}

/* The reviver gets the digits of a number only in newer browsers; others round it. */
function keepLargeIntegers(key, value, context) {
  if (typeof value !== "number" || Number.isSafeInteger(value) || !context?.source) return value;
  return /^-?\d+$/.test(context.source) ? BigInt(context.source) : value;
}

function parseJson(text) {
  return JSON.parse(text, keepLargeIntegers);
}

async function getJson(path, options) {
  const response = await request("GET", path, options);
  return parseJson(await response.text());
}

async function sendJson(method, path, value, options) {
  const response = await request(method, path, {
    ...options,
    body: value && JSON.stringify(value),
    headers: value && {"Content-Type": "application/json"},
  });
  const text = await response.text();
  return text ? parseJson(text) : null;
}

function withQuery(path, parameters) {
  const parts = Object.entries(parameters)
    .filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(
      ([name, value]) =>
        `${name}=${value instanceof Uint8Array ? percentEncode(value) : encodeURIComponent(value)}`,
    );
  return parts.length ? `${path}?${parts.join("&")}` : path;
}

/* ---- figures */

/** All figures of the database, the server and its collections; docs/SERVER.md describes them. */
export function stats(options) {
  return getJson("v1/admin/stats", options);
}

/** The open transactions, snapshots and cursors: {readers, count}; of very many, the first ones. */
export function readers(options) {
  return getJson("v1/admin/readers", options);
}

export async function logLevel(options) {
  return (await getJson("v1/admin/log-level", options)).level;
}

export function setLogLevel(level) {
  return sendJson("PUT", "v1/admin/log-level", {level});
}

/** Flushes or compacts everything, or checks it ("flush", "compact", "check"). It may take long. */
export function maintain(what) {
  return sendJson("POST", `v1/admin/${what}`);
}

/* ---- collections */

function collectionPath(name) {
  return `v1/collections/${encodeURIComponent(name)}`;
}

export async function collections(options) {
  return (await getJson("v1/collections", options)).collections;
}

export function collection(name, options) {
  return getJson(collectionPath(name), options);
}

export function createCollection(name, kind) {
  return sendJson("POST", "v1/collections", {name, kind});
}

export function dropCollection(name) {
  return request("DELETE", collectionPath(name));
}

/** A page of entries: {entries: [{key, value, expiresAt}], next}. */
export async function scan(name, {prefix, from, limit, reverse, token, signal}) {
  const page = await getJson(
    withQuery(`${collectionPath(name)}/scan`, {
      prefix: prefix?.length ? prefix : null,
      from,
      limit,
      reverse: reverse ? "true" : null,
      token,
    }),
    {signal},
  );
  const entries = page.entries.map((entry) => ({
    key: memberOf(entry, "key"),
    value: memberOf(entry, "value"),
    expiresAt: entry.expires_at_ms ?? 0,
  }));
  return {entries, next: page.next};
}

/* ---- tables */

function rowsPath(tableName) {
  return `v1/tables/${encodeURIComponent(tableName)}/rows`;
}

export async function tables(options) {
  return (await getJson("v1/tables", options)).tables;
}

/** A page of rows: {rows: [{column: value}], next}. where: conditions as JSON text, or null. */
export function rows(tableName, {where, limit, reverse, token, signal}) {
  const parameters = {where, limit, reverse: reverse ? "true" : null, token};
  return getJson(withQuery(rowsPath(tableName), parameters), {signal});
}

/* Rows are sent as JSON text, because integers may have more digits than a number of JavaScript. */
function sendRow(method, path, text) {
  return request(method, path, {body: text, headers: {"Content-Type": "application/json"}});
}

export function insertRow(tableName, text) {
  return sendRow("POST", rowsPath(tableName), text);
}

/* key: in bytes. */
function rowPath(tableName, key) {
  if (isDots(key)) throw new Error("A browser cannot ask for a key of dots. SQL can change this row.");
  return `${rowsPath(tableName)}/${percentEncode(key)}`;
}

export function changeRow(tableName, key, text) {
  return sendRow("PATCH", rowPath(tableName, key), text);
}

export function deleteRow(tableName, key) {
  return request("DELETE", rowPath(tableName, key));
}

/* ---- SQL */

/** Yields what a statement answers, line by line: {columns}, then a row in each, perhaps {changes}. */
export async function* sql(statement, parameters, {signal}) {
  const body = `{"sql":${JSON.stringify(statement)},"parameters":${parameters}}`;
  const headers = {"Content-Type": "application/json", Accept: "application/x-ndjson"};
  const response = await request("POST", "v1/sql", {body, headers, signal});
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (let end = false; !end;) {
    const {value, done} = await reader.read();
    end = done;
    rest += done ? decoder.decode() : decoder.decode(value, {stream: true});
    const lines = rest.split("\n");
    rest = lines.pop();
    for (const line of lines) yield parseLine(line);
  }
  if (rest) yield parseLine(rest);
}

function parseLine(line) {
  const value = parseJson(line);
  if (value?.error) throw apiError(200, value.error);
  return value;
}

/* ---- one key */

/* Browsers take "." and ".." out of a path, also encoded ones, so these two keys cannot be there. */
function isDots(key) {
  return key.length > 0 && key.length < 3 && key.every((byte) => byte === 46);
}

function keyPath(collectionName, key) {
  return `${collectionPath(collectionName)}/keys/${percentEncode(key)}`;
}

/** The value: {value, size, etag, expiresAt}. Of more than `most` bytes only the size is read. */
export async function getValue(name, key, most) {
  if (isDots(key)) {
    const {entries} = await scan(name, {from: key, prefix: key, limit: 1});
    if (!entries.length || entries[0].key.length !== key.length)
      throw new ApiError(404, "not_found", "There is no such key.");
    return {...entries[0], size: entries[0].value.length, etag: null};
  }
  const response = await request("GET", keyPath(name, key));
  const size = Number(response.headers.get("Content-Length"));
  const found = {
    size,
    etag: response.headers.get("ETag"),
    value: null,
    expiresAt: Number(response.headers.get("Holt-Expires-At-Ms") ?? 0),
  };
  if (size > most) {
    await response.body?.cancel();
  } else {
    found.value = new Uint8Array(await response.arrayBuffer());
    found.size = found.value.length;
  }
  return found;
}

function batch(operation) {
  return sendJson("POST", "v1/batch", {operations: [operation]});
}

/** Writes a value. etag: only over the value with that tag; null: only if there is no such key. */
export function putValue(name, key, value, {etag, expiresAt}) {
  if (isDots(key)) {
    return batch({
      op: "put",
      collection: name,
      ...asMember("key", key),
      ...asMember("value", value),
      ...(expiresAt ? {expires_at_ms: expiresAt} : {}),
      ...(etag === null ? {} : {if_present: true}),
    });
  }
  const headers = etag === null ? {"If-None-Match": "*"} : {"If-Match": etag};
  if (expiresAt) headers["Holt-TTL-Ms"] = String(Math.max(1, Math.round(expiresAt - Date.now())));
  return request("PUT", keyPath(name, key), {body: value, headers});
}

/** Deletes a key. etag: only if it still has the value with that tag; null: whatever it has. */
export function deleteKey(name, key, etag) {
  if (isDots(key)) return batch({op: "delete", collection: name, ...asMember("key", key)});
  return request("DELETE", keyPath(name, key), {headers: etag ? {"If-Match": etag} : {}});
}
