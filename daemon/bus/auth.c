/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "bus/auth.h"

/* A person may have to type a password. */
#define POLKIT_TIMEOUT_USEC (5 * 60 * 1000000ull)

struct pending {
	sd_bus_message *call;
	auth_handler handler;
	void *userdata;
};

static void pending_free(void *p)
{
	struct pending *q = p;

	sd_bus_message_unref(q->call);
	free(q);
}

static int deny(sd_bus_error *e)
{
	return sd_bus_error_set(e, SD_BUS_ERROR_ACCESS_DENIED,
				"you are not allowed to do this; ask as root, or let the "
				"administrator grant it by polkit");
}

static int on_polkit(sd_bus_message *reply, void *userdata, sd_bus_error *unused)
{
	struct pending *q = userdata;
	sd_bus_error e = SD_BUS_ERROR_NULL;
	int granted = 0, challenge = 0, r;

	if (!sd_bus_message_is_method_error(reply, NULL) &&
	    sd_bus_message_enter_container(reply, 'r', "bba{ss}") >= 0)
		sd_bus_message_read(reply, "bb", &granted, &challenge);
	r = granted ? q->handler(q->call, q->userdata, &e) : deny(&e);
	if (r < 0 || sd_bus_error_is_set(&e))
		sd_bus_reply_method_errno(q->call, r, &e);
	sd_bus_error_free(&e);
	return 0;
}

static int ask_polkit(sd_bus_message *call, const char *action, auth_handler handler,
		      void *userdata)
{
	struct pending *q;
	sd_bus_slot *slot = NULL;
	unsigned int flags = sd_bus_message_get_allow_interactive_authorization(call) > 0;
	sd_bus *bus = sd_bus_message_get_bus(call);
	sd_bus_message *m = NULL;
	int r;

	q = calloc(1, sizeof(*q));
	if (!q)
		return -ENOMEM;
	q->call = sd_bus_message_ref(call);
	q->handler = handler;
	q->userdata = userdata;
	r = sd_bus_message_new_method_call(bus, &m, "org.freedesktop.PolicyKit1",
					   "/org/freedesktop/PolicyKit1/Authority",
					   "org.freedesktop.PolicyKit1.Authority",
					   "CheckAuthorization");
	if (r >= 0)
		r = sd_bus_message_append(m, "(sa{sv})sa{ss}us", "system-bus-name", 1, "name", "s",
					  sd_bus_message_get_sender(call), action, 0, flags, "");
	if (r >= 0)
		r = sd_bus_call_async(bus, &slot, m, on_polkit, q, POLKIT_TIMEOUT_USEC);
	sd_bus_message_unref(m);
	if (r < 0) {
		pending_free(q);
		return r;
	}
	sd_bus_slot_set_destroy_callback(slot, pending_free);
	sd_bus_slot_set_floating(slot, 1);
	sd_bus_slot_unref(slot);
	return 1;
}

int auth_check(sd_bus_message *call, const char *action, auth_handler handler, void *userdata,
	       sd_bus_error *e)
{
	sd_bus_creds *creds = NULL;
	uid_t uid;
	int r;

	if (!action)
		return handler(call, userdata, e);
	r = sd_bus_query_sender_creds(call, SD_BUS_CREDS_EUID, &creds);
	if (r >= 0)
		r = sd_bus_creds_get_euid(creds, &uid);
	sd_bus_creds_unref(creds);
	if (r < 0)
		return r;
	if (uid == 0)
		return handler(call, userdata, e);
	return ask_polkit(call, action, handler, userdata);
}
