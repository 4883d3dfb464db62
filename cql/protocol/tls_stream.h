// A TLS connection over a stream of the env, which is a stream of the env itself: whoever has one
// uses it by env_stream_start(), env_stream_write() … and need not know
// (io.netty.handler.ssl.SslHandler).
//
//     UNKNOWN ---0x16--> HANDSHAKE --done--> OPEN --close_notify, end, fault--> ENDED
//        |  \--another--> PLAIN ---------------------------------------------->  ^
//        (optional servers only)    \--deadline, refusal----------------------->-/
//
// Memory. A connection that waits has what OpenSSL needs of it and no buffer (some 10 KiB); what
// comes and goes is in the buffers that all streams of a `struct tls` share. While its owner has
// paused it, it keeps at most one read of the socket below.
//
// Who renegotiates is refused by an alert, and closed after some. A handshake has
// TLS_HANDSHAKE_TIMEOUT_NS. Whatever fails is told to the log of the `struct tls`, and to the owner
// as an end.
#ifndef CQL_PROTOCOL_TLS_STREAM_H
#define CQL_PROTOCOL_TLS_STREAM_H

#include "cql/protocol/tls.h"

// The server's end of `under`, which is not started and is taken over. `is_optional`: a client that
// begins with anything but a TLS handshake is passed on as it is.
struct env_stream *tls_stream_accept(struct tls *tls, struct env_stream *under, bool is_optional);
// The client's end. What is written before the handshake's end waits for it.
struct env_stream *tls_stream_connect(struct tls *tls, struct env_stream *under);

// "TLSv1.3", "TLS_AES_256_GCM_SHA384". False: it is a stream without TLS, of whatever kind.
bool tls_stream_describe(const struct env_stream *stream, const char **protocol,
                         const char **cipher);

#endif
