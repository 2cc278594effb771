/* Sound from the boxes, by tus 1.0.0. */
#ifndef SERVER_UPLOADS_H
#define SERVER_UPLOADS_H

#include "app/server/server.h"
#include "app/server/store_uploads.h"

#define UPLOAD_BYTES_MOST (32 << 20)

/* 0 or -ENOMEM. uploads_free() after the last request; takes NULL. */
int uploads_new(struct uploads **ret_uploads) MUST_CHECK;
void uploads_free(struct uploads *uploads);

#endif
