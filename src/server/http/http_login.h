/* http_login.h -- who makes an HTTP request: the header Authorization, with a user's name and password
 * (Basic) or a token (Bearer).
 */
#ifndef SERVER_HTTP_LOGIN_H
#define SERVER_HTTP_LOGIN_H

#include "access/access.h"
#include "http/http_request.h"

/* Finds out whether the request may be made. header: NULL = there is none. Answers with 401, 403, 429 or 503
 * if not. Returns a password that must be verified before that is known, after which http_login_end follows;
 * NULL if there is none. */
access_check *http_login_begin(http_request *r, access_control *a, const char *header);
void http_login_end(http_request *r, access_control *a, const access_check *check);

/* Returns whether the user of the request may use the collection; nobody may use that of the users. */
bool http_login_may_use(const http_request *r, holt_slice collection);

#endif
