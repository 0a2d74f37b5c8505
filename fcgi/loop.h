/* One child's life: the front loop and the threads behind it. */
#ifndef CT_FCGI_LOOP_H
#define CT_FCGI_LOOP_H

#include "fcgi/app.h"
#include "fcgi/serve.h"

/*
 * Serve until SIGTERM, then drain. ready_fd gets one byte when serving.
 * Returns the exit status of the child.
 */
int ct_loop_run(struct ct_app *app, int ready_fd);

/* Start the database threads and the password thread; aborts on failure. */
void ct_threads_start(struct ct_app *app);
/* Park a connection whose request is done; takes ownership. */
void ct_loop_park(struct ct_app *app, struct ct_conn *c);

#endif
