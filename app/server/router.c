#include "app/server/router.h"

#include <string.h>

/*
 * Compares the pattern with a path cut into parts (each ended by a NUL, an empty
 * one after the last); collects what stands at its "+". Patterns hold no "+" else.
 */
static bool fits(const char *pattern, const char *parts, struct request *request)
{
	size_t n;

	request->n_parts = 0;
	while (*pattern && *parts) {
		n = strcspn(pattern, "/");
		if (n == 1 && pattern[0] == '+') {
			if (request->n_parts == HTTP_PARTS_MOST) {
				return false;
			}
			request->part[request->n_parts++] = parts;
		} else if (strncmp(pattern, parts, n) != 0 || parts[n] != '\0') {
			return false;
		}
		pattern += n;
		pattern += *pattern == '/';
		parts += strlen(parts) + 1;
	}
	return *pattern == '\0' && *parts == '\0';
}

const struct route *router_find(
	const struct router *router, struct request *request, const char *parts, int *ret_methods)
{
	int method = request->method;
	const struct route *const *table, *route, *get = NULL;

	*ret_methods = 0;
	for (table = router->tables; *table; table++) {
		for (route = *table; route->pattern; route++) {
			if (!fits(route->pattern, parts, request)) {
				continue;
			}
			*ret_methods |= route->methods;
			if (route->methods & method) {
				return route;
			}
			if (method == HTTP_HEAD && (route->methods & HTTP_GET)) {
				get = route;
			}
		}
	}
	if (get) {
		(void)fits(get->pattern, parts, request);
	}
	return get;
}
