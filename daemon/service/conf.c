// SPDX-License-Identifier: LGPL-2.1-or-later
/* ifax.conf: one table says what there is, one reader fills it in. */
#include "service/conf.h"

#include <ctype.h>
#include <dirent.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "net/network.h"
#include "service/tls_policy.h"

#define FILE_MAX (1u << 20)
#define SEC	 1000000ull
#define MIN	 (60 * SEC)
#define HOUR	 (60 * MIN)
#define DAY	 (24 * HOUR)

enum value_type {
	VALUE_TEXT,		/* min, max: length */
	VALUE_PATH,		/* absolute */
	VALUE_NAME,		/* host */
	VALUE_HOST,		/* host or host:port */
	VALUE_NAMES,		/* hosts, parted by spaces */
	VALUE_NETWORKS,		/* addresses or networks, parted by spaces */
	VALUE_TURNS,		/* no, or "user:domain", parted by spaces */
	VALUE_POLICIES,		/* "domain:policy", parted by spaces */
	VALUE_CHOICE,		/* one of choices */
	VALUE_SPAN,		/* microseconds */
	VALUE_SIZE,		/* bytes */
	VALUE_NUMBER,
};

struct setting {
	const char *section;
	const char *key;
	enum value_type type;
	size_t offset;
	const char *fallback;	/* in the file's own words; NULL = none */
	uint64_t min;
	uint64_t max;
	const char *choices;	/* separated by spaces */
};

#define AT(field) offsetof(struct conf, field)

