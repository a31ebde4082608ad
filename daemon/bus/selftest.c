/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The self-test on the bus: answered when all parts of the box have. */
#include <errno.h>

#include "bus/dict.h"
#include "bus/internal.h"
#include "service/selftest.h"

static int append(sd_bus_message *m, const struct selftest_part *p)
{
	int r = dict_open(m);

	if (r >= 0)
		r = dict_put_string(m, "part", p->name);
	if (r >= 0)
		r = dict_put_bool(m, "good", p->good);
	if (r >= 0)
		r = dict_put_string(m, "text", p->text);
	return r < 0 ? r : dict_close(m);
}

static void on_done(void *userdata, const struct selftest_part *parts, size_t n)
{
	sd_bus_message *call = userdata, *reply = NULL;
	int r = n ? sd_bus_message_new_method_return(call, &reply) : -ECANCELED;

	if (r >= 0)
		r = sd_bus_message_open_container(reply, 'a', "a{sv}");
	for (size_t i = 0; i < n && r >= 0; i++)
		r = append(reply, &parts[i]);
	if (r >= 0)
		r = sd_bus_message_close_container(reply);
	if (r >= 0)
		r = sd_bus_send(NULL, reply, NULL);
	if (r < 0)
		sd_bus_reply_method_errno(call, r, NULL);
	sd_bus_message_unref(reply);
	sd_bus_message_unref(call);
}

int selftest_call(sd_bus_message *m, struct box *box, sd_bus_error *e)
{
	struct error why = { 0 };
	int r = selftest_run(box, on_done, sd_bus_message_ref(m), &why);

	if (r >= 0)
		return 1;
	sd_bus_message_unref(m);
	return bus_fail(e, r, &why);
}
