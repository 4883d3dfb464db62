// Addresses as text, as java.net.InetAddress has them.
#ifndef STORAGE_VALUE_INET_H
#define STORAGE_VALUE_INET_H

#include "base/buffer.h"
#include "base/slice.h"
#include "base/status.h"

// "127.0.0.1" of four bytes; "2001:db8:0:0:0:0:0:1" of sixteen, but the four of one that is mapped
// (::ffff:1.2.3.4). Nothing for another size.
void inet_put_text(struct slice address, struct buffer *text);
// Also "127.1", "[::1]", "fe80::1%1". `*size` is 4 or 16. MALFORMED: no name is looked up.
MUST_USE enum status inet_parse(struct slice text, uint8_t bytes[static 16], size_t *size);

#endif