static const struct setting settings[] = {
	{ "Box", "Hostname", VALUE_NAME, AT(hostname), NULL, 1, 253, NULL },
	{ "Box", "Company", VALUE_TEXT, AT(company), NULL, 0, 200, NULL },
	{ "Box", "Spool", VALUE_PATH, AT(spool), "/var/spool/ifax", 1, 200, NULL },
	{ "Box", "State", VALUE_PATH, AT(state), "/var/lib/ifax", 1, 200, NULL },
	{ "Box", "Worker", VALUE_PATH, AT(worker), "/run/ifax/worker.sock", 1, 107, NULL },
	{ "Box", "UsersMax", VALUE_NUMBER, AT(users_max), "0", 0, 1000000, NULL },
	{ "Box", "Keyring", VALUE_PATH, AT(keyring), "/run/ifax/keyring.sock", 1, 107, NULL },
	{ "Send", "Smarthost", VALUE_HOST, AT(smarthost), NULL, 1, 260, NULL },
	{ "Send", "SmarthostTLS", VALUE_CHOICE, AT(smarthost_tls), "opportunistic", 0, 0,
	  "none opportunistic required tls" },
	{ "Send", "TLSPolicy", VALUE_POLICIES, AT(tls_policy), NULL, 1, 20000, NULL },
	{ "Send", "SmarthostUser", VALUE_TEXT, AT(smarthost_user), NULL, 1, 200, NULL },
	{ "Send", "Style", VALUE_CHOICE, AT(style), "plain", 0, 0, "plain panasonic" },
	{ "Send", "Sign", VALUE_CHOICE, AT(sign), "yes", 0, 0, "yes no" },
	{ "Send", "Retry", VALUE_SPAN, AT(retry_usec), "5min", SEC, DAY, NULL },
	{ "Send", "RetryMax", VALUE_SPAN, AT(retry_max_usec), "4h", SEC, 7 * DAY, NULL },
	{ "Send", "Expire", VALUE_SPAN, AT(expire_usec), "5d", MIN, 60 * DAY, NULL },
	{ "Send", "Delay", VALUE_SPAN, AT(delay_usec), "4h", 0, 60 * DAY, NULL },
	{ "Send", "KeepFinished", VALUE_SPAN, AT(keep_usec), "7d", 0, 3650 * DAY, NULL },
	{ "Send", "Timeout", VALUE_SPAN, AT(timeout_usec), "5min", SEC, HOUR, NULL },
	{ "Send", "Return", VALUE_CHOICE, AT(returned), "headers", 0, 0, "headers full" },
	{ "Send", "KeepIdle", VALUE_SPAN, AT(idle_usec), "2s", 0, HOUR, NULL },
	{ "Send", "Connections", VALUE_NUMBER, AT(connections), "100", 1, 1000, NULL },
	{ "Send", "ConnectionsPerHost", VALUE_NUMBER, AT(connections_per_host), "20", 1, 1000,
	  NULL },
	{ "Collect", "Interval", VALUE_SPAN, AT(interval_usec), "5min", SEC, 7 * DAY, NULL },
	{ "Collect", "MaxMessage", VALUE_SIZE, AT(max_message), "50M", 64 << 10, 1 << 30, NULL },
	{ "Collect", "RetryMax", VALUE_SPAN, AT(collect_retry_max_usec), "1h", SEC, 7 * DAY, NULL },
	{ "Collect", "Reserve", VALUE_SIZE, AT(collect_reserve), "64M", 0, 1ull << 40, NULL },
	{ "Collect", "Connections", VALUE_NUMBER, AT(collect_connections), "20", 1, 1000, NULL },
	{ "Collect", "ConnectionsPerHost", VALUE_NUMBER, AT(collect_connections_per_host), "4", 1,
	  1000, NULL },
	{ "Receive", "Domains", VALUE_NAMES, AT(domains), NULL, 1, 2000, NULL },
	{ "Receive", "Networks", VALUE_NETWORKS, AT(networks), "127.0.0.0/8 ::1", 0, 2000, NULL },
	{ "Receive", "Turn", VALUE_TURNS, AT(turn), "no", 0, 2000, NULL },
	{ "Receive", "Certificate", VALUE_PATH, AT(certificate), NULL, 1, 200, NULL },
	{ "Receive", "Key", VALUE_PATH, AT(key), NULL, 1, 200, NULL },
	{ "Receive", "MaxSessions", VALUE_NUMBER, AT(max_sessions), "1000", 1, 100000, NULL },
	{ "Receive", "MaxSessionsPerAddress", VALUE_NUMBER, AT(max_sessions_per_address), "50", 1,
	  100000, NULL },
	{ "Receive", "MaxMessage", VALUE_SIZE, AT(receive_max_message), "50M", 64 << 10, 1 << 30,
	  NULL },
	{ "Receive", "MaxMemory", VALUE_SIZE, AT(receive_max_memory), "256M", 1 << 20, 1ull << 40,
	  NULL },
	{ "Receive", "MaxRecipients", VALUE_NUMBER, AT(max_recipients), "1000", 100, 100000, NULL },
	{ "Receive", "MaxMessages", VALUE_NUMBER, AT(max_messages), "0", 0, 1000000, NULL },
	{ "Receive", "MaxErrors", VALUE_NUMBER, AT(max_errors), "20", 1, 10000, NULL },
	{ "Receive", "MaxIdleCommands", VALUE_NUMBER, AT(max_idle_commands), "100", 1, 1000000,
	  NULL },
	{ "Receive", "MaxAuthFailures", VALUE_NUMBER, AT(max_auth_failures), "3", 1, 100, NULL },
	{ "Receive", "MaxAuthFailuresPerAddress", VALUE_NUMBER, AT(max_auth_failures_per_address),
	  "20", 1, 1000000, NULL },
	{ "Receive", "MaxHops", VALUE_NUMBER, AT(max_hops), "100", 1, 1000, NULL },
	{ "Receive", "CommandTimeout", VALUE_SPAN, AT(command_timeout_usec), "5min", SEC, HOUR,
	  NULL },
	{ "Receive", "DataTimeout", VALUE_SPAN, AT(data_timeout_usec), "3min", SEC, HOUR, NULL },
	{ "Scan", "XRes", VALUE_NUMBER, AT(xres), "8000", 1000, 50000, NULL },
	{ "Scan", "YRes", VALUE_NUMBER, AT(yres), "7700", 1000, 50000, NULL },
	{ "Scan", "MaxPages", VALUE_NUMBER, AT(max_pages), "200", 1, 10000, NULL },
	{ "Print", "PrintText", VALUE_CHOICE, AT(print_text), "auto", 0, 0, "auto always never" },
	{ "Print", "MaxReceivedPages", VALUE_NUMBER, AT(max_received_pages), "200", 1, 10000,
	  NULL },
};

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit spans[] = {
	{ "us", 1 },	     { "usec", 1 },	 { "ms", 1000 },     { "msec", 1000 },
	{ "", SEC },	     { "s", SEC },	 { "sec", SEC },     { "second", SEC },
	{ "seconds", SEC },  { "m", MIN },	 { "min", MIN },     { "minute", MIN },
	{ "minutes", MIN },  { "h", HOUR },	 { "hr", HOUR },     { "hour", HOUR },
	{ "hours", HOUR },   { "d", DAY },	 { "day", DAY },     { "days", DAY },
	{ "w", 7 * DAY },    { "week", 7 * DAY }, { "weeks", 7 * DAY },
};

