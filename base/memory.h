// The C library's memory, seen from the system: how much of what was freed a process keeps.
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

// Gives the pages of freed memory back to the system. Costs a walk over all that is free (about a
// millisecond for 100 MiB): after something large ended, not after each request.
void memory_give_back(void);

// From now on threads share few heaps instead of having one each, most of which would hold little
// but be kept. First thing in a process that shall stay small.
void memory_share_heaps(void);

#endif
