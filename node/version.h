// Which program this is, and which Cassandra's behaviour it matches.
#ifndef NODE_VERSION_H
#define NODE_VERSION_H

#define HELENUS_VERSION   "0.1.0"
#define CASSANDRA_VERSION "5.0.4"

#endif