static const struct unit sizes[] = {
	{ "", 1 }, { "B", 1 }, { "K", 1 << 10 }, { "M", 1 << 20 }, { "G", 1 << 30 },
};

/* Where reading stands. */
struct place {
	const char *file;
	unsigned int line;
	struct error *e;
};

#define bad(pl, fmt, ...)                                                            \
	error_set((pl)->e, -EINVAL, "%s:%u: " fmt, (pl)->file, (pl)->line, ##__VA_ARGS__)

static const struct unit *find_unit(const struct unit *units, size_t n, const char *name,
				    size_t len)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(units[i].name) == len && !strncmp(units[i].name, name, len))
			return &units[i];
	return NULL;
}

/* "1h 30min": numbers with units, added up. 0, or -EINVAL, or -ERANGE. */
static int parse_sum(const char *v, const struct unit *units, size_t n, uint64_t *ret)
{
	uint64_t sum = 0;

	if (!*v)
		return -EINVAL;
	while (*v) {
		const struct unit *u;
		uint64_t number = 0;
		size_t len;

		if (!isdigit((unsigned char)*v))
			return -EINVAL;
		for (; isdigit((unsigned char)*v); v++)
			if (__builtin_mul_overflow(number, 10u, &number) ||
			    __builtin_add_overflow(number, (uint64_t)(*v - '0'), &number))
				return -ERANGE;
		v += strspn(v, " \t");
		for (len = 0; isalpha((unsigned char)v[len]); len++)
			;
		u = find_unit(units, n, v, len);
		if (!u)
			return -EINVAL;
		if (__builtin_mul_overflow(number, u->factor, &number) ||
		    __builtin_add_overflow(sum, number, &sum))
			return -ERANGE;
		v += len;
		v += strspn(v, " \t");
	}
	*ret = sum;
	return 0;
}

/* In the largest unit that divides it. */
static void print_span(char *buf, size_t size, uint64_t usec)
{
	static const struct unit units[] = {
		{ "w", 7 * DAY }, { "d", DAY }, { "h", HOUR }, { "min", MIN }, { "s", SEC },
	};
	size_t i = 0;

	while (i < ARRAY_SIZE(units) - 1 && usec % units[i].factor)
		i++;
	snprintf(buf, size, "%llu%s", (unsigned long long)(usec / units[i].factor), units[i].name);
}

static int check_range(const struct setting *s, uint64_t v, int r, const struct place *pl)
{
	char lo[32], hi[32];

	if (!r && v >= s->min && v <= s->max)
		return 0;
	if (s->type == VALUE_SPAN) {
		print_span(lo, sizeof(lo), s->min);
		print_span(hi, sizeof(hi), s->max);
	} else {
		snprintf(lo, sizeof(lo), "%llu", (unsigned long long)s->min);
		snprintf(hi, sizeof(hi), "%llu", (unsigned long long)s->max);
	}
	return bad(pl, "%s= must lie between %s and %s.", s->key, lo, hi);
}

