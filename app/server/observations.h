/* One observation, as a request asks for it. */
#ifndef SERVER_OBSERVATIONS_H
#define SERVER_OBSERVATIONS_H

#include "app/server/http.h"
#include "app/server/store_observations.h"

/*
 * Finds the observation that request->part[0] names, for that deed. 0; 1 when the
 * request has been answered, because there is none or it is not theirs; -errno.
 */
int observation_for(struct request *request, enum deed deed,
	struct observation *ret_observation, struct error *error) MUST_CHECK;

#endif
