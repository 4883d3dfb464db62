// Whether what clients saw of registers that are changed by compare-and-set can have happened one
// after the other, each operation at a moment between its beginning and its end (Herlihy and Wing
// 1990).
//
// Every write has a value of its own and names the value before it, so what happened is a chain:
//
//     0 (nothing) --insert if not exists--> a --update if a--> b --update if b--> c …
//
// One without an answer is in the chain if its value was seen, or if one behind it is.
#ifndef NODE_SIM_LINEARIZABLE_H
#define NODE_SIM_LINEARIZABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct linearizable;

struct linearizable *linearizable_create(size_t register_count);
void linearizable_destroy(struct linearizable *history);

enum linearizable_kind { LINEARIZABLE_READ, LINEARIZABLE_COMPARE };

// Its number. `expected` 0: nothing is there. Times are of any clock that never stands still.
uint64_t linearizable_begin(struct linearizable *history, size_t register_index,
                            enum linearizable_kind kind, uint64_t expected, uint64_t value,
                            uint64_t time);
// It has an answer: of a read what it saw; of the other that it was applied, or what was there. One
// that never ends may have happened, at any time from its beginning.
void linearizable_end(struct linearizable *history, uint64_t event, bool applied, uint64_t seen,
                      uint64_t time);
// It certainly did not happen.
void linearizable_refuse(struct linearizable *history, uint64_t event);

// False: `message` says what can not be.
bool linearizable_check(const struct linearizable *history, char message[static 512]);

#endif