static int set_number(struct conf *c, const struct setting *s, const char *v,
		      const struct place *pl)
{
	static const struct unit none[] = { { "", 1 } };
	static const char *const wants[] = {
		[VALUE_SPAN] = "a time, as in 30s, 5min or 1h 30min",
		[VALUE_SIZE] = "a size, as in 500K, 50M or 1G",
		[VALUE_NUMBER] = "a number",
	};
	void *field = (uint8_t *)c + s->offset;
	uint64_t n = 0;
	int r;

	if (s->type == VALUE_SPAN)
		r = parse_sum(v, spans, ARRAY_SIZE(spans), &n);
	else if (s->type == VALUE_SIZE)
		r = parse_sum(v, sizes, ARRAY_SIZE(sizes), &n);
	else
		r = strpbrk(v, " \t") ? -EINVAL : parse_sum(v, none, 1, &n);
	if (r == -EINVAL)
		return bad(pl, "%s= wants %s, not \"%s\".", s->key, wants[s->type], v);
	r = check_range(s, n, r, pl);
	if (r < 0)
		return r;
	if (s->type == VALUE_NUMBER)
		*(uint32_t *)field = (uint32_t)n;
	else
		*(uint64_t *)field = n;
	return 0;
}

static bool is_choice(const char *choices, const char *v)
{
	size_t len = strlen(v), n;

	for (; *choices; choices += n, choices += strspn(choices, " ")) {
		n = strcspn(choices, " ");
		if (n == len && !strncmp(choices, v, n))
			return true;
	}
	return false;
}

/* host, host:port, [address] or [address]:port */
static bool is_host(const char *v)
{
	const char *end = *v == '[' ? strchr(v, ']') : v + strcspn(v, ":");
	unsigned long port;
	char *rest;

	if (!end || end == v)
		return false;
	if (*v == '[')
		end++;
	for (const char *p = v; p < end; p++)
		if (!isalnum((unsigned char)*p) && !strchr(*v == '[' ? "[]:.%-" : ".-_", *p))
			return false;
	if (!*end)
		return true;
	if (*end != ':' || !isdigit((unsigned char)end[1]))
		return false;
	port = strtoul(end + 1, &rest, 10);
	return !*rest && port >= 1 && port <= 65535;
}

static bool is_name(const char *v)
{
	return is_host(v) && !strpbrk(v, "[:");
}

static bool is_network(const char *v)
{
	struct network n;

	return network_parse(v, &n) >= 0;
}

