#include "storage/token.h"

#include "storage/murmur3.h"

struct token token_of_key(struct slice key)
{
    if (key.size == 0) return (struct token){INT64_MIN};
    int64_t hash = (int64_t)murmur3_hash(key).h1;
    return (struct token){hash == INT64_MIN ? INT64_MAX : hash};
}
