/* The part that all formats share: the buffer and the file. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "worker/sink.h"

#define ROW_ROOM (64U << 10)

const struct ct_sink_format *
ct_sink_find(struct ct_str name)
{
	static const struct ct_sink_format *const formats[] = {
	    &ct_sink_csv, &ct_sink_json, &ct_sink_xlsx, &ct_sink_pdf};
	size_t i;

	for (i = 0; i < ct_countof(formats); i++)
		if (ct_str_is(name, formats[i]->name))
			return formats[i];
	return NULL;
}

void
ct_sink_init(struct ct_sink *s, const struct ct_sink_format *format, int fd,
    const char *dir, struct ct_arena *a)
{
	*s = (struct ct_sink){.format = format,
	    .a = a,
	    .fd = fd,
	    .dir = dir,
	    .cut_day = CT_NULL_DAY,
	    .day = CT_NULL_DAY};
	ct_buf_init(&s->out, a, CT_SINK_BUFFER + ROW_ROOM);
	ct_jw_init(&s->jw, &s->out);
}

enum ct_rc
ct_sink_disk(struct ct_err *err, const char *what, int errnum)
{
	bool full = errnum == ENOSPC || errnum == EDQUOT || errnum == EFBIG;

	ct_fail(err, CT_RETRY, "storage",
	    full ? "There is no room to store the report. Ask for it again "
		   "later, or for fewer days."
		 : "The report could not be stored. Ask for it again later.");
	return ct_err_detail(err, "%s: %s", what, strerror(errnum));
}

void
ct_sink_flush(struct ct_sink *s, bool all)
{
	size_t done = 0;
	ssize_t n;

	if (!all && s->out.n < CT_SINK_BUFFER)
		return;
	while (done < s->out.n && !ct_sink_failed(s)) {
		n = write(s->fd, s->out.p + done, s->out.n - done);
		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR)
			ct_sink_disk(&s->err, "write", errno);
	}
	s->bytes += (int64_t)done;
	s->out.n = 0;
}

bool
ct_sink_null(const struct ct_field *f, const void *obj)
{
	const void *v = ct_sink_member(obj, f);

	switch (f->type) {
	case CT_T_UUID:
		return ct_uuid_nil(v);
	case CT_T_TEXT:
	case CT_T_ENUM:
	case CT_T_JSON:
		return ((const struct ct_str *)v)->n == 0;
	case CT_T_BOOL:
		return (f->flags & CT_F_NULLABLE) &&
		       *(const int64_t *)v == CT_NULL_I64;
	case CT_T_INT:
	case CT_T_SET:
	case CT_T_VOLUME:
	case CT_T_MILLI:
	case CT_T_TIME:
		return *(const int64_t *)v == CT_NULL_I64;
	case CT_T_DAY:
		return *(const int32_t *)v == CT_NULL_DAY;
	}
	return true;
}