/* A user's code and a domain. */
static bool is_turn(const char *v)
{
	const char *colon = strchr(v, ':');
	size_t len = colon ? (size_t)(colon - v) : 0;

	return len && len <= 16 && is_name(colon + 1) &&
	       strspn(v, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-") == len;
}

static bool each_word(const char *v, bool (*good)(const char *word))
{
	char word[256];
	size_t len;

	for (v += strspn(v, " \t"); *v; v += len, v += strspn(v, " \t")) {
		len = strcspn(v, " \t");
		if (len >= sizeof(word))
			return false;
		memcpy(word, v, len);
		word[len] = '\0';
		if (!good(word))
			return false;
	}
	return true;
}

static int set_text(struct conf *c, const struct setting *s, const char *v, const struct place *pl)
{
	char **field = (char **)((uint8_t *)c + s->offset), *copy;
	size_t len = strlen(v);

	if (s->type == VALUE_CHOICE && !is_choice(s->choices, v))
		return bad(pl, "%s= is one of: %s; not \"%s\".", s->key, s->choices, v);
	if (s->type == VALUE_PATH && *v != '/')
		return bad(pl, "%s= wants a path from the root on, not \"%s\".", s->key, v);
	if ((s->type == VALUE_HOST && !is_host(v)) ||
	    (s->type == VALUE_NAME && !is_name(v)))
		return bad(pl, "%s= wants a host name, not \"%s\".", s->key, v);
	if (s->max && (len < s->min || len > s->max))
		return bad(pl, "%s= must be %llu to %llu characters long.", s->key,
			   (unsigned long long)s->min, (unsigned long long)s->max);
	if (s->type == VALUE_NAMES && !each_word(v, is_name))
		return bad(pl, "%s= wants host names with spaces between them, not \"%s\".",
			   s->key, v);
	if (s->type == VALUE_NETWORKS && strcmp(v, "none") && !each_word(v, is_network))
		return bad(pl, "%s= wants addresses or networks as in 192.0.2.0/24 with spaces "
			   "between them, or none, not \"%s\".", s->key, v);
	if (s->type == VALUE_TURNS && strcmp(v, "no") && !each_word(v, is_turn))
		return bad(pl, "%s= wants users and domains as in 100:branch.example.test with "
			   "spaces between them, or no, not \"%s\".", s->key, v);
	if (s->type == VALUE_POLICIES && !each_word(v, tls_policy_is_word))
		return bad(pl, "%s= wants domains and policies (none, may, encrypt, verify) as in "
			   "example.test:verify with spaces between them, not \"%s\".", s->key, v);
	copy = strdup(v);
	if (!copy)
		return error_set(pl->e, -ENOMEM, "Out of memory.");
	free(*field);
	*field = copy;
	return 0;
}

/* An empty value brings the default back, as in systemd's files. */
static int set_value(struct conf *c, const struct setting *s, const char *v, const struct place *pl)
{
	if (!*v)
		v = s->fallback;
	if (!v) {
		char **field = (char **)((uint8_t *)c + s->offset);

		free(*field);
		*field = NULL;
		return 0;
	}
	if (s->type == VALUE_SPAN || s->type == VALUE_SIZE || s->type == VALUE_NUMBER)
		return set_number(c, s, v, pl);
	return set_text(c, s, v, pl);
}

/* Edits (one character changed, added or left out) between two short words. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int row[64], n = (unsigned int)strlen(b);

	if (n >= ARRAY_SIZE(row))
		return ~0u;
	for (unsigned int i = 0; i <= n; i++)
		row[i] = i;
	for (unsigned int i = 1; *a; a++, i++) {
		unsigned int corner = row[0];

		row[0] = i;
		for (unsigned int k = 1; k <= n; k++) {
			unsigned int best = corner + (tolower((unsigned char)*a) !=
						      tolower((unsigned char)b[k - 1]));

			corner = row[k];
			if (row[k] + 1 < best)
				best = row[k] + 1;
			if (row[k - 1] + 1 < best)
				best = row[k - 1] + 1;
			row[k] = best;
		}
	}
	return row[n];
}

/* The nearest known key, this section's first; NULL when none is near. */
static const struct setting *nearest(const char *section, const char *key)
{
	const struct setting *best = NULL;
	unsigned int least = 2 * (unsigned int)strlen(key) / 3 + 1;

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		unsigned int d = 2 * distance(key, settings[i].key) +
				 (strcmp(section, settings[i].section) != 0);

		if (d < least) {
			least = d;
			best = &settings[i];
		}
	}
	return best;
}

static bool known_section(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		if (!strcmp(settings[i].section, name))
			return true;
	return false;
}

static char *strip(char *s)
{
	char *end;

	s += strspn(s, " \t\r");
	end = s + strlen(s);
	while (end > s && strchr(" \t\r", end[-1]))
		*--end = 0;
	return s;
}

