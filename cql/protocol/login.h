// A connection's login: AUTHENTICATE after STARTUP, then AUTH_RESPONSE until one is right
// (org.apache.cassandra.transport.messages.AuthResponse; SASL's PLAIN).
//
//     AUTHENTICATING --AUTH_RESPONSE--> hash computed elsewhere, nothing is read --> AUTH_SUCCESS,
//     READY
//          ^---------------------- wrong: ERROR 0x0100 ---------------------/
#ifndef CQL_PROTOCOL_LOGIN_H
#define CQL_PROTOCOL_LOGIN_H

#include "cql/protocol/connection.h"

// Answers STARTUP. True: the client has to log in first.
bool login_is_needed(const struct connection *connection);
void login_ask(struct connection *connection, int16_t stream);
// An AUTH_RESPONSE. False: it can not be read; `error` says why, nothing was answered.
bool login_start(struct connection *connection, const struct frame *frame, struct cql_error *error);
// What a connection that was abandoned has of it.
void login_free(struct connection *connection);

#endif
