// A client of any CQL server, on the loop: for `helenus bench`, the simulator, sinks and tests.
//
//     CONNECTING --TCP--> STARTING --READY, AUTH_SUCCESS--> READY --close--> freed
//          \------------------\-----------------------------\--fault--> BROKEN --close--> freed
//
// Many requests may be under way at once, up to `in_flight_max`; what is asked in one turn of the
// loop is sent with one write. Answers come in any order. When the connection breaks, or nothing
// comes for `timeout_ns` though something is awaited, each request that waits gets its end, and
// later ones are refused. There is no reconnecting: who wants it makes another client.
#ifndef CQL_CLIENT_CLIENT_H
#define CQL_CLIENT_CLIENT_H

#include "base/env.h"
#include "cql/client/answer.h"

struct cql_client;
struct tls;

struct cql_client_options {
    struct env_address address;
    int version; // 3, 4 or 5.
    bool lz4;
    struct tls *tls;      // NULL: none. It outlives the client.
    size_t in_flight_max; // 1 to 32767.
    uint64_t timeout_ns;  // To connect, and then without any answer. 0: 10 s.
    // Whom to log in as where the server asks for it (SASL PLAIN). They live until `connected`;
    // NULL: a server that asks is a fault.
    const char *user, *password;
};

// `connected` is called once, never inside the call: OK, or why not (with the server's own words,
// if it had any). After a fault only cql_client_close() makes sense. Not called after that.
struct cql_client *cql_client_create(struct env *env, const struct cql_client_options *options,
                                     void (*connected)(void *context, enum status status,
                                                       const struct error *error),
                                     void *context);
// Requests that wait are forgotten: their `done` does not come.
void cql_client_close(struct cql_client *client);

// A request, in its owner's memory until `done` or cql_client_close().
struct cql_client_request {
    // OK: the server answered, maybe with an error; `answer` is valid during the call. Otherwise
    // `answer` is NULL, and the request may or may not have been carried out. May start requests.
    void (*done)(struct cql_client_request *request, enum status status,
                 const struct answer *answer);
    int16_t stream; // The client's.
};

// Each of these: OVERLOADED when in_flight_max wait, INVALID when the request is too big, CLOSED
// when there is no connection; then `done` does not come. It never comes inside the call, and what
// they are given is read during the call only.
//
// Of the options consistency, serial consistency, values (without names), page size, paging state
// and timestamp are sent; NULL: consistency ONE and nothing else.
MUST_USE enum status cql_client_query(struct cql_client *client, struct cql_client_request *request,
                                      struct slice text, const struct query_options *options,
                                      void (*done)(struct cql_client_request *request,
                                                   enum status status,
                                                   const struct answer *answer));
MUST_USE enum status
cql_client_prepare(struct cql_client *client, struct cql_client_request *request, struct slice text,
                   void (*done)(struct cql_client_request *request, enum status status,
                                const struct answer *answer));
// `id` and `metadata_id` as the PREPARED answer had them; a metadata id that is not null (v5), or
// any before v5, asks the server to leave the columns out.
MUST_USE enum status
cql_client_execute(struct cql_client *client, struct cql_client_request *request, struct slice id,
                   struct slice metadata_id, const struct query_options *options,
                   void (*done)(struct cql_client_request *request, enum status status,
                                const struct answer *answer));
// For a connection without other use of it: the events of REGISTER. `mask`: MESSAGE_SCHEMA_CHANGE…
MUST_USE enum status
cql_client_register(struct cql_client *client, struct cql_client_request *request, unsigned mask,
                    void (*event)(void *context, const struct answer *answer), void *context,
                    void (*done)(struct cql_client_request *request, enum status status,
                                 const struct answer *answer));

size_t cql_client_in_flight(const struct cql_client *client);

#endif