static int assign(struct conf *c, const char *section, char *line, const struct place *pl)
{
	const struct setting *near;
	char *eq = strchr(line, '='), *key;

	if (!eq)
		return bad(pl, "This is neither [Section] nor Key=value: \"%s\".", line);
	*eq = 0;
	key = strip(line);
	if (!*section)
		return bad(pl, "%s= stands before any [Section].", key);
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		if (!strcmp(settings[i].section, section) && !strcmp(settings[i].key, key))
			return set_value(c, &settings[i], strip(eq + 1), pl);
	if (strlen(key) > 60)
		return bad(pl, "There is no such setting in [%s].", section);
	near = nearest(section, key);
	if (!near)
		return bad(pl, "There is no setting %s= in [%s].", key, section);
	return bad(pl, "There is no setting %s= in [%s]. Is %s= in [%s] meant?", key, section,
		   near->key, near->section);
}

static int parse_line(struct conf *c, char section[32], char *line, const struct place *pl)
{
	char *s = strip(line), *end;

	if (!*s)
		return 0;
	for (const char *p = s; *p; p++)
		if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f)
			return bad(pl, "A control character.");
	if (*s != '[')
		return assign(c, section, s, pl);
	end = s + strlen(s) - 1;
	if (*end != ']')
		return bad(pl, "The section's closing bracket is missing.");
	*end = 0;
	s++;
	if (!known_section(s))
		return bad(pl, "There is no section [%.40s]; there are Box, Send, Collect, "
			   "Scan and Print.", s);
	snprintf(section, 32, "%s", s);
	return 0;
}

static bool comment(const char *line)
{
	line += strspn(line, " \t\r");
	return *line == '#' || *line == ';';
}

/*
 * @text is written to. A backslash at a line's end goes on in the next, with a
 * space in between; comments inside such a line are left out.
 */
static int parse_text(struct conf *c, char *text, const char *file, struct error *e)
{
	_buffer_ struct buffer whole = { 0 };
	struct place pl = { .file = file, .e = e };
	char section[32] = "", *next;
	unsigned int line = 0;
	int r = 0;

	for (; text && !r; text = next) {
		size_t len;
		bool more;

		next = strchr(text, '\n');
		if (next)
			*next++ = 0;
		line++;
		if (comment(text))
			continue;
		len = strcspn(text, "\r");
		if (text[len] && !text[len + 1])
			text[len] = 0;
		len = strlen(text);
		more = len && text[len - 1] == '\\';
		if (more)
			text[len - 1] = ' ';
		if (!whole.len)
			pl.line = line;
		r = buffer_append(&whole, text, len);
		if (r < 0)
			return error_set(e, r, "Out of memory.");
		if (more)
			continue;
		if (whole.data)
			r = parse_line(c, section, whole.data, &pl);
		buffer_clear(&whole);
	}
	/* The last line may have ended in a backslash. */
	return r || !whole.len ? r : parse_line(c, section, whole.data, &pl);
}

int conf_parse(struct conf *c, const char *data, size_t len, const char *file, struct error *e)
{
	_free_ char *text = NULL;

	if (len > FILE_MAX)
		return error_set(e, -EFBIG, "%s: larger than a configuration can be.", file);
	if (memchr(data, 0, len))
		return error_set(e, -EINVAL, "%s: a NUL byte: this is not a text file.", file);
	text = strndup(data, len);
	if (!text)
		return error_set(e, -ENOMEM, "Out of memory.");
	return parse_text(c, text, file, e);
}

static int read_file(struct conf *c, const char *path, struct error *e)
{
	_buffer_ struct buffer b = { .max = FILE_MAX + 1 };
	_fclose_ FILE *f = fopen(path, "re");
	size_t n;

	if (!f && errno == ENOENT)
		return 0;
	if (!f)
		return error_set(e, -errno, "%s: cannot be read: %s.", path, strerror(errno));
	do {
		char chunk[4096];

		n = fread(chunk, 1, sizeof(chunk), f);
		if (buffer_append(&b, chunk, n) < 0)
			return error_set(e, -EFBIG, "%s: larger than a configuration can be.",
					 path);
	} while (n);
	if (ferror(f))
		return error_set(e, -EIO, "%s: cannot be read.", path);
	return b.len ? conf_parse(c, b.data, b.len, path, e) : 0;
}

