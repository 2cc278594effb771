/* The tables; private to store*.c. */
#ifndef SERVER_SCHEMA_H
#define SERVER_SCHEMA_H

/* steps[v] leads from version v to v + 1. */
extern const char *const schema_steps[];
extern const int schema_n_steps;

#endif
