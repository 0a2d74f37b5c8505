/* The rules for a new password, and the door to libpasswdqc; see password.h. */
#include "common/password.h"

#include <ctype.h>
#include <passwdqc.h>
#include <stdlib.h>
#include <string.h>

#define NEAR_MAX 2400 /* bytes of all near words together */
/*
 * libpasswdqc looks each piece of the password up in 4,096 words: its time
 * grows with the length, and so long a one is not found by guessing words.
 */
#define JUDGED_MAX 128

/* What libpasswdqc says, as a person should read it. */
static const struct {
	const char *reason, *sentence;
} sentences[] = {
    {"personal", "must not be made of a name that is known about you"},
    {"different characters", "must not repeat itself"},
    {"sequence", "is too easy to guess: a row of keys or letters"},
    {"word", "is too easy to guess: a word with little else"},
};

static int
by_text(const void *key, const void *row)
{
	return strcmp(key, *(const char *const *)row);
}

static bool
is_listed(const char *lower)
{
	return bsearch(lower, ct_common_passwords, ct_common_passwords_n,
		   sizeof(ct_common_passwords[0]), by_text) != NULL;
}

/* As it stands, and without what was put around it to look stronger. */
static bool
is_common(const char *password)
{
	char lower[CT_PASSWORD_MAX + 1];
	size_t n = strlen(password), from = 0;

	for (size_t i = 0; i <= n; i++)
		lower[i] = (char)tolower((unsigned char)password[i]);
	if (is_listed(lower))
		return true;
	while (n > 0 && ispunct((unsigned char)lower[n - 1]))
		lower[--n] = '\0';
	while (from < n && ispunct((unsigned char)lower[from]))
		from++;
	return is_listed(lower + from);
}

/* The words, each followed by a blank; what does not fit is left out. */
static void
join_near(char out[NEAR_MAX], const struct ct_str *near, size_t n)
{
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		if (near[i].n < 3 || used + near[i].n + 2 > NEAR_MAX)
			continue;
		memcpy(out + used, near[i].p, near[i].n);
		used += near[i].n;
		out[used++] = ' ';
	}
	out[used] = '\0';
}

/*
 * NULL, or why it is too weak. The same least length for every mix of
 * characters: no rule of composition, only what is left when words, sequences
 * and names are taken away.
 */
static const char *
weakness(const char *password, char *near)
{
	static char empty[] = "";
	struct passwd pw = {
	    .pw_name = empty, .pw_gecos = near, .pw_dir = empty};
	passwdqc_params_t p;
	const char *reason;

	passwdqc_params_reset(&p);
	for (size_t i = 0; i < ct_countof(p.qc.min); i++)
		p.qc.min[i] = CT_PASSWORD_MIN;
	p.qc.max = CT_PASSWORD_MAX + 1;
	p.qc.passphrase_words = 0;
	reason = passwdqc_check(&p.qc, password, NULL, &pw);
	passwdqc_params_free(&p);
	if (!reason)
		return NULL;
	for (size_t i = 0; i < ct_countof(sentences); i++) {
		if (strstr(reason, sentences[i].reason))
			return sentences[i].sentence;
	}
	return "is too easy to guess";
}

enum ct_rc
ct_password_check(const char *field, struct ct_str password,
    const struct ct_str *near, size_t n, struct ct_err *err)
{
	char text[CT_PASSWORD_MAX + 1], words[NEAR_MAX];
	const char *why = NULL;

	if (password.n > CT_PASSWORD_MAX)
		return ct_fail_field(
		    err, field, "must be at most %d bytes", CT_PASSWORD_MAX);
	if (ct_utf8_len(password) < CT_PASSWORD_MIN)
		return ct_fail_field(err, field,
		    "must be at least %d characters", CT_PASSWORD_MIN);
	memcpy(text, password.p, password.n);
	text[password.n] = '\0';
	join_near(words, near, n);
	if (is_common(text))
		why = "is among the most common ones";
	else if (password.n <= JUDGED_MAX)
		why = weakness(text, words);
	explicit_bzero(text, sizeof(text));
	return why ? ct_fail_field(err, field, "%s", why) : CT_OK;
}
