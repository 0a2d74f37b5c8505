/* The part that all formats share: the buffer and the file. */
#include <errno.h>
#include <unistd.h>

#include "worker/sink.h"

#define ROW_ROOM (64U << 10)

const struct ct_sink_format *
ct_sink_find(struct ct_str name)
{
	static const struct ct_sink_format *const formats[] = {
	    &ct_sink_csv, &ct_sink_json};
	size_t i;

	for (i = 0; i < ct_countof(formats); i++)
		if (ct_str_is(name, formats[i]->name))
			return formats[i];
	return NULL;
}

void
ct_sink_init(struct ct_sink *s, const struct ct_sink_format *format, int fd,
    struct ct_arena *a)
{
	*s = (struct ct_sink){.format = format, .fd = fd, .day = CT_NULL_DAY};
	ct_buf_init(&s->out, a, CT_SINK_BUFFER + ROW_ROOM);
	ct_jw_init(&s->jw, &s->out);
}

void
ct_sink_flush(struct ct_sink *s, bool all)
{
	size_t done = 0;
	ssize_t n;

	if (!all && s->out.n < CT_SINK_BUFFER)
		return;
	while (done < s->out.n && s->failed == 0) {
		n = write(s->fd, s->out.p + done, s->out.n - done);
		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR)
			s->failed = errno;
	}
	s->bytes += (int64_t)done;
	s->out.n = 0;
}