static int is_drop_in(const struct dirent *de)
{
	size_t n = strlen(de->d_name);

	return de->d_name[0] != '.' && n > 5 && !strcmp(de->d_name + n - 5, ".conf");
}

/* By bytes, whatever the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_drop_ins(struct conf *c, const char *path, struct error *e)
{
	_buffer_ struct buffer dir = { 0 }, file = { 0 };
	struct dirent **list = NULL;
	int n, r = buffer_printf(&dir, "%s.d", path);

	if (r < 0)
		return error_set(e, r, "Out of memory.");
	n = scandir(dir.data, &list, is_drop_in, by_name);
	if (n < 0 && errno == ENOENT)
		return 0;
	if (n < 0)
		return error_set(e, -errno, "%s: cannot be read: %s.", dir.data, strerror(errno));
	for (int i = 0; i < n; i++) {
		buffer_clear(&file);
		if (!r)
			r = buffer_printf(&file, "%s/%s", dir.data, list[i]->d_name);
		if (!r)
			r = read_file(c, file.data, e);
		free(list[i]);
	}
	free(list);
	return r;
}

/* What no single line can get wrong. */
static int check_whole(const struct conf *c, const char *path, struct error *e)
{
	if (c->retry_max_usec < c->retry_usec)
		return error_set(e, -EINVAL, "%s: RetryMax= is shorter than Retry=.", path);
	if (!strcmp(c->spool, c->state))
		return error_set(e, -EINVAL, "%s: Spool= and State= must be different folders.",
				 path);
	if (!c->certificate != !c->key)
		return error_set(e, -EINVAL, "%s: Certificate= and Key= in [Receive] go together.",
				 path);
	if (c->receive_max_memory < c->receive_max_message)
		return error_set(e, -EINVAL, "%s: MaxMemory= in [Receive] is smaller than "
				 "MaxMessage= there.", path);
	return 0;
}

/* The name that Debian keeps for mail, one line; false: there is none that is a name. */
static bool mail_name(char *name, int size)
{
	_fclose_ FILE *f = fopen("/etc/mailname", "re");

	if (!f || !fgets(name, size, f))
		return false;
	name[strcspn(name, " \t\r\n")] = '\0';
	return is_host(name) && !strpbrk(name, "[:");
}

static int set_hostname(struct conf *c, struct error *e)
{
	char name[256] = "";

	if (c->hostname)
		return 0;
	if (!mail_name(name, sizeof(name)) &&
	    (gethostname(name, sizeof(name) - 1) < 0 || !is_host(name) || strpbrk(name, "[:")))
		snprintf(name, sizeof(name), "localhost");
	c->hostname = strdup(name);
	return c->hostname ? 0 : error_set(e, -ENOMEM, "Out of memory.");
}

int conf_defaults(struct conf *c, struct error *e)
{
	const struct place pl = { .file = "default", .e = e };
	int r = 0;

	*c = (struct conf){ 0 };
	for (size_t i = 0; i < ARRAY_SIZE(settings) && !r; i++)
		r = set_value(c, &settings[i], "", &pl);
	return r;
}

int conf_load(struct conf *c, const char *path, struct error *e)
{
	int r = conf_defaults(c, e);

	if (!r)
		r = read_file(c, path, e);
	if (!r)
		r = read_drop_ins(c, path, e);
	if (!r)
		r = check_whole(c, path, e);
	if (!r)
		r = set_hostname(c, e);
	if (r < 0)
		conf_free(c);
	return r;
}

void conf_free(struct conf *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		char **field = (char **)((uint8_t *)c + settings[i].offset);

		if (settings[i].type <= VALUE_CHOICE) {
			free(*field);
			*field = NULL;
		}
	}
}
