/* notify.h -- tells systemd about the state of the service (sd_notify(3)), without its library.
 */
#ifndef SERVER_NOTIFY_H
#define SERVER_NOTIFY_H

/* Sends `state`, such as "READY=1", to the socket that NOTIFY_SOCKET names. Does nothing if systemd has
 * not started the server; a failure is logged. */
void notify(const char *state);

#endif
