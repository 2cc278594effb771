/* What is in memory was heard, or lets somebody in: it goes to no core dump. */
#ifndef BASE_DUMP_H
#define BASE_DUMP_H

/*
 * From now on this process leaves no core dump, and nothing of its memory to a
 * program that core dumps are piped into, which no limit of size holds back
 * (core(5)). As good as the system allows: there is nobody to tell. Call once, early.
 */
void dump_nothing(void);

#endif
