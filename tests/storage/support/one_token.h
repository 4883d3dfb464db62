// Partition keys that all have one token. By chance nobody ever meets two of them; who wants to can
// make as many as they like, and order, paging and caches that look at the token alone fail then.
#ifndef TESTS_STORAGE_SUPPORT_ONE_TOKEN_H
#define TESTS_STORAGE_SUPPORT_ONE_TOKEN_H

#include "storage/token.h"

enum { ONE_TOKEN_KEY_SIZE = 16 };

// Another key for each number. Its hash is the token's value: of MIN64 the token is MAX64.
void one_token_key(struct token token, uint64_t number, uint8_t key[ONE_TOKEN_KEY_SIZE]);

#endif
