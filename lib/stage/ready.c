/* ISC licence, see LICENSE. */
#include "stage/ready.h"

#include <stdio.h>
#include <stdlib.h>

void *
ready_conf(struct ready *r, size_t size)
{
	r->conf = calloc(1, size);
	r->release = free;
	return r->conf;
}

int
ready_make(struct ready *r, ready_fn *make, int argc, char *argv[])
{
	int result;

	stage_options(&r->options);
	result = make(r, argc, argv);
	if (!r->conf)
		fprintf(stderr, "%s: out of memory\n", argv[0]);
	return result;
}

void
ready_release(struct ready *r)
{
	if (r->release)
		r->release(r->conf);
	*r = (struct ready){ 0 };
}

int
ready_main(ready_fn *make, int argc, char *argv[])
{
	struct ready r = { 0 };
	int result = ready_make(&r, make, argc, argv);

	if (result == 0)
		result = r.instead ? r.instead(r.conf, &r.options) : stage_run(&r.stage, r.conf, &r.options);
	ready_release(&r);
	return result;
}
