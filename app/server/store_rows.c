/* What statements give: one row, all of them, a number. */
#include "app/server/store_sql.h"

#include <errno.h>
#include <stdlib.h>

#define ROOM_FIRST 32

int sql_one(struct store_db *db, sqlite3_stmt *stmt, sql_row *row, void *item, struct error *error)
{
	int r = sql_next(db, stmt, error);

	if (r == 1) {
		row(stmt, item);
	}
	sql_done(stmt);
	return r == 1 ? 0 : r == 0 ? STORE_E_NONE : r;
}

static int grow(struct sql_list *list, size_t size)
{
	size_t room = list->room ? list->room * 2 : ROOM_FIRST;
	void *items;

	if (list->n < list->room) {
		return 0;
	}
	items = reallocarray(list->items, room, size);
	if (!items) {
		return -ENOMEM;
	}
	list->items = items;
	list->room = room;
	return 0;
}

int sql_all(struct store_db *db, sqlite3_stmt *stmt, sql_row *row, size_t size,
	struct sql_list *list, struct error *error)
{
	int r;

	while ((r = sql_next(db, stmt, error)) == 1) {
		r = grow(list, size);
		if (r < 0) {
			(void)error_set(error, r, "out of memory");
			break;
		}
		row(stmt, (char *)list->items + list->n++ * size);
	}
	sql_done(stmt);
	if (r < 0) {
		free(list->items);
		*list = (struct sql_list){0};
	}
	return r;
}

static void number_row(sqlite3_stmt *stmt, void *item)
{
	*(int64_t *)item = sqlite3_column_int64(stmt, 0);
}

int sql_count(struct store_db *db, sqlite3_stmt *stmt, int64_t *ret_number, struct error *error)
{
	int r;

	*ret_number = 0;
	r = sql_one(db, stmt, number_row, ret_number, error);
	return r < 0 ? r : 0;
}
